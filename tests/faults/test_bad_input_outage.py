"""The database or the bus goes away under live stations: nothing is acknowledged that is not stored, nothing restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import pytest

from ohmstead.core.db import Pool, connect_pool
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from ohmstead.stations.orders import Reset
from tests.gateway.running import House, eventually, open_gateway, with_settings
from tests.gateway.wire import VERSIONS, Cut, Frame, Station, connected, knock

START = {"connectorId": 1, "idTag": "AABBCCDD", "meterStart": 1000, "timestamp": "2026-11-01T08:00:00Z"}
EVENT = {
    "eventType": "Started",
    "timestamp": "2026-11-01T08:00:00Z",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "evse": {"id": 1, "connectorId": 1},
    "transactionInfo": {"transactionId": "tx-1"},
}


@dataclass
class Cuttable:
    """A gateway whose database and bus can be taken away."""

    house: House
    database: Cut
    bus: Cut


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    login = f"{parts.username}:{parts.password}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{port}"))


@pytest.fixture
async def cuttable(settings: Settings, db: Pool, party_id: UUID) -> AsyncIterator[Cuttable]:
    assert settings.database_url is not None
    assert settings.nats_url is not None
    there, there_too = urlsplit(settings.database_url), urlsplit(settings.nats_url)
    async with (
        Cut(there.hostname or "", there.port or 5432) as database,
        Cut(there_too.hostname or "", there_too.port or 4222) as bus,
    ):
        pool = await connect_pool(_through(settings.database_url, database.port), size=4, name="cuttable")
        try:
            cut_off = with_settings(settings, nats_url=_through(settings.nats_url, bus.port))
            async with open_gateway(cut_off, db, party_id, gateway_pool=pool) as house:
                yield Cuttable(house, database, bus)
                await database.cut()
                await database.join()
        finally:
            pool.terminate()


async def _begin(station: Station, message_id: str | None = None) -> Frame:
    if station.version is Version.V16:
        return await station.ask("StartTransaction", START, message_id)
    return await station.ask("TransactionEvent", EVENT, message_id)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_that_meets_a_short_outage_is_answered_once_it_is_stored(
    version: Version, cuttable: Cuttable
) -> None:
    house = cuttable.house
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1", version) as station:
        await station.beat()
        await cuttable.database.cut()
        answering = asyncio.create_task(_begin(station))
        await asyncio.sleep(0.5)
        assert not answering.done(), answering
        await cuttable.database.join()
        assert (await answering)[0] == 3
        assert await house.pool.fetchval("select count(*) from session") == 1
        await station.beat()


async def test_connections_that_the_database_itself_ends_cost_a_repeat_at_most(cuttable: Cuttable) -> None:
    house = cuttable.house
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1") as station:
        await station.beat()
        for n in range(3):
            await house.pool.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cuttable'"
            )
            answer = await station.ask("DataTransfer", {"vendorId": f"v{n}"}, f"m{n}")
            if answer[0] == 4:
                assert answer[2] == "InternalError"
                answer = await station.ask("DataTransfer", {"vendorId": f"v{n}"}, f"m{n}")
            assert answer[0] == 3
    assert await house.pool.fetchval("select count(*) from station_record") == 3


@pytest.mark.slow
async def test_a_long_outage_is_told_to_the_stations_and_over_when_it_is_over(cuttable: Cuttable) -> None:
    house = cuttable.house
    for name in ("CP-1", "CP-2", "LEAVES"):
        await house.station(name, has_booted=True)
    async with contextlib.AsyncExitStack() as stack:
        station = await stack.enter_async_context(connected(house, "CP-1"))
        other = await stack.enter_async_context(connected(house, "CP-2", Version.V201))
        async with connected(house, "LEAVES") as leaves:
            for one in (station, other, leaves):
                await one.beat()
            await cuttable.database.cut()
        assert await knock(house, "CP-2") == 503
        answers = await asyncio.gather(_ask_patiently(station), _ask_patiently(other))
        for answer in answers:
            assert answer[0] == 4, answer
            assert answer[2] == "InternalError"
        assert await house.is_connected("LEAVES")
        await cuttable.database.join()
        # The same sockets, without a restart; the stations send again, and what failed before is done once.
        for one in (station, other):
            assert (await _begin(one, "first"))[0] == 3
            assert (await _begin(one, "first"))[0] == 3
            await one.beat()
        assert await house.pool.fetchval("select count(*) from session") == 2
        await eventually(lambda: _is_offline(house, "LEAVES"), "shown as connected for ever", within_s=12)
        assert await house.is_connected("CP-1")


async def _ask_patiently(station: Station) -> Frame:
    first: list[Any] = [2, "first"]
    if station.version is Version.V16:
        first += ["StartTransaction", START]
    else:
        first += ["TransactionEvent", EVENT]
    await station.send(first)
    return await station.receive(within_s=30)


async def _is_offline(house: House, station_id: str) -> bool:
    return not await house.is_connected(station_id)


async def test_without_the_bus_stations_are_served_and_let_in_as_ever(cuttable: Cuttable) -> None:
    house = cuttable.house
    await house.station("CP-1", has_booted=True)
    await house.station("CP-2")
    async with connected(house, "CP-1") as station:
        await station.beat()
        await cuttable.bus.cut()
        await eventually(lambda: _is(not house.bus.is_connected), "the bus is still there")
        assert (await _begin(station))[0] == 3
        async with connected(house, "CP-2", Version.V21, boots=True) as newcomer:
            await newcomer.beat()
            assert (await house.order("CP-2", Reset())).status == "offline"
        await cuttable.bus.join()
        await eventually(lambda: _is(house.bus.is_connected), "the bus did not come back")
        station.replies = {"Reset": {"status": "Accepted"}}
        async with station.listening():
            assert await eventually(lambda: _obeys(house), "commands did not come back") == "accepted"


async def _is(fact: bool) -> bool:
    return fact


async def _obeys(house: House) -> str | None:
    command = await house.order("CP-1", Reset())
    return command.status if command.status == "accepted" else None
