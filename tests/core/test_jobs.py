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


async def test_a_job_that_fails_runs_again_until_it_succeeds(db: Pool, database_url: str) -> None:
    await db.execute("truncate jobs.pgqueuer")
    conn = await connect_one(database_url, name="tests-jobs")
    worker = jobs.Worker(conn)
    tries: list[int] = []
    is_done = asyncio.Event()

    async def fails_once(payload: Any) -> None:
        tries.append(payload["n"])
        if len(tries) == 1:
            raise RuntimeError("the database was away")
        is_done.set()

    worker.on("fails_once", fails_once)
    running = asyncio.create_task(worker.run())
    async with db.acquire() as asker, asker.transaction():
        await jobs.enqueue(asker, "fails_once", {"n": 7})
    await asyncio.wait_for(is_done.wait(), 15)
    worker.stop()
    await asyncio.wait({running}, timeout=10)
    running.cancel()
    await conn.close()
    assert tries == [7, 7]
    assert await db.fetchval("select count(*) from jobs.pgqueuer") == 0


async def test_of_two_workers_only_one_runs_a_job(db: Pool, database_url: str) -> None:
    await db.execute("truncate jobs.pgqueuer")
    ran: list[int] = []
    everything = asyncio.Event()

    async def note(payload: Any) -> None:
        ran.append(payload["n"])
        if len(ran) >= 20:
            everything.set()

    conns = [await connect_one(database_url, name="tests-jobs") for _ in range(2)]
    workers = [jobs.Worker(conn) for conn in conns]
    for worker in workers:
        worker.on("shared", note)
    running = [asyncio.create_task(worker.run()) for worker in workers]
    async with db.acquire() as conn, conn.transaction():
        for n in range(20):
            await jobs.enqueue(conn, "shared", {"n": n})
    await asyncio.wait_for(everything.wait(), 15)
    for worker in workers:
        worker.stop()
    await asyncio.wait(running, timeout=10)
    for task, conn in zip(running, conns, strict=True):
        task.cancel()
        await conn.close()
    assert sorted(ran) == list(range(20))


async def test_a_timer_runs_by_its_clock(database_url: str, db: Pool) -> None:
    conn = await connect_one(database_url, name="tests-jobs")
    worker = jobs.Worker(conn)
    ticks = asyncio.Queue[None]()

    async def tick() -> None:
        ticks.put_nowait(None)

    worker.every("tick", "* * * * * */1", tick)
    running = asyncio.create_task(worker.run())
    for _ in range(2):
        await asyncio.wait_for(ticks.get(), 15)
    worker.stop()
    await asyncio.wait({running}, timeout=10)
    running.cancel()
    await conn.close()
    await db.execute("delete from jobs.pgqueuer_schedules")
