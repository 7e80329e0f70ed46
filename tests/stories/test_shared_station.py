"""Two cars at one station: what the first one was given, and what others limit, is not given to the second one."""

from decimal import Decimal
from typing import Any

from ohmstead.smartcharging import planning
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_profiles import ac_needs, are, plans_heard


async def a_station(network: Network, version: str) -> Station:
    station = await network.station(version, hours_ago=0)
    await network.outlets(station, 2)
    await network.pool.execute("update evse set max_power_w = 22000 where station_id = $1", station.station_id)
    await network.pool.execute("update station set max_power_w = 22000 where station_id = $1", station.station_id)
    await comes(network, station, 1)
    return station


async def comes(network: Network, station: Station, outlet: int) -> None:
    """One more car."""
    await network.token(f"TAG{outlet}")
    await station.plugs_in(outlet)
    assert await station.presents(f"TAG{outlet}", outlet) == "Accepted"


def needs_at(evse_number: int, **given: Any) -> Payload:
    return {**ac_needs(**given), "evseId": evse_number}


async def planned(network: Network, station: Station, n: int) -> list[list[float]]:
    async def look() -> bool:
        return len(plans_heard(station)) == n

    await network.until(look, f"{n} plans were sent")
    await are(network, station, "planned")
    return [
        [p["limit"] for p in heard["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]]
        for heard in plans_heard(station)
    ]


async def test_the_second_car_gets_what_the_first_one_leaves(network: Network, version2: str) -> None:
    station = await a_station(network, version2)
    # It wants 40 kWh within four hours: 11.1 kW, in nine tenths of the time.
    await station.says("NotifyEVChargingNeeds", needs_at(1, hours=4, wh=40_000))
    [first] = await planned(network, station, 1)
    assert first[0] == 16.2
    await comes(network, station, 2)
    await station.says("NotifyEVChargingNeeds", needs_at(2, hours=0.5))
    _, second = await planned(network, station, 2)
    watts = Decimal(str(first[0])) * 690 + Decimal(str(second[0])) * 690
    assert watts <= 22_000
    assert second[0] == 15.6
    # Once the first one is over its plan it may have all that goes: then there is nothing left for the second one.
    assert second[-1] == 0
    # It needs more than it was given: once the first one is gone, it gets it.
    await network.settled()
    await station.unplugs(1)

    async def is_over() -> bool:
        return sorted(one.status for one in await network.sessions_of(station)) == ["active", "completed"]

    await network.until(is_over, "the first car is gone")
    [kept] = await network.rows(
        "select needs_id from charging_needs where station_id = $1 and evse_number = 2", station.station_id
    )
    await planning.review(network.pool, network.house.desk, {"needs_id": str(kept.needs_id)})
    *_, third = await planned(network, station, 3)
    assert third == [31.8]


async def test_a_car_without_a_plan_takes_what_it_is_seen_to_take(network: Network, version2: str) -> None:
    station = await a_station(network, version2)
    await comes(network, station, 2)
    await network.settled()
    await network.pool.execute(
        "update session set power_w = 7000, power_at = now() where station_id = $1 and evse_number = 2",
        station.station_id,
    )
    await station.says("NotifyEVChargingNeeds", needs_at(1, hours=0.5))
    [first] = await planned(network, station, 1)
    assert first == [21.7]  # 22 kW less 7 kW


async def test_limits_of_others_bound_the_outlet_and_the_station(network: Network, version2: str) -> None:
    station = await a_station(network, version2)

    async def limits(evse_number: int, limit: float) -> None:
        schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
        told = {"chargingLimit": {"chargingLimitSource": "EMS"}, "chargingSchedule": [schedule]}
        await station.says("NotifyChargingLimit", {**told, **({"evseId": evse_number} if evse_number else {})})

    await limits(1, 8)
    await limits(0, 20)
    await station.says("NotifyEVChargingNeeds", needs_at(1, hours=0.5))
    [first] = await planned(network, station, 1)
    assert first == [8]
    await comes(network, station, 2)
    await station.says("NotifyEVChargingNeeds", needs_at(2, hours=0.5))
    _, second = await planned(network, station, 2)
    assert second == [12]
