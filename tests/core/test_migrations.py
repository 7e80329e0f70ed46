"""Migrations: they add up to schema.sql, run once, and refuse what they cannot know."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tools import schema

from ohmstead import embedded
from ohmstead.core import migrations
from ohmstead.core.db import Pool
from ohmstead.core.migrations import MigrationError, migrate


@pytest.fixture
async def empty_database(servers: embedded.Embedded) -> AsyncIterator[str]:
    name = f"ohmstead_empty_{token_hex(6)}"
    conn = await asyncpg.connect(servers.database_url)
    await conn.execute(f"create database {name}")
    yield urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
    await conn.execute(f"drop database {name} with (force)")
    await conn.close()


async def test_the_migrations_add_up_to_schema_sql(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    found = await schema.describe(conn)
    await conn.close()
    assert found == schema.FILE.read_text(), "run `python tools/schema.py`"


async def test_two_runners_at_once_apply_each_migration_once(empty_database: str) -> None:
    first, second = await asyncio.gather(migrate(empty_database), migrate(empty_database))
    names = [name for _, name, _ in migrations.available()]
    assert sorted(first + second) == names
    assert await migrate(empty_database) == []


async def test_a_migration_that_was_edited_after_it_ran_is_refused(empty_database: str) -> None:
    await migrate(empty_database)
    conn = await asyncpg.connect(empty_database)
    await conn.execute("update schema_migration set digest = 'other' where number = 2")
    await conn.close()
    with pytest.raises(MigrationError, match="0002_accounts.sql was changed"):
        await migrate(empty_database)


async def test_a_database_newer_than_the_code_is_refused(empty_database: str) -> None:
    await migrate(empty_database)
    conn = await asyncpg.connect(empty_database)
    await conn.execute("insert into schema_migration (number, name, digest) values (9999, '9999_future.sql', '')")
    await conn.close()
    with pytest.raises(MigrationError, match="9999_future.sql"):
        await migrate(empty_database)


async def test_a_lock_that_cannot_be_had_fails_the_migration_and_leaves_nothing_half_done(empty_database: str) -> None:
    conn = await asyncpg.connect(empty_database)
    await conn.execute("create table partitioned_table (x int)")  # in the way of migration 1
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(empty_database, lock_timeout_s=1)
    assert await conn.fetchval("select to_regclass('outbox')") is None
    assert await conn.fetchval("select count(*) from schema_migration") == 0
    await conn.close()


async def _insert_status(conn: asyncpg.Connection, at: datetime) -> None:
    await conn.execute(
        "insert into status_change (station_id, evse_number, connector_number, at, status) values ('S', 1, 1, $1, 'available')",
        at,
    )


async def test_partitions_of_the_coming_months_are_there(db: Pool) -> None:
    async with db.acquire() as conn:
        await migrations.ensure_partitions(conn)
        for days in (0, 28, 56):
            at = datetime.now(UTC) + timedelta(days=days)
            await _insert_status(conn, at)
        in_default = await conn.fetchval("select count(*) from status_change_default")
        assert in_default == 0
        assert await migrations.ensure_partitions(conn) == 0


async def test_rows_of_the_default_partition_move_into_the_one_made_for_them(db: Pool) -> None:
    at = datetime(2031, 5, 17, 12, tzinfo=UTC)
    async with db.acquire() as conn, conn.transaction():
        await _insert_status(conn, at)
        assert await conn.fetchval("select count(*) from status_change_default") == 1
        assert await conn.fetchval("select ensure_partition('status_change', $1)", at)
        assert await conn.fetchval("select count(*) from status_change_default") == 0
        assert await conn.fetchval("select count(*) from status_change_p203105") == 1
        assert await conn.fetchval("select at from status_change") == at
        await conn.execute("drop table status_change_p203105")


async def test_retention_drops_whole_partitions_that_are_past_and_nothing_else(db: Pool) -> None:
    old = datetime(2020, 1, 15, tzinfo=UTC)
    async with db.acquire() as conn, conn.transaction():
        await conn.fetchval("select ensure_partition('status_change', $1)", old)
        await _insert_status(conn, old)
        await _insert_status(conn, datetime.now(UTC))
        dropped = await migrations.drop_expired(conn, {"status_change": 365})
        assert dropped == ["status_change_p202001"]
        assert await conn.fetchval("select count(*) from status_change") == 1
