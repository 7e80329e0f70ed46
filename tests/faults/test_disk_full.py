"""PostgreSQL's disk is full, at last even for its log: nobody is told Accepted, it is said what to do, and it passes."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.faults.charges import Charge, register_stations
from tests.faults.faithful import Faithful, lost
from tests.faults.line import VERSIONS
from tests.faults.small_disk import FillableDisk, LimitedFiles, SmallDisk, may_mount, running_on
from tests.gateway.running import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROLES = {"gateway": "METRICS_GATEWAY_PORT", "web": "WEB_PORT", "worker": "WORKER_HEALTH_PORT"}


MEANS: list[type[FillableDisk]] = [LimitedFiles, *([SmallDisk] if may_mount() else [])]


@pytest.fixture(params=MEANS)
def disk(request: pytest.FixtureRequest, data_dir: Path, free_port: Callable[[], int]) -> Iterator[FillableDisk]:
    data_dir.chmod(0o711)
    with running_on(request.param(data_dir, free_port)) as one:
        yield one


def readiness(disk: FillableDisk, role: str) -> dict[str, Any]:
    """The document, whatever the status; empty when nobody answers."""
    url = f"http://127.0.0.1:{disk.ports[ROLES[role]]}/readyz"
    with contextlib.suppress(OSError):
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                return dict(json.loads(response.read()))
        except urllib.error.HTTPError as error:
            return dict(json.loads(error.read()))
    return {}


def doctor(disk: FillableDisk) -> dict[str, dict[str, Any]]:
    """What the doctor finds there."""
    command = [sys.executable, "-P", "-m", "ohmstead", "doctor", "--json"]
    env = disk.env | {"OHMSTEAD_DATA_DIR": str(disk.inside)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    return {finding["name"]: finding for finding in json.loads(done.stdout)}


async def _until(look: Callable[[], bool], complaint: Callable[[], str], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(look):
        assert time.monotonic() < deadline, await asyncio.to_thread(complaint)
        await asyncio.sleep(0.3)


async def _everybody_says(disk: FillableDisk, status: str, within_s: float) -> None:
    for role in ROLES:
        await _until(
            lambda role=role: readiness(disk, role).get("status") == status,  # type: ignore[misc]
            lambda role=role: f"{role} does not say {status}: {readiness(disk, role)}",  # type: ignore[misc]
            within_s,
        )


def _charge(version: str, n: int, samples: int) -> Charge:
    begins_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=8 - 3 * n)
    return Charge(version, begins_at, samples=samples, register_wh=10_000 * n)


async def test_a_full_disk_is_told_and_passes_without_loss(disk: FillableDisk) -> None:
    pool = await asyncpg.create_pool(disk.database_url(), min_size=1, max_size=2)
    party_id = await pool.fetchval("select party_id from party")
    await register_stations(pool, party_id, list(VERSIONS))
    stations = [Faithful(disk.ports["GATEWAY_PORT"], version, version) for version in VERSIONS]
    await asyncio.gather(*(station.charges(_charge(station.version, 0, 6)) for station in stations))
    await _everybody_says(disk, "ok", 30)

    await asyncio.to_thread(disk.fill)
    charging = [asyncio.create_task(station.charges(_charge(station.version, 1, 90))) for station in stations]
    chatter = [asyncio.create_task(_chatters(station)) for station in stations]
    try:
        await eventually(lambda: _all_refused(stations), "nobody noticed", within_s=60)
        await _everybody_says(disk, "failed", 60)
        if isinstance(disk, SmallDisk):
            await _is_told(disk)
            assert await lost(pool, stations) == set()
            await _fill_the_log(disk)
        await _database_is_missed(disk)
    finally:
        disk.free()
        pool.terminate()
    # Nobody starts anything anew: all of it comes back by itself.
    await asyncio.wait_for(asyncio.gather(*charging, *chatter), 120)
    await _everybody_says(disk, "ok", 60)
    await _nothing_is_missing(disk, stations)
    for station in stations:
        await station.leaves()


async def _is_told(disk: FillableDisk) -> None:
    """There is no place for rows, and all else works."""
    told = await asyncio.to_thread(readiness, disk, "gateway")
    assert not told["is_ready"]
    assert "No space left" in told["checks"].get("storing", "") + told["checks"].get("writing", "")
    assert "Free disk space" in told["to_do"].get("storing", "") + told["to_do"].get("writing", "")
    found = await asyncio.to_thread(doctor, disk)
    assert found["disk"]["state"] == "failed"
    assert found["writing"]["state"] == "failed"
    assert "Free disk space" in found["writing"]["mend"]
    assert "check_failed" in disk.printed()


async def _database_is_missed(disk: FillableDisk) -> None:
    """There is no place for its log either: it has fallen, and cannot get up."""
    await _until(
        lambda: "is its disk full" in readiness(disk, "gateway").get("to_do", {}).get("database", ""),
        lambda: f"the gateway does not miss its database: {readiness(disk, 'gateway')}",
        40,
    )
    found = await asyncio.to_thread(doctor, disk)
    assert found["database"]["state"] == "failed"
    assert "is its disk full" in found["database"]["mend"]


async def _chatters(station: Faithful) -> None:
    """Enough of it that pages run out, over the same line as the charge."""
    other = "x" * 4_000
    while not station.errors["InternalError"]:
        await station.says("DataTransfer", {"vendorId": "v", "data": other})


async def _all_refused(stations: list[Faithful]) -> bool:
    return all(station.errors["InternalError"] for station in stations)


async def _fill_the_log(disk: FillableDisk) -> None:
    """Until PostgreSQL finds no place for the next piece of its write-ahead log, and falls."""
    conn = await asyncpg.connect(disk.database_url(is_superuser=True))
    try:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            for _ in range(600):
                await conn.execute("select pg_logical_emit_message(false, 'full', repeat('x', 1000000))", timeout=20)
    finally:
        conn.terminate()


async def _nothing_is_missing(disk: FillableDisk, stations: list[Faithful]) -> None:
    pool = await asyncpg.create_pool(disk.database_url(is_superuser=True), min_size=1, max_size=2)
    try:
        assert await lost(pool, stations) == set()
        rows = await pool.fetch("select status, energy_wh, n_samples from session order by energy_wh")
        expected = [_charge("2.1", 0, 6).energy_wh] * 3 + [_charge("2.1", 1, 90).energy_wh] * 3
        assert [(row["status"], row["energy_wh"]) for row in rows] == [("completed", wh) for wh in expected]
        assert sum(row["n_samples"] for row in rows) == await pool.fetchval("select count(*) from sample")
        await _is_undamaged(pool)
    finally:
        await pool.close()


async def _is_undamaged(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Every row can be read (pages carry checksums), and every index made anew holds: nothing is there twice."""
    assert await pool.fetchval("show data_checksums") == "on"
    tables = await pool.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
    )
    for row in tables:
        await pool.fetchval(f'select count(t::text) from "{row["relname"]}" t')
        await pool.execute(f'reindex table concurrently "{row["relname"]}"', timeout=60)
