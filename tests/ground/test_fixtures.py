"""The fixtures everybody stands on."""

from ohmstead.core.db import Pool


async def test_a_test_may_leave_rows_behind(db: Pool) -> None:
    await db.execute("insert into outbox (kind, subject, payload) values ('Left', 'x', '{}')")
    assert await db.fetchval("select count(*) from outbox") == 1
    assert await db.fetchval("select event_id from outbox") == 1


async def test_the_next_test_finds_the_database_empty_and_its_numbers_start_again(db: Pool) -> None:
    assert await db.fetchval("select count(*) from outbox") == 0
    assert (
        await db.fetchval("insert into outbox (kind, subject, payload) values ('A', 'x', '{}') returning event_id") == 1
    )


async def test_what_migrations_wrote_stays(db: Pool) -> None:
    assert await db.fetchval("select count(*) from schema_migration") > 0
