"""Where a driver's tokens stand in what they did: found by who held a token when, and renamed."""

from __future__ import annotations

from uuid import UUID

from ohmstead.core.db import Connection

_HELD = (
    "from token_holding h where h.party_id = $1 and h.driver_id = $2 and s.party_id = $1 and s.token_key = h.uid_key"
    " and s.token_uid is not null and s.started_at >= h.from_at and (h.until_at is null or s.started_at < h.until_at)"
)


async def count_open(conn: Connection, party_id: UUID, driver_id: UUID) -> int:
    """Sessions and reservations with the driver's tokens that are not over."""
    n: int = await conn.fetchval(
        "select (select count(*) from token_holding h join session s on s.party_id = h.party_id"
        "  and s.token_key = h.uid_key and s.token_uid is not null and s.started_at >= h.from_at"
        "  and (h.until_at is null or s.started_at < h.until_at)"
        "  where h.party_id = $1 and h.driver_id = $2 and s.status in ('pending', 'active', 'closing'))"
        " + (select count(*) from token_holding h join reservation r on r.party_id = h.party_id"
        "  and r.token_key = h.uid_key and r.created_at >= h.from_at where h.party_id = $1 and h.driver_id = $2"
        "  and r.status in ('requested', 'accepted', 'active'))",
        party_id,
        driver_id,
    )
    return n


async def rename_sessions(conn: Connection, party_id: UUID, driver_id: UUID, pseudonym: str) -> int:
    """Returns how many."""
    rows = await conn.fetch(
        "update session s set token_uid = $3, token_id = null, group_uid = null, start_key = null,"
        " stop_token_uid = case when lower(s.stop_token_uid) = h.uid_key then $3 else s.stop_token_uid end"
        f" {_HELD} returning s.session_id",
        party_id,
        driver_id,
        pseudonym,
    )
    # Sessions of others that the driver ended, as members of one group may.
    await conn.execute(
        "update session s set stop_token_uid = $3 from token_holding h where h.party_id = $1 and h.driver_id = $2"
        " and s.party_id = $1 and lower(s.stop_token_uid) = h.uid_key and s.ended_at >= h.from_at"
        " and (h.until_at is null or s.ended_at <= h.until_at)",
        party_id,
        driver_id,
        pseudonym,
    )
    await conn.execute(
        "update session_event e set detail = e.detail - '{token_uid,group_uid,uid,token}'::text[] from session s"
        " where s.party_id = $1 and s.session_id = any($2) and e.session_id = s.session_id"
        " and e.detail ?| '{token_uid,group_uid,uid,token}'::text[]",
        party_id,
        [row["session_id"] for row in rows],
    )
    return len(rows)


async def rename_reservations(conn: Connection, party_id: UUID, driver_id: UUID, pseudonym: str) -> int:
    """Returns how many."""
    rows = await conn.fetch(
        "update reservation r set token_uid = $3, group_uid = null from token_holding h where h.party_id = $1"
        " and h.driver_id = $2 and r.party_id = $1 and r.token_key = h.uid_key and r.created_at >= h.from_at"
        " and (h.until_at is null or r.created_at < h.until_at) returning r.reservation_id",
        party_id,
        driver_id,
        pseudonym,
    )
    return len(rows)


async def rename_holdings(conn: Connection, party_id: UUID, driver_id: UUID, pseudonym: str) -> None:
    """One holding, of the pseudonym, instead of those of tokens: the sessions stay the nameless driver's."""
    await conn.execute("delete from token_holding where party_id = $1 and driver_id = $2", party_id, driver_id)
    await conn.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at, until_at)"
        " values ($1, $2, lower($3), '2000-01-01Z', now())",
        party_id,
        driver_id,
        pseudonym,
    )
