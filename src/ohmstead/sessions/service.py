"""report(): the one door through which charging reaches us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core import clock, events
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.sessions import lifecycle, metering, store
from ohmstead.sessions.model import Change, ChargingPeriod, Outcome, Session, TransactionReport
from ohmstead.stations import service as stations
from ohmstead.stations.model import Signal
from ohmstead.tokens import service as tokens
from ohmstead.tokens.authorization import NoAuthorization
from ohmstead.tokens.model import Authorization, AuthorizationRequest

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


class Reported:
    """The result of report(): outcomes in the order of the reports, and the sessions that changed (for live news)."""

    def __init__(self, outcomes: list[Outcome], changed: list[tuple[Session, str]]) -> None:
        self.outcomes = outcomes
        self.changed = changed


async def report(
    conn: Connection, reports: Sequence[TransactionReport], *, no_authorization: NoAuthorization = "accept"
) -> Reported:
    """Take in what stations say about charging: all of it or nothing, in the caller's transaction.

    Reports may be repeats, late, out of order, or about transactions nobody began; none of that is an error. Raises
    only when the database does.
    """
    known = await _load(conn, reports)
    sessions = [known.session_for(r) for r in reports]
    answers = await _authorize(conn, reports, sessions, no_authorization)
    numbers = await _transaction_numbers(conn, reports, sessions)
    befores = await _registers_before(conn, reports, sessions)
    batch = Batch()
    outcomes: list[Outcome] = []
    for index, item in enumerate(reports):
        session = known.session_for(item)
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
        change = lifecycle.apply(before, item, answers.get(index), befores.get(index))
        if change.is_new:
            await _prepare_new(conn, batch, known, change, item)
        batch.take(change, before)
        known.remember(item, change.session)
        outcomes.append(
            Outcome(
                session=change.session,
                transaction_id=change.session.transaction_id,
                authorization=answers.get(index),
                is_duplicate=change.is_duplicate,
                is_orphan=change.session.is_orphan,
            )
        )
    changed = await _save(conn, batch, reports[0].received_at if reports else clock.now())
    return Reported(outcomes, changed)


class _Known:
    """Sessions loaded for a batch, findable the ways reports name them."""

    def __init__(self) -> None:
        self.by_transaction: dict[tuple[str, str], Session] = {}
        self.by_start_key: dict[tuple[str, str], Session] = {}
        self.open: dict[tuple[str, int], list[Session]] = {}

    def session_for(self, item: TransactionReport) -> Session | None:
        if item.start_key is not None:
            return self.by_start_key.get((item.station_id, item.start_key))
        if item.transaction_id is not None:
            found = self.by_transaction.get((item.station_id, item.transaction_id))
            if found is not None or item.kind != "metered":
                return found
        if item.kind == "metered" and item.evse_number is not None:
            return next(
                (s for s in self.open.get((item.station_id, item.evse_number), []) if s.started_at <= item.at), None
            )
        return None

    def remember(self, item: TransactionReport, session: Session) -> None:
        self.by_transaction[item.station_id, session.transaction_id] = session
        if session.start_key is not None:
            self.by_start_key[item.station_id, session.start_key] = session


async def _load(conn: Connection, reports: Sequence[TransactionReport]) -> _Known:
    known = _Known()
    by_key = {(r.station_id, r.start_key) for r in reports if r.start_key is not None}
    by_transaction = {
        (r.station_id, r.transaction_id): _when(r)
        for r in reports
        if r.transaction_id is not None and r.start_key is None
    }
    at_outlet = {
        (r.station_id, r.evse_number) for r in reports if r.evse_number is not None and r.kind in ("started", "metered")
    }
    if by_transaction:
        ordered = sorted(by_transaction)
        known.by_transaction = await store.find_by_transaction(
            conn, [s for s, _ in ordered], [t for _, t in ordered], [by_transaction[key] for key in ordered]
        )
    if by_key:
        keys = sorted(by_key)
        known.by_start_key = await store.find_by_start_key(conn, [s for s, _ in keys], [k for _, k in keys])
    if at_outlet:
        outlets = sorted(at_outlet)
        known.open = await store.find_open(conn, [s for s, _ in outlets], [e for _, e in outlets])
    return known


async def _covering(conn: Connection, item: TransactionReport) -> Session | None:
    if item.evse_number is None or not item.samples:
        return None
    return await store.find_covering(conn, item.station_id, item.evse_number, item.at)


async def _authorize(
    conn: Connection,
    reports: Sequence[TransactionReport],
    sessions: Sequence[Session | None],
    no_authorization: NoAuthorization,
) -> dict[int, Authorization]:
    asked = [(n, r, s) for n, (r, s) in enumerate(zip(reports, sessions, strict=True)) if r.token is not None]
    requests = [
        AuthorizationRequest(
            party_id=item.party_id,
            uid=item.token.uid if item.token else "",
            type=item.token.type if item.token else None,
            at=_when(item),
            location_id=item.location_id,
            time_zone=item.time_zone,
            is_start=not item.is_stop_token,
            session_id=session.session_id if session else None,
        )
        for _, item, session in asked
    ]
    answers = await tokens.authorize(
        conn, requests, open_sessions=store.open_by_token, no_authorization=no_authorization
    )
    return {n: answer for (n, _, _), answer in zip(asked, answers, strict=True)}


async def _transaction_numbers(
    conn: Connection, reports: Sequence[TransactionReport], sessions: Sequence[Session | None]
) -> dict[int, int]:
    wanted = [
        n
        for n, (item, session) in enumerate(zip(reports, sessions, strict=True))
        if session is None and item.kind == "started" and item.transaction_id is None
    ]
    return dict(zip(wanted, await store.next_transaction_numbers(conn, len(wanted)), strict=True)) if wanted else {}


async def _registers_before(
    conn: Connection, reports: Sequence[TransactionReport], sessions: Sequence[Session | None]
) -> dict[int, Decimal | None]:
    wanted = [
        (n, item, item.evse_number)
        for n, (item, session) in enumerate(zip(reports, sessions, strict=True))
        if session is None and item.kind != "metered" and item.evse_number is not None
    ]
    if not wanted:
        return {}
    found = await store.registers_before(
        conn, [r.station_id for _, r, _ in wanted], [e for _, _, e in wanted], [_when(r) for _, r, _ in wanted]
    )
    return {n: register for (n, _, _), register in zip(wanted, found, strict=True)}


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
    if known.by_transaction.get((item.station_id, session.transaction_id)) is not None or session.is_orphan:
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
        for older in known.open.get((item.station_id, item.evse_number), []):
            current = batch.current(older)
            if current is None or current.session_id == session.session_id or current.status == "completed":
                continue
            if current.started_at < session.started_at and current.status != "closing":
                batch.take(lifecycle.supersede(current, session.started_at, item.received_at), older)


async def _save(conn: Connection, batch: Batch, received_at: datetime) -> list[tuple[Session, str]]:
    changes = list(batch.changes.values())
    await store.insert_loose_samples(conn, batch.loose, received_at)
    new_samples = await store.insert_samples(
        conn, ((c.session.session_id, s) for c in changes for s in c.samples), received_at
    )
    for change in changes:
        change.session.n_samples += new_samples.get(change.session.session_id, 0)
    await store.insert_signed(
        conn,
        [
            (c.session.session_id, s.sampled_at, s.context, signed)
            for c in changes
            for s in c.samples
            for signed in s.signed
        ],
    )
    new = [c.session for c in changes if c.session.session_id in batch.new_ids]
    updated = [
        c.session
        for c in changes
        if c.session.session_id not in batch.new_ids and c.session != batch.before[c.session.session_id]
    ]
    await store.insert_sessions(conn, new)
    await store.update_sessions(conn, updated, batch.before)
    await store.insert_events(conn, [(c.session.session_id, e) for c in changes for e in c.events])
    await stations.keep_signals(conn, batch.signals)
    await events.record(conn, [_fact(kind, c.session) for c in changes for kind in c.facts])
    touched = {s.session_id for s in new} | {s.session_id for s in updated}
    return [(c.session, _what(c)) for c in changes if c.session.session_id in touched]


def _what(change: Change) -> str:
    if change.session.status in ("completed", "invalid"):
        return "ended"
    return "started" if change.is_new else "updated"


def _fact(kind: str, session: Session) -> events.Event:
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


async def settle(conn: Connection, session_ids: Sequence[UUID]) -> list[Session]:
    """Make ended sessions final: totals from all samples in time order, charging periods, idle time.

    May run any number of times; late samples make it run again. Records `SessionSettled`.
    """
    found = await store.get_for_update(conn, sorted(set(session_ids)))
    sessions = [s for s in found.values() if s.status in ("completed", "invalid")]
    if not sessions:
        return []
    ids = [s.session_id for s in sessions]
    samples = await store.list_samples(conn, ids)
    happened = await store.list_events(conn, ids)
    rated_w = await store.rated_powers_w(conn, ids)
    periods: dict[UUID, list[ChargingPeriod]] = {}
    for session in sessions:
        taken = samples[session.session_id]
        if len(taken) < session.n_samples:
            # Retention took samples since: what was counted from them stands.
            continue
        metering.refold(session, taken, rated_w.get(session.session_id))
        session.power_w = None
        periods[session.session_id] = metering.periods(session, happened[session.session_id], taken)
        session.charging_s = metering.seconds(periods[session.session_id], "charging")
        session.idle_s = metering.seconds(periods[session.session_id], "idle", "suspended_ev", "connected")
        session.settled_at = clock.now()
    settled = [s for s in sessions if s.session_id in periods]
    await store.replace_periods(conn, periods)
    await store.update_sessions(conn, settled)
    await events.record(conn, [_fact("SessionSettled", s) for s in settled])
    return settled


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
    await events.record(conn, [_fact(kind, change.session) for kind in change.facts])
    return change.session
