"""Money into wallets and back, cards that sessions are charged to: with the sandbox as the provider."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.payments import applying
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import ReleaseOrder
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets import topping
from ohmstead.billing.wallets.model import AutoTopUp, WalletChange, WalletRefund
from ohmstead.core import clock
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.events import Event
from tests.paying.customers import Customers
from tests.payments.till import Clock, Till, eur

D = Decimal


@pytest.fixture
def time() -> Iterator[Clock]:
    source = Clock()
    clock.set_source(source)
    yield source
    clock.set_source(None)


@pytest.fixture
async def till(customers: Customers, time: Clock) -> Till:
    """The customers' business takes money."""
    return await Till(customers, time).opens()


async def hears(customers: Customers) -> None:
    """What happened to payments is told, all of it once more each time."""
    rows = await customers.pool.fetch(
        "select kind, subject, payload, party_id from outbox where kind in"
        " (select unnest($2::text[])) and party_id = $1 order by event_id",
        customers.party_id,
        list(topping.KINDS),
    )
    async with customers.pool.acquire() as conn, conn.transaction():
        await topping.notice_payments(conn, [Event(**dict(row)) for row in rows])


async def tops_up(till: Till, customers: Customers, driver_id: UUID, amount: str, card: str = "good") -> None:
    async with till.pool.acquire() as conn, conn.transaction():
        payment = await topping.top_up(conn, customers.actor, driver_id, eur(amount), till.providers)
    await till.checks_out(payment, card)
    await hears(customers)


async def gives_back(customers: Customers, driver_id: UUID, amount: str | None = None) -> WalletRefund:
    async with customers.pool.acquire() as conn, conn.transaction():
        wanted = D(amount) if amount is not None else None
        return await topping.refund_balance(conn, customers.actor, driver_id, "The driver moves away", wanted)


async def test_a_top_up_is_in_when_it_was_paid(till: Till, customers: Customers) -> None:
    driver_id = await customers.driver()
    await tops_up(till, customers, driver_id, "50.00")
    assert (await customers.wallet(driver_id)).balance == 50
    told = await customers.pool.fetch("select payload from outbox where kind = 'WalletToppedUp'")
    assert told[0]["payload"]["amount"] == "50.00"
    async with till.pool.acquire() as conn:
        for wrong in (D(0), D("0.001"), D(-5)):
            with pytest.raises(Invalid):
                await topping.top_up(conn, customers.actor, driver_id, eur(str(wrong)), till.providers)
    await till.is_right()


async def test_a_balance_goes_back_to_the_payments_that_it_came_from_the_newest_first(
    till: Till, customers: Customers, time: Clock
) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await customers.pays_with("wallet", driver_id=driver_id)
    for amount in ("10.00", "20.00"):
        await tops_up(till, customers, driver_id, amount)
        time.passes(minutes=1)
    async with customers.pool.acquire() as conn, conn.transaction():
        given = WalletChange(amount=D(5), currency="EUR", reason="A broken cable")
        await wallets.adjust(conn, customers.actor, driver_id, given)
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=16_000)
    first = await gives_back(customers, driver_id, "7")
    assert (first.amount, first.left, len(first.payment_ids)) == (D("7.00"), D(0), 1)
    wallet = await customers.wallet(driver_id)
    assert (wallet.balance, wallet.held, wallet.available) == (D(27), D(7), D(20))
    await till.works()
    await hears(customers)
    wallet = await customers.wallet(driver_id)
    assert (wallet.balance, wallet.held, wallet.available) == (D(20), D(0), D(20))
    rest = await gives_back(customers, driver_id)
    assert (rest.amount, rest.left, len(rest.payment_ids)) == (D("20.00"), D(0), 2)
    with pytest.raises(Refused):
        await gives_back(customers, driver_id)
    await till.works()
    await hears(customers)
    assert (await customers.wallet(driver_id)).balance == 0
    await till.is_right()


async def test_goodwill_alone_goes_back_to_no_card(till: Till, customers: Customers) -> None:
    driver_id = await customers.driver()
    with pytest.raises(NotFound):
        await gives_back(customers, driver_id)
    await customers.pays_with("wallet", driver_id=driver_id)
    async with customers.pool.acquire() as conn, conn.transaction():
        given = WalletChange(amount=D(5), currency="EUR", reason="A broken cable")
        await wallets.adjust(conn, customers.actor, driver_id, given)
    with pytest.raises(Refused, match="no payment"):
        await gives_back(customers, driver_id)


async def automatic(till: Till, customers: Customers, card: str) -> UUID:
    """A driver whose wallet fills itself: below 10, 30."""
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await customers.pays_with("wallet", driver_id=driver_id)
    method = await till.stores(driver_id, card)
    async with customers.pool.acquire() as conn, conn.transaction():
        given = AutoTopUp(below=D(10), amount=D(30), method_id=method.method_id)
        await wallets.set_auto_top_up(conn, customers.actor, driver_id, given)
    return driver_id


async def lows(customers: Customers, driver_id: UUID) -> int:
    """Looks twice whether it is to be filled; how many payments there are."""
    for _ in range(2):
        async with customers.pool.acquire() as conn, conn.transaction():
            await topping.top_up_if_low(conn, customers.party_id, driver_id)
    n: int = await customers.pool.fetchval("select count(*) from payment where purpose = 'top_up'")
    return n


async def test_a_wallet_fills_itself_one_payment_at_a_time(till: Till, customers: Customers) -> None:
    driver_id = await automatic(till, customers, "good")
    assert await lows(customers, driver_id) == 1
    await till.works()
    await hears(customers)
    assert (await customers.wallet(driver_id)).balance == 30
    assert await lows(customers, driver_id) == 1
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=50_000)
    assert await lows(customers, driver_id) == 2
    await till.works()
    await hears(customers)
    assert (await customers.wallet(driver_id)).balance == 35
    await till.is_right()


async def test_after_a_failed_top_up_it_rests_until_it_is_set_anew(till: Till, customers: Customers) -> None:
    driver_id = await automatic(till, customers, "good")
    method_id = (await customers.wallet(driver_id)).auto_top_up
    assert method_id is not None
    assert await lows(customers, driver_id) == 1
    payment_id = await customers.pool.fetchval("select payment_id from payment where purpose = 'top_up'")
    failed = {
        "payment_id": str(payment_id),
        "purpose": "top_up",
        "customer": f"driver:{driver_id}",
        "amount": "30.00",
        "currency": "EUR",
        "session_id": None,
    }
    await customers.hears("PaymentFailed", failed)
    assert (await customers.wallet(driver_id)).auto_failed_at is not None
    assert await lows(customers, driver_id) == 1
    async with customers.pool.acquire() as conn, conn.transaction():
        await wallets.set_auto_top_up(conn, customers.actor, driver_id, method_id)
    assert await lows(customers, driver_id) == 2


async def test_a_session_is_charged_to_the_stored_card_of_its_driver(till: Till, customers: Customers) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    method = await till.stores(driver_id)
    found = await customers.pays_with("card", driver_id=driver_id, method_id=method.method_id)
    assert found.name.endswith(method.last4)
    assert (await customers.asks("CARD-1"))[0] == "accepted"
    session_id = await customers.begins("CARD-1")
    await customers.ends(session_id, wh=20_000)
    await customers.pays()
    await till.works()
    assert (await customers.balances()).get(f"receivable:driver:{driver_id}") is None
    row = await customers.pool.fetchrow("select state, captured, cdr_id from payment where purpose = 'session'")
    (cdr,) = await customers.cdrs()
    assert row is not None
    assert (row["state"], row["captured"], row["cdr_id"]) == ("captured", 10, cdr.cdr_id)
    await till.is_right()


async def test_an_automatic_top_up_that_is_let_go_does_not_stand_in_the_way_of_the_next(
    till: Till, customers: Customers
) -> None:
    driver_id = await automatic(till, customers, "poor_later")
    assert await lows(customers, driver_id) == 1
    await till.works()
    payment_id = await customers.pool.fetchval("select payment_id from payment where purpose = 'top_up'")
    async with customers.pool.acquire() as conn, conn.transaction():
        given = ReleaseOrder(reason="They pay in another way")
        await payments.release_by_person(conn, customers.actor, payment_id, given)
    till.time.passes(hours=2)
    await till.works()
    await hears(customers)
    wallet = await customers.wallet(driver_id)
    assert wallet.auto_failed_at is not None
    async with customers.pool.acquire() as conn, conn.transaction():
        await wallets.set_auto_top_up(conn, customers.actor, driver_id, wallet.auto_top_up)
    assert await lows(customers, driver_id) == 2


async def _waits_for_a_lock(customers: Customers) -> None:
    for _ in range(500):
        if await customers.pool.fetchval("select exists (select from pg_locks where not granted)"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_who_gives_back_and_who_hears_of_a_top_up_do_not_wait_for_each_other(
    till: Till, customers: Customers
) -> None:
    driver_id = await customers.driver()
    await tops_up(till, customers, driver_id, "50.00")
    payment_id = await customers.pool.fetchval("select payment_id from payment where purpose = 'top_up'")
    async with customers.pool.acquire() as conn:
        async with conn.transaction():
            await applying.locked(conn, customers.party_id, payment_id)
            other = asyncio.create_task(gives_back(customers, driver_id))
            await _waits_for_a_lock(customers)
            await ledger.hold(conn, customers.party_id)  # as whatever captures and refunds does
        assert (await other).amount == 50


async def test_the_card_of_somebody_who_was_erased_fills_no_wallet(till: Till, customers: Customers) -> None:
    driver_id = await automatic(till, customers, "good")
    await customers.hears("DriverErased", {"driver_id": str(driver_id), "by": "system", "n_tokens": 1})
    assert (await customers.wallet(driver_id)).auto_top_up is None
    assert await lows(customers, driver_id) == 0
