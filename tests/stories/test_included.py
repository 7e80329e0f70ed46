"""Who has a plan is shown, while they charge, what their bill will say: energy in the plan's fee is taken off as it flows."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.covers import CoverTerms
from ohmstead.billing.paying.model import NewPayingMethod
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import NewPlan
from ohmstead.core.db import Pool
from ohmstead.sessions.pricing.queries import running_costs
from ohmstead.sessions.pricing.service import TariffCosts
from tests.stories.network import Installation, Network
from tests.stories.station import Station
from tests.stories.test_costs import cost_messages, shows_costs, tells_running
from tests.stories.test_paying import NET, cdr_of, driver
from tests.stories.test_priced_sessions import has_tariff


@pytest.fixture(scope="module")
async def priced_house(installation: Installation, _pool: tuple[Pool, str]) -> AsyncIterator[Installation]:
    """One more gateway, which knows prices and who pays."""
    costs = TariffCosts(PlanPayers(again_s=60), looks_up=False)
    house = Installation(installation.settings, installation.pool, installation.bus, costs=costs, terms=CoverTerms())
    door = await house.open_door()
    yield house
    await door.close()


@pytest.fixture
async def network(priced_house: Installation) -> AsyncIterator[Network]:
    """A kWh costs 0.50, and nothing is taxed."""
    network = await Network(priced_house).found()
    await has_tariff(network, NET)
    yield network
    for station in network.stations:
        await station.leaves()


async def has_plan(network: Network, driver_id: UUID) -> int:
    """For long; so many Wh are left of this month."""
    actor = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        given = NewPlan(name="Plus", label="PLUS", monthly_fee=Decimal(0), included_kwh=Decimal(310))
        plan = await plans.create_plan(conn, actor, given)
        await plans.subscribe(conn, actor, driver_id, plan.plan_id)
        await conn.execute(
            "update subscription set started_at = now() - interval '40 days' where party_id = $1", network.party_id
        )
        left = await conn.fetchval("select sum(included_wh) from plan_charge where party_id = $1", network.party_id)
    return int(left)


async def begins(network: Network, version: str) -> Station:
    """Not before this month, for which the plan is there."""
    station = await network.station(version, hours_ago=1.2 if datetime.now(UTC).hour > 1 else 0.01)
    if version == "1.6":
        await shows_costs(network, station)
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"

    async def is_covered() -> bool:
        found = await network.pool.fetchval(
            "select exists (select from session_cover join session_tariff using (session_id) join session using (session_id)"
            " where station_id = $1)",
            station.station_id,
        )
        return bool(found)

    await network.until(is_covered, "who pays for the session, and by which tariff, is kept")
    return station


async def shown(network: Network, station: Station) -> Decimal:
    """What it costs so far, on pages and by its cover."""
    await tells_running(network, TariffCosts(PlanPayers()))
    session = await network.session_of(station)
    async with network.pool.acquire() as conn:
        return (await running_costs(conn, network.party_id, [session.session_id]))[session.session_id].amount


async def test_energy_in_the_fee_is_taken_off_while_it_flows(network: Network, version: str) -> None:
    left = await has_plan(network, await driver(network))
    station = await begins(network, version)
    await station.delivers(wh=left - 1000, over="30m")
    assert await shown(network, station) == 0
    await station.delivers(wh=3_000, over="30m")
    assert await shown(network, station) == 1
    if version == "1.6":
        told = [data for kind, data in cost_messages(station) if kind == "RunningCost"]
        assert told[-1]["cost"] == 1
        # A kWh costs nothing or 0.50, as far as the month goes: no one price is told.
        assert "chargingPrice" not in told[-1]
    else:
        assert (await station.hears("CostUpdated"))["totalCost"] in (0, 1)
    if version == "2.1":
        answer = await station.event(  # type: ignore[attr-defined]
            station.transactions[1], "Updated", "MeterValuePeriodic", context="Sample.Periodic"
        )
        assert answer == {"totalCost": 1}
    await station.unplugs()
    assert (await cdr_of(network, station)).total == 1


async def test_what_is_free_is_shown_so(network: Network, version: str) -> None:
    driver_id = await driver(network)
    async with network.pool.acquire() as conn, conn.transaction():
        given = NewPayingMethod(kind="free")
        await paying.set_method(conn, access.system(network.party_id), given, driver_id=driver_id)
    station = await begins(network, version)
    await station.delivers(wh=10_000, over="30m")
    assert await shown(network, station) == 0
    await station.unplugs()
    assert (await cdr_of(network, station)).total == 0
