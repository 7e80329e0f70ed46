"""The books: what goes in stays, adds up to nothing, and goes into no month that is closed."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from ohmstead.billing.ledger import queries, service
from ohmstead.billing.ledger.entries import Account, Entry, Posting, psp_clearing, wallet
from ohmstead.billing.ledger.model import KeptEntry
from ohmstead.billing.verifying import look_over
from ohmstead.core import clock
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from tests.billing.network import AT, Business, per_kwh

CASH = psp_clearing("sandbox", "EUR")
MARCH, APRIL = date(2026, 3, 2), date(2026, 4, 1)


def top_up(business: Business, amount: str, key: str = "1", on: date = MARCH, **more: Any) -> Entry:
    theirs = wallet(business.party_id, "EUR")
    postings = (Posting(CASH, Decimal(amount)), Posting(theirs, -Decimal(amount)))
    known: dict[str, Any] = {"key": key, "kind": "top_up", "text": "", "wanted_on": on, "postings": postings}
    return Entry(**known | more)


async def posts(business: Business, *entries: Entry) -> list[KeptEntry]:
    async with business.pool.acquire() as conn, conn.transaction():
        return await service.post_all(conn, business.party_id, "system", entries)


@pytest.fixture
def april() -> Any:
    """It is the tenth of April."""
    clock.set_source(lambda: datetime(2026, 4, 10, 12, tzinfo=UTC))
    yield
    clock.set_source(None)


async def test_an_entry_goes_in_once_and_its_key_says_one_thing_only(business: Business) -> None:
    first, second = await posts(business, top_up(business, "5"), top_up(business, "5"))
    assert first == second
    assert await posts(business, top_up(business, "5.00", on=APRIL)) == [first]
    with pytest.raises(Conflict, match="something else"):
        await posts(business, top_up(business, "6"))
    with pytest.raises(Conflict, match="something else"):
        await posts(business, top_up(business, "7", "2"), top_up(business, "8", "2"))
    (third,) = await posts(business, top_up(business, "1", "3"))
    assert (first.number, third.number) == (1, 2)
    assert await business.balances() == {"psp_clearing:sandbox": 6, f"wallet:driver:{business.party_id}": -6}
    assert await business.faults() == []


async def test_what_does_not_balance_is_refused_before_and_by_the_database(business: Business) -> None:
    off = (Posting(CASH, Decimal(1)), Posting(Account("fees", "psp", "EUR"), Decimal("-0.99")))
    with pytest.raises(Invalid, match="off by"):
        await posts(business, top_up(business, "1", postings=off))
    await posts(business, top_up(business, "1"))
    entry = (
        "insert into ledger_entry select gen_random_uuid(), party_id, number + 1, booked_on, kind, text, null, 'by hand',"
        " digest, 2, created_at, created_by from ledger_entry"
    )
    posting = (
        "insert into ledger_posting select p.party_id, e.entry_id, p.position, e.number, e.booked_on, p.account_id,"
        " p.currency, {} from ledger_posting p, ledger_entry e where p.number = 1 and e.number = 2"
    )
    for amount, told in [("p.amount_minor + 1", "does not balance"), (None, "does not balance")]:
        with pytest.raises(asyncpg.CheckViolationError, match=told):
            async with business.pool.acquire() as conn, conn.transaction():
                await conn.execute(entry)
                if amount is not None:
                    await conn.execute(posting.format(amount))
    assert await business.faults() == []


async def test_nothing_is_added_to_an_entry_afterwards(business: Business) -> None:
    await posts(business, top_up(business, "1"))
    more = (
        "insert into ledger_posting select party_id, entry_id, position + 2, number, booked_on, account_id, currency,"
        " amount_minor from ledger_posting"
    )
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await business.pool.execute(more)


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_posting", "ledger_account", "ledger_lock"])
@pytest.mark.parametrize("statement", ["delete from {}", "update {} set party_id = party_id"])
async def test_the_books_are_only_ever_added_to(business: Business, april: None, table: str, statement: str) -> None:
    await posts(business, top_up(business, "1"))
    await business.closes("2026-01")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await business.pool.execute(statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "delete from ledger_head",
        "update ledger_head set last_number = 0",
        "update ledger_head set locked_until = null",
        "update ledger_head set locked_until = '2026-01-01'",
    ],
)
async def test_the_end_of_the_books_does_not_go_back(business: Business, april: None, statement: str) -> None:
    await posts(business, top_up(business, "1"))
    await business.closes("2026-01")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="does not go back"):
        await business.pool.execute(statement)


async def test_postings_stay_within_their_party_and_currency(business: Business) -> None:
    other = await Business(business.pool).founded()
    await posts(business, top_up(business, "1"))
    await posts(other, top_up(other, "1"))
    foreign = (
        "insert into ledger_posting select e.party_id, e.entry_id, 9, e.number, e.booked_on, a.account_id, {}, 1"
        " from ledger_entry e, ledger_account a where e.party_id = $1 and a.party_id = $2 limit 1"
    )
    for party, currency in [(other, "'EUR'"), (business, "'JPY'")]:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await business.pool.execute(foreign.format(currency), business.party_id, party.party_id)


async def test_numbers_have_no_gaps_whoever_writes_and_whatever_fails(business: Business) -> None:
    async def fails(n: int) -> None:
        with pytest.raises(ZeroDivisionError):
            async with business.pool.acquire() as conn, conn.transaction():
                await service.post_all(conn, business.party_id, "system", [top_up(business, "1", f"fails {n}")])
                raise ZeroDivisionError

    await asyncio.gather(*(posts(business, top_up(business, "1", str(n))) for n in range(8)), *map(fails, range(4)))
    numbers = [row["number"] for row in await business.pool.fetch("select number from ledger_entry order by 1")]
    assert numbers == list(range(1, 9))
    assert await business.faults() == []


async def test_nothing_is_booked_in_a_month_that_is_closed(business: Business, april: None) -> None:
    await business.closes("2026-02")
    (march,) = await posts(business, top_up(business, "1"))
    assert march.booked_on == MARCH
    await business.closes("2026-03")
    (late,) = await posts(business, top_up(business, "1", "2"))
    assert late.booked_on == date(2026, 4, 10)
    for month, error in [("2026-03", Conflict), ("2026-02", Conflict), ("2026-04", Refused), ("2026-05", Refused)]:
        with pytest.raises(error):
            await business.closes(month)
    with pytest.raises(Invalid):
        await business.closes("March")
    with pytest.raises(asyncpg.CheckViolationError, match="is closed"):
        await business.pool.execute(
            "insert into ledger_entry select gen_random_uuid(), party_id, 3, '2026-03-31', kind, text, null, 'by hand',"
            " digest, 2, created_at, created_by from ledger_entry limit 1"
        )
    facts = await business.pool.fetch("select payload from outbox where kind = 'PeriodLocked' order by event_id")
    assert [row["payload"]["month"] for row in facts] == ["2026-02", "2026-03"]
    assert await business.faults() == []


async def test_closing_waits_for_who_books_and_they_for_it(business: Business, april: None) -> None:
    await posts(business, top_up(business, "1", "0"))
    async with business.pool.acquire() as conn:
        async with conn.transaction():
            await service.post_all(conn, business.party_id, "system", [top_up(business, "1", "1")])
            closing = asyncio.create_task(business.closes("2026-03"))
            await asyncio.sleep(0.1)
            assert not closing.done()
        await closing
    async with business.pool.acquire() as conn, conn.transaction():
        (late,) = await service.post_all(conn, business.party_id, "system", [top_up(business, "1", "2")])
    assert late.booked_on == date(2026, 4, 10)
    assert await business.faults() == []


async def test_a_bill_of_a_closed_month_and_its_credit_are_booked_in_the_open_one(
    business: Business, april: None
) -> None:
    one, late = await business.session(), await business.session()
    await business.settles(one)
    assert await business.balances(until=date(2026, 3, 31)) == await business.balances()
    await business.closes("2026-03")
    march = await business.balances(until=date(2026, 3, 31))
    await business.settles(late)
    (cdr, _) = await business.cdrs()
    await business.credits(cdr.cdr_id)
    assert await business.balances(until=date(2026, 3, 31)) == march
    days = await business.pool.fetch("select booked_on from ledger_entry order by number")
    assert [row["booked_on"] for row in days] == [MARCH, date(2026, 4, 10), date(2026, 4, 10)]
    assert await business.faults() == []


async def test_a_session_belongs_to_the_day_on_which_it_ended_where_the_books_are_kept(business: Business) -> None:
    ends = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # half past midnight in Amsterdam
    await business.settles(await business.session(started_at=ends - timedelta(hours=1)))
    assert await business.pool.fetchval("select booked_on from ledger_entry") == APRIL


async def test_accounts_and_their_entries_are_read_page_by_page(business: Business) -> None:
    await business.offers(per_kwh("50", "JPY"), "Yen")
    await business.pool.execute(
        "update tariff_assignment set assigned_at = '2026-03-05Z' where tariff_id in"
        " (select tariff_id from tariff where name = 'Yen')"
    )
    sessions = [await business.session(started_at=AT + timedelta(days=n)) for n in range(6)]
    await business.settles(*sessions)
    found: list[Any] = []
    async with business.pool.acquire() as conn:
        only = queries.AccountFilter()
        while piece := await queries.list_accounts(
            conn, business.party_id, only, after=(found[-1].code, found[-1].currency) if found else None, limit=2
        ):
            found += piece
        assert [(one.code, one.currency) for one in found] == sorted((one.code, one.currency) for one in found)
        for currency in {one.currency for one in found}:
            assert sum(one.balance for one in found if one.currency == currency) == 0
        assert {one.currency for one in found} == {"EUR", "JPY"}
        revenue = next(one for one in found if one.code == "revenue:energy" and one.currency == "EUR")
        entries: list[Any] = []
        while piece2 := await queries.list_postings(
            conn,
            business.party_id,
            revenue.account_id,
            before=(entries[-1].number, entries[-1].position) if entries else None,
            limit=2,
        ):
            entries += piece2
        assert [one.number for one in entries] == sorted((one.number for one in entries), reverse=True)
        assert sum(one.amount for one in entries) == revenue.balance
        with pytest.raises(NotFound):
            await queries.get_account(conn, business.party_id, business.party_id)
    assert await business.faults() == []


# What somebody who owns the database could do, and what `ledger verify` says of it.
TAMPERED = {
    "update ledger_posting set amount_minor = amount_minor + 1 where number = 1 and position = 1": "entry 1 is off by 1",
    "delete from ledger_posting where number = 2 and position = 1": "entry 2 has 2 postings, not 3",
    "update ledger_balance set debit_minor = debit_minor + 1": "the balance of receivable:nobody in EUR",
    "delete from ledger_balance where debit_minor > 0": "the balance of receivable:nobody in EUR",
    "update ledger_standing set balance_minor = balance_minor + 1": "what is on receivable:nobody in EUR",
    "delete from ledger_standing where balance_minor > 0": "what is on receivable:nobody in EUR",
    "update ledger_sum set debit_minor = debit_minor + 1 where kind = 'receivable'": "the sum of receivable by cdr in 20",
    "insert into ledger_sum select party_id, currency, month, kind, 'x', entry_kind, 1, 1 from ledger_sum limit 1": (
        "is not what was posted"
    ),
    "update ledger_month set first_number = 2 where kind = 'cdr'": "the count of cdr in 20",
    "delete from ledger_month where kind = 'cdr_credit'": "the count of cdr_credit in 20",
    "update cdr set booked_on = booked_on + 1 where kind = 'charge'": "is not of the day on which it was booked",
    "update cdr set customer = 'driver:x'": "stands on no document, and would come on none",
    "insert into cdr_undocumented select cdr_id, party_id, customer, currency, ended_at from cdr where kind = 'credit'": (
        "would come on a document and is not to"
    ),
    "delete from ledger_posting where number = 2; delete from ledger_entry where number = 2": "entry 2 is missing",
    "delete from ledger_posting where number = 3; delete from ledger_entry where number = 3": "entry 3 is missing",
    "update ledger_head set last_number = 2": "entry 3 is beyond the end",
    "update ledger_posting set currency = 'JPY' where number = 1": "does not fit its entry",
    "update cdr set total = total + 1, before_taxes = before_taxes + 1 where version = 1 and kind = 'charge'": (
        "does not come to what its lines do"
    ),
    "update cdr set content = jsonb_set(content, '{cost,total}', '\"1\"')": "says something else than it",
    "update ledger_entry set cdr_id = null where number = 1": "has no entry",
    "update ledger_posting set amount_minor = -amount_minor where number = 2": "says something else than it",
    "insert into ledger_lock values ((select party_id from ledger_head), '2026-03-01', '2026-03-01Z', 'x')": (
        "after that month was closed"
    ),
}


OFF_GUARD = """
do $$
declare
    one record;
begin
    for one in select conrelid::regclass as of, conname as name from pg_constraint where contype in ('f', 'u')
        and conrelid::regclass::text in ('cdr', 'ledger_entry', 'ledger_posting', 'ledger_balance')
        order by contype
    loop
        execute format('alter table %s drop constraint %I', one.of, one.name);
    end loop;
    alter table cdr disable trigger user;
    alter table ledger_head disable trigger user;
    alter table ledger_entry disable trigger user;
    alter table ledger_posting disable trigger user;
end $$
"""


@pytest.mark.parametrize(("statement", "told"), TAMPERED.items(), ids=list(TAMPERED.values()))
async def test_verify_says_what_is_wrong(business: Business, statement: str, told: str) -> None:
    one, two = await business.session(), await business.session(10_000)
    await business.settles(one)
    await business.settles(two)
    await business.credits((await business.cdrs())[0].cdr_id)
    assert await business.faults() == []
    async with business.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            await conn.execute(OFF_GUARD)
            await conn.execute(statement)
            found = [fault.text for fault in (await look_over(conn, business.party_id)).faults]
        finally:
            await transaction.rollback()
    assert any(told in text for text in found), found
