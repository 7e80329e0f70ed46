"""One order to many stations: sent a bounded number at a time, each answer kept, nobody asked twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.stations.bulk import queries, service, store
from ohmstead.stations.bulk.model import BulkCommand, BulkResult, ResultFilter
from ohmstead.stations.orders import (
    ClearCache,
    ClearDisplayMessage,
    GetDiagnostics,
    GetLog,
    Order,
    PublishFirmware,
    Raw,
    SetVariables,
    UpdateFirmware,
    kind_of,
)
from tests.stories.listener import silent_station
from tests.stories.network import VERSIONS, Network
from tests.stories.station import Payload, Station
from tests.stories.wire import SILENCE, Error


async def bulk(network: Network, order: Order, stations: list[Station], **terms: Any) -> BulkCommand:
    whom = [s.station_id for s in stations]
    who = access.system(network.party_id)
    made = await service.create(network.pool, network.house.desk, who, order, whom, {}, **terms)
    await network.house.bus.publish(service.NUDGE, {})
    return made


async def now(network: Network, bulk_id: UUID) -> BulkCommand:
    async with network.pool.acquire() as conn:
        return await queries.get_bulk(conn, network.party_id, bulk_id)


async def results(network: Network, bulk_id: UUID) -> dict[str, BulkResult]:
    async with network.pool.acquire() as conn:
        found = await queries.list_results(conn, network.party_id, bulk_id, ResultFilter())
    return {one.station_id: one for one in found}


async def over(network: Network, bulk_id: UUID) -> BulkCommand:
    async def is_over() -> bool:
        return (await now(network, bulk_id)).finished_at is not None

    await network.until(is_over, "the bulk command is over")
    return await now(network, bulk_id)


def times_asked(station: Station, action: str) -> int:
    return sum(1 for _, name, _ in station.wire.heard if name == action)


async def test_every_station_gets_it_once_in_its_own_version_and_what_each_said_is_kept(network: Network) -> None:
    good = [await silent_station(network, version, f"GOOD-{version}") for version in VERSIONS]
    unwilling = await silent_station(network, "2.0.1", "UNWILLING")
    unwilling.answers["ClearCache"] = {"status": "Rejected"}
    broken = await silent_station(network, "1.6", "BROKEN")
    broken.answers["ClearCache"] = Error("InternalError", "no cache")
    silent = await silent_station(network, "2.1", "SILENT")
    silent.answers["ClearCache"] = SILENCE
    away = await network.station("2.0.1", "AWAY", boots=False)
    everybody = [*good, unwilling, broken, silent, away]
    made = await bulk(network, ClearCache(), everybody, timeout_s=3)
    assert (made.status, made.n_stations, made.progress.waiting) == ("running", 7, 7)
    done = await over(network, made.bulk_id)
    assert done.status == "done"
    progress = done.progress
    assert (progress.accepted, progress.rejected, progress.failed) == (3, 1, 1)
    assert (progress.timed_out, progress.offline, progress.n_over) == (1, 1, 7)
    found = await results(network, made.bulk_id)
    assert found[broken.station_id].error_text == "no cache"
    assert found[unwilling.station_id].answer == {"status": "Rejected"}
    assert all(times_asked(station, "ClearCache") == 1 for station in everybody if station is not away)
    # What was sent to each is a command as any other; a late answer still counts.
    [row] = await network.rows("select * from command where command_id = $1", found[silent.station_id].command_id)
    assert (row.bulk_id, row.requested_by, row.kind) == (made.bulk_id, "system", "clear_cache")
    await silent.wire.send([3, row.message_id, {"status": "Accepted"}])

    async def counted() -> bool:
        return (await now(network, made.bulk_id)).progress.accepted == 4

    await network.until(counted, "the late answer counts")


async def test_stations_that_are_away_get_it_when_they_return_if_that_was_asked_for(network: Network) -> None:
    away = await network.station("2.0.1", "AWAY", boots=False)
    made = await bulk(network, ClearCache(), [away], queue_for_s=60)

    async def is_queued() -> bool:
        return (await now(network, made.bulk_id)).progress.queued == 1

    await network.until(is_queued, "it waits for the station")
    assert (await now(network, made.bulk_id)).status == "running"
    await away.boots()
    assert (await over(network, made.bulk_id)).progress.accepted == 1


async def test_what_a_station_cannot_do_is_told_for_that_station_alone(network: Network) -> None:
    old, new = await silent_station(network, "1.6", "OLD"), await silent_station(network, "2.1", "NEW")
    made = await bulk(network, ClearDisplayMessage(message_id=1), [old, new])
    await over(network, made.bulk_id)
    found = await results(network, made.bulk_id)
    assert (found[old.station_id].status, found[old.station_id].error_code) == ("failed", "refused")
    assert found[old.station_id].error_text == "OCPP 1.6 has no display messages"
    assert found[new.station_id].status == "accepted"


async def test_a_bulk_that_is_cancelled_goes_to_nobody_else(network: Network) -> None:
    first, second = await silent_station(network, "2.0.1", "A"), await silent_station(network, "2.0.1", "B")
    release = asyncio.Event()

    async def slowly(_payload: Payload) -> Payload:
        await release.wait()
        return {"status": "Accepted"}

    first.answers["ClearCache"] = slowly
    made = await bulk(network, ClearCache(), [first, second], at_once=1)
    await first.hears("ClearCache")
    actor = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        cancelled = await service.cancel(conn, actor, made.bulk_id)
    assert (cancelled.status, cancelled.cancelled_by, cancelled.progress.cancelled) == ("cancelled", "system", 1)
    assert cancelled.finished_at is None
    release.set()
    done = await over(network, made.bulk_id)
    assert (done.status, done.progress.accepted, done.progress.cancelled) == ("cancelled", 1, 1)
    assert times_asked(second, "ClearCache") == 0
    with pytest.raises(Conflict):
        async with network.pool.acquire() as conn, conn.transaction():
            await service.cancel(conn, actor, made.bulk_id)


async def test_no_more_stations_are_asked_at_once_than_the_bound(network: Network) -> None:
    at_once: list[int] = []
    most = 0

    async def slowly(_payload: Payload) -> Payload:
        nonlocal most
        at_once.append(1)
        most = max(most, len(at_once))
        await asyncio.sleep(0.05)
        at_once.pop()
        return {"status": "Accepted"}

    stations = [await silent_station(network, "1.6", f"ST-{n}") for n in range(7)]
    for station in stations:
        station.answers["ClearCache"] = slowly
    made = await bulk(network, ClearCache(), stations, at_once=2)
    assert (await over(network, made.bulk_id)).progress.accepted == 7
    assert most == 2


@asynccontextmanager
async def worker(network: Network) -> AsyncIterator[None]:
    """One more worker, that forgets everything when it dies."""
    working = asyncio.create_task(service.Runner(network.pool, network.house.bus).run())
    yield
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def test_workers_that_die_in_the_middle_and_two_at_once_ask_nobody_twice(network: Network) -> None:
    stations = [await silent_station(network, VERSIONS[n % 3], f"ST-{n}") for n in range(12)]
    made = await bulk(network, ClearCache(), stations)
    for _ in range(6):
        async with worker(network), worker(network):
            await asyncio.sleep(0.02)
    assert (await over(network, made.bulk_id)).progress.accepted == 12
    assert [times_asked(station, "ClearCache") for station in stations] == [1] * 12


async def test_a_turn_that_a_dead_worker_had_begun_is_taken_up(network: Network) -> None:
    """Killed between the commit of the command and the request to the gateway."""
    station = await silent_station(network, "2.0.1")
    async with network.pool.acquire() as conn, conn.transaction():
        who, terms = access.system(network.party_id), {"timeout_s": 30, "queue_for_s": None, "at_once": 10}
        made = await service.remember(conn, who, ClearCache(), [station.station_id], {}, terms)
        assert await store.begin_some(conn, made.bulk_id, 10) == 1
    assert (await over(network, made.bulk_id)).progress.accepted == 1
    assert times_asked(station, "ClearCache") == 1


async def test_passwords_are_gone_once_every_station_has_them(network: Network) -> None:
    station = await silent_station(network, "1.6")
    made = await bulk(network, SetVariables(values={"AuthorizationKey": "8f0e1d2c3b4a59687766"}), [station])
    assert "8f0e" not in str(made.parameters)
    assert (await over(network, made.bulk_id)).progress.accepted == 1
    assert (await station.hears("ChangeConfiguration"))["value"] == "8f0e1d2c3b4a59687766"
    for table in ("bulk_command", "command"):
        assert "8f0e" not in str(
            await network.rows(f"select parameters::text from {table} where bulk_id = $1", made.bulk_id)
        )


@pytest.mark.parametrize(
    "order",
    [
        GetLog(url="https://evil.test/log"),
        GetDiagnostics(url="https://evil.test/log"),
        UpdateFirmware(url="https://evil.test/fw", retrieve_at=datetime(2026, 3, 2, tzinfo=UTC)),
        PublishFirmware(url="https://evil.test/fw", checksum="0" * 32),
        Raw(action="GetLog", payload={"log": {"remoteLocation": "https://evil.test/log"}}),
    ],
    ids=kind_of,
)
async def test_many_stations_are_sent_to_foreign_addresses_no_more_than_one_is(network: Network, order: Order) -> None:
    station = await silent_station(network, "2.0.1")
    with pytest.raises(Refused, match="OHMSTEAD_FILE_HOSTS"):
        await bulk(network, order, [station])
    (signal,) = await network.rows(
        "select detail from security_signal where party_id = $1 and kind = 'address_refused'", network.party_id
    )
    assert "evil.test" in str(signal.detail)
    assert not await network.rows("select from bulk_command where party_id = $1", network.party_id)


async def test_nobody_orders_stations_of_others_and_nonsense_goes_to_nobody(network: Network) -> None:
    station = await silent_station(network, "1.6")
    stranger = await Network(network.house).found()
    with pytest.raises(Invalid, match="none fits"):
        await bulk(stranger, ClearCache(), [station])
    with pytest.raises(Invalid, match="values: is empty"):
        await bulk(network, SetVariables(values={}), [station])
    made = await bulk(network, ClearCache(), [station])
    with pytest.raises(NotFound):
        await now(stranger, made.bulk_id)
    assert await network.rows("select * from bulk_command where party_id = $1", stranger.party_id) == []
