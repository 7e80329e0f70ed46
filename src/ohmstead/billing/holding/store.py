"""Holds in PostgreSQL. Whoever writes here holds the row of the wallet or company that the hold is of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.billing.holding.model import Hold
from ohmstead.core.db import Connection

_COLUMNS = (
    "hold_id, party_id, account, currency, amount_minor, made_at, uid_key, station_id, session_id, payment_id,"
    " expires_at"
)


async def list_holds(conn: Connection, party_id: UUID, accounts: Sequence[str], at: datetime) -> list[Hold]:
    """Those of accounts that count now."""
    rows = await conn.fetch(
        f"select {_COLUMNS} from cover_hold where party_id = $1 and account = any ($2)"
        " and (expires_at is null or expires_at > $3) order by made_at, hold_id",
        party_id,
        list(accounts),
        at,
    )
    return [Hold(**row) for row in rows]


async def list_of_sessions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Hold]:
    rows = await conn.fetch(
        f"select {_COLUMNS} from cover_hold where party_id = $1 and session_id = any ($2)", party_id, list(session_ids)
    )
    return {row["session_id"]: Hold(**row) for row in rows}


async def put(conn: Connection, party_id: UUID, hold: Hold) -> None:
    """One hold for a session, and one for a token on a station whose session is not seen yet: another replaces it."""
    values: dict[str, Any] = msgspec.structs.asdict(hold)
    target = "(session_id)" if hold.session_id is not None else "(party_id, uid_key, station_id)"
    where = "" if hold.session_id is not None else " where session_id is null and payment_id is null"
    if hold.payment_id is not None:
        target, where = "(payment_id)", ""
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await conn.execute(
        f"insert into cover_hold ({', '.join(values)}) values ({places}) on conflict {target}{where} do update"
        " set account = excluded.account, currency = excluded.currency, amount_minor = excluded.amount_minor,"
        " expires_at = excluded.expires_at",
        *(values | {"party_id": party_id}).values(),
    )


async def give_to_session(
    conn: Connection, party_id: UUID, uid_key: str, station_id: str, session_id: UUID
) -> Hold | None:
    """The hold of a start becomes its session's, unless that has one already."""
    row = await conn.fetchrow(
        "update cover_hold set session_id = $4, expires_at = null where party_id = $1 and uid_key = $2 and station_id = $3"
        " and session_id is null and payment_id is null"
        f" and not exists (select from cover_hold o where o.session_id = $4) returning {_COLUMNS}",
        party_id,
        uid_key,
        station_id,
        session_id,
    )
    return Hold(**row) if row else None


async def set_amount(conn: Connection, party_id: UUID, hold_id: UUID, amount_minor: int) -> None:
    await conn.execute(
        "update cover_hold set amount_minor = $3 where party_id = $1 and hold_id = $2", party_id, hold_id, amount_minor
    )


async def drop_of_sessions(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> None:
    await conn.execute(
        "delete from cover_hold where party_id = $1 and session_id = any ($2)", party_id, list(session_ids)
    )


async def drop_of_payments(conn: Connection, party_id: UUID, payment_ids: Sequence[UUID]) -> None:
    await conn.execute(
        "delete from cover_hold where party_id = $1 and payment_id = any ($2)", party_id, list(payment_ids)
    )


# any party: the worker tidies up for everybody
async def drop_old(conn: Connection, at: datetime, over_before: datetime) -> int:
    """Those of starts that came to nothing, of sessions that were over before an instant and are not billed, and of refunds
    that nobody works at any more.
    """
    done = await conn.execute(
        "delete from cover_hold h where h.expires_at < $1 or (h.session_id is not null and exists (select from session s"
        " where s.session_id = h.session_id and s.status in ('completed', 'invalid') and s.updated_at < $2))"
        " or (h.payment_id is not null and not exists (select from payment_operation o where o.payment_id = h.payment_id"
        " and o.kind = 'refund' and o.state = 'waiting'))",
        at,
        over_before,
    )
    return int(done.rpartition(" ")[2])
