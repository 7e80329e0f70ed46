"""The host's clock, or the database's, is put forward or back by an hour under live stations."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ohmstead import worker
from ohmstead.core import clock, events, health, metrics
from ohmstead.core.health import Watch
from ohmstead.core.migrations import missing_partitions
from ohmstead.settings import Settings
from ohmstead.stations.orders import Reset
from tests.faults.charges import Charge, register_stations
from tests.faults.line import VERSIONS, Line
from tests.gateway.running import House, eventually
from tests.gateway.wire import Station, connected
from tests.outbox import is_read

HOUR = timedelta(hours=1)
Step = Callable[[timedelta], None]


@pytest.fixture
def step() -> Any:
    """Puts this process's clock off by so much."""

    def to(offset: timedelta) -> None:
        clock.set_source(lambda: datetime.now(UTC) + offset)

    yield to
    clock.set_source(None)


@pytest.fixture
async def working(settings: Settings, house: House) -> AsyncIterator[None]:
    runner = events.Runner(house.pool, house.bus, gather_s=0)
    task = asyncio.create_task(worker.run(settings, house.pool, house.bus, runner=runner, ask_after_s=3600))
    await eventually(lambda: is_read(house.pool, runner), "no worker", within_s=20)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
@pytest.mark.parametrize("version", VERSIONS)
async def test_sessions_keep_their_energy_their_order_and_their_ids(
    version: str, offset: timedelta, step: Step, settings: Settings, party_id: UUID, house: House, working: None
) -> None:
    await register_stations(house.pool, party_id, ["ST-1"])
    line = await Line.open(settings.gateway_port, "ST-1", version)
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    charges = [Charge(version, began + n * HOUR, samples=6, register_wh=5_000 * n) for n in range(3)]
    for number, charge in enumerate(charges):
        await charge.begin(line)
        for n, (action, payload) in enumerate(charge.messages()[1:]):
            if (number, n) == (1, 3):
                step(offset)
            await line.tell(action, payload)
    step(timedelta())
    await line.beat_s()
    completed = "select count(*) = 3 from session where status = 'completed' and settled_at is not null"
    await eventually(lambda: house.pool.fetchval(completed), "not settled", within_s=20)
    rows = await house.pool.fetch(
        "select session_id, started_at, energy_wh, anomalies from session order by started_at"
    )
    assert [row["energy_wh"] for row in rows] == [charge.energy_wh for charge in charges]
    assert [row["started_at"] for row in rows] == [charge.begins_at for charge in charges]
    assert [row["session_id"] for row in rows] == sorted(row["session_id"] for row in rows)
    assert {tuple(row["anomalies"]) for row in rows} == {()}
    assert line.close_code is None
    assert await house.is_connected("ST-1")
    # Start, samples and stop of each, and the heartbeat.
    assert await house.pool.fetchval("select count(*) from ocpp_message where answer_kind = 'result'") == 3 * 8 + 1
    await line.close()


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
async def test_commands_connections_and_timers_do_not_hang(
    offset: timedelta, step: Step, settings: Settings, house: House, working: None
) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1") as station:
        station.replies = {"Reset": {"status": "Accepted"}}
        await station.beat()
        step(offset)
        async with station.listening():
            assert (await house.order("CP-1", Reset())).status == "accepted"
        # One that waits for its station is sent when it comes, though host and database disagree.
        command = await _queued_meanwhile(house, station)
        assert command == "accepted"
        # What the station hears is the host's time; it follows when the clock is mended.
        told = datetime.fromisoformat((await station.tell("Heartbeat", {}))["currentTime"])
        assert abs(told - datetime.now(UTC) - offset) < timedelta(minutes=1)
        step(timedelta())
        told = datetime.fromisoformat((await station.tell("Heartbeat", {}))["currentTime"])
        assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)
    async with house.pool.acquire() as conn:
        assert await missing_partitions(conn) == []


async def _queued_meanwhile(house: House, station: Station) -> str | None:
    await station.send(["no frame"])
    async with station.listening():
        command = await house.order("CP-1", Reset(), queue_for_s=7200)
    return command.status


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
async def test_the_difference_is_told_with_what_to_do(offset: timedelta, step: Step, house: House) -> None:
    watch = Watch(house.pool, house.bus)
    assert health.report(await watch.look())["checks"]["clock"] == "ok"
    step(offset)
    told = health.report(await watch.look())
    assert told["status"] == "failed"
    assert told["is_ready"], "a gateway with a wrong clock serves better than none"
    assert ("ahead of" if offset < timedelta() else "behind") in told["checks"]["clock"]
    assert "36" in told["checks"]["clock"] or "35" in told["checks"]["clock"]
    assert "Synchronise" in told["to_do"]["clock"]
    assert metrics.REGISTRY.get_sample_value("ohmstead_check_state", {"check": "clock"}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("leap", ["1 hour", "-1 hour"])
async def test_a_leap_of_the_databases_clock_leaves_connected_stations_connected(
    leap: str, settings: Settings, house: House, working: None
) -> None:
    """Seen from a database whose clock leapt forward, every gateway was last heard an hour ago."""
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1") as station:
        await station.beat()
        gone = "select station_id = 'CP-1' from connection_change where reason = 'gateway_lost'"

        async def is_given_up() -> bool:
            await house.pool.execute("update gateway set alive_at = now() - $1::interval", _span(leap))
            return bool(await house.pool.fetchval(gone))

        await eventually(is_given_up, "the worker did not look", within_s=20)
        await eventually(lambda: house.is_connected("CP-1"), "shown as offline for ever", within_s=20)
        assert (await house.row("CP-1"))["gateway_id"] == house.gateway.gateway_id
        station.replies = {"Reset": {"status": "Accepted"}}
        async with station.listening():
            assert (await house.order("CP-1", Reset())).status == "accepted"
    await eventually(lambda: _is_offline(house, "CP-1"), "its end was not noticed", within_s=20)


def _span(leap: str) -> timedelta:
    return HOUR if leap == "1 hour" else -HOUR


async def _is_offline(house: House, station_id: str) -> bool:
    return not await house.is_connected(station_id)


async def test_a_given_up_gateway_does_not_take_back_a_station_that_went_elsewhere(
    settings: Settings, house: House
) -> None:
    """The other gateway's row is not there yet, but the station's is: whoever holds it keeps it."""
    await house.station("CP-1", has_booted=True)
    elsewhere = UUID(int=7)
    async with connected(house, "CP-1") as station:
        await station.beat()
        await house.pool.execute("delete from gateway")
        await house.pool.execute("update station set gateway_id = $1 where station_id = 'CP-1'", elsewhere)
        known = "select count(*) = 1 from gateway"
        await eventually(lambda: house.pool.fetchval(known), "no beat", within_s=20)
        await station.beat()
        assert (await house.row("CP-1"))["gateway_id"] == elsewhere
