"""Seeded fuzzing of every message that a station can send: exactly one answer to each call, and never our own error."""

import contextlib
import functools
import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from ohmstead.core.db import Pool
from ohmstead.ocpp.connection import Flow
from ohmstead.ocpp.limits import FloodGuard
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.settings import Settings
from tests.gateway.payloads import damaged, inbound_actions, spoiled, valid
from tests.gateway.running import House, open_gateway
from tests.gateway.wire import VERSIONS, Closed, Station, connected

N_SPOILED = 300
N_DAMAGED = 60


@pytest.fixture
async def house(settings: Settings, db: Pool, party_id: UUID) -> AsyncIterator[House]:
    """A gateway that slows nobody down for being many, only for being malformed."""
    guard = functools.partial(FloodGuard, messages_burst=1e6)
    async with open_gateway(settings, db, party_id, flow=Flow(guard=guard)) as running:
        yield running


class Fuzzed:
    """A station that reconnects when its rudeness has cost it the connection."""

    def __init__(self, house: House, version: Version) -> None:
        self.house = house
        self.version = version
        self.stack = contextlib.AsyncExitStack()
        self.station: Station | None = None
        self.n_closed = 0

    async def live(self) -> Station:
        if self.station is None:
            self.station = await self.stack.enter_async_context(connected(self.house, "FUZZ", self.version))
        return self.station

    async def try_frame(self, frame: str) -> list[Any] | None:
        """The answer; None for silence or a close."""
        station = await self.live()
        try:
            return await station.answer_to(frame)
        except Closed as closed:
            if closed.code not in (1002, 1003, 1007, 1008, 1009):
                raise
            self.n_closed += 1
            self.station = None
            await self.stack.aclose()
            return None


@contextlib.asynccontextmanager
async def fuzzing(house: House, version: Version) -> AsyncIterator[Fuzzed]:
    await house.station("FUZZ", has_booted=True)
    fuzzed = Fuzzed(house, version)
    try:
        yield fuzzed
    finally:
        await fuzzed.stack.aclose()


def _is_ours(answer: list[Any] | None) -> bool:
    return answer is not None and answer[0] == 4 and answer[2] == ErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_full_message_of_every_action_is_answered(version: Version, house: House) -> None:
    refused = {}
    async with fuzzing(house, version) as fuzzed:
        for action in inbound_actions(version):
            answer = await fuzzed.try_frame(json.dumps([2, action[:36], action, valid(version, action)]))
            if answer is None or answer[0] != 3:
                refused[action] = answer
    assert refused == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_spoiled_payloads_get_one_answer_each_and_never_an_internal_error(version: Version, house: House) -> None:
    chance = random.Random(f"payloads {version}")
    whole = [(action, valid(version, action)) for action in inbound_actions(version)]
    ours: dict[str, Any] = {}
    n_answers = {3: 0, 4: 0}
    async with fuzzing(house, version) as fuzzed, connected_bystander(house, version) as bystander:
        for n in range(N_SPOILED):
            action, payload = chance.choice(whole)
            frame = json.dumps([2, f"m{n}", action, spoiled(payload, chance)])
            answer = await fuzzed.try_frame(frame)
            assert answer is not None, frame
            assert answer[1] == f"m{n}", (frame, answer)
            n_answers[answer[0]] += 1
            if _is_ours(answer):
                ours[frame] = answer[3]
        await bystander.beat()
        assert fuzzed.n_closed == 0
    assert ours == {}
    # Neither all taken nor all refused: the changes hit something.
    assert min(n_answers.values()) > N_SPOILED / 20, n_answers


@pytest.mark.parametrize("version", VERSIONS)
async def test_damaged_frames_never_cost_more_than_the_connection(version: Version, house: House) -> None:
    chance = random.Random(f"frames {version}")
    actions = inbound_actions(version)
    ours = {}
    async with fuzzing(house, version) as fuzzed, connected_bystander(house, version) as bystander:
        for n in range(N_DAMAGED):
            action = chance.choice(actions)
            frame = damaged(json.dumps([2, f"m{n}", action, valid(version, action)]), chance)
            answer = await fuzzed.try_frame(frame)
            if _is_ours(answer):
                ours[frame] = answer
            if n % 20 == 0:
                await bystander.beat()
        await bystander.beat()
        # A damaged frame is refused often enough that the connection is given up now and then.
        assert fuzzed.n_closed > 0
        await (await fuzzed.live()).beat()
    assert ours == {}


@contextlib.asynccontextmanager
async def connected_bystander(house: House, version: Version) -> AsyncIterator[Station]:
    await house.station("GOOD")
    async with connected(house, "GOOD", version, boots=True) as station:
        yield station
