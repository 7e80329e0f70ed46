"""What just happened, in a sentence: pure. The page's first lines come from rows, the later ones from live news."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ohmstead.reports.concerns import FAULTS, station_path
from ohmstead.reports.model import Happening
from ohmstead.ui import figures, states

# What a station tells of later than this was not going on just now.
LATE = timedelta(minutes=15)

STOP_REASONS = {
    "local": "stopped at the station",
    "remote": "stopped from here",
    "ev_disconnected": "the car was unplugged",
    "stopped_by_ev": "the car had enough",
    "de_authorized": "the token was not accepted",
    "emergency_stop": "the emergency stop was pressed",
    "power_loss": "the power failed",
    "reboot": "the station restarted",
    "soft_reset": "the station restarted",
    "hard_reset": "the station was reset",
    "immediate_reset": "the station was reset",
    "unlock_command": "the connector was unlocked",
    "energy_limit_reached": "the energy asked for was reached",
    "time_limit_reached": "the time asked for was over",
    "soc_limit_reached": "the battery level asked for was reached",
    "timeout": "nobody plugged in",
    "superseded": "the next session began",
    "other": "another reason",
    "unknown": "the end never reached us",
}


def stop_reason(reason: str | None) -> str:
    """Why a session ended, in words."""
    if not reason:
        return ""
    return STOP_REASONS.get(reason, reason.replace("_", " "))


def of_rows(sessions: Iterable[Any], connections: Iterable[Any], limit: int) -> list[Happening]:
    """The latest lines, newest first."""
    found: list[Happening] = []
    for row in sessions:
        found.append(
            _session_began(
                row["station_id"], row["evse_number"], row["started_at"], str(row["session_id"]), row["token_uid"]
            )
        )
        if row["ended_at"] is not None:
            found.append(
                _session_ended(
                    row["station_id"],
                    row["evse_number"],
                    row["ended_at"],
                    str(row["session_id"]),
                    row["energy_wh"],
                    is_orphan=row["is_orphan"],
                )
            )
    for row in connections:
        if row["at"] is not None:
            found.append(_connection(row["station_id"], row["at"], row["is_connected"], row["ocpp_version"]))
    return sorted(found, key=lambda h: h.at, reverse=True)[:limit]


def of_news(event: Mapping[str, Any]) -> Happening | None:
    """A live event as a line; None for what is not worth one (readings, messages, heartbeats)."""
    station_id = event.get("station_id")
    at = instant(event.get("at"))
    if not isinstance(station_id, str) or at is None:
        return None
    kind, what = event.get("kind"), event.get("what")
    if kind == "session" and what in ("started", "ended"):
        return _session(event, what, station_id, at)
    if kind == "connection":
        return _connection(station_id, at, bool(event.get("is_connected")), event.get("ocpp_version"))
    if kind == "connector" and event.get("status") in ("faulted", "unavailable"):
        return _connector(station_id, at, event)
    if kind == "station" and what in ("created", "booted", "adopted", "retired"):
        words = {
            "created": "appeared for the first time",
            "booted": "has started",
            "adopted": "was adopted",
            "retired": "was retired",
        }
        return Happening(
            at=at, tone="working", icon="hand", station_id=station_id, text=words[what], path=station_path(station_id)
        )
    return None


def _session(event: Mapping[str, Any], what: str, station_id: str, at: datetime) -> Happening | None:
    session_id, evse = str(event.get("session_id")), event.get("evse_number")
    began_at, ended_at = instant(event.get("started_at")) or at, instant(event.get("ended_at")) or at
    energy_wh, is_orphan = decimal(event.get("energy_wh")), event.get("status") == "invalid"
    if what == "started":
        is_late = at - began_at > LATE
        return None if is_late else _session_began(station_id, evse, began_at, session_id, event.get("token_uid"))
    if at - ended_at > LATE and not is_orphan:
        # Told after an offline spell, or replayed: it is the telling that happens now.
        line = _session_ended(station_id, evse, at, session_id, energy_wh, is_orphan=False)
        return msgspec.structs.replace(line, text=f"{_plug(evse)}session of {ended_at:%d %b} reached us")
    return _session_ended(station_id, evse, ended_at, session_id, energy_wh, is_orphan=is_orphan)


def _session_began(
    station_id: str, evse: int | None, at: datetime, session_id: str, token_uid: str | None
) -> Happening:
    who = f" with {token_uid}" if token_uid else ""
    return Happening(
        at=at,
        tone="working",
        icon="working",
        station_id=station_id,
        text=f"{_plug(evse)}session began{who}",
        path=f"/sessions/{session_id}",
    )


def _session_ended(
    station_id: str,
    evse: int | None,
    at: datetime,
    session_id: str,
    energy_wh: Decimal | None,
    *,
    is_orphan: bool,
) -> Happening:
    return Happening(
        at=at,
        tone="attention" if is_orphan else "ok",
        icon="attention" if is_orphan else "ok",
        station_id=station_id,
        text=f"{_plug(evse)}ended a session nobody saw begin" if is_orphan else f"{_plug(evse)}session ended",
        path=f"/sessions/{session_id}",
        note=" ".join(figures.energy(energy_wh)) if energy_wh is not None else "",
    )


def _connection(station_id: str, at: datetime, is_connected: bool, version: str | None) -> Happening:
    return Happening(
        at=at,
        tone="ok" if is_connected else "off",
        icon="link" if is_connected else "off",
        station_id=station_id,
        text=f"connected{' with OCPP ' + version if version else ''}" if is_connected else "connection lost",
        path=station_path(station_id),
    )


def _connector(station_id: str, at: datetime, event: Mapping[str, Any]) -> Happening:
    look = states.connector(event["status"])
    why = FAULTS.get(str(event.get("error_code")), "")
    return Happening(
        at=at,
        tone=look.tone,
        icon=look.icon,
        station_id=station_id,
        text=f"{_plug(event.get('evse_number'))}{look.word.lower()}{': ' + why if why else ''}",
        path=station_path(station_id),
    )


def _plug(evse: int | None) -> str:
    return f"{evse} " if evse else ""


def instant(text: Any) -> datetime | None:
    """A time as it travels in live news; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def decimal(value: Any) -> Decimal | None:
    """A number as it travels in live news (as text); None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
