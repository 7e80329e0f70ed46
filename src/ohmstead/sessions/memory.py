"""What a gateway remembers of its stations' open sessions, so that a meter value need not read what it moves.

Nothing is believed for being remembered: every write names the version of the row it was reckoned from, and finds
nothing to write when somebody else was there in between (`Stale`). Then it is forgotten, read and reckoned again.
"""

from __future__ import annotations

from collections.abc import Iterable

from ohmstead.sessions.model import Session

STALE = "OHS01"
"""The SQLSTATE of a write that found another row than it was reckoned from."""
OPEN = frozenset(("pending", "active", "closing"))


class Stale(Exception):
    """A session was changed by somebody else since it was read: forget, and try the batch again."""


class SessionMemory:
    """Open sessions as they were last committed, all of a station's or none. Bounded by the stations connected here."""

    def __init__(self) -> None:
        self._stations: dict[str, dict[str, Session]] = {}

    def knows(self, station_id: str) -> bool:
        """Are all open sessions of this station here?"""
        return station_id in self._stations

    def learn(self, station_ids: Iterable[str], sessions: Iterable[Session]) -> None:
        """All open sessions of these stations, just read."""
        for station_id in station_ids:
            self._stations[station_id] = {}
        for session in sessions:
            self._stations[session.station_id][_key(session)] = session

    def forget(self, station_ids: Iterable[str]) -> None:
        """The station left, or somebody else writes to its sessions."""
        for station_id in station_ids:
            self._stations.pop(station_id, None)

    def committed(self, sessions: Iterable[Session]) -> None:
        """These are in the database now."""
        for session in sessions:
            known = self._stations.get(session.station_id)
            if known is None:
                continue
            if session.status in OPEN:
                known[_key(session)] = session
            else:
                known.pop(_key(session), None)

    def by_transaction(self, station_id: str, transaction_id: str) -> Session | None:
        """The running session of that name. Where a name may have been used again (there is a later run, or the session
        waits for missing messages) none: which one is meant depends on the time, and the database is asked.
        """
        found = self._stations.get(station_id, _NONE).get(transaction_id)
        return found if found is not None and found.run == 0 and found.status != "closing" else None

    def by_start_key(self, station_id: str, start_key: str) -> Session | None:
        """The open session that an OCPP 1.6 start began."""
        return next((s for s in self._stations.get(station_id, _NONE).values() if s.start_key == start_key), None)

    def at_outlet(self, station_id: str, evse_number: int) -> list[Session]:
        """The open sessions of an outlet, the latest start first."""
        found = [s for s in self._stations.get(station_id, _NONE).values() if s.evse_number == evse_number]
        return sorted(found, key=lambda s: s.started_at, reverse=True) if len(found) > 1 else found


_NONE: dict[str, Session] = {}


def _key(session: Session) -> str:
    # A later run of a name must not push out an earlier one that is still open.
    return session.transaction_id if session.run == 0 else f"{session.transaction_id}\0{session.run}"
