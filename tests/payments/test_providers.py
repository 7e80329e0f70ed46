"""The contract of payment providers, over the sandbox and over Stripe's double; and what is Stripe's own."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.adapters.payments.stripe import amounts
from ohmstead.adapters.payments.stripe.adapter import StripeProvider
from ohmstead.billing.payments.ports import Declined, MethodRef, Order, PaymentProvider
from ohmstead.billing.payments.settlements import Settlements
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.sessions.payments import settling
from ohmstead.sessions.pricing.service import TariffCosts
from tests.billing.network import Business, per_kwh
from tests.payments.stripe_double import StripeDouble
from tests.payments.till import Clock, Till, eur


@pytest.fixture
def provider(anywhere: Till) -> PaymentProvider:
    return anywhere.provider


def order(amount: str = "40.00", *, is_hold: bool = True, **more: Any) -> Order:
    return Order(
        payment_id=new_id(),
        party_id=new_id(),
        purpose="session",
        amount=eur(amount),
        is_hold=is_hold,
        description="HARBOUR-01 / 1",
        return_url="http://127.0.0.1/back",
        **more,
    )


async def held(till: Till) -> str:
    page = await till.provider.checkout(order(), key=str(new_id()))
    await till.pays(page.url)
    seen = await till.provider.fetch(page.ref)
    assert (seen.state, seen.held) == ("held", Decimal(40))
    assert seen.ref is not None
    assert seen.capture_before is not None
    assert seen.capture_before > till.time.at + timedelta(days=6)
    return seen.ref


async def test_the_same_key_is_the_same_page_and_with_something_else_it_is_refused(provider: PaymentProvider) -> None:
    wanted, key = order(), str(new_id())
    first = await provider.checkout(wanted, key=key)
    assert await provider.checkout(wanted, key=key) == first
    with pytest.raises(ExternalFailure) as refused:
        await provider.checkout(order("41.00"), key=key)
    assert refused.value.permanent


async def test_a_hold_is_captured_once_and_no_more_than_is_held(anywhere: Till) -> None:
    provider, ref = anywhere.provider, await held(anywhere)
    with pytest.raises(ExternalFailure) as refused:
        await provider.capture(ref, eur("40.01"), key="more")
    assert refused.value.permanent
    first = await provider.capture(ref, eur("11.86"), key="once")
    assert (first.state, first.captured) == ("captured", Decimal("11.86"))
    assert (await provider.capture(ref, eur("11.86"), key="once")).captured == Decimal("11.86")
    assert (await provider.capture(ref, eur("5.00"), key="twice")).captured == Decimal("11.86")
    assert (await provider.fetch(ref)).captured == Decimal("11.86")
    assert (await provider.cancel(ref, key="late")).state == "captured"


async def test_a_hold_is_let_go_and_then_nothing_can_be_captured(anywhere: Till) -> None:
    provider, ref = anywhere.provider, await held(anywhere)
    assert (await provider.cancel(ref, key="go")).state == "canceled"
    assert (await provider.cancel(ref, key="go2")).state == "canceled"
    assert (await provider.capture(ref, eur("1.00"), key="c")).state == "canceled"


async def test_a_page_that_nobody_paid_on_is_closed(anywhere: Till) -> None:
    page = await anywhere.provider.checkout(order(), key=str(new_id()))
    assert (await anywhere.provider.fetch(page.ref)).state == "open"
    assert (await anywhere.provider.cancel(page.ref, key="go")).state == "canceled"
    assert (await anywhere.provider.fetch(page.ref)).state == "canceled"


async def test_refunds_add_up_to_what_was_captured_and_no_more(anywhere: Till) -> None:
    provider, ref = anywhere.provider, await held(anywhere)
    await provider.capture(ref, eur("10.00"), key="c")
    assert (await provider.refund(ref, eur("4.00"), reason="x", key="r1")).refunded == 4
    assert (await provider.refund(ref, eur("4.00"), reason="x", key="r1")).refunded == 4
    with pytest.raises(ExternalFailure) as refused:
        await provider.refund(ref, eur("6.01"), reason="x", key="r2")
    assert refused.value.permanent
    assert (await provider.refund(ref, eur("6.00"), reason="x", key="r3")).refunded == 10


async def test_holds_on_stored_cards_without_their_owner(anywhere: Till) -> None:
    till, driver_id = anywhere, new_id()
    method = await till.stores(driver_id)
    row = await till.pool.fetchrow(
        "select provider_ref, customer_ref from stored_method where method_id = $1", method.method_id
    )
    assert row is not None
    ref = MethodRef(**dict(row))
    seen = await till.provider.hold(order(), ref, ref=None, key="h")
    assert (seen.state, seen.held) == ("held", Decimal(40))
    assert (await till.provider.hold(order(), ref, ref=None, key="h2")).ref != seen.ref
    poor = await till.stores(new_id(), "poor_later")
    row = await till.pool.fetchrow(
        "select provider_ref, customer_ref from stored_method where method_id = $1", poor.method_id
    )
    assert row is not None
    with pytest.raises(Declined) as refused:
        await till.provider.charge(order(is_hold=False), MethodRef(**dict(row)), ref=None, key="p")
    assert (refused.value.code, refused.value.is_final) == ("insufficient_funds", False)
    assert refused.value.ref is not None


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [("11.86", "EUR", 1186), ("1452", "JPY", 1452), ("1.230", "BHD", 1230), ("100", "ISK", 10000), ("5", "UGX", 500)],
)
def test_amounts_as_stripe_writes_them(amount: str, currency: str, written: int) -> None:
    assert amounts.written(Money(Decimal(amount), currency)) == written
    assert amounts.read(written, currency) == Decimal(amount)


def test_of_three_decimals_stripe_takes_two() -> None:
    with pytest.raises(ExternalFailure):
        amounts.written(Money(Decimal("1.234"), "BHD"))
    assert amounts.written_down(Money(Decimal("1.239"), "BHD")) == 1230


async def test_a_terminals_payment_is_captured_by_the_same_way(
    till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble
) -> None:
    """OCPP 2.1 C21: the station leaves it to us. The CDR says the last word."""
    till = Till(till.business, time, stripe, double)
    made = double._intent(4000, "eur", "manual", {}, customer=None)
    double._authorize(made, "good")
    session_id = await till.business.session(token_uid=made["id"], token_type="DirectPayment")
    port = Settlements(till.pool, till.providers)
    for _ in range(2):
        settled = await port.settle(made["id"], eur("11.86"), key=str(session_id))
        assert settled.status == "settled"
    assert made["amount_received"] == 1186
    await till.business.settles(session_id)
    await till.hears_of_bills()
    await till.works()
    assert await till.debts() == []
    assert "receivable:nobody" not in await till.balances()
    assert await till.business.faults() == []
    unknown = await port.settle("PSP-ELSEWHERE", eur("1.00"), key=str(session_id))
    assert unknown.status == "failed"


async def test_a_station_cannot_have_another_partys_payment_captured(till: Till, db: Pool) -> None:
    """It names the payment by whatever it says: only those of its own party count."""
    theirs = await till.holds()
    ref = await till.pool.fetchval("select provider_ref from payment where payment_id = $1", theirs.payment_id)
    other = await Business(db).founded(per_kwh("0.49"))
    session_id = await other.session(token_uid=ref, token_type="DirectPayment")
    port = Settlements(till.pool, till.providers)
    settled = await port.settle(ref, eur("20.00"), key=str(session_id))
    assert settled.status == "failed"
    await till.works()
    assert (await till.payment(theirs.payment_id)).state == "held"


async def test_a_session_without_a_price_takes_nothing_and_names_no_currency(
    till: Till, time: Clock, stripe: StripeProvider, double: StripeDouble
) -> None:
    till = Till(till.business, time, stripe, double)
    await till.pool.execute("delete from tariff_assignment")
    made = double._intent(4000, "eur", "manual", {}, customer=None)
    double._authorize(made, "good")
    session_id = await till.business.session(token_uid=made["id"], token_type="DirectPayment")
    await till.pool.execute(
        "insert into station_variable (station_id, component, variable, attribute, value)"
        " values ($1, 'PaymentCtrlr', 'SettlementByCSMS', 'Actual', 'true')",
        till.business.station_id,
    )
    port = Settlements(till.pool, till.providers)
    await settling.settle(till.pool, port, TariffCosts(), {"session_id": str(session_id)})
    row = await till.pool.fetchrow("select status, amount, currency, settled_by from settlement")
    assert row is not None
    assert tuple(row) == ("settled", 0, None, "us")
    assert made["status"] == "canceled"
