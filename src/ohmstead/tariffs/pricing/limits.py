"""Amounts by the taxes on them, and bounds of their total: whole minor units in, whole minor units out.

A bound takes from (or adds to) all amounts in proportion. Where that leaves the total with taxes above its own bound, what
is taxed most gives way first: so OCPI's example (10.00 before and 11.00 after taxes) comes out as it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from ohmstead.tariffs.model import TariffTax

TaxSet: TypeAlias = tuple[TariffTax, ...]
Amounts: TypeAlias = dict[TaxSet, int]

RATE = 1_000_000  # a percentage of 1 % is 10,000 of these


def half_up(numerator: int, denominator: int) -> int:
    """The quotient, rounded half away from zero; exact."""
    whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return whole if numerator >= 0 else -whole


@lru_cache(maxsize=256)
def rate_of(percentage: Decimal) -> int:
    """Of a percentage, in millionths."""
    return int(percentage * 10_000)


def taxes_of(amounts: Mapping[TaxSet, int], includes_taxes: bool) -> dict[TariffTax, tuple[int, int]]:
    """Of each tax its base and its amount.

    Where prices come without taxes, the amounts of a rate are added before its tax is rounded; where they include
    taxes, the tax is taken out of what is taxed alike.
    """
    found: dict[TariffTax, tuple[int, int]] = {}
    if not includes_taxes:
        for taxes, amount in amounts.items():
            for tax in taxes:
                found[tax] = (found.get(tax, (0, 0))[0] + amount, 0)
        return {tax: (base, half_up(base * rate_of(tax.percentage), RATE)) for tax, (base, _) in found.items()}
    for taxes, amount in amounts.items():
        whole = RATE + sum(rate_of(tax.percentage) for tax in taxes)
        shares = [half_up(amount * rate_of(tax.percentage), whole) for tax in taxes]
        base = amount - sum(shares)
        for tax, share in zip(taxes, shares, strict=True):
            before = found.get(tax, (0, 0))
            found[tax] = (before[0] + base, before[1] + share)
    return found


def totals(amounts: Mapping[TaxSet, int], includes_taxes: bool) -> tuple[int, int]:
    """Before and after taxes."""
    listed = sum(amounts.values())
    due = sum(tax for _, tax in taxes_of(amounts, includes_taxes).values())
    return (listed - due, listed) if includes_taxes else (listed, listed + due)


def take(amounts: Amounts, wanted: int) -> int:
    """Take so much out of what is above zero, in proportion; never below zero. Returns what was taken."""
    whole = sum(amount for amount in amounts.values() if amount > 0)
    wanted = min(wanted, whole)
    left = wanted
    if wanted > 0:
        shares = {taxes: wanted * amount // whole for taxes, amount in amounts.items() if amount > 0}
        left -= sum(shares.values())
        for taxes, share in shares.items():
            # What cutting left over, a minor unit for each.
            more = 1 if left > 0 and amounts[taxes] > share else 0
            left -= more
            amounts[taxes] -= share + more
    return wanted


def put(amounts: Amounts, more: int, otherwise: TaxSet) -> None:
    """Add so much to what is above zero, in proportion; to `otherwise` where nothing is."""
    found = {taxes: amount for taxes, amount in amounts.items() if amount > 0}
    if not found:
        amounts[otherwise] = amounts.get(otherwise, 0) + more
        return
    whole, left = sum(found.values()), more
    for taxes, amount in found.items():
        amounts[taxes] += more * amount // whole
        left -= more * amount // whole
    amounts[max(found, key=lambda taxes: found[taxes])] += left


def hold_below(amounts: Amounts, before: int, after: int | None, includes_taxes: bool) -> None:
    """No more than `before` without and `after` with taxes."""
    given = dict(amounts)
    lower(amounts, 0, before, includes_taxes)
    if after is None or totals(amounts, includes_taxes)[1] <= after:
        return
    wanted = sum(given.values()) - sum(amounts.values())
    amounts |= given
    for taxes in sorted(amounts, key=lambda taxes: -sum(rate_of(tax.percentage) for tax in taxes)):
        taken = min(wanted, max(0, amounts[taxes]))
        amounts[taxes] -= taken
        wanted -= taken
    lower(amounts, 0, before, includes_taxes)
    lower(amounts, 1, after, includes_taxes)


def hold_above(amounts: Amounts, before: int, after: int | None, includes_taxes: bool, otherwise: TaxSet) -> None:
    """No less than `before` without and `after` with taxes."""
    for which, bound in ((0, before), (1, after)):
        if bound is None:
            continue
        while (lack := bound - totals(amounts, includes_taxes)[which]) > 0:
            listed, counted = sum(amounts.values()), totals(amounts, includes_taxes)[which]
            put(amounts, max(1, lack * listed // counted - 1 if counted > 0 else lack // 2), otherwise)


def lower(amounts: Amounts, which: int, bound: int, includes_taxes: bool) -> None:
    """Take from what is above zero, in proportion, until the total (0: before, 1: after taxes) is no more than `bound`."""
    while (excess := totals(amounts, includes_taxes)[which] - bound) > 0:
        listed, counted = sum(amounts.values()), totals(amounts, includes_taxes)[which]
        # One less than it should be, then one by one: rounding of taxes must not take too much.
        if not take(amounts, max(1, excess * listed // counted - 1)):
            return
