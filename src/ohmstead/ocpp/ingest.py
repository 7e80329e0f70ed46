"""The batch: messages gather while the previous ones commit; nobody is answered before the commit."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import msgspec

from ohmstead.core import clock, events, metrics, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.health import storing
from ohmstead.core.log import logger
from ohmstead.core.writes import write_all
from ohmstead.ocpp import asides, rpc, store
from ohmstead.ocpp.asides import price
from ohmstead.ocpp.news import News, Teller, connection_news, message_news, session_news
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.ocpp.store import Exchange
from ohmstead.ocpp.work import Answers, Inbound, Work
from ohmstead.sessions import service as sessions
from ohmstead.sessions.costs import Costs, DriverTerms
from ohmstead.sessions.memory import SessionMemory, Stale
from ohmstead.sessions.model import Session
from ohmstead.stations import service as stations
from ohmstead.stations.certificates import service as certificates
from ohmstead.stations.device import service as device
from ohmstead.stations.files.service import take_reports
from ohmstead.stations.model import Connected, Disconnected, Signal
from ohmstead.stations.redaction import hide_secrets_in_text
from ohmstead.tokens.authorization import ACCEPTING, Unregistered
from ohmstead.tokens.service import OutletHolds

log = logger("ohmstead.ingest")

LARGEST_BATCH = 500
GATHER_S = 0.0015
BUSY_BATCH = 16
MOST_WAITING = 20_000  # beyond it new messages are refused at once: memory stays bounded when the database is away
RETRY_FOR_S = 8.0  # how long a batch waits for a database that went away, before its stations are told to try later

_WAITING = metrics.ingest_waiting


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


class Item(msgspec.Struct, kw_only=True):
    """Something to be committed. A `work` is answered with its reply's payload; the rest just with None."""

    at: datetime
    inbound: Inbound | None = None
    work: Work | None = None
    connected: Connected | None = None
    disconnected: Disconnected | None = None
    exchange: Exchange | None = None
    signal: Signal | None = None
    waiter: Any = None
    started: float = 0.0
    payload: bytes | None = None
    tries: int = 0
    is_doubtful: bool = False  # a commit was begun and its end never heard of
    news: list[News] | None = None


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
        self._organization = organization
        self._unregistered = unregistered
        self._terms = terms
        self._holds = holds
        self._costs = costs
        self._gather_s = gather_s
        self._teller = Teller(bus)
        self._memory = SessionMemory()
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
        await self._teller.tell(batch, has_events=stored.has_events)

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

    async def _store(self, conn: Connection, batch: list[Item]) -> _Stored:
        # What most messages say is one statement, which is a transaction by itself.
        is_doubtful = any(item.is_doubtful for item in batch)
        if not is_doubtful and not any(_needs_transaction(item) for item in batch):
            return await self._write(conn, batch)
        async with conn.transaction():
            if is_doubtful:
                await store.strike(conn, [_arrival(item) for item in batch if item.inbound is not None])
            return await self._write(conn, batch)

    async def _write(self, conn: Connection, batch: list[Item]) -> _Stored:
        works, exchanges, signals, connects, leaving = [], [], [], [], []
        for item in batch:
            item.payload = None
            if item.work is not None:
                item.news = None
                works.append(item)
            elif item.exchange is not None:
                exchanges.append(item.exchange)
            elif item.signal is not None:
                signals.append(item.signal)
            elif item.connected is not None:
                connects.append(item)
            elif item.disconnected is not None:
                leaving.append(item)
        if connects:
            await self._take_connects(conn, connects)
        if signals:
            await stations.keep_signals(conn, signals)
        stored = await self._do(conn, works, [store.row(e) for e in exchanges])
        if leaving:
            await self._take_leaving(conn, leaving)
        stored.has_events = stored.has_events or bool(connects or leaving or signals)
        return stored

    async def _take_connects(self, conn: Connection, items: list[Item]) -> None:
        links = [i.connected for i in items if i.connected is not None]
        await stations.connected(conn, links)
        # Another gateway may have written to its sessions meanwhile.
        self._memory.forget(link.station_id for link in links)
        for item in items:
            item.news = [connection_news(item, is_connected=True)]

    async def _take_leaving(self, conn: Connection, items: list[Item]) -> None:
        held = await stations.disconnected(conn, [i.disconnected for i in items if i.disconnected is not None])
        for item in items:
            item.news = None
            if item.disconnected is not None and item.disconnected.connection_id in held:
                item.news = [connection_news(item, is_connected=False)]
                self._memory.forget([item.disconnected.station_id])

    async def _do(self, conn: Connection, items: list[Item], lines: list[store.Row]) -> _Stored:
        """The parts of all messages, kind by kind. Parts of one message belong to one station, and no two messages of
        one station are in a batch (it waits for its answer), so the order of kinds does not matter to anybody."""
        now = clock.now()
        answers = [Answers(at=now) for _ in items]
        works = [item.work for item in items if item.work is not None]
        has_events = await _boot(conn, items, works, answers)
        has_events |= await _sign(conn, works, answers, self._organization)
        if any(w.asides for w in works):
            await asides.take_in(conn, works, answers)
            has_events = True
        await stations.keep_records(conn, [r for w in works for r in w.records])
        await device.take_in(conn, [w.device for w in works if w.device is not None], now)
        await stations.keep_signals(conn, [s for w in works for s in w.signals])
        await take_reports(conn, [r for w in works for r in w.file_reports])
        reported = await self._report(conn, works, answers)
        writes, facts = stations.report_status([s for w in works for s in w.statuses])
        if reported is not None:
            writes += reported.writes
            facts += reported.facts
        if self._costs is not None:
            await price(conn, self._costs, works, answers)
        for item, work, answer in zip(items, works, answers, strict=True):
            if work.priced is not None and answer.tells_more:
                item.payload = rpc.to_json(work.priced(answer))
                lines.append(row_of(item))
                continue
            reply = work.reply if isinstance(work.reply, bytes) else work.reply(answer)
            item.payload = reply if reply is None or isinstance(reply, bytes) else rpc.to_json(reply)
            lines.append(row_of(item))
        with sessions.raising_stale():
            outcome = await write_all(conn, [*writes, *events.written(facts), *store.logged(lines)])
        changed: list[tuple[Session, str]] = []
        if reported is not None:
            reported.done(outcome)
            changed = reported.changed
        self._word_news(items, works, answers, changed)
        return _Stored(
            has_events=has_events or bool(facts) or any(w.signals or w.file_reports for w in works),
            sessions=reported.saved if reported is not None else [],
        )

    def _word_news(
        self, items: list[Item], works: list[Work], answers: list[Answers], changed: list[tuple[Session, str]]
    ) -> None:
        if not self._teller.is_anything_heard():
            return
        by_id: dict[UUID, tuple[Session, str]] | None = None
        for item, work, answer in zip(items, works, answers, strict=True):
            if item.inbound is None or not self._teller.is_heard(item.inbound.station.party_id):
                continue
            if by_id is None:
                by_id = {session.session_id: (session, what) for session, what in changed}
            item.news = message_news(item, work)
            session = answer.session.session if answer.session is not None else None
            if session is not None and session.session_id in by_id:
                item.news.append(session_news(*by_id[session.session_id]))

    async def _report(self, conn: Connection, works: list[Work], answers: list[Answers]) -> sessions.Reported | None:
        asking = [n for n, w in enumerate(works) if w.authorization is not None]
        telling = [n for n, w in enumerate(works) if w.report is not None]
        if not asking and not telling:
            return None
        reported = await sessions.take_in(
            conn,
            [w.report for w in works if w.report is not None],
            [w.authorization for w in works if w.authorization is not None],
            memory=self._memory,
            unregistered=self._unregistered,
            holds=self._holds,
            terms=self._terms,
        )
        for n, outcome in zip(telling, reported.outcomes, strict=True):
            answers[n].session = outcome
        for n, authorization, terms in zip(asking, reported.authorizations, reported.terms, strict=True):
            answers[n].authorization, answers[n].terms = authorization, terms
        return reported


def _needs_transaction(item: Item) -> bool:
    """Does it write more than what goes into the one statement of a batch?"""
    work = item.work
    if work is None:
        return item.exchange is None
    return bool(
        work.boot or work.records or work.device or work.signals or work.signing or work.file_reports or work.asides
    )


class _Stored(msgspec.Struct):
    """What a batch did: `sessions` as they are now."""

    has_events: bool
    sessions: list[Session]


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


async def _boot(conn: Connection, items: list[Item], works: list[Work], answers: list[Answers]) -> bool:
    booted = [n for n, w in enumerate(works) if w.boot is not None]
    if not booted:
        return False
    outcomes = await stations.boot(
        conn,
        [w.boot for w in works if w.boot is not None],
        [i.inbound.station.party_id for i in (items[n] for n in booted) if i.inbound is not None],
    )
    for n, outcome in zip(booted, outcomes, strict=True):
        answers[n].boot = outcome
    return True


async def _sign(conn: Connection, works: list[Work], answers: list[Answers], organization: str | None) -> bool:
    asking = [n for n, w in enumerate(works) if w.signing is not None]
    if not asking:
        return False
    reports = [w.signing for w in works if w.signing is not None]
    for n, outcome in zip(asking, await certificates.ask(conn, reports, organization=organization), strict=True):
        answers[n].signing = outcome
    return True


def row_of(item: Item) -> store.Row:
    """The log line of an answered message."""
    inbound, payload = item.inbound, item.payload
    assert inbound is not None
    return (
        inbound.station.station_id,
        inbound.received_at,
        inbound.message_id,
        "in",
        inbound.version,
        inbound.action,
        hide_secrets_in_text(inbound.payload.decode()),
        "result" if payload is not None else "none",
        hide_secrets_in_text(payload.decode()) if payload is not None else None,
        None,
        round((time.perf_counter() - item.started) * 1e6),
    )


def refusal_exchange(inbound: Inbound, code: ErrorCode, text: str, version: Version, started: float) -> Exchange:
    """The log line of a message that was answered with a CALLERROR."""
    return Exchange(
        station_id=inbound.station.station_id,
        received_at=inbound.received_at,
        message_id=inbound.message_id[:36],
        direction="in",
        version=version.value,
        action=inbound.action[:64],
        payload=inbound.payload.decode(errors="replace")[:4096].replace("\0", "�"),
        answer_kind="error",
        answer=text[:255].replace("\0", "�"),
        error_code=rpc.spelled(code, version),
        latency_us=round((time.perf_counter() - started) * 1e6),
    )
