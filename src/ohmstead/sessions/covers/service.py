"""Sessions near a limit of cost are told of once; at the limit their stations are asked to end them.

What a session costs is known as of its last reading, and looked at every few seconds: it can go over its limit by what flows
from one reading to the next and within one look (docs/prices.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.events import Event, record
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.sessions.costs import CoverLimit, Covers
from ohmstead.sessions.covers import store
from ohmstead.sessions.covers.judging import Notice, Whose, is_over, limit_of, notices
from ohmstead.sessions.covers.store import Costing
from ohmstead.sessions.model import Session
from ohmstead.stations.commands import CommandDesk, RemoteStop

log = logger("ohmstead.covers")

AT_ONCE: Final = 500
AGAIN_AFTER: Final = timedelta(seconds=60)  # a station that did not end a session is asked again, less and less often
_WAIT_S = 20.0
_OVERLAP = timedelta(seconds=10)  # what was being written during one look is seen by the next
_NOBODY = UUID(int=0)


class Watch:
    """Looks at what was reckoned since it looked last; `covers` None: drivers' own limits alone."""

    def __init__(self, pool: Pool, covers: Covers | None = None) -> None:
        self._pool = pool
        self._covers = covers
        self._since = datetime(1970, 1, 1, tzinfo=UTC)

    async def look(self) -> int:
        """Timer: notice sessions near their limits. Returns how many were not noticed before."""
        begun, n, after = clock.now(), 0, _NOBODY
        while True:
            async with self._pool.acquire() as conn, conn.transaction():
                found = await store.list_watched(conn, self._since, after, AT_ONCE)
                n += await _notice(conn, self._covers, found)
            if len(found) < AT_ONCE:
                break
            after = found[-1].session.session_id
        self._since = begun - _OVERLAP
        return n


async def _notice(conn: Connection, covers: Covers | None, found: Sequence[Costing]) -> int:
    if not found:
        return 0
    limits = await _limits(conn, covers, [one.session for one in found])
    due = [
        notice
        for one, known in zip(found, limits, strict=True)
        for notice in notices(one.session.session_id, one.session.party_id, one.total, known)
    ]
    if not due:
        return 0
    new = await store.keep_notices(conn, due, clock.now())
    by_id = {one.session.session_id: one.session for one in found}
    await record(conn, [_fact(by_id[notice.session_id], notice) for notice in new])
    return len(new)


async def stop_due(pool: Pool, desk: CommandDesk, covers: Covers | None = None) -> int:
    """Timer: ask stations to end sessions that reached a limit. Returns how many were asked.

    That a station is asked is written down before it is, so that it is asked by one worker. A limit that was raised
    meanwhile lets the session go on.
    """
    async with pool.acquire() as conn:
        async with conn.transaction():
            claimed = await store.claim_to_stop(conn, clock.now(), AGAIN_AFTER, AT_ONCE)
        limits = await _limits(conn, covers, [one.session for one in claimed]) if claimed else []
    due = [
        one.session
        for one, known in zip(claimed, limits, strict=True)
        if is_over(one.total, [limit for _, limit in known])
    ]
    await asyncio.gather(*(_stop(desk, session) for session in due))
    return len(due)


async def _stop(desk: CommandDesk, session: Session) -> None:
    command = await desk.send(
        RemoteStop(transaction_id=session.transaction_id),
        party_id=session.party_id,
        station_id=session.station_id,
        requested_by="system:covers",
        timeout_s=_WAIT_S,
    )
    log.info("cover_ran_out", session_id=str(session.session_id), status=command.status)


async def _limits(
    conn: Connection, covers: Covers | None, sessions: Sequence[Session]
) -> list[list[tuple[Whose, CoverLimit | None]]]:
    known = await covers.limits_of(conn, sessions) if covers is not None else [None] * len(sessions)
    own = await store.list_driver_limits(conn, [session.session_id for session in sessions])
    return [
        [("cover", one), ("driver", limit_of(own[session.session_id]) if session.session_id in own else None)]
        for session, one in zip(sessions, known, strict=True)
    ]


def _fact(session: Session, notice: Notice) -> Event:
    return Event(
        "CoverEnding" if notice.kind == "ending" else "CoverRanOut",
        f"session/{session.session_id}",
        {
            "session_id": str(session.session_id),
            "station_id": session.station_id,
            "evse_number": session.evse_number,
            "whose": notice.whose,
            "limit": format(notice.limit.amount, "f"),
            "total": format(notice.total.amount, "f"),
            "currency": notice.total.currency,
        },
        party_id=session.party_id,
    )


# ------------------------------------------------------------------------------------------------------- for pages


async def find_notice(conn: Connection, party_id: UUID, session_id: UUID, cover: Money | None) -> Notice | None:
    """How near to a limit that still holds a session came, what is reached before what is near. `cover`: what covers it now.

    A limit that was raised or given up since is none any more.
    """
    noticed = await store.list_notices(conn, party_id, session_id)
    if not noticed:
        return None
    own = (await store.list_driver_limits(conn, [session_id])).get(session_id)
    now = {"cover": cover, "driver": own}
    found = [one for one in noticed if one.limit == now[one.whose]]
    return min(found, key=lambda one: (one.kind != "ran_out", one.limit.amount), default=None)


async def find_end(conn: Connection, party_id: UUID, session_id: UUID) -> Notice | None:
    """The limit at which the station was asked to end a session; None: it was not."""
    noticed = await store.list_notices(conn, party_id, session_id)
    return next((one for one in noticed if one.kind == "ran_out"), None)


# --------------------------------------------------------------------------------------------- drivers' own limits


async def get_price_limit(conn: Connection, party_id: UUID, driver_id: UUID) -> Money | None:
    """What a driver wants to pay for a session at most."""
    return await store.find_price_limit(conn, party_id, driver_id)


async def set_price_limit(conn: Connection, party_id: UUID, driver_id: UUID, most: Money | None) -> None:
    """From now on, also for sessions that go on; None: no limit. Raises Invalid, and NotFound for a stranger."""
    if most is None:
        if not await store.drop_price_limit(conn, party_id, driver_id):
            raise NotFound(f"driver {driver_id} has no price limit")
        return
    if not 0 < most.amount < 1_000_000 or most != most.rounded():
        raise Invalid("a limit is more than nothing, and exact in its currency", field="amount")
    if not await store.save_price_limit(conn, party_id, driver_id, most, clock.now()):
        raise NotFound(f"no driver {driver_id}")


async def forget_price_limit(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """The driver is erased."""
    await store.drop_price_limit(conn, party_id, driver_id)
