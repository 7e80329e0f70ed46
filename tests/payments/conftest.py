"""Guests and drivers who pay, in the sandbox."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.core import clock
from ohmstead.core.db import Pool
from tests.billing.network import Business, per_kwh
from tests.payments.stripe_double import SECRET_KEY, WEBHOOK_SECRET, StripeDouble
from tests.payments.till import Clock, Till


@pytest.fixture
def time() -> Iterator[Clock]:
    source = Clock()
    clock.set_source(source)
    yield source
    clock.set_source(None)


@pytest.fixture
async def till(db: Pool, time: Clock) -> Till:
    """A kWh costs 0.49, before 21 % VAT; people pay in the sandbox."""
    return await Till(await Business(db).founded(per_kwh("0.49")), time).opens()


@pytest.fixture
async def double() -> AsyncIterator[StripeDouble]:
    """Stripe's side."""
    started = await StripeDouble().start()
    yield started
    await started.stop()


@pytest.fixture
async def stripe(double: StripeDouble) -> AsyncIterator[StripeProvider]:
    """Our side."""
    provider = StripeProvider(SECRET_KEY, WEBHOOK_SECRET, double.base)
    yield provider
    await provider.close()


@pytest.fixture(params=["sandbox", "stripe"])
async def anywhere(
    request: pytest.FixtureRequest, till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble
) -> Till:
    """The same over each provider that there is."""
    if request.param == "sandbox":
        return till
    return Till(till.business, time, stripe, double)
