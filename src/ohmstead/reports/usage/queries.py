"""The sums of the reports, read for a party: of all of it, of a location, or of a station."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.reports.usage.model import PlaceRow, Subject, Totals
from ohmstead.reports.usage.periods import UsagePeriod

NOWHERE = UUID(int=0)
MOST_PLACES = 200

_SUMS = ("n_sessions", "energy_wh", "duration_s", "charging_s", "plug_s", "delivered_wh")
# Sums of bigint are numeric in PostgreSQL; counts and seconds stay whole numbers.
_ADDED = ", ".join(f"coalesce(sum(u.{name}), 0){'' if name.endswith('wh') else '::bigint'} as {name}" for name in _SUMS)


def totals_of(row: Row) -> Totals:
    """The sums in a row."""
    return Totals(**{name: row[name] for name in _SUMS})


def added(found: Iterable[Totals]) -> Totals:
    """The sum of sums."""
    total: dict[str, Any] = dict.fromkeys(_SUMS, 0) | {"energy_wh": Decimal(0), "delivered_wh": Decimal(0)}
    for one in found:
        for name in _SUMS:
            total[name] += getattr(one, name)
    return Totals(**total)


def _seen(scope: Scope) -> Conditions:
    """What of the sums a scope sees: a location's stay there, wherever its stations go."""
    where = Conditions()
    where.add("u.party_id = {}", scope.party_id)
    where.add_given("u.location_id = any({})", scope.locations)
    return where


def days_of(scope: Scope, subject: Subject, period: UsagePeriod) -> Conditions:
    """Which rows of `usage_day`, or of another table that is kept by the same levels, add up to the subject's days. The
    whole party has its own, some locations have theirs.
    """
    where = _seen(scope)
    if subject.station_id is not None:
        where.add("u.level = 'station' and u.station_id = {}", subject.station_id)
    elif subject.location_id is not None:
        where.add("u.level = 'location' and u.location_id = {} and u.station_id = ''", subject.location_id)
    elif scope.locations is not None:
        where.add("u.level = 'location' and u.station_id = ''")
    else:
        where.add("u.level = 'party'")
    where.add("u.day between {} and {}", period.first, period.last)
    return where


def _hours(scope: Scope, subject: Subject, period: UsagePeriod) -> tuple[str, Conditions]:
    """The table that has the subject's hours, and which of its rows."""
    where = _seen(scope)
    table = "usage_hour"
    if subject.station_id is not None:
        table = "usage_share"
        where.add("u.station_id = {}", subject.station_id)
    elif subject.location_id is not None:
        where.add("u.level = 'location' and u.location_id = {}", subject.location_id)
    elif scope.locations is not None:
        where.add("u.level = 'location'")
    else:
        where.add("u.level = 'party' and u.location_id = {}", NOWHERE)
    # An instant has the date of its wall; the wall's own times have no zone, as these bounds.
    where.add("u.wall_at >= {}::date::timestamp", period.first)
    where.add("u.wall_at < {}::date::timestamp", period.last + timedelta(days=1))
    return table, where


async def by_day(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod) -> dict[date, Totals]:
    """The days on which anything was."""
    where = days_of(scope, subject, period)
    rows = await conn.fetch(
        f"select u.day, {_ADDED} from usage_day u where {where.sql} group by u.day order by u.day", *where.values
    )
    return {row["day"]: totals_of(row) for row in rows}


async def by_hour(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod) -> list[Row]:
    """The hours on which anything was, by the wall; the two equal hours of autumn as one."""
    table, where = _hours(scope, subject, period)
    return await conn.fetch(
        f"select u.wall_at, {_ADDED} from {table} u where {where.sql} group by u.wall_at order by u.wall_at",
        *where.values,
    )


async def by_week(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod) -> list[Row]:
    """Sums by (weekday, hour)."""
    table, where = _hours(scope, subject, period)
    return await conn.fetch(
        f"select extract(isodow from u.wall_at)::int as weekday, extract(hour from u.wall_at)::int as hour, {_ADDED}"
        f" from {table} u where {where.sql} group by 1, 2",
        *where.values,
    )


async def peaks(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod, limit: int) -> list[Row]:
    """The hours in which most plugs were in use, the busiest first."""
    table, where = _hours(scope, subject, period)
    return await conn.fetch(
        "select u.hour_at, min(u.wall_at) as wall_at, sum(u.plug_s)::bigint as plug_s, sum(u.delivered_wh) as delivered_wh"
        f" from {table} u where {where.sql} group by u.hour_at having sum(u.plug_s) > 0"
        f" order by 3 desc, 1 limit {where.parameter(limit)}",
        *where.values,
    )


def places_of(scope: Scope, subject: Subject, period: UsagePeriod) -> tuple[Conditions, str, str, str]:
    """Rows of the locations that the scope sees, or of the stations of one: which, what they are known by, and, of what is
    found as `k`, its name and what it is joined to for that.
    """
    where = _seen(scope)
    if subject.location_id is not None:
        where.add("u.level = 'station' and u.location_id = {}", subject.location_id)
        name = "coalesce(nullif(st.name, ''), k.key)"
        join = "left join station st on st.station_id = k.key and st.party_id = $1"
    else:
        where.add("u.level = 'location'")
        name = "coalesce(l.name, 'Without a location')"
        join = "left join location l on l.location_id = k.key and l.party_id = $1"
    where.add("u.day between {} and {}", period.first, period.last)
    return where, "u.station_id" if subject.location_id is not None else "u.location_id", name, join


async def places(
    conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod, other: UsagePeriod | None
) -> list[PlaceRow]:
    """The locations that the scope sees, or the stations of one, that gave most energy; beside the other period. A
    station has none.
    """
    if subject.station_id is not None:
        return []
    is_inside = subject.location_id is not None
    where, key, name, join = places_of(scope, subject, period)
    rows = await conn.fetch(
        f"with k as (select {key} as key, {_ADDED} from usage_day u where {where.sql} group by 1"
        f" order by energy_wh desc, 1 limit {where.parameter(MOST_PLACES)})"
        f" select k.*, {name} as name from k {join} order by k.energy_wh desc, k.key",
        *where.values,
    )
    past = await _compared(conn, scope, subject, other, [row["key"] for row in rows])
    return [
        PlaceRow(
            location_id=subject.location_id if is_inside else row["key"] if row["key"] != NOWHERE else None,
            station_id=row["key"] if is_inside else None,
            name=row["name"],
            totals=totals_of(row),
            compared=past.get(row["key"], Totals()) if other is not None else None,
        )
        for row in rows
    ]


async def _compared(
    conn: Connection, scope: Scope, subject: Subject, other: UsagePeriod | None, keys: Sequence[Any]
) -> dict[Any, Totals]:
    if other is None:
        return {}
    where = _seen(scope)
    if subject.location_id is not None:
        where.add("u.level = 'station' and u.location_id = {}", subject.location_id)
        where.add("u.station_id = any({}::text[])", list(keys))
        key = "u.station_id"
    else:
        where.add("u.level = 'location' and u.location_id = any({}::uuid[])", list(keys))
        key = "u.location_id"
    where.add("u.day between {} and {}", other.first, other.last)
    rows = await conn.fetch(
        f"select {key} as key, {_ADDED} from usage_day u where {where.sql} group by 1", *where.values
    )
    return {row["key"]: totals_of(row) for row in rows}


async def find_place(conn: Connection, scope: Scope, subject: Subject) -> Row | None:
    """The name and the zone of what a report is about; None for what the scope does not see.

    A station that was used where the scope sees it is known even when it is elsewhere by now; where, is not told.
    """
    if subject.station_id is not None:
        return await conn.fetchrow(
            "select st.station_id as name, coalesce(l.time_zone, p.time_zone) as time_zone, l.location_id from station st"
            " join party p using (party_id) left join location l on l.location_id = st.location_id"
            "   and ($2::uuid[] is null or l.location_id = any ($2))"
            " where st.party_id = $1 and st.station_id = $3"
            " and ($2::uuid[] is null or l.location_id is not null or exists (select from usage_day u"
            "   where u.party_id = $1 and u.level = 'station' and u.station_id = $3 and u.location_id = any ($2)))",
            scope.party_id,
            scope.locations,
            subject.station_id,
        )
    if subject.location_id is not None:
        return await conn.fetchrow(
            "select name, time_zone, location_id from location where party_id = $1"
            " and ($2::uuid[] is null or location_id = any ($2)) and location_id = $3",
            scope.party_id,
            scope.locations,
            subject.location_id,
        )
    return await conn.fetchrow(
        "select name, time_zone, null::uuid as location_id from party where party_id = $1", scope.party_id
    )


async def is_whole(conn: Connection) -> bool:
    """Whether all that was settled before anybody counted has been counted."""
    return bool(await conn.fetchval("select is_whole from usage_walk"))
