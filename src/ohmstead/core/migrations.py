"""Numbered SQL migrations, forward only, one runner at a time."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from importlib import resources

import asyncpg

from ohmstead.core import clock, events, jobs
from ohmstead.core.db import Connection, connect_one
from ohmstead.core.log import logger

log = logger("ohmstead.migrations")

ADVISORY_LOCK = 0x0415_57EA  # any fixed number; all runners of all processes take the same
PARTITIONS_LOCK = 0x0415_57EB
PARTITION_LOCK_TIMEOUT_S = 3
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


class MigrationError(Exception):
    """The database does not fit this version of Ohmstead; the text says what to do."""


def available() -> list[tuple[int, str, str]]:
    """(number, file name, SQL) of every migration in the package, in order."""
    found = []
    for entry in resources.files("ohmstead.migrations").iterdir():
        if match := _NAME.match(entry.name):
            found.append((int(match[1]), entry.name, entry.read_text()))
    return sorted(found)


async def migrate(database_url: str, *, lock_timeout_s: int = 10, statement_timeout_s: int = 600) -> list[str]:
    """Bring the database up to this version; returns the names applied (empty: was up to date).

    Each migration is one transaction with time-outs, so that a lock it cannot get fails it instead of blocking
    stations behind it. Raises MigrationError when an applied file was edited or the database is newer than the code.
    """
    conn = await connect_one(database_url, name="ohmstead-migrate")
    try:
        await conn.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
        await conn.execute(
            f"set lock_timeout = '{int(lock_timeout_s)}s'; set statement_timeout = '{int(statement_timeout_s)}s'"
        )
        applied = await _apply(conn)
        async with conn.transaction():
            if await events.settle_in(conn):
                log.warning("outbox_was_restored", meaning="a dump of another server: its outbox was numbered anew")
        await jobs.install(conn)
        await ensure_partitions(conn)
        return applied
    finally:
        await conn.close()


async def pending(conn: Connection) -> list[str]:
    """Names of migrations this database still lacks, and what else `migrate` must do before anybody works with it."""
    if await conn.fetchval("select to_regclass('schema_migration')") is None:
        return [name for _, name, _ in available()]
    done = {row["number"] for row in await conn.fetch("select number from schema_migration")}
    missing = [name for number, name, _ in available() if number not in done]
    if not missing and await events.is_from_elsewhere(conn):
        return ["an outbox that fits this server (a dump was restored)"]
    return missing


async def _apply(conn: Connection) -> list[str]:
    await conn.execute(
        "create table if not exists schema_migration (number integer primary key, name text not null,"
        " digest bytea not null, applied_at timestamptz not null default now())"
    )
    done = {row["number"]: row for row in await conn.fetch("select number, name, digest from schema_migration")}
    files = available()
    if newer := sorted(set(done) - {number for number, _, _ in files}):
        raise MigrationError(
            f"the database has migration {newer[-1]} ({done[newer[-1]]['name']}), which this version of Ohmstead"
            " does not"
            " know: run the version that made it, or a newer one"
        )
    applied = []
    for number, name, sql in files:
        digest = hashlib.sha256(sql.encode()).digest()
        if number in done:
            if done[number]["digest"] != digest:
                raise MigrationError(
                    f"{name} was changed after it had been applied: put the file back, add a new one instead"
                )
            continue
        async with conn.transaction():
            await conn.execute(sql)
            await conn.execute(
                "insert into schema_migration (number, name, digest) values ($1, $2, $3)", number, name, digest
            )
        log.info("migration_applied", name=name)
        applied.append(name)
    return applied


async def ensure_partitions(conn: Connection, months_ahead: int = 2, days_ahead: int = 7) -> int:
    """Make the partitions of the coming time, moving rows that the default took meanwhile; returns how many.

    A default partition that is gone is made anew. Each table is a transaction of its own, unless the caller has one:
    locks are short, and a table that is too busy now (lock_timeout) does not keep the others from theirs.
    """
    made, failed = 0, None
    now = clock.now()
    for table, step in await conn.fetch("select table_name, step from partitioned_table order by table_name"):
        ahead = [now + timedelta(days=d) for d in range(-1, days_ahead + 1)]
        if step == "month":
            ahead = [now + timedelta(days=28 * m) for m in range(months_ahead + 1)]
        try:
            async with conn.transaction():
                made += await _ensure(conn, table, ahead, step)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            log.warning("partition_postponed", table=table, error=str(error))
            failed = error
    if failed is not None:
        raise failed
    return made


async def _ensure(conn: Connection, table: str, ahead: list[datetime], step: str) -> int:
    await conn.execute("select pg_advisory_xact_lock($1)", PARTITIONS_LOCK)
    # Whoever reads the table for long (pg_dump) would keep us waiting, and every station behind us.
    await conn.execute(f"set local lock_timeout = '{PARTITION_LOCK_TIMEOUT_S}s'")
    made = 0
    default = f"{table}_default"
    if default not in await _attached(conn, table):
        if await conn.fetchval("select to_regclass($1)", default) is None:
            await conn.execute(f'create table "{default}" partition of "{table}" default')
        else:
            await conn.execute(f'alter table "{table}" attach partition "{default}" default')
        log.warning("partition_made_anew", name=default)
        made += 1
    for at in ahead:
        if await conn.fetchval("select to_regclass($1)", _partition(table, step, at)) is None:
            # Rows that came between moving and attaching would make attaching fail.
            await conn.execute(f'lock table "{default}" in access exclusive mode')
            made += bool(await conn.fetchval("select ensure_partition($1, $2)", table, at))
    return made


async def missing_partitions(conn: Connection) -> list[str]:
    """Names of partitions that should hold the rows of now, and do not; default ones included."""
    now = clock.now()
    missing = []
    for table, step in await conn.fetch("select table_name, step from partitioned_table order by table_name"):
        attached = await _attached(conn, table)
        missing += [name for name in (_partition(table, step, now), f"{table}_default") if name not in attached]
    return missing


def lacks_partition(error: Exception) -> bool:
    """Whether a row found no partition that takes it, or the one it found took it no more."""
    return isinstance(error, asyncpg.CheckViolationError) and error.constraint_name is None


async def mend_partitions(conn: Connection) -> None:
    """`ensure_partitions` for those who met a missing one: what cannot be made is logged, not raised."""
    try:
        await ensure_partitions(conn)
    except asyncpg.PostgresError as failure:
        log.error("partitions_not_made", error=str(failure), to_do="run `ohmstead migrate` as the owner of the tables")


def _partition(table: str, step: str, at: datetime) -> str:
    # As the SQL function `ensure_partition` names them.
    return f"{table}_p{at.astimezone(UTC):{'%Y%m%d' if step == 'day' else '%Y%m'}}"


async def _attached(conn: Connection, table: str) -> set[str]:
    rows = await conn.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = to_regclass($1)",
        table,
    )
    return {row["relname"] for row in rows}


async def drop_expired(conn: Connection, retention_days: dict[str, int]) -> list[str]:
    """Drop partitions older than each table's retention; returns the names dropped."""
    dropped: list[str] = []
    for table, days in retention_days.items():
        rows = await conn.fetch("select drop_partitions($1, $2) as name", table, clock.now() - timedelta(days=days))
        dropped += [row["name"] for row in rows]
    return dropped
