"""Plans are subscribed, charged once a month, used and cancelled; coupons are redeemed; prices follow both."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ohmstead.billing.plans import queries
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import NewCoupon, NewPlan, PlanChange, Subscription
from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.tariffs.model import TariffAdjustment, TariffTax
from tests.paying.customers import Customers, untaxed

D = Decimal


class Watch:
    """What the clock of the house shows."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 17, 9, tzinfo=UTC)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """It is the seventeenth of March."""
    shown = Watch()
    clock.set_source(lambda: shown.at)
    yield shown
    clock.set_source(None)


async def offered(customers: Customers, **more: Any) -> UUID:
    known: dict[str, Any] = {
        "name": "Plus",
        "label": "PLUS",
        "monthly_fee": D("9.90"),
        "taxes": [TariffTax(percentage=D(20))],
        "included_kwh": D(31),
    }
    async with customers.pool.acquire() as conn, conn.transaction():
        return (await plans.create_plan(conn, customers.actor, NewPlan(**known | more))).plan_id


async def subscribed(customers: Customers, driver_id: UUID, plan_id: UUID) -> Subscription:
    async with customers.pool.acquire() as conn, conn.transaction():
        return await plans.subscribe(conn, customers.actor, driver_id, plan_id)


async def fees(customers: Customers) -> list[tuple[str, str, str, str]]:
    async with customers.pool.acquire() as conn:
        found = await queries.list_charges(conn, customers.party_id)
    return [
        (f"{c.from_on:%m-%d}", f"{c.until_on:%m-%d}", str(c.total), format(c.used_kwh.normalize(), "f")) for c in found
    ]


async def test_a_month_is_charged_once_and_ahead(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await subscribed(customers, driver_id, await offered(customers))
    assert await fees(customers) == [("03-17", "04-01", "4.79", "0")]
    assert await customers.balances() == {
        f"receivable:driver:{driver_id}": D("4.79"),
        "revenue:flat": D("-3.99"),
        "tax:NL:VAT:20": D("-0.80"),
    }
    for _ in range(2):
        await plans.charge_all(customers.pool)
    assert len(await fees(customers)) == 1
    watch.at = datetime(2026, 5, 31, 22, 30, tzinfo=UTC)  # the first of June in Amsterdam
    for _ in range(2):
        await plans.charge_all(customers.pool)
    assert [one[:3] for one in await fees(customers)] == [
        ("03-17", "04-01", "4.79"),
        ("04-01", "05-01", "9.90"),
        ("05-01", "06-01", "9.90"),
        ("06-01", "07-01", "9.90"),
    ]
    days = await customers.pool.fetch("select booked_on from ledger_entry order by number")
    assert [row["booked_on"] for row in days] == [
        date(2026, 3, 17),
        date(2026, 4, 1),
        date(2026, 5, 1),
        date(2026, 6, 1),
    ]
    assert await customers.faults() == []


async def test_a_cancelled_plan_ends_with_its_month(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    plan_id = await offered(customers)
    made = await subscribed(customers, driver_id, plan_id)
    with pytest.raises(Conflict, match="has this plan"):
        await subscribed(customers, driver_id, plan_id)
    async with customers.pool.acquire() as conn, conn.transaction():
        cancelled = await plans.cancel(conn, customers.actor, made.subscription_id)
        assert cancelled.ends_on == date(2026, 4, 1)
        with pytest.raises(Conflict):
            await plans.cancel(conn, customers.actor, made.subscription_id)
        assert (await plans.keep(conn, customers.actor, made.subscription_id)).ends_on is None
        await plans.cancel(conn, customers.actor, made.subscription_id)
    assert await labels(customers, driver_id) == ["PLUS"]
    watch.at = datetime(2026, 4, 1, 8, tzinfo=UTC)
    assert await labels(customers, driver_id) == []
    await plans.charge_all(customers.pool)
    assert len(await fees(customers)) == 1
    told = await customers.pool.fetch("select kind from outbox where kind like 'Plan%' order by event_id")
    assert [row["kind"] for row in told] == ["PlanStarted", "PlanCharged", "PlanEnded"]
    again = await subscribed(customers, driver_id, plan_id)
    assert again.subscription_id != made.subscription_id


async def labels(customers: Customers, driver_id: UUID) -> list[str]:
    async with customers.pool.acquire() as conn:
        ((found, _),) = await queries.list_terms(conn, customers.party_id, [(driver_id, clock.now())])
    return found


async def test_what_is_not_offered_is_not_subscribed(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    later = await offered(customers, label="LATER", from_on=date(2026, 3, 18))
    gone = await offered(customers, label="GONE", until_on=date(2026, 3, 17))
    closed = await offered(customers, label="CLOSED")
    async with customers.pool.acquire() as conn, conn.transaction():
        await plans.change_plan(conn, customers.actor, closed, PlanChange(status="closed"))
    for plan_id in (later, gone, closed):
        with pytest.raises(Refused, match="not offered"):
            await subscribed(customers, driver_id, plan_id)
    with pytest.raises(NotFound):
        await subscribed(customers, driver_id, driver_id)
    with pytest.raises(Conflict, match="label"):
        await offered(customers, label="GONE")
    for wrong in (
        {"monthly_fee": D("9.905")},
        {"monthly_fee": D(-1)},
        {"included_kwh": D("0.0001")},
        {"included_kwh": D(10**7)},
        {"taxes": [TariffTax(percentage=D(101))]},
        {"from_on": date(2026, 4, 1), "until_on": date(2026, 4, 1)},
        {"name": " "},
    ):
        with pytest.raises(Invalid):
            await offered(customers, **{"label": "X"} | wrong)


async def test_energy_in_the_fee_is_taken_off_once_and_given_back_by_a_credit(
    customers: Customers, watch: Watch
) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await subscribed(customers, driver_id, await offered(customers))  # 15 of 31 kWh are left of March
    at = watch.at + timedelta(hours=1)
    first = await customers.begins("CARD-1", at)
    await customers.ends(first, wh=10_000)
    second = await customers.begins("CARD-1", at + timedelta(days=1))
    await customers.ends(second, wh=20_000)
    totals = {cdr.session_id: (str(cdr.total), cdr.cost.lines[-1].rule) for cdr in await customers.cdrs()}
    assert totals == {
        first: ("0.00", "Included in the plan Plus: 10 kWh"),
        second: ("7.50", "Included in the plan Plus: 5 kWh"),
    }
    assert (await fees(customers))[0][3] == "15"
    await customers.settles(first, second)
    assert len(await customers.cdrs()) == 2
    (cdr, _) = await customers.cdrs()
    await customers.credits(cdr.cdr_id)
    assert (await fees(customers))[0][3] == "5"
    third = await customers.begins("CARD-1", at + timedelta(days=2))
    await customers.ends(third, wh=4_000)
    assert [str(cdr.total) for cdr in await customers.cdrs()][-1] == "0.00"
    assert (await fees(customers))[0][3] == "9"
    assert await customers.faults() == []


async def test_a_session_over_the_end_of_a_month_takes_of_both(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await subscribed(customers, driver_id, await offered(customers))
    spent = await customers.begins("CARD-1", watch.at + timedelta(hours=1))
    await customers.ends(spent, wh=12_000)
    at = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)  # half past eleven in Amsterdam
    across = await customers.begins("CARD-1", at)
    watch.at = at + timedelta(hours=2)
    await customers.ends(across, wh=40_000)  # 20 kWh in each month; 3 are left of March, 31 of April
    cdr = (await customers.cdrs())[-1]
    assert (str(cdr.total), cdr.cost.lines[-1].rule) == ("8.50", "Included in the plan Plus: 23 kWh")
    assert [one[3] for one in await fees(customers)] == ["15", "20"]


async def test_a_plan_that_began_after_a_session_is_no_matter_of_it(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    session_id = await customers.begins("CARD-1", watch.at - timedelta(hours=1))
    await subscribed(customers, driver_id, await offered(customers))
    await customers.ends(session_id, wh=10_000, minutes=30)
    assert [str(cdr.total) for cdr in await customers.cdrs()] == ["5.00"]


async def test_a_fee_is_paid_as_sessions_are(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await customers.pays_with("wallet", driver_id=driver_id)
    await customers.puts_in(driver_id, "3")
    await subscribed(customers, driver_id, await offered(customers))
    told = await customers.pool.fetchval("select payload from outbox where kind = 'PlanCharged'")
    for _ in range(2):
        await customers.hears("PlanCharged", told)
    wallet = await customers.wallet(driver_id)
    assert (wallet.balance, wallet.due) == (D(0), D("1.79"))
    await customers.puts_in(driver_id, "10")
    assert (await customers.wallet(driver_id)).balance == D("8.21")
    assert f"receivable:driver:{driver_id}" not in await customers.balances()


@pytest.fixture
async def priced(db: Pool) -> Customers:
    """0.50 a kWh; a fifth less with the plan PLUS, a tenth with the coupon SPRING."""
    less = [
        TariffAdjustment(name="Members", percent=D(-20), plans=["PLUS"]),
        TariffAdjustment(name="Spring", percent=D(-10), coupons=["SPRING"]),
    ]
    return await Customers(db).founded(untaxed("0.50", adjustments=less))


async def test_members_pay_the_price_that_they_had_when_they_began(priced: Customers, watch: Watch) -> None:
    driver_id = await priced.driver()
    await priced.card("CARD-1", driver_id)
    made = await subscribed(priced, driver_id, await offered(priced, included_kwh=D(0)))
    session_id = await priced.begins("CARD-1", watch.at + timedelta(minutes=1))
    async with priced.pool.acquire() as conn, conn.transaction():
        await plans.cancel(conn, priced.actor, made.subscription_id)
        await conn.execute("update subscription set ended_at = now()")
    await priced.ends(session_id, wh=10_000)
    after = await priced.begins("CARD-1", datetime(2026, 4, 2, tzinfo=UTC))
    await priced.ends(after, wh=10_000)
    assert [str(cdr.total) for cdr in await priced.cdrs()] == ["4.00", "5.00"]


async def test_a_coupon_counts_for_so_many_sessions_that_are_billed(priced: Customers, watch: Watch) -> None:
    driver_id = await priced.driver()
    await priced.card("CARD-1", driver_id)
    async with priced.pool.acquire() as conn, conn.transaction():
        given = NewCoupon(code="Spring-26", label="SPRING", most_drivers=1, sessions_each=2)
        coupon = await plans.create_coupon(conn, priced.actor, given)
        with pytest.raises(Conflict):
            await plans.create_coupon(conn, priced.actor, given)
        (redeemed,) = await plans.redeem(conn, priced.actor, driver_id, " spring-26 ")
        assert (redeemed.label, redeemed.sessions_left) == ("SPRING", 2)
        with pytest.raises(NotFound):
            await plans.redeem(conn, priced.actor, driver_id, "winter")
    other = await priced.driver("Bea")
    async with priced.pool.acquire() as conn:
        with pytest.raises(Refused, match="all of"):
            await plans.redeem(conn, priced.actor, other, "SPRING-26")
    at = watch.at + timedelta(minutes=1)
    for n, wh in enumerate((0, 10_000, 10_000, 10_000)):
        session_id = await priced.begins("CARD-1", at + timedelta(hours=2 * n))
        await priced.ends(session_id, wh=wh)
    assert [str(cdr.total) for cdr in await priced.cdrs()] == ["4.50", "4.50", "5.00"]
    async with priced.pool.acquire() as conn, conn.transaction():
        assert await queries.list_redeemed(conn, priced.party_id, driver_id, watch.at) == []
        await plans.stop_coupon(conn, priced.actor, coupon.coupon_id)
        with pytest.raises(NotFound):
            await plans.redeem(conn, priced.actor, other, "SPRING-26")


async def test_whoever_is_erased_has_no_plan_and_is_charged_no_more(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await customers.pays_with("invoice", driver_id=driver_id)
    await subscribed(customers, driver_id, await offered(customers))
    await customers.hears("DriverErased", {"driver_id": str(driver_id), "by": "system", "n_tokens": 0})
    watch.at = datetime(2026, 6, 1, tzinfo=UTC)
    await plans.charge_all(customers.pool)
    assert len(await fees(customers)) == 1
    assert await customers.pool.fetchval("select count(*) from paying_method") == 0
