"""A draft becomes a document: it gets its number, its place in the books, and its fact. The edge opens the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from ohmstead.billing.invoices import store
from ohmstead.billing.invoices.drafting import Booked, corrections
from ohmstead.billing.invoices.model import Draft, Invoice
from ohmstead.billing.invoices.numbering import FORMATS, format_of
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, Posting
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id


async def issue(
    conn: Connection,
    party_id: UUID,
    by: str,
    key: str,
    draft: Draft,
    booked: Sequence[Booked] = (),
    *,
    postings: Sequence[Posting] = (),
    run_id: UUID | None = None,
) -> Invoice:
    """Issue a document; one whose key is there already stays as it is. The caller holds the end of the party's ledger.

    `booked`: the taxes of what it is about, as they are in the books; `postings`: what it puts there beside corrections of
    these.
    """
    known = await store.find_by_keys(conn, party_id, [key])
    if key in known:
        return known[key]
    now = clock.now()
    time_zone = await ledger.hold(conn, party_id)
    issued_on = ledger.day_of(now, time_zone)
    form = format_of((await store.list_formats(conn, party_id)).get(draft.kind, FORMATS[draft.kind]))
    year = form.year_of(issued_on)
    n = await store.next_number(conn, party_id, draft.kind, year)
    made = Invoice(
        invoice_id=new_id(),
        party_id=party_id,
        number=form.number(issued_on, n),
        kind=draft.kind,
        customer=draft.customer,
        currency=draft.currency,
        issued_on=issued_on,
        due_on=issued_on + timedelta(days=draft.due_days) if draft.due_days is not None else None,
        from_on=draft.from_on,
        to_on=draft.to_on,
        total=draft.total,
        session_id=draft.session_id,
        corrects_id=draft.corrects_id,
        host_id=draft.host_id,
        run_id=run_id,
        content=draft.content,
        created_at=now,
        created_by=by,
    )
    await store.insert_invoice(conn, made, year=year, n=n, key=key)
    if draft.kind == "self_billing":
        await store.link_host_cdrs(conn, party_id, made.invoice_id, draft.cdr_ids)
    elif draft.kind != "statement":
        await store.link_cdrs(conn, party_id, made.invoice_id, draft.cdr_ids)
        await store.link_fees(conn, party_id, made.invoice_id, draft.fee_ids)
    is_credit = draft.kind == "credit_note"
    moved = (*postings, *corrections(draft.content, booked, draft.currency, is_credit=is_credit))
    if moved:
        entry = Entry(
            key=f"invoice:{made.invoice_id}",
            kind="invoice",
            text=f"Document {made.number}",
            wanted_on=issued_on,
            postings=moved,
        )
        await ledger.post_all(conn, party_id, by, [entry])
    await record(conn, [_fact(made)])
    return made


def _fact(made: Invoice) -> Event:
    payload = {
        "invoice_id": str(made.invoice_id),
        "number": made.number,
        "kind": made.kind,
        "customer": made.customer,
        "total": format(made.total, "f"),
        "currency": made.currency,
        "session_id": str(made.session_id) if made.session_id else None,
        "by": made.created_by,
    }
    return Event("InvoiceIssued", f"invoice/{made.invoice_id}", payload, party_id=made.party_id)
