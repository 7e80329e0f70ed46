"""Sums that pages tell are what the postings come to, whenever and in whatever order they were booked."""

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import ohmstead.migrations
from ohmstead.billing.ledger import queries as books
from ohmstead.billing.ledger import service
from ohmstead.billing.ledger.entries import Account, Entry, Posting, amount_of
from ohmstead.billing.verifying import look_over
from ohmstead.core.db import Connection
from ohmstead.reports.money import queries
from tests.billing.network import Business

MIGRATIONS = Path(ohmstead.migrations.__file__).parent
TABLES = ("cdr_undocumented", "ledger_sum", "ledger_standing", "ledger_month")
KINDS = ("cdr", "cdr_credit", "payment_captured", "bank_receipt", "invoice_rounding")
DAYS = [date(2026, 1, 30) + timedelta(days=n) for n in range(64)]
NAIVE_KINDS = """
select a.kind, a.currency, count(distinct a.account_id) as n, sum(greatest(p.amount_minor, 0)) as debit,
       sum(greatest(-p.amount_minor, 0)) as credit from ledger_posting p join ledger_account a using (account_id)
where p.party_id = $1 and p.booked_on <= $2 group by 1, 2 order by 2, 1
"""
NAIVE_OWED = """
select whose, count(*) filter (where after <> 0) as n, sum(before) as before, sum(debit) as debit, sum(credit) as credit,
       sum(after) as after from (
    select split_part(a.detail, ':', 1) as whose, coalesce(sum(p.amount_minor) filter (where p.booked_on < $3), 0) as before,
           coalesce(sum(p.amount_minor) filter (where p.booked_on >= $3 and p.amount_minor > 0), 0) as debit,
           coalesce(-sum(p.amount_minor) filter (where p.booked_on >= $3 and p.amount_minor < 0), 0) as credit,
           sum(p.amount_minor) as after
    from ledger_posting p join ledger_account a using (account_id)
    where p.party_id = $1 and a.currency = $2 and a.kind = 'receivable' and p.booked_on < $4 group by a.account_id, a.detail) x
group by whose order by after desc, whose
"""


def accounts(currency: str) -> list[Account]:
    return [
        *(Account("receivable", f"{sort}:{UUID(int=n)}", currency) for sort in ("driver", "company") for n in range(3)),
        Account("receivable", "nobody", currency),
        Account("wallet", f"driver:{UUID(int=1)}", currency),
        Account("revenue", "energy", currency),
        Account("tax", "NL:VAT:21", currency),
        Account("bank", "", currency),
    ]


def chance_entries(chance: random.Random, n: int) -> list[Entry]:
    found = []
    for number in range(n):
        currency = chance.choice(("EUR", "JPY"))
        one, two = chance.sample(accounts(currency), 2)
        # Of few amounts, so that accounts come out even now and then.
        amount = Decimal(chance.choice((1, 2, 3)) * (100 if currency == "JPY" else 1))
        found.append(
            Entry(
                key=str(number),
                kind=chance.choice(KINDS),
                text="x",
                wanted_on=chance.choice(DAYS),
                postings=(Posting(one, amount), Posting(two, -amount)),
            )
        )
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_the_sums_of_pages_are_those_of_the_postings(business: Business, seed: int) -> None:
    chance = random.Random(seed)
    entries = chance_entries(chance, 120)
    async with business.pool.acquire() as conn:
        while entries:
            piece, entries = entries[: chance.randint(1, 30)], entries[chance.randint(1, 30) :]
            async with conn.transaction():
                await service.post_all(conn, business.party_id, "system", piece)
        await compare(conn, business.party_id)
        assert await books.list_faults(conn, business.party_id, 100) == []


async def compare(conn: Connection, party_id: UUID) -> None:
    for until in [*DAYS[::7], date(2026, 2, 28), date(2026, 3, 31), date(2026, 12, 31), date(2025, 1, 1)]:
        rows = await conn.fetch(NAIVE_KINDS, party_id, until)
        wanted = [
            (r["kind"], r["currency"], r["n"], *money(r, "debit", "credit", currency=r["currency"])) for r in rows
        ]
        found = await queries.sums_by_kind(conn, party_id, until)
        assert [(k.kind, k.currency, k.n_accounts, k.debit, k.credit) for k in found] == wanted, until
    assert await queries.sums_by_kind(conn, party_id, None) == await queries.sums_by_kind(conn, party_id, DAYS[-1])
    assert await queries.is_even(conn, party_id) == {"EUR": True, "JPY": True}
    months = [date(2026, n, 1) for n in range(1, 6)]
    for since, until in zip(months, months[1:], strict=False):
        for currency in ("EUR", "JPY"):
            rows = await conn.fetch(NAIVE_OWED, party_id, currency, since, until)
            names = ("before", "debit", "credit", "after")
            owed = await queries.list_owed(conn, party_id, currency, since, until)
            assert [(o.whose, o.n_open, o.before, o.debit, o.credit, o.after) for o in owed] == [
                (r["whose"], r["n"], *money(r, *names, currency=currency)) for r in rows
            ], (since, currency)
            paid = await conn.fetchval(
                "select coalesce(-sum(p.amount_minor), 0)::bigint from ledger_posting p"
                " join ledger_account a using (account_id) join ledger_entry e using (entry_id)"
                " where p.party_id = $1 and a.kind = 'receivable' and a.currency = $2"
                " and p.booked_on >= $3 and p.booked_on < $4 and e.kind in ('payment_captured', 'bank_receipt')",
                party_id,
                currency,
                since,
                until,
            )
            assert await queries.sum_paid(conn, party_id, currency, since, until) == amount_of(paid, currency)
        rows = await conn.fetch(
            "select kind, count(*) as n from ledger_entry where party_id = $1 and booked_on >= $2 and booked_on < $3"
            " group by 1",
            party_id,
            since,
            until,
        )
        assert await queries.count_bookings(conn, party_id, since, until) == {r["kind"]: r["n"] for r in rows}
    rows = await conn.fetch(
        "select date_trunc('month', booked_on)::date as month, count(*) as n, min(number) as first, max(number) as last"
        " from ledger_entry where party_id = $1 group by 1 order by 1 desc",
        party_id,
    )
    found_months = await queries.list_months(conn, party_id)
    assert [(m.month, m.n_entries, m.first_number, m.last_number) for m in found_months] == [tuple(r) for r in rows]


def money(row: Any, *names: str, currency: str) -> list[Decimal]:
    return [amount_of(int(row[name]), currency) for name in names]


async def test_books_from_before_get_their_sums(business: Business) -> None:
    for wh in (20_000, 0, 10_000):
        await business.settles(await business.session(wh))
    await business.credits((await business.cdrs())[0].cdr_id)
    async with business.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            before = await kept(conn)
            await conn.execute(
                "drop trigger cdr_undocumented_grows on cdr; drop trigger cdr_undocumented_shrinks on invoice_cdr;"
                " drop trigger ledger_count_on on ledger_entry; drop function cdr_undocumented_grows, cdr_undocumented_shrinks,"
                " ledger_count_on; drop index ledger_balance_by_day, cdr_by_end, cdr_by_total, cdr_by_energy, cdr_by_station,"
                f" cdr_by_tariff, cdr_by_token, cdr_by_contract, cdr_credits, cdr_corrected; drop table {', '.join(TABLES)};"
                " alter table cdr drop column booked_on"
            )
            await conn.execute((MIGRATIONS / "0051_book_sums.sql").read_text())
            assert await kept(conn) == before
            assert (await look_over(conn, business.party_id)).faults == []
        finally:
            await transaction.rollback()


async def kept(conn: Connection) -> list[list[str]]:
    """All that is summed up."""
    wanted = [f"select to_jsonb(t)::text as row from {table} t order by 1" for table in TABLES]
    wanted.append("select cdr_id || ' ' || booked_on as row from cdr order by 1")
    return [[row["row"] for row in await conn.fetch(sql)] for sql in wanted]
