"""What was paid of which document: by bank, or through a provider. The caller holds the end of the party's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from ohmstead.billing.incoming import store
from ohmstead.billing.incoming.model import OpenInvoice
from ohmstead.billing.incoming.store import NewRow
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.payments import applying, orders
from ohmstead.billing.payments.model import Kept
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id

SYSTEM: Final = "system"
KINDS: Final = ("PaymentCaptured", "PaymentRefunded", "PaymentDisputed", "DebtSettled")
ZERO: Final = Decimal(0)


async def note_rows(
    conn: Connection,
    party_id: UUID,
    currency: str,
    paid_on: date,
    rows: Sequence[NewRow],
    by: str,
    *,
    is_out: bool = False,
) -> None:
    """Documents are paid, or not any more; invoices of which nothing is open by it are told as `InvoicePaid`.

    `is_out`: they are what we owed, and paid.
    """
    if is_out:
        await store.insert_rows(conn, party_id, currency, paid_on, [(new_id(), row) for row in rows], clock.now(), by)
        return
    if not rows:
        return
    ids = [row.invoice_id for row in rows]
    before = {one.invoice_id: one for one in await store.list_open(conn, party_id, invoice_ids=ids)}
    await store.insert_rows(conn, party_id, currency, paid_on, [(new_id(), row) for row in rows], clock.now(), by)
    after = await store.list_open(conn, party_id, invoice_ids=ids)
    await record(
        conn, [_fact(party_id, one, paid_on, by) for one in after if not one.open and before[one.invoice_id].open]
    )


def _fact(party_id: UUID, one: OpenInvoice, paid_on: date, by: str) -> Event:
    payload = {
        "invoice_id": str(one.invoice_id),
        "number": one.number,
        "customer": one.customer,
        "currency": one.currency,
        "paid_on": paid_on.isoformat(),
        "by": by,
    }
    return Event("InvoicePaid", f"invoice/{one.invoice_id}", payload, party_id=party_id)


# -------------------------------------------------------------------------------------------- payments through providers


async def notice_payments(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `PaymentCaptured`, `PaymentRefunded`, `PaymentDisputed` and `DebtSettled`. May be told twice."""
    for event in found:
        if event.party_id is None:
            continue
        if event.kind == "DebtSettled":
            if event.payload.get("how") == "paid":
                await _note_debt(conn, event.party_id, UUID(event.payload["debt_id"]))
        elif event.payload.get("purpose") == "debt":
            if event.kind == "PaymentRefunded":
                await _note_returned(conn, event.party_id, UUID(event.payload["payment_id"]))
        elif event.payload.get("purpose") in ("invoice", "plan_fee"):
            await align(conn, event.party_id, UUID(event.payload["payment_id"]))


async def align(conn: Connection, party_id: UUID, payment_id: UUID) -> None:
    """The document of a payment says what we have of it. What is more than was open when it came is given back."""
    invoice_id = await store.find_invoice_of(conn, party_id, payment_id)
    if invoice_id is None:
        return
    # In this order, as whatever captures does.
    kept = await applying.locked(conn, party_id, payment_id)
    zone = await ledger.hold(conn, party_id)
    payment = kept.payment
    noted = await store.find_noted(conn, party_id, invoice_id, payment_id)
    recorded, n = await store.sum_recorded(conn, party_id, payment_id)
    left = payment.kept - (await _asked_back(conn, kept)) - noted - recorded
    part = left
    if left > 0:
        (invoice,) = await store.list_open(conn, party_id, invoice_ids=[invoice_id])
        part = min(invoice.open, left)
    else:
        part = max(left, -recorded)
    if part:
        row = NewRow(invoice_id=invoice_id, key=f"payment:{payment_id}:{n + 1}", amount=part, payment_id=payment_id)
        paid_on = ledger.day_of(clock.now(), zone)
        await note_rows(conn, party_id, payment.currency, paid_on, [row], SYSTEM)
    if left > part and payment.purpose == "invoice":
        # Two people paid it, or it was paid by bank meanwhile: what nobody owes is given back.
        await orders.ask(conn, payment, "refund", left - part, reason="nothing was open any more")


async def _asked_back(conn: Connection, kept: Kept) -> Decimal:
    return (await applying.standing_of(conn, kept)).asked_back


async def _note_debt(conn: Connection, party_id: UUID, debt_id: UUID) -> None:
    """What a card should have paid stood on an invoice meanwhile, and was paid as a debt."""
    zone = await ledger.hold(conn, party_id)
    debt = await store.find_paid_debt(conn, party_id, debt_id)
    if debt is None or debt["is_recorded"]:
        return
    found = await store.list_open(conn, party_id, invoice_ids=[debt["invoice_id"]])
    if not found:
        raise NotFound(f"no document {debt['invoice_id']}")
    part = min(found[0].open, debt["amount"])
    if part > 0 and found[0].currency == debt["currency"]:
        row = NewRow(invoice_id=debt["invoice_id"], key=f"debt:{debt_id}", amount=part, payment_id=debt["settled_by"])
        await note_rows(conn, party_id, debt["currency"], ledger.day_of(clock.now(), zone), [row], SYSTEM)


async def _note_returned(conn: Connection, party_id: UUID, payment_id: UUID) -> None:
    """What stood on an invoice, and was paid as a debt, came to less, and went back: the invoice says so."""
    zone = await ledger.hold(conn, party_id)
    for debt in await store.list_returned_debts(conn, party_id, payment_id):
        less = debt["recorded"] - debt["left"]
        if less > 0:
            key = f"debt:{debt['debt_id']}:{debt['n'] + 1}"
            row = NewRow(invoice_id=debt["invoice_id"], key=key, amount=-less, payment_id=payment_id)
            await note_rows(conn, party_id, debt["currency"], ledger.day_of(clock.now(), zone), [row], SYSTEM)
