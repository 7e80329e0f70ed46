"""What many ask at once goes to the database together, and one that cannot be done harms nobody else."""

import asyncio
from collections.abc import Sequence

import pytest

from ohmstead.core.db import Connection, Pool
from ohmstead.core.gathering import MOST, Gathering


async def test_what_is_asked_while_a_statement_is_under_way_goes_together(db: Pool) -> None:
    sizes: list[int] = []

    async def double(conn: Connection, asked: Sequence[int]) -> list[int]:
        sizes.append(len(asked))
        found: list[int] = await conn.fetchval(
            "select array_agg(n * 2 order by o) from unnest($1::int[]) with ordinality as t (n, o)", list(asked)
        )
        return found

    gathering = Gathering(db, double)
    assert await gathering.ask(1) == 2
    answers = await asyncio.gather(*(gathering.ask(n) for n in range(2 * MOST + 5)))
    assert answers == [2 * n for n in range(2 * MOST + 5)]
    assert sizes == [1, MOST, MOST, 5]


async def test_one_that_fails_fails_alone(db: Pool) -> None:
    async def divide(conn: Connection, asked: Sequence[int]) -> list[int]:
        found: list[int] = await conn.fetchval(
            "select array_agg(100 / n order by o) from unnest($1::int[]) with ordinality as t (n, o)", list(asked)
        )
        return found

    gathering = Gathering(db, divide)
    answers = await asyncio.gather(*(gathering.ask(n) for n in (1, 0, 5)), return_exceptions=True)
    assert (answers[0], answers[2]) == (100, 20)
    assert "division by zero" in str(answers[1])
    with pytest.raises(Exception, match="division by zero"):
        await gathering.ask(0)
    assert await gathering.ask(10) == 10


async def test_who_does_not_wait_any_more_holds_up_nobody(db: Pool) -> None:
    async def slowly(conn: Connection, asked: Sequence[int]) -> list[int]:
        await conn.execute("select pg_sleep(0.1)")
        return list(asked)

    gathering = Gathering(db, slowly)
    impatient = asyncio.create_task(gathering.ask(1))
    patient = asyncio.create_task(gathering.ask(2))
    await asyncio.sleep(0.02)
    impatient.cancel()
    assert await patient == 2
