"""The network in figures: read-only SQL across the rooms' tables. Nothing here names a session or a station to change."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection, Row
from ohmstead.reports.model import NetworkState, Past, PowerPoint, SessionCounts, Site

# The state pages show of a connector: what it says of itself, unless nobody can hear it or its session knows better
# (2.x connectors are only `occupied`). c: connector, st: station, s: its open session.
CONNECTOR_STATE = """case
    when st.gateway_id is null then 'offline'
    when c.status in ('occupied', 'charging') and s.charging_state in
         ('charging', 'suspended_ev', 'suspended_evse', 'connected') then s.charging_state
    else c.status
end"""

# A partial index holds the open sessions of each station.
OPEN_SESSION = """left join lateral (
    select * from session o
    where o.station_id = c.station_id and o.evse_number = c.evse_number and o.status in ('pending', 'active')
      and (o.connector_number is null or o.connector_number = c.connector_number)
    order by o.started_at desc limit 1
) s on true"""

# The same for all connectors of the party $1 at once. An EVSE charges one car at a time: its latest session counts.
OPEN_SESSIONS = """left join (
    select distinct on (o.station_id, o.evse_number) o.station_id, o.evse_number, o.connector_number, o.charging_state,
           o.power_w
    from session o where o.party_id = $1 and o.status in ('pending', 'active')
    order by o.station_id, o.evse_number, o.started_at desc
) s on s.station_id = c.station_id and s.evse_number = c.evse_number
   and (s.connector_number is null or s.connector_number = c.connector_number)"""

# In every query here $1 is the party and $2 the locations of the scope, null for all.
OF_SCOPE = "st.party_id = $1 and ($2::uuid[] is null or st.location_id = any ($2))"
SERVING = f"{OF_SCOPE} and st.retired_at is null and st.registration = 'accepted'"

# A power reading older than this says nothing about now.
POWER_GOOD_FOR = timedelta(minutes=15)
# Older changes of connection are not searched for: a station silent for so long counts as offline.
LOOK_BACK = timedelta(days=45)


# any party: metrics are the installation's
async def installation_state(conn: Connection) -> tuple[dict[str, int], dict[str, int], int]:
    """Stations by state, connectors in service by status, and how many sessions go on."""
    stations = await conn.fetch(
        "select case when registration <> 'accepted' then registration when gateway_id is null then 'offline'"
        " else 'online' end as state, count(*) as n from station where retired_at is null group by 1"
    )
    connectors = await conn.fetch(
        "select case when st.gateway_id is null then 'offline' else c.status end as status, count(*) as n"
        " from station st join connector c using (station_id)"
        " where st.retired_at is null and st.registration = 'accepted' group by 1"
    )
    n_open: int = await conn.fetchval("select count(*) from session where status in ('pending', 'active')")
    return {row["state"]: row["n"] for row in stations}, {row["status"]: row["n"] for row in connectors}, n_open


async def network_state(conn: Connection, scope: Scope, at: datetime) -> NetworkState:
    stations = await conn.fetchrow(
        "select count(*) filter (where registration = 'accepted') as n_stations,"
        " count(*) filter (where registration = 'accepted' and gateway_id is not null) as n_online,"
        " count(*) filter (where registration = 'pending') as n_pending,"
        " count(*) filter (where registration = 'accepted' and connected_at is null) as n_never_seen"
        " from station where party_id = $1 and ($2::uuid[] is null or location_id = any ($2)) and retired_at is null",
        scope.party_id,
        scope.locations,
    )
    assert stations is not None
    states = await conn.fetch(
        f"select {CONNECTOR_STATE} as state, count(*) as n"
        f" from station st join connector c using (station_id) {OPEN_SESSIONS} where {SERVING} group by 1",
        scope.party_id,
        scope.locations,
    )
    power = await conn.fetchrow(
        "select coalesce(sum(s.power_w), 0) as power_w, count(*) filter (where s.power_w > 0) as n_powered"
        " from session s join station st using (station_id)"
        " where s.party_id = $1"
        " and ($2::uuid[] is null or s.location_id = any ($2))"
        " and s.status in ('pending', 'active') and s.power_at > $3 and st.gateway_id is not null",
        scope.party_id,
        scope.locations,
        at - POWER_GOOD_FOR,
    )
    assert power is not None
    return NetworkState(
        **stations,
        connectors={row["state"]: row["n"] for row in states},
        power_w=power["power_w"],
        n_powered=power["n_powered"],
    )


async def past(conn: Connection, scope: Scope, at: datetime) -> Past:
    """How many stations were online and how many connectors out of order at an earlier instant."""
    stations = await conn.fetchrow(
        "select count(*) as n_stations, count(*) filter (where case"
        " when st.gateway_id is not null and st.connected_at <= $3 then true"
        " else coalesce((select k.is_connected from connection_change k where k.station_id = st.station_id"
        "   and k.at <= $3 and k.at > $4 order by k.at desc limit 1), false) end) as n_online"
        " from station st where st.party_id = $1"
        " and ($2::uuid[] is null or st.location_id = any ($2))"
        " and st.created_at <= $3 and (st.retired_at is null or st.retired_at > $3)",
        scope.party_id,
        scope.locations,
        at,
        at - LOOK_BACK,
    )
    assert stations is not None
    # Faults are few and have an index of their own; a look at what each connector was then would be tens of thousands.
    n_faulted = await conn.fetchval(
        "select count(*) from station st join (select station_id, evse_number, connector_number from connector"
        "   where status = 'faulted' and status_at <= $3"
        " union select station_id, evse_number, connector_number from ("
        "   select distinct on (station_id, evse_number, connector_number) * from status_change"
        "   where status = 'faulted' and at <= $3 and at > $4"
        "   order by station_id, evse_number, connector_number, at desc) k"
        "   join connector using (station_id, evse_number, connector_number)"
        "   where not exists (select from status_change n where n.station_id = k.station_id and n.evse_number = k.evse_number"
        "    and n.connector_number = k.connector_number and n.at > k.at and n.at <= $3)) c using (station_id)"
        f" where {SERVING}",
        scope.party_id,
        scope.locations,
        at,
        at - LOOK_BACK,
    )
    return Past(at=at, **stations, n_faulted=n_faulted)


async def session_counts(
    conn: Connection, scope: Scope, today: datetime, yesterday: datetime, yesterday_until: datetime
) -> SessionCounts:
    """Sessions begun since `today`, and from `yesterday` until `yesterday_until`; orphans do not count."""
    row = await conn.fetchrow(
        "select count(*) filter (where started_at >= $3) as today,"
        " count(*) filter (where started_at >= $4 and started_at < $5) as yesterday"
        " from session where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and started_at >= $4 and status <> 'invalid'",
        scope.party_id,
        scope.locations,
        today,
        yesterday,
        yesterday_until,
    )
    assert row is not None
    return SessionCounts(**row)


# Each step of a session's register is spread evenly over the time it took; steps are then cut at the borders of the
# chart's steps. So readings every ten seconds and a start and stop alone give the same energy.
_CURVE = """
with running as (
    select session_id, register_start_at, register_start_wh, register_last_at, register_last_wh from session
    where party_id = $1 and ($2::uuid[] is null or location_id = any ($2))
      and started_at > $3::timestamptz - interval '3 days' and started_at < $4::timestamptz
      and coalesce(ended_at, last_event_at, started_at) > $3::timestamptz and status <> 'invalid'
), point as (
    select p.session_id, p.sampled_at as at, p.energy_wh::float8 from running join sample p using (session_id)
    where p.sampled_at >= $3::timestamptz and p.sampled_at < $4::timestamptz and p.energy_wh is not null
    union all
    select p.session_id, p.sampled_at, p.energy_wh::float8 from running cross join lateral (
        select session_id, sampled_at, energy_wh from sample p
        where p.session_id = running.session_id and p.sampled_at < $3::timestamptz
          and p.sampled_at > $3::timestamptz - interval '1 day' and p.energy_wh is not null
        order by p.sampled_at desc limit 1) p
    where running.register_start_at < $3::timestamptz
    union all
    select p.session_id, p.sampled_at, p.energy_wh::float8 from running cross join lateral (
        select session_id, sampled_at, energy_wh from sample p
        where p.session_id = running.session_id and p.sampled_at >= $4::timestamptz
          and p.sampled_at < $4::timestamptz + interval '1 day' and p.energy_wh is not null
        order by p.sampled_at limit 1) p
    where running.register_last_at >= $4::timestamptz
    union all
    select session_id, register_start_at, register_start_wh::float8 from running where register_start_wh is not null
    union all
    select session_id, register_last_at, register_last_wh::float8 from running where register_last_wh is not null
), step as (
    select at as until, lag(at) over w as since, energy_wh - lag(energy_wh) over w as energy_wh
    from point window w as (partition by session_id order by at, energy_wh)
), cut as (
    select b as at, energy_wh * extract(epoch from least(until, b + $5::interval) - greatest(since, b))::float8
                              / extract(epoch from until - since)::float8 as energy_wh
    from step, generate_series(date_bin($5::interval, greatest(since, $3::timestamptz), $3::timestamptz),
                               least(until, $4::timestamptz), $5::interval) b
    where until > since and until > $3::timestamptz and since < $4::timestamptz and energy_wh > 0 and energy_wh < 2000000
      and least(until, b + $5::interval) > greatest(since, b)
)
select at, sum(energy_wh) * 3600 / extract(epoch from $5::interval)::float8 as power_w
from cut where at >= $3::timestamptz and at < $4::timestamptz group by at order by at
"""


async def power_curve(
    conn: Connection, scope: Scope, since: datetime, until: datetime, step: timedelta
) -> list[PowerPoint]:
    """Mean power per step from metered energy; steps in which nothing flowed are left out."""
    return [
        PowerPoint(row["at"], row["power_w"])
        for row in await conn.fetch(_CURVE, scope.party_id, scope.locations, since, until, step)
    ]


async def sites(conn: Connection, scope: Scope) -> list[Site]:
    """Locations with coordinates and what their stations do."""
    rows = await conn.fetch(
        "select l.location_id, l.name, l.latitude, l.longitude, count(*) as n_stations,"
        " count(*) filter (where st.gateway_id is null and st.connected_at is not null) as n_offline,"
        " coalesce(sum(x.n_faulted), 0)::bigint as n_faulted, coalesce(sum(x.n_charging), 0)::bigint as n_charging,"
        " coalesce(sum(x.n_connectors), 0)::bigint as n_connectors"
        " from location l join station st using (location_id)"
        " left join (select station_id, count(*) as n_connectors, count(*) filter (where state = 'faulted') as n_faulted,"
        "   count(*) filter (where state = 'charging') as n_charging from ("
        f"   select c.station_id, {CONNECTOR_STATE} as state from station st join connector c using (station_id)"
        f"   {OPEN_SESSIONS} where {OF_SCOPE}) k group by station_id) x using (station_id)"
        f" where {SERVING} and l.latitude is not null and l.longitude is not null"
        " group by l.location_id order by l.name, l.location_id",
        scope.party_id,
        scope.locations,
    )
    return [Site(**row) for row in rows]


async def offline_stations(conn: Connection, scope: Scope) -> list[Row]:
    """Stations that were here and are gone."""
    return await conn.fetch(
        "select st.station_id, st.disconnected_at, st.location_id, l.name as location_name,"
        " (select count(*) from connector c where c.station_id = st.station_id) as n_connectors,"
        " (select k.reason from connection_change k where k.station_id = st.station_id and not k.is_connected"
        "   and k.at = st.disconnected_at limit 1) as reason"
        " from station st left join location l using (location_id)"
        f" where {SERVING} and st.gateway_id is null and st.connected_at is not null"
        " order by st.disconnected_at desc nulls last limit 200",
        scope.party_id,
        scope.locations,
    )


async def faulted_connectors(conn: Connection, scope: Scope) -> list[Row]:
    """Connectors, and stations as a whole (EVSE 0), that say they are out of order."""
    return await conn.fetch(
        "select * from (select c.station_id, c.evse_number, c.connector_number, c.status_at, c.error_code, c.info,"
        " c.vendor_error_code, st.location_id, l.name as location_name"
        " from station st join connector c using (station_id) left join location l using (location_id)"
        f" where {SERVING} and st.gateway_id is not null and c.status = 'faulted'"
        " union all select st.station_id, 0, 0, st.status_at, st.error_code, st.info, null, st.location_id, l.name"
        " from station st left join location l using (location_id)"
        f" where {SERVING} and st.gateway_id is not null and st.status = 'faulted') f"
        " order by status_at desc nulls last limit 200",
        scope.party_id,
        scope.locations,
    )


async def pending_stations(conn: Connection, scope: Scope) -> list[Row]:
    """Stations that knocked and wait to be adopted."""
    return await conn.fetch(
        "select station_id, vendor, model, remote_address, created_at, last_seen_at, gateway_id is not null as is_online"
        " from station where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and registration = 'pending' and retired_at is null"
        " order by created_at desc limit 50",
        scope.party_id,
        scope.locations,
    )


async def ignored_profiles(conn: Connection, scope: Scope) -> list[Row]:
    """Where a station would deliver more than the profiles it accepted allow, or cannot be believed."""
    return await conn.fetch(
        "select c.station_id, c.evse_number, c.status, c.detail, c.since from profile_check c"
        " join station st using (station_id) where "
        f"{SERVING} and c.status in ('differs', 'doubtful') order by c.since desc limit 200",
        scope.party_id,
        scope.locations,
    )


async def orphan_sessions(conn: Connection, scope: Scope, since: datetime) -> list[Row]:
    """Charges that stations ended and nobody saw begin, by station."""
    return await conn.fetch(
        "select s.station_id, count(*) as n, max(s.first_received_at) as last_at,"
        " (array_agg(s.session_id order by s.first_received_at desc))[1] as session_id,"
        " bool_or('foreign_transaction' = any (s.anomalies)) as is_foreign"
        " from session s where s.party_id = $1"
        " and ($2::uuid[] is null or s.location_id = any ($2))"
        " and s.is_orphan and s.started_at > $3"
        " group by s.station_id order by max(s.first_received_at) desc limit 50",
        scope.party_id,
        scope.locations,
        since,
    )


async def refused_connections(conn: Connection, scope: Scope, since: datetime) -> list[Row]:
    """Who was turned away at the door. A knock under nobody's identity is the business of who runs the installation."""
    return await conn.fetch(
        "select g.station_id, g.remote_address, (array_agg(g.detail ->> 'reason' order by g.at desc))[1] as reason,"
        " count(*) as n, max(g.at) as last_at, bool_or(st.station_id is not null) as is_known"
        " from security_signal g left join station any_st on lower(any_st.station_id) = lower(g.station_id)"
        " left join station st on st.station_id = any_st.station_id and st.party_id = $1"
        " where g.at > $3 and g.kind = 'connection_refused'"
        " and (g.party_id = $1 or (g.party_id is null and (st.station_id is not null or (any_st.station_id is null"
        "   and exists (select from party p where p.party_id = $1 and p.owns_installation)))))"
        " and ($2::uuid[] is null or st.location_id = any ($2))"
        " group by g.station_id, g.remote_address order by max(g.at) desc limit 20",
        scope.party_id,
        scope.locations,
        since,
    )


async def ending_certificates(conn: Connection, scope: Scope, until: datetime) -> list[Row]:
    """Good now and over by then, with nothing in their place; the next to end first. Those that are short-lived by
    intention count in their last quarter only.
    """
    return await conn.fetch(
        "select c.station_id, c.kind, c.subject, c.not_after from certificate c"
        " left join station st on st.station_id = c.station_id"
        " where c.party_id = $1 and ($2::uuid[] is null or st.location_id = any ($2))"
        " and c.not_after > now() and c.not_after < $3 and c.status = 'active' and c.replaced_by is null"
        " and now() > c.not_after - (c.not_after - c.not_before) / 4 and st.retired_at is null order by c.not_after limit 50",
        scope.party_id,
        scope.locations,
        until,
    )


async def webhooks_off(conn: Connection, party_id: UUID) -> list[Row]:
    """Webhooks that were switched off though nobody wanted it, the last one first."""
    return await conn.fetch(
        "select webhook_id, url, description, disabled_why, disabled_at from webhook where party_id = $1"
        " and not is_enabled and disabled_why <> 'by_hand' order by disabled_at desc limit 20",
        party_id,
    )


async def recent_sessions(conn: Connection, scope: Scope, since: datetime, limit: int) -> list[Row]:
    """Sessions that began or ended lately, for the feed."""
    return await conn.fetch(
        "select session_id, station_id, evse_number, status, charging_state, started_at, ended_at, energy_wh, power_w,"
        " power_at, soc_percent, token_uid, stop_reason, is_orphan from session"
        " where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and started_at > $3 order by greatest(started_at, ended_at) desc limit $4",
        scope.party_id,
        scope.locations,
        since,
        limit,
    )


async def recent_connections(conn: Connection, scope: Scope, since: datetime, limit: int) -> list[Row]:
    """The last change of each station's connection."""
    return await conn.fetch(
        "select station_id, gateway_id is not null as is_connected, ocpp_version,"
        " case when gateway_id is not null then connected_at else disconnected_at end as at from station"
        " where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and retired_at is null and greatest(connected_at, disconnected_at) > $3"
        " order by 4 desc nulls last limit $4",
        scope.party_id,
        scope.locations,
        since,
        limit,
    )


async def party_frame(conn: Connection, party_id: UUID) -> Row | None:
    """What every page's frame says of the party."""
    return await conn.fetchrow("select name, time_zone, created_at from party where party_id = $1", party_id)


async def has_stations(conn: Connection, scope: Scope) -> bool:
    return bool(
        await conn.fetchval(
            "select exists (select from station where party_id = $1"
            " and ($2::uuid[] is null or location_id = any ($2)) and retired_at is null)",
            scope.party_id,
            scope.locations,
        )
    )
