"""The batch: messages gather while the previous ones commit; nobody is answered before the commit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import asyncpg

from ohmstead.core import metrics, migrations, tracing
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.health import storing
from ohmstead.core.log import logger
from ohmstead.ocpp import store
from ohmstead.ocpp.batch import Item, Stored, Writer, needs_transaction
from ohmstead.ocpp.news import Teller
from ohmstead.sessions.costs import Costs, DriverTerms
from ohmstead.sessions.memory import SessionMemory, Stale
from ohmstead.tokens.authorization import ACCEPTING, Unregistered
from ohmstead.tokens.service import OutletHolds

log = logger("ohmstead.ingest")

LARGEST_BATCH = 500
GATHER_S = 0.0015
BUSY_BATCH = 16
MOST_WAITING = 20_000  # beyond it new messages are refused at once: memory stays bounded when the database is away
RETRY_FOR_S = 8.0  # how long a batch waits for a database that went away, before its stations are told to try later

_WAITING = metrics.ingest_waiting
_UNTOLD = contextlib.nullcontext()


class Full(Exception):
    """Too many messages wait for the database."""


class Waiter(Protocol):
    """Whoever submitted an item."""

    def committed(self, payload: bytes | None) -> None:
        """All that the item says is in the database; `payload` answers its message, if there is an answer."""
        ...

    def failed(self, error: Exception) -> None:
        """The item is not in the database, or nobody can tell."""
        ...


class Source(Protocol):
    """Where messages come from."""

    def pour(self) -> None:
        """`take` all that is there."""
        ...


class _Told:
    """Lets a task wait."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def committed(self, _payload: bytes | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _arrival(item: Item) -> store.Arrival:
    assert item.inbound is not None
    return item.inbound.station.station_id, item.inbound.received_at, item.inbound.message_id


class Ingest:
    """One per gateway. `take` a message, `submit` and wait, `note` what nobody waits for."""

    def __init__(
        self,
        pool: Pool,
        bus: Bus | None,
        *,
        unregistered: Unregistered = ACCEPTING,
        organization: str | None = None,
        holds: OutletHolds | None = None,
        costs: Costs | None = None,
        terms: DriverTerms | None = None,
        gather_s: float = GATHER_S,
    ) -> None:
        self._pool = pool
        self._gather_s = gather_s
        self._teller = Teller(bus)
        self._memory = SessionMemory()
        self._writer = Writer(
            self._memory,
            self._teller,
            unregistered=unregistered,
            terms=terms,
            organization=organization,
            holds=holds,
            costs=costs,
        )
        self.source: Source | None = None
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._mended_at = float("-inf")

    def take(self, item: Item) -> None:
        """Commit with the next batch and tell `item.waiter`. Raises Full at once when the house is full."""
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING:
            metrics.ingest_failures.labels("full").inc()
            raise Full
        if item.waiter is None and tracing.is_on():
            item.span = tracing.current()  # a line of the log belongs to the command that it is of
        item.started = time.perf_counter()
        if not waiting:
            self.wake()
        waiting.append(item)

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()
        self._idle.clear()

    async def submit(self, item: Item) -> None:
        """Returns after the commit. Raises Full, or whatever kept this item from being stored."""
        told = item.waiter = _Told()
        self.take(item)
        await told.done

    def note(self, item: Item) -> None:
        """Store with the next batch; dropped and counted when the house is full."""
        try:
            self.take(item)
        except Full:
            metrics.ingest_failures.labels("dropped").inc()

    async def drained(self) -> None:
        """Until nothing waits and nothing is being committed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit batch after batch, until cancelled."""
        waiting = self._waiting
        n_last = 0
        while True:
            if not waiting and not self._wake.is_set():
                self._idle.set()
                await self._wake.wait()
            self._wake.clear()
            if self._gather_s > 0 and len(waiting) < LARGEST_BATCH:
                # Each batch has its price; a moment later it is paid for several times as many. Where few come anyway
                # it is not worth making them wait.
                await asyncio.sleep(self._gather_s if n_last >= BUSY_BATCH else self._gather_s / 3)
            if self.source is not None:
                self.source.pour()
            if not waiting:
                continue
            batch = [waiting.popleft() for _ in range(min(len(waiting), LARGEST_BATCH))]
            _WAITING.set(len(waiting))
            n_last = len(batch)
            await self._commit_with_patience(batch)

    async def _commit_with_patience(self, batch: list[Item]) -> None:
        deadline = time.monotonic() + RETRY_FOR_S
        pause_s = 0.1
        while True:
            storing.tries()
            try:
                await self._commit(batch)
                return
            except _AWAY as error:
                storing.failed(error)
                metrics.ingest_failures.labels("database_away").inc()
                log.warning("database_away", error=repr(error), waiting=len(batch) + len(self._waiting))
                # What holds for this connection may hold for the others: each would cost a time-out of its own.
                await self._pool.expire_connections()
                for item in batch:
                    item.is_doubtful = True
                if time.monotonic() + pause_s > deadline:
                    _fail(batch, error)
                    self._keep_notes(batch)
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)

    def _keep_notes(self, batch: list[Item]) -> None:
        """Nobody waits for log lines and signals, so nobody would send them again: they wait for the database."""
        for item in batch:
            if item.waiter is None and len(self._waiting) < MOST_WAITING // 2:
                self._waiting.append(item)

    async def _commit(self, batch: list[Item]) -> None:
        """One transaction for all; when something in it cannot be stored, halves, until that one stands alone."""
        with tracing.commit((item.span for item in batch), len(batch)) if tracing.is_on() else _UNTOLD:
            await self._commit_told(batch)

    async def _commit_told(self, batch: list[Item]) -> None:
        started = time.perf_counter()
        try:
            async with self._pool.acquire() as conn:
                stored = await self._store(conn, batch)
        except Exception as error:
            # asyncpg's complaint about an argument is an InterfaceError too, but the database is well.
            if isinstance(error, _AWAY) and not isinstance(error, ValueError):
                raise
            if migrations.lacks_partition(error) and batch[0].tries < 3:
                batch[0].tries += 1
                await self._mend_partitions()
                await self._commit(batch)
                return
            await self._again(batch, error)
            return
        self._memory.committed(stored.sessions)
        storing.worked()
        metrics.batch_seconds.observe(time.perf_counter() - started)
        metrics.batch_size.observe(len(batch))
        for item in batch:
            if item.waiter is not None:
                item.waiter.committed(item.payload)
        await self._teller.tell(batch, stored.kinds)

    async def _mend_partitions(self) -> None:
        """At most once in a while. A row that met one being made fails alike: then trying again is all it takes."""
        if time.monotonic() - self._mended_at > 5:
            self._mended_at = time.monotonic()
            async with self._pool.acquire() as conn:
                await migrations.mend_partitions(conn)

    async def _again(self, batch: list[Item], error: Exception) -> None:
        if isinstance(error, Stale):
            # Whoever was there before us, the truth is in the database.
            self._memory.forget(i.inbound.station.station_id for i in batch if i.inbound is not None)
        if isinstance(error, _CONTENDED) and batch[0].tries < 3:
            batch[0].tries += 1
            await self._commit(batch)
            return
        if len(batch) > 1:
            middle = len(batch) // 2
            batch[middle].tries = 0
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        item = batch[0]
        storing.worked()  # for the others: the database is well
        metrics.ingest_failures.labels("poisoned").inc()
        log.error(
            "message_not_stored",
            station_id=item.inbound.station.station_id if item.inbound else None,
            action=item.inbound.action if item.inbound else None,
            message_id=item.inbound.message_id if item.inbound else None,
            exc_info=error,
        )
        _fail(batch, error)

    async def _store(self, conn: Connection, batch: list[Item]) -> Stored:
        # What most messages say is one statement, which is a transaction by itself.
        is_doubtful = any(item.is_doubtful for item in batch)
        if not is_doubtful and not any(needs_transaction(item) for item in batch):
            return await self._writer.write(conn, batch)
        async with conn.transaction():
            if is_doubtful:
                await store.strike(conn, [_arrival(item) for item in batch if item.inbound is not None])
            return await self._writer.write(conn, batch)


_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that dies in the middle of a query
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    OSError,
    TimeoutError,
)
_CONTENDED = (
    Stale,
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)


def _fail(batch: Sequence[Item], error: Exception) -> None:
    for item in batch:
        if item.waiter is not None:
            item.waiter.failed(error)
