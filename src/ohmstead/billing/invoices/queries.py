"""Documents as programs and people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.invoices.model import DocumentKind, Invoice, InvoiceRow, InvoiceStanding, PaidState
from ohmstead.billing.invoices.store import INVOICE, invoice_of
from ohmstead.billing.ledger import service as ledger
from ohmstead.core import clock
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound


class InvoiceFilter(Struct, frozen=True, kw_only=True):
    """Which documents; what is None matches all. `since` ≤ issued < `until`."""

    kind: DocumentKind | None = None
    customer: str | None = None
    session: UUID | None = None
    cdr: UUID | None = None
    run: UUID | None = None
    number: str | None = None
    currency: str | None = None
    since: date | None = None
    until: date | None = None
    is_open: bool | None = None
    state: PaidState | None = None


# What a document comes to, less what was paid before and after it was issued and what credit notes took back, and with what
# was given back by these; below nothing where more was paid than is due.
LEFT_OF = """(i.total - i.paid
    + coalesce((select sum(n.total) from invoice n where n.corrects_id = i.invoice_id), 0)
    - coalesce((select sum(p.amount) from invoice_payment p where p.invoice_id = i.invoice_id), 0)
    + coalesce((select sum(p.amount) from invoice n join invoice_payment p using (invoice_id)
                where n.corrects_id = i.invoice_id), 0))"""
# What is open of an invoice, or of what a host gets, and how it stands on a day ({today}).
_OPEN = f"(case when i.kind in ('invoice', 'self_billing') then greatest({LEFT_OF}, 0) end)"
_STATE = """(case when i.kind not in ('invoice', 'self_billing') then null
    when {open} = 0 then case when i.paid > 0 or i.total <= 0 or exists (
        select from invoice_payment p where p.invoice_id = i.invoice_id) then 'paid' else 'credited' end
    when i.due_on < {today} then 'overdue'
    when {open} < i.total + coalesce((select sum(n.total) from invoice n where n.corrects_id = i.invoice_id), 0)
        then 'partly_paid'
    else 'open' end)"""
_ROW = """
select i.invoice_id, i.party_id, i.number, i.kind, i.customer, i.buyer_name, i.currency, i.issued_on, i.due_on, i.from_on,
       i.to_on, i.before_taxes, i.total, i.paid, i.n_lines, i.session_id, i.corrects_id,
       (select n.invoice_id from invoice n where n.corrects_id = i.invoice_id order by n.created_at desc limit 1)
       as corrected_by, {state} as state, {open} as open, i.run_id, i.created_at, i.created_by
from invoice i
"""


# whole party: a document is about all that its customer charged; the API lets nobody in who sees some locations only
async def list_invoices(
    conn: Connection,
    party_id: UUID,
    wanted: InvoiceFilter,
    *,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[InvoiceRow]:
    """Newest first; `before` is (created_at, id) of the last one of the page before."""
    where = Conditions()
    where.add("i.party_id = {}", party_id)
    today = where.parameter(ledger.day_of(clock.now(), await ledger.zone_of(conn, party_id)))
    state = _STATE.format(open=_OPEN, today=today)
    where.add_given("i.kind = {}", wanted.kind)
    where.add_given("i.customer = {}", wanted.customer)
    where.add_given("i.run_id = {}", wanted.run)
    where.add_given("i.number = {}", wanted.number)
    where.add_given("i.currency = {}", wanted.currency)
    where.add_given("i.issued_on >= {}", wanted.since)
    where.add_given("i.issued_on < {}", wanted.until)
    where.add_given(
        "i.invoice_id in (select d.invoice_id from invoice_cdr d join cdr c using (cdr_id) where c.session_id = {})",
        wanted.session,
    )
    where.add_given("i.invoice_id in (select invoice_id from invoice_cdr where cdr_id = {})", wanted.cdr)
    # What others owe; what we owe hosts is another matter, and asked for by its kind.
    is_meant = f"i.kind = '{'self_billing' if wanted.kind == 'self_billing' else 'invoice'}'"
    where.add_given(f"coalesce({is_meant} and {_OPEN} > 0, false) = {{}}", wanted.is_open)
    where.add_given(f"case when {is_meant} then {state} end = {{}}", wanted.state)
    if before:
        where.add("(i.created_at, i.invoice_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_ROW.format(state=state, open=_OPEN)} where {where.sql} order by i.created_at desc, i.invoice_id desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [InvoiceRow(**row) for row in rows]


async def get_invoice(conn: Connection, party_id: UUID, invoice_id: UUID) -> Invoice:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{INVOICE} where i.party_id = $1 and i.invoice_id = $2", party_id, invoice_id)
    if row is None:
        raise NotFound(f"no document {invoice_id}")
    return invoice_of(row)


# any party: the seal of a link says that this document may be read
async def get_by_link(conn: Connection, invoice_id: UUID) -> Invoice:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{INVOICE} where i.invoice_id = $1", invoice_id)
    if row is None:
        raise NotFound("this link leads to nothing")
    return invoice_of(row)


async def find_receipt(conn: Connection, party_id: UUID, session_id: UUID) -> Invoice | None:
    """The latest document on which a session's charge stands; None while there is none."""
    row = await conn.fetchrow(
        f"{INVOICE} join invoice_cdr d using (invoice_id) join cdr c on c.cdr_id = d.cdr_id"
        " where i.party_id = $1 and c.session_id = $2 and c.kind = 'charge' order by i.created_at desc limit 1",
        party_id,
        session_id,
    )
    return invoice_of(row) if row is not None else None


async def find_credit_note(conn: Connection, party_id: UUID, session_id: UUID) -> Invoice | None:
    """The latest credit note for a receipt of a session; None while there is none."""
    row = await conn.fetchrow(
        f"{INVOICE} where i.party_id = $1 and i.session_id = $2 and i.kind = 'credit_note' order by i.created_at desc limit 1",
        party_id,
        session_id,
    )
    return invoice_of(row) if row is not None else None


async def get_standing(conn: Connection, party_id: UUID, invoice_id: UUID) -> InvoiceStanding:
    """How a document stands today. Raises NotFound."""
    today = ledger.day_of(clock.now(), await ledger.zone_of(conn, party_id))
    row = await conn.fetchrow(
        f"select i.invoice_id, {_STATE.format(open=_OPEN, today='$3')} as state, i.currency, i.total,"
        " coalesce((select sum(n.total) from invoice n where n.corrects_id = i.invoice_id), 0) as credited, i.paid,"
        " coalesce((select sum(p.amount) from invoice_payment p where p.invoice_id = i.invoice_id), 0) as received,"
        " coalesce((select sum(p.amount) from invoice n join invoice_payment p using (invoice_id)"
        "  where n.corrects_id = i.invoice_id), 0) as given_back,"
        f" {_OPEN} as open, i.due_on from invoice i where i.party_id = $1 and i.invoice_id = $2",
        party_id,
        invoice_id,
        today,
    )
    if row is None:
        raise NotFound(f"no document {invoice_id}")
    return InvoiceStanding(**dict(row))


async def list_numbers(conn: Connection, party_id: UUID, invoice_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Numbers of documents."""
    rows = await conn.fetch(
        "select invoice_id, number from invoice where party_id = $1 and invoice_id = any ($2)",
        party_id,
        list(invoice_ids),
    )
    return {row["invoice_id"]: row["number"] for row in rows}
