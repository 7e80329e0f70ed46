"""Documents in PostgreSQL, on the write side. Triggers refuse what must not be (migrations/0035_invoices.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.billing.invoices.drafting import Measured
from ohmstead.billing.invoices.model import (
    CustomerDetails,
    DocumentKind,
    Invoice,
    Seller,
    Signatures,
    content_of,
)
from ohmstead.billing.ledger.entries import amount_of
from ohmstead.core import clock
from ohmstead.core.db import Connection, Row

INVOICE = """
select i.invoice_id, i.party_id, i.number, i.kind, i.customer, i.currency, i.issued_on, i.due_on, i.from_on, i.to_on, i.total,
       i.session_id, i.corrects_id, i.host_id, i.run_id, i.content, i.created_at, i.created_by
from invoice i
"""


def invoice_of(row: Row) -> Invoice:
    """A row of `INVOICE`."""
    fields: dict[str, Any] = dict(row)
    return Invoice(content=content_of(fields.pop("content")), **fields)


# ------------------------------------------------------------------------------------------------------- settings


class KeptSeller(Struct, frozen=True):
    """A party's data as a seller; version 0: none were given yet."""

    content: Seller
    version: int


async def find_seller(conn: Connection, party_id: UUID) -> KeptSeller:
    row = await conn.fetchrow("select content, version from invoice_seller where party_id = $1", party_id)
    if row is None:
        return KeptSeller(Seller(), 0)
    return KeptSeller(msgspec.convert(row["content"], Seller), row["version"])


async def put_seller(
    conn: Connection, party_id: UUID, content: Seller, at: datetime, by: str, if_version: int | None
) -> int | None:
    """The new version; None where it was another one than `if_version`."""
    version: int | None = await conn.fetchval(
        "insert into invoice_seller (party_id, content, updated_at, updated_by) select $1, $2, $3, $4"
        " where $5::integer is null or $5 = coalesce((select version from invoice_seller where party_id = $1), 0)"
        " on conflict (party_id) do update set content = excluded.content, version = invoice_seller.version + 1,"
        " updated_at = excluded.updated_at, updated_by = excluded.updated_by"
        " where $5::integer is null or invoice_seller.version = $5 returning version",
        party_id,
        content,
        at,
        by,
        if_version,
    )
    return version


async def list_formats(conn: Connection, party_id: UUID) -> dict[DocumentKind, str]:
    rows = await conn.fetch("select kind, format from invoice_format where party_id = $1", party_id)
    return {row["kind"]: row["format"] for row in rows}


async def put_format(conn: Connection, party_id: UUID, kind: DocumentKind, text: str) -> None:
    await conn.execute(
        "insert into invoice_format (party_id, kind, format) values ($1, $2, $3)"
        " on conflict (party_id, kind) do update set format = excluded.format",
        party_id,
        kind,
        text,
    )


async def list_last_numbers(conn: Connection, party_id: UUID) -> dict[tuple[DocumentKind, int], int]:
    """How far each range got, by kind and year."""
    rows = await conn.fetch("select kind, year, last_number from invoice_range where party_id = $1", party_id)
    return {(row["kind"], row["year"]): row["last_number"] for row in rows}


async def find_details(conn: Connection, party_id: UUID, customer: str) -> tuple[CustomerDetails, int]:
    """What a customer wants, and its version; 0: they were never asked."""
    row = await conn.fetchrow(
        "select content, version from invoice_customer where party_id = $1 and customer = $2", party_id, customer
    )
    if row is None:
        return CustomerDetails(), 0
    return msgspec.convert(row["content"], CustomerDetails), row["version"]


async def put_details(
    conn: Connection, party_id: UUID, customer: str, content: CustomerDetails, at: datetime, by: str
) -> None:
    await conn.execute(
        "insert into invoice_customer (party_id, customer, content, updated_at, updated_by) values ($1, $2, $3, $4, $5)"
        " on conflict (party_id, customer) do update set content = excluded.content,"
        " version = invoice_customer.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        party_id,
        customer,
        content,
        at,
        by,
    )


async def delete_details(conn: Connection, party_id: UUID, customers: Sequence[str]) -> None:
    await conn.execute(
        "delete from invoice_customer where party_id = $1 and customer = any ($2)", party_id, list(customers)
    )


_THERE = {
    "driver": "select true from driver where party_id = $1 and driver_id = $2::uuid and status <> 'erased'",
    "company": "select true from company where party_id = $1 and company_id = $2::uuid",
    "token": "select true from token where party_id = $1 and token_id = $2::uuid",
    "payment": "select true from payment where party_id = $1 and payment_id = $2::uuid",
    "partner": "select exists (select from paying_partner where party_id = $1 and partner = $2)"
    " or exists (select from paying_method where party_id = $1 and kind = 'partner' and ref = $2)"
    " or exists (select from cdr where party_id = $1 and customer = 'partner:' || $2)",
}


async def is_customer(conn: Connection, party_id: UUID, customer: str) -> bool:
    """Is there somebody of this name, `driver:<id>` or the like?"""
    kind, _, value = customer.partition(":")
    return bool(await conn.fetchval(_THERE[kind], party_id, value if kind == "partner" else UUID(value)))


async def find_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select name, email, language, company from driver where party_id = $1 and driver_id = $2 and status <> 'erased'",
        party_id,
        driver_id,
    )


async def find_partner(conn: Connection, party_id: UUID, partner: str) -> str | None:
    """What a partner is called."""
    name: str | None = await conn.fetchval(
        "select name from paying_partner where party_id = $1 and partner = $2 order by prefix limit 1",
        party_id,
        partner,
    )
    return name


# ---------------------------------------------------------------------------------------------------------- issuing


async def next_number(conn: Connection, party_id: UUID, kind: DocumentKind, year: int) -> int:
    """The next of a range, which is held until the transaction ends: rolled back with it."""
    n: int = await conn.fetchval(
        "insert into invoice_range as r (party_id, kind, year, last_number) values ($1, $2, $3, 1)"
        " on conflict (party_id, kind, year) do update set last_number = r.last_number + 1 returning last_number",
        party_id,
        kind,
        year,
    )
    return n


async def find_by_keys(conn: Connection, party_id: UUID, keys: Sequence[str]) -> dict[str, Invoice]:
    rows = await conn.fetch(
        f"{INVOICE.replace('from invoice i', ', i.key from invoice i')} where i.party_id = $1 and i.key = any ($2)",
        party_id,
        list(keys),
    )
    found = {}
    for row in rows:
        fields: dict[str, Any] = dict(row)
        key = fields.pop("key")
        found[key] = Invoice(content=content_of(fields.pop("content")), **fields)
    return found


async def insert_invoice(conn: Connection, made: Invoice, *, year: int, n: int, key: str) -> None:
    totals, sign = made.content.totals, made.sign
    await conn.execute(
        "insert into invoice (invoice_id, party_id, kind, year, n, number, key, customer, currency, issued_on, due_on,"
        " from_on, to_on, before_taxes, total, paid, buyer_name, n_lines, session_id, corrects_id, host_id, run_id, content,"
        " created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,"
        " $19, $20, $21, $22, $23, $24, $25)",
        made.invoice_id,
        made.party_id,
        made.kind,
        year,
        n,
        made.number,
        key,
        made.customer,
        made.currency,
        made.issued_on,
        made.due_on,
        made.from_on,
        made.to_on,
        sign * totals.before_taxes,
        made.total,
        totals.paid,
        made.content.buyer.name,
        len(made.content.lines),
        made.session_id,
        made.corrects_id,
        made.host_id,
        made.run_id,
        made.content,
        made.created_at,
        made.created_by,
    )


async def link_cdrs(conn: Connection, party_id: UUID, invoice_id: UUID, cdr_ids: Sequence[UUID]) -> None:
    await conn.execute(
        "insert into invoice_cdr (cdr_id, party_id, invoice_id) select c, $1, $2 from unnest($3::uuid[]) as c",
        party_id,
        invoice_id,
        list(cdr_ids),
    )


async def link_host_cdrs(conn: Connection, party_id: UUID, invoice_id: UUID, cdr_ids: Sequence[UUID]) -> None:
    await conn.execute(
        "insert into host_cdr (cdr_id, party_id, invoice_id) select c, $1, $2 from unnest($3::uuid[]) as c",
        party_id,
        invoice_id,
        list(cdr_ids),
    )


async def link_fees(conn: Connection, party_id: UUID, invoice_id: UUID, fee_ids: Sequence[UUID]) -> None:
    if fee_ids:
        await conn.execute(
            "insert into invoice_fee (plan_charge_id, party_id, invoice_id) select f, $1, $2 from unnest($3::uuid[]) as f",
            party_id,
            invoice_id,
            list(fee_ids),
        )


async def list_standing(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> list[UUID]:
    """The charges of sessions that nobody took back."""
    rows = await conn.fetch(
        "select c.cdr_id from cdr c where c.party_id = $1 and c.session_id = any ($2) and c.kind = 'charge'"
        " and not exists (select from cdr k where k.credits_id = c.cdr_id)",
        party_id,
        list(session_ids),
    )
    return [row["cdr_id"] for row in rows]


async def find_documents_of(conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of CDRs that stand on a document: on which."""
    rows = await conn.fetch(
        "select cdr_id, invoice_id from invoice_cdr where party_id = $1 and cdr_id = any ($2)", party_id, list(cdr_ids)
    )
    return {row["cdr_id"]: row["invoice_id"] for row in rows}


async def list_receipted_cdrs(conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the CDRs that have a receipt."""
    rows = await conn.fetch(
        "select d.cdr_id from invoice_cdr d join invoice i using (invoice_id) where d.party_id = $1"
        " and d.cdr_id = any ($2) and i.kind = 'receipt'",
        party_id,
        list(cdr_ids),
    )
    return {row["cdr_id"] for row in rows}


async def list_half_charged(conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the CDRs that come to more than the stored card was charged that paid for their sessions."""
    rows = await conn.fetch(
        "select c.cdr_id from cdr c join payment p on p.session_id = c.session_id where c.party_id = $1"
        " and c.cdr_id = any ($2) and p.party_id = $1 and p.purpose in ('session', 'debt') group by c.cdr_id"
        " having c.total > sum(p.captured - p.refunded)"
        " and bool_or(p.purpose = 'session' and not p.is_hold and p.captured > 0)",
        party_id,
        list(cdr_ids),
    )
    return {row["cdr_id"] for row in rows}


# A charge that a card, or a wallet, is still about to pay is on no invoice: it gets its receipt, or waits for the next run.
# `since`: what was billed after it may not have been settled yet at all.
SETTLES_WITHIN: Final = timedelta(hours=1)
_UNPAID_YET = "('created', 'authorizing', 'held', 'capturing')"
_WAITS_FOR_NOBODY = f"""
not exists (select from payment p where p.party_id = c.party_id and p.session_id = c.session_id and p.purpose = 'session'
            and (p.is_hold and p.state in {_UNPAID_YET}
                 or p.cdr_id = c.cdr_id and p.state in ('captured', {_UNPAID_YET[1:]}))
and not exists (select from session_cover v where v.session_id = c.session_id and c.created_at > {{since}}
                and (v.kind = 'card' and v.ref is not null and not exists (select from payment p where p.cdr_id = c.cdr_id
                         and p.session_id = c.session_id)
                     or v.kind = 'wallet' and v.ref is not null and not exists (
                         select from wallet_due w where w.party_id = c.party_id and w.ref_id = c.cdr_id)))
"""
_FEE_WAITS_FOR_NOBODY = f"""
not exists (select from payment p where p.party_id = f.party_id and p.order_key = 'plan_fee:' || f.plan_charge_id
            and p.state in {_UNPAID_YET})
"""


async def list_undocumented(
    conn: Connection, party_id: UUID, customer: str, currency: str, until_at: datetime
) -> list[UUID]:
    """Charges of a customer of sessions that ended before, for which something is due and no document was issued."""
    rows = await conn.fetch(
        "select c.cdr_id from cdr_undocumented u join cdr c using (cdr_id)"
        " where u.party_id = $1 and u.customer = $2 and u.currency = $3 and u.ended_at < $4"
        " and not exists (select from session_cover v where v.session_id = c.session_id and v.kind = 'terminal')"
        f" and {_WAITS_FOR_NOBODY.format(since='$5')}",
        party_id,
        customer,
        currency,
        until_at,
        clock.now() - SETTLES_WITHIN,
    )
    return [row["cdr_id"] for row in rows]


async def list_customers(
    conn: Connection, party_id: UUID, until_at: datetime, until_on: date, kinds: Sequence[str]
) -> list[tuple[str, str]]:
    """(customer, currency) of all with charges or fees before a moment (a day) that stand on no document.

    What a terminal settled has its receipt from there.
    """
    rows = await conn.fetch(
        "select c.customer, c.currency from cdr_undocumented u join cdr c using (cdr_id)"
        " where u.party_id = $1 and u.ended_at < $2 and split_part(u.customer, ':', 1) = any ($3)"
        " and not exists (select from session_cover v where v.session_id = c.session_id and v.kind = 'terminal')"
        f" and {_WAITS_FOR_NOBODY.format(since='$5')}"
        " union select 'driver:' || f.driver_id, f.currency from plan_charge f where f.party_id = $1 and f.from_on < $4"
        " and f.total <> 0 and not exists (select from invoice_fee i where i.plan_charge_id = f.plan_charge_id)"
        f" and {_FEE_WAITS_FOR_NOBODY} order by 1, 2",
        party_id,
        until_at,
        list(kinds),
        until_on,
        clock.now() - SETTLES_WITHIN,
    )
    return [(row["customer"], row["currency"]) for row in rows]


async def list_fees(conn: Connection, party_id: UUID, driver_id: UUID, currency: str, until_on: date) -> list[Row]:
    """Fees of a driver's plans that begin before a day and stand on no document."""
    return await conn.fetch(
        "select f.plan_charge_id, f.plan_name, f.from_on, f.until_on, f.before_taxes, f.taxes, f.total, f.country"
        " from plan_charge f where f.party_id = $1 and f.driver_id = $2 and f.currency = $3 and f.from_on < $4"
        " and f.total <> 0 and not exists (select from invoice_fee i where i.plan_charge_id = f.plan_charge_id)"
        f" and {_FEE_WAITS_FOR_NOBODY} order by f.from_on, f.plan_charge_id",
        party_id,
        driver_id,
        currency,
        until_on,
    )


async def list_wallet_paid(conn: Connection, party_id: UUID, ref_ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """What wallets have paid for CDRs and fees, those that wallets are to pay; nothing yet is 0."""
    rows = await conn.fetch(
        "select ref_id, currency, paid_minor from wallet_due where party_id = $1 and ref_id = any ($2)",
        party_id,
        list(ref_ids),
    )
    return {row["ref_id"]: amount_of(row["paid_minor"], row["currency"]) for row in rows}


async def list_receipted(conn: Connection, party_id: UUID, from_on: date, until_on: date) -> list[tuple[str, str]]:
    """(customer, currency) of drivers who got receipts within some days."""
    rows = await conn.fetch(
        "select customer, currency from invoice where party_id = $1 and issued_on >= $2 and issued_on < $3"
        " and kind in ('receipt', 'credit_note') and customer like 'driver:%' group by 1, 2"
        " having bool_or(kind = 'receipt') order by 1, 2",
        party_id,
        from_on,
        until_on,
    )
    return [(row["customer"], row["currency"]) for row in rows]


async def list_for_statement(
    conn: Connection, party_id: UUID, customer: str, currency: str, from_on: date, until_on: date
) -> list[Invoice]:
    """What a customer got within some days: receipts, and credit notes about receipts."""
    rows = await conn.fetch(
        f"{INVOICE} where i.party_id = $1 and i.customer = $2 and i.currency = $3 and i.issued_on >= $4 and i.issued_on < $5"
        " and (i.kind = 'receipt' or exists (select from invoice r where r.invoice_id = i.corrects_id and r.kind = 'receipt'))"
        " order by i.created_at, i.invoice_id",
        party_id,
        customer,
        currency,
        from_on,
        until_on,
    )
    return [invoice_of(row) for row in rows]


async def find_measured(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Measured]:
    """What meters showed as sessions began and ended, and how their signatures were judged."""
    rows = await conn.fetch(
        "select s.session_id, case when s.energy_source = 'register' then s.register_start_wh end as start_wh,"
        " case when s.energy_source = 'register' then s.register_last_wh end as end_wh, r.n, r.n_verified, r.n_failed"
        " from session s cross join lateral (select count(*) as n, count(*) filter (where verdict = 'verified') as n_verified,"
        " count(*) filter (where verdict = 'failed') as n_failed from signed_reading where session_id = s.session_id) r"
        " where s.party_id = $1 and s.session_id = any ($2)",
        party_id,
        list(session_ids),
    )
    return {
        row["session_id"]: Measured(
            register_start_wh=row["start_wh"],
            register_end_wh=row["end_wh"],
            signatures=Signatures(n=row["n"], n_verified=row["n_verified"], n_failed=row["n_failed"])
            if row["n"]
            else None,
        )
        for row in rows
    }


async def find_voltage(conn: Connection, party_id: UUID, session_id: UUID) -> Decimal | None:
    """The highest voltage that was measured in a session; None where its samples are gone, or had none."""
    volts: Decimal | None = await conn.fetchval(
        "select max((r.value ->> 0)::numeric) from session s join sample p using (session_id), jsonb_each(p.readings) r"
        " where s.party_id = $1 and s.session_id = $2 and r.key like 'Voltage%'",
        party_id,
        session_id,
    )
    return volts


async def list_paid(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> list[Row]:
    """What we have of payments for sessions: taken, and neither given nor taken back."""
    return await conn.fetch(
        "select coalesce(m.kind, 'card') as kind, coalesce(m.brand, '') as brand, coalesce(m.last4, '') as last4,"
        " sum(p.captured - p.refunded - p.disputed) as kept from payment p left join stored_method m using (method_id)"
        " where p.party_id = $1 and p.session_id = any ($2) and p.purpose in ('session', 'debt') and p.captured > 0"
        " group by 1, 2, 3",
        party_id,
        list(session_ids),
    )


async def list_fees_paid(conn: Connection, party_id: UUID, fee_ids: Sequence[UUID]) -> list[Row]:
    """What cards paid for fees of plans, payment by payment."""
    return await conn.fetch(
        "select p.payment_id, coalesce(m.kind, 'card') as kind, coalesce(m.brand, '') as brand,"
        " coalesce(m.last4, '') as last4, p.captured - p.refunded - p.disputed as kept"
        " from payment p left join stored_method m using (method_id)"
        " where p.party_id = $1 and p.order_key = any ($2) and p.purpose = 'plan_fee' and p.captured > 0 order by p.payment_id",
        party_id,
        [f"plan_fee:{fee_id}" for fee_id in fee_ids],
    )


async def find_guest(conn: Connection, party_id: UUID, payment_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select email, language from payment where party_id = $1 and payment_id = $2", party_id, payment_id
    )


async def is_paid_by_wallet(conn: Connection, party_id: UUID, cdr_id: UUID) -> bool:
    """Has a wallet been asked to pay a CDR?"""
    return bool(
        await conn.fetchval(
            "select true from wallet_due where party_id = $1 and kind = 'cdr' and ref_id = $2", party_id, cdr_id
        )
    )


async def list_wallet_covered(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the sessions that a wallet pays for."""
    rows = await conn.fetch(
        "select session_id from session_cover where party_id = $1 and session_id = any ($2) and kind = 'wallet'",
        party_id,
        list(session_ids),
    )
    return {row["session_id"] for row in rows}


# ------------------------------------------------------------------------------------------------------------- runs


async def insert_run(
    conn: Connection, party_id: UUID, run_id: UUID, month: date, kind: str, by: str, at: datetime
) -> bool:
    """False where one of this kind is under way."""
    return bool(
        await conn.fetchval(
            "insert into invoice_run (run_id, party_id, month, kind, asked_by, asked_at) values ($1, $2, $3, $4, $5, $6)"
            " on conflict (party_id, kind) where status <> 'done' do nothing returning true",
            run_id,
            party_id,
            month,
            kind,
            by,
            at,
        )
    )


# any party: the job knows its run, which says whose it is
async def find_open_run(conn: Connection, run_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select run_id, party_id, month, kind, asked_by from invoice_run where run_id = $1 and status <> 'done'", run_id
    )


async def begin_run(conn: Connection, party_id: UUID, run_id: UUID, n_left: int) -> None:
    """It goes on, from the start or after it was cut off: what is done counts on."""
    await conn.execute(
        "update invoice_run set status = 'running', n_wanted = n_done + $3, problems = '[]'"
        " where party_id = $1 and run_id = $2",
        party_id,
        run_id,
        n_left,
    )


async def count_on(
    conn: Connection, party_id: UUID, run_id: UUID, n_issued: int, problem: dict[str, str] | None
) -> None:
    await conn.execute(
        "update invoice_run set n_done = n_done + 1, n_issued = n_issued + $3,"
        " problems = case when $4::jsonb is null then problems else problems || $4::jsonb end"
        " where party_id = $1 and run_id = $2",
        party_id,
        run_id,
        n_issued,
        problem,
    )


async def finish_run(conn: Connection, party_id: UUID, run_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update invoice_run set status = 'done', finished_at = $3 where party_id = $1 and run_id = $2",
        party_id,
        run_id,
        at,
    )


_RUN = """
select run_id, month, kind, status, n_wanted, n_done, n_issued, problems, asked_by, asked_at, finished_at from invoice_run
"""


async def list_runs(
    conn: Connection,
    party_id: UUID,
    *,
    run_id: UUID | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Row]:
    """Newest first; `before` is (asked_at, id) of the last one of the page before."""
    at, last = before or (None, None)
    return await conn.fetch(
        f"{_RUN} where party_id = $1 and ($2::uuid is null or run_id = $2)"
        " and ($3::timestamptz is null or (asked_at, run_id) < ($3, $4)) order by asked_at desc, run_id desc limit $5",
        party_id,
        run_id,
        at,
        last,
        limit,
    )
