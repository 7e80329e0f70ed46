"""Upgrade from the migration before, with cars charging: as docs/operations.md tells it."""

import asyncio
import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from secrets import token_hex
from typing import cast
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from ohmstead import embedded
from ohmstead.core import jobs, migrations
from ohmstead.core.db import Pool, connect_one, connect_pool
from ohmstead.core.ids import new_id
from ohmstead.core.migrations import migrate
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from tests.gateway.running import House, eventually, with_settings
from tests.operations.charging import (
    FIRST_WH,
    Charge,
    charges_of,
    goes_on_and_settles,
    kept,
    more,
    register,
    running,
    traffic,
)

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT_S = 10.0  # the lock time-out of `migrate`: nobody behind it waits longer
FIRST_TO_COME_FROM = 7  # before this migration there was no code that ran


def previous_code() -> bytes | None:
    """The source as it was before the newest migration, packed; None where the history is not at hand."""
    number, name, _ = migrations.available()[-1]
    if number < FIRST_TO_COME_FROM:
        return None
    path = f"src/ohmstead/migrations/{name}"

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True).stdout

    try:
        # Along the main line: what a branch had meanwhile was never released.
        line = ("log", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "-1")
        added = git(*line, "--", path).decode().strip()
        return git("archive", "--format=tar", f"{added}^" if added else "HEAD", "src")
    except (OSError, subprocess.CalledProcessError):
        return None


PREVIOUS = previous_code()


@pytest.fixture
async def before(servers: embedded.Embedded) -> AsyncIterator[str]:
    """A database of this run's own, with nothing in it."""
    name = f"ohmstead_before_{token_hex(6)}"
    conn = await asyncpg.connect(servers.database_url)
    await conn.execute(f"create database {name}")
    yield urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
    await conn.execute(f"drop database {name} with (force)")
    await conn.close()


@pytest.fixture
async def pool(before: str) -> AsyncIterator[Pool]:
    opened = await connect_pool(before, size=4, name="upgrade")
    yield opened
    opened.terminate()


async def migrate_up_to_the_one_before(url: str) -> None:
    """A database as the release before left it."""
    conn = await connect_one(url)
    try:
        await conn.execute(
            "create table schema_migration (number integer primary key, name text not null, digest bytea not null,"
            " applied_at timestamptz not null default now())"
        )
        for number, name, sql in migrations.available()[:-1]:
            await conn.execute(sql)
            digest = hashlib.sha256(sql.encode()).digest()
            await conn.execute("insert into schema_migration values ($1, $2, $3)", number, name, digest)
        await jobs.install(conn)
        await migrations.ensure_partitions(conn)
    finally:
        await conn.close()


async def open_sessions(pool: Pool, party_id: UUID, charges: list[Charge]) -> None:
    """A running session with ten meter values for each, written as rows."""
    begun_at = datetime.now(UTC) - timedelta(minutes=10)
    for n, charge in enumerate(charges):
        session_id = uuid4()
        charge.transaction_id = 100 + n if charge.version is Version.V16 else f"tx-{charge.identity}"
        charge.number = 10
        charge.acknowledged = [FIRST_WH + 10 * value for value in range(1, 11)]
        charge.register_wh = charge.acknowledged[-1]
        await pool.execute(
            "insert into session (session_id, party_id, station_id, evse_number, connector_number, transaction_id,"
            " ocpp_version, status, charging_state, started_at, last_event_at, first_received_at, updated_at, energy_wh,"
            " energy_source, is_start_exact, register_start_wh, register_start_at, register_last_wh, register_last_at,"
            " n_samples, seen_seq_nos) values ($1, $2, $3, 1, 1, $4, $5, 'active', 'charging', $6, $7, $6, $7, 100,"
            " 'register', true, $8, $6, $9, $7, 10, $10)",
            *(session_id, party_id, charge.identity, str(charge.transaction_id), charge.version.value),
            *(begun_at, begun_at + timedelta(seconds=600), FIRST_WH, charge.register_wh),
            [] if charge.version is Version.V16 else [0, 10],
        )
        for value, register_wh in enumerate([FIRST_WH, *charge.acknowledged]):
            await pool.execute(
                "insert into sample (session_id, sampled_at, context, energy_wh, readings)"
                " values ($1, $2, $3, $4::numeric, jsonb_build_object('Energy.Active.Import.Register',"
                " jsonb_build_array($4::numeric::text, 'Wh')))",
                *(session_id, begun_at + timedelta(seconds=60 * value)),
                *("Sample.Periodic" if value else "Transaction.Begin", Decimal(register_wh)),
            )


@contextlib.asynccontextmanager
async def at_work(url: str) -> AsyncIterator[list[float]]:
    """Other programs read and write the hot tables as the release before does; how long each of them took, in s."""
    took: list[float] = []
    is_over = asyncio.Event()

    async def works(*statements: str) -> None:
        conn = await connect_one(url)
        try:
            while not is_over.is_set():
                began = time.monotonic()
                async with conn.transaction():
                    for statement in statements:
                        await conn.execute(statement)
                took.append(time.monotonic() - began)
                await asyncio.sleep(0.01)
        finally:
            await conn.close()

    async def dawdles() -> None:
        """A report that somebody reads slowly: the migration waits for it, and everybody behind the migration."""
        conn = await connect_one(url)
        try:
            async with conn.transaction():
                await conn.execute("select count(*) from session join station using (station_id), sample, connector")
                await asyncio.sleep(1.5)
        finally:
            await conn.close()

    tasks = [
        asyncio.create_task(works("update station set last_seen_at = clock_timestamp()")),
        asyncio.create_task(works("update session set updated_at = updated_at", "select count(*) from sample")),
        asyncio.create_task(works("insert into outbox (kind, subject, payload) values ('Tested', 'x', '{}')")),
        asyncio.create_task(works("select count(*) from session join station using (station_id)")),
        asyncio.create_task(dawdles()),
    ]
    try:
        await eventually(lambda: _is(len(took) > 20), "nobody works", within_s=30)
        yield took
        so_far = len(took)
        await eventually(lambda: _is(len(took) > so_far + 20), "work stopped", within_s=30)
    finally:
        is_over.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(isinstance(result, BaseException) for result in results), results


async def _is(fact: bool) -> bool:
    return fact


async def test_open_sessions_go_on_after_a_migration_that_made_nobody_wait_for_long(
    settings: Settings, before: str, pool: Pool
) -> None:
    await migrate_up_to_the_one_before(before)
    # As the release before would: today's accounts know columns that are not there yet.
    party_id = new_id()
    await pool.execute("insert into party (party_id, name) values ($1, 'Before')", party_id)
    there = with_settings(settings, database_url=before)
    charges = charges_of()
    await register(pool, there, party_id, charges)
    await open_sessions(pool, party_id, charges)
    async with at_work(before) as took:
        assert await migrate(before) == [migrations.available()[-1][1]]
    assert max(took) < LONGEST_WAIT_S + 5, f"somebody waited for {max(took):.1f} s"
    async with running(there, pool, party_id) as house:
        for charge in charges:
            assert await kept(pool, charge) == charge.acknowledged
        await goes_on_and_settles(house, charges)


class Release:
    """Programs of one release on a database: its commands, and a gateway and a worker of it."""

    def __init__(self, source: Path, settings: Settings, free_port: Callable[[], int]) -> None:
        self.port, self.health_port, worker_port = free_port(), free_port(), free_port()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("OHMSTEAD_")}
        self.env |= {
            "PYTHONPATH": str(source),
            "OHMSTEAD_DATABASE_URL": settings.database_url or "",
            "OHMSTEAD_NATS_URL": settings.nats_url or "",
            "OHMSTEAD_SECRET_KEY": settings.secret_key or "",
            "OHMSTEAD_DATA_DIR": str(settings.data_dir),
            "OHMSTEAD_GATEWAY_PORT": str(self.port),
            "OHMSTEAD_METRICS_GATEWAY_PORT": str(self.health_port),
            "OHMSTEAD_WORKER_HEALTH_PORT": str(worker_port),
            "OHMSTEAD_LOG_LEVEL": "warning",
        }
        self.roles: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> str:
        """A command to its good end."""
        command = [sys.executable, "-P", "-m", "ohmstead", *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def start(self) -> None:
        for role in ("gateway", "worker"):
            command = [sys.executable, "-P", "-m", "ohmstead", role]
            self.roles.append(subprocess.Popen(command, env=self.env))
        await eventually(self._is_ready, "the gateway does not get ready", within_s=60)

    async def _is_ready(self) -> bool:
        assert all(role.poll() is None for role in self.roles)
        return await asyncio.to_thread(self._answers)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Politely, and to the end."""
        for role in self.roles:
            role.terminate()
        for role in self.roles:
            role.wait(timeout=60)
        self.roles.clear()


@pytest.fixture
def previous(settings: Settings, before: str, free_port: Callable[[], int], tmp_path: Path) -> Iterator[Release]:
    """The release before, unpacked from the history."""
    assert PREVIOUS is not None
    with tarfile.open(fileobj=io.BytesIO(PREVIOUS)) as packed:
        # Python before 3.11.4 knows no filters.
        packed.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        packed.extractall(tmp_path)
    release = Release(tmp_path / "src", with_settings(settings, database_url=before), free_port)
    yield release
    for role in release.roles:
        role.kill()
        role.wait()


@pytest.mark.skipif(PREVIOUS is None, reason="needs the history, and a release before the newest migration")
async def test_the_release_before_goes_on_serving_while_the_database_is_ahead_of_it(
    settings: Settings, previous: Release, pool: Pool, before: str, free_port: Callable[[], int]
) -> None:
    newest = migrations.available()[-1][1]
    assert newest not in await asyncio.to_thread(previous.run, "migrate")
    await asyncio.to_thread(previous.run, "sign-in")
    party_id = await pool.fetchval("select party_id from party")
    there = with_settings(settings, database_url=before, gateway_port=free_port())
    charges = charges_of()
    await register(pool, there, party_id, charges)
    await previous.start()
    outside = cast(House, Front(f"ws://127.0.0.1:{previous.port}/ocpp"))
    async with traffic(outside, charges):
        await more(charges)
        present = Release(ROOT / "src", there, free_port)
        assert newest in await asyncio.to_thread(present.run, "migrate")
        await more(charges)
    async with running(there, pool, party_id) as house:
        await asyncio.to_thread(previous.stop)
        for charge in charges:
            assert await kept(pool, charge) == charge.acknowledged, "an acknowledged message is missing"
        await goes_on_and_settles(house, charges)


class Front:
    """Where stations of another process's gateway connect to."""

    def __init__(self, url: str) -> None:
        self.url = self.tls_url = url
