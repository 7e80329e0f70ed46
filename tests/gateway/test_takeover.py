"""One station, several sockets: the newest that proved who it is holds the station, and no other changes anything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import aiohttp
import pytest

from ohmstead.core.db import Pool
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from ohmstead.stations.orders import Reset, Trigger
from tests.gateway.running import House, eventually, open_gateway, with_settings
from tests.gateway.wire import BOOT, Closed, Station, basic, connected, dialled, knock

OBEYS = {"TriggerMessage": {"status": "Accepted"}, "Reset": {"status": "Accepted"}}


async def _obeys(house: House, station: Station) -> bool:
    """Whether a command reaches this very connection."""
    before = len(station.asked)
    station.replies = OBEYS
    async with station.listening():
        command = await house.order(station.identity, Trigger(message="Heartbeat"))
    return command.status == "accepted" and len(station.asked) == before + 1


async def _held_by(house: House, station_id: str) -> UUID | None:
    found: UUID | None = (await house.row(station_id))["connection_id"]
    return found


def _live(house: House, station_id: str) -> UUID:
    connection = house.gateway.find(station_id)
    assert connection is not None
    return connection.connection_id


async def test_the_newcomer_takes_over_and_the_old_socket_is_closed_at_once(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as old, connected(house, "CP-1") as new:
        assert await old.until_closed(within_s=4) == 1008
        await new.beat()
        assert await _obeys(house, new)


async def test_the_old_sockets_late_end_changes_nothing(house: House) -> None:
    await house.station("CP-1")
    async with dialled(house, "/ocpp/CP-1", user="CP-1") as zombie:
        await eventually(lambda: house.is_connected("CP-1"))
        async with connected(house, "CP-1", boots=True) as new:
            held = await _held_by(house, "CP-1")
            assert held == _live(house, "CP-1")
            # Its end arrives long after the newcomer's beginning.
            zombie.writer.transport.abort()
            await new.beat()
            await house.gateway.ingest.drained()
            assert await _held_by(house, "CP-1") == held
            assert await _obeys(house, new)
        changes = await house.pool.fetch("select is_connected from connection_change where station_id = 'CP-1'")
        assert [row["is_connected"] for row in changes[:2]] == [True, True]


async def test_a_zombie_that_never_answers_the_close_is_cut_and_holds_up_nobody(house: House) -> None:
    await house.station("CP-1")
    async with dialled(house, "/ocpp/CP-1", user="CP-1"), connected(house, "CP-1", boots=True) as new:
        async with asyncio.timeout(4):
            await new.beat()
            assert await _obeys(house, new)


async def test_an_unauthenticated_newcomer_does_not_disturb_the_station(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as live:
        held = await _held_by(house, "CP-1")
        for headers in ({}, basic("CP-1", "wrong"), basic("CP-2")):
            assert await knock(house, "CP-1", headers=headers) == 401
        await live.beat()
        assert live.ws.close_code is None
        assert await _held_by(house, "CP-1") == held


async def test_a_command_that_waits_for_the_old_socket_fails_at_once_and_the_next_finds_the_new_one(
    house: House,
) -> None:
    await house.station("CP-1")
    async with dialled(house, "/ocpp/CP-1", user="CP-1") as zombie:
        zombie.text([2, "boot", "BootNotification", BOOT[Version.V16]])
        await zombie.read()
        waiting = asyncio.create_task(house.order("CP-1", Reset(), timeout_s=30))
        assert b"Reset" in (await zombie.read())[1]
        # It never answers the close either.
        async with connected(house, "CP-1") as new, asyncio.timeout(4):
            command = await waiting
            assert (command.status, command.error_code) == ("failed", "connection_lost")
            assert await _obeys(house, new)


async def test_a_queued_command_goes_out_when_the_station_comes_and_only_once(house: House) -> None:
    await house.station("CP-1", has_booted=True)
    queued = await house.order("CP-1", Reset(), queue_for_s=60)
    assert queued.status == "queued"
    async with connected(house, "CP-1") as station:
        asked = await station.call()
        assert asked[2] == "Reset"
        await station.send([3, asked[1], {"status": "Accepted"}])
        await eventually(lambda: house.pool.fetchval("select 1 from command where status = 'accepted'"))
    async with connected(house, "CP-1") as again:
        await again.beat()
        assert await again.answer_to([2, "probe", "Heartbeat", {}])
        assert again.asked == []


async def test_two_connections_committed_in_one_batch_leave_the_later_one_in_charge(house: House) -> None:
    await house.station("CP-1")
    await house.station("HELD")
    for _ in range(3):
        async with contextlib.AsyncExitStack() as stack:
            async with house.pool.acquire() as conn, conn.transaction():
                await conn.execute("select from station where station_id = 'HELD' for update")
                # The batch that is being committed waits for the lock, so that the next one gathers both.
                await stack.enter_async_context(connected(house, "HELD"))
                first = await stack.enter_async_context(connected(house, "CP-1"))
                second = await stack.enter_async_context(connected(house, "CP-1"))
                assert await first.until_closed() == 1008
            await second.boot()
            await house.gateway.ingest.drained()
            assert await _held_by(house, "CP-1") == _live(house, "CP-1")
            assert await _obeys(house, second)


async def test_a_station_that_connects_twice_within_a_moment_is_served_over_one_of_them(house: House) -> None:
    await house.station("CP-1")
    for _ in range(3):
        async with contextlib.AsyncExitStack() as stack:
            sockets = await asyncio.gather(
                *(stack.enter_async_context(connected(house, "CP-1", Version.V201)) for _ in range(2))
            )
            answers = await asyncio.gather(*(s.boot() for s in sockets), return_exceptions=True)
            closed = [answer for answer in answers if isinstance(answer, Closed | ConnectionError)]
            assert len(closed) <= 1, answers
            survivor = sockets[0] if not sockets[0].ws.closed and not isinstance(answers[0], Closed) else sockets[1]
            await survivor.beat()
            await house.gateway.ingest.drained()
            assert await _held_by(house, "CP-1") == _live(house, "CP-1")


async def test_an_identity_that_two_stations_fight_over_is_flagged_and_held_back(house: House) -> None:
    await house.station("CP-1")
    await house.station("CP-2")
    statuses = []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            try:
                await stack.enter_async_context(connected(house, "CP-1"))
                statuses.append(101)
            except aiohttp.WSServerHandshakeError as error:
                statuses.append(error.status)
        assert statuses == [101] * 8 + [429] * 2
        signal = await house.signal(kind="identity_flapping")
        assert (signal["station_id"], signal["party_id"]) == ("CP-1", house.party_id)
        await house.signal(kind="connection_refused", reason="identity_flapping")
        assert await knock(house, "CP-2") == 101


# ---- two gateways ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def annexe(settings: Settings, db: Pool, party_id: UUID, free_port: Callable[[], int]) -> AsyncIterator[House]:
    """A second gateway on the same database and bus."""
    elsewhere = with_settings(settings, gateway_port=free_port())
    async with open_gateway(elsewhere, db, party_id) as running:
        yield running


async def test_a_station_that_moves_to_another_gateway_is_closed_here_and_commanded_there(
    house: House, annexe: House
) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1", boots=True) as old, connected(annexe, "CP-1") as new:
        assert await old.until_closed() == 1008
        row = await house.row("CP-1")
        assert (row["gateway_id"], row["connection_id"]) == (annexe.gateway.gateway_id, _live(annexe, "CP-1"))
        assert await _obeys(house, new)
        await house.gateway.ingest.drained()
        assert await _held_by(house, "CP-1") == _live(annexe, "CP-1")
        # And back again.
        async with connected(house, "CP-1") as back:
            assert await new.until_closed() == 1008
            assert await _obeys(annexe, back)


async def test_a_gateway_that_stops_lets_its_stations_go_and_only_those(
    settings: Settings, db: Pool, party_id: UUID, house: House, free_port: Callable[[], int]
) -> None:
    await house.station("CP-1")
    await house.station("CP-2")
    elsewhere = open_gateway(with_settings(settings, gateway_port=free_port()), db, party_id)
    async with connected(house, "CP-2", boots=True) as staying, contextlib.AsyncExitStack() as stack:
        async with elsewhere as leaving:
            station = await stack.enter_async_context(connected(leaving, "CP-1", boots=True))
            closing = asyncio.create_task(station.until_closed())
        assert await closing == 1001
        assert not await house.is_connected("CP-1")
        assert await house.is_connected("CP-2")
        await staying.beat()
        assert await _obeys(house, staying)
        assert (await house.order("CP-1", Reset())).status == "offline"


# ---- dead sockets ----------------------------------------------------------------------------------------------------


async def test_a_socket_that_answers_no_pings_is_found_dead_and_its_station_offline(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    async with open_gateway(with_settings(settings, ping_interval_s=1), db, party_id) as house:
        await house.station("DEAD")
        await house.station("QUIET")
        async with connected(house, "QUIET", boots=True) as quiet, quiet.listening():
            async with dialled(house, "/ocpp/DEAD", user="DEAD") as dead:
                await eventually(lambda: house.is_connected("DEAD"))
                # Reads, and says nothing.
                assert await dead.close_code() is None
            await eventually(lambda: _is_offline(house, "DEAD"))
            assert await house.is_connected("QUIET")
            reason = await house.pool.fetchval(
                "select reason from connection_change where station_id = 'DEAD' and not is_connected"
            )
            assert reason


async def _is_offline(house: House, station_id: str) -> bool:
    return not await house.is_connected(station_id)
