"""What a batch says, written down: one question to each room per kind of report, and one statement for the rest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core import clock, events
from ohmstead.core.db import Connection
from ohmstead.core.writes import write_all
from ohmstead.ocpp import asides, rpc, store
from ohmstead.ocpp.asides import price
from ohmstead.ocpp.news import News, Teller, connection_news, message_news, session_news
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.ocpp.store import Exchange
from ohmstead.ocpp.work import Answers, Inbound, Work
from ohmstead.sessions import service as sessions
from ohmstead.sessions.costs import Costs, DriverTerms
from ohmstead.sessions.memory import SessionMemory
from ohmstead.sessions.model import Session
from ohmstead.stations import service as stations
from ohmstead.stations.certificates import service as certificates
from ohmstead.stations.device import service as device
from ohmstead.stations.files.service import take_reports
from ohmstead.stations.model import Connected, Disconnected, Signal
from ohmstead.stations.redaction import hide_secrets_in_text
from ohmstead.tokens.authorization import Unregistered
from ohmstead.tokens.service import OutletHolds


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
    span: Any = None  # of the trace that it belongs to, where traces are told


class Stored(msgspec.Struct):
    """What a batch did: the kinds of the events that it wrote (None: of any kind), `sessions` as they are now."""

    kinds: set[str] | None
    sessions: list[Session]


class Writer:
    """Writes batches and words their answers and their news. Decides nothing: the rooms do."""

    def __init__(
        self,
        memory: SessionMemory,
        teller: Teller,
        *,
        unregistered: Unregistered,
        organization: str | None,
        holds: OutletHolds | None,
        costs: Costs | None,
        terms: DriverTerms | None,
    ) -> None:
        self._memory = memory
        self._teller = teller
        self._unregistered = unregistered
        self._terms = terms
        self._organization = organization
        self._holds = holds
        self._costs = costs

    async def write(self, conn: Connection, batch: Sequence[Item]) -> Stored:
        """In the caller's transaction, or in one statement of its own where that is enough (`needs_transaction`)."""
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
        if connects or leaving or signals:
            stored.kinds = None
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

    async def _do(self, conn: Connection, items: list[Item], lines: list[store.Row]) -> Stored:
        """The parts of all messages, kind by kind. Parts of one message belong to one station, and no two messages of
        one station are in a batch (it waits for its answer), so the order of kinds does not matter to anybody."""
        now = clock.now()
        answers = [Answers(at=now) for _ in items]
        works = [item.work for item in items if item.work is not None]
        await _boot(conn, items, works, answers)
        await _sign(conn, works, answers, self._organization)
        if any(w.asides for w in works):
            await asides.take_in(conn, works, answers)
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
        return Stored(
            kinds=None if any(_records_more(w) for w in works) else {fact.kind for fact in facts},
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


def needs_transaction(item: Item) -> bool:
    """Does it write more than what goes into the one statement of a batch?"""
    work = item.work
    if work is None:
        return item.exchange is None
    return bool(
        work.boot or work.records or work.device or work.signals or work.signing or work.file_reports or work.asides
    )


def _records_more(work: Work) -> bool:
    """Does it lead to events that only the rooms that take it in know of?"""
    return bool(work.boot or work.signing or work.asides or work.signals or work.file_reports)


async def _boot(conn: Connection, items: list[Item], works: list[Work], answers: list[Answers]) -> None:
    booted = [n for n, w in enumerate(works) if w.boot is not None]
    if not booted:
        return
    outcomes = await stations.boot(
        conn,
        [w.boot for w in works if w.boot is not None],
        [i.inbound.station.party_id for i in (items[n] for n in booted) if i.inbound is not None],
    )
    for n, outcome in zip(booted, outcomes, strict=True):
        answers[n].boot = outcome


async def _sign(conn: Connection, works: list[Work], answers: list[Answers], organization: str | None) -> None:
    asking = [n for n, w in enumerate(works) if w.signing is not None]
    if not asking:
        return
    reports = [w.signing for w in works if w.signing is not None]
    for n, outcome in zip(asking, await certificates.ask(conn, reports, organization=organization), strict=True):
        answers[n].signing = outcome


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
