"""Which sessions' stations are to be told of costs, and what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection

# How a 1.6 station says that it shows prices (California pricing)
_SHOWS_COSTS = "CustomDisplayCostAndPrice"


class Told(msgspec.Struct, frozen=True):
    """What a session's station was told."""

    amount: Decimal
    is_final: bool


# any party: the worker tells everybody's stations
async def list_due(conn: Connection, at: datetime, every: timedelta, limit: int = 1000) -> list[UUID]:
    """Sessions in progress at connected stations that can show costs, and heard of none for `every`."""
    rows = await conn.fetch(
        "select s.session_id from session s join station t using (station_id)"
        " left join cost_told c using (session_id)"
        " where s.status = 'active' and t.gateway_id is not null"
        " and (c.told_at is null or c.told_at <= $1::timestamptz - $2::interval)"
        " and (s.ocpp_version <> '1.6' or exists (select from station_variable v where v.station_id = s.station_id"
        "   and v.component = '' and v.variable = $3 and lower(v.value) = 'true'))"
        " order by c.told_at nulls first limit $4",
        at,
        every,
        _SHOWS_COSTS,
        limit,
    )
    return [row["session_id"] for row in rows]


# any party: by id, for the worker
async def list_final(conn: Connection, session_ids: Sequence[UUID]) -> list[UUID]:
    """Of these sessions, those over at 1.6 stations that show costs and were not told the final one."""
    rows = await conn.fetch(
        "select s.session_id from session s left join cost_told c using (session_id) where s.session_id = any($1)"
        " and s.status = 'completed' and s.ocpp_version = '1.6' and c.is_final is not true"
        " and exists (select from station_variable v where v.station_id = s.station_id and v.component = ''"
        "   and v.variable = $2 and lower(v.value) = 'true')",
        list(session_ids),
        _SHOWS_COSTS,
    )
    return [row["session_id"] for row in rows]


async def find_told(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Told]:
    rows = await conn.fetch(
        "select session_id, amount, is_final from cost_told where session_id = any($1)", list(session_ids)
    )
    return {row["session_id"]: Told(row["amount"], row["is_final"]) for row in rows}


async def save_told(
    conn: Connection, session_id: UUID, amount: Decimal, currency: str, at: datetime, *, is_final: bool
) -> None:
    await conn.execute(
        "insert into cost_told (session_id, amount, currency, is_final, told_at) values ($1, $2, $3, $4, $5)"
        " on conflict (session_id) do update set amount = excluded.amount, currency = excluded.currency,"
        " is_final = excluded.is_final, told_at = excluded.told_at",
        session_id,
        amount,
        currency,
        is_final,
        at,
    )
