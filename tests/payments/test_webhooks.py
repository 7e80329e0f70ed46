"""Webhooks: forged, replayed, reordered, lost, early; the object's state counts, not what an event says."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.payments import service
from ohmstead.billing.payments.ports import Forged
from ohmstead.billing.payments.webhooks import service as webhooks
from ohmstead.core.errors import NotFound
from tests.payments.stripe_double import StripeDouble, signed
from tests.payments.till import Clock, Till
from tests.tampering import altered


class Doorman:
    """Holds back what comes in."""

    def __init__(self) -> None:
        self.held: list[tuple[str, bytes, Any]] = []

    async def __call__(self, provider: str, body: bytes, headers: Any) -> None:
        self.held.append((provider, body, headers))


async def held_back(till: Till) -> Doorman:
    doorman = Doorman()
    await till.outside.deliver(doorman)
    return doorman


async def told(till: Till, letter: tuple[str, bytes, Any]) -> bool:
    return await webhooks.take(till.pool, till.providers, *letter)


async def test_one_that_is_told_again_is_kept_once(anywhere: Till) -> None:
    till = anywhere
    begun = await till.guest()
    await till.pays(begun.url)
    doorman = await held_back(till)
    for letter in doorman.held * 3:
        await told(till, letter)
    await till.runner.settle_down()
    assert await till.pool.fetchval("select count(*) from payment_webhook") == len(doorman.held)
    assert (await till.payment(begun.payment_id)).state == "held"
    assert len(till.station.starts) == 1
    assert await till.facts() == ["PaymentHeld"]


async def test_in_any_order_they_come_to_the_same(anywhere: Till) -> None:
    till = anywhere
    payment = await till.holds()
    session_id = await till.plugs_in(payment)
    await till.ends(session_id)
    await till.runner.settle_down()  # captured: nobody has told us of it
    await till.refunds(await till.payment(payment.payment_id), "2.00")
    await till.runner.settle_down()
    doorman = await held_back(till)
    assert len(doorman.held) >= 2
    for letter in reversed(doorman.held):
        await told(till, letter)
        await till.runner.settle_down()
    payment = await till.payment(payment.payment_id)
    assert (payment.state, payment.refunded) == ("captured", Decimal(2))
    assert await till.facts("PaymentCaptured") == ["PaymentCaptured"]
    assert await till.facts("PaymentRefunded") == ["PaymentRefunded"]
    await till.is_right()


@pytest.mark.parametrize("how", ["no signature", "another key", "other words", "old", "not json"])
async def test_what_is_not_the_providers_is_not_taken(anywhere: Till, how: str) -> None:
    till = anywhere
    begun = await till.guest()
    await till.pays(begun.url)
    name, body, headers = (await held_back(till)).held[0]
    (header,) = headers
    if how == "no signature":
        headers = {}
    elif how == "another key":
        headers = {header: altered(headers[header], -4)}
    elif how == "other words":
        body += b" "
    elif how == "old":
        till.time.passes(minutes=6)
    else:
        body, headers = b"{", (signed(b"{", int(till.time.at.timestamp())) if name == "stripe" else {header: "1.x"})
    with pytest.raises(Forged):
        await webhooks.take(till.pool, till.providers, name, body, headers)
    assert await till.pool.fetchval("select count(*) from payment_webhook") == 0
    with pytest.raises(NotFound):
        await webhooks.take(till.pool, till.providers, "nobody", body, headers)


async def test_an_event_that_lies_is_not_believed(
    till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble
) -> None:
    """Even one that is signed: the object is asked for."""
    till = Till(till.business, time, stripe, double)
    begun = await till.guest()
    thing = {"id": "pi_nothing", "status": "requires_capture", "metadata": {"payment_id": str(begun.payment_id)}}
    event = {"id": "evt_x", "type": "payment_intent.amount_capturable_updated", "created": 1, "data": {"object": thing}}
    body = json.dumps(event).encode()
    await webhooks.take(till.pool, till.providers, "stripe", body, signed(body, int(time.at.timestamp())))
    await till.runner.settle_down()
    assert (await till.payment(begun.payment_id)).state == "authorizing"
    assert till.station.asked == []


async def test_one_that_is_lost_is_not_missed(till: Till) -> None:
    begun = await till.guest()
    await till.pays(begun.url, "no_news")
    await till.works()
    assert (await till.payment(begun.payment_id)).state == "authorizing"
    till.time.passes(seconds=15)
    await till.works()
    assert (await till.payment(begun.payment_id)).state == "held"
    assert len(till.station.starts) == 1


async def test_who_comes_back_from_paying_need_not_wait_for_it(anywhere: Till) -> None:
    till = anywhere
    begun = await till.guest()
    await till.pays(begun.url)
    payment = await service.refresh(till.pool, till.providers, till.party_id, begun.payment_id)
    assert payment.state == "held"
    await till.works()
    assert len(till.station.starts) == 1


async def test_one_that_comes_before_the_answer_to_our_own_request_is_looked_at_again(
    till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble
) -> None:
    till = Till(till.business, time, stripe, double)
    thing = {"id": "pi_early", "object": "payment_intent", "metadata": {}}
    event = {"id": "evt_e", "type": "payment_intent.succeeded", "created": 1, "data": {"object": thing}}
    body = json.dumps(event).encode()
    await webhooks.take(till.pool, till.providers, "stripe", body, signed(body, int(time.at.timestamp())))
    await till.runner.settle_down()
    assert await till.pool.fetchval("select next_at is not null from payment_webhook")
    for _ in range(6):
        time.at += timedelta(minutes=3)
        await till.runner.settle_down()
    assert await till.pool.fetchval("select outcome from payment_webhook where next_at is null") == "unknown"
    time.at += timedelta(days=100)
    assert await webhooks.forget_old(till.pool) == 1
