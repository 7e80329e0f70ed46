"""What is less than a provider takes at all: owed, held against nobody, and taken once it is enough."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.payments import queries
from ohmstead.billing.payments.queries import PaymentFilter
from ohmstead.core.errors import Invalid
from ohmstead.core.ids import new_id
from tests.payments.stripe_double import StripeDouble
from tests.payments.till import Clock, Till


@pytest.fixture
async def shop(till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble) -> Till:
    """Paid through Stripe, which takes 0.50 EUR at least."""
    return Till(till.business, time, stripe, double)


async def asked_for_debts(shop: Till, driver_id: UUID) -> list[tuple[str, Decimal, Decimal]]:
    """Payments for debts, the oldest first: (state, asked, captured)."""
    async with shop.pool.acquire() as conn:
        found = await queries.list_payments(conn, shop.party_id, PaymentFilter(customer=f"driver:{driver_id}"))
    return [(one.state, one.amount, one.captured) for one in reversed(found) if one.purpose == "debt"]


async def test_it_is_owed_and_taken_together_once_it_is_enough(shop: Till) -> None:
    driver_id = new_id()
    method = await shop.stores(driver_id)
    first = await shop.takes(method, "0.30", key="a")
    assert (first.state, first.failure, first.captured) == ("failed", "amount_too_small", 0)
    await shop.takes(method, "0.15", key="b")
    assert [(one.amount, one.reason) for one in await shop.debts()] == [
        (Decimal("0.15"), "amount_too_small"),
        (Decimal("0.30"), "amount_too_small"),
    ]
    assert await asked_for_debts(shop, driver_id) == []
    await shop.takes(method, "0.10", key="c")
    assert await shop.debts() == []
    await shop.works()
    assert await asked_for_debts(shop, driver_id) == [("captured", Decimal("0.55"), Decimal("0.55"))]
    assert (await shop.balances())[f"receivable:driver:{driver_id}"] == Decimal("-0.55")
    await shop.is_right()


async def test_a_card_that_declines_is_asked_again_only_with_more(shop: Till) -> None:
    driver_id = new_id()
    method = await shop.stores(driver_id, "proof")
    for key in "ab":
        await shop.takes(method, "0.30", key=key)
    declined = ("failed", Decimal("0.60"), Decimal(0))
    assert await asked_for_debts(shop, driver_id) == [declined]
    shop.time.passes(days=30)
    await shop.works()
    assert await asked_for_debts(shop, driver_id) == [declined]
    assert sum(one.amount for one in await shop.debts()) == Decimal("0.60")
    await shop.takes(method, "0.20", key="c")
    assert await asked_for_debts(shop, driver_id) == [declined, ("failed", Decimal("0.80"), Decimal(0))]
    await shop.is_right()


async def test_who_owes_for_something_else_pays_that_first(shop: Till) -> None:
    driver_id = new_id()
    method = await shop.stores(driver_id, "proof")
    await shop.takes(method, "12.00", key="large")
    for key in "ab":
        await shop.takes(method, "0.30", key=key)
    shop.time.at += timedelta(days=1)
    await shop.works()
    assert await asked_for_debts(shop, driver_id) == []


async def test_a_card_that_was_removed_is_not_charged(shop: Till) -> None:
    driver_id = new_id()
    method = await shop.stores(driver_id)
    await shop.takes(method, "0.30", key="a")
    await shop.pool.execute("update stored_method set forgotten_at = now() where method_id = $1", method.method_id)
    await shop.pool.execute("update payment_debt set amount = 5")
    await shop.works()
    assert await asked_for_debts(shop, driver_id) == []


async def test_no_page_is_opened_on_which_it_cannot_be_paid(shop: Till) -> None:
    driver_id = new_id()
    with pytest.raises(Invalid, match=r"less than can be paid by card: 0\.50 EUR"):
        await shop.orders("debt", f"driver:{driver_id}", "0.49")
    paid = await shop.checks_out(await shop.orders("top_up", f"driver:{driver_id}", "0.50"))
    assert paid.state == "captured"


@pytest.mark.parametrize("wh", [100, 20_000])
async def test_a_guest_pays_what_it_comes_to_however_little(shop: Till, wh: int) -> None:
    payment = await shop.charges(wh=wh)
    await shop.works()
    payment = await shop.payment(payment.payment_id)
    assert payment.state == "captured"
    assert await shop.debts() == []
    await shop.is_right()
