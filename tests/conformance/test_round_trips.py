"""Every message of every version makes a round trip: a simulated station on the real gateway, both directions.

What goes over the wire, asked and answered, is judged by the official schemas of the version.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16
from ohmstead.simulator.link import Message
from ohmstead.simulator.plan import StationPlan, Token
from ohmstead.simulator.station import Station
from ohmstead.simulator.transport import Socket, WebSocketDialer
from ohmstead.simulator.world import Options, World
from ohmstead.stations.orders import Raw
from tests.conformance.judged import faults_of
from tests.gateway.payloads import inbound_actions, valid
from tests.simulator.examples import example_of
from tests.stories.network import Network

# The station goes away after these, so they come last.
LAST = ("UpdateFirmware", "SignedUpdateFirmware", "Reset")


class Overheard:
    """A dialer whose sockets keep every frame, with whether the station sent it."""

    def __init__(self, dialer: WebSocketDialer) -> None:
        self._dialer = dialer
        self.frames: list[tuple[bool, list[Any]]] = []

    async def dial(self, station_id: str, version: str, secret: bytes | None) -> Socket:
        socket = await self._dialer.dial(station_id, version, secret)
        return OverheardSocket(socket, self.frames)


class OverheardSocket:
    def __init__(self, socket: Socket, frames: list[tuple[bool, list[Any]]]) -> None:
        self._socket, self._frames = socket, frames

    async def send(self, frame: bytes) -> None:
        self._frames.append((True, msgspec.json.decode(frame)))
        await self._socket.send(frame)

    async def receive(self) -> bytes | None:
        frame = await self._socket.receive()
        if frame is not None:
            self._frames.append((False, msgspec.json.decode(frame)))
        return frame

    async def close(self) -> None:
        await self._socket.close()


@contextlib.asynccontextmanager
async def simulated(network: Network, version: str) -> AsyncIterator[tuple[Station, Overheard]]:
    """A simulated station of the network, online; nobody charges there."""
    known = await network.station(version, boots=False)
    async with WebSocketDialer(f"{network.house.url}/ocpp") as dialer:
        line = Overheard(dialer)
        world = World(line, Options(job_step_s=60), tokens=[Token("TAG1")], nonce=network.suffix)
        station = Station(StationPlan(station_id=known.station_id, version=version, serial_number="SN-1"), world)
        running = asyncio.create_task(station.run())
        try:
            async with asyncio.timeout(10):
                await station.wait_online()
            yield station, line
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def to_station(version: str) -> list[str]:
    types = v16 if version == "1.6" else v2
    return sorted(types.TO_STATION & schemas.actions(Version(version)), key=lambda action: (action in LAST, action))


async def logged(network: Network, station_id: str, direction: str) -> dict[str, str]:
    """Actions in the message log of a direction, with the kind of their answers."""
    rows = await network.rows(
        "select action, answer_kind from ocpp_message where station_id = $1 and direction = $2", station_id, direction
    )
    return {row.action: row.answer_kind for row in rows}


async def test_every_message_to_a_station_is_answered_by_the_simulated_one(network: Network, version: str) -> None:
    wanted = to_station(version)
    assert len(wanted) == {"1.6": 26, "2.0.1": 40, "2.1": 55}[version]
    async with simulated(network, version) as (station, line):
        for action in wanted:
            command = await network.orders(network.stations[0], Raw(action=action, payload=example_of(version, action)))
            assert command.status in ("accepted", "rejected"), f"{action}: {command.status} {command.error_text}"
            assert command.answer is not None, action
        name = station.plan.station_id
        await network.until(lambda: _has(network, name, "out", wanted), "every exchange is logged")
        assert await logged(network, name, "out") == dict.fromkeys(wanted, "result")
        assert faults_of(version, line.frames) == []
        asked = {frame[2] for is_from_station, frame in line.frames if frame[0] == 2 and not is_from_station}
        assert asked >= set(wanted)


async def test_every_message_of_a_station_is_answered_and_valid(network: Network, version: str) -> None:
    wanted = inbound_actions(Version(version))
    assert len(wanted) == {"1.6": 14, "2.0.1": 25, "2.1": 36}[version]
    async with simulated(network, version) as (station, line):
        link = await station.wait_online()
        for action in wanted:
            payload = valid(Version(version), action)
            body = schemas.decode(Version(version), action, msgspec.json.encode(payload))
            await link.call(Message(action, body))
        sends = v2.SENDS if version == "2.1" else frozenset[str]()
        for action in sends:
            body = schemas.decode(Version.V21, action, msgspec.json.encode(valid(Version.V21, action)))
            await link.send(Message(action, body))
        name = station.plan.station_id
        await network.until(lambda: _has(network, name, "in", [*wanted, *sends]), "every exchange is logged")
        answers = await logged(network, name, "in")
        assert {action: answers[action] for action in wanted} == dict.fromkeys(wanted, "result")
        assert faults_of(version, line.frames) == []


async def _has(network: Network, station_id: str, direction: str, wanted: list[str]) -> bool:
    return set(wanted) <= set(await logged(network, station_id, direction))


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([(False, [2, "1", "Reset", {"type": "Sometimes"}])], "Reset"),
        ([(True, [2, "1", "Heartbeat", {}]), (False, [3, "1", {}])], "Heartbeat"),
        ([(True, [2, "1", "Heartbeat", {}]), (False, [3, "1", {"currentTime": 5}])], "Heartbeat"),
    ],
)
def test_the_judge_finds_what_is_not_valid(frames: list[tuple[bool, list[Any]]], fault: str) -> None:
    [found] = faults_of("2.0.1", frames)
    assert found.startswith(fault)
