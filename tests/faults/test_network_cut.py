"""The network between a host and its database and NATS is cut for a while under load, and healed.

A cut network shows in several ways: connections are refused at once; or what was sent is simply never answered, on
connections that look alive, and those of before stay so when new ones work again; or packets are lost, also those that
would have begun or ended a connection. Where the last cannot be made (no root, no namespaces) a silent proxy stands in.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import pytest

from ohmstead import app
from ohmstead.core.bus import Bus
from ohmstead.embedded import Embedded
from ohmstead.settings import Settings
from ohmstead.stations.commands import Command, CommandDesk, Trigger
from tests.faults import veth
from tests.faults.fleet import Fleet, Station
from tests.faults.plant import Books, Plant, Process, servers, until
from tests.faults.veth import Namespace
from tests.gateway.wire import Cut

AWAY_S = 30.0
BACK_WITHIN_S = 60.0


class Wire(Protocol):
    """What lies between a host and the servers; `proxies` to the database and to NATS, where it is made of such."""

    proxies: list[Cut]

    async def cut(self) -> None: ...

    async def heal(self) -> None: ...


class Refusing:
    """Connections end, new ones are refused."""

    def __init__(self, proxies: list[Cut]) -> None:
        self.proxies = proxies

    async def cut(self) -> None:
        for proxy in self.proxies:
            await proxy.cut()

    async def heal(self) -> None:
        for proxy in self.proxies:
            await proxy.join()


class Stalling(Refusing):
    """Connections stay, new ones are taken, and nothing comes through."""

    async def cut(self) -> None:
        for proxy in self.proxies:
            proxy.stall()

    async def heal(self) -> None:
        for proxy in self.proxies:
            proxy.flow()


class Losing:
    """Packets are lost."""

    def __init__(self, host: Namespace) -> None:
        self.proxies: list[Cut] = []
        self.host = host

    async def cut(self) -> None:
        self.host.tear()

    async def heal(self) -> None:
        self.host.mend()


class Forgetting(Stalling):
    """As a firewall that lost its memory: connections of before stay dead for ever, without a word; new ones work."""

    async def heal(self) -> None:
        for proxy in self.proxies:
            proxy.forget()


_KINDS = {"refusing": Refusing, "forgetting": Forgetting}


@dataclass
class Host:
    """Processes on the far side of a wire, the first a gateway. Another worker and the tests are on this side."""

    plant: Plant
    wire: Wire
    processes: list[Process]

    @property
    def gateway(self) -> Process:
        return self.processes[0]


def _through(url: str, proxy: Cut) -> str:
    parts = urlsplit(url)
    login = f"{parts.username}:{parts.password}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{proxy.port}"))


class Running:
    """The servers, and what is on their side of the wire."""

    def __init__(self, started: Embedded, books: Books, data_dir: Path, bus: Bus) -> None:
        self.started = started
        self.books = books
        self.data_dir = data_dir
        self._bus = bus

    async def desk(self) -> CommandDesk:
        return CommandDesk(self.books.pool, self._bus)


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Running]:
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-cut-"))
    try:
        async with servers(data_dir) as started:
            await app.migrate(Settings(data_dir=data_dir, database_url=started.database_url))
            near = Plant(data_dir, started.database_url, started.nats_url)
            bus = await Bus.connect(started.nats_url, "tests")
            try:
                await near.start("worker")
                async with Books.open(started.database_url) as books:
                    yield Running(started, books, data_dir, bus)
            finally:
                await bus.close()
                near.close()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@contextlib.asynccontextmanager
async def _host(kind: str, running: Running) -> AsyncIterator[Host]:
    started, data_dir = running.started, running.data_dir
    async with contextlib.AsyncExitStack() as stack:
        wire: Wire
        if kind == "losing" and veth.is_permitted():
            namespace = await stack.enter_async_context(Namespace.made())
            urls = [await namespace.url_of(url) for url in (started.database_url, started.nats_url)]
            wire = Losing(namespace)
            plant = Plant(data_dir, *urls, inside=namespace.command, address=namespace.inner_address)
        else:
            parts = [urlsplit(url) for url in (started.database_url, started.nats_url)]
            proxies = [await stack.enter_async_context(Cut(part.hostname or "", part.port or 0)) for part in parts]
            wire = _KINDS.get(kind, Stalling)(proxies)
            plant = Plant(data_dir, _through(started.database_url, proxies[0]), _through(started.nats_url, proxies[1]))
        stack.callback(plant.close)
        # A worker's statements may take long, so that it gives up a dead connection only after a minute: too long here.
        roles = ["gateway"] if kind == "forgetting" else ["gateway", "worker"]
        yield Host(plant, wire, await asyncio.gather(*(plant.start(role, GATEWAY_HOST="0.0.0.0") for role in roles)))


@pytest.mark.slow
async def test_a_cut_network_costs_time_and_nothing_else(running: Running) -> None:
    """Three hosts at once, each cut off in its own way."""
    await asyncio.gather(*(_is_cut_off(kind, running) for kind in ("refusing", "forgetting", "losing")))


async def _is_cut_off(kind: str, running: Running) -> None:
    books = running.books
    async with _host(kind, running) as host:
        fleet = await books.fleet([host.gateway.url], n_stations=12)
        desk = await running.desk()
        async with fleet.charging():
            await host.wire.cut()
            await asyncio.sleep(1)  # what was committed before the cut may still be answered
            await _nothing_is_promised(fleet, host)
            await host.wire.heal()
            await fleet.goes_on(100, BACK_WITHIN_S)
            for process in host.processes:
                await until(process.is_ready, f"the {process.role} did not recover: {host.plant.complaints()}")
            # For a worker that was not cut off the gateway was dead; now the register has its stations again.
            await until(lambda: _are_here(books, fleet), f"not connected: {host.plant.complaints()}", within_s=30)
            commands = await asyncio.gather(*(_order(desk, books, station) for station in fleet.stations))
            assert {command.status for command in commands} == {"accepted"}, commands
        await books.agree_with(fleet)
        assert all(process.popen.poll() is None for process in host.plant.processes), "something was restarted"


async def _nothing_is_promised(fleet: Fleet, host: Host) -> None:
    acknowledged = fleet.n_acknowledged
    await asyncio.sleep(AWAY_S)
    assert fleet.n_acknowledged == acknowledged, "acknowledged without a database"
    for process in host.processes:
        status, _ = await process.readiness()
        assert status != 200, f"the {process.role} says that all is well"


async def _are_here(books: Books, fleet: Fleet) -> bool:
    return None not in await books.spread(fleet)


async def _order(desk: CommandDesk, books: Books, station: Station) -> Command:
    return await desk.send(
        Trigger(message="Heartbeat"),
        party_id=books.party_id,
        station_id=station.station_id,
        requested_by="operator:test",
        timeout_s=20,
    )


@pytest.mark.slow
async def test_stations_are_served_while_nats_is_silent(running: Running) -> None:
    async with _host("stalling", running) as host:
        fleet = await running.books.fleet([host.gateway.url])
        desk = await running.desk()
        async with fleet.charging():
            nats = host.wire.proxies[1]
            nats.stall()
            await fleet.goes_on(500, within_s=30)
            nats.flow()
            commands = await asyncio.gather(*(_order(desk, running.books, station) for station in fleet.stations))
            assert {command.status for command in commands} == {"accepted"}, commands
        await running.books.agree_with(fleet)
        assert fleet.errors == []


@pytest.mark.slow
async def test_a_commit_whose_answer_is_lost_is_done_once(running: Running) -> None:
    async with _host("stalling", running) as host:
        database = host.wire.proxies[0]
        fleet = await running.books.fleet([host.gateway.url])
        async with fleet.charging():
            for _ in range(5):
                # A statement with a meter value in it writes all of a batch: it gets through, its answer does not.
                database.deafen_after(b"sampledValue")
                await until(lambda: _is(database.is_deaf), "nothing was written")
                await asyncio.sleep(0.3)
                await database.cut()
                database.is_deaf = False
                await database.join()
                await fleet.goes_on(60)
        await running.books.agree_with(fleet)


async def _is(fact: bool) -> bool:
    return fact
