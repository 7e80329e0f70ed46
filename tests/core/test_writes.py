"""Shares of several rooms go out as one statement: all of it or nothing."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from ohmstead.core import events
from ohmstead.core.db import Pool
from ohmstead.core.writes import Write, records, to_rows, write_all

EVENT = events.Event(kind="Tried", subject="test/1", payload={"n": 1})


async def test_nothing_to_write_is_nothing_done(db: Pool) -> None:
    async with db.acquire() as conn:
        assert await write_all(conn, []) is None


async def test_each_share_keeps_its_own_parameters_and_outcome(db: Pool) -> None:
    shares = [
        Write("first as (select $1::integer + $2::integer as n)", [1, 2], "(select n from first) as first"),
        Write("second as (select $1::text || $2::text as t)", ["a", "b"], "(select t from second) as second"),
        *events.written([EVENT, EVENT]),
        Write("third as (select $1::integer as n)", [10], "(select n from third) as third"),
    ]
    async with db.acquire() as conn:
        for _ in range(2):  # the second time from the text that was put together the first time
            row = await write_all(conn, shares)
            assert row is not None
            assert (row["first"], row["second"], row["third"]) == (3, "ab", 10)
    assert await db.fetchval("select count(*) from outbox where kind = 'Tried'") == 4


async def test_one_share_that_fails_takes_all_others_with_it(db: Pool) -> None:
    shares = [
        *events.written([EVENT]),
        Write("wrong as (select 1 / $1::integer as n)", [0], "(select n from wrong) as wrong"),
    ]
    async with db.acquire() as conn:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await write_all(conn, shares)
    assert await db.fetchval("select count(*) from outbox") == 0


async def test_rows_travel_with_their_types(db: Pool) -> None:
    at = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
    event = events.Event("Told", "test/2", {"text": 'a"b\\c ü \n'}, UUID(int=7), 5, at)
    columns = {"party_id": "uuid", "at": "timestamptz", "event_id": "bigint", "payload": "jsonb"}
    async with db.acquire() as conn:
        row = await conn.fetchrow(f"select u.* from {records(1, columns)}", to_rows([event]))
    assert row is not None
    assert tuple(row) == (UUID(int=7), at, 5, {"text": 'a"b\\c ü \n'})
