"""From a tally to what is paid: lines, step sizes, caps, surcharges and discounts, bounds, taxes. In this order.

Amounts are whole minor units from here on: each line is rounded once, half up, from its exact product.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from ohmstead.tariffs.model import PriceLimit, TariffAdjustment
from ohmstead.tariffs.pricing import limits
from ohmstead.tariffs.pricing.calendar import instant_of, us_of
from ohmstead.tariffs.pricing.concessions import Concession, taken_off, told_taxes
from ohmstead.tariffs.pricing.cost import CostBreakdown, CostKind, CostLine, CostPart, Payer
from ohmstead.tariffs.pricing.limits import Amounts, TaxSet, half_up
from ohmstead.tariffs.pricing.plan import KWH_UWH, SCALE, Plan
from ohmstead.tariffs.pricing.tally import Cell, Tally
from ohmstead.tariffs.pricing.words import rule_in_words

NOBODY = Payer()
_DAY_KINDS = frozenset({"ENERGY", "TIME", "PARKING_TIME", "FLAT", "IDLE", "RESERVATION", "RESERVATION_FEE", "IDLE_CAP"})
# Decimals of what is counted, its unit, and what the price is for.
_UNITS: dict[str, tuple[int, Literal["kWh", "s", "1"], Literal["kWh", "h", "min", "1"]]] = {
    "ENERGY": (9, "kWh", "kWh"),
    "TIME": (6, "s", "h"),
    "PARKING_TIME": (6, "s", "h"),
    "RESERVATION": (6, "s", "h"),
    "IDLE": (6, "s", "min"),
    "FLAT": (0, "1", "1"),
    "RESERVATION_FEE": (0, "1", "1"),
}
_NOTHING = Decimal(0)
_MICRO = Decimal("0.000001")
_PICO = Decimal("0.000000000001")


class Row:
    """A line while it is reckoned with: its amount in minor units; `cell` and `billed` where a price counted."""

    __slots__ = ("amount", "billed", "cell", "day", "kind", "product", "rule", "taxes")

    def __init__(self, kind: CostKind, amount: int, taxes: TaxSet, day: int, rule: str = "") -> None:
        self.kind = kind
        self.amount = amount
        self.taxes = taxes
        self.day = day
        self.rule = rule
        self.cell: Cell | None = None
        self.billed = 0
        self.product = 0


def rows_of(plan: Plan, tally: Tally, payer: Payer = NOBODY) -> list[Row]:
    """All lines, in the order in which they are to be read."""
    rows = _priced(plan, tally)
    tariff = plan.tariff
    if tariff.idle_fee is not None and tariff.idle_fee.max_amount is not None:
        _cap_idle(plan, rows, tariff.idle_fee.max_amount)
    if tariff.max_per_day is not None:
        _cap_days(plan, rows, tariff.max_per_day)
    for adjustment in tariff.adjustments:
        if _is_for(adjustment, tally, payer):
            _adjust(plan, rows, adjustment)
    if tariff.max_price is not None:
        _bound(plan, rows, "MAX_PRICE", tariff.max_price)
    if tariff.min_price is not None and rows:
        _bound(plan, rows, "MIN_PRICE", tariff.min_price)
    return rows


def total_of(
    plan: Plan, tally: Tally, payer: Payer = NOBODY, given: Concession | None = None
) -> tuple[Decimal, Decimal]:
    """Before and after taxes, less what is taken off, without the explanation."""
    rows = rows_of(plan, tally, payer)
    amounts = _by_taxes(rows)
    if given is not None:
        for _, taken in taken_off(given, amounts, _by_taxes(row for row in rows if row.kind == "ENERGY")):
            for taxes, amount in taken.items():
                amounts[taxes] -= amount
    before, after = limits.totals(amounts, plan.tariff.tax_included == "YES")
    return _money(plan, before), _money(plan, after)


def break_down(plan: Plan, tally: Tally, payer: Payer = NOBODY) -> CostBreakdown:
    """What the session costs so far, explained."""
    rows = rows_of(plan, tally, payer)
    amounts = _by_taxes(rows)
    includes = plan.tariff.tax_included == "YES"
    before, after = limits.totals(amounts, includes)
    return CostBreakdown(
        currency=plan.tariff.currency,
        before_taxes=_money(plan, before),
        taxes=told_taxes(limits.taxes_of(amounts, includes), plan.tariff.currency),
        total=_money(plan, after),
        includes_taxes=includes,
        lines=[_line(plan, row) for row in rows],
    )


def _priced(plan: Plan, tally: Tally) -> list[Row]:
    more = _rounded_up(plan, tally)
    rows = []
    for place, cell in enumerate(tally.cells):
        if not cell.quantity:
            continue
        component = plan.components[cell.component]
        extra = more.get(place, 0)
        if cell.parts:
            product = sum(part.quantity * part.price for part in cell.parts) + extra * cell.parts[-1].price
        else:
            product = (cell.quantity + extra) * component.price
        row = Row(component.kind, half_up(product * plan.minor, component.unit * SCALE), component.taxes, cell.day)
        row.cell, row.billed, row.product = cell, cell.quantity + extra, product
        rows.append(row)
    rows.sort(key=lambda row: (row.cell.first, row.cell.component) if row.cell else (0, 0))
    return rows


def _rounded_up(plan: Plan, tally: Tally) -> dict[int, int]:
    """What step sizes add, by the place of the price that it is billed at.

    Once for energy, once for charging and parking time together, by the price that was last (OCPI CDRs): of time only
    the quantity of that price's own kind is rounded up. Reservations and idle time have their own.
    """
    found = {}
    for place in (tally.last_energy, tally.last_time, tally.last_reserved, tally.last_idle):
        if place < 0:
            continue
        last = plan.components[tally.cells[place].component]
        if last.step > 1:
            whole = sum(cell.quantity for cell in tally.cells if plan.components[cell.component].kind == last.kind)
            extra = -whole % last.step
            if extra:
                found[place] = extra
    return found


def _by_taxes(rows: Iterable[Row]) -> Amounts:
    amounts: Amounts = {}
    for row in rows:
        amounts[row.taxes] = amounts.get(row.taxes, 0) + row.amount
    return amounts


def _cap_idle(plan: Plan, rows: list[Row], most: Decimal) -> None:
    found = [row for row in rows if row.kind == "IDLE"]
    excess = sum(row.amount for row in found) - _minor(plan, most)
    if excess > 0:
        rule = f"Idle fee at most {most} {plan.tariff.currency}"
        rows.append(Row("IDLE_CAP", -excess, found[0].taxes, found[-1].day, rule))


def _cap_days(plan: Plan, rows: list[Row], most: Decimal) -> None:
    for day in sorted({row.day for row in rows}):
        amounts = _by_taxes(row for row in rows if row.day == day and row.kind in _DAY_KINDS)
        excess = sum(amounts.values()) - _minor(plan, most)
        if excess > 0:
            _change(rows, "DAY_CAP", amounts, excess, f"At most {most} {plan.tariff.currency} a day", day)


def _change(rows: list[Row], kind: CostKind, amounts: Amounts, wanted: int, rule: str, day: int = 0) -> None:
    """Take so much from amounts, and write down what was taken of which taxes."""
    before = dict(amounts)
    limits.take(amounts, wanted)
    _write_down(rows, kind, before, amounts, rule, day)


def _write_down(rows: list[Row], kind: CostKind, before: Amounts, after: Amounts, rule: str, day: int = 0) -> None:
    for taxes, amount in after.items():
        if amount != before.get(taxes, 0):
            rows.append(Row(kind, amount - before.get(taxes, 0), taxes, day, rule))


def _is_for(adjustment: TariffAdjustment, tally: Tally, payer: Payer) -> bool:
    start, end = adjustment.start_date_time, adjustment.end_date_time
    if (start is not None and tally.phase_at < us_of(start)) or (end is not None and tally.phase_at >= us_of(end)):
        return False
    if not (adjustment.groups or adjustment.plans or adjustment.coupons):
        return True
    return (
        any(one in adjustment.groups for one in payer.groups)
        or any(one in adjustment.plans for one in payer.plans)
        or any(one in adjustment.coupons for one in payer.coupons)
    )


def _adjust(plan: Plan, rows: list[Row], adjustment: TariffAdjustment) -> None:
    """Each is reckoned from the prices themselves, not from what other adjustments left; none takes more than there is."""
    wanted: Amounts = {}
    if adjustment.percent is not None:
        of = [row for row in rows if _concerns(adjustment, row)]
        rate = limits.rate_of(adjustment.percent)
        wanted = {taxes: half_up(amount * rate, limits.RATE) for taxes, amount in _by_taxes(of).items()}
    elif adjustment.per_kwh is not None:
        of = [row for row in rows if row.kind == "ENERGY"]
        price = int(adjustment.per_kwh.scaleb(16))
        amount = half_up(sum(row.billed for row in of) * price * plan.minor, KWH_UWH * SCALE)
        wanted = {_taxes_for(adjustment, of): amount}
    elif adjustment.per_session is not None and rows:
        wanted = {_taxes_for(adjustment, rows): _minor(plan, adjustment.per_session)}
    for taxes, amount in wanted.items():
        if amount > 0:
            rows.append(Row("ADJUSTMENT", amount, taxes, 0, adjustment.name))
        elif amount < 0:
            _discount(rows, taxes, -amount, adjustment.name)


def _discount(rows: list[Row], taxes: TaxSet, wanted: int, name: str) -> None:
    """From what is taxed so first, then from the rest; what is nothing already stays so."""
    amounts = _by_taxes(rows)
    before = dict(amounts)
    own = min(wanted, max(0, amounts.get(taxes, 0)))
    if own:
        amounts[taxes] -= own
    limits.take(amounts, wanted - own)
    _write_down(rows, "ADJUSTMENT", before, amounts, name)


def _concerns(adjustment: TariffAdjustment, row: Row) -> bool:
    if row.kind == "ADJUSTMENT":
        return False
    return not adjustment.dimensions or row.kind in adjustment.dimensions


def _taxes_for(adjustment: TariffAdjustment, rows: list[Row]) -> TaxSet:
    """As the adjustment says, or else as the largest of what it is on."""
    if adjustment.taxes is not None:
        return tuple(adjustment.taxes)
    return max(rows, key=lambda row: row.amount).taxes if rows else ()


def _bound(plan: Plan, rows: list[Row], kind: CostKind, limit: PriceLimit) -> None:
    amounts = _by_taxes(rows)
    before = dict(amounts)
    includes = plan.tariff.tax_included == "YES"
    least = _minor(plan, limit.before_taxes)
    most = None if limit.after_taxes is None else _minor(plan, limit.after_taxes)
    if kind == "MAX_PRICE":
        limits.hold_below(amounts, least, most, includes)
        rule = "Maximum price"
    else:
        limits.hold_above(amounts, least, most, includes, rows[0].taxes)
        rule = "Minimum price"
    told = f"{limit.before_taxes}" + ("" if limit.after_taxes is None else f", {limit.after_taxes} with taxes")
    _write_down(rows, kind, before, amounts, f"{rule} {told} {plan.tariff.currency}")


def _line(plan: Plan, row: Row) -> CostLine:
    cell = row.cell
    if cell is None:
        return CostLine(kind=row.kind, rule=row.rule, amount=_money(plan, row.amount), taxes=list(row.taxes))
    component = plan.components[cell.component]
    places, unit, per = _UNITS[component.kind]
    price = _decimal(component.price, 16)
    exact = (_decimal(row.product, 16) / component.unit).quantize(_PICO)
    if cell.parts:
        price = _decimal(row.product // row.billed, 16).quantize(_MICRO, ROUND_DOWN)
    return CostLine(
        kind=component.kind,
        rule=rule_in_words(component.kind, component.restrictions),
        amount=_money(plan, row.amount),
        taxes=list(component.taxes),
        element=component.element or None,
        quantity=_decimal(row.billed, places),
        measured=_decimal(cell.quantity, places),
        unit=unit,
        unit_price=price,
        price_per=per,
        exact=exact,
        from_at=instant_of(cell.first),
        to_at=instant_of(cell.last),
        parts=[
            CostPart(
                from_at=instant_of(part.first),
                to_at=instant_of(part.last),
                quantity=_decimal(part.quantity, places),
                unit_price=_decimal(part.price, 16),
                is_told=part.is_told,
            )
            for part in cell.parts
        ],
    )


def _decimal(value: int, places: int) -> Decimal:
    """A whole number of 10^-places, without noughts at its end."""
    if not value:
        return _NOTHING
    # Eight noughts at once first: prices have few decimals of the sixteen.
    while places >= 8 and not value % 100_000_000:
        value, places = value // 100_000_000, places - 8
    while places and not value % 10:
        value, places = value // 10, places - 1
    return Decimal(value).scaleb(-places) if places else Decimal(value)


def _money(plan: Plan, amount: int) -> Decimal:
    return Decimal(amount).scaleb(-plan.digits)


def _minor(plan: Plan, amount: Decimal) -> int:
    return half_up(int(amount.scaleb(6)) * plan.minor, 1_000_000)
