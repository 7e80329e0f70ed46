"""Holds of wallets and limits: made before a session begins, raised as it goes on, let go with its bill.

Callers hold the row of the wallet or company, so that two sessions never hold the same money.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ohmstead.billing.holding import store
from ohmstead.billing.holding.model import Hold
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool

STARTS_WITHIN = timedelta(minutes=15)
_BILLED_WITHIN = timedelta(days=2)

list_of_sessions = store.list_of_sessions
put = store.put
give_to_session = store.give_to_session
set_amount = store.set_amount
let_go = store.drop_of_sessions
let_go_of_refunds = store.drop_of_payments


async def list_holds(conn: Connection, party_id: UUID, accounts: Sequence[str]) -> list[Hold]:
    """Those of accounts that count now."""
    return await store.list_holds(conn, party_id, accounts, clock.now())


def is_of_start(hold: Hold, uid_key: str, station_id: str | None, session_id: UUID | None) -> bool:
    """Is it what this start, or the session that goes on, holds already?"""
    if session_id is not None and hold.session_id == session_id:
        return True
    return hold.session_id is None and hold.uid_key == uid_key and hold.station_id == station_id


def total(holds: Sequence[Hold], but_not: UUID | None = None) -> int:
    """What they come to, in minor units, one of them left out."""
    return sum(hold.amount_minor for hold in holds if hold.hold_id != but_not)


async def tidy_up(pool: Pool) -> int:
    """Timer: starts that came to nothing hold nothing any more."""
    now = clock.now()
    async with pool.acquire() as conn, conn.transaction():
        return await store.drop_old(conn, now, now - _BILLED_WITHIN)


def expires_at(at: datetime) -> datetime:
    """Until when a start holds money without a session."""
    return at + STARTS_WITHIN
