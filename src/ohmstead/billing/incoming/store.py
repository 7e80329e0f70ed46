"""Money that came in or went out, in PostgreSQL, on the write side. Whoever writes holds the end of the party's ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.billing.incoming.model import BankLine, IncomingSetting, OpenInvoice, StatementColumns, Told
from ohmstead.billing.invoices.queries import LEFT_OF
from ohmstead.core.db import Connection, Row

LINE = """
select l.line_id, l.party_id, l.source, l.currency, l.amount, l.booked_on, l.payer, l.text, l.bank_ref, l.account,
       l.payee_iban, l.state, l.note, l.created_at, l.created_by
from bank_line l
"""
# What is open of an invoice.
OPEN_OF = f"greatest({LEFT_OF}, 0)"
# What payers of a document have too much with us: beside what is on its rows, what a wallet paid was put back there, and what
# a card paid may have been given back by the provider.
_OVER_OF = f"""
greatest(-{LEFT_OF} - (
    select coalesce(sum((t.note ->> 'amount')::numeric) filter (where t.note ->> 'kind' = 'wallet'), 0)
           + coalesce(sum(least(q.refunded + q.disputed, (t.note ->> 'amount')::numeric)), 0)
    from jsonb_array_elements(i.content -> 'payments') as t (note)
    left join payment q on q.payment_id::text = t.note ->> 'payment_id'), 0)
"""
# Credit notes with what is to be given back of them, which is what is too much with us by now. It is told to the latest
# ones first, so that all notes of a document together never come to more. Of those of receipts, which providers and wallets
# give back by themselves, only those count whose customers have a credit in the books.
_NOTES = f"""
select x.invoice_id, x.number, x.customer, x.buyer_name, x.currency, x.issued_on, x.due_on,
       greatest(least(x.own, x.over - coalesce(sum(x.own) over (
           partition by x.corrects_id order by x.created_at desc, x.invoice_id desc
           rows between unbounded preceding and 1 preceding), 0)), 0) as open, '' as iban, x.corrects
from (select n.invoice_id, n.number, n.customer, n.buyer_name, n.currency, n.issued_on, n.due_on, n.corrects_id, n.created_at,
             -n.total - coalesce((select sum(p.amount) from invoice_payment p where p.invoice_id = n.invoice_id), 0) as own,
             {_OVER_OF} as over, i.number as corrects
      from invoice n join invoice i on i.invoice_id = n.corrects_id
      where n.party_id = $1 and n.kind = 'credit_note'
        and ($2::uuid[] is null or n.corrects_id in (select m.corrects_id from invoice m where m.invoice_id = any ($2)))
        and ($2::uuid[] is not null or i.kind = 'invoice' or exists (
             select from ledger_account a join ledger_balance b using (account_id)
             where a.party_id = $1 and a.code = 'receivable:' || n.customer and a.currency = n.currency
             group by a.account_id having sum(b.debit_minor - b.credit_minor) < 0))) x
"""
_OPEN_COLUMNS = "i.invoice_id, i.number, i.customer, i.buyer_name, i.currency, i.issued_on, i.due_on"
_OPEN_ONES = f"""
select {_OPEN_COLUMNS}, r.amount as open from invoice_rest r join invoice i using (invoice_id)
where r.party_id = $1 and r.kind = 'invoice' and r.amount > 0
"""
_OPEN_REST = "r.party_id = $1 and r.kind = 'invoice' and r.amount > 0"
_FITTING = f"""
with told as (select currency, amount from unnest($3::text[], $4::numeric[]) as t (currency, amount)),
whose as (
    select r.customer, r.currency from invoice_rest r where {_OPEN_REST} and r.number_key = any ($2)
    union
    select r.customer, r.currency from told t join invoice_rest r using (currency, amount) where {_OPEN_REST}
    union
    select s.customer, s.currency from (
        select r.customer, r.currency, sum(r.amount) as amount from invoice_rest r where {_OPEN_REST}
        group by r.customer, r.currency having count(*) > 1) s join told t using (currency, amount))
select {_OPEN_COLUMNS}, r.amount as open
from whose w join invoice_rest r using (customer, currency) join invoice i using (invoice_id)
where {_OPEN_REST} order by i.issued_on, i.number
"""
_OWED_TO_HOSTS = f"""
select i.invoice_id, i.number, i.customer, i.content #>> '{{seller,legal_name}}' as buyer_name, i.currency, i.issued_on,
       i.due_on, {OPEN_OF} as open, coalesce(i.content #>> '{{seller,bank,iban}}', '') as iban, '' as corrects
from invoice i where i.party_id = $1 and i.kind = 'self_billing' and i.invoice_id = any (coalesce($2, array(
    select r.invoice_id from invoice_rest r where r.party_id = $1 and r.kind = 'self_billing' and r.amount > 0)))
"""


class NewRow(Struct, frozen=True, kw_only=True):
    """So much of a document is paid, or not any more."""

    invoice_id: UUID
    key: str
    amount: Decimal
    booking_id: UUID | None = None
    payment_id: UUID | None = None


# ------------------------------------------------------------------------------------------------------------ settings


async def find_setting(conn: Connection, party_id: UUID) -> IncomingSetting:
    row = await conn.fetchrow(
        "select books_exact, columns, reminder_days from incoming_setting where party_id = $1", party_id
    )
    if row is None:
        return IncomingSetting()
    columns = msgspec.convert(row["columns"], StatementColumns) if row["columns"] is not None else None
    return IncomingSetting(books_exact=row["books_exact"], columns=columns, reminder_days=list(row["reminder_days"]))


async def put_setting(conn: Connection, party_id: UUID, given: IncomingSetting, at: datetime, by: str) -> None:
    await conn.execute(
        "insert into incoming_setting (party_id, books_exact, columns, reminder_days, updated_at, updated_by)"
        " values ($1, $2, $3, $4, $5, $6) on conflict (party_id) do update set books_exact = excluded.books_exact,"
        " columns = excluded.columns, reminder_days = excluded.reminder_days, updated_at = excluded.updated_at,"
        " updated_by = excluded.updated_by",
        party_id,
        given.books_exact,
        given.columns,
        given.reminder_days,
        at,
        by,
    )


# --------------------------------------------------------------------------------------------------------------- lines


async def find_known(conn: Connection, party_id: UUID, keys: Sequence[str]) -> set[str]:
    """Those of the keys that were taken in."""
    rows = await conn.fetch("select key from bank_line where party_id = $1 and key = any ($2)", party_id, list(keys))
    return {row["key"] for row in rows}


async def list_by_refs(conn: Connection, party_id: UUID, refs: Sequence[str]) -> list[Row]:
    """Lines with one of the bank's references."""
    return await conn.fetch(
        "select bank_ref, account, amount, currency, booked_on from bank_line"
        " where party_id = $1 and bank_ref <> '' and bank_ref = any ($2)",
        party_id,
        list(refs),
    )


async def insert_lines(
    conn: Connection,
    party_id: UUID,
    source: str,
    lines: Sequence[tuple[UUID, str, Told]],
    at: datetime,
    by: str,
) -> None:
    await conn.executemany(
        "insert into bank_line (line_id, party_id, key, source, currency, amount, booked_on, payer, text, bank_ref, account,"
        " payee_iban, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        [
            (
                line_id,
                party_id,
                key,
                source,
                told.currency,
                told.amount,
                told.booked_on,
                told.payer,
                told.text,
                told.bank_ref,
                told.account,
                told.payee_iban,
                at,
                by,
            )
            for line_id, key, told in lines
        ],
    )


async def lock_line(conn: Connection, party_id: UUID, line_id: UUID) -> BankLine | None:
    row = await conn.fetchrow(f"{LINE} where l.party_id = $1 and l.line_id = $2 for update of l", party_id, line_id)
    return BankLine(**dict(row)) if row is not None else None


async def set_state(conn: Connection, party_id: UUID, line_id: UUID, state: str, note: str) -> None:
    await conn.execute(
        "update bank_line set state = $3, note = $4 where party_id = $1 and line_id = $2",
        party_id,
        line_id,
        state,
        note,
    )


# ------------------------------------------------------------------------------------------------------------ bookings


async def insert_booking(
    conn: Connection,
    party_id: UUID,
    booking_id: UUID,
    line_id: UUID,
    customers: dict[str, Decimal],
    at: datetime,
    by: str,
) -> None:
    await conn.execute(
        "insert into bank_booking (booking_id, party_id, line_id, postings, created_at, created_by)"
        " values ($1, $2, $3, $4, $5, $6)",
        booking_id,
        party_id,
        line_id,
        {customer: format(amount, "f") for customer, amount in customers.items()},
        at,
        by,
    )


async def end_booking(conn: Connection, party_id: UUID, booking_id: UUID, at: datetime, by: str, why: str) -> None:
    await conn.execute(
        "update bank_booking set reversed_at = $3, reversed_by = $4, why = $5"
        " where party_id = $1 and booking_id = $2 and reversed_at is null",
        party_id,
        booking_id,
        at,
        by,
        why,
    )


async def insert_rows(
    conn: Connection,
    party_id: UUID,
    currency: str,
    paid_on: date,
    rows: Sequence[tuple[UUID, NewRow]],
    at: datetime,
    by: str,
) -> None:
    await conn.executemany(
        "insert into invoice_payment (invoice_payment_id, party_id, invoice_id, key, booking_id, payment_id, currency,"
        " amount, paid_on, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                row_id,
                party_id,
                row.invoice_id,
                row.key,
                row.booking_id,
                row.payment_id,
                currency,
                row.amount,
                paid_on,
                at,
                by,
            )
            for row_id, row in rows
        ],
    )


async def list_open(
    conn: Connection, party_id: UUID, *, invoice_ids: Sequence[UUID] | None = None, numbers: Sequence[str] | None = None
) -> list[OpenInvoice]:
    """Invoices of which something is open, whatever number of others is paid; all of `invoice_ids`, or of these `numbers`,
    that there are, open or not, where these are given.
    """
    if invoice_ids is None and numbers is None:
        rows = await conn.fetch(f"{_OPEN_ONES} order by i.issued_on, i.number", party_id)
    else:
        column = "invoice_id" if invoice_ids is not None else "number"
        rows = await conn.fetch(
            f"select {_OPEN_COLUMNS}, {OPEN_OF} as open from invoice i where i.party_id = $1 and i.kind = 'invoice'"
            f" and i.{column} = any ($2) order by i.issued_on, i.number",
            party_id,
            list(invoice_ids if invoice_ids is not None else numbers or ()),
        )
    return [OpenInvoice(**dict(row)) for row in rows]


async def list_fitting(
    conn: Connection, party_id: UUID, numbers: Sequence[str], amounts: Sequence[tuple[str, Decimal]]
) -> list[OpenInvoice]:
    """Open invoices of all customers of whom one has such a number or comes to such an amount, or all together do.

    `numbers` in capitals and digits alone; `amounts` with their currencies. A payment that fits any fits one of these.
    """
    rows = await conn.fetch(
        _FITTING, party_id, list(numbers), [currency for currency, _ in amounts], [amount for _, amount in amounts]
    )
    return [OpenInvoice(**dict(row)) for row in rows]


async def list_owed(
    conn: Connection, party_id: UUID, *, invoice_ids: Sequence[UUID] | None = None, numbers: Sequence[str] | None = None
) -> list[OpenInvoice]:
    """What we owe by documents: to hosts, and to customers by credit notes that nothing paid back. All of `invoice_ids`, or of
    these `numbers`, of these kinds, open or not, where these are given.
    """
    if numbers is not None:
        named = await conn.fetch(
            "select invoice_id from invoice where party_id = $1 and number = any ($2)", party_id, list(numbers)
        )
        invoice_ids = [row["invoice_id"] for row in named]
    rows = await conn.fetch(
        f"select * from ({_OWED_TO_HOSTS} union all {_NOTES}) y where case when $2::uuid[] is null then y.open > 0"
        " else y.invoice_id = any ($2) end order by y.issued_on, y.number",
        party_id,
        list(invoice_ids) if invoice_ids is not None else None,
    )
    return [OpenInvoice(**dict(row)) for row in rows]


# -------------------------------------------------------------------------------------------- payments through providers


async def lock_invoice(conn: Connection, party_id: UUID, invoice_id: UUID) -> None:
    """One at a time is asked to pay it."""
    await conn.execute(
        "select from invoice where party_id = $1 and invoice_id = $2 for no key update", party_id, invoice_id
    )


async def list_orders(conn: Connection, party_id: UUID, invoice_id: UUID) -> list[Row]:
    """Payments that were asked for on a document's page, newest first; `recorded`: what of it is on the document."""
    return await conn.fetch(
        "select o.payment_id, p.state, p.amount, p.currency, p.captured - p.refunded - p.disputed as kept,"
        " coalesce((select sum(r.amount) from invoice_payment r where r.payment_id = o.payment_id), 0) as recorded,"
        " exists (select from invoice_payment r where r.payment_id = o.payment_id) as is_recorded"
        " from invoice_order o join payment p using (payment_id) where o.party_id = $1 and o.invoice_id = $2"
        " order by o.created_at desc, o.payment_id desc",
        party_id,
        invoice_id,
    )


async def insert_order(conn: Connection, party_id: UUID, invoice_id: UUID, payment_id: UUID, at: datetime) -> None:
    await conn.execute(
        "insert into invoice_order (payment_id, party_id, invoice_id, created_at) values ($1, $2, $3, $4)"
        " on conflict (payment_id) do nothing",
        payment_id,
        party_id,
        invoice_id,
        at,
    )


async def find_invoice_of(conn: Connection, party_id: UUID, payment_id: UUID) -> UUID | None:
    """The invoice that a payment is for: it was asked for on its page, or is the fee that stands on it."""
    found: UUID | None = await conn.fetchval(
        "select invoice_id from invoice_order where party_id = $1 and payment_id = $2"
        " union all select f.invoice_id from payment p join invoice_fee f on p.order_key = 'plan_fee:' || f.plan_charge_id"
        " where p.party_id = $1 and p.payment_id = $2 and p.purpose = 'plan_fee' and f.party_id = $1 limit 1",
        party_id,
        payment_id,
    )
    return found


async def sum_recorded(conn: Connection, party_id: UUID, payment_id: UUID) -> tuple[Decimal, int]:
    """What of a payment is on documents, and in how many rows."""
    row = await conn.fetchrow(
        "select coalesce(sum(amount), 0) as amount, count(*) as n from invoice_payment"
        " where party_id = $1 and payment_id = $2",
        party_id,
        payment_id,
    )
    assert row is not None
    return row["amount"], row["n"]


async def find_noted(conn: Connection, party_id: UUID, invoice_id: UUID, payment_id: UUID) -> Decimal:
    """What of a payment the document itself says was paid."""
    text: Any = await conn.fetchval(
        "select sum((t.note ->> 'amount')::numeric) from invoice i, jsonb_array_elements(i.content -> 'payments') as t (note)"
        " where i.party_id = $1 and i.invoice_id = $2 and t.note ->> 'payment_id' = $3",
        party_id,
        invoice_id,
        str(payment_id),
    )
    return Decimal(text) if text is not None else Decimal(0)


async def find_paid_debt(conn: Connection, party_id: UUID, debt_id: UUID) -> Row | None:
    """A debt that was paid, of a CDR that stands on an invoice; `is_recorded`: the invoice knows already."""
    return await conn.fetchrow(
        "select d.amount, d.currency, d.settled_by, i.invoice_id, exists (select from invoice_payment r"
        " where r.party_id = $1 and r.key = 'debt:' || d.debt_id) as is_recorded from payment_debt d"
        " join invoice_cdr c on c.cdr_id = d.cdr_id join invoice i using (invoice_id)"
        " where d.party_id = $1 and d.debt_id = $2 and d.settled_how = 'paid' and d.settled_by is not null"
        " and i.kind = 'invoice'",
        party_id,
        debt_id,
    )


async def list_returned_debts(conn: Connection, party_id: UUID, payment_id: UUID) -> list[Row]:
    """Debts that a payment settled, as invoices know them: `recorded` there, with `n` rows; `left` is due of it still."""
    return await conn.fetch(
        "select d.debt_id, d.currency, r.invoice_id, d.amount - d.returned as left, sum(r.amount) as recorded,"
        " count(*) as n from payment_debt d join invoice_payment r on r.payment_id = d.settled_by"
        " and starts_with(r.key, 'debt:' || d.debt_id) where d.party_id = $1 and d.settled_by = $2 and d.returned > 0"
        " and r.party_id = $1 group by d.debt_id, r.invoice_id order by d.debt_id",
        party_id,
        payment_id,
    )


# ----------------------------------------------------------------------------------------------------------- reminders


async def insert_reminder(
    conn: Connection, party_id: UUID, invoice_id: UUID, stage: int, left: Decimal, at: datetime, *, is_final: bool
) -> bool:
    """False where this stage was sent."""
    done = await conn.fetchval(
        "insert into invoice_reminder (invoice_id, stage, party_id, is_final, open, sent_at) values ($1, $2, $3, $4, $5, $6)"
        " on conflict do nothing returning true",
        invoice_id,
        stage,
        party_id,
        is_final,
        left,
        at,
    )
    return bool(done)


# any party: the worker looks after all of them
async def list_reminding(conn: Connection) -> list[UUID]:
    """Parties that have reminders sent."""
    rows = await conn.fetch("select party_id from incoming_setting where cardinality(reminder_days) > 0")
    return [row["party_id"] for row in rows]


async def list_overdue(
    conn: Connection,
    party_id: UUID,
    due_until: date,
    n_stages: int,
    *,
    after: tuple[date, UUID] | None = None,
    limit: int = 500,
) -> list[Row]:
    """Invoices that were due by a day, are not paid and had fewer than `n_stages` reminders, with how many they had; the
    longest due first. `after` is (due_on, id) of the last one of the page before.
    """
    due_on, invoice_id = after or (None, None)
    return await conn.fetch(
        "select i.invoice_id, i.number, i.customer, i.currency, r.due_on, r.amount as open, m.stage, m.sent_at"
        " from invoice_rest r join invoice i using (invoice_id)"
        " cross join lateral (select coalesce(max(m.stage), 0) as stage, max(m.sent_at) as sent_at"
        "   from invoice_reminder m where m.invoice_id = r.invoice_id) m"
        " where r.party_id = $1 and r.kind = 'invoice' and r.amount > 0 and r.due_on <= $2 and m.stage < $3"
        " and (r.due_on, r.invoice_id) > (coalesce($4::date, '-infinity'),"
        "   coalesce($5::uuid, '00000000-0000-0000-0000-000000000000'))"
        " order by r.due_on, r.invoice_id limit $6",
        party_id,
        due_until,
        n_stages,
        due_on,
        invoice_id,
        limit,
    )
