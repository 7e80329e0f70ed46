"""Nothing is tried without end, nothing stays half done, and one that cannot be done holds up no other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest

from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.payments import service
from ohmstead.billing.payments.ports import PaymentProvider, Seen
from ohmstead.core.errors import NotFound
from ohmstead.core.ids import new_id
from ohmstead.stations.orders import Command, Order, RemoteStop
from tests.billing.network import per_kwh
from tests.payments.stripe_double import StripeDouble
from tests.payments.till import Clock, Till


@pytest.fixture
def striped(till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble) -> Till:
    """People pay through Stripe's double."""
    return Till(till.business, time, stripe, double)


class Odd:
    """A provider that answers some requests in a way that nobody foresaw."""

    def __init__(self, provider: PaymentProvider) -> None:
        self._provider = provider
        self.fails: set[str] = set()
        self.n: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if name not in ("fetch", "capture", "refund"):
            return found

        async def request(*args: Any, **more: Any) -> Seen:
            self.n[name] = self.n.get(name, 0) + 1
            if name in self.fails or args[0] in self.fails:
                raise KeyError("amount_received")
            seen: Seen = await found(*args, **more)
            return seen

        return request


def odd(till: Till) -> tuple[Till, Odd]:
    provider = Odd(till.sandbox)
    return Till(till.business, till.time, cast("PaymentProvider", provider), till.sandbox), provider


async def days(till: Till, *hours: float) -> None:
    for one in hours:
        till.time.passes(hours=one)
        await till.works()


async def _ref(till: Till, payment_id: object) -> str:
    return str(await till.pool.fetchval("select provider_ref from payment where payment_id = $1", payment_id))


# ------------------------------------------------------------------------------------------- answers nobody foresaw


async def test_a_webhook_that_cannot_be_processed_holds_up_none_behind_it_and_is_not_tried_for_ever(till: Till) -> None:
    till, provider = odd(till)
    first, second = await till.guest(1), await till.guest(2)
    for begun in (first, second):
        await till.pays(begun.url)
    provider.fails.add(first.url.rpartition("/")[2])
    await till.news()
    await till.runner.settle_down()
    assert (await till.payment(second.payment_id)).state == "held"
    provider.fails.add("fetch")
    await days(till, *[13] * 12)
    assert await till.pool.fetchval("select count(*) from payment_webhook where next_at is not null") == 0


async def test_an_answer_that_cannot_be_read_is_asked_for_later_and_later_and_then_given_up(till: Till) -> None:
    till, provider = odd(till)
    payment = await till.charges()
    provider.fails.add("capture")
    await till.works()
    n = provider.n["capture"]
    till.time.passes(seconds=1)
    await till.works()
    assert provider.n["capture"] == n, "it waits"
    await days(till, *[3] * 46)
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.failure) == ("failed", "no_answer")
    assert [debt.amount for debt in await till.debts()] == [Decimal("11.86")]
    assert await till.pool.fetchval("select count(*) from payment_operation where state = 'waiting'") == 0


async def test_a_hold_whose_price_cannot_be_reckoned_lets_no_other_end_unseen(till: Till) -> None:
    other = await till.business.offers(per_kwh("0.49"), "Other")
    broken, whole = await till.holds(evse_number=1), await till.holds(evse_number=2)
    for payment in (broken, whole):
        session_id = await till.plugs_in(payment)
        await till.business.becomes(session_id, 10_000)
        if payment is broken:
            await till.pool.execute(
                "insert into session_tariff (session_id, party_id, tariff_id, version, assignment_id, time_zone)"
                " select $1, party_id, tariff_id, 1, assignment_id, 'UTC' from tariff_assignment where tariff_id = $2",
                session_id,
                other,
            )
            await till.pool.execute(
                "update payment set capture_before = capture_before - interval '1 minute' where payment_id = $1",
                payment.payment_id,
            )
    await till.pool.execute("delete from tariff_assignment where tariff_id = $1", other)
    await till.pool.execute("alter table tariff_version disable trigger user")
    await till.pool.execute("update tariff_version set content = '{}' where tariff_id = $1", other)
    await till.pool.execute("alter table tariff_version enable trigger user")
    await days(till, 6 * 24 + 0.1)
    assert (await till.payment(whole.payment_id)).captured == Decimal("5.93")


async def test_a_station_that_cannot_be_told_to_stop_keeps_nobodys_money(till: Till) -> None:
    payment = await till.holds()
    async with till.pool.acquire() as conn, conn.transaction():
        await service.release(conn, till.party_id, payment.payment_id)
    say = till.station.send

    async def send(order: Order, **more: Any) -> Command:
        if isinstance(order, RemoteStop):
            raise NotFound("no such station")
        return await say(order, **more)

    till.station.send = send  # type: ignore[method-assign]
    await till.plugs_in(payment)  # it begins all the same
    await till.works()
    assert (await till.payment(payment.payment_id)).state == "released"
    assert await till.pool.fetchval("select count(*) from payment_operation where state = 'waiting'") == 0


# --------------------------------------------------------------------------------------------------------- keys end


async def test_a_refund_of_which_nobody_knows_whether_it_was_done_is_not_done_again_when_its_key_is_forgotten(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    payment = await till.charges()
    await till.works()
    await till.refunds(await till.payment(payment.payment_id), "2.00")
    double.lose.append("/refunds")
    await till.runner.settle_down()  # it is done, and we never hear of it
    double.is_down = True
    await days(till, 1, 5, 20)
    double.kept.clear()  # keys are forgotten after a day
    double.is_down = False
    await days(till, *[10] * 6)
    assert (await till.payment(payment.payment_id)).refunded == Decimal(2)
    assert [line["amount"] for line in double.lines if line["type"] == "refund"] == [-200]
    assert await till.pool.fetchval("select count(*) from payment_difference where kind = 'operation'") == 0
    await till.is_right()


async def test_a_stored_card_is_not_charged_again_when_the_key_is_forgotten(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    method = await till.stores(new_id())
    double.lose.append("/v1/payment_intents")
    payment = await till.takes(method)
    told, double.events = double.events, []
    double.is_down = True
    await days(till, 1, 5, 20)
    double.kept.clear()
    double.is_down = False
    await days(till, *[10] * 6)
    assert (await till.payment(payment.payment_id)).state == "failed"
    assert len(double.lines) == 1
    # It is told at last: what is taken for owed is not.
    assert len(await till.debts()) == 1
    double.events = told
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured, payment.failure) == ("captured", Decimal(12), None)
    assert await till.debts() == []
    await till.is_right()


async def test_a_charge_that_a_webhook_told_of_first_is_charged_and_nothing_is_wrong(
    striped: Till, double: StripeDouble
) -> None:
    till = striped
    method = await till.stores(new_id())
    double.lose.append("/v1/payment_intents")
    payment = await till.takes(method)
    await days(till, 0.1, 1, 2)
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.captured, payment.failure) == ("captured", Decimal(12), None)
    assert len(double.lines) == 1
    assert await till.pool.fetchval("select count(*) from payment_operation where state <> 'done'") == 0
    await till.is_right()


# ------------------------------------------------------------------------------------------------------ direct debits


async def test_a_direct_debit_that_comes_back_is_owed(striped: Till, double: StripeDouble) -> None:
    till = striped
    method = await till.stores(new_id(), "slow_debit")
    payment = await till.takes(method)
    assert payment.state == "authorizing"
    await days(till, 24, 24)
    assert (await till.payment(payment.payment_id)).state == "authorizing"
    double.bounces(await _ref(till, payment.payment_id))
    await days(till, 1)
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.failure) == ("failed", "insufficient_funds")
    assert [debt.amount for debt in await till.debts()] == [Decimal(12)]


async def test_a_direct_debit_that_clears_is_paid(striped: Till, double: StripeDouble) -> None:
    till = striped
    payment = await till.takes(await till.stores(new_id(), "slow_debit"))
    await days(till, 24)
    double.clears(await _ref(till, payment.payment_id))
    await days(till, 1)
    assert (await till.payment(payment.payment_id)).captured == Decimal(12)
    await till.is_right()


# ---------------------------------------------------------------------------------------------------- what is let go


async def test_what_is_to_be_let_go_before_it_was_charged_is_not_charged(striped: Till, double: StripeDouble) -> None:
    till = striped
    method = await till.stores(new_id(), "poor_later")
    payment = await till.takes(method)
    async with till.pool.acquire() as conn, conn.transaction():
        await service.release(conn, till.party_id, payment.payment_id)
    for raw in double.objects.values():
        raw["_card"] = "good"  # there is money on it now
    await days(till, 2, 30)
    assert (await till.payment(payment.payment_id)).state == "released"
    assert double.lines == []


@pytest.mark.parametrize("how", ["no energy", "a person says never"])
async def test_what_was_captured_ahead_of_a_session_that_is_never_billed_goes_back(till: Till, how: str) -> None:
    payment = await till.holds()
    session_id = await till.plugs_in(payment)
    await till.business.becomes(session_id, 10_000)
    await days(till, 6 * 24 + 0.1)
    assert (await till.payment(payment.payment_id)).captured == Decimal("5.93")
    if how == "no energy":
        await till.ends(session_id, 0)
    else:
        await till.pool.execute("update session set anomalies = '{implausible_jump}' where session_id = $1", session_id)
        await till.ends(session_id, 9_000_000)
        await till.works()
        assert (await till.payment(payment.payment_id)).refunded == 0, "a person has to look at it"
        await till.business.decides(session_id, "never")
    await till.works()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.refunded) == ("captured", Decimal("5.93"))
    n = await till.pool.fetchval("select count(*) from payment_operation where kind = 'refund'")
    await days(till, 1)
    assert await till.pool.fetchval("select count(*) from payment_operation where kind = 'refund'") == n == 1
    await till.is_right()


# --------------------------------------------------------------------------------------------------------- currencies


async def test_a_debt_in_another_currency_than_the_hold_is_owed_once(till: Till) -> None:
    payment = await till.holds()
    session_id = await till.plugs_in(payment)
    await till.pool.execute("delete from tariff_assignment")
    await till.business.offers(per_kwh("0.49", "SEK"), "Elsewhere")
    await till.ends(session_id)
    await till.works()
    (debt,) = await till.debts()
    assert (debt.currency, debt.amount, debt.reason) == ("SEK", Decimal("11.86"), "other_currency")
    given = service.DebtForgiveness(reason="The hold was ours to choose")
    async with till.pool.acquire() as conn, conn.transaction():
        await service.forgive_debt(conn, till.business.actor, debt.debt_id, given)
    await till.hears_of_bills()
    await till.works()
    assert await till.debts() == []


async def test_a_hold_is_never_of_nothing(till: Till) -> None:
    await till.pool.execute(
        "insert into payment_setting (party_id, hold_ac, hold_dc) values ($1, 0.001, 0.001)", till.party_id
    )
    assert (await till.guest()).amount == Decimal("0.01")
