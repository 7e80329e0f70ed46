"""What just happened, in a sentence: pure. The page's first lines come from rows, the later ones from live news."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ohmstead.core.language import N_, _
from ohmstead.reports.concerns import FAULTS, station_path
from ohmstead.reports.model import Happening
from ohmstead.ui import figures, states

# What a station tells of later than this was not going on just now.
LATE = timedelta(minutes=15)

STOP_REASONS = {
    "local": N_("stopped at the station"),
    "remote": N_("stopped from here"),
    "ev_disconnected": N_("the car was unplugged"),
    "stopped_by_ev": N_("the car had enough"),
    "deauthorized": N_("the token was not accepted"),
    "emergency_stop": N_("the emergency stop was pressed"),
    "power_loss": N_("the power failed"),
    "reboot": N_("the station restarted"),
    "soft_reset": N_("the station restarted"),
    "hard_reset": N_("the station was reset"),
    "immediate_reset": N_("the station was reset"),
    "unlock_command": N_("the connector was unlocked"),
    "energy_limit_reached": N_("the energy asked for was reached"),
    "time_limit_reached": N_("the time asked for was over"),
    "soc_limit_reached": N_("the battery level asked for was reached"),
    "timeout": N_("nobody plugged in"),
    "superseded": N_("the next session began"),
    "other": N_("another reason"),
    "unknown": N_("the end never reached us"),
}


def stop_reason(reason: str | None) -> str:
    """Why a session ended, in words."""
    if not reason:
        return ""
    return _(STOP_REASONS.get(reason, reason.replace("_", " ")))


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
            "created": _("appeared for the first time"),
            "booted": _("has started"),
            "adopted": _("was adopted"),
            "retired": _("was retired"),
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
        day = figures.date(ended_at, with_year=False)
        return msgspec.structs.replace(line, text=_plug(evse) + _("session of %(day)s reached us", day=day))
    return _session_ended(station_id, evse, ended_at, session_id, energy_wh, is_orphan=is_orphan)


def _session_began(
    station_id: str, evse: int | None, at: datetime, session_id: str, token_uid: str | None
) -> Happening:
    text = _("session began with %(token)s", token=token_uid) if token_uid else _("session began")
    return Happening(
        at=at,
        tone="working",
        icon="working",
        station_id=station_id,
        text=_plug(evse) + text,
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
        text=_plug(evse) + (_("ended a session nobody saw begin") if is_orphan else _("session ended")),
        path=f"/sessions/{session_id}",
        note=" ".join(figures.energy(energy_wh)) if energy_wh is not None else "",
    )


def _connection(station_id: str, at: datetime, is_connected: bool, version: str | None) -> Happening:
    connected = _("connected with OCPP %(version)s", version=version) if version else _("connected")
    return Happening(
        at=at,
        tone="ok" if is_connected else "off",
        icon="link" if is_connected else "off",
        station_id=station_id,
        text=connected if is_connected else _("connection lost"),
        path=station_path(station_id),
    )


def _connector(station_id: str, at: datetime, event: Mapping[str, Any]) -> Happening:
    look = states.connector(event["status"])
    why = _(FAULTS.get(str(event.get("error_code")), ""))
    what = figures.within(look.word)
    return Happening(
        at=at,
        tone=look.tone,
        icon=look.icon,
        station_id=station_id,
        text=_plug(event.get("evse_number")) + (f"{what}: {why}" if why else what),
        path=station_path(station_id),
    )


def _plug(evse: int | None) -> str:
    return _("%(evse)s ", evse=evse) if evse else ""


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
