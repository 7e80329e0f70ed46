"""Back-up and restore as docs/operations.md tells them, with cars charging meanwhile."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest
from tools import schema

from ohmstead import embedded, runas
from ohmstead.core.db import Pool, connect_pool
from ohmstead.core.migrations import migrate
from ohmstead.settings import Settings
from tests.gateway.running import eventually, new_party, with_settings
from tests.operations.charging import Charge, fleet, goes_on_and_settles, kept, more, running, traffic


@pytest.fixture
def other_dir() -> Iterator[Path]:
    """The data directory of another installation."""
    path = Path(tempfile.mkdtemp(prefix="ohmstead-restored-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def elsewhere(other_dir: Path) -> AsyncIterator[embedded.Embedded]:
    """A PostgreSQL of another machine, as it comes: nothing in it, its transactions numbered from the start."""
    started = await embedded.start(Settings(data_dir=other_dir), durable=False)
    yield started
    await started.stop()


async def program(name: str, *arguments: str, account: runas.Account | None = None, bin_dir: Path | None = None) -> str:
    """Run one of PostgreSQL's programs to its end; what it printed."""
    command = [str((bin_dir or runas.installed().postgres_bin) / name), *arguments]
    options = runas.popen_arguments(account) | {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = await asyncio.to_thread(lambda: subprocess.run(command, check=False, timeout=120, **options))
    assert done.returncode == 0, f"{name}: {done.stdout}"
    return str(done.stdout)


def ohmstead(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of ours, as somebody types it, on the database of `settings`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OHMSTEAD_")}
    env |= {
        "OHMSTEAD_DATABASE_URL": settings.database_url or "",
        "OHMSTEAD_NATS_URL": settings.nats_url or "",
        "OHMSTEAD_SECRET_KEY": settings.secret_key or "",
        "OHMSTEAD_DATA_DIR": str(settings.data_dir),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "COLUMNS": "200",
    }
    command = [sys.executable, "-P", "-m", "ohmstead", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)


def finding(settings: Settings, name: str) -> str:
    """What `doctor` says of one thing."""
    found = json.loads(ohmstead(settings, "doctor", "--json").stdout)
    return next(str(one["text"]) for one in found if one["name"] == name)


async def spend_transactions(url: str) -> None:
    """As after some hours of work: transaction numbers a new server has not come to."""
    conn = await asyncpg.connect(url)
    await conn.execute("do $$ begin for n in 1..20000 loop perform pg_current_xact_id(); commit; end loop; end $$")
    await conn.close()


async def described(url: str) -> str:
    conn = await asyncpg.connect(url)
    try:
        return await schema.describe(conn)
    finally:
        await conn.close()


async def test_a_dump_taken_while_cars_charge_becomes_a_whole_installation(
    settings: Settings, db: Pool, party_id: UUID, elsewhere: embedded.Embedded, tmp_path: Path
) -> None:
    assert settings.database_url is not None
    file = tmp_path / "ohmstead.dump"
    await spend_transactions(settings.database_url)
    async with running(settings, db, party_id) as house:
        charges = await fleet(house)
        async with traffic(house, charges):
            promised = [list(charge.acknowledged) for charge in charges]
            await program("pg_dump", "--format=custom", f"--file={file}", settings.database_url)
            await more(charges)
    there = with_settings(settings, database_url=elsewhere.database_url)
    await program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={there.database_url}", str(file))

    assert "a dump was restored" in finding(there, "migrations")
    assert ohmstead(there, "gateway").returncode == 1, "no role starts before `migrate`"
    assert ohmstead(there, "migrate").returncode == 0
    assert finding(there, "migrations") == "up to date"
    assert await described(elsewhere.database_url) == await described(settings.database_url)

    pool = await connect_pool(elsewhere.database_url, size=4, name="restored")
    try:
        for charge, before in zip(charges, promised, strict=True):
            found = await kept(pool, charge)
            assert set(before) <= set(found), "promised before the dump began, and not in it"
            assert found == charge.acknowledged[: len(found)], "a dump is one moment: all before it, nothing after"
        untouched = "select count(*), min(station_id), max(secret_hash) from station"
        assert await pool.fetchrow(untouched) == await db.fetchrow(untouched)
        async with running(there, pool, party_id) as house:
            # What stations said after the dump is not in it; they are asked, and what they had said is missed, and told.
            await goes_on_and_settles(house, charges, marked=("messages_missing",))
        marked = "select count(*) from session where anomalies = '{messages_missing}' and ocpp_version <> '1.6'"
        assert await pool.fetchval(marked) == 2
    finally:
        await pool.close()


class Archive:
    """A place for a base back-up and for the write-ahead log since, that the servers' account can write to."""

    def __init__(self, account: runas.Account | None) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="ohmstead-archive-"))
        self.wal, self.full = self.root / "wal", self.root / "base"
        for path in (self.root, self.wal):
            runas.make_dir(path, account)

    def configuration(self) -> str:
        kept_wal = f"test ! -f {self.wal}/%f && cp %p {self.wal}/%f"
        return f"\narchive_mode = 'on'\narchive_command = '{kept_wal}'\n"

    def recovery(self, until: str) -> str:
        return (
            f"\nrestore_command = 'cp {self.wal}/%f %p'\nrecovery_target_time = '{until}'\n"
            "recovery_target_action = 'promote'\narchive_mode = 'off'\n"
        )


async def _archived(conn: "asyncpg.Connection[asyncpg.Record]", segment: str) -> bool:
    last = await conn.fetchval("select last_archived_wal from pg_stat_archiver")
    return last is not None and last >= segment


Promised = list[tuple[Charge, list[int]]]


async def _until_the_mistake(
    settings: Settings,
    server: embedded.Embedded,
    data_dir: Path,
    archive: Archive,
    bin_dir: Path,
    account: runas.Account | None,
) -> tuple[str, Promised, UUID]:
    """A base back-up under traffic, more traffic, a moment, and then somebody deletes what must not be deleted."""
    await migrate(server.database_url)
    pool = await connect_pool(server.database_url, size=4, name="before")
    try:
        party_id = await new_party(pool)
        async with running(with_settings(settings, database_url=server.database_url), pool, party_id) as house:
            charges = await fleet(house)
            async with traffic(house, charges):
                url = _superuser(data_dir)
                copy = ["--pgdata", str(archive.full), "--checkpoint=fast", "--wal-method=stream", f"--dbname={url}"]
                await program("pg_basebackup", *copy, account=account, bin_dir=bin_dir)
                await more(charges)
        moment = str(await pool.fetchval("select clock_timestamp()::text"))
        promised = [(charge, list(charge.acknowledged)) for charge in charges]
        await pool.execute("delete from sample")
        await pool.execute("update session set energy_wh = 0")
    finally:
        await pool.close()
    conn = await asyncpg.connect(_superuser(data_dir))
    segment = await conn.fetchval("select pg_walfile_name(pg_switch_wal())")
    await eventually(lambda: _archived(conn, segment), "the log is not archived", within_s=60)
    await conn.close()
    return moment, promised, party_id


def _superuser(data_dir: Path) -> str:
    kept_there = msgspec.json.decode((data_dir / "run" / "servers.json").read_bytes())
    return f"postgresql://postgres:{kept_there['superuser_password']}@127.0.0.1:{kept_there['postgres_port']}/postgres"


async def _put_back(
    data_dir: Path, other_dir: Path, archive: Archive, account: runas.Account | None, moment: str
) -> None:
    """A data directory of the base back-up, told to read the archive up to a moment."""
    postgres = other_dir / "postgres"
    await asyncio.to_thread(shutil.copytree, archive.full, postgres)
    (postgres / "recovery.signal").touch()
    with (postgres / "postgresql.conf").open("a") as file:
        file.write(archive.recovery(moment))
    if account is not None:
        for path in [postgres, *postgres.rglob("*")]:
            os.chown(path, account.uid, account.gid)
    postgres.chmod(0o700)
    (other_dir / "run").mkdir(mode=0o700)
    shutil.copy2(data_dir / "run" / "servers.json", other_dir / "run" / "servers.json")


async def test_the_database_goes_back_to_the_moment_before_a_mistake(
    settings: Settings, data_dir: Path, other_dir: Path, free_port: Callable[[], int]
) -> None:
    layout = Settings(data_dir=data_dir)
    first = await embedded.start(layout, durable=False)
    await first.stop()
    account = runas.account_for(data_dir / "postgres")
    bin_dir = runas.programs(data_dir, account).postgres_bin
    archive = Archive(account)
    try:
        with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
            file.write(archive.configuration())
        server = await embedded.start(layout, durable=False)
        try:
            moment, charges, party_id = await _until_the_mistake(settings, server, data_dir, archive, bin_dir, account)
        finally:
            await server.stop()

        await _put_back(data_dir, other_dir, archive, account, moment)
        restored = await embedded.start(Settings(data_dir=other_dir), durable=False)
        there = with_settings(settings, database_url=restored.database_url, gateway_port=free_port())
        pool = await connect_pool(restored.database_url, size=4, name="restored")
        try:
            assert finding(there, "migrations") == "up to date", "the same numbers as before: nothing to do"
            for charge, promised in charges:
                assert await kept(pool, charge) == promised
            async with running(there, pool, party_id) as house:
                await goes_on_and_settles(house, [charge for charge, _ in charges])
        finally:
            await pool.close()
            await restored.stop()
    finally:
        shutil.rmtree(archive.root, ignore_errors=True)
