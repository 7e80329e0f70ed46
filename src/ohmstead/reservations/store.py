"""Reservations in PostgreSQL, the write side. That no outlet is booked twice is held by the database itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.reservations.model import Outlet, Reservation, Status, Terms

COLUMNS = (
    "reservation_id, party_id, number, station_id, evse_number, location_id, scope, connector_type, token_uid,"
    " token_type, group_uid, priority, from_at, until_at, status, reason, is_held, tell_at, told_at, session_id,"
    " before, change_refused, requested_by, version, created_at, updated_at"
)
_IS_OPEN = "status in ('requested', 'accepted', 'active')"


async def list_outlets(
    conn: Connection,
    party_id: UUID,
    *,
    station_id: str | None,
    evse_number: int | None,
    location_id: UUID | None,
    connector_type: str | None,
    at: datetime,
) -> list[Outlet]:
    """Outlets that fit, the best first: connected, then free at `at` if that is now, then the least reserved."""
    rows = await conn.fetch(
        "select e.station_id, e.evse_number, s.location_id, s.gateway_id is not null as is_here"
        " from evse e join station s using (station_id)"
        " left join lateral (select bool_and(c.status in ('available', 'unknown')) as is_free,"
        "   bool_or(c.status in ('unavailable', 'faulted')) as is_out from connector c"
        "   where c.station_id = e.station_id and c.evse_number = e.evse_number) c on true"
        " left join lateral (select count(*) as n from reservation r where r.station_id = e.station_id"
        f"   and r.evse_number = e.evse_number and r.{_IS_OPEN}) r on true"
        " where s.party_id = $1 and s.retired_at is null and s.registration = 'accepted'"
        " and ($2::text is null or e.station_id = $2) and ($3::integer is null or e.evse_number = $3)"
        " and ($4::uuid is null or s.location_id = $4)"
        " and ($5::text is null or exists (select from connector k where k.station_id = e.station_id"
        "   and k.evse_number = e.evse_number and lower(k.standard) = lower($5)))"
        " order by s.gateway_id is null, coalesce(c.is_out, false),"
        " coalesce(c.is_free, true) is distinct from true and $6 <= now() + interval '5 minutes', r.n,"
        " e.station_id, e.evse_number",
        party_id,
        station_id,
        evse_number,
        location_id,
        connector_type,
        at,
    )
    return [Outlet(**row) for row in rows]


async def lanes_of(conn: Connection, outlets: Sequence[Outlet]) -> dict[tuple[str, int], int]:
    """The outlets' places on the one line of all outlets' times, given out as needed."""
    ids, numbers = [o.station_id for o in outlets], [o.evse_number for o in outlets]
    await conn.execute(
        "insert into outlet_lane (station_id, evse_number) select * from unnest($1::text[], $2::integer[])"
        " on conflict do nothing",
        ids,
        numbers,
    )
    rows = await conn.fetch(
        "select l.station_id, l.evse_number, l.lane from outlet_lane l"
        " join unnest($1::text[], $2::integer[]) as u (station_id, evse_number) using (station_id, evse_number)",
        ids,
        numbers,
    )
    return {(row["station_id"], row["evse_number"]): row["lane"] for row in rows}


_INSERT = (
    "reservation_id",
    "party_id",
    "station_id",
    "evse_number",
    "lane",
    "location_id",
    "scope",
    "connector_type",
    "token_uid",
    "token_type",
    "group_uid",
    "priority",
    "from_at",
    "until_at",
    "status",
    "tell_at",
    "requested_by",
)


async def insert_reservation(conn: Connection, party_id: UUID, values: dict[str, Any]) -> Reservation:
    """Raises asyncpg.ExclusionViolationError when somebody has the outlet in that time."""
    row = await conn.fetchrow(
        f"insert into reservation ({', '.join(_INSERT)}) values"
        f" ({', '.join(f'${n}' for n in range(1, len(_INSERT) + 1))}) returning {COLUMNS}",
        *({**values, "party_id": party_id}[name] for name in _INSERT),
    )
    assert row is not None
    return Reservation(**row)


async def list_in_the_way(
    conn: Connection, party_id: UUID, lanes: Sequence[int], from_at: datetime, until_at: datetime
) -> list[Reservation]:
    """Open reservations of outlets that overlap a time, locked."""
    rows = await conn.fetch(
        f"select {COLUMNS} from reservation where party_id = $1 and {_IS_OPEN}"
        " and slots && any(select reservation_slot(lane, $3, $4) from unnest($2::integer[]) as lane)"
        " order by reservation_id for update",
        party_id,
        list(lanes),
        from_at,
        until_at,
    )
    return [Reservation(**row) for row in rows]


async def lock(conn: Connection, party_id: UUID, reservation_id: UUID) -> Reservation | None:
    row = await conn.fetchrow(
        f"select {COLUMNS} from reservation where party_id = $1 and reservation_id = $2 for update",
        party_id,
        reservation_id,
    )
    return Reservation(**row) if row else None


# any party: a station speaks of its own reservations, which it knows by number
async def lock_told(conn: Connection, told: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Reservation]:
    """Reservations by (station, number), locked."""
    rows = await conn.fetch(
        f"select {COLUMNS} from reservation where (station_id, number) in"
        " (select * from unnest($1::text[], $2::integer[])) order by reservation_id for update",
        [station_id for station_id, _ in told],
        [number for _, number in told],
    )
    return {(row["station_id"], row["number"]): Reservation(**row) for row in rows}


# any party: the station's own outlets
async def lock_at(conn: Connection, station_id: str, at: datetime) -> list[Reservation]:
    """A station's reservations whose time includes `at`, locked."""
    rows = await conn.fetch(
        f"select {COLUMNS} from reservation where station_id = $1 and {_IS_OPEN}"
        " and from_at <= $2 and until_at > $2 order by reservation_id for update",
        station_id,
        at,
    )
    return [Reservation(**row) for row in rows]


# any party: the row was locked by whoever changes it
async def save(
    conn: Connection,
    reservation_id: UUID,
    status: Status,
    *,
    is_held: bool,
    reason: str | None = None,
    session_id: UUID | None = None,
) -> None:
    await conn.execute(
        "update reservation set status = $2, is_held = $3, held_at = coalesce(held_at, case when $3 then now() end),"
        " reason = coalesce(left($4, 500), reason),"
        " session_id = coalesce($5, session_id), version = version + 1, updated_at = now() where reservation_id = $1",
        reservation_id,
        status,
        is_held,
        reason,
        session_id,
    )


# any party: the row was locked by whoever changes it
async def lane_of(conn: Connection, reservation_id: UUID) -> int:
    lane: int = await conn.fetchval("select lane from reservation where reservation_id = $1", reservation_id)
    return lane


# any party: the row was locked by whoever changes it
async def save_terms(
    conn: Connection, reservation_id: UUID, terms: Terms, *, before: Terms | None, refused: str | None = None
) -> Reservation:
    """New terms. With `before` those hold as well until the change is through, and nobody else gets their slot.

    Raises asyncpg.ExclusionViolationError when somebody has the outlet in that time.
    """
    row = await conn.fetchrow(
        "update reservation set evse_number = $2, lane = $3, scope = $4, token_uid = $5, token_type = $6,"
        " group_uid = $7, from_at = $8, until_at = $9, tell_at = $10, before = $11,"
        " kept = case when $11::jsonb is not null then slot end, change_told_at = null, change_refused = left($12, 200),"
        f" version = version + 1, updated_at = now() where reservation_id = $1 returning {COLUMNS}",
        reservation_id,
        *msgspec.structs.astuple(terms),
        msgspec.to_builtins(before) if before is not None else None,
        refused,
    )
    assert row is not None
    return Reservation(**row)


# any party: the row was locked by whoever changes it
async def settle_terms(conn: Connection, reservation_id: UUID) -> None:
    """The station agreed to the new terms."""
    await conn.execute(
        "update reservation set before = null, kept = null, version = version + 1, updated_at = now()"
        " where reservation_id = $1",
        reservation_id,
    )


# any party: the row was locked by whoever changes it
async def untold(conn: Connection, reservation_id: UUID) -> None:
    """Its station has to be told (anew)."""
    await conn.execute("update reservation set told_at = null where reservation_id = $1", reservation_id)


# any party: changes are told to everybody's stations
async def claim_changes(
    conn: Connection, at: datetime, again_after: timedelta, reservation_id: UUID | None = None, limit: int = 200
) -> list[Reservation]:
    """Changes that their stations have not answered; whoever gets one tells it, nobody else does for `again_after`."""
    rows = await conn.fetch(
        "update reservation r set change_told_at = $1 from (select reservation_id as id from reservation"
        f"   where before is not null and {_IS_OPEN}"
        "   and (change_told_at is null or change_told_at < $1::timestamptz - $2::interval)"
        "   and ($3::uuid is null or reservation_id = $3) order by change_told_at nulls first limit $4"
        "   for update skip locked) due"
        " where r.reservation_id = due.id"
        f" returning {', '.join('r.' + name.strip() for name in COLUMNS.split(','))}",
        at,
        again_after,
        reservation_id,
        limit,
    )
    return [Reservation(**row) for row in rows]


# any party: the row was locked by whoever changes it
async def held_after_all(conn: Connection, reservation_id: UUID) -> bool:
    """The station agreed to one that is over. False when it had agreed before."""
    done = await conn.fetchval(
        "update reservation set is_held = true, held_at = now(), version = version + 1, updated_at = now()"
        " where reservation_id = $1 and held_at is null returning true",
        reservation_id,
    )
    return bool(done)


# any party: time passes for everybody
async def lock_passing(conn: Connection, at: datetime, limit: int = 500) -> list[Reservation]:
    """Reservations whose status the clock changes now, locked; those that somebody else holds come next time."""
    rows = await conn.fetch(
        f"select {COLUMNS} from reservation where {_IS_OPEN}"
        " and (until_at <= $1 or (status = 'accepted' and from_at <= $1))"
        " order by until_at limit $2 for update skip locked",
        at,
        limit,
    )
    return [Reservation(**row) for row in rows]


# any party: time passes for everybody
async def claim_to_tell(
    conn: Connection, at: datetime, again_after: timedelta, reservation_id: UUID | None = None, limit: int = 200
) -> list[Reservation]:
    """Reservations that their stations are to be told of now. Whoever gets one tells it; nobody else does so for
    `again_after`.
    """
    rows = await conn.fetch(
        f"update reservation r set told_at = $1 from (select reservation_id as id from reservation"
        "   where status = 'requested' and tell_at <= $1 and until_at > $1"
        "   and (told_at is null or told_at < $1::timestamptz - $2::interval)"
        "   and ($3::uuid is null or reservation_id = $3) order by tell_at limit $4 for update skip locked) due"
        " where r.reservation_id = due.id"
        f" returning {', '.join('r.' + name.strip() for name in COLUMNS.split(','))}",
        at,
        again_after,
        reservation_id,
        limit,
    )
    return [Reservation(**row) for row in rows]


async def group_priority(conn: Connection, party_id: UUID, group_uid: str | None) -> int:
    found = await conn.fetchval(
        "select priority from reservation_group where party_id = $1 and group_uid = $2", party_id, group_uid
    )
    return int(found or 0)


async def save_group(conn: Connection, party_id: UUID, group_uid: str, priority: int) -> None:
    await conn.execute(
        "insert into reservation_group (party_id, group_uid, priority) values ($1, $2, $3)"
        " on conflict (party_id, group_uid) do update set priority = excluded.priority",
        party_id,
        group_uid,
        priority,
    )


# any party: the order waits for its station by itself
async def told_for_good(conn: Connection, reservation_id: UUID) -> None:
    """An order waits for the station: it needs to be told no more, unless it was changed meanwhile."""
    await conn.execute(
        "update reservation set told_at = until_at where reservation_id = $1 and told_at is not null", reservation_id
    )


# any party: gateways serve everybody's stations
async def stations_with_holds(conn: Connection, at: datetime) -> set[str]:
    """Stations of which an outlet is reserved at `at`, or will be within a minute."""
    rows = await conn.fetch(
        f"select distinct station_id from reservation where {_IS_OPEN} and from_at <= $1::timestamptz + interval '1 minute'"
        " and until_at > $1",
        at,
    )
    return {row["station_id"] for row in rows}


# any party: gateways serve everybody's stations
async def holds_at(conn: Connection, station_ids: Sequence[str]) -> list[Reservation]:
    """Reservations that these stations keep, or that are theirs in the books and not over."""
    rows = await conn.fetch(
        f"select {COLUMNS} from reservation where station_id = any($1) and {_IS_OPEN}", list(station_ids)
    )
    return [Reservation(**row) for row in rows]


# any party: gateways serve everybody's stations
async def outlets_of(conn: Connection, station_ids: Sequence[str]) -> dict[str, int]:
    """How many outlets stations have."""
    rows = await conn.fetch(
        "select station_id, count(*) as n from evse where station_id = any($1) group by station_id", list(station_ids)
    )
    return {row["station_id"]: row["n"] for row in rows}


# any party: by name, for the order to the station
async def is_true(conn: Connection, station_id: str, names: Sequence[str]) -> bool:
    """Did the station report one of these variables (`component.variable`) as true?"""
    found: bool = await conn.fetchval(
        "select exists (select from station_variable where station_id = $1 and attribute = 'Actual'"
        " and concat_ws('.', nullif(component, ''), variable) = any($2) and lower(value) = 'true')",
        station_id,
        list(names),
    )
    return found
