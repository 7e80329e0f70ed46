"""Stored cards: set up by their owner, charged without them, refused in all the ways that banks have."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ohmstead.billing.payments import service
from ohmstead.core.errors import Conflict, NotFound
from ohmstead.core.ids import new_id
from tests.payments.till import RETURN_URL, Till, eur


async def test_a_card_is_stored_and_charged_once_for_each_key(anywhere: Till) -> None:
    till, driver_id = anywhere, new_id()
    method = await till.stores(driver_id)
    assert (method.kind, method.is_default, len(method.last4)) == ("card", True, 4)
    assert method.expires_on is not None
    payment = await till.takes(method)
    again = await till.takes(method)
    assert (payment.state, payment.captured, again.payment_id) == ("captured", Decimal(12), payment.payment_id)
    with pytest.raises(Conflict):
        await till.takes(method, "13.00")
    assert (await till.balances())[f"receivable:driver:{driver_id}"] == -12
    await till.is_right()


async def test_a_top_up_is_the_drivers_own_money(till: Till) -> None:
    driver_id = new_id()
    payment = await till.checks_out(await till.orders("top_up", f"driver:{driver_id}", "25.00", key="one"))
    assert (await till.orders("top_up", f"driver:{driver_id}", "25.00", key="one")).payment_id == payment.payment_id
    assert await till.balances() == {"psp_clearing:sandbox": 25, f"wallet:driver:{driver_id}": -25}
    await till.is_right()


async def test_a_soft_refusal_is_tried_on_other_days_and_then_owed(anywhere: Till) -> None:
    till, driver_id = anywhere, new_id()
    method = await till.stores(driver_id, "poor_later")
    payment = await till.takes(method)
    assert (payment.state, payment.failure) == ("created", "insufficient_funds")
    for pause in (timedelta(hours=2), timedelta(days=2), timedelta(days=4)):
        assert await till.debts() == []
        till.time.at += pause
        await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.failure) == ("failed", "insufficient_funds")
    assert [(debt.amount, debt.customer) for debt in await till.debts()] == [(Decimal(12), f"driver:{driver_id}")]
    assert await till.facts() == ["PaymentFailed", "DebtOpened"]
    await till.is_right()


async def test_a_bank_that_wants_the_owner_is_not_asked_again(anywhere: Till) -> None:
    till, driver_id = anywhere, new_id()
    method = await till.stores(driver_id, "proof")
    payment = await till.takes(method)
    assert (payment.state, payment.failure) == ("failed", "authentication_required")
    (debt,) = await till.debts()
    assert debt.reason == "authentication_required"
    if till.provider is till.sandbox:
        order = await till.orders("debt", f"driver:{driver_id}", "12.00")
        page = await service.checkout(till.pool, till.providers, till.party_id, order.payment_id, RETURN_URL)
        ref = page.url.rpartition("/")[2]
        assert (await till.sandbox.pay(ref, "proof")).state == "proof"
        await till.works()
        assert (await till.payment(order.payment_id)).state == "authorizing"
        await till.sandbox.prove(ref, is_them=True)
        await till.works()
        assert await till.debts() == []
    await till.is_right()


async def test_a_card_that_is_removed_meanwhile_is_not_charged(anywhere: Till) -> None:
    till, driver_id = anywhere, new_id()
    method = await till.stores(driver_id)
    async with till.pool.acquire() as conn, conn.transaction():
        made = await service.charge_off_session(
            conn, till.party_id, method.method_id, "invoice", eur("5.00"), "k", customer=f"driver:{driver_id}"
        )
    await service.forget_method(till.pool, till.providers, till.party_id, driver_id, method.method_id)
    await till.works()
    payment = await till.payment(made.payment_id)
    assert (payment.state, payment.failure) == ("failed", "method_removed")
    with pytest.raises(Conflict):
        await till.takes(method, key="other")
    with pytest.raises(NotFound):
        await service.forget_method(till.pool, till.providers, till.party_id, new_id(), method.method_id)


async def test_a_cdr_that_was_charged_to_a_card_is_given_back_when_it_is_credited(till: Till) -> None:
    driver_id = new_id()
    method = await till.stores(driver_id)
    session_id = await till.business.session()
    await till.business.settles(session_id)
    (cdr,) = await till.business.cdrs()
    payment = await till.takes(
        method, "11.86", purpose="session", key=f"cdr:{cdr.cdr_id}", cdr_id=cdr.cdr_id, session_id=session_id
    )
    assert payment.state == "captured"
    await till.hears_of_bills()
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == 0
    await till.business.credits(cdr.cdr_id)
    await till.hears_of_bills()
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == Decimal("11.86")
    await till.is_right()


async def test_the_next_card_is_used_when_the_first_is_removed(till: Till) -> None:
    driver_id = new_id()
    first = await till.stores(driver_id)
    second = await till.stores(driver_id)
    async with till.pool.acquire() as conn, conn.transaction():
        found = await service.list_methods(conn, till.party_id, driver_id)
        assert [one.is_default for one in found] == [True, False]
        other = found[1]
        await service.set_default_method(conn, till.party_id, driver_id, other.method_id)
        assert (await service.list_methods(conn, till.party_id, driver_id))[0].method_id == other.method_id
        with pytest.raises(NotFound):
            await service.set_default_method(conn, till.party_id, new_id(), other.method_id)
    await service.forget_method(till.pool, till.providers, till.party_id, driver_id, other.method_id)
    async with till.pool.acquire() as conn:
        (left,) = await service.list_methods(conn, till.party_id, driver_id)
    assert left.is_default
    assert {first.method_id, second.method_id} >= {left.method_id}
