"""The sums of CDRs, counted anew; otherwise a trigger keeps them (migration 0048)."""

from __future__ import annotations

from ohmstead.core.db import Connection
from ohmstead.reports.usage.queries import NOWHERE

_ALL = """
insert into revenue_day (party_id, level, location_id, station_id, day, currency, n_cdrs, before_taxes, total)
select x.party_id, v.level, v.location_id, v.station_id, x.day, x.currency, sum(x.n), sum(x.before_taxes), sum(x.total)
from (select c.party_id, coalesce(c.location_id, $1::uuid) as location_id, c.station_id,
             (c.started_at at time zone coalesce(l.time_zone, p.time_zone))::date as day, c.currency,
             case c.kind when 'charge' then 1 else -1 end as n, c.before_taxes, c.total
      from cdr c join party p using (party_id) left join location l on l.location_id = c.location_id) x
cross join lateral (values ('party', $1::uuid, ''), ('location', x.location_id, ''), ('station', x.location_id, x.station_id))
    v (level, location_id, station_id)
group by x.party_id, v.level, v.location_id, v.station_id, x.day, x.currency
"""


# any party: every party's CDRs count
async def count_anew(conn: Connection) -> None:
    """All sums, from all CDRs, in the caller's transaction. Bills that are made meanwhile wait for it, and count after it."""
    await conn.execute("lock table revenue_day in exclusive mode")
    await conn.execute("delete from revenue_day")
    await conn.execute(_ALL, NOWHERE)
