"""Two gateways, two workers and two web processes on one database and NATS: one installation, whatever goes away."""

import asyncio
import contextlib
import itertools
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ohmstead import app
from ohmstead.settings import Settings
from tests.faults.fleet import Fleet, Station
from tests.faults.plant import Books, Plant, Process, servers, status_of, until

DRAIN_S = 4


class Double:
    """The installation. Tests that end a process put another one into its place."""

    def __init__(self, plant: Plant, books: Books, key: str) -> None:
        self.plant = plant
        self.books = books
        self.key = key
        self.gateways: list[Process] = []
        self.workers: list[Process] = []
        self.webs: list[Process] = []

    async def begin(self) -> None:
        started = await asyncio.gather(*(self.plant.start(role, DRAIN_S=str(DRAIN_S)) for role in _ROLES * 2))
        for processes, role in ((self.gateways, "gateway"), (self.workers, "worker"), (self.webs, "web")):
            processes += [process for process in started if process.role == role]

    @property
    def urls(self) -> list[str]:
        return [gateway.url for gateway in self.gateways]

    async def orders(self, http: httpx.AsyncClient, station: Station, first: int = 0) -> dict[str, Any]:
        """A command through the REST API of web number `first`, or of the other one where nobody answers there."""
        for n in (first, first + 1):
            with contextlib.suppress(httpx.TransportError):
                answer = await http.post(
                    f"{self.webs[n % 2].url}/api/v1/stations/{station.station_id}/commands",
                    json={"kind": "trigger", "message": "Heartbeat"},
                    headers={"Authorization": f"Bearer {self.key}"},
                    params={"timeout": 20},
                )
                assert answer.status_code == 200, answer.text
                command: dict[str, Any] = answer.json()
                return command
        raise AssertionError("no web process took the command")


_ROLES = ["gateway", "worker", "web"]


@pytest.fixture(scope="module")
async def double() -> AsyncIterator[Double]:
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-double-"))
    try:
        async with servers(data_dir) as started:
            await app.migrate(Settings(data_dir=data_dir, database_url=started.database_url))
            plant = Plant(data_dir, started.database_url, started.nats_url)
            try:
                async with Books.open(started.database_url) as books:
                    whole = Double(plant, books, await books.api_key())
                    await whole.begin()
                    yield whole
            finally:
                plant.close()
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


async def _all_obey(double: Double, http: httpx.AsyncClient, fleet: Fleet) -> None:
    for web in (0, 1):
        commands = await asyncio.gather(*(double.orders(http, station, web) for station in fleet.stations))
        assert {command["status"] for command in commands} == {"accepted"}, commands
    assert all(len(station.obeyed) >= 2 for station in fleet.stations)


@pytest.mark.slow
async def test_commands_through_either_web_find_stations_on_either_gateway(double: Double) -> None:
    fleet = await double.books.fleet(double.urls)
    async with fleet.charging(), httpx.AsyncClient(timeout=60) as http:
        assert sorted((await double.books.spread(fleet)).values()) == [12, 12]
        await _all_obey(double, http, fleet)
    await double.books.agree_with(fleet)


@pytest.mark.slow
async def test_stations_of_a_killed_gateway_go_on_in_the_same_sessions_on_the_other(double: Double) -> None:
    fleet = await double.books.fleet(double.urls)
    lost, left = double.gateways
    async with fleet.charging(), httpx.AsyncClient(timeout=60) as http:
        on_the_lost = [station for station in fleet.stations if station.connected_to[-1] == lost.url]
        assert len(on_the_lost) == 12
        lost.kill()
        # At once, while the register still names the gateway that is gone: commands wait for the stations.
        await _all_obey(double, http, fleet)
        assert {station.connected_to[-1] for station in fleet.stations} == {left.url}
        await fleet.goes_on(100)
        double.gateways[0] = await double.plant.start("gateway", **lost.settings)
    await double.books.agree_with(fleet)


@pytest.mark.slow
async def test_a_rolling_restart_under_load_loses_no_message_and_fails_no_command(double: Double) -> None:
    fleet = await double.books.fleet(double.urls)
    commands: list[dict[str, Any]] = []
    is_over = asyncio.Event()

    async def command_on(http: httpx.AsyncClient, web: int) -> None:
        for station in itertools.cycle(fleet.stations[web::2]):
            if is_over.is_set():
                return
            commands.append(await double.orders(http, station, web))

    async with fleet.charging(), httpx.AsyncClient(timeout=60) as http, asyncio.TaskGroup() as group:
        for web in (0, 1):
            group.create_task(command_on(http, web))
        for n in (0, 1):
            double.gateways[n], double.workers[n], double.webs[n] = await asyncio.gather(
                *(double.plant.restart(one[n]) for one in (double.gateways, double.workers, double.webs))
            )
            await fleet.goes_on(50)
        is_over.set()
    await double.books.agree_with(fleet)
    assert len(commands) > 50
    assert {command["status"] for command in commands} == {"accepted"}, [
        command for command in commands if command["status"] != "accepted"
    ]
    assert fleet.errors == []
    assert {code for station in fleet.stations for _, code in station.partings} == {1001}


@pytest.mark.slow
async def test_a_gateway_that_is_stopped_lets_its_stations_go_one_after_the_other(double: Double) -> None:
    gateway = await double.plant.start("gateway", DRAIN_S="6")
    fleet = await double.books.fleet([gateway.url, *double.urls[:1]])
    mine, others = fleet.stations[::2], fleet.stations[1::2]
    slow = mine[0]  # the first to be let go
    async with fleet.charging(), httpx.AsyncClient(timeout=60) as http:
        assert {station.connected_to[-1] for station in mine} == {gateway.url}
        slow.obeys_after_s = 3.0
        carried_out = asyncio.create_task(double.orders(http, slow))
        await until(lambda: _was_sent(double, slow), "the command was not sent")
        stopped = asyncio.create_task(gateway.stop())
        await until(lambda: _says_draining(gateway), "readiness does not tell", within_s=5)
        # Those that are still here, and those that left a moment ago, obey all the same.
        commands = await asyncio.gather(*(double.orders(http, station) for station in mine[1:]))
        assert {command["status"] for command in commands} == {"accepted"}, commands
        assert (await carried_out)["status"] == "accepted"
        assert await stopped == 0
        await fleet.goes_on(100)
        partings = sorted(station.partings[0][0] for station in mine)
        assert partings[-1] - partings[0] > 2, partings
        assert {station.partings[0][1] for station in mine} == {1001}
        assert slow.partings[0][0] == max(partings) or slow.partings[0][0] > partings[3], "it had a command to answer"
        assert not any(station.partings for station in others)
    await double.books.agree_with(fleet)


async def _was_sent(double: Double, station: Station) -> bool:
    return bool(
        await double.books.pool.fetchval(
            "select exists (select from command where station_id = $1 and message_id is not null)", station.station_id
        )
    )


async def _says_draining(gateway: Process) -> bool:
    status, text = await status_of(gateway.health_port)
    return status == 503 and '"draining"' in text


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_a_draining_gateway_at_once(double: Double, number: signal.Signals) -> None:
    gateway = await double.plant.start("gateway", DRAIN_S="120")
    fleet = await double.books.fleet([gateway.url, *double.urls[:1]], n_stations=6)
    async with fleet.charging():
        gateway.popen.send_signal(number)
        await until(lambda: _says_draining(gateway), "readiness does not tell", within_s=5)
        gateway.popen.send_signal(number)
        assert await asyncio.to_thread(gateway.popen.wait, 10) == -number
        await fleet.goes_on(50)
    await double.books.agree_with(fleet)
