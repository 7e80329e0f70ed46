"""A prepaid wallet: no start without cover, a session holds what it may spend, its bill takes what it cost."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.billing.ledger.entries import amount_of
from ohmstead.billing.wallets import queries
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets.model import WalletChange
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.money import Money
from tests.paying.customers import Customers


async def prepaid(customers: Customers, amount: str = "0", uid: str = "CARD-1") -> UUID:
    driver_id = await customers.driver()
    await customers.card(uid, driver_id)
    await customers.pays_with("wallet", driver_id=driver_id)
    if amount != "0":
        await customers.puts_in(driver_id, amount)
    return driver_id


async def figures(customers: Customers, driver_id: UUID) -> tuple[str, str, str, str]:
    """Balance, held, due, available."""
    one = await customers.wallet(driver_id)
    return str(one.balance), str(one.held), str(one.due), str(one.available)


async def test_without_credit_nothing_begins_and_with_it_a_session_holds_what_it_may_spend(
    customers: Customers,
) -> None:
    driver_id = await prepaid(customers)
    status, terms = await customers.asks("CARD-1")
    assert status == "no_credit"
    assert await customers.holds() == []
    await customers.puts_in(driver_id, "50")
    assert (await customers.asks("card-1", is_start=False))[0] == "accepted"
    assert await customers.holds() == []
    status, terms = await customers.asks("CARD-1")
    assert status == "accepted"
    assert terms is not None
    assert terms.credit == Money(Decimal("50.00"), "EUR")
    assert await customers.holds() == [(f"driver:{driver_id}", 2000)]
    assert await figures(customers, driver_id) == ("50.00", "20.00", "0.00", "30.00")


async def test_the_same_start_told_again_holds_nothing_more(customers: Customers) -> None:
    driver_id = await prepaid(customers, "30")
    for _ in range(3):
        assert (await customers.asks("CARD-1"))[0] == "accepted"
    session_id = await customers.begins("CARD-1")
    assert (await customers.asks("CARD-1", session_id=session_id))[0] == "accepted"
    assert await customers.holds() == [(f"driver:{driver_id}", 2000)]


async def test_a_session_is_billed_paid_and_holds_nothing_afterwards(customers: Customers) -> None:
    driver_id = await prepaid(customers, "50")
    await customers.asks("CARD-1")
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=23_000)
    await customers.pays()
    assert await figures(customers, driver_id) == ("38.50", "0.00", "0.00", "38.50")
    assert await customers.holds() == []
    assert await customers.balances() == {
        "psp_clearing:sandbox": 50,
        f"wallet:driver:{driver_id}": Decimal("-38.50"),
        "revenue:energy": Decimal("-11.50"),
    }
    assert await customers.faults() == []


async def test_less_than_the_least_begins_nothing(customers: Customers) -> None:
    await prepaid(customers, "0.99")
    status, terms = await customers.asks("CARD-1")
    assert status == "no_credit"
    assert terms is not None
    assert terms.credit == Money(Decimal("0.99"), "EUR")


async def test_two_cards_of_one_wallet_at_two_gateways_never_hold_the_same_money(customers: Customers) -> None:
    driver_id = await prepaid(customers, "21")
    await customers.card("CARD-2", driver_id)
    async with customers.pool.acquire() as one, customers.pool.acquire() as other:
        first = one.transaction()
        await first.start()
        assert (await customers.asks("CARD-1", conn=one))[0] == "accepted"
        waiting = asyncio.create_task(customers.asks("CARD-2", station="ELSEWHERE", conn=other))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await first.commit()
        assert (await waiting)[0] == "accepted"
    assert sorted(await customers.holds(), key=lambda hold: -hold[1]) == [
        (f"driver:{driver_id}", 2000),
        (f"driver:{driver_id}", 100),
    ]
    await customers.card("CARD-3", driver_id)
    assert (await customers.asks("CARD-3"))[0] == "no_credit"


async def test_ten_cards_at_once_hold_no_more_than_there_is(customers: Customers) -> None:
    driver_id = await prepaid(customers, "45")
    for n in range(2, 11):
        await customers.card(f"CARD-{n}", driver_id)
    told = await asyncio.gather(*(customers.asks(f"CARD-{n}", station=f"ST-{n}") for n in range(1, 8)))
    assert sorted(status for status, _ in told) == ["accepted"] * 3 + ["no_credit"] * 4
    assert sum(minor for _, minor in await customers.holds()) == 4500
    assert (await figures(customers, driver_id))[3] == "0.00"


async def test_what_a_session_holds_is_raised_as_it_goes_on_until_nothing_is_left(customers: Customers) -> None:
    driver_id = await prepaid(customers, "50")
    await customers.asks("CARD-1")
    session_id = await customers.begins("CARD-1")
    seen = []
    for spent in ("0", "9", "10.50", "25", "39", "44"):
        await customers.costs(session_id, spent)
        (limit,) = await customers.limits([session_id])
        assert limit is not None
        seen.append((str(limit.limit.amount), limit.warn_at < limit.limit))
    assert seen == [
        ("20.00", False),
        ("20.00", False),
        ("30.50", False),
        ("45.00", False),
        ("50.00", True),
        ("50.00", True),
    ]
    assert await customers.holds() == [(f"driver:{driver_id}", 5000)]
    assert await customers.pool.fetchval("select limit_amount from session_cover") == Decimal("50.00")


async def test_two_sessions_share_what_there_is(customers: Customers) -> None:
    driver_id = await prepaid(customers, "50")
    await customers.card("CARD-2", driver_id)
    sessions = []
    for uid in ("CARD-1", "CARD-2"):
        await customers.asks(uid)
        sessions.append(await customers.begins(uid))
    for one in sessions:
        await customers.costs(one, "19")
    limits = await customers.limits(sessions)
    assert sorted(str(limit.limit.amount) for limit in limits if limit) == ["20.00", "30.00"]
    assert sum(minor for _, minor in await customers.holds()) == 5000


async def test_a_session_that_began_without_being_asked_about_is_held_to_what_there_is(customers: Customers) -> None:
    await prepaid(customers, "5")
    session_id = await customers.begins("CARD-1")
    (limit,) = await customers.limits([session_id])
    assert limit is not None
    assert limit.limit == Money(Decimal("5.00"), "EUR")


async def test_what_a_wallet_cannot_pay_is_due_and_paid_by_what_comes_in_next(customers: Customers) -> None:
    driver_id = await prepaid(customers, "5")
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=20_000)
    assert await figures(customers, driver_id) == ("0.00", "0.00", "5.00", "0.00")
    assert (await customers.asks("CARD-1"))[0] == "no_credit"
    assert (await customers.balances())[f"receivable:driver:{driver_id}"] == 5
    await customers.puts_in(driver_id, "3")
    assert await figures(customers, driver_id) == ("0.00", "0.00", "2.00", "0.00")
    await customers.puts_in(driver_id, "10")
    assert await figures(customers, driver_id) == ("8.00", "0.00", "0.00", "8.00")
    assert f"receivable:driver:{driver_id}" not in await customers.balances()
    assert await customers.faults() == []


async def test_a_bill_never_takes_what_another_session_holds(customers: Customers) -> None:
    driver_id = await prepaid(customers, "40")
    await customers.card("CARD-2", driver_id)
    sessions = []
    for uid in ("CARD-1", "CARD-2"):
        await customers.asks(uid)
        sessions.append(await customers.begins(uid))
    await customers.ends(sessions[0], wh=60_000)
    assert await figures(customers, driver_id) == ("20.00", "20.00", "10.00", "0.00")
    await customers.ends(sessions[1], wh=40_000)
    assert await figures(customers, driver_id) == ("0.00", "0.00", "10.00", "0.00")


async def test_a_credited_bill_goes_back_into_the_wallet(customers: Customers) -> None:
    driver_id = await prepaid(customers, "50")
    await customers.asks("CARD-1")
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=20_000)
    (cdr,) = await customers.cdrs()
    await customers.credits(cdr.cdr_id)
    await customers.pays()
    await customers.pays()
    assert await figures(customers, driver_id) == ("50.00", "0.00", "0.00", "50.00")
    assert await customers.balances() == {"psp_clearing:sandbox": 50, f"wallet:driver:{driver_id}": -50}
    assert await customers.faults() == []


async def test_a_session_that_is_not_billed_lets_its_hold_go(customers: Customers) -> None:
    driver_id = await prepaid(customers, "50")
    await customers.asks("CARD-1")
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=0)
    assert await customers.unbillable() == {session_id: ("no_energy", None)}
    assert await figures(customers, driver_id) == ("50.00", "0.00", "0.00", "50.00")


async def test_goodwill_has_its_own_entry_and_its_reason(customers: Customers) -> None:
    driver_id = await prepaid(customers, "10")

    async def adjusts(amount: str, reason: str = "A broken cable", currency: str = "EUR") -> None:
        async with customers.pool.acquire() as conn, conn.transaction():
            given = WalletChange(amount=Decimal(amount), currency=currency, reason=reason)
            await wallets.adjust(conn, customers.actor, driver_id, given)

    await adjusts("5")
    assert await figures(customers, driver_id) == ("15.00", "0.00", "0.00", "15.00")
    await adjusts("-2.50")
    for amount, reason, currency, error in [
        ("-20", "x", "EUR", Refused),
        ("0", "x", "EUR", Invalid),
        ("0.001", "x", "EUR", Invalid),
        ("1", " ", "EUR", Invalid),
        ("1", "x", "USD", Invalid),
    ]:
        with pytest.raises(error):
            await adjusts(amount, reason, currency)
    assert (await customers.balances())["fees:goodwill"] == Decimal("2.50")
    async with customers.pool.acquire() as conn:
        told = await queries.list_entries(conn, customers.party_id, driver_id)
        assert [(one.kind, str(one.amount), one.text) for one in told] == [
            ("wallet_adjustment", "-2.50", "A broken cable"),
            ("wallet_adjustment", "5.00", "A broken cable"),
            ("top_up", "10.00", ""),
        ]
        assert await queries.list_entries(conn, customers.party_id, driver_id, before=(told[1].number, 0)) == told[2:]
    done = await customers.pool.fetch("select action from audit_entry order by number desc limit 1")
    assert done[0]["action"] == "wallet.adjusted"
    assert amount_of(1250, "EUR") == (await customers.wallet(driver_id)).balance
    assert await customers.faults() == []


async def test_wallets_of_another_party_are_not_there(customers: Customers) -> None:
    driver_id = await prepaid(customers, "10")
    other = await Customers(customers.pool).founded()
    with pytest.raises(NotFound):
        await other.wallet(driver_id)
    async with customers.pool.acquire() as conn:
        assert await queries.list_entries(conn, other.party_id, driver_id) == []
        with pytest.raises(NotFound):
            await wallets.open_wallet(conn, other.actor, driver_id)


async def test_a_little_is_told_once(customers: Customers) -> None:
    driver_id = await prepaid(customers, "10")
    for _ in range(2):
        session_id = await customers.begins("CARD-1")
        await customers.ends(session_id, wh=20_000)
    told = await customers.pool.fetch("select payload from outbox where kind = 'WalletLow'")
    assert [row["payload"]["available"] for row in told] == ["0.00"]
    assert str(driver_id) == told[0]["payload"]["driver_id"]
