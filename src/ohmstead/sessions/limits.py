"""Where a session ends at the latest, by either side's wish (OCPP 2.1 E16): pure."""

from __future__ import annotations

from typing import Any

import msgspec

from ohmstead.sessions.model import Session
from ohmstead.stations.orders import SessionLimit

_OPEN = ("pending", "active")


def strictest(*limits: SessionLimit | None) -> SessionLimit | None:
    """The least of all in each respect; None where nobody limits anything."""
    found: dict[str, Any] = {}
    for limit in limits:
        for name, value in _named(limit).items():
            found[name] = min(found[name], value) if name in found else value
    return SessionLimit(**found) if found else None


def due(session: Session, seq_no: int | None) -> SessionLimit | None:
    """What the answer to the event of this number tells the station of our limit, if anything.

    A limit is told once for every change of it, and again when the same event is repeated, since its answer may have
    been lost. Where the driver set a stricter one at the station, that one stands: ours never loosens it.
    """
    if session.limit_ours is None or seq_no is None or session.status not in _OPEN:
        return None
    if session.limit_seq_no is not None and session.limit_seq_no != seq_no:
        return None
    theirs = _named(session.limit_station)
    ours = {name: min(value, theirs.get(name, value)) for name, value in _named(session.limit_ours).items()}
    return SessionLimit(**ours) if any(theirs.get(name) != value for name, value in ours.items()) else None


def as_detail(limit: SessionLimit) -> dict[str, str | int | None]:
    """The limit as what happened in a session is kept."""
    return {name: str(value) for name, value in _named(limit).items()}


def _named(limit: SessionLimit | None) -> dict[str, Any]:
    if limit is None:
        return {}
    return {name: value for name, value in msgspec.structs.asdict(limit).items() if value is not None}
