"""From CDRs to what a document says: lines with their parts, taxes, totals; and what the books need beside. Pure.

A document comes to exactly what its CDRs come to. Its taxes are reckoned anew, of the sum of a rate's amounts, as EN 16931
wants it; where many small taxes that were rounded one by one come to something else, the difference is told as rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.cdrs.reckoning import net_lines
from ohmstead.billing.invoices.model import (
    Buyer,
    DocumentContent,
    DocumentLine,
    DocumentPart,
    DocumentTax,
    DocumentTotals,
    PaymentNote,
    Seller,
    Signatures,
    TaxCategory,
    Treatment,
)
from ohmstead.billing.invoices.taxation import NOT_TAXED, REVERSE_CHARGE, category_of, plain, taxes_of
from ohmstead.billing.ledger import entries
from ohmstead.billing.ledger.entries import Posting
from ohmstead.core.money import minor_units
from ohmstead.tariffs.pricing.cost import CostLine, CostTax

# EN 16931 knows amounts of two decimals (BR-DEC).
MOST_DECIMALS = 2
# The word on an RFID card is as good as a key to whoever copies it: only its end is told.
_TOLD = 4
_SECRET_TYPES = frozenset({"ISO14443", "ISO15693", "KeyCode", "MacAddress"})


class Measured(Struct, frozen=True, kw_only=True):
    """What a document tells of a session beside its CDR."""

    register_start_wh: Decimal | None = None
    register_end_wh: Decimal | None = None
    voltage_v: Decimal | None = None
    signatures: Signatures | None = None


NOTHING_MEASURED = Measured()


class Booked(Struct, frozen=True, kw_only=True):
    """A tax as it is in the books by something that a document is about; negative of a credit."""

    country: str
    name: str
    percentage: Decimal
    base: Decimal
    amount: Decimal


class Charged(Struct, frozen=True, kw_only=True):
    """What a document is about beside sessions: a line, and its taxes in the books."""

    line: DocumentLine
    booked: list[Booked]


def booked_of(cdrs: Sequence[Cdr]) -> list[Booked]:
    """The taxes of CDRs in the books."""
    return [
        Booked(
            country=cdr.place.country,
            name=tax.name,
            percentage=plain(tax.percentage),
            base=-tax.base if cdr.kind == "credit" else tax.base,
            amount=-tax.amount if cdr.kind == "credit" else tax.amount,
        )
        for cdr in cdrs
        for tax in cdr.cost.taxes
    ]


def fee_line(text: str, before_taxes: Decimal, taxes: Sequence[CostTax], country: str, treatment: Treatment) -> Charged:
    """A fee that is no session's, as a plan's of a month."""
    is_due = treatment == "standard"
    percentages = [tax.percentage for tax in taxes]
    part = DocumentPart(
        kind="FEE",
        amount=before_taxes,
        category=category_of(percentages, treatment),
        tax_name=" + ".join(tax.name for tax in taxes) if is_due else "",
        percentage=plain(sum(percentages, Decimal(0))) if is_due else Decimal(0),
    )
    total = before_taxes + sum((tax.amount for tax in taxes), Decimal(0)) if is_due else before_taxes
    booked = [
        Booked(country=country, name=tax.name, percentage=plain(tax.percentage), base=tax.base, amount=tax.amount)
        for tax in taxes
    ]
    line = DocumentLine(kind="fee", before_taxes=before_taxes, total=total, parts=[part], text=text)
    return Charged(line=line, booked=booked)


def line_of(cdr: Cdr, measured: Measured, treatment: Treatment) -> DocumentLine:
    """A session as a line. Of a credit the amounts are positive: the document says that they are given back."""
    cost = cdr.cost
    parts = [
        _part(line, net, treatment) for line, net in zip(cost.lines, net_lines(cost), strict=True) if line.amount or net
    ]
    return DocumentLine(
        kind="session",
        before_taxes=cost.before_taxes,
        total=cost.before_taxes if treatment == "reverse_charge" else cost.total,
        parts=parts,
        cdr_id=cdr.cdr_id,
        session_id=cdr.session_id,
        place=cdr.place,
        token=told_token(cdr),
        started_at=cdr.started_at,
        ended_at=cdr.ended_at,
        energy_wh=cdr.energy_wh,
        register_start_wh=measured.register_start_wh,
        register_end_wh=measured.register_end_wh,
        peak_power_w=cdr.peak_power_w,
        voltage_v=measured.voltage_v,
        charging_s=cdr.charging_s,
        idle_s=cdr.idle_s,
        signatures=measured.signatures,
        includes_taxes=cost.includes_taxes,
    )


def told_token(cdr: Cdr) -> str:
    """What a session was charged with, as it may stand on paper."""
    if cdr.token.contract_id:
        return cdr.token.contract_id
    uid = cdr.token.uid or ""
    return f"…{uid[-_TOLD:]}" if uid and cdr.token.type in _SECRET_TYPES else uid


def _part(line: CostLine, net: Decimal, treatment: Treatment) -> DocumentPart:
    taxes = line.taxes
    is_due = treatment == "standard"
    return DocumentPart(
        kind=line.kind,
        amount=net,
        category=category_of([tax.percentage for tax in taxes], treatment),
        tax_name=" + ".join(tax.name for tax in taxes) if is_due else "",
        percentage=plain(sum((tax.percentage for tax in taxes), Decimal(0))) if is_due else Decimal(0),
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        price_per=line.price_per,
        listed=line.amount,
        rule=line.rule if line.kind == "ADJUSTMENT" else "",
    )


def content_for(
    seller: Seller,
    buyer: Buyer,
    cdrs: Sequence[Cdr],
    measured: Mapping[UUID, Measured],
    *,
    currency: str,
    treatment: Treatment = "standard",
    time_zone: str = "UTC",
    more: Sequence[Charged] = (),
    country: str | None = None,
    payments: Sequence[PaymentNote] = (),
    corrects: tuple[str, date] | None = None,
    reason: str = "",
) -> DocumentContent:
    """What a document about CDRs of one customer, one currency and one country of charging says.

    All are charges, or all are credits. `more`: lines that are no sessions, as monthly fees.
    """
    found = sorted(cdrs, key=lambda cdr: (cdr.started_at, cdr.cdr_id))
    lines = [line_of(cdr, measured.get(cdr.session_id, NOTHING_MEASURED), treatment) for cdr in found]
    lines += [one.line for one in more]
    has_vat = minor_units(currency) <= MOST_DECIMALS and (
        all(len(one.taxes) < 2 for cdr in found for one in cdr.cost.lines) and all(len(one.booked) < 2 for one in more)
    )
    payable = sum((line.total for line in lines), Decimal(0))
    reasons = reasons_of(seller)
    if has_vat:
        taxes = taxes_of([part for line in lines for part in line.parts], currency, reasons)
    else:
        told = [*booked_of(found), *(tax for one in more for tax in one.booked)]
        taxes = _booked_taxes(told, treatment, reasons)
    return DocumentContent(
        seller=seller,
        buyer=buyer,
        lines=lines,
        taxes=taxes,
        totals=totals_of(lines, taxes, payable, payments),
        tax_country=country or (found[0].place.country if found else seller.address.country),
        time_zone=time_zone,
        treatment=treatment,
        has_vat=has_vat,
        payments=list(payments),
        corrects=corrects[0] if corrects else "",
        corrects_on=corrects[1] if corrects else None,
        reason=reason,
    )


def reasons_of(seller: Seller) -> dict[TaxCategory, str]:
    """Why nothing is due, by category."""
    return {"AE": REVERSE_CHARGE, "E": seller.no_tax_reason or NOT_TAXED}


def totals_of(
    lines: Sequence[DocumentLine], taxes: Sequence[DocumentTax], payable: Decimal, payments: Sequence[PaymentNote]
) -> DocumentTotals:
    """What it comes to: exactly `payable`."""
    before_taxes = sum((line.before_taxes for line in lines), Decimal(0))
    tax = sum((one.amount for one in taxes), Decimal(0))
    paid = min(sum((one.amount for one in payments), Decimal(0)), payable)
    return DocumentTotals(
        before_taxes=before_taxes,
        tax=tax,
        total=before_taxes + tax,
        rounding=payable - before_taxes - tax,
        payable=payable,
        paid=paid,
        open=payable - paid,
    )


def _booked_taxes(
    booked: Sequence[Booked], treatment: Treatment, reasons: Mapping[TaxCategory, str]
) -> list[DocumentTax]:
    """Where several taxes lie on one price: the sums of what is in the books. A document about credits tells them positive."""
    sums: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
    for one in booked:
        base, amount = sums.get((one.name, one.percentage), (Decimal(0), Decimal(0)))
        sums[one.name, one.percentage] = (base + one.base, amount + one.amount)
    is_due = treatment == "standard"
    return [
        DocumentTax(
            name=name,
            category=category_of([percentage], treatment),
            percentage=percentage if is_due else Decimal(0),
            base=abs(base),
            amount=abs(amount) if is_due else Decimal(0),
            reason="" if is_due else reasons["AE"],
        )
        for (name, percentage), (base, amount) in sorted(sums.items(), key=lambda one: (-one[0][1], one[0][0]))
    ]


def corrections(
    content: DocumentContent, booked: Sequence[Booked], currency: str, *, is_credit: bool = False
) -> tuple[Posting, ...]:
    """What the books need so that they say the same as the document; mostly nothing.

    What it is about is in the books with its own taxes. Where the document has others, by rounding of the sum, the difference
    goes to `rounding`; where the buyer owes the taxes, they are taken back from what the customer owes.
    """
    sums: dict[entries.Account, Decimal] = {}
    accounts: dict[Decimal, entries.Account] = {}
    for one in booked:
        account = entries.tax(one.country, one.name, one.percentage, currency)
        sums[account] = sums.get(account, Decimal(0)) + one.amount
        accounts.setdefault(one.percentage, account)
    if content.treatment == "reverse_charge":
        postings = [Posting(account, amount) for account, amount in sums.items()]
        owed = -sum(sums.values(), Decimal(0))
        return entries.gathered([*postings, Posting(entries.receivable(content.buyer.customer, currency), owed)])
    if not content.has_vat:
        return ()
    sign = -1 if is_credit else 1
    told = {plain(tax.percentage): sign * tax.amount for tax in content.taxes}
    by_rate: dict[Decimal, Decimal] = {}
    for one in booked:
        by_rate[one.percentage] = by_rate.get(one.percentage, Decimal(0)) + one.amount
    postings = [Posting(accounts[rate], amount - told.get(rate, Decimal(0))) for rate, amount in by_rate.items()]
    left = -sum((posting.amount for posting in postings), Decimal(0))
    return entries.gathered([*postings, Posting(entries.rounding(currency), left)])
