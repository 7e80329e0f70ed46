"""What tokens and drivers did: read-only, across the rooms' tables, always of one party."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.db import Connection


class Refusal(Struct, frozen=True, kw_only=True):
    """A session that was begun with a token that may not charge there and then."""

    session_id: UUID
    station_id: str
    at: datetime
    status: str


class TokenUsage(Struct, frozen=True, kw_only=True):
    """What was charged with a token, or by a driver."""

    n_sessions: int
    energy_wh: Annotated[Decimal, Meta(description="In Wh, running sessions included.")]
    first_at: Annotated[datetime | None, Meta(description="When the first session began.")]
    last_at: Annotated[datetime | None, Meta(description="When the last session began.")]
    last_station_id: str | None
    last_session_id: UUID | None
    refused: Annotated[list[Refusal], Meta(description="The latest sessions begun without leave, at most 20.")]


# A driver's sessions are those begun with a token while the driver held it.
_HELD = """token_holding h join session s on s.party_id = h.party_id and s.token_key = h.uid_key and s.token_uid is not null
    and s.started_at >= h.from_at and (h.until_at is null or s.started_at < h.until_at)
    where h.party_id = $1 and h.driver_id = $2"""
_SHOWN = "session s where s.party_id = $1 and s.token_uid is not null and s.token_key = lower($2)"


async def token_usage(conn: Connection, party_id: UUID, uid: str) -> TokenUsage:
    """Of the token with this uid; nothing, where it was never shown."""
    return await _usage(conn, party_id, _SHOWN, uid)


async def driver_usage(conn: Connection, party_id: UUID, driver_id: UUID) -> TokenUsage:
    """Of one driver, with all tokens they held while they held them."""
    return await _usage(conn, party_id, _HELD, driver_id)


async def _usage(conn: Connection, party_id: UUID, sessions: str, whose: str | UUID) -> TokenUsage:
    sums = await conn.fetchrow(
        "select count(*) as n_sessions, coalesce(sum(s.energy_wh), 0) as energy_wh, min(s.started_at) as first_at,"
        f" max(s.started_at) as last_at from {sessions}",
        party_id,
        whose,
    )
    last = await conn.fetchrow(
        "select s.station_id as last_station_id, s.session_id as last_session_id"
        f" from {sessions} order by s.started_at desc limit 1",
        party_id,
        whose,
    )
    refused = await conn.fetch(
        f"select s.session_id, s.station_id, s.started_at as at, s.authorization_status as status from {sessions}"
        " and s.authorization_status is not null and s.authorization_status <> 'accepted'"
        " order by s.started_at desc limit 20",
        party_id,
        whose,
    )
    assert sums is not None
    rest = dict(last) if last else {"last_station_id": None, "last_session_id": None}
    return TokenUsage(**sums, **rest, refused=[Refusal(**row) for row in refused])


# whole party: tokens are at no location, and only who sees all of the party is shown them
async def last_uses(conn: Connection, party_id: UUID, uids: Sequence[str]) -> dict[str, tuple[datetime, str]]:
    """When and at which station tokens last began a session, by lower-case uid."""
    rows = await conn.fetch(
        "select a.uid_key, s.started_at, s.station_id from unnest($2::text[]) as a (uid_key) cross join lateral"
        " (select started_at, station_id from session where party_id = $1 and token_uid is not null"
        "  and token_key = a.uid_key order by started_at desc limit 1) s",
        party_id,
        [uid.lower() for uid in uids],
    )
    return {row["uid_key"]: (row["started_at"], row["station_id"]) for row in rows}


async def names_of(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Drivers' names."""
    rows = await conn.fetch(
        "select driver_id, name from driver where party_id = $1 and driver_id = any($2)", party_id, list(driver_ids)
    )
    return {row["driver_id"]: row["name"] for row in rows}


async def driver_last_uses(
    conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]
) -> dict[UUID, tuple[datetime, int, Decimal]]:
    """When each driver last began a session, how many they had, and their energy in Wh."""
    rows = await conn.fetch(
        "select h.driver_id, max(s.started_at) as at, count(*) as n, sum(s.energy_wh) as energy_wh"
        " from token_holding h join session s on s.party_id = h.party_id and s.token_key = h.uid_key"
        " and s.token_uid is not null and s.started_at >= h.from_at"
        " and (h.until_at is null or s.started_at < h.until_at)"
        " where h.party_id = $1 and h.driver_id = any($2) group by h.driver_id",
        party_id,
        list(driver_ids),
    )
    return {row["driver_id"]: (row["at"], row["n"], row["energy_wh"]) for row in rows}


async def last_sessions(conn: Connection, party_id: UUID, driver_id: UUID, limit: int) -> list[UUID]:
    """A driver's latest sessions."""
    rows = await conn.fetch(
        f"select s.session_id from {_HELD} order by s.started_at desc limit $3", party_id, driver_id, limit
    )
    return [row["session_id"] for row in rows]
