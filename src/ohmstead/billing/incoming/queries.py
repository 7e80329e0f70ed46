"""Money that came in or went out as programs and people read it, and how documents stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.billing.incoming.model import BankBooking, BankLine, InvoicePayment, LineState, Reminder, Share
from ohmstead.billing.incoming.store import LINE
from ohmstead.billing.invoices.queries import LEFT_OF
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound


class LineFilter(Struct, frozen=True, kw_only=True):
    """Which lines; what is None matches all. `since` ≤ booked by the bank < `until`."""

    state: LineState | None = None
    currency: str | None = None
    words: str | None = None
    since: date | None = None
    until: date | None = None


# whole party: money at the bank is of no location
async def list_lines(
    conn: Connection,
    party_id: UUID,
    wanted: LineFilter,
    *,
    before: tuple[date, UUID] | None = None,
    limit: int = 100,
) -> list[BankLine]:
    """The latest day first; `before` is (booked_on, id) of the last one of the page before."""
    where = Conditions()
    where.add("l.party_id = {}", party_id)
    where.add_given("l.state = {}", wanted.state)
    where.add_given("l.currency = {}", wanted.currency)
    where.add_given("l.booked_on >= {}", wanted.since)
    where.add_given("l.booked_on < {}", wanted.until)
    where.add_given("position(lower({}) in lower(l.payer || ' ' || l.text || ' ' || l.bank_ref)) > 0", wanted.words)
    if before:
        where.add("(l.booked_on, l.line_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{LINE} where {where.sql} order by l.booked_on desc, l.line_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [BankLine(**dict(row)) for row in rows]


async def get_line(conn: Connection, party_id: UUID, line_id: UUID) -> BankLine:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{LINE} where l.party_id = $1 and l.line_id = $2", party_id, line_id)
    if row is None:
        raise NotFound(f"no bank line {line_id}")
    return BankLine(**dict(row))


async def count_open(conn: Connection, party_id: UUID) -> int:
    """Lines that nobody has booked or set aside."""
    n: int = await conn.fetchval("select count(*) from bank_line where party_id = $1 and state = 'open'", party_id)
    return n


async def list_bookings(conn: Connection, party_id: UUID, line_ids: Sequence[UUID]) -> dict[UUID, list[BankBooking]]:
    """By line, newest first."""
    rows = await conn.fetch(
        "select b.booking_id, b.line_id, b.postings, b.created_at, b.created_by, b.reversed_at, b.reversed_by, b.why,"
        " (select jsonb_agg(jsonb_build_object('invoice_id', p.invoice_id, 'amount', p.amount::text) order by p.key)"
        "  from invoice_payment p where p.booking_id = b.booking_id and p.amount > 0) as shares"
        " from bank_booking b where b.party_id = $1 and b.line_id = any ($2) order by b.booking_id desc",
        party_id,
        list(line_ids),
    )
    found: dict[UUID, list[BankBooking]] = {}
    for row in rows:
        fields = dict(row)
        customers = {customer: Decimal(amount) for customer, amount in fields.pop("postings").items()}
        shares = msgspec.convert(fields.pop("shares") or [], list[Share])
        found.setdefault(row["line_id"], []).append(BankBooking(customers=customers, shares=shares, **fields))
    return found


async def list_payments_of(conn: Connection, party_id: UUID, invoice_id: UUID) -> list[InvoicePayment]:
    """What paid a document after it was issued, and what was taken back, in that order."""
    rows = await conn.fetch(
        "select p.invoice_id, p.amount, p.currency, p.paid_on, b.line_id, p.payment_id, p.created_at, p.created_by"
        " from invoice_payment p left join bank_booking b using (booking_id) where p.party_id = $1 and p.invoice_id = $2"
        " order by p.created_at, p.invoice_payment_id",
        party_id,
        invoice_id,
    )
    return [InvoicePayment(**dict(row)) for row in rows]


async def list_reminders_of(conn: Connection, party_id: UUID, invoice_id: UUID) -> list[Reminder]:
    """Which reminders of an invoice were sent, the first first."""
    rows = await conn.fetch(
        "select stage, is_final, open, sent_at from invoice_reminder where party_id = $1 and invoice_id = $2 order by stage",
        party_id,
        invoice_id,
    )
    return [Reminder(**dict(row)) for row in rows]


# What is wrong between lines, bookings, documents and books, each as a query whose rows are faults.
_FAULTS = {
    "bank_line": """
        select 'bank line ' || l.line_id || ' is ' || l.state || ', and has ' || count(b.booking_id) || ' bookings' as text
        from bank_line l left join bank_booking b on b.line_id = l.line_id and b.reversed_at is null
        where l.party_id = $1 group by l.line_id, l.state
        having (l.state = 'booked') <> (count(b.booking_id) = 1) order by l.line_id""",
    "bank_booking": """
        select 'bank booking ' || b.booking_id || ' of ' || l.amount || ' ' || l.currency || ' has '
               || coalesce(x.minor, 0) || ' minor units in the books' as text
        from bank_booking b join bank_line l using (line_id) left join (
            select split_part(e.idempotency_key, ':', 2) as booking, sum(p.amount_minor) as minor
            from ledger_entry e join ledger_posting p using (entry_id)
            join ledger_account a on a.account_id = p.account_id and a.kind = 'bank'
            where e.party_id = $1 and e.kind in {kinds}
            group by 1) x
        on x.booking = b.booking_id::text
        where b.party_id = $1
          and (case when b.reversed_at is null then l.amount else 0 end) * {scale} <> coalesce(x.minor, 0)
        order by b.booking_id""",
    "bank_entry": """
        select 'entry ' || e.number || ' is of a bank booking that there is not' as text from ledger_entry e
        where e.party_id = $1 and e.kind in {kinds}
          and not exists (
            select from bank_booking b where b.party_id = $1
            and b.booking_id::text = split_part(e.idempotency_key, ':', 2)) order by e.number""",
    "invoice_payment": """
        select 'bank booking ' || b.booking_id || ' pays ' || sum(p.amount) || ' of documents, and is ' || case
               when b.reversed_at is null then 'of ' || l.amount else 'reversed' end as text
        from bank_booking b join bank_line l using (line_id) join invoice_payment p using (booking_id)
        where b.party_id = $1 group by b.booking_id, l.amount, b.reversed_at
        having sum(p.amount) > abs(l.amount) or sum(p.amount) < 0 or (b.reversed_at is not null and sum(p.amount) <> 0)
        order by b.booking_id""",
    "invoice_paid": """
        select 'document ' || i.number || ' was paid ' || sum(p.amount) || ', less than nothing' as text
        from invoice i join invoice_payment p using (invoice_id) where i.party_id = $1
        group by i.invoice_id, i.number, i.paid having sum(p.amount) + i.paid < 0 order by i.number""",
    "invoice_rest": f"""
        select 'document ' || i.number || ' has ' || {LEFT_OF} || ' left, and ' || coalesce(r.amount::text, 'nothing')
               || ' is kept of it' as text
        from invoice i left join invoice_rest r using (invoice_id)
        where i.party_id = $1 and i.kind in ('invoice', 'self_billing') and r.amount is distinct from {LEFT_OF}
        order by i.number""",
    "bank_side": """
        select 'bank line ' || l.line_id || ' of ' || l.amount || ' pays document ' || i.number || ', which is no money that '
               || case when l.amount > 0 then 'comes in' else 'goes out' end as text
        from invoice_payment p join bank_booking b using (booking_id) join bank_line l using (line_id)
        join invoice i using (invoice_id)
        where p.party_id = $1 and (l.amount > 0) <> (i.kind = 'invoice') group by l.line_id, l.amount, i.number
        order by l.line_id""",
    "paid_out": """
        select 'document ' || i.number || ' of ' || i.total || ' was paid out with ' || sum(p.amount) as text
        from invoice i join invoice_payment p using (invoice_id)
        where i.party_id = $1 and i.kind in ('self_billing', 'credit_note')
        group by i.invoice_id, i.number, i.total having sum(p.amount) > abs(i.total) order by i.number""",
    "host_share": """
        select 'host ' || l.host || ' is owed ' || l.amount || ' ' || l.currency || ', and the books say ' || l.minor
               || ' minor units' as text
        from (select coalesce(o.host, k.host) as host, coalesce(o.currency, k.currency) as currency,
                     coalesce(o.amount, 0) as amount, coalesce(k.minor, 0) as minor
              from (select z.host, z.currency, sum(z.amount) as amount from (
                        select i.host_id::text as host, i.currency, i.total as amount from invoice i
                        where i.party_id = $1 and i.kind = 'self_billing'
                        union all
                        select substr(w.whose, 6), c.currency, sign(c.amount) * w.amount::numeric
                        from bank_booking b join bank_line c using (line_id), jsonb_each_text(b.postings) as w (whose, amount)
                        where b.party_id = $1 and b.reversed_at is null and w.whose like 'host:%') z group by 1, 2) o
              full join (select a.detail as host, a.currency, sum(b.credit_minor - b.debit_minor) as minor
                         from ledger_account a join ledger_balance b using (account_id)
                         where a.party_id = $1 and a.kind = 'host_share' group by 1, 2) k using (host, currency)) l
        where l.amount * {scale} <> l.minor order by l.host""",
}
_KINDS = "('bank_receipt', 'bank_receipt_reversed', 'bank_payment', 'bank_payment_reversed')"
_SCALE = "(case when l.currency = any ($3) then 1 when l.currency = any ($4) then 1000 else 100 end)"


# whole party: for the command that checks the books
async def list_faults(
    conn: Connection, party_id: UUID, most: int, whole: Sequence[str], thousandths: Sequence[str]
) -> list[tuple[str, str]]:
    """(check, text) of what is wrong, at most `most` of each. `whole`, `thousandths`: currencies by their minor units."""
    found: list[tuple[str, str]] = []
    for name, sql in _FAULTS.items():
        if "{scale}" in sql:
            query = f"select text from ({sql.format(scale=_SCALE, kinds=_KINDS)}) x limit $2"
            rows = await conn.fetch(query, party_id, most, list(whole), list(thousandths))
        else:
            rows = await conn.fetch(f"select text from ({sql.format(kinds=_KINDS)}) x limit $2", party_id, most)
        found += [(name, row["text"]) for row in rows]
    return found
