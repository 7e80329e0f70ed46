"""What goes wrong outside: captures without an answer or refused, holds that end, providers that are away, chargebacks."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.payments import service
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid
from tests.payments.stripe_double import StripeDouble
from tests.payments.till import Clock, Till, eur


@pytest.fixture
def striped(till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble) -> Till:
    """People pay through Stripe's double."""
    return Till(till.business, time, stripe, double)


async def later(till: Till, *steps: timedelta) -> None:
    for step in steps:
        till.time.at += step
        await till.works()


SOON = [timedelta(seconds=s) for s in (15, 60, 180, 900)]


async def test_a_capture_without_an_answer_is_asked_for_again_and_taken_once(till: Till) -> None:
    payment = await till.charges("capture_silent")
    await till.works()
    assert (await till.payment(payment.payment_id)).state in ("capturing", "captured")
    await later(till, *SOON)
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured) == ("captured", Decimal("11.86"))
    assert await till.facts("PaymentCaptured") == ["PaymentCaptured"]
    await till.is_right()


async def test_an_answer_that_stripe_gave_and_we_never_heard_is_not_taken_twice(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    double.lose.append("/v1/checkout/sessions")
    with pytest.raises(ExternalFailure):
        await till.guest()
    await till.works()
    payment = await till.holds()
    assert payment.state == "held"
    double.lose += ["/capture", "/capture"]
    await till.ends(await till.plugs_in(payment))
    await later(till, *SOON)
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured) == ("captured", Decimal("11.86"))
    captures = [key for method, path, key in double.asked if path.endswith("/capture")]
    assert len(captures) >= 1
    assert len(set(captures)) == 1
    assert sum(line["amount"] for line in double.lines) == 1186
    await till.is_right()


async def test_stripe_away_at_the_capture_is_waited_for(striped: Till, double: StripeDouble) -> None:
    till = striped
    payment = await till.holds()
    session_id = await till.plugs_in(payment)
    double.is_down = True
    await till.ends(session_id)
    await later(till, *SOON)
    assert (await till.payment(payment.payment_id)).state == "capturing"
    double.is_down = False
    await later(till, timedelta(hours=1))
    assert (await till.payment(payment.payment_id)).captured == Decimal("11.86")
    await till.is_right()


async def test_stripe_away_at_the_start_holds_nothing_and_leaves_the_outlet_free(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    double.is_down = True
    with pytest.raises(ExternalFailure):
        await till.guest()
    double.is_down = False
    assert await till.facts() == ["PaymentFailed"]
    assert (await till.holds()).state == "held"
    await till.works()
    assert len([key for _, path, key in double.asked if path == "/v1/checkout/sessions"]) == 2


async def test_a_capture_that_is_refused_leaves_a_debt_that_can_be_settled(anywhere: Till) -> None:
    till = anywhere
    payment = await till.charges("capture_refused")
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured, payment.failure) == ("failed", Decimal(0), "capture_refused")
    (debt,) = await till.debts()
    assert (debt.amount, debt.reason) == (Decimal("11.86"), "capture_refused")
    async with till.pool.acquire() as conn:
        owed = await service.sum_debts(conn, till.party_id, [payment.customer, "driver:x"])
    assert owed == {payment.customer: [eur("11.86")]}
    await till.checks_out(await till.orders("debt", payment.customer, "11.86"))
    assert await till.debts() == []
    assert await till.facts() == [
        "PaymentHeld",
        "PaymentFailed",
        "DebtOpened",
        "PaymentCaptured",
        "DebtSettled",
    ]
    await till.is_right()


async def test_a_hold_that_ended_before_its_capture_leaves_a_debt(anywhere: Till) -> None:
    till = anywhere
    payment = await till.holds("short_hold")
    session_id = await till.plugs_in(payment)
    till.time.passes(minutes=2)
    await till.ends(session_id)
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert payment.state in ("released", "failed")
    assert payment.captured == 0
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(Decimal("11.86"), "hold_expired")]
    await till.is_right()


async def test_a_hold_that_ends_soon_is_captured_as_far_as_it_is_used_and_the_rest_is_owed(anywhere: Till) -> None:
    """A car that stands for a week (standards §7.1: capture before `capture_before` − 24 h, partial for overstays)."""
    till = anywhere
    payment = await till.holds()
    session_id = await till.plugs_in(payment)
    await till.business.becomes(session_id, 10_000)
    await later(till, timedelta(days=6, minutes=1))
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured) == ("captured", Decimal("5.93"))
    await till.ends(session_id)
    await till.works()
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(Decimal("5.93"), "over_hold")]
    await till.is_right()


async def test_a_station_that_was_away_for_days_is_billed_all_the_same(till: Till) -> None:
    payment = await till.holds()
    session_id = await till.plugs_in(payment)
    await later(till, timedelta(days=3))
    assert (await till.payment(payment.payment_id)).state == "held"
    await till.ends(session_id)
    await till.works()
    assert (await till.payment(payment.payment_id)).captured == Decimal("11.86")


async def test_refunds_in_full_and_in_part_with_a_reason(anywhere: Till) -> None:
    till = anywhere
    payment = await till.charges()
    with pytest.raises(Conflict):
        await till.refunds(payment)
    await till.works()
    await till.refunds(payment, "2.00")
    with pytest.raises(Invalid):
        await till.refunds(payment, "9.87")
    await till.works()
    assert (await till.payment(payment.payment_id)).refunded == 2
    await till.refunds(payment)
    with pytest.raises(Conflict):
        await till.refunds(payment)
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.refunded, payment.kept) == (Decimal("11.86"), Decimal(0))
    assert await till.facts("PaymentRefunded") == ["PaymentRefunded", "PaymentRefunded"]
    assert (await till.balances())[f"receivable:{payment.customer}"] == Decimal("11.86")
    await till.hears_of_bills()
    assert await till.debts() == []  # what a person gave back is not asked for again
    await till.is_right()


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "20000000"])
async def test_amounts_that_nobody_can_pay_are_refused(till: Till, amount: str) -> None:
    with pytest.raises(Invalid):
        await till.orders("top_up", f"driver:{till.party_id}", amount)


async def test_a_refund_that_the_card_refuses_is_left_for_a_person(till: Till) -> None:
    payment = await till.charges("refund_refused")
    await till.works()
    await till.refunds(payment, "2.00")
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.refunded) == ("captured", Decimal(0))
    (row,) = await till.pool.fetch("select kind, text, expected from payment_difference")
    assert (row["kind"], row["text"], row["expected"]) == ("operation", "refund: refund_refused", 2)
    await till.is_right()


async def test_a_chargeback_that_is_lost_is_owed_again(till: Till) -> None:
    payment = await till.charges("disputed")
    await till.works()
    await later(till, timedelta(seconds=6))
    (dispute,) = await till.disputes()
    assert (dispute.state, dispute.amount) == ("open", Decimal("11.86"))
    assert (await till.balances())[f"receivable:{payment.customer}"] == Decimal("11.86")
    assert await till.debts() == []
    await later(till, timedelta(seconds=6))
    (dispute,) = await till.disputes()
    assert dispute.state == "lost"
    assert [(debt.amount, debt.reason) for debt in await till.debts()] == [(Decimal("11.86"), "disputed")]
    assert await till.facts("PaymentDisputed") == ["PaymentDisputed", "PaymentDisputed"]
    await till.is_right()


async def test_a_chargeback_that_is_won_leaves_nothing_behind(till: Till) -> None:
    await till.charges("disputed_won")
    await till.works()
    await later(till, timedelta(seconds=6), timedelta(seconds=6), timedelta(seconds=6))
    (dispute,) = await till.disputes()
    assert dispute.state == "won"
    assert await till.debts() == []
    assert await till.balances() == {
        "psp_clearing:sandbox": Decimal("11.86"),
        "revenue:energy": Decimal("-9.80"),
        "tax:NL:VAT:21": Decimal("-2.06"),
    }
    await till.is_right()


async def test_a_chargeback_at_stripe_after_a_refund_and_one_that_is_only_asked_about(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    payment = await till.charges()
    await till.works()
    intent = next(raw["id"] for raw in double.objects.values() if raw["object"] == "payment_intent")
    double.dispute(intent, "warning_needs_response")
    await till.works()
    assert await till.disputes() == []
    dispute = double.dispute(intent)
    await till.works()
    double.decide(dispute, "lost")
    await till.works()
    await till.works()
    assert [one.state for one in await till.disputes()] == ["lost"]
    assert (await till.payment(payment.payment_id)).disputed == Decimal("11.86")
    assert [debt.reason for debt in await till.debts()] == ["disputed"]
    await till.is_right()


async def test_increases_where_the_provider_can(anywhere: Till) -> None:
    till = anywhere
    payment = await till.holds()
    async with till.pool.acquire() as conn, conn.transaction():
        await service.increase(conn, till.party_id, payment.payment_id, eur("60.00"))
    await till.works()
    assert (await till.payment(payment.payment_id)).amount == 60
    await till.ends(await till.plugs_in(payment), wh=100_000)  # 59.29
    await till.works()
    assert (await till.payment(payment.payment_id)).captured == Decimal("59.29")
    assert await till.debts() == []
    await till.is_right()


async def test_more_than_is_held_is_never_captured(till: Till) -> None:
    payment = await till.holds()
    async with till.pool.acquire() as conn, conn.transaction():
        with pytest.raises(Invalid):
            await service.capture(conn, till.party_id, payment.payment_id, eur("40.01"))
        await service.capture(conn, till.party_id, payment.payment_id, eur("40.00"))
        with pytest.raises(Conflict):
            await service.capture(conn, till.party_id, payment.payment_id, eur("40.00"))
    await till.works()
    assert (await till.payment(payment.payment_id)).captured == 40
