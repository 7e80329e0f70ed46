"""Partitions are gone or were never made: nothing is refused for it, they come back by themselves, and it is told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ohmstead import worker
from ohmstead.core import health, metrics
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.health import Watch
from ohmstead.core.migrations import ensure_partitions, missing_partitions
from ohmstead.settings import Settings
from tests.faults.charges import Charge, register_stations
from tests.faults.line import VERSIONS, Line
from tests.faults.own_process import doctor, running
from tests.gateway.running import House, eventually


async def names(pool: Pool) -> list[str]:
    rows = await pool.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " join partitioned_table p on to_regclass(p.table_name) = i.inhparent order by 1"
    )
    return [row["relname"] for row in rows]


async def drop(pool: Pool, *, with_defaults: bool) -> None:
    """All partitions go, as after a slip of somebody's hand."""
    for name in await names(pool):
        if with_defaults or not name.endswith("_default"):
            await pool.execute(f"drop table {name}")


@pytest.fixture
async def whole(db: Pool) -> AsyncIterator[Pool]:
    """The partitions are all there again afterwards, for the other tests."""
    yield db
    async with db.acquire() as conn:
        await ensure_partitions(conn)
        assert await missing_partitions(conn) == []


def _charge(version: str) -> Charge:
    return Charge(version, datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1), samples=5)


async def _tell(house: House, port: int, station_id: str, version: str) -> int:
    line = await Line.open(port, station_id, version)
    charge = _charge(version)
    await charge.begin(line)
    for action, payload in charge.messages()[1:]:
        await line.tell(action, payload)
    await line.close()
    return charge.energy_wh


@pytest.mark.parametrize("with_defaults", [False, True])
async def test_messages_are_taken_in_though_all_partitions_are_gone(
    with_defaults: bool, settings: Settings, whole: Pool, party_id: UUID, house: House
) -> None:
    await register_stations(whole, party_id, list(VERSIONS))
    await drop(whole, with_defaults=with_defaults)
    told = [await _tell(house, settings.gateway_port, version, version) for version in VERSIONS]
    samples = await whole.fetchval("select count(*) from sample")
    assert await whole.fetchval("select sum(energy_wh) from session") == sum(told)
    assert await whole.fetchval("select sum(n_samples) from session") == samples
    assert await whole.fetchval("select count(*) from ocpp_message where answer_kind = 'result'") == 3 * 7
    assert await whole.fetchval("select count(*) from ocpp_message where answer_kind <> 'result'") == 0
    if with_defaults:
        # The gateway itself made them: without a default there is no other place for a row.
        async with whole.acquire() as conn:
            assert await missing_partitions(conn) == []


async def test_the_worker_makes_what_is_missing_while_stations_go_on_writing(
    settings: Settings, whole: Pool, party_id: UUID, house: House
) -> None:
    await register_stations(whole, party_id, [f"ST-{n}" for n in range(8)])
    await drop(whole, with_defaults=False)
    lines = [await Line.open(settings.gateway_port, f"ST-{n}", "1.6") for n in range(8)]
    n_calls = 0

    async def write(line: Line) -> None:
        nonlocal n_calls
        while not is_over.is_set():
            await line.tell("DataTransfer", {"vendorId": "v"})
            n_calls += 1

    is_over = asyncio.Event()
    writing = [asyncio.create_task(write(line)) for line in lines]
    try:
        in_default = "select count(*) > 50 from ocpp_message_default"
        await eventually(lambda: whole.fetchval(in_default), "nothing was written", within_s=20)
        work = asyncio.create_task(worker.run(settings, whole, house.bus))
        try:
            await eventually(lambda: _is_whole(whole), "the worker did not make them", within_s=30)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
    finally:
        is_over.set()
        await asyncio.gather(*writing)
    assert await whole.fetchval("select count(*) from ocpp_message") == n_calls
    assert await whole.fetchval("select count(*) from ocpp_message_default") == 0
    for line in lines:
        await line.close()


async def _is_whole(pool: Pool) -> bool:
    async with pool.acquire() as conn:
        return await missing_partitions(conn) == []


async def test_a_long_reader_keeps_nobody_from_writing(whole: Pool, party_id: UUID, house: House) -> None:
    """A back-up reads all tables for hours: making a partition must not queue in front of the stations."""
    today = (await _missing_after_drop(whole))[0]
    async with whole.acquire() as reader, reader.transaction():
        await reader.fetchval("select count(*) from ocpp_message")
        async with whole.acquire() as conn:
            making = asyncio.create_task(ensure_partitions(conn))
            await register_stations(whole, party_id, ["ST-1"])
            line = await Line.open(house.gateway.settings.gateway_port, "ST-1", "1.6")
            await line.tell("DataTransfer", {"vendorId": "v"}, within_s=20)
            with pytest.raises(Exception, match="lock timeout"):
                await making
        await line.close()
    async with whole.acquire() as conn:
        assert today in await missing_partitions(conn)
        await ensure_partitions(conn)
        assert await missing_partitions(conn) == []


async def _missing_after_drop(pool: Pool) -> list[str]:
    await drop(pool, with_defaults=False)
    async with pool.acquire() as conn:
        missing = await missing_partitions(conn)
    return [name for name in missing if name.startswith("ocpp_message")]


async def test_missing_partitions_are_told_of(settings: Settings, whole: Pool, nats_url: str) -> None:
    bus = await Bus.connect(nats_url, "told-of")
    try:
        watch = Watch(whole, bus)
        assert health.report(await watch.look())["status"] == "ok"
        await drop(whole, with_defaults=False)
        told = health.report(await watch.look())
        assert (told["status"], told["is_ready"]) == ("attention", True)
        assert "ocpp_message_p" in told["checks"]["partitions"]
        assert "ohmstead migrate" in told["to_do"]["partitions"]
        await drop(whole, with_defaults=True)
        told = health.report(await watch.look())
        assert (told["status"], told["is_ready"]) == ("failed", False)
        assert "sample_default" in told["checks"]["partitions"]
    finally:
        await bus.close()
    assert metrics.REGISTRY.get_sample_value("ohmstead_check_state", {"check": "partitions"}) == 2
    found = await asyncio.to_thread(doctor, settings)
    assert found["partitions"]["state"] == "failed"
    assert "ohmstead migrate" in found["partitions"]["mend"]


@pytest.mark.slow
async def test_a_gateway_that_starts_without_partitions_says_so_and_a_worker_mends_it(
    settings: Settings, whole: Pool, tmp_path: Path
) -> None:
    await drop(whole, with_defaults=False)
    async with running("gateway", settings, tmp_path) as gateway:
        assert "partitions" in (await asyncio.to_thread(gateway.readiness))[1]["to_do"]
        assert gateway.checks_failed("partitions")[0]["to_do"]
        assert gateway.metric('ohmstead_check_state{check="partitions"}') == 1
        async with running("worker", settings, tmp_path):
            await eventually(lambda: _is_whole(whole), "not mended", within_s=30)

        async def says_so() -> bool:
            return bool((await asyncio.to_thread(gateway.readiness))[1]["status"] == "ok")

        await eventually(says_so, "not told", within_s=20)
        assert gateway.logged("check_is_well_again")
