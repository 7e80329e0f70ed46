"""Outlets that are kept for somebody: what every gateway remembers, so that a start elsewhere costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ohmstead.core import clock
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.log import logger
from ohmstead.reservations import lifecycle, store
from ohmstead.tokens.model import Authorization, AuthorizationRequest

log = logger("ohmstead.reservations")

NUDGE = "ohmstead.reservations"  # published after a booking, so that gateways look at once
LOOK_EVERY_S = 1.0


class Holds:
    """Which outlets are kept for somebody: what a gateway remembers. Implements tokens.service.OutletHolds.

    `stations` is looked up every second and is enough to know that nothing is reserved; where something may be, the
    database is asked.
    """

    def __init__(self) -> None:
        self.stations: set[str] = set()

    async def run(self, pool: Pool, bus: Bus) -> None:
        """Look every second, and at once when something was booked; until cancelled."""
        wake = asyncio.Event()

        async def booked(_subject: str, _data: bytes) -> None:
            wake.set()

        await bus.listen(NUDGE, booked)
        while True:
            try:
                async with pool.acquire() as conn:
                    await self.look(conn)
            except Exception as error:  # noqa: BLE001  (the database may be away; what was known is kept meanwhile)
                log.warning("holds_not_read", error=repr(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await wake.wait()
            wake.clear()

    async def look(self, conn: Connection) -> None:
        self.stations = await store.stations_with_holds(conn, clock.now())

    async def judge(
        self, conn: Connection, requests: Sequence[AuthorizationRequest], answers: Sequence[Authorization]
    ) -> list[Authorization]:
        asked = sorted({r.station_id for r in requests if r.station_id is not None and r.station_id in self.stations})
        found = await store.holds_at(conn, asked)
        n_outlets = await store.outlets_of(conn, asked)
        judged = []
        for request, answer in zip(requests, answers, strict=True):
            holds = [r for r in found if r.station_id == request.station_id and r.from_at <= request.at < r.until_at]
            if not request.is_start:
                # The card may be shown to end a session: only what the station surely keeps counts.
                holds = [r for r in holds if r.is_held and not answer.is_master]
            if answer.is_accepted and holds and request.session_id is None:
                n = n_outlets.get(request.station_id or "", 0)
                if lifecycle.is_refused(holds, n, request.evse_number, request.uid, answer.group_uid):
                    answer = refused(answer)
            judged.append(answer)
        return judged


def refused(answer: Authorization) -> Authorization:
    """The outlet is somebody else's now."""
    return Authorization(
        status="not_at_this_time",
        uid=answer.uid,
        type=answer.type,
        token_id=answer.token_id,
        group_uid=answer.group_uid,
        valid_until=answer.valid_until,
    )
