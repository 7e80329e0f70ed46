"""What sessions that go on cost is looked at every few seconds, where anything about them changed.

No session is locked: what is read is one instant of the database, and whatever changes meanwhile is looked at next.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.db import Pool
from ohmstead.core.log import logger
from ohmstead.sessions.costs import Cost, Costs
from ohmstead.sessions.model import Session
from ohmstead.sessions.pricing import store
from ohmstead.sessions.pricing.store import CostRow

log = logger("ohmstead.pricing")

AT_ONCE: Final = 500
# Of sessions for which no price is known.
NOTHING_AGAIN: Final = timedelta(minutes=10)
# Who pays is noted a moment after a session began, and with that what it costs may be another.
_BEGUN: Final = timedelta(seconds=20)
_MOST_ROUNDS = 200


async def look(pool: Pool, bus: Bus, costs: Costs) -> int:
    """Timer: reckon what changed. Returns how many sessions cost something else than before; pages are told of them."""
    n, began_at = 0, clock.now()
    for _ in range(_MOST_ROUNDS):
        looked_at, changed = await _look(pool, bus, costs, began_at)
        n += changed
        if looked_at < AT_ONCE:
            break
    return n


async def _look(pool: Pool, bus: Bus, costs: Costs, began_at: datetime) -> tuple[int, int]:
    now = clock.now()
    async with pool.acquire() as conn:
        found = await store.list_changed(conn, began_at, now - NOTHING_AGAIN, now - _BEGUN, AT_ONCE)
        if not found:
            return 0, 0
        async with conn.transaction():
            priced = await costs.costs_of(conn, found)
            rows = [_row(session, cost) for session, cost in zip(found, priced, strict=True)]
            changed = await store.save_costs(conn, rows, now)
    by_id = {row.session_id: row for row in rows}
    await _tell(bus, [(session, by_id[session.session_id]) for session in found if session.session_id in changed])
    return len(found), len(changed)


def _row(session: Session, cost: Cost | None) -> CostRow:
    total = cost.total.rounded() if cost else None
    is_final = session.settled_at is not None
    progress = cost.progress if cost and not is_final else None
    return CostRow(
        session_id=session.session_id,
        party_id=session.party_id,
        # Money that is nothing is false: a session that costs nothing has a cost all the same.
        total=total.amount if total is not None else None,
        currency=total.currency if total is not None else None,
        price_kwh=cost.price_kwh if cost else None,
        price_text=cost.price_text if cost else None,
        at=session.last_event_at,
        is_final=is_final,
        seen=session.version,
        until_at=progress.until_at if progress else None,
        tally=progress.tally if progress else None,
    )


async def _tell(bus: Bus, found: Sequence[tuple[Session, CostRow]]) -> None:
    by_party: dict[UUID, list[dict[str, object]]] = {}
    for session, row in found:
        news = {
            "kind": "cost",
            "at": row.at,
            "station_id": session.station_id,
            "session_id": session.session_id,
            "evse_number": session.evse_number,
            "total": row.total,
            "currency": row.currency,
            "is_final": row.is_final,
        }
        by_party.setdefault(session.party_id, []).append(news)
    for party_id, told in by_party.items():
        await bus.publish(LIVE + party_id.hex, told)
