"""Everything comes again, twice and in any order: the same sessions, the same energy, not one row more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from ohmstead import worker
from ohmstead.core import events
from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from tests.faults.charges import Charge, Message, register_stations
from tests.faults.line import VERSIONS, Line
from tests.gateway.running import House, eventually
from tests.outbox import is_read

N_STATIONS, CHARGES_EACH, SAMPLES = 10, 3, 18


@dataclass
class Town:
    """Stations of one version, each with its charges one after the other."""

    house: House
    port: int
    version: str
    charges: dict[str, list[Charge]]

    @property
    def energy_wh(self) -> int:
        return sum(charge.energy_wh for charges in self.charges.values() for charge in charges)

    async def each(self, messages: dict[str, list[Message]]) -> None:
        """Every station says its messages, in the order given, waiting for each answer."""

        async def one(station_id: str) -> None:
            line = await Line.open(self.port, station_id, self.version)
            for action, payload in messages[station_id]:
                await line.tell(action, payload)
            await line.close()

        await asyncio.gather(*map(one, messages))

    async def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that a repeat could spoil, once the worker has settled it."""
        await self.settled()
        sessions = (
            "select session_id, station_id, transaction_id, status, energy_wh, started_at, ended_at, n_samples,"
            " seen_seq_nos::text, anomalies, is_orphan from session order by session_id"
        )
        tables = {
            "session": sessions,
            "sample": "select session_id, sampled_at, context, energy_wh from sample order by 1, 2, 3",
            "session_event": "select session_id, at, kind from session_event order by 1, 2, 3",
            "period": "select session_id, started_at, ended_at, energy_wh from charging_period order by 1, 2",
            "loose": "select count(*) from loose_sample",
            "signed": "select count(*) from signed_reading",
        }
        return {name: [tuple(row) for row in await self.house.pool.fetch(sql)] for name, sql in tables.items()}

    async def settled(self) -> None:
        done = (
            "select not exists (select from outbox o join outbox_cursor c on"
            " o.xid >= c.window_to or (o.xid >= c.window_from and o.event_id > c.done_event_id)"
            " where c.consumer = 'sessions.settle' and o.kind in ('SessionEnded', 'SessionChanged', 'OrphanRecorded'))"
        )
        await eventually(lambda: self.house.pool.fetchval(done), "never settled", within_s=60)


@contextlib.asynccontextmanager
async def working(settings: Settings, house: House) -> AsyncIterator[None]:
    runner = events.Runner(house.pool, house.bus, gather_s=0)
    task = asyncio.create_task(worker.run(settings, house.pool, house.bus, runner=runner, ask_after_s=3600))
    try:
        await eventually(lambda: is_read(house.pool, runner), "no worker", within_s=20)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def town(house: House, settings: Settings, party_id: UUID, version: str) -> Town:
    names = [f"ST-{n}" for n in range(N_STATIONS)]
    await register_stations(house.pool, party_id, names)
    charges: dict[str, list[Charge]] = {}
    for number, name in enumerate(names):
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12, seconds=number)
        register_wh = 1000 * number
        for n in range(CHARGES_EACH):
            charge = Charge(version, at, SAMPLES, register_wh=register_wh, step_wh=90 + n)
            charges.setdefault(name, []).append(charge)
            at, register_wh = charge.ends_at + timedelta(minutes=5), register_wh + charge.energy_wh
    return Town(house, settings.gateway_port, version, charges)


async def _tell_in_order(one: Town) -> None:
    async def tell(station_id: str) -> None:
        line = await Line.open(one.port, station_id, one.version)
        for charge in one.charges[station_id]:
            await charge.begin(line)
            for action, payload in charge.messages()[1:]:
                await line.tell(action, payload)
        await line.close()

    await asyncio.gather(*map(tell, one.charges))


def _said(one: Town) -> dict[str, list[Message]]:
    return {name: [m for charge in charges for m in charge.messages()] for name, charges in one.charges.items()}


def _is_whole(one: Town, contents: dict[str, list[tuple[Any, ...]]]) -> None:
    sessions = contents["session"]
    assert len(sessions) == N_STATIONS * CHARGES_EACH
    assert {row[3] for row in sessions} == {"completed"}
    assert sum(row[4] for row in sessions) == one.energy_wh
    assert {row[7] for row in sessions} == {len(contents["sample"]) // len(sessions)}


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
async def test_all_messages_of_all_sessions_again_twice_and_shuffled_change_nothing(
    version: str, settings: Settings, db: Pool, party_id: UUID, house: House
) -> None:
    async with working(settings, house):
        one = await town(house, settings, party_id, version)
        await _tell_in_order(one)
        before = await one.contents()
        _is_whole(one, before)
        chance = Random(7)
        again = {name: messages * 2 for name, messages in _said(one).items()}
        for messages in again.values():
            chance.shuffle(messages)
        await one.each(again)
        after = await one.contents()
        for name, rows in before.items():
            assert after[name] == rows, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("version", VERSIONS)
async def test_what_comes_first_in_any_order_and_three_times_gives_what_the_meters_said(
    version: str, seed: int, settings: Settings, db: Pool, party_id: UUID, house: House
) -> None:
    """A station delivers its queue backwards, in pieces, and again. 1.6 must hear a start's answer to go on."""
    async with working(settings, house):
        one = await town(house, settings, party_id, version)
        if version == "1.6":
            for name, charges in one.charges.items():
                line = await Line.open(one.port, name, version)
                for charge in Random(seed).sample(charges, len(charges)):
                    await charge.begin(line)
                await line.close()
        chance = Random(seed)
        mixed = {name: messages * 3 for name, messages in _said(one).items()}
        for messages in mixed.values():
            chance.shuffle(messages)
        await one.each(mixed)
        _is_whole(one, await one.contents())
