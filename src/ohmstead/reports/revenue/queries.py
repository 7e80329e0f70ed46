"""What CDRs brought in, read for a party: all of it, a location, or a station."""

from __future__ import annotations

from datetime import timedelta

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.reports.revenue.model import Earned
from ohmstead.reports.usage.model import Subject
from ohmstead.reports.usage.periods import UsagePeriod
from ohmstead.reports.usage.queries import MOST_PLACES, days_of, places_of

_ADDED = "sum(u.n_cdrs)::bigint as n_cdrs, sum(u.before_taxes) as before_taxes, sum(u.total) as total"


def earned_of(row: Row) -> Earned:
    """The sums in a row."""
    return Earned(n_cdrs=row["n_cdrs"], before_taxes=row["before_taxes"], total=row["total"])


async def by_day(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod) -> list[Row]:
    """Sums by currency and day."""
    where = days_of(scope, subject, period)
    return await conn.fetch(
        f"select u.currency, u.day, {_ADDED} from revenue_day u where {where.sql} group by 1, 2 order by 1, 2",
        *where.values,
    )


async def by_hour(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod) -> list[Row]:
    """Sums by currency and hour on the wall, of a few days: from the CDRs themselves."""
    where = Conditions()
    where.add("s.party_id = {}", scope.party_id)
    where.add_given("s.location_id = any({})", scope.locations)
    where.add_given("s.location_id = {}", subject.location_id)
    where.add_given("s.station_id = {}", subject.station_id)
    # Walls are at most 14 hours from UTC.
    where.add("s.started_at >= {}::date::timestamp at time zone 'UTC'", period.first - timedelta(days=1))
    where.add("s.started_at < {}::date::timestamp at time zone 'UTC'", period.last + timedelta(days=2))
    day = where.parameter(period.first), where.parameter(period.last)
    return await conn.fetch(
        "select currency, date_trunc('hour', wall_at) as wall_at, sum(n)::bigint as n_cdrs, sum(before_taxes) as before_taxes,"
        " sum(total) as total from (select c.currency, case c.kind when 'charge' then 1 else -1 end as n, c.before_taxes,"
        " c.total, c.started_at at time zone coalesce(l.time_zone, p.time_zone) as wall_at from session s"
        " join cdr c on c.session_id = s.session_id join party p on p.party_id = c.party_id"
        f" left join location l on l.location_id = c.location_id where {where.sql}) x"
        f" where wall_at::date between {day[0]}::date and {day[1]}::date group by 1, 2 order by 1, 2",
        *where.values,
    )


async def by_place(conn: Connection, scope: Scope, subject: Subject, period: UsagePeriod) -> list[Row]:
    """Sums by currency and location that the scope sees, or station of a location: those that brought in most. A station
    has none.
    """
    if subject.station_id is not None:
        return []
    where, key, name, join = places_of(scope, subject, period)
    return await conn.fetch(
        f"with k as (select u.currency, {key} as key, {_ADDED} from revenue_day u where {where.sql} group by 1, 2"
        f" order by before_taxes desc, 2 limit {where.parameter(MOST_PLACES)})"
        f" select k.*, {name} as name from k {join} order by k.before_taxes desc, k.key",
        *where.values,
    )
