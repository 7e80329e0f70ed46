"""What a driver with a plan is shown while they charge is what their bill says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from ohmstead.billing.companies import service as companies
from ohmstead.billing.companies.model import NewCompany, NewCompanyMember
from ohmstead.billing.paying import covers
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.billing.plans import service as plans
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.pricing import store, watching
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.tariffs.model import PriceComponent, PriceLimit, Tariff, TariffElement, TariffTax
from tests.paying.customers import Customers, untaxed
from tests.paying.test_plans import Watch, fees, offered, subscribed, watch

__all__ = ["watch"]
D = Decimal
REGISTER = 500_000


async def reads(customers: Customers, session_id: UUID, at: datetime, wh: int) -> None:
    """The meter of a session that goes on showed so much since its start."""
    row = await customers.pool.fetchrow("select started_at, n_samples from session where session_id = $1", session_id)
    assert row is not None
    if not row["n_samples"] and wh:
        await reads(customers, session_id, row["started_at"], 0)
    await customers.pool.execute(
        "insert into sample (session_id, sampled_at, context, energy_wh, readings)"
        " values ($1, $2, 'Sample.Periodic', $3, '{}')",
        session_id,
        at,
        REGISTER + wh,
    )
    await customers.pool.execute(
        "update session set energy_wh = $2, energy_source = 'register', register_start_wh = $3, register_last_wh = $4,"
        " register_last_at = $5, last_event_at = $5, n_samples = n_samples + 1 where session_id = $1",
        session_id,
        D(wh),
        D(REGISTER),
        D(REGISTER + wh),
        at,
    )


async def looks(customers: Customers, session_id: UUID, costs: TariffCosts | None = None) -> str:
    """What it costs so far; what it takes to go on from there is kept."""
    costs = costs or TariffCosts(PlanPayers())
    async with customers.pool.acquire() as conn, conn.transaction():
        (session,) = await store.list_sessions(conn, [session_id])
        (cost,) = await costs.costs_of(conn, [session])
        assert cost is not None
        lines = await costs.break_down(conn, [session])
        assert lines[0] is not None
        assert lines[0].cost.total == cost.total.rounded().amount
        await customers.pool.execute(
            "insert into session_cost (session_id, party_id, total, currency, at, seen, looked_at, until_at, tally)"
            " values ($1, $2, $3, 'EUR', now(), 0, now(), $4, $5) on conflict (session_id) do update set"
            " total = excluded.total, until_at = excluded.until_at, tally = excluded.tally",
            session_id,
            customers.party_id,
            cost.total.rounded().amount,
            cost.progress.until_at if cost.progress else None,
            cost.progress.tally if cost.progress else None,
        )
    return str(cost.total.rounded().amount)


class Silence:
    """A bus that nobody listens to."""

    async def publish(self, *_told: object) -> None:
        pass


async def lines(customers: Customers, session_id: UUID) -> list[str]:
    async with customers.pool.acquire() as conn, conn.transaction():
        found = await prices.get_cost(conn, TariffCosts(PlanPayers()), customers.party_id, session_id)
    return [line.rule for line in found.cost.lines]


async def billed(customers: Customers, session_id: UUID, wh: int, minutes: int) -> str:
    await customers.ends(session_id, wh=wh, minutes=minutes)
    return next(str(cdr.total) for cdr in (await customers.cdrs())[::-1] if cdr.session_id == session_id)


async def subscriber(customers: Customers, watch: Watch, uid: str = "CARD-1", **more: Any) -> UUID:
    """They have a plan from the seventeenth of March on: 15 of 31 kWh are left of the month."""
    driver_id = await customers.driver()
    await customers.card(uid, driver_id)
    await subscribed(customers, driver_id, await offered(customers, **more))
    watch.at += timedelta(hours=1)
    return driver_id


async def test_what_is_in_the_fee_is_taken_off_as_it_flows(customers: Customers, watch: Watch) -> None:
    await subscriber(customers, watch)
    at = watch.at
    session_id = await customers.begins("CARD-1", at)
    shown = []
    for minutes, wh in ((10, 4_000), (20, 10_000), (30, 15_000), (40, 17_000), (60, 20_000)):
        await reads(customers, session_id, at + timedelta(minutes=minutes), wh)
        shown.append(await looks(customers, session_id))
    assert shown == ["0.00", "0.00", "0.00", "1.00", "2.50"]
    assert await lines(customers, session_id) == ["Energy", "Included in the plan Plus: 15 kWh"]
    assert await billed(customers, session_id, 20_000, 60) == "2.50"
    # What it took itself counts as left for it, whoever asks.
    assert await lines(customers, session_id) == ["Energy", "Included in the plan Plus: 15 kWh"]
    assert await looks(customers, session_id) == "2.50"


async def test_over_the_end_of_a_month_it_takes_of_one_that_nobody_charged_yet(
    customers: Customers, watch: Watch
) -> None:
    """The example of docs/paying.md, while it goes on."""
    await subscriber(customers, watch)
    spent = await customers.begins("CARD-1", watch.at)
    await customers.ends(spent, wh=12_000)
    watch.at = at = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)  # half past eleven in Amsterdam
    session_id = await customers.begins("CARD-1", at)
    costs = TariffCosts(PlanPayers(again_s=3600))
    await reads(customers, session_id, at + timedelta(minutes=15), 10_000)
    assert await looks(customers, session_id, costs) == "3.50"
    watch.at = at + timedelta(minutes=30)
    await reads(customers, session_id, watch.at, 20_000)
    assert await looks(customers, session_id, costs) == "8.50"
    # 30 kWh in 45 minutes: 20 of them before midnight as the bill sees it, in a period that goes on evenly.
    watch.at = at + timedelta(minutes=45)
    await reads(customers, session_id, watch.at, 30_000)
    assert await looks(customers, session_id, costs) == "8.50"
    watch.at = at + timedelta(minutes=60)
    await reads(customers, session_id, watch.at, 40_000)
    assert await looks(customers, session_id, costs) == "8.50"
    # In the next minutes little flows: the bill takes all 44 kWh as one period, and so does what is shown.
    watch.at = at + timedelta(minutes=70)
    await reads(customers, session_id, watch.at, 44_000)
    assert await looks(customers, session_id, costs) == "7.93"
    assert [one[0] for one in await fees(customers)] == ["03-17"]
    assert await billed(customers, session_id, 44_000, 70) == "7.93"
    assert [one[0] for one in await fees(customers)] == ["03-17", "04-01"]


async def test_of_two_plans_the_elder_gives_first(customers: Customers, watch: Watch) -> None:
    driver_id = await subscriber(customers, watch)
    await subscribed(
        customers, driver_id, await offered(customers, name="Town", label="TOWN", included_kwh=D(62))
    )  # 30 are left of the month
    watch.at += timedelta(hours=1)
    session_id = await customers.begins("CARD-1", watch.at)
    await reads(customers, session_id, watch.at + timedelta(minutes=60), 50_000)
    assert await looks(customers, session_id) == "2.50"
    told = await lines(customers, session_id)
    assert told == ["Energy", "Included in the plan Plus: 15 kWh", "Included in the plan Town: 30 kWh"]
    assert await billed(customers, session_id, 50_000, 60) == "2.50"
    assert [line.rule for line in (await customers.cdrs())[-1].cost.lines] == told


async def test_two_sessions_at_once_see_what_is_left_by_what_was_billed(customers: Customers, watch: Watch) -> None:
    driver_id = await subscriber(customers, watch)
    await customers.card("CARD-2", driver_id)
    costs, at = TariffCosts(PlanPayers(again_s=60)), watch.at
    one, other = await customers.begins("CARD-1", at), await customers.begins("CARD-2", at)
    for session_id in (one, other):
        await reads(customers, session_id, at + timedelta(minutes=30), 12_000)
        assert await looks(customers, session_id, costs) == "0.00"
    assert await billed(customers, one, 12_000, 30) == "0.00"
    # It is known at once to whoever asks, and within a minute to whoever looks at every reading.
    assert await looks(customers, other) == "4.50"
    watch.at += timedelta(seconds=59)
    assert await looks(customers, other, costs) == "0.00"
    watch.at += timedelta(seconds=1)
    assert await looks(customers, other, costs) == "4.50"
    assert await billed(customers, other, 12_000, 30) == "4.50"


async def test_a_plan_that_began_after_a_session_spares_it_nothing(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    session_id = await customers.begins("CARD-1", watch.at - timedelta(hours=1))
    await subscribed(customers, driver_id, await offered(customers))
    await reads(customers, session_id, watch.at, 10_000)
    assert await looks(customers, session_id) == "5.00"
    assert await billed(customers, session_id, 10_000, 60) == "5.00"


async def test_a_cancelled_plan_spares_nothing_from_its_end_on(customers: Customers, watch: Watch) -> None:
    driver_id = await subscriber(customers, watch)
    async with customers.pool.acquire() as conn, conn.transaction():
        (subscription_id,) = await conn.fetchrow(
            "select subscription_id from subscription where driver_id = $1", driver_id
        )
        await plans.cancel(conn, customers.actor, subscription_id)
    watch.at = at = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)
    session_id = await customers.begins("CARD-1", at)
    watch.at += timedelta(hours=1)
    await reads(customers, session_id, watch.at, 20_000)
    assert await looks(customers, session_id) == "5.00"
    assert await billed(customers, session_id, 20_000, 60) == "5.00"


async def test_what_a_company_pays_for_takes_nothing_of_its_drivers_plan(customers: Customers, watch: Watch) -> None:
    driver_id = await subscriber(customers, watch)
    async with customers.pool.acquire() as conn, conn.transaction():
        made = await companies.create_company(conn, customers.actor, NewCompany(name="Fleet"))
        await companies.add_member(conn, customers.actor, made.company_id, NewCompanyMember(driver_id=driver_id))
    session_id = await customers.begins("CARD-1", watch.at)
    await reads(customers, session_id, watch.at + timedelta(minutes=60), 10_000)
    assert await looks(customers, session_id) == "5.00"
    assert await billed(customers, session_id, 10_000, 60) == "5.00"


async def test_a_free_session_costs_nothing_while_it_goes_on(customers: Customers, watch: Watch) -> None:
    driver_id = await customers.driver()
    token_id = await customers.card("STAFF", driver_id)
    await customers.pays_with("free", token_id=token_id)
    session_id = await customers.begins("STAFF", watch.at)
    await reads(customers, session_id, watch.at + timedelta(minutes=60), 10_000)
    assert await looks(customers, session_id) == "0.00"
    assert await lines(customers, session_id) == ["Energy", "Free of charge"]
    assert await billed(customers, session_id, 10_000, 60) == "0.00"


async def test_a_wallet_is_not_held_for_what_the_fee_has_paid(customers: Customers, watch: Watch) -> None:
    driver_id = await subscriber(customers, watch, monthly_fee=D(0))
    await customers.pays_with("wallet", driver_id=driver_id)
    await customers.puts_in(driver_id, "22")
    assert (await customers.asks("CARD-1"))[0] == "accepted"
    session_id = await customers.begins("CARD-1", watch.at)
    await reads(customers, session_id, watch.at + timedelta(minutes=30), 15_000)
    await looks(customers, session_id)
    (limit,) = await customers.limits([session_id])
    assert limit is not None
    assert limit.limit.amount == 20
    assert [amount for _, amount in await customers.holds()] == [2000]
    # 40 more are 20.00: nearly all that there is.
    await reads(customers, session_id, watch.at + timedelta(minutes=90), 55_000)
    assert await looks(customers, session_id) == "20.00"
    (limit,) = await customers.limits([session_id])
    assert limit is not None
    assert limit.limit.amount == 22
    assert await billed(customers, session_id, 55_000, 90) == "20.00"
    assert (await customers.wallet(driver_id)).balance == 2


VAT, LOW = TariffTax(percentage=D(20)), TariffTax(percentage=D("7.7"))


@pytest.fixture
async def taxed(db: Pool) -> Customers:
    """0.4321 a kWh with one tax, 1.00 with another, and from 3.00 to 12.00 in all."""
    components = [
        PriceComponent(type="ENERGY", price=D("0.4321"), taxes=[VAT]),
        PriceComponent(type="FLAT", price=D("1.00"), taxes=[LOW]),
    ]
    tariff = Tariff(
        currency="EUR",
        elements=[TariffElement(price_components=components)],
        tax_included="NO",
        min_price=PriceLimit(before_taxes=D(3)),
        max_price=PriceLimit(before_taxes=D(12)),
    )
    return await Customers(db).founded(tariff)


@pytest.mark.parametrize("wh", [1_234, 7_001, 14_999, 16_321, 24_680, 61_803])
async def test_bounds_and_taxes_come_to_the_bill(taxed: Customers, watch: Watch, wh: int) -> None:
    await subscriber(taxed, watch)
    session_id = await taxed.begins("CARD-1", watch.at)
    await reads(taxed, session_id, watch.at + timedelta(minutes=20), wh // 3)
    await looks(taxed, session_id)
    await reads(taxed, session_id, watch.at + timedelta(minutes=60), wh)
    assert await looks(taxed, session_id) == await billed(taxed, session_id, wh, 60)


async def test_a_session_that_is_priced_as_a_whole_is_spared_the_same(customers: Customers, watch: Watch) -> None:
    """Its meter was doubted: it is not gone on with."""
    await subscriber(customers, watch)
    session_id = await customers.begins("CARD-1", watch.at)
    await reads(customers, session_id, watch.at + timedelta(minutes=60), 20_000)
    await customers.pool.execute(
        "update session set energy_before_wh = 20000, register_start_wh = register_last_wh where session_id = $1",
        session_id,
    )
    assert await looks(customers, session_id) == "2.50"
    tally = await customers.pool.fetchval("select tally from session_cost where session_id = $1", session_id)
    assert tally is None


async def test_who_has_no_plan_is_spared_nothing(customers: Customers, watch: Watch) -> None:
    await subscriber(customers, watch)
    other = await customers.driver("Bea")
    await customers.card("CARD-2", other)
    session_id = await customers.begins("CARD-2", watch.at)
    await reads(customers, session_id, watch.at + timedelta(minutes=60), 10_000)
    assert await looks(customers, session_id) == "5.00"
    bea = Customers(customers.pool)
    await bea.founded(untaxed("0.50"))
    session_id = await bea.begins("CARD-1", watch.at)
    await reads(bea, session_id, watch.at + timedelta(minutes=60), 10_000)
    assert await looks(bea, session_id) == "5.00"


async def test_what_was_priced_before_it_was_noted_who_pays_is_priced_again_though_nothing_else_changed(
    customers: Customers, watch: Watch
) -> None:
    driver_id = await customers.driver()
    await customers.card("CARD-1", driver_id)
    await subscribed(customers, driver_id, await offered(customers))
    started_at = watch.at + timedelta(minutes=1)
    session_id = await customers.begins("CARD-1", started_at)
    await customers.pool.execute(
        "with noted as (delete from session_cover where session_id = $1)"
        " update session set first_received_at = $2 where session_id = $1",
        session_id,
        started_at,
    )
    watch.at = started_at + timedelta(seconds=2)
    await reads(customers, session_id, watch.at, 12_000)
    costs, bus = TariffCosts(PlanPayers(again_s=60)), cast(Bus, Silence())

    async def seen() -> Decimal | None:
        await watching.look(customers.pool, bus, costs)
        found: Decimal | None = await customers.pool.fetchval(
            "select total from session_cost where session_id = $1", session_id
        )
        return found

    assert await seen() == D("6.00")
    async with customers.pool.acquire() as conn, conn.transaction():
        await covers.cover_sessions(conn, [session_id])
    watch.at += timedelta(seconds=5)
    assert await seen() == 0
    watch.at += timedelta(seconds=30)
    looked_at = "select looked_at from session_cost where session_id = $1"
    before = await customers.pool.fetchval(looked_at, session_id)
    await seen()
    assert await customers.pool.fetchval(looked_at, session_id) == before, "later on only what changed is looked at"
