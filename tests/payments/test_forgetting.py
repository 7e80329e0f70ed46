"""Cards that were removed and drivers who were erased: the provider forgets them, once what they owe is paid."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.paying import settling
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import StoredMethod
from ohmstead.billing.payments.ports import MethodRef, Order, PaymentProvider, Providers
from ohmstead.billing.payments.runner import Runner
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, ExternalFailure, NotFound
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.sessions.erasing import service as erasing
from ohmstead.stations.commands import CommandDesk
from tests.billing.network import Business, per_kwh
from tests.payments.fragile import FragilePool, FragileProvider, Fuse, Killed
from tests.payments.stripe_double import StripeDouble
from tests.payments.test_late_news import becomes_a_card, hears
from tests.payments.test_refunds import billed_to_a_card
from tests.payments.till import RETURN_URL, Clock, Till, eur

D = Decimal


@pytest.fixture
async def striped(till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble) -> Till:
    return Till(till.business, time, stripe, double)


async def driver(till: Till) -> UUID:
    driver_id = new_id()
    await till.pool.execute(
        "insert into driver (driver_id, party_id, name, email) values ($1, $2, 'Ada', 'ada@example.com')",
        driver_id,
        till.party_id,
    )
    return driver_id


async def erases(till: Till, driver_id: UUID, pool: Pool | None = None) -> None:
    async with till.pool.acquire() as conn, conn.transaction():
        await erasing.erase_driver(conn, access.system(till.party_id), driver_id)
    await hears_of_erasure(till, driver_id, till.pool)


async def hears_of_erasure(till: Till, driver_id: UUID, pool: Pool) -> None:
    event = Event("DriverErased", "x", {"driver_id": str(driver_id)}, party_id=till.party_id)
    async with pool.acquire() as conn, conn.transaction():
        await settling.notice_erased(conn, [event])


async def ref_of(till: Till, method: StoredMethod) -> MethodRef:
    row = await till.pool.fetchrow(
        "select provider_ref, customer_ref from stored_method where method_id = $1", method.method_id
    )
    assert row is not None
    return MethodRef(**dict(row))


def order() -> Order:
    return Order(
        payment_id=new_id(),
        party_id=new_id(),
        purpose="session",
        amount=eur("5.00"),
        is_hold=False,
        description="",
        return_url=RETURN_URL,
    )


async def is_gone(till: Till, ref: MethodRef) -> bool:
    """The provider itself takes nothing from it any more."""
    try:
        await till.provider.charge(order(), ref, ref=None, key=str(new_id()))
    except ExternalFailure as refused:
        return refused.permanent
    return False


async def waiting(till: Till) -> list[str]:
    rows = await till.pool.fetch(
        "select kind from method_removal where party_id = $1 and state = 'waiting' order by kind", till.party_id
    )
    return [row["kind"] for row in rows]


# ----------------------------------------------------------------------------------------------------- the port


async def test_what_is_gone_is_no_error(anywhere: Till) -> None:
    till = anywhere
    method = await till.stores(new_id())
    ref = await ref_of(till, method)
    for _ in range(2):
        await till.provider.forget_method(ref)
    assert await is_gone(till, ref)
    for _ in range(2):
        await till.provider.forget_customer(ref.customer_ref)
    await till.provider.forget_method(MethodRef(provider_ref="pm_nobody", customer_ref=""))
    await till.provider.forget_customer("cus_nobody")


async def test_whoever_is_forgotten_has_no_card_left_and_nobody_stores_one_for_them(anywhere: Till) -> None:
    till, driver_id = anywhere, new_id()
    ref = await ref_of(till, await till.stores(driver_id))
    await till.provider.forget_customer(ref.customer_ref)
    assert await is_gone(till, ref)
    opened = await till.provider.setup(new_id(), driver_id, email=None, return_url=RETURN_URL, key="s")
    for _ in range(2):
        await till.provider.forget_customer(opened.ref)
    with pytest.raises((AssertionError, NotFound)):
        await till.outside.pay(opened.ref, "good")


async def test_what_a_forgotten_card_paid_can_be_given_back(anywhere: Till) -> None:
    till, driver_id = anywhere, await driver(anywhere)
    method = await till.stores(driver_id)
    payment = await till.takes(method)
    await erases(till, driver_id)
    await till.works()
    assert await waiting(till) == []
    await till.refunds(payment, "2.00")
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == 2
    await till.is_right()


# -------------------------------------------------------------------------------------------------- cards removed


async def test_a_card_that_is_removed_is_detached_at_once(striped: Till, double: StripeDouble) -> None:
    till, driver_id = striped, new_id()
    method = await till.stores(driver_id)
    ref = await ref_of(till, method)
    await service.forget_method(till.pool, till.providers, till.party_id, driver_id, method.method_id)
    assert double.objects[ref.provider_ref]["customer"] is None
    assert not double.objects[ref.customer_ref].get("deleted")
    assert await waiting(till) == []


async def test_a_provider_that_does_not_answer_is_asked_until_it_did(striped: Till, double: StripeDouble) -> None:
    till, driver_id = striped, new_id()
    method = await till.stores(driver_id)
    ref = await ref_of(till, method)
    double.is_down = True
    await service.forget_method(till.pool, till.providers, till.party_id, driver_id, method.method_id)
    async with till.pool.acquire() as conn:
        assert await service.list_methods(conn, till.party_id, driver_id) == []
    for _ in range(40):  # for weeks
        till.time.passes(days=1)
        await till.runner.sweep()
    assert await waiting(till) == ["method"]
    double.is_down = False
    double.lose.append("/detach")  # done, and its answer lost
    for _ in range(2):
        till.time.passes(days=2)
        await till.works()
    assert double.objects[ref.provider_ref]["customer"] is None
    assert await waiting(till) == []
    assert [path for _, path, _ in double.asked if path.endswith("/detach")].count(
        f"/v1/payment_methods/{ref.provider_ref}/detach"
    ) >= 3


async def test_where_its_provider_is_not_set_up_it_waits(till: Till) -> None:
    driver_id = new_id()
    method = await till.stores(driver_id)
    ref = await ref_of(till, method)
    await service.forget_method(till.pool, Providers(), till.party_id, driver_id, method.method_id)
    assert await waiting(till) == ["method"]
    assert not await is_gone(till, ref)
    till.time.passes(minutes=1)
    await till.works()
    assert await waiting(till) == []
    assert await is_gone(till, ref)


# ------------------------------------------------------------------------------------------------ drivers erased


async def test_an_erased_driver_is_forgotten_with_all_their_cards(anywhere: Till) -> None:
    till, driver_id = anywhere, await driver(anywhere)
    first = await till.stores(driver_id)
    await till.stores(driver_id, "poor_later")
    kept = await till.stores(other := await driver(till))
    rows = await till.pool.fetch("select provider_ref, customer_ref from stored_method where driver_id = $1", driver_id)
    found = [MethodRef(**dict(row)) for row in rows]
    assert len({ref.provider_ref for ref in found}) == 2
    await erases(till, driver_id)
    async with till.pool.acquire() as conn:
        assert await service.list_methods(conn, till.party_id, driver_id) == []
        with pytest.raises(NotFound):
            await service.set_default_method(conn, till.party_id, driver_id, first.method_id)
    await till.works()
    await hears_of_erasure(till, driver_id, till.pool)
    await till.works()
    assert await waiting(till) == []
    for ref in found:
        assert await is_gone(till, ref)
    rows = await till.pool.fetch("select brand, last4, expires_on from stored_method where driver_id = $1", driver_id)
    assert {tuple(row) for row in rows} == {("", "", None)}
    with pytest.raises(Conflict):
        await till.takes(first)
    assert not await is_gone(till, await ref_of(till, kept))
    async with till.pool.acquire() as conn:
        assert [one.last4 for one in await service.list_methods(conn, till.party_id, other)] == [kept.last4]


async def test_stripe_deletes_who_was_erased_after_their_cards(striped: Till, double: StripeDouble) -> None:
    till, driver_id = striped, await driver(striped)
    ref = await ref_of(till, await till.stores(driver_id))
    left = await service.store_method(
        till.pool, till.providers, till.party_id, driver_id, RETURN_URL, email="ada@example.com"
    )
    await erases(till, driver_id)
    double.lose.append("/customers/")
    for _ in range(3):
        await till.works()
        till.time.passes(minutes=1)
    page = next(raw for raw in double.objects.values() if raw.get("url") == left.url)
    assert page["status"] == "expired"
    assert double.objects[ref.customer_ref]["deleted"]
    assert double.objects[page["customer"]]["deleted"]
    assert double.objects[page["customer"]]["email"] is None
    paths = [path for _, path, _ in double.asked]
    assert paths.index(f"/v1/payment_methods/{ref.provider_ref}/detach") < paths.index(
        f"/v1/customers/{ref.customer_ref}"
    )
    assert await waiting(till) == []
    setup = await service.refresh_setup(till.pool, till.providers, till.party_id, left.setup_id)
    assert (setup.state, setup.failure) == ("failed", "erased")


async def test_a_card_that_was_being_stored_when_its_driver_was_erased_is_forgotten(till: Till) -> None:
    driver_id = await driver(till)

    class Slow:
        """The driver is erased while the provider makes the page."""

        def __getattr__(self, name: str) -> Any:
            return getattr(till.sandbox, name)

        async def setup(self, *args: Any, **more: Any) -> Any:
            opened = await till.sandbox.setup(*args, **more)
            await erases(till, driver_id)
            return opened

    made = await service.store_method(
        till.pool, Providers(cast("PaymentProvider", Slow())), till.party_id, driver_id, RETURN_URL
    )
    assert (made.state, made.url) == ("failed", None)
    assert await waiting(till) == ["customer"]
    await till.works()
    assert await waiting(till) == []
    assert await till.pool.fetchval("select count(*) from sandbox_object") == 0


async def test_a_charge_that_the_bank_refused_for_now_is_made_before_the_card_goes(anywhere: Till) -> None:
    till, driver_id = anywhere, await driver(anywhere)
    method = await till.stores(driver_id, "poor_later")
    ref = await ref_of(till, method)
    payment = await till.takes(method)
    assert payment.state == "created"
    await erases(till, driver_id)
    await till.works()
    assert sorted(await waiting(till)) == ["customer", "method"]
    if till.provider is till.sandbox:
        await becomes_a_card(till, "good")
    else:
        cast("StripeDouble", till.outside).objects[ref.provider_ref]["_card"] = "good"
    till.time.passes(hours=2)
    await till.works()
    till.time.passes(minutes=20)
    await till.works()
    assert (await till.payment(payment.payment_id)).captured == 12
    assert await waiting(till) == []
    assert await is_gone(till, ref)
    assert await till.debts() == []
    await till.is_right()


async def test_a_direct_debit_that_is_on_its_way_is_waited_for(striped: Till, double: StripeDouble) -> None:
    till, driver_id = striped, await driver(striped)
    method = await till.stores(driver_id, "slow_debit")
    payment = await till.takes(method)
    assert payment.state == "authorizing"
    await erases(till, driver_id)
    till.time.passes(days=3)
    await till.works()
    assert sorted(await waiting(till)) == ["customer", "method"]
    double.clears(
        await till.pool.fetchval("select provider_ref from payment where payment_id = $1", payment.payment_id)
    )
    for _ in range(2):
        await till.works()
        till.time.passes(minutes=20)
    await till.works()
    assert (await till.payment(payment.payment_id)).state == "captured"
    assert await waiting(till) == []


async def test_what_the_bank_refuses_all_week_stays_owed_and_the_card_goes_all_the_same(till: Till) -> None:
    driver_id = await driver(till)
    method = await till.stores(driver_id, "poor_later")
    await till.takes(method)
    await erases(till, driver_id)
    for _ in range(8):
        till.time.at += timedelta(days=1)
        await till.works()
    assert await waiting(till) == []
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(D(12), "insufficient_funds")]
    assert await is_gone(till, await ref_of(till, method))


async def test_a_session_that_is_not_billed_yet_is_paid_before_the_card_goes(till: Till) -> None:
    driver_id = await driver(till)
    method = await till.stores(driver_id)
    session_id = await till.business.session(token_uid="CARD", settled_at=None)
    await till.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, 'card', '2020-01-01Z')",
        till.party_id,
        driver_id,
    )
    await till.pool.execute(
        "insert into session_cover (session_id, party_id, kind, ref, source) values ($1, $2, 'card', $3, 'driver')",
        session_id,
        till.party_id,
        str(method.method_id),
    )
    await erases(till, driver_id)
    await till.works()
    assert sorted(await waiting(till)) == ["customer", "method"]
    await till.pool.execute("update session set settled_at = ended_at where session_id = $1", session_id)
    await till.business.settles(session_id)
    till.time.passes(minutes=16)
    await till.works()
    assert sorted(await waiting(till)) == ["customer", "method"], "billed, and not charged yet"
    await hears(till)
    till.time.passes(minutes=16)
    await till.works()
    assert await waiting(till) == []
    kept = await till.pool.fetchval("select sum(captured - refunded) from payment")
    assert kept == D("11.86")
    assert await is_gone(till, await ref_of(till, method))
    # What the card paid is less later: it goes back all the same. What is more is owed, by nobody that we know.
    await till.business.becomes(session_id, 10_000)
    await till.business.settles(session_id)
    await hears(till)
    assert await till.pool.fetchval("select sum(captured - refunded) from payment") == D("5.93")
    await till.is_right()


async def test_a_session_that_never_comes_holds_a_card_for_a_week_at_most(till: Till) -> None:
    session_id, payment = await billed_to_a_card(till)
    driver_id = UUID(payment.customer.removeprefix("driver:"))
    await till.pool.execute("delete from payment_operation")
    await till.pool.execute(
        "insert into session_cover (session_id, party_id, kind, ref, source) values ($1, $2, 'card', $3, 'driver')",
        await till.business.session(token_uid="CARD", settled_at=None),
        till.party_id,
        str(payment.method_id),
    )
    await erases(till, driver_id)
    till.time.passes(days=6)
    await till.works()
    assert sorted(await waiting(till)) == ["customer", "method"]
    till.time.passes(days=2)
    await till.works()
    assert await waiting(till) == []
    assert session_id is not None


async def farewell(pool: Pool, time: Clock, at: int) -> tuple[int, bool]:
    """A driver with a charge under way is erased, in a process that dies at a step; how many there were."""
    till = await Till(await Business(pool).founded(per_kwh("0.49")), time).opens()
    driver_id = await driver(till)
    method = await till.stores(driver_id)
    ref = await ref_of(till, method)
    async with till.pool.acquire() as conn, conn.transaction():
        made = await service.charge_off_session(
            conn, till.party_id, method.method_id, "invoice", eur("5.00"), "k", customer=f"driver:{driver_id}"
        )
    async with till.pool.acquire() as conn, conn.transaction():
        await erasing.erase_driver(conn, access.system(till.party_id), driver_id)
    fuse = Fuse(at)
    fragile = cast("Pool", FragilePool(till.pool, fuse))
    providers = Providers(cast("PaymentProvider", FragileProvider(till.sandbox, fuse)))
    try:
        await hears_of_erasure(till, driver_id, fragile)
        await Runner(fragile, providers, cast("CommandDesk", till.station)).settle_down()
    except Killed:
        pass
    await hears_of_erasure(till, driver_id, till.pool)
    for _ in range(3):
        till.time.passes(minutes=20)
        await till.works()
    assert (await till.payment(made.payment_id)).captured == 5, at
    assert await waiting(till) == [], at
    assert await is_gone(till, ref), at
    assert await till.debts() == [], at
    return fuse.n, fuse.is_burnt


@pytest.mark.slow
async def test_killed_at_any_step_an_erased_driver_has_paid_and_is_forgotten(db: Pool, time: Clock) -> None:
    n_steps, _ = await farewell(db, time, 0)
    assert n_steps > 8
    died = 0
    for at in range(1, n_steps + 1):
        _, is_burnt = await farewell(db, time, at)
        died += is_burnt
    assert died == n_steps
