"""How sessions get into the sums of the reports, and out again when they settle anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.core.writes import records, to_rows
from ohmstead.reports.usage.shares import Share, Stretch

NOWHERE = UUID(int=0)


class Settled(Struct, frozen=True, kw_only=True):
    """A session that counts, and the zone of its location, or its party's."""

    session_id: UUID
    party_id: UUID
    station_id: str
    location_id: UUID
    zone_name: str
    started_at: datetime
    ended_at: datetime
    energy_wh: Decimal
    charging_s: int
    stretches: list[Stretch]


class Walk(Struct, frozen=True):
    """How far the sessions of before have been counted."""

    walked_to: UUID
    is_whole: bool


async def lock_walk(conn: Connection) -> Walk:
    """From here on nobody else counts, until the transaction ends."""
    await conn.execute("insert into usage_walk default values on conflict do nothing")
    row = await conn.fetchrow("select walked_to, is_whole from usage_walk for update")
    assert row is not None
    return Walk(**row)


async def is_heard(conn: Connection, consumer: str) -> bool:
    """Whether the consumer's cursor stands: what is settled from then on comes to it."""
    found: bool = await conn.fetchval("select exists (select from outbox_cursor where consumer = $1)", consumer)
    return found


async def set_walk(conn: Connection, walked_to: UUID, *, is_whole: bool) -> None:
    await conn.execute("update usage_walk set walked_to = $1, is_whole = $2", walked_to, is_whole)


# any party: the installation's sums are made anew
async def forget_all(conn: Connection) -> None:
    """All sums are gone; the walk begins anew."""
    await conn.execute("truncate usage_share, usage_hour, usage_day, usage_last")
    await set_walk(conn, NOWHERE, is_whole=False)


# any party: the installation's sessions, one after the other
async def next_sessions(conn: Connection, after: UUID, limit: int) -> list[UUID]:
    """Ids of sessions after one, whatever their state."""
    rows = await conn.fetch(
        "select session_id from session where session_id > $1 order by session_id limit $2", after, limit
    )
    return [row["session_id"] for row in rows]


# any party: by id, for the worker
async def list_settled(conn: Connection, session_ids: Sequence[UUID]) -> list[Settled]:
    """Those of the sessions that count: completed and settled."""
    rows = await conn.fetch(
        "select s.session_id, s.party_id, s.station_id, coalesce(s.location_id, $2) as location_id,"
        " coalesce(l.time_zone, p.time_zone) as zone_name, s.started_at, coalesce(s.ended_at, s.started_at) as ended_at,"
        " s.energy_wh, coalesce(s.charging_s, 0) as charging_s,"
        " c.begins, c.ends, c.energies"
        " from session s join party p using (party_id) left join location l on l.location_id = s.location_id"
        " cross join lateral (select array_agg(started_at order by started_at) as begins,"
        "   array_agg(ended_at order by started_at) as ends, array_agg(energy_wh order by started_at) as energies"
        "   from charging_period where session_id = s.session_id) c"
        " where s.session_id = any($1) and s.status = 'completed' and s.settled_at is not null",
        list(session_ids),
        NOWHERE,
    )
    return [_settled(dict(row)) for row in rows]


def _settled(fields: dict[str, Any]) -> Settled:
    pieces = [fields.pop(name) or () for name in ("begins", "ends", "energies")]
    return Settled(**fields, stretches=[Stretch(*one) for one in zip(*pieces, strict=True)])


_SUMS = ("n_sessions", "energy_wh", "duration_s", "charging_s", "plug_s", "delivered_wh")
_ADDED = ", ".join(f"sum({name}) as {name}" for name in _SUMS)


def _onto(table: str) -> str:
    return ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in _SUMS)


# `moved` are shares with their sign; every sum that they belong to changes by them.
_SPREAD = f"""
hours as (
    insert into usage_hour as h (party_id, level, location_id, hour_at, wall_at, {", ".join(_SUMS)})
    select party_id, level, place, hour_at, wall_at, {_ADDED}
    from moved cross join lateral (values ('party', '{NOWHERE}'::uuid), ('location', location_id)) v (level, place)
    group by party_id, level, place, hour_at, wall_at
    on conflict (party_id, level, location_id, wall_at, hour_at) do update set {_onto("h")}
), days as (
    insert into usage_day as d (party_id, level, location_id, station_id, day, {", ".join(_SUMS)})
    select party_id, level, place, station, wall_at::date, {_ADDED}
    from moved cross join lateral (values ('party', '{NOWHERE}'::uuid, ''), ('location', location_id, ''),
                                          ('station', location_id, station_id)) v (level, place, station)
    group by party_id, level, place, station, wall_at::date
    on conflict (party_id, level, location_id, station_id, day) do update set {_onto("d")}
)
select 1
"""
_KEYS = ("party_id", "station_id", "location_id", "hour_at", "wall_at")
_OUT = f"""with gone as (delete from usage_share where session_id = any($1) returning *),
moved as (select {", ".join(_KEYS)}, {", ".join(f"-{name} as {name}" for name in _SUMS)} from gone), {_SPREAD}"""

_COLUMNS = {
    "session_id": "uuid",
    "party_id": "uuid",
    "station_id": "text",
    "location_id": "uuid",
    "hour_at": "timestamptz",
    "wall_at": "timestamp",
    "n_sessions": "integer",
    "energy_wh": "numeric",
    "duration_s": "bigint",
    "charging_s": "bigint",
    "plug_s": "bigint",
    "delivered_wh": "numeric",
}
_IN = f"""with moved as (
insert into usage_share ({", ".join(_COLUMNS)}) select {", ".join(_COLUMNS)} from {records(1, _COLUMNS)}
returning *), {_SPREAD}"""


class _Row(Struct):
    session_id: UUID
    party_id: UUID
    station_id: str
    location_id: UUID
    hour_at: datetime
    wall_at: datetime
    n_sessions: int
    energy_wh: Decimal
    duration_s: int
    charging_s: int
    plug_s: int
    delivered_wh: Decimal


# any party: by id, for the worker
async def take_out(conn: Connection, session_ids: Sequence[UUID]) -> None:
    """What the sessions gave so far is taken from every sum."""
    await conn.execute(_OUT, list(session_ids))


# any party: the rows say whose they are
async def put_in(conn: Connection, given: Sequence[tuple[Settled, Sequence[Share]]]) -> None:
    """Shares of sessions that have none, onto every sum."""
    rows = [
        _Row(
            session_id=one.session_id,
            party_id=one.party_id,
            station_id=one.station_id,
            location_id=one.location_id,
            hour_at=share.hour_at,
            wall_at=share.wall_at,
            n_sessions=share.n_sessions,
            energy_wh=share.energy_wh,
            duration_s=share.duration_s,
            charging_s=share.charging_s,
            plug_s=share.plug_s,
            delivered_wh=share.delivered_wh,
        )
        for one, found in given
        for share in found
    ]
    if rows:
        await conn.execute(_IN, to_rows(rows))


# any party: by id, for the worker
async def keep_last(conn: Connection, session_ids: Sequence[UUID]) -> None:
    """Which settled session of each station began last, invalid ones too: anew for the stations of these sessions."""
    rows = await conn.fetch(
        "delete from usage_last where session_id = any ($1)"
        " or station_id in (select station_id from session where session_id = any ($1)) returning station_id",
        list(session_ids),
    )
    await conn.execute(
        "insert into usage_last (station_id, party_id, session_id, location_id, started_at, energy_wh)"
        " select of_station, z.party_id, z.session_id, coalesce(z.location_id, $3), z.started_at, z.energy_wh"
        " from (select station_id from session where session_id = any ($1) union select unnest($2::text[])) t (of_station)"
        " cross join lateral (select * from session s where s.station_id = of_station and s.settled_at is not null"
        "   order by s.started_at desc, s.session_id limit 1) z",
        list(session_ids),
        [row["station_id"] for row in rows],
        NOWHERE,
    )
