"""Jobs and timers on PostgreSQL, by PgQueuer: enqueueing is part of the caller's transaction.

A job runs at least once, after the transaction that asked for it committed, at or after its time, in some worker.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec

os.environ.setdefault("PGQUEUER_SCHEMA", "jobs")  # read by PgQueuer when it first builds a query

from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.executors import DatabaseRetryEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from ohmstead.core.db import Connection
from ohmstead.core.log import logger

log = logger("ohmstead.jobs")

MOST_TRIES = 20
FIRST_RETRY_AFTER = timedelta(seconds=1)  # doubled each time, up to five minutes

JobHandler = Callable[[Any], Awaitable[None]]


def _queries(conn: Connection) -> Queries:
    # PgQueuer's driver asks for a Connection; the pool's proxy is one in all but type.
    return Queries(AsyncpgDriver(conn))  # type: ignore[arg-type]


async def install(conn: Connection) -> None:
    """Create PgQueuer's tables in the schema `jobs`, or bring them up to the installed version."""
    queries = _queries(conn)
    if await conn.fetchval("select to_regclass('jobs.pgqueuer')") is None:
        await queries.install()
    else:
        await queries.upgrade()


async def enqueue(
    conn: Connection, name: str, payload: Any, *, after_s: float = 0, dedupe_key: str | None = None
) -> None:
    """Ask for job `name` once the caller's transaction commits, not before `after_s` seconds from now."""
    await _queries(conn).enqueue(
        name,
        msgspec.json.encode(payload),
        execute_after=timedelta(seconds=after_s) if after_s else None,
        dedupe_key=dedupe_key,
    )


async def counts(conn: Connection) -> dict[str, int]:
    """How many jobs there are by status: `queued`, `picked`, and those kept aside after too many tries."""
    rows = await conn.fetch("select status::text as status, count(*) as n from jobs.pgqueuer group by 1")
    return {row["status"]: row["n"] for row in rows}


def _patient(parameters: EntrypointExecutorParameters) -> DatabaseRetryEntrypointExecutor:
    return DatabaseRetryEntrypointExecutor(parameters, max_attempts=MOST_TRIES, initial_delay=FIRST_RETRY_AFTER)


class Worker:
    """Runs handlers: `on(name)` for jobs, `every(name, cron)` for timers, each due timer once over all workers."""

    def __init__(self, conn: Connection) -> None:
        self._queue = PgQueuer(AsyncpgDriver(conn))  # type: ignore[arg-type]

    def on(self, name: str, handler: JobHandler) -> None:
        """A job whose handler raises is tried again, later and later; after MOST_TRIES it is kept aside as failed."""

        @self._queue.entrypoint(name, executor_factory=_patient, on_failure="hold")
        async def run(job: Job) -> None:
            await handler(msgspec.json.decode(job.payload or b"null"))

    def every(self, name: str, cron: str, handler: Callable[[], Awaitable[None]]) -> None:
        @self._queue.schedule(name, cron)
        async def run(_schedule: Any) -> None:
            await handler()

    async def run(self) -> None:
        """Until `stop()`; raises when the connection is lost (the caller connects anew)."""
        await self._queue.run(dequeue_timeout=timedelta(seconds=5))

    def stop(self) -> None:
        self._queue.shutdown.set()
