"""kill -9 of the worker in the middle of one order to many: the next one goes on, and no station is asked twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ohmstead.accounts import access
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from ohmstead.stations.bulk import queries, service
from ohmstead.stations.orders import ClearCache
from tests.faults.own_process import running
from tests.stories.listener import silent_station
from tests.stories.network import VERSIONS, Installation, Network
from tests.stories.patience import until
from tests.stories.station import Payload

N_STATIONS = 24
KILLS = 2


@pytest.fixture
async def network(settings: Settings, db: Pool, nats_url: str) -> AsyncIterator[Network]:
    """A gateway in this process, and no worker."""
    bus = await Bus.connect(nats_url, "bulk-killed")
    door = None
    network = Network(Installation(settings, db, bus))
    try:
        door = await network.house.open_door()
        yield await network.found()
    finally:
        for station in network.stations:
            await station.leaves()
        if door is not None:
            await door.close()
        await bus.close()


async def test_a_bulk_goes_on_after_its_worker_was_killed_and_nobody_is_asked_twice(
    network: Network, settings: Settings, tmp_path: Path
) -> None:
    async def slowly(_payload: Payload) -> Payload:
        await asyncio.sleep(0.15)
        return {"status": "Accepted"}

    stations = [await silent_station(network, VERSIONS[n % 3], f"ST-{n:02d}") for n in range(N_STATIONS)]
    for station in stations:
        station.answers["ClearCache"] = slowly
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        made = await service.create(conn, actor, ClearCache(), [s.station_id for s in stations], {}, at_once=2)

    async def n_through() -> int:
        async with network.pool.acquire() as conn:
            return (await queries.get_bulk(conn, network.party_id, made.bulk_id)).progress.n_over

    for kill in range(KILLS):
        async with running("worker", settings, tmp_path) as worker:

            async def is_further(so_far: int = 4 * (kill + 1)) -> bool:
                return await n_through() >= so_far

            await until(is_further, "some stations are through", patience_s=30)
            os.kill(worker.process.pid, signal.SIGKILL)
            await asyncio.to_thread(worker.process.wait, 10)
    assert await n_through() < N_STATIONS, "killed before it was through"
    async with running("worker", settings, tmp_path):

        async def is_over() -> bool:
            return await n_through() == N_STATIONS

        await until(is_over, "all stations are through", patience_s=30)
    async with network.pool.acquire() as conn:
        done = await queries.get_bulk(conn, network.party_id, made.bulk_id)
    assert done.progress.accepted == N_STATIONS
    asked = [sum(1 for _, name, _ in station.wire.heard if name == "ClearCache") for station in stations]
    assert asked == [1] * N_STATIONS
