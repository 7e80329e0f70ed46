"""The batch: messages gather while the previous ones commit; nobody is answered before the commit."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from ohmstead.core import clock, events, metrics, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.health import storing
from ohmstead.core.log import logger
from ohmstead.ocpp import rpc, store
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.ocpp.store import Exchange
from ohmstead.ocpp.work import Answers, Inbound, Work
from ohmstead.sessions import service as sessions
from ohmstead.sessions.model import Session
from ohmstead.stations import service as stations
from ohmstead.stations.model import Connected, Disconnected, Signal
from ohmstead.tokens import service as tokens
from ohmstead.tokens.authorization import NoAuthorization

log = logger("ohmstead.ingest")

LARGEST_BATCH = 500
MOST_WAITING = 20_000  # beyond it new messages are refused at once: memory stays bounded when the database is away
RETRY_FOR_S = 8.0  # how long a batch waits for a database that went away, before its stations are told to try later


class Full(Exception):
    """Too many messages wait for the database."""


class Item(msgspec.Struct, kw_only=True):
    """Something to be committed. A `work` is answered with its reply's payload; the rest just with None."""

    at: datetime
    inbound: Inbound | None = None
    work: Work | None = None
    connected: Connected | None = None
    disconnected: Disconnected | None = None
    exchange: Exchange | None = None
    signal: Signal | None = None
    started: float = 0.0
    done: asyncio.Future[bytes | None] | None = None
    payload: bytes | None = None
    tries: int = 0
    news: list[tuple[UUID, dict[str, Any]]] = []


class Ingest:
    """One per gateway. `submit` and wait; `note` for what nobody waits for."""

    def __init__(self, pool: Pool, bus: Bus | None, *, no_authorization: NoAuthorization = "accept") -> None:
        self._pool = pool
        self._bus = bus
        self._no_authorization: NoAuthorization = no_authorization
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._mended_at = float("-inf")

    def submit(self, item: Item) -> asyncio.Future[bytes | None]:
        """Resolves after the commit, with the answer's payload. Raises Full at once when the house is full.

        The future fails with whatever kept this item from being stored.
        """
        if len(self._waiting) >= MOST_WAITING:
            metrics.ingest_failures.labels("full").inc()
            raise Full
        item.started = time.perf_counter()
        item.done = asyncio.get_running_loop().create_future()
        self._waiting.append(item)
        self._wake.set()
        self._idle.clear()
        return item.done

    def note(self, item: Item) -> None:
        """Store with the next batch; dropped and counted when the house is full."""
        if len(self._waiting) >= MOST_WAITING:
            metrics.ingest_failures.labels("dropped").inc()
            return
        self._waiting.append(item)
        self._wake.set()
        self._idle.clear()

    async def drained(self) -> None:
        """Until nothing waits and nothing is being committed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit batch after batch, until cancelled."""
        while True:
            if not self._waiting:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_BATCH))]
            metrics.ingest_waiting.set(len(self._waiting))
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
                if time.monotonic() + pause_s > deadline:
                    _fail(batch, error)
                    self._keep_notes(batch)
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)

    def _keep_notes(self, batch: list[Item]) -> None:
        """Nobody waits for log lines and signals, so nobody would send them again: they wait for the database."""
        for item in batch:
            if item.done is None and len(self._waiting) < MOST_WAITING // 2:
                self._waiting.append(item)

    async def _commit(self, batch: list[Item]) -> None:
        """One transaction for all; when something in it cannot be stored, halves, until that one stands alone."""
        started = time.perf_counter()
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                has_events = await self._store(conn, batch)
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
        storing.worked()
        metrics.batch_seconds.observe(time.perf_counter() - started)
        metrics.batch_size.observe(len(batch))
        for item in batch:
            if item.done is not None and not item.done.done():
                item.done.set_result(item.payload)
        await self._tell(batch, has_events)

    async def _mend_partitions(self) -> None:
        """At most once in a while. A row that met one being made fails alike: then trying again is all it takes."""
        if time.monotonic() - self._mended_at > 5:
            self._mended_at = time.monotonic()
            async with self._pool.acquire() as conn:
                await migrations.mend_partitions(conn)

    async def _again(self, batch: list[Item], error: Exception) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        item = batch[0]
        if isinstance(error, _CONTENDED) and item.tries < 3:
            item.tries += 1
            await self._commit(batch)
            return
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

    async def _store(self, conn: Connection, batch: list[Item]) -> bool:
        for item in batch:
            if item.exchange is None:
                item.news = []
            item.payload = None
        connects = [i for i in batch if i.connected is not None]
        if connects:
            await stations.connected(conn, [i.connected for i in connects if i.connected is not None])
            for item in connects:
                item.news = [_connection_news(item, is_connected=True)]
        works = [i for i in batch if i.work is not None]
        has_events = await self._do(conn, works) if works else False
        await store.insert_exchanges(conn, [i.exchange for i in batch if i.exchange is not None])
        await stations.keep_signals(conn, [i.signal for i in batch if i.signal is not None])
        leaving = [i for i in batch if i.disconnected is not None]
        if leaving:
            held = await stations.disconnected(conn, [i.disconnected for i in leaving if i.disconnected is not None])
            for item in leaving:
                if item.disconnected is not None and item.disconnected.connection_id in held:
                    item.news = [_connection_news(item, is_connected=False)]
        return has_events or bool(connects) or bool(leaving)

    async def _do(self, conn: Connection, items: list[Item]) -> bool:
        """The parts of all messages, kind by kind. Parts of one message belong to one station, and no two messages of
        one station are in a batch (it waits for its answer), so the order of kinds does not matter to anybody."""
        answers = [Answers(at=clock.now()) for _ in items]
        works = [item.work for item in items if item.work is not None]
        has_events = await _boot(conn, items, works, answers)
        await _authorize(conn, works, answers, self._no_authorization)
        await stations.report_status(conn, [s for w in works for s in w.statuses])
        await stations.keep_records(conn, [r for w in works for r in w.records])
        await stations.keep_variables(conn, [v for w in works for v in w.variables])
        await stations.keep_signals(conn, [s for w in works for s in w.signals])
        changed = await self._report(conn, items, works, answers)
        exchanges = []
        for item, work, answer in zip(items, works, answers, strict=True):
            reply = work.reply(answer)
            item.payload = rpc.to_json(reply) if reply is not None else None
            if item.inbound is not None:
                exchanges.append(_exchange(item.inbound, item))
                item.news += _news(item, work, item.inbound)
        await store.insert_exchanges(conn, exchanges)
        return has_events or bool(changed)

    async def _report(
        self, conn: Connection, items: list[Item], works: list[Work], answers: list[Answers]
    ) -> dict[UUID, tuple[Session, str]]:
        asked = [n for n, w in enumerate(works) if w.report is not None]
        if not asked:
            return {}
        reported = await sessions.report(
            conn,
            [w.report for w in works if w.report is not None],
            no_authorization=self._no_authorization,
        )
        for n, outcome in zip(asked, reported.outcomes, strict=True):
            answers[n].session = outcome
        changed = {session.session_id: (session, what) for session, what in reported.changed}
        for n in asked:
            told = answers[n].session
            if told is not None and told.session is not None:
                found = changed.get(told.session.session_id)
                if found is not None:
                    items[n].news.append(_session_news(*found))
        return changed

    async def _tell(self, batch: list[Item], has_events: bool) -> None:
        if self._bus is None:
            return
        by_party: dict[UUID, list[dict[str, Any]]] = {}
        for item in batch:
            for party_id, news in item.news:
                by_party.setdefault(party_id, []).append(news)
        for party_id, news_list in by_party.items():
            await self._bus.publish(f"ohmstead.live.{party_id.hex}", news_list)
        if has_events:
            await self._bus.publish(events.NUDGE, None)


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
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)


def _fail(batch: Sequence[Item], error: Exception) -> None:
    for item in batch:
        if item.done is not None and not item.done.done():
            item.done.set_exception(error)


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


async def _authorize(
    conn: Connection, works: list[Work], answers: list[Answers], no_authorization: NoAuthorization
) -> None:
    asked = [n for n, w in enumerate(works) if w.authorization is not None]
    if asked:
        found = await tokens.authorize(
            conn,
            [w.authorization for w in works if w.authorization is not None],
            open_sessions=sessions.open_by_token,
            no_authorization=no_authorization,
        )
        for n, authorization in zip(asked, found, strict=True):
            answers[n].authorization = authorization


def _exchange(inbound: Inbound, item: Item) -> Exchange:
    return Exchange(
        station_id=inbound.station.station_id,
        received_at=inbound.received_at,
        message_id=inbound.message_id,
        direction="in",
        version=inbound.version.value,
        action=inbound.action,
        payload=inbound.payload.decode(),
        answer_kind="result" if item.payload is not None else "none",
        answer=item.payload.decode() if item.payload is not None else None,
        latency_us=round((time.perf_counter() - item.started) * 1e6),
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


def _connection_news(item: Item, *, is_connected: bool) -> tuple[UUID, dict[str, Any]]:
    link = item.connected if is_connected else item.disconnected
    assert link is not None
    news = {"kind": "connection", "at": item.at, "station_id": link.station_id, "is_connected": is_connected}
    if item.connected is not None:
        news["ocpp_version"] = item.connected.ocpp_version
    return link.party_id, news


def _session_news(session: Session, what: str) -> tuple[UUID, dict[str, Any]]:
    return session.party_id, {
        "kind": "session",
        "at": session.updated_at,
        "station_id": session.station_id,
        "what": what,
        "session_id": session.session_id,
        "evse_number": session.evse_number,
        "connector_number": session.connector_number,
        "status": session.status,
        "charging_state": session.charging_state,
        "energy_wh": session.energy_wh,
        "power_w": session.power_w,
        "soc_percent": session.soc_percent,
        "token_uid": session.token_uid,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
    }


def _news(item: Item, work: Work, inbound: Inbound) -> list[tuple[UUID, dict[str, Any]]]:
    party_id = inbound.station.party_id
    station_id = inbound.station.station_id
    found: list[tuple[UUID, dict[str, Any]]] = [
        (
            party_id,
            {
                "kind": "message",
                "at": inbound.received_at,
                "station_id": station_id,
                "direction": "in",
                "action": inbound.action,
                "message_id": inbound.message_id,
                "version": inbound.version.value,
                "answer_kind": "result" if item.payload is not None else "none",
                "error_code": None,
                "latency_us": round((time.perf_counter() - item.started) * 1e6),
                "received_at": inbound.received_at,
            },
        )
    ]
    found += [
        (
            party_id,
            {
                "kind": "connector",
                "at": s.at,
                "station_id": station_id,
                "evse_number": s.evse_number,
                "connector_number": s.connector_number,
                "status": s.status,
                "error_code": s.error_code,
                "info": s.info,
            },
        )
        for s in work.statuses
    ]
    if work.boot is not None:
        found.append((party_id, {"kind": "station", "at": item.at, "station_id": station_id, "what": "booted"}))
    return found
