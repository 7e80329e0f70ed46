"""Guests without an account: held, begun, captured; or let go, and told why. Over the sandbox and over Stripe's double."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ohmstead.billing.payments import adhoc, service
from ohmstead.billing.payments.model import PaymentSetting
from ohmstead.core.errors import Conflict, NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.tokens import store as tokens
from tests.billing.network import Business, per_kwh
from tests.payments.till import Till, eur


async def test_a_guest_is_held_begins_and_pays_exactly_what_it_cost(anywhere: Till) -> None:
    till = anywhere
    begun = await till.guest(email="guest@example.com", language="de")
    assert (begun.amount, begun.currency) == (Decimal("40.00"), "EUR")
    assert till.station.asked == []
    await till.pays(begun.url)
    await till.works()
    payment = await till.payment(begun.payment_id)
    assert (payment.state, payment.customer) == ("held", f"payment:{payment.payment_id}")
    (start,) = till.station.starts
    assert (start.token_uid, start.token_type, start.evse_number) == (payment.token_uid, "DirectPayment", 1)
    assert len(start.token_uid) == 20
    assert start.limit is not None
    assert start.limit.max_cost == Decimal(40)
    session_id = await till.plugs_in(payment)
    await till.ends(session_id)
    await till.works()
    payment = await till.payment(begun.payment_id)
    assert (payment.state, payment.captured, payment.session_id) == ("captured", eur("11.86").amount, session_id)
    assert payment.cdr_id is not None
    assert await till.facts() == ["PaymentHeld", "PaymentCaptured", "PaymentSettled"]
    balances = await till.balances()
    assert balances[f"psp_clearing:{payment.provider}"] == Decimal("11.86")
    assert f"receivable:payment:{payment.payment_id}" not in balances
    assert await till.debts() == []
    await till.hears_of_bills()
    await till.works()
    assert (await till.payment(begun.payment_id)).version == payment.version
    await till.is_right()


async def test_nothing_begins_before_it_is_held(anywhere: Till) -> None:
    till = anywhere
    begun = await till.guest()
    await till.works()
    await till.pays(begun.url, "declined")
    await till.works()
    assert till.station.asked == []
    payment = await till.payment(begun.payment_id)
    assert payment.state == "authorizing"
    assert await till.pool.fetchval("select count(*) from token") == 0


async def test_who_does_not_pay_in_time_leaves_the_outlet_to_others(anywhere: Till) -> None:
    till = anywhere
    begun = await till.guest()
    with pytest.raises(Conflict) as refused:
        await till.guest()
    assert refused.value.detail["code"] == "being_paid"
    till.time.passes(minutes=11)
    await till.works()
    payment = await till.payment(begun.payment_id)
    assert (payment.state, payment.failure) == ("released", "not_paid")
    assert await till.facts() == ["PaymentReleased"]
    second = await till.guest()
    assert second.payment_id != begun.payment_id


async def test_a_hold_with_which_nothing_begins_is_let_go_and_its_token_is_no_good(anywhere: Till) -> None:
    till = anywhere
    payment = await till.holds()
    assert payment.token_uid is not None
    till.time.passes(minutes=6)
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.failure, payment.captured) == ("released", "no_session", Decimal(0))
    assert await token_status(till, str(payment.token_uid)) == "blocked"
    assert await till.balances() == {}
    await till.is_right()


@pytest.mark.parametrize(
    ("said", "failure"),
    [("rejected", "start_refused"), ("offline", "station_offline"), ("timed_out", "station_offline")],
)
async def test_a_start_that_the_station_refuses_lets_the_hold_go(till: Till, said: str, failure: str) -> None:
    till.station.says = said
    payment = await till.holds()
    assert (payment.state, payment.failure) == ("released", failure)
    assert await till.facts() == ["PaymentHeld", "PaymentReleased"]


async def test_a_session_that_costs_nothing_takes_nothing(till: Till) -> None:
    payment = await till.holds()
    await till.ends(await till.plugs_in(payment), wh=0)
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.failure, payment.captured) == ("released", "not_billed", Decimal(0))
    assert await till.debts() == []
    await till.is_right()


async def test_what_is_more_than_was_held_is_owed_and_can_be_settled(anywhere: Till) -> None:
    till = anywhere
    payment = await till.charges(wh=80_000)  # 47.43
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured) == ("captured", Decimal(40))
    (debt,) = await till.debts()
    assert (debt.amount, debt.reason, debt.customer) == (Decimal("7.43"), "over_hold", payment.customer)
    assert (await till.balances())[f"receivable:{payment.customer}"] == Decimal("7.43")
    await till.hears_of_bills()
    assert len(await till.debts()) == 1
    settling = await till.orders("debt", payment.customer, "7.43", debt_id=debt.debt_id)
    assert (await till.checks_out(settling)).state == "captured"
    (debt,) = await till.debts(is_open=False)
    assert (debt.settled_how, debt.settled_by) == ("paid", settling.payment_id)
    assert await till.debts() == []
    assert f"receivable:{payment.customer}" not in await till.balances()
    assert (await till.facts("Debt")) == ["DebtOpened", "DebtSettled"]
    await till.hears_of_bills()
    await till.works()
    assert await till.debts() == []
    await till.is_right()


async def test_a_part_of_a_debt_may_be_paid_and_what_nobody_owes_is_given_back(till: Till) -> None:
    payment = await till.charges(wh=80_000)
    await till.works()
    part = await till.checks_out(await till.orders("debt", payment.customer, "5.00"))
    assert part.state == "captured"
    (rest,) = await till.debts()
    assert rest.amount == Decimal("2.43")
    too_much = await till.checks_out(await till.orders("debt", payment.customer, "3.00"))
    assert (too_much.captured, too_much.refunded) == (Decimal(3), Decimal("0.57"))
    assert await till.debts() == []
    assert f"receivable:{payment.customer}" not in await till.balances()
    await till.is_right()


async def test_a_credited_cdr_gives_back_what_was_paid(anywhere: Till) -> None:
    till = anywhere
    payment = await till.charges()
    await till.works()
    (cdr,) = await till.business.cdrs()
    await till.business.credits(cdr.cdr_id)
    await till.hears_of_bills()
    await till.hears_of_bills()
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.captured, payment.refunded) == (Decimal("11.86"), Decimal("11.86"))
    assert await till.balances() == {}
    await till.is_right()


@pytest.mark.parametrize(("wh", "refunded", "owed"), [(10_000, "5.93", None), (30_000, "0", "5.93")])
async def test_a_correction_gives_back_the_difference_or_leaves_it_owed(
    till: Till, wh: int, refunded: str, owed: str | None
) -> None:
    payment = await till.charges()
    await till.works()
    assert payment.session_id is not None
    await till.business.becomes(payment.session_id, wh)
    await till.business.settles(payment.session_id)
    await till.hears_of_bills()
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert payment.refunded == Decimal(refunded)
    assert [str(debt.amount) for debt in await till.debts()] == ([owed] if owed else [])
    await till.is_right()


async def test_a_correction_before_the_capture_is_what_is_captured(till: Till) -> None:
    payment = await till.charges()
    assert payment.session_id is not None
    await till.business.becomes(payment.session_id, 10_000)
    await till.business.settles(payment.session_id)
    await till.hears_of_bills()
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert payment.kept == Decimal("5.93")
    await till.is_right()


async def test_two_payers_for_one_plug_are_one_and_the_next_may_when_it_is_over(till: Till) -> None:
    payment = await till.holds()
    with pytest.raises(Conflict):
        await till.guest()
    beside = await till.holds(evse_number=2)
    assert beside.state == "held"
    session_id = await till.plugs_in(payment)
    with pytest.raises((Conflict, Refused)):
        await till.guest()
    await till.ends(session_id)
    await till.works()
    assert (await till.guest()).amount == 40


async def test_a_token_starts_one_session(till: Till) -> None:
    payment = await till.holds()
    assert payment.token_uid is not None
    session_id = await till.plugs_in(payment)
    await till.ends(session_id)
    await till.works()
    assert await token_status(till, payment.token_uid) == "blocked"
    # A second one that came all the same is ended: nothing covers it.
    till.time.passes(hours=2)
    again = await till.plugs_in(await till.payment(payment.payment_id))
    await till.works()
    assert again != session_id
    assert [type(one).__name__ for one in till.station.asked] == ["RemoteStart", "RemoteStop"]


async def test_a_session_that_begins_as_its_hold_is_let_go_is_ended(till: Till) -> None:
    payment = await till.holds()
    till.time.passes(minutes=6)
    await till.works()
    await till.plugs_in(await till.payment(payment.payment_id))
    await till.works()
    assert [type(one).__name__ for one in till.station.asked] == ["RemoteStart", "RemoteStop"]


@pytest.mark.parametrize(("how", "code"), [("offline", "offline"), ("in_use", "in_use"), ("no_price", "no_price")])
async def test_nobody_pays_where_nothing_can_begin(till: Till, how: str, code: str) -> None:
    if how == "offline":
        await till.pool.execute("update station set gateway_id = null")
    elif how == "in_use":
        await till.business.session(status="active", settled_at=None, ended_at=None, token_uid="CARD1")
    else:
        await till.pool.execute("update tariff_assignment set ended_at = now(), ended_by = 'x'")
        await till.pool.execute("update tariff_assignment set assigned_at = '2030-01-01Z'")
    with pytest.raises(Refused) as refused:
        await till.guest()
    assert refused.value.detail["code"] == code
    with pytest.raises(NotFound):
        await till.guest(evse_number=7)


async def test_what_is_held_is_the_partys_to_say_by_kind_of_current(till: Till) -> None:
    async def sets(**given: Any) -> None:
        async with till.pool.acquire() as conn, conn.transaction():
            await service.set_setting(conn, till.business.actor, till.providers, PaymentSetting(**given))

    await sets(hold_ac=Decimal("12.50"), hold_dc=Decimal(60))
    async with till.pool.acquire() as conn:
        assert await adhoc.hold_at(conn, till.party_id, till.business.station_id, 1) == eur("60.00")
    await till.pool.execute("update evse set current_type = 'AC'")
    assert (await till.guest()).amount == Decimal("12.50")


@pytest.mark.parametrize(
    ("currency", "price", "held", "taken"), [("JPY", "60", "4500", "1452"), ("BHD", "0.123", "10", "2.977")]
)
async def test_currencies_without_and_with_three_decimals(
    till: Till, currency: str, price: str, held: str, taken: str
) -> None:
    """OCPI's and ISO 4217's: nobody pays a hundred times too much."""
    await till.pool.execute("update tariff_assignment set ended_at = '2021-01-01Z', ended_by = 'x'")
    await till.business.offers(per_kwh(price, currency), name=currency)
    payment = await till.holds()
    assert (payment.amount, payment.currency) == (Decimal(held), currency)
    await till.ends(await till.plugs_in(payment))
    await till.works()
    assert (await till.payment(payment.payment_id)).captured == Decimal(taken)
    await till.is_right()


async def token_status(till: Till, uid: str) -> str:
    async with till.pool.acquire() as conn:
        found = await tokens.find_tokens(conn, [till.party_id], [uid])
    return found[till.party_id, uid.lower()].status


async def test_another_party_reaches_no_payment(till: Till) -> None:
    payment = await till.holds()
    stranger = await Business(till.pool).founded()
    async with till.pool.acquire() as conn:
        with pytest.raises(NotFound):
            await service.get_payment(conn, stranger.party_id, payment.payment_id)
        with pytest.raises(NotFound):
            await service.release(conn, stranger.party_id, payment.payment_id)
        assert await service.find_by_token(conn, stranger.party_id, str(payment.token_uid)) is None
        found = await service.find_by_token(conn, till.party_id, str(payment.token_uid).lower())
    assert found is not None
    assert isinstance(found.payment_id, UUID)


async def test_a_guests_token_is_dropped_long_after_its_session_and_the_session_stays(till: Till) -> None:
    payment = await till.charges()
    await till.works()
    await till.pool.execute(
        "insert into token (token_id, party_id, uid, type, label, valid_until) values"
        " ($1, $2, 'BY-HAND', 'DirectPayment', 'Ours', '2020-01-01Z')",
        new_id(),
        till.party_id,
    )

    async def drops() -> int:
        async with till.pool.acquire() as conn, conn.transaction():
            return await service.forget_tokens(conn)

    till.time.passes(days=80)
    assert await drops() == 0
    till.time.passes(days=12)
    assert await drops() == 1
    assert await till.pool.fetchval("select string_agg(uid, ',') from token") == "BY-HAND"
    # What is told of its session so late still finds its payment.
    (cdr,) = await till.business.cdrs()
    assert await till.pool.fetchval("select token_uid from session") == payment.token_uid
    await till.business.becomes(cdr.session_id, 10_000)
    await till.business.settles(cdr.session_id)
    await till.hears_of_bills()
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == Decimal("5.93")
    await till.is_right()
