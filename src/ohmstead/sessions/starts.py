"""A remote start was accepted; did a session begin with it? The command learns which.

OCPP 2.x repeats the order's `remoteStartId` in the session (F02.FR.01). 1.6 has nothing of the kind: there it is the
session of that token, at that outlet where one was named, that began within a few minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.sessions import store
from ohmstead.stations import service as stations
from ohmstead.stations.service import Starting

WINDOW = timedelta(minutes=5)  # a driver plugs in, or the station gives up


class Begun(Struct, frozen=True):
    """A session that may be what a remote start led to."""

    session_id: UUID
    station_id: str
    evse_number: int | None
    token_uid: str | None
    remote_start_id: int | None
    is_numbered: bool
    at: datetime


def match(starting: Sequence[Starting], begun: Sequence[Begun]) -> dict[UUID, UUID]:
    """Command → session. Oldest commands choose first, and no session is chosen twice."""
    found: dict[UUID, UUID] = {}
    free = sorted(begun, key=lambda session: session.at)
    for command in sorted(starting, key=lambda command: command.requested_at):
        session = next((one for one in free if _fits(command, one)), None)
        if session is not None:
            found[command.command_id] = session.session_id
            free.remove(session)
    return found


def _fits(command: Starting, session: Begun) -> bool:
    if session.station_id != command.station_id:
        return False
    if session.is_numbered:
        return session.remote_start_id is not None and session.remote_start_id == command.remote_start_id
    if not command.requested_at <= session.at <= command.requested_at + WINDOW:
        return False
    if command.evse_number is not None and session.evse_number != command.evse_number:
        return False
    return (session.token_uid or "").lower() == command.token_uid.lower()


async def notice(pool: Pool) -> int:
    """Look for the sessions of commands that wait for one; how many were found."""
    since = clock.now() - WINDOW
    async with pool.acquire() as conn, conn.transaction():
        starting = await stations.list_starting(conn, since)
        if not starting:
            return 0
        begun = await store.list_begun(conn, sorted({one.station_id for one in starting}), since)
        found = match(starting, [Begun(**row) for row in begun])
        await stations.starts_found(conn, found)
    return len(found)
