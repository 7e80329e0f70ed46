"""What a document to be is put together from: CDRs, fees, meters, payments, seller and buyer. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.invoices import store
from ohmstead.billing.invoices.buyers import Known
from ohmstead.billing.invoices.drafting import Booked, Measured, booked_of, content_for, fee_line
from ohmstead.billing.invoices.model import Draft, PaymentNote, Seller
from ohmstead.billing.invoices.paper import words
from ohmstead.billing.invoices.taxation import treatment_of
from ohmstead.billing.ledger import service as ledger
from ohmstead.core.db import Connection, Row
from ohmstead.core.language import _, speaking
from ohmstead.tariffs.pricing.cost import CostTax


class Composed(Struct, frozen=True, kw_only=True):
    """A draft, and the taxes of what it is about as they are in the books."""

    draft: Draft
    booked: list[Booked]


async def compose(
    conn: Connection,
    party_id: UUID,
    kind: Literal["receipt", "invoice"],
    seller: Seller,
    known: Known,
    currency: str,
    country: str,
    found: Sequence[Cdr],
    fees: Sequence[Row] = (),
) -> Composed:
    """A receipt or an invoice to be: of one customer, in one currency, about one country of charging."""
    treatment = treatment_of(seller, known.buyer, country, known.details.reverse_charge)
    zone = await ledger.zone_of(conn, party_id)
    with speaking(known.buyer.language):
        more = [fee_line(_fee_text(fee), fee["before_taxes"], _taxes_of(fee), country, treatment) for fee in fees]
    days = [ledger.day_of(at, zone) for cdr in found for at in (cdr.started_at, cdr.ended_at)]
    days += [day for fee in fees for day in (fee["from_on"], fee["until_on"] - timedelta(days=1))]
    paid = await payments_of(conn, party_id, found, fees)
    content = content_for(
        seller,
        known.buyer,
        found,
        await measured_of(conn, party_id, found, with_voltage=kind == "receipt"),
        currency=currency,
        treatment=treatment,
        time_zone=zone,
        more=more,
        country=country,
        payments=_at_most(paid, found[0].total) if kind == "receipt" else paid,
    )
    draft = Draft(
        kind=kind,
        customer=known.buyer.customer,
        currency=currency,
        content=content,
        from_on=min(days),
        to_on=max(days),
        session_id=found[0].session_id if kind == "receipt" else None,
        due_days=None if kind == "receipt" else _due_days(known, seller),
        cdr_ids=[cdr.cdr_id for cdr in found],
        fee_ids=[fee["plan_charge_id"] for fee in fees],
    )
    return Composed(draft=draft, booked=[*booked_of(found), *(tax for one in more for tax in one.booked)])


def _at_most(notes: Sequence[PaymentNote], total: Decimal) -> list[PaymentNote]:
    """What was paid too much is on its way back, and pays nothing."""
    kept, left = [], total
    for note in notes:
        if left > 0:
            kept.append(replace(note, amount=min(note.amount, left)))
            left -= note.amount
    return kept


def _due_days(known: Known, seller: Seller) -> int:
    return seller.payment_days if known.payment_days is None else known.payment_days


def _fee_text(fee: Row) -> str:
    last_on: date = fee["until_on"] - timedelta(days=1)
    return _(
        "%(plan)s, %(first)s – %(last)s",
        plan=fee["plan_name"],
        first=words.day(fee["from_on"]),
        last=words.day(last_on),
    )


def _taxes_of(fee: Row) -> list[CostTax]:
    return msgspec.convert(fee["taxes"], list[CostTax])


async def measured_of(
    conn: Connection, party_id: UUID, found: Sequence[Cdr], *, with_voltage: bool = False
) -> dict[UUID, Measured]:
    """What meters showed, and how signatures were judged, by session."""
    session_ids = [cdr.session_id for cdr in found]
    measured = await store.find_measured(conn, party_id, session_ids)
    if with_voltage:
        for session_id in session_ids:
            volts = await store.find_voltage(conn, party_id, session_id)
            if volts is not None:
                measured[session_id] = replace(measured.get(session_id, Measured()), voltage_v=volts)
    return measured


async def payments_of(
    conn: Connection, party_id: UUID, found: Sequence[Cdr], fees: Sequence[Row] = ()
) -> list[PaymentNote]:
    """What was paid for CDRs and fees by now, together where it was paid in the same way."""
    refs = [cdr.cdr_id for cdr in found] + [fee["plan_charge_id"] for fee in fees]
    wallet = sum((await store.list_wallet_paid(conn, party_id, refs)).values(), Decimal(0))
    notes = [PaymentNote(amount=wallet, kind="wallet")] if wallet > 0 else []
    sums: dict[tuple[str, str, str], Decimal] = {}
    for row in await store.list_paid(conn, party_id, [cdr.session_id for cdr in found]):
        how = (row["kind"], row["brand"], row["last4"])
        sums[how] = sums.get(how, Decimal(0)) + row["kept"]
    notes += [
        PaymentNote(amount=kept, kind=kind, brand=brand, last4=last4)
        for (kind, brand, last4), kept in sorted(sums.items())
        if kept > 0
    ]
    notes += [
        PaymentNote(
            amount=row["kept"], kind=row["kind"], brand=row["brand"], last4=row["last4"], payment_id=row["payment_id"]
        )
        for row in await store.list_fees_paid(conn, party_id, [fee["plan_charge_id"] for fee in fees])
        if row["kept"] > 0
    ]
    return notes


def by_country(found: Sequence[Cdr], fees: Sequence[Row]) -> Mapping[str, tuple[list[Cdr], list[Row]]]:
    """What belongs on one document each: whose taxes are due decides."""
    groups: dict[str, tuple[list[Cdr], list[Row]]] = {}
    for cdr in found:
        groups.setdefault(cdr.place.country, ([], []))[0].append(cdr)
    for fee in fees:
        groups.setdefault(fee["country"], ([], []))[1].append(fee)
    return dict(sorted(groups.items()))
