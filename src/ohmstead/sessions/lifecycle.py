"""What a report makes of a session: the state machine, pure.

Reports come twice, late and out of order. So a report never simply overwrites: instants take the earliest start and the
latest end, sequence numbers are remembered as ranges, and a session that ended stays ended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ohmstead.core.ids import new_id
from ohmstead.sessions import limits, metering
from ohmstead.sessions.model import Change, ReportKind, Session, SessionEvent, Status, TransactionReport
from ohmstead.stations.orders import SessionLimit
from ohmstead.tokens.model import Authorization

Next = Literal["open", "close", "stay"]

# (status, report) → what the report does. `open`: pending or active, by what is known; `close`: closing or completed,
# by whether messages are missing; `stay`: data are taken in, the status is settled already.
TABLE: dict[tuple[Status | None, ReportKind], Next] = {
    (None, "started"): "open",
    (None, "updated"): "open",
    (None, "ended"): "close",
    ("pending", "started"): "open",
    ("pending", "updated"): "open",
    ("pending", "metered"): "open",
    ("pending", "ended"): "close",
    ("active", "started"): "open",
    ("active", "updated"): "open",
    ("active", "metered"): "open",
    ("active", "ended"): "close",
    ("closing", "started"): "close",
    ("closing", "updated"): "close",
    ("closing", "metered"): "close",
    ("closing", "ended"): "close",
    ("completed", "started"): "stay",
    ("completed", "updated"): "stay",
    ("completed", "metered"): "stay",
    ("completed", "ended"): "stay",
    ("invalid", "started"): "stay",
    ("invalid", "updated"): "stay",
    ("invalid", "metered"): "stay",
    ("invalid", "ended"): "stay",
}

_REACHED: dict[str | None, str] = {
    "cost_limit_reached": "cost",
    "energy_limit_reached": "energy",
    "so_c_limit_reached": "soc",
    "time_limit_reached": "time",
}
EARLIEST = datetime.fromisoformat("2015-01-01T00:00:00+00:00")  # before the first OCPP 1.6 station: a clock not set
AHEAD = timedelta(hours=24)


def credible(at: datetime, received_at: datetime) -> bool:
    """May a station's clock be believed? Not before OCPP existed, not more than a day ahead of us."""
    return EARLIEST <= at <= received_at + AHEAD


def apply(
    session: Session | None,
    report: TransactionReport,
    authorization: Authorization | None = None,
    register_before_wh: object = None,
) -> Change:
    """The change that a report makes. `session` None: the station never spoke of this transaction before.

    Raises KeyError for a pair that TABLE does not know (meter values alone open no session).
    """
    following = TABLE[session.status if session else None, report.kind]
    if session is None:
        change = Change(session=_new(report), is_new=True)
        change.session.register_before_wh = register_before_wh  # type: ignore[assignment]
    else:
        change = Change(session=msgspec.structs.replace(session))
    after = change.session
    change.is_duplicate = session is not None and _is_repeat(session, report)
    _remember_seq_no(after, report)
    if not change.is_duplicate:
        _take_in(change, report, authorization)
    for sample in report.samples:
        metering.absorb(after, sample, report.max_power_w, is_repeat=change.is_duplicate)
    if after.ended_at is not None:
        after.power_w = None
    change.samples = report.samples
    after.status = _status(change, following, report, session)
    if session is None and after.status == "invalid":
        after.is_orphan = True
    change.has_gap = has_gap(after)
    if session is None or after != session:
        after.updated_at = report.received_at
    change.facts = _facts(session, change, report)
    return change


def supersede(session: Session, at: datetime, received_at: datetime) -> Change:
    """An outlet carries one transaction: a new one there means that the older ended, though its end has not reached us.

    It ends at what was last heard of it; the real end is still taken when it comes.
    """
    change = Change(session=msgspec.structs.replace(session))
    after = change.session
    after.ended_at = min(after.last_event_at, at) if after.last_event_at > after.started_at else after.last_event_at
    after.status = "completed"
    after.charging_state = "idle"
    after.stop_reason = "superseded"
    after.updated_at = received_at
    metering.mark(after, "stop_missing")
    change.events = [SessionEvent(after.ended_at, "superseded")]
    change.facts = ["SessionEnded"]
    return change


def give_up_waiting(session: Session, received_at: datetime) -> Change:
    """The station has no more messages for a session with gaps: it is complete with what we have."""
    change = Change(session=msgspec.structs.replace(session))
    after = change.session
    if after.ended_at is None:
        after.ended_at = after.last_event_at
        after.stop_reason = after.stop_reason or "unknown"
    after.status = "completed"
    after.updated_at = received_at
    metering.mark(after, "messages_missing")
    change.events = [SessionEvent(after.ended_at, "messages_missing")]
    change.facts = ["SessionEnded"]
    return change


def has_gap(session: Session) -> bool:
    """2.x: is a sequence number missing between the first and the last heard of?"""
    if not session.seen_seq_nos:
        return False
    return len(session.seen_seq_nos) > 2 or "start_missing" in session.anomalies


def add_seq_no(ranges: list[int], seq_no: int) -> list[int]:
    """Ranges [lo, hi, lo, hi, …] with one more number; unchanged (the same object) when it was there."""
    spans = list(zip(ranges[::2], ranges[1::2], strict=True))
    for lo, hi in spans:
        if lo <= seq_no <= hi:
            return ranges
    if ranges and ranges[-1] == seq_no - 1:
        return [*ranges[:-1], seq_no]
    merged: list[int] = []
    for lo, hi in sorted([*spans, (seq_no, seq_no)]):
        if merged and lo <= merged[-1] + 1:
            merged[-1] = max(merged[-1], hi)
        else:
            merged += [lo, hi]
    return merged


def has_seq_no(ranges: list[int], seq_no: int) -> bool:
    return any(lo <= seq_no <= hi for lo, hi in zip(ranges[::2], ranges[1::2], strict=True))


def _new(report: TransactionReport) -> Session:
    is_credible = credible(report.at, report.received_at)
    at = report.at if is_credible else report.received_at
    session = Session(
        session_id=new_id(),
        party_id=report.party_id,
        station_id=report.station_id,
        location_id=report.location_id,
        evse_number=report.evse_number,
        connector_number=report.connector_number,
        transaction_id=report.transaction_id or "",
        start_key=report.start_key,
        ocpp_version=report.ocpp_version,
        status="pending",
        started_at=at,
        last_event_at=at,
        first_received_at=report.received_at,
        updated_at=report.received_at,
        is_offline=report.is_offline,
    )
    if not is_credible:
        metering.mark(session, "clock_wrong")
    if report.kind != "started":
        metering.mark(session, "start_missing")
    return session


def _is_repeat(session: Session, report: TransactionReport) -> bool:
    if report.seq_no is not None:
        return has_seq_no(session.seen_seq_nos, report.seq_no)
    if report.kind == "started":
        return "start_missing" not in session.anomalies
    if report.kind == "ended":
        return session.ended_at is not None and "stop_missing" not in session.anomalies
    return False


def _remember_seq_no(session: Session, report: TransactionReport) -> None:
    if report.seq_no is not None:
        session.seen_seq_nos = add_seq_no(session.seen_seq_nos, report.seq_no)
        if report.kind == "ended":
            session.end_seq_no = report.seq_no


def _take_in(change: Change, report: TransactionReport, authorization: Authorization | None) -> None:
    """All that a report says besides its meter readings."""
    after = change.session
    is_credible = credible(report.at, report.received_at)
    at = report.at if is_credible else report.received_at
    if not is_credible:
        metering.mark(after, "clock_wrong")
    is_latest = at >= after.last_event_at
    after.last_event_at = max(after.last_event_at, at)
    after.evse_number = after.evse_number if after.evse_number is not None else report.evse_number
    after.connector_number = after.connector_number if after.connector_number is not None else report.connector_number
    after.remote_start_id = after.remote_start_id if after.remote_start_id is not None else report.remote_start_id
    after.reservation_id = after.reservation_id if after.reservation_id is not None else report.reservation_id
    after.is_offline = after.is_offline or report.is_offline
    if report.kind == "started":
        after.started_at = at if change.is_new else min(at, after.started_at)
        metering.unmark(after, "start_missing")
        change.events.append(SessionEvent(after.started_at, "started", {"trigger": report.trigger}))
    elif at < after.started_at and report.seq_no is not None:
        # A later event that overtook the start and came from before it: the start is at least that early.
        after.started_at = at
    if report.token is not None and not report.is_stop_token:
        _take_token(change, report, authorization, at)
    if report.charging_state is not None:
        # Most events repeat the state they found. Such a repeat is worth a row only while something may still come
        # that happened before it.
        is_repeat = report.charging_state == after.charging_state and is_latest and report.seq_no is not None
        if not is_repeat or has_gap(after):
            change.events.append(SessionEvent(at, report.charging_state, {"trigger": report.trigger}))
        if is_latest and after.ended_at is None:
            after.charging_state = report.charging_state
    if report.operation_mode is not None and report.trigger == "operation_mode_changed":
        change.events.append(SessionEvent(at, "operation_mode_changed", {"mode": report.operation_mode}))
    if report.limit is not None:
        _take_limit(change, report.limit, at, is_latest=is_latest)
    if report.trigger in _REACHED:
        change.events.append(SessionEvent(at, "limit_reached", {"limit": _REACHED[report.trigger]}))
    if report.token is not None and report.is_stop_token:
        after.stop_token_uid = report.token.uid
    if report.kind == "ended":
        _take_end(change, report, at)


def _take_token(change: Change, report: TransactionReport, authorization: Authorization | None, at: datetime) -> None:
    after = change.session
    assert report.token is not None
    if after.token_uid is None or after.authorization_status != "accepted":
        after.token_uid = report.token.uid
        after.token_type = report.token.type
        if authorization is not None:
            after.token_type = authorization.type or report.token.type
            after.token_id = authorization.token_id
            after.group_uid = authorization.group_uid
            after.authorization_status = authorization.status
        change.events.append(
            SessionEvent(at, "authorized", {"token": report.token.uid, "status": after.authorization_status})
        )


def _take_limit(change: Change, limit: SessionLimit, at: datetime, *, is_latest: bool) -> None:
    """What the station says last holds: it may be the driver's wish, or ours that it has taken over."""
    after = change.session
    if is_latest and limit != after.limit_station:
        after.limit_station = limit
        change.events.append(SessionEvent(at, "limit_set", limits.as_detail(limit)))


def _take_end(change: Change, report: TransactionReport, at: datetime) -> None:
    after = change.session
    after.ended_at = max(at, after.started_at)
    if at < after.started_at:
        metering.mark(after, "clock_wrong")
    after.stop_reason = report.stop_reason or "local"
    after.charging_state = "idle"
    metering.unmark(after, "stop_missing")
    change.events.append(SessionEvent(after.ended_at, "ended", {"reason": after.stop_reason}))


def _status(change: Change, following: Next, report: TransactionReport, before: Session | None) -> Status:
    after = change.session
    if following == "stay":
        assert before is not None
        return before.status
    if following == "close":
        if report.seq_no is None and before is None:
            return "invalid"
        return "closing" if has_gap(after) else "completed"
    is_active = after.authorization_status == "accepted" or after.energy_wh > 0 or after.charging_state == "charging"
    return "active" if is_active else "pending"


def _facts(before: Session | None, change: Change, report: TransactionReport) -> list[str]:
    after = change.session
    facts: list[str] = []
    if before is None:
        facts.append("SessionStarted" if after.status not in ("invalid",) else "OrphanRecorded")
    if after.status == "completed":
        if before is None or before.status != "completed":
            facts.append("SessionEnded")
        elif after.energy_wh != before.energy_wh or after.ended_at != before.ended_at or after.needs_refold:
            facts.append("SessionChanged")
    if change.has_gap and (before is None or not has_gap(before) or after.status != before.status):
        facts.append("SessionGapFound")
    return facts
