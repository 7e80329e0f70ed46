"""After a station connected its clock is compared with ours."""

from datetime import UTC, datetime, timedelta

import pytest

from ohmstead.core import clock
from ohmstead.stations.device import clocks, store
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant


async def check(network: Network, station: Station) -> str:
    return (await clocks.check(network.pool, network.house.desk, station.station_id)).result


async def offsets(network: Network, station: Station) -> list[int]:
    found = await network.rows(
        "select detail from security_signal where kind = 'clock_off' and station_id = $1 order by signal_id",
        station.station_id,
    )
    return [row.detail["offset_s"] for row in found]


def tells_time(station: Station, ahead: timedelta) -> None:
    def answer(payload: Payload) -> Payload:
        [asked] = payload["getVariableData"]
        assert (asked["component"]["name"], asked["variable"]["name"]) == ("ClockCtrlr", "DateTime")
        told = instant(datetime.now(UTC) + ahead)
        return {"getVariableResult": [{**asked, "attributeStatus": "Accepted", "attributeValue": told}]}

    station.answers["GetVariables"] = answer


@pytest.mark.parametrize(("ahead_s", "result"), [(0, "same"), (-50, "same"), (70, "off"), (-7200, "off")])
async def test_a_station_is_asked_for_its_time(network: Network, version2: str, ahead_s: int, result: str) -> None:
    station = await silent_station(network, version2)
    tells_time(station, timedelta(seconds=ahead_s))
    assert await check(network, station) == result
    found = await offsets(network, station)
    assert len(found) == (1 if result == "off" else 0)
    assert all(abs(offset - ahead_s) <= 2 for offset in found)


@pytest.mark.parametrize(("hours", "result"), [(0, "same"), (2, "off")])
async def test_of_a_1_6_station_the_times_it_tells_are_compared(network: Network, hours: int, result: str) -> None:
    station = await silent_station(network, "1.6")
    station.at = clock.now() - timedelta(days=1)  # something that was kept while it was offline
    await station.tells_status(1, "available")
    station.at = clock.now() + timedelta(hours=hours)
    await station.tells_status(2, "available")
    assert await check(network, station) == result
    assert len(await offsets(network, station)) == (1 if result == "off" else 0)


async def test_the_look_is_due_a_while_after_the_station_connected(network: Network, version: str) -> None:
    station = await silent_station(network, version)

    async def is_due() -> bool:
        found = await network.pool.fetchval(
            "select due_at > now() + interval '20 seconds' from upkeep where station_id = $1 and duty = 'clock'",
            station.station_id,
        )
        return bool(found)

    await network.until(is_due, "the clock is looked at")
    async with network.pool.acquire() as conn, conn.transaction():
        taken = await store.take_duties(conn, 100, 1)
    assert (station.station_id, "clock") not in {(duty.station_id, duty.duty) for duty in taken}
