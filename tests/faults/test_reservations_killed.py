"""kill -9 between ReserveNow and the station's answer, of the worker or of the gateway: the reservation ends up as the
station said.
"""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict
from ohmstead.settings import Settings
from tests.faults import own_process
from tests.stories.listener import nothing
from tests.stories.network import Network
from tests.stories.patience import until
from tests.stories.test_reservations import reserve
from tests.stories.wire import SILENCE


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_worker_killed_before_the_answer_loses_nothing(db: Pool, settings: Settings, tmp_path: Path) -> None:
    async def nobody_listens(*_news: Any) -> None:
        return None

    house = SimpleNamespace(
        pool=db,
        url=f"ws://127.0.0.1:{settings.gateway_port}",
        bus=SimpleNamespace(publish=nobody_listens),
    )
    async with own_process.running("gateway", settings, tmp_path):
        network = await Network(house).found()  # type: ignore[arg-type]
        station = await network.station("2.0.1", hours_ago=0)
        await network.token("HOLDER")
        station.wire.after = nothing
        station.answers["ReserveNow"] = SILENCE
        async with own_process.running("worker", settings, tmp_path) as worker:
            made = await reserve(network, station, evse_number=1)
            await station.hears("ReserveNow")
            worker.process.kill()
            await asyncio.to_thread(worker.process.wait)
        # Nobody of ours who asked is alive when the station says yes.
        await station.wire.send([3, station.wire.heard[0][0], {"status": "Accepted"}])

        async def status() -> str:
            return str(await db.fetchval("select status from reservation where number = $1", made.number))

        async def is_answered() -> bool:
            return bool(await db.fetchval("select status = 'accepted' from command where kind = 'reserve'"))

        await until(is_answered, "the answer is on the row", 20)
        assert await status() == "requested"
        async with own_process.running("worker", settings, tmp_path):

            async def is_active() -> bool:
                return await status() == "active"

            await until(is_active, "the reservation is active", 40)
        assert [action for _, action, _ in station.wire.heard].count("ReserveNow") == 1
        await station.leaves()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_gateway_killed_before_the_answer_leaves_no_doubt(db: Pool, settings: Settings, tmp_path: Path) -> None:
    async def nobody_listens(*_news: Any) -> None:
        return None

    house = SimpleNamespace(
        pool=db,
        url=f"ws://127.0.0.1:{settings.gateway_port}",
        bus=SimpleNamespace(publish=nobody_listens),
    )
    async with own_process.running("worker", settings, tmp_path):
        async with own_process.running("gateway", settings, tmp_path) as gateway:
            network = await Network(house).found()  # type: ignore[arg-type]
            station = await network.station("2.0.1", hours_ago=0)
            await network.token("HOLDER")
            station.wire.after = nothing
            station.answers["ReserveNow"] = SILENCE
            made = await reserve(network, station, evse_number=1)
            await station.hears("ReserveNow")
            gateway.process.kill()
            await asyncio.to_thread(gateway.process.wait)
        # The station obeyed, and has nobody to tell.
        station.answers["ReserveNow"] = {"status": "Accepted"}
        assert await db.fetchval("select status from reservation where number = $1", made.number) == "requested"
        async with own_process.running("gateway", settings, tmp_path):
            await station.wire.cut()
            await station.boots()
            # Nobody else gets the outlet meanwhile; the next try is due half a minute after the first one.
            with pytest.raises(Conflict):
                await reserve(network, station, evse_number=1)
            await db.execute(
                "update reservation set told_at = now() - interval '1 minute' where number = $1", made.number
            )

            async def is_active() -> bool:
                found = await db.fetchval("select status from reservation where number = $1", made.number)
                return bool(found == "active")

            await until(is_active, "the reservation is active", 60)
            # It was told again under the same number, by which the station knows that it is the same one.
            ids = [payload["id"] for _, action, payload in station.wire.heard if action == "ReserveNow"]
            assert ids == [made.number, made.number]
            assert await db.fetchval("select count(*) from reservation") == 1
            await station.leaves()
