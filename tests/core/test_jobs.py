"""Jobs: they exist if and only if the transaction that wanted them committed, and run not before their time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohmstead.core import jobs
from ohmstead.core.db import Pool, connect_one


@pytest.fixture
async def done(db: Pool, database_url: str) -> AsyncIterator[asyncio.Queue[Any]]:
    """What the job `note` was given, as it runs."""
    await db.execute("truncate jobs.pgqueuer")
    conn = await connect_one(database_url, name="tests-jobs")
    worker = jobs.Worker(conn)
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def note(payload: Any) -> None:
        queue.put_nowait(payload)

    worker.on("note", note)
    running = asyncio.create_task(worker.run())
    yield queue
    worker.stop()
    await asyncio.wait({running}, timeout=10)
    running.cancel()
    await conn.close()


async def test_a_job_runs_once_its_transaction_is_committed(db: Pool, done: asyncio.Queue[Any]) -> None:
    async with db.acquire() as conn, conn.transaction():
        await jobs.enqueue(conn, "note", {"n": 1})
        await asyncio.sleep(0.3)
        assert done.empty()
    assert await asyncio.wait_for(done.get(), 10) == {"n": 1}


async def test_a_job_of_a_transaction_that_was_rolled_back_never_runs(db: Pool, done: asyncio.Queue[Any]) -> None:
    with pytest.raises(RuntimeError, match="no"):
        async with db.acquire() as conn, conn.transaction():
            await jobs.enqueue(conn, "note", {"n": 1})
            raise RuntimeError("no")
    async with db.acquire() as conn, conn.transaction():
        await jobs.enqueue(conn, "note", {"n": 2})
    assert await asyncio.wait_for(done.get(), 10) == {"n": 2}
    assert done.empty()


async def test_a_job_for_later_waits_its_time(db: Pool, done: asyncio.Queue[Any]) -> None:
    async with db.acquire() as conn, conn.transaction():
        await jobs.enqueue(conn, "note", {"n": "later"}, after_s=1.5)
        await jobs.enqueue(conn, "note", {"n": "now"})
    assert await asyncio.wait_for(done.get(), 10) == {"n": "now"}
    assert await asyncio.wait_for(done.get(), 15) == {"n": "later"}
