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


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose station is to hear what it costs. `is_first`: it heard of none yet."""

    session_id: UUID
    party_id: UUID
    station_id: str
    transaction_id: str
    token_uid: str | None
    charging_state: str | None
    register_last_wh: Decimal | None
    at: datetime
    total: Decimal
    currency: str
    price_kwh: Decimal | None
    price_text: str | None
    is_first: bool


# any party: the worker tells everybody's stations
async def list_due(conn: Connection, at: datetime, every: timedelta, limit: int = 1000) -> list[Due]:
    """Sessions in progress at connected stations that can show costs, whose cost is another than the station was told, and
    that heard of none for `every`. That it costs nothing is told once something flowed. No session is locked."""
    rows = await conn.fetch(
        "select s.session_id, s.party_id, s.station_id, s.transaction_id, s.token_uid, s.charging_state,"
        " s.register_last_wh, k.at, k.total, k.currency, k.price_kwh, k.price_text, c.session_id is null as is_first"
        " from session_cost k join session s using (session_id) join station t using (station_id)"
        " left join cost_told c using (session_id)"
        " where not k.is_final and k.total is not null and s.status = 'active' and t.gateway_id is not null"
        " and (c.told_at is null or c.told_at <= $1::timestamptz - $2::interval)"
        " and case when c.amount is null then k.total <> 0 or s.energy_wh > 0"
        "   else (c.amount, c.currency) <> (k.total, k.currency) end"
        " and (s.ocpp_version <> '1.6' or exists (select from station_variable v where v.station_id = s.station_id"
        "   and v.component = '' and v.variable = $3 and lower(v.value) = 'true'))"
        " order by c.told_at nulls first limit $4",
        at,
        every,
        _SHOWS_COSTS,
        limit,
    )
    return [Due(**row) for row in rows]


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
