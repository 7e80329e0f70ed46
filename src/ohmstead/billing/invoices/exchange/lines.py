"""A document as EN 16931 has it: lines whose arithmetic holds exactly. Pure.

Each price of a session is a line of its own (BG-25): quantity × price ÷ base quantity, half up, is its amount. Energy is in kWh
with the price of one; times are in seconds with the price of an hour or a minute (base quantity 3600 or 60), so that nothing is
rounded before the amount is. Where the tariff's price would give another amount, since it includes taxes or follows a market,
the price is the one with the fewest decimals, four at least, that gives it. What is taken off (discounts, caps) is an allowance
(BG-27) of the same session's largest line with the same tax.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from msgspec import Struct

from ohmstead.billing.invoices.model import DocumentLine, DocumentPart, Invoice, TaxCategory
from ohmstead.billing.invoices.paper.words import item_of, part_name, zone_of
from ohmstead.billing.invoices.taxation import rounded

# UN/ECE recommendation 20, as UNTDID has it.
UNITS: Final = {"kWh": "KWH", "s": "SEC", "1": "C62"}
_BASE: Final = {"h": Decimal(3600), "min": Decimal(60)}
_LEAST_PLACES: Final = 4
_MOST_PLACES: Final = 14
_ONE: Final = Decimal(1)


class Allowance(Struct, frozen=True):
    """What is taken off a line, and why."""

    amount: Decimal
    reason: str


class ELine(Struct, frozen=True, kw_only=True):
    """A line (BG-25). `base`: for how much the price is (BT-149)."""

    line_id: str
    name: str
    note: str
    quantity: Decimal
    unit: str
    price: Decimal
    base: Decimal
    amount: Decimal
    category: TaxCategory
    percentage: Decimal
    from_on: date | None = None
    to_on: date | None = None
    allowances: tuple[Allowance, ...] = ()


def lines_of(invoice: Invoice) -> list[ELine]:
    """All lines of a document. Their amounts add up to what it comes to without taxes."""
    found: list[ELine] = []
    for n, line in enumerate(invoice.content.lines, start=1):
        found += _of_line(n, line, invoice)
    return found


def _of_line(n: int, line: DocumentLine, invoice: Invoice) -> list[ELine]:
    note = item_of(line, invoice.content.time_zone)
    zone = zone_of(invoice.content.time_zone)
    days = [at.astimezone(zone).date() for at in (line.started_at, line.ended_at) if at is not None]
    span = (days[0], days[-1]) if days else (None, None)
    added: list[DocumentPart] = []
    taken: list[DocumentPart] = []
    for part in line.parts:
        (added if part.amount >= 0 else taken).append(part)
    found = [_line(f"{n}.{k}", part, line, note, span, invoice.currency) for k, part in enumerate(added, start=1)]
    for part in taken:
        taxed_alike = [
            k for k, one in enumerate(found) if (one.category, one.percentage) == (part.category, part.percentage)
        ]
        if taxed_alike:
            k = max(taxed_alike, key=lambda k: found[k].amount)
            found[k] = _less(found[k], part)
        else:
            found.append(_line(f"{n}.{len(found) + 1}", part, line, note, span, invoice.currency))
    return found


def _line(
    line_id: str,
    part: DocumentPart,
    line: DocumentLine,
    note: str,
    span: tuple[date | None, date | None],
    currency: str,
) -> ELine:
    quantity, unit, base = _ONE, "C62", _ONE
    if part.quantity and part.unit and part.amount > 0:
        quantity, unit = part.quantity, UNITS[part.unit]
        base = _BASE.get(part.price_per or "", _ONE) if part.unit == "s" else _ONE
    if part.amount < 0:
        quantity = -_ONE
    given = part.unit_price if not line.includes_taxes and part.category != "AE" else None
    price = fitting(part.amount, quantity, base, given, currency)
    return ELine(
        line_id=line_id,
        name=part_name(part),
        note=note,
        quantity=quantity,
        unit=unit,
        price=price,
        base=base,
        amount=part.amount,
        category=part.category,
        percentage=part.percentage,
        from_on=span[0],
        to_on=span[1],
    )


def _less(line: ELine, part: DocumentPart) -> ELine:
    return ELine(
        line_id=line.line_id,
        name=line.name,
        note=line.note,
        quantity=line.quantity,
        unit=line.unit,
        price=line.price,
        base=line.base,
        amount=line.amount + part.amount,
        category=line.category,
        percentage=line.percentage,
        from_on=line.from_on,
        to_on=line.to_on,
        allowances=(*line.allowances, Allowance(-part.amount, part_name(part))),
    )


def fitting(amount: Decimal, quantity: Decimal, base: Decimal, given: Decimal | None, currency: str) -> Decimal:
    """A price, never negative, for which quantity × price ÷ base is the amount, half up: the given one if it does that."""
    if given is not None and given >= 0 and _comes_to(given, quantity, base, currency) == amount:
        return _at_least(given)
    exact = abs(amount) * base / abs(quantity)
    for places in range(_LEAST_PLACES, _MOST_PLACES):
        price = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        if _comes_to(price, quantity, base, currency) == amount:
            return price
    raise ValueError(f"no price gives {amount} for {quantity}")


def _comes_to(price: Decimal, quantity: Decimal, base: Decimal, currency: str) -> Decimal:
    return rounded(quantity * price / base, currency)


def _at_least(price: Decimal) -> Decimal:
    exponent = price.as_tuple().exponent
    has = -exponent if isinstance(exponent, int) else 0
    return price if has >= _LEAST_PLACES else price.quantize(Decimal(1).scaleb(-_LEAST_PLACES))
