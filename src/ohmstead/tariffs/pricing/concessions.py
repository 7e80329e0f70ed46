"""What is taken off a price in the end: energy that was paid for otherwise, an amount, or all of it. Pure and exact.

It stands after everything a tariff says. Each taking is a line of its own for what is taxed alike, and none takes more than
there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.core.language import R_
from ohmstead.core.money import minor_units
from ohmstead.tariffs.model import TariffTax
from ohmstead.tariffs.pricing.cost import CostBreakdown, CostLine, CostTax
from ohmstead.tariffs.pricing.limits import Amounts, TaxSet, half_up, lower, take, taxes_of, totals

_UWH: Final = Decimal("0.000001")
FREE: Final = R_("Free of charge")


class Included(Struct, frozen=True):
    """So much of a session's energy was paid for otherwise; `rule`: how, in words."""

    energy_wh: Decimal
    rule: str


class Concession(Struct, frozen=True, kw_only=True):
    """What is taken off the price of a session: all of it, or what is `included` of its `energy_wh`."""

    is_free: bool = False
    energy_wh: Decimal = Decimal(0)
    included: Sequence[Included] = ()


def taken_off(given: Concession, there: Amounts, energy: Amounts) -> list[tuple[str, Amounts]]:
    """Of each rule what it takes, in minor units by taxes. `there`: all that is asked for; `energy`: the lines for energy.

    Included energy takes its share of the lines for energy, before discounts, half up for what is taxed alike. All of it takes
    all; nothing takes more than there is.
    """
    if given.is_free:
        return [(FREE, dict(there))]
    left, found = dict(there), []
    for one in given.included:
        if one.energy_wh <= 0 or given.energy_wh <= 0:
            continue
        part, whole = int(min(one.energy_wh, given.energy_wh) / _UWH), int(given.energy_wh / _UWH)
        taken = {taxes: min(half_up(amount * part, whole), max(0, left[taxes])) for taxes, amount in energy.items()}
        for taxes, amount in taken.items():
            left[taxes] -= amount
        found.append((one.rule, taken))
    return found


def applied(cost: CostBreakdown, given: Concession) -> CostBreakdown:
    """The cost with what is taken off it; its lines stay, what takes comes after them."""
    digits = minor_units(cost.currency)
    energy = _by_taxes((line for line in cost.lines if line.kind == "ENERGY"), digits)
    return _less(cost, taken_off(given, _by_taxes(cost.lines, digits), energy))


def reduced(cost: CostBreakdown, amount: Decimal, rule: str) -> CostBreakdown:
    """The cost less `amount` of what is paid, exactly; nothing is left where it costs no more than that.

    What is taxed alike gives its share, and one line for each of these takes it off. Where prices come without taxes not
    every total can be reached by a tax that is rounded: then the tax of the largest rate is the minor unit more that lacks.
    """
    if cost.total <= 0 or amount <= 0:
        return cost
    digits = minor_units(cost.currency)
    there = _by_taxes(cost.lines, digits)
    whole, wanted = _minor(cost.total, digits), _minor(amount, digits)
    if wanted >= whole:
        return _less(cost, [(rule, there)])
    left = dict(there)
    if cost.includes_taxes:
        take(left, wanted)
    else:
        _lower_to(left, there, whole - wanted)
    return _less(cost, [(rule, {taxes: there[taxes] - left[taxes] for taxes in there})], total=whole - wanted)


def _lower_to(left: Amounts, there: Amounts, total: int) -> None:
    """Take so much that with taxes it comes to `total`, or to as little less as can be."""
    lower(left, 1, total, includes_taxes=False)
    for taxes in left:
        while left[taxes] < there[taxes]:
            left[taxes] += 1
            if totals(left, includes_taxes=False)[1] > total:
                left[taxes] -= 1
                break


def _less(cost: CostBreakdown, taken: Sequence[tuple[str, Amounts]], total: int | None = None) -> CostBreakdown:
    """The cost with lines that take this off it. `total`: what it comes to with taxes, where that is said."""
    digits = minor_units(cost.currency)
    left = _by_taxes(cost.lines, digits)
    wanted = [(rule, taxes, amount) for rule, amounts in taken for taxes, amount in amounts.items() if amount]
    if not wanted and total is not None:
        # A minor unit that an earlier reduction left with a tax: it goes, and nothing else.
        wanted = [(taken[0][0], max(left, key=lambda taxes: left[taxes]), 0)]
    if not wanted:
        return cost
    for _, taxes, amount in wanted:
        left[taxes] -= amount
    taxed = taxes_of(left, cost.includes_taxes)
    listed, due = sum(left.values()), sum(amount for _, amount in taxed.values())
    before = listed - due if cost.includes_taxes else listed
    if total is not None and (lack := total - before - due):
        largest = max(taxed, key=lambda tax: (taxed[tax][1], tax.percentage))
        taxed[largest] = (taxed[largest][0], taxed[largest][1] + lack)
        due += lack
    more = [
        CostLine(kind="ADJUSTMENT", rule=rule, amount=_money(-amount, digits), taxes=list(taxes))
        for rule, taxes, amount in wanted
    ]
    return replace(
        cost,
        lines=[*cost.lines, *more],
        taxes=told_taxes(taxed, cost.currency),
        before_taxes=_money(before, digits),
        total=_money(before + due, digits),
    )


def told_taxes(taxed: Mapping[TariffTax, tuple[int, int]], currency: str) -> list[CostTax]:
    """Bases and amounts in minor units, as a cost tells them: the highest first."""
    digits = minor_units(currency)
    return [
        CostTax(name=tax.name, percentage=tax.percentage, base=_money(base, digits), amount=_money(amount, digits))
        for tax, (base, amount) in sorted(taxed.items(), key=lambda item: (-item[0].percentage, item[0].name))
    ]


def _by_taxes(lines: Iterable[CostLine], digits: int) -> Amounts:
    found: Amounts = {}
    for line in lines:
        taxes: TaxSet = tuple(line.taxes)
        found[taxes] = found.get(taxes, 0) + _minor(line.amount, digits)
    return found


def _minor(amount: Decimal, digits: int) -> int:
    return int(amount.scaleb(digits))


def _money(minor: int, digits: int) -> Decimal:
    return Decimal(minor).scaleb(-digits)
