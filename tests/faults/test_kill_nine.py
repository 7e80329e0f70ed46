"""kill -9 of everything, ten times each, under load: nothing acknowledged is lost, nothing is there twice, all comes
back by itself."""

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest

from ohmstead import embedded
from tests import environment
from tests.faults.fleet import Fleet
from tests.faults.plant import Books, status_of, until
from tests.ground.installation import Installation

KILLS = 10
HEALTH = {"gateway": "METRICS_GATEWAY_PORT", "web": "WEB_PORT", "worker": "WORKER_HEALTH_PORT"}


class Running:
    """`ohmstead up`, and its database."""

    def __init__(self, installation: Installation, books: Books) -> None:
        self.installation = installation
        self.books = books

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.installation.ports['GATEWAY_PORT']}/ocpp"

    def pids(self) -> dict[str, int]:
        return self.installation.children() | self.installation.servers()

    async def is_well(self, name: str) -> bool:
        """The process answers, and says that its database and NATS do; of a server the gateway says so."""
        return (await status_of(self.installation.ports[HEALTH.get(name, HEALTH["gateway"])]))[0] == 200

    async def is_ready(self) -> bool:
        return all([await self.is_well(name) for name in HEALTH])

    async def kill(self, name: str) -> None:
        """kill -9, then wait until another process has its place and everything says that it is ready."""
        before = self.pids()[name]
        os.kill(before, signal.SIGKILL)

        async def is_replaced() -> bool:
            pid = self.pids().get(name, before)
            return pid != before and psutil.pid_exists(pid)

        await until(is_replaced, f"{name} was not started again: {self.installation.printed()[-3000:]}")
        await until(lambda: self.is_well(name), f"{name} is not ready again: {self.installation.printed()[-3000:]}")

    async def kill_backend(self) -> None:
        """kill -9 of one of the gateway's server processes; PostgreSQL then ends all the others and recovers."""
        pid = 0

        async def is_connected() -> bool:
            nonlocal pid
            pid = await self.books.pool.fetchval(
                "select pid from pg_stat_activity where application_name = 'ohmstead-gateway'"
                " order by state_change desc limit 1"
            )
            return bool(pid)

        await until(is_connected, "the gateway has no server process")
        os.kill(pid, signal.SIGKILL)

        async def has_recovered() -> bool:
            alive = await self.books.pool.fetchval("select count(*) from pg_stat_activity where pid = $1", pid)
            return bool(alive == 0)

        await until(has_recovered, "the server process is still there")
        await until(
            self.is_ready, f"not ready after a server process was killed: {self.installation.printed()[-3000:]}"
        )

    async def kill_ten_times(self, name: str, fleet: Fleet) -> None:
        for _ in range(KILLS):
            # Kills must not beat in time with the load: each finds it at another place.
            await fleet.goes_on(random.randint(1, 40))
            await (self.kill_backend() if name == "backend" else self.kill(name))


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Running]:
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-kills-"))
    data_dir.chmod(0o711)
    installation = Installation(data_dir, environment.free_port)
    try:
        await asyncio.to_thread(installation.up)
        state = msgspec.json.decode((data_dir / "run" / "state.json").read_bytes(), type=embedded.Running)
        assert state.database_url is not None
        async with Books.open(state.database_url) as books:
            yield Running(installation, books)
        assert await asyncio.to_thread(installation.stop) == 0
    finally:
        await asyncio.to_thread(installation.clean_up)
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("victims", [("gateway", "worker", "web", "nats"), ("postgres", "backend")], ids="+".join)
async def test_ten_kills_each_under_load_lose_nothing_and_double_nothing(
    victims: tuple[str, ...], running: Running
) -> None:
    await until(running.is_ready, "not ready at the start")
    fleet = await running.books.fleet([running.url])
    async with fleet.charging():
        await asyncio.gather(*(running.kill_ten_times(victim, fleet) for victim in victims))
        await until(running.is_ready, "not ready after the kills")
        await fleet.goes_on()
    await running.books.agree_with(fleet)
    assert await running.is_ready()
