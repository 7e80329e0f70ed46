"""report(): the one door through which charging reaches us."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from ohmstead.core import clock, events
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.core.writes import Write, write_all
from ohmstead.sessions import lifecycle, limits, metering, pins, store
from ohmstead.sessions.costs import DriverTerms
from ohmstead.sessions.memory import STALE, SessionMemory, Stale
from ohmstead.sessions.model import Change, Outcome, Session, TransactionReport
from ohmstead.sessions.terms import Terms, judge
from ohmstead.stations import service as stations
from ohmstead.stations.model import Signal
from ohmstead.stations.orders import SessionLimit
from ohmstead.tokens import service as tokens
from ohmstead.tokens.authorization import ACCEPTING, Unregistered
from ohmstead.tokens.model import Authorization, AuthorizationRequest
from ohmstead.tokens.service import OutletHolds

open_by_token = store.open_by_token


class Batch:
    """What one call of report() changes; sessions by id, so that two reports on one session see each other."""

    def __init__(self) -> None:
        self.before: dict[UUID, Session] = {}
        self.changes: dict[UUID, Change] = {}
        self.new_ids: set[UUID] = set()
        self.loose: list[tuple[str, int, Any]] = []
        self.signals: list[Signal] = []

    def current(self, session: Session | None) -> Session | None:
        if session is None:
            return None
        change = self.changes.get(session.session_id)
        return change.session if change else session

    def take(self, change: Change, before: Session | None) -> None:
        session_id = change.session.session_id
        if before is None:
            self.new_ids.add(session_id)
        else:
            self.before.setdefault(session_id, before)
        earlier = self.changes.get(session_id)
        if earlier is not None:
            change.events = earlier.events + change.events
            change.facts = earlier.facts + [f for f in change.facts if f not in earlier.facts]
            change.samples = earlier.samples + change.samples
        self.changes[session_id] = change


class Reported(msgspec.Struct):
    """What take_in() decided: `outcomes` in the order of the reports, `authorizations` in that of the requests, as are
    the `terms` that come with them.

    `changed`: the sessions that change and what happens to each (for live news). `writes` and `facts` are to be written
    together; then `done` is due, and when that is committed, SessionMemory.committed.
    """

    outcomes: list[Outcome]
    changed: list[tuple[Session, str]]
    authorizations: list[Authorization]
    terms: list[Terms | None]
    writes: list[Write]
    facts: list[events.Event]
    saved: list[Session]

    def done(self, outcome: Row | None) -> None:
        """It was written, with this outcome."""
        for session in self.saved:
            session.version = outcome["session_version"] if outcome is not None else session.version


async def report(
    conn: Connection,
    reports: Sequence[TransactionReport],
    *,
    unregistered: Unregistered = ACCEPTING,
) -> Reported:
    """Take in what stations say about charging and write it. Raises Stale when somebody else was quicker."""
    reported = await take_in(conn, reports, unregistered=unregistered)
    with raising_stale():
        reported.done(await write_all(conn, [*reported.writes, *events.written(reported.facts)]))
    return reported


@contextlib.contextmanager
def raising_stale() -> Iterator[None]:
    """The database's word for a session that somebody else changed, as Stale."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate == STALE:
            raise Stale from error
        raise


async def take_in(
    conn: Connection,
    reports: Sequence[TransactionReport],
    requests: Sequence[AuthorizationRequest] = (),
    *,
    memory: SessionMemory | None = None,
    unregistered: Unregistered = ACCEPTING,
    holds: OutletHolds | None = None,
    terms: DriverTerms | None = None,
) -> Reported:
    """Decide what becomes of what stations say about charging; reads only.

    Reports may be repeats, late, out of order, or about transactions nobody began; none of that is an error. With them
    go `requests` of stations that only ask whether a token may charge. What `memory` knows is not read again. Raises
    only when the database does.
    """
    known, sessions = await _load(conn, reports, memory if memory is not None else SessionMemory())
    asked, answers = _asking(reports, sessions, requests)
    answered = await tokens.authorize(
        conn, asked, open_sessions=store.open_by_token, unregistered=unregistered, holds=holds
    )
    answered, guesses = await pins.judge(conn, asked, answered)
    granted: list[Terms | None] = [None] * len(answered)
    if terms is not None and answered:
        answered, granted = await _on_terms(conn, terms, asked, answered)
    remote = await _remote_limits(conn, reports, sessions)
    numbers = await _transaction_numbers(conn, reports, sessions)
    batch = Batch()
    batch.signals += guesses
    outcomes: list[Outcome] = []
    spoken: set[str] = set()
    for index, item in enumerate(reports):
        # What an earlier report of this batch did matters to reports of the same station only.
        session = known.session_for(item) if item.station_id in spoken else sessions[index]
        spoken.add(item.station_id)
        if item.kind == "metered" and session is None:
            session = await _covering(conn, item)
        if session is None and item.kind == "metered":
            batch.loose += [(item.station_id, item.evse_number or 0, sample) for sample in item.samples]
            outcomes.append(Outcome())
            continue
        if session is None and item.transaction_id is None:
            # A copy: when the batch is tried again, this start draws a number again.
            item = msgspec.structs.replace(item, transaction_id=str(numbers[index]))
        before = batch.current(session)
        if before is not None and _is_reused(before, item):
            if before.status in ("pending", "active"):
                batch.take(lifecycle.supersede(before, item.at, item.received_at), session)
            before = None
        place = answers.get(index)
        authorization = answered[place] if place is not None else None
        given = granted[place] if place is not None else None
        change = lifecycle.apply(before, item, authorization, known.registers_before.get(index))
        if change.is_new:
            await _prepare_new(conn, batch, known, change, item)
        limit = _limited(change, item, authorization, given, remote.get(index))
        batch.take(change, before)
        known.remember(item, change.session)
        outcomes.append(
            Outcome(
                session=change.session,
                transaction_id=change.session.transaction_id,
                authorization=authorization,
                terms=given,
                limit=limit,
                is_duplicate=change.is_duplicate,
                is_orphan=change.session.is_orphan,
            )
        )
    received_at = reports[0].received_at if reports else clock.now()
    n = len(requests)
    return _decided(batch, outcomes, answered[:n], granted[:n], received_at)


class _Known:
    """Sessions findable the ways reports name them: those at hand, and those read or begun for this batch."""

    def __init__(self, memory: SessionMemory) -> None:
        self._memory = memory
        self.by_transaction: dict[tuple[str, str], Session] = {}
        self.by_start_key: dict[tuple[str, str], Session] = {}
        self.registers_before: dict[int, Decimal | None] = {}

    def session_for(self, item: TransactionReport) -> Session | None:
        """The session that a report means: by its start, by its name, else for readings by its outlet and time."""
        found = self.named(item)
        if found is None and item.start_key is None and item.kind == "metered":
            return next((s for s in self.at_outlet(item) if s.started_at <= item.at), None)
        return found

    def named(self, item: TransactionReport) -> Session | None:
        """The session that a report names."""
        station_id, transaction_id, memory = item.station_id, item.transaction_id, self._memory
        if item.start_key is not None:
            return self.by_start_key.get((station_id, item.start_key)) or memory.by_start_key(
                station_id, item.start_key
            )
        if transaction_id is None:
            return None
        key = (station_id, transaction_id)
        return self.by_transaction.get(key) or memory.by_transaction(*key)

    def has_name(self, station_id: str, transaction_id: str) -> bool:
        """Has the station used this name before?"""
        key = (station_id, transaction_id)
        return key in self.by_transaction or self._memory.by_transaction(*key) is not None

    def at_outlet(self, item: TransactionReport) -> list[Session]:
        """The sessions that were open at the report's outlet before this batch."""
        return self._memory.at_outlet(item.station_id, item.evse_number) if item.evse_number is not None else []

    def remember(self, item: TransactionReport, session: Session) -> None:
        self.by_transaction[item.station_id, session.transaction_id] = session
        if session.start_key is not None:
            self.by_start_key[item.station_id, session.start_key] = session


async def _load(
    conn: Connection, reports: Sequence[TransactionReport], memory: SessionMemory
) -> tuple[_Known, list[Session | None]]:
    """What is known, and the session of each report."""
    strangers = sorted({r.station_id for r in reports if not memory.knows(r.station_id)})
    if strangers:
        memory.learn(strangers, await store.list_open(conn, strangers))
    known = _Known(memory)
    # What is named and not at hand may be over: only the database can say that it is not, and the outlet's turn comes.
    asked = [n for n, r in enumerate(reports) if _may_be_past(r) and known.named(r) is None]
    if asked:
        past = await store.find_past(conn, [_asked(reports[n]) for n in asked])
        for n, (session, register_wh) in zip(asked, past, strict=True):
            known.registers_before[n] = register_wh
            if session is not None:
                item = reports[n]
                known.remember(item, session)
                if item.transaction_id is not None:
                    known.by_transaction[item.station_id, item.transaction_id] = session
    return known, [known.session_for(r) for r in reports]


def _may_be_past(item: TransactionReport) -> bool:
    """May the database know more of it than the open sessions: its session, or the one before at its outlet?"""
    return item.transaction_id is not None or item.start_key is not None or item.kind != "metered"


def _asked(item: TransactionReport) -> store.Asked:
    return store.Asked(item.station_id, item.transaction_id, item.start_key, item.evse_number, _when(item))


async def _covering(conn: Connection, item: TransactionReport) -> Session | None:
    if item.evse_number is None or not item.samples:
        return None
    return await store.find_covering(conn, item.station_id, item.evse_number, item.at)


def _asking(
    reports: Sequence[TransactionReport], sessions: Sequence[Session | None], requests: Sequence[AuthorizationRequest]
) -> tuple[list[AuthorizationRequest], dict[int, int]]:
    """What is asked about tokens, and at which place the answers for the reports will stand."""
    shown = [n for n, item in enumerate(reports) if item.token is not None]
    asked = [*requests, *(_request(reports[n], sessions[n]) for n in shown)]
    return asked, {n: len(requests) + place for place, n in enumerate(shown)}


async def _on_terms(
    conn: Connection, book: DriverTerms, asked: Sequence[AuthorizationRequest], answered: list[Authorization]
) -> tuple[list[Authorization], list[Terms | None]]:
    """The answers, with cards refused whose credit is used up, and the terms of those that may charge."""
    places = [n for n, answer in enumerate(answered) if answer.is_accepted]
    found = await book.terms_of(conn, [asked[n] for n in places], [answered[n] for n in places])
    terms: list[Terms | None] = [None] * len(answered)
    for n, one in zip(places, found, strict=True):
        terms[n] = one
    spent = [n for n in places if judge(asked[n], answered[n], terms[n], ()) is not answered[n]]
    if spent:
        parties, uids = [asked[n].party_id for n in spent], [answered[n].uid for n in spent]
        held = await store.open_by_token(conn, parties, uids)
        for n in spent:
            sessions = held.get((asked[n].party_id, answered[n].uid.lower()), [])
            answered[n] = judge(asked[n], answered[n], terms[n], sessions)
    return answered, terms


async def _remote_limits(
    conn: Connection, reports: Sequence[TransactionReport], sessions: Sequence[Session | None]
) -> dict[int, SessionLimit]:
    """The limits of remote starts whose sessions are told now, by the report's place."""
    begun = {
        n: (item.station_id, item.remote_start_id)
        for n, (item, session) in enumerate(zip(reports, sessions, strict=True))
        if item.remote_start_id is not None and (session is None or session.remote_start_id is None)
    }
    if not begun:
        return {}
    limits_by_start = await stations.list_start_limits(conn, sorted(set(begun.values())), clock.now())
    return {n: limits_by_start[start] for n, start in begun.items() if start in limits_by_start}


def _limited(
    change: Change,
    item: TransactionReport,
    authorization: Authorization | None,
    terms: Terms | None,
    remote: SessionLimit | None,
) -> SessionLimit | None:
    """Where the session ends by the terms it begins on; what of it is to be told now. Only 2.1 can be told."""
    session = change.session
    is_begun = authorization is not None and authorization.is_accepted and not item.is_stop_token
    granted = terms.session_limit() if terms is not None and is_begun else None
    if remote is not None or granted is not None:
        ours = limits.strictest(session.limit_ours, remote, granted)
        if ours != session.limit_ours:
            session.limit_ours, session.limit_seq_no = ours, None
    due = limits.due(session, item.seq_no) if item.ocpp_version == "2.1" and item.kind != "metered" else None
    if due is not None:
        session.limit_seq_no = item.seq_no
    return due


def _request(item: TransactionReport, session: Session | None) -> AuthorizationRequest:
    return AuthorizationRequest(
        party_id=item.party_id,
        uid=item.token.uid if item.token else "",
        type=item.token.type if item.token else None,
        at=_when(item),
        location_id=item.location_id,
        time_zone=item.time_zone,
        is_start=not item.is_stop_token,
        session_id=session.session_id if session else None,
        station_id=item.station_id,
        evse_number=item.evse_number,
    )


async def _transaction_numbers(
    conn: Connection, reports: Sequence[TransactionReport], sessions: Sequence[Session | None]
) -> dict[int, int]:
    wanted = [
        n
        for n, (item, session) in enumerate(zip(reports, sessions, strict=True))
        if session is None and item.kind == "started" and item.transaction_id is None
    ]
    return dict(zip(wanted, await store.next_transaction_numbers(conn, len(wanted)), strict=True)) if wanted else {}


def _when(item: TransactionReport) -> datetime:
    """The station's time, unless its clock cannot be believed."""
    return item.at if lifecycle.credible(item.at, item.received_at) else item.received_at


def _is_reused(session: Session, item: TransactionReport) -> bool:
    """A 2.x station that counts its transactions anew after a reset: a start later than all we know of that id.

    The old session is over, or it had this sequence number already, so that this cannot be its own start come late.
    """
    return (
        item.kind == "started"
        and item.seq_no is not None
        and item.at > session.last_event_at
        and "start_missing" not in session.anomalies
        and (session.status == "completed" or lifecycle.has_seq_no(session.seen_seq_nos, item.seq_no))
    )


async def _prepare_new(conn: Connection, batch: Batch, known: _Known, change: Change, item: TransactionReport) -> None:
    session = change.session
    if known.has_name(item.station_id, session.transaction_id) or session.is_orphan:
        session.run = await store.next_run(conn, item.station_id, session.transaction_id)
    if session.is_orphan and await store.is_known_elsewhere(conn, item.station_id, session.transaction_id):
        metering.mark(session, "foreign_transaction")
        change.facts.append("ForeignTransactionReported")
        batch.signals.append(
            Signal(
                kind="foreign_transaction",
                at=item.received_at,
                party_id=session.party_id,
                station_id=item.station_id,
                detail={"transaction_id": session.transaction_id, "session_id": str(session.session_id)},
            )
        )
    if item.kind == "started" and item.evse_number is not None:
        for older in known.at_outlet(item):
            current = batch.current(older)
            if current is None or current.session_id == session.session_id or current.status == "completed":
                continue
            if current.started_at < session.started_at and current.status != "closing":
                batch.take(lifecycle.supersede(current, session.started_at, item.received_at), older)


def _decided(
    batch: Batch,
    outcomes: list[Outcome],
    authorizations: list[Authorization],
    terms: list[Terms | None],
    received_at: datetime,
) -> Reported:
    changes = list(batch.changes.values())
    signed = [
        (c.session.session_id, s.sampled_at, s.context, signed)
        for c in changes
        for s in c.samples
        for signed in s.signed
    ]
    new: list[Session] = []
    updated: list[tuple[Session, Session]] = []
    touched: list[Change] = []
    for change in changes:
        session = change.session
        if session.session_id in batch.new_ids:
            new.append(session)
            touched.append(change)
            continue
        before = batch.before[session.session_id]
        is_changed = session != before
        if is_changed:
            touched.append(change)
        if is_changed or change.samples:
            updated.append((before, session))
    writes = store.changes(
        new,
        updated,
        ((c.session.session_id, s) for c in changes for s in c.samples),
        [(c.session.session_id, e) for c in changes for e in c.events],
        received_at,
    )
    signal_writes, signal_facts = stations.note_signals(batch.signals)
    return Reported(
        outcomes=outcomes,
        changed=[(c.session, _what(c)) for c in touched],
        authorizations=authorizations,
        terms=terms,
        writes=[
            *writes,
            *store.loose_samples(batch.loose, received_at),
            *store.signed_readings(signed),
            *signal_writes,
        ],
        facts=[*(fact(kind, c.session) for c in changes for kind in c.facts), *signal_facts],
        saved=[*new, *(now for _, now in updated)],
    )


def _what(change: Change) -> str:
    if change.session.status in ("completed", "invalid"):
        return "ended"
    return "started" if change.is_new else "updated"


def fact(kind: str, session: Session) -> events.Event:
    return events.Event(
        kind=kind,
        subject=f"session/{session.session_id}",
        party_id=session.party_id,
        payload={
            "session_id": str(session.session_id),
            "station_id": session.station_id,
            "evse_number": session.evse_number,
            "transaction_id": session.transaction_id,
            "status": session.status,
            "energy_wh": str(session.energy_wh),
            "ocpp_version": session.ocpp_version,
        },
    )


async def give_up_waiting(conn: Connection, session_id: UUID) -> Session:
    """The station said that it holds no more messages for this session: complete it with what there is."""
    session = (await store.get_for_update(conn, [session_id])).get(session_id)
    if session is None:
        raise NotFound(f"no session {session_id}")
    if session.status == "completed":
        return session
    change = lifecycle.give_up_waiting(session, clock.now())
    await store.update_sessions(conn, [change.session])
    await store.insert_events(conn, [(session_id, e) for e in change.events])
    await events.record(conn, [fact(kind, change.session) for kind in change.facts])
    return change.session
