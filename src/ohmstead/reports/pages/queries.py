"""Rows behind the console's pages: read-only SQL across the rooms' tables, always of one party."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.reports.model import ConnectorNow, SessionPage, SessionRow, StationPage, StationRow
from ohmstead.reports.queries import CONNECTOR_STATE, OF_SCOPE, OPEN_SESSION, OPEN_SESSIONS
from ohmstead.sessions.queries import found_by
from ohmstead.stations.redaction import hide_secrets

# ------------------------------------------------------------------------------------------------------- stations

_STATION_STATE = """case
    when st.registration <> 'accepted' then st.registration
    when st.gateway_id is not null then 'online'
    when st.connected_at is null then 'never'
    else 'offline'
end"""

# Whole networks are read at once: a look at each station's connectors and sessions would be tens of thousands. Only
# connectors of which something is to be told are summed; the join with the stations leaves out those of others.
_STATIONS = f"""
select st.station_id, st.name, st.registration, {_STATION_STATE} as state,
       case when st.registration = 'pending' then st.created_at when st.gateway_id is not null then st.connected_at
            else st.disconnected_at end as state_at,
       st.location_id, l.name as location_name, l.city, coalesce(l.time_zone, p.time_zone) as time_zone, st.vendor,
       st.model, st.serial_number, st.firmware_version, st.ocpp_version, st.last_seen_at, x.power_w,
       case when st.gateway_id is not null then coalesce(x.n_faulted, 0) else 0 end as n_faulted,
       coalesce(x.n_charging, 0) as n_charging
from station st join party p using (party_id) left join location l using (location_id)
left join (
    select c.station_id, count(*) filter (where c.status = 'faulted') as n_faulted,
           count(*) filter (where s.charging_state = 'charging' or c.status = 'charging') as n_charging,
           sum(s.power_w) as power_w
    from connector c {OPEN_SESSIONS} where c.status in ('faulted', 'charging') or s.station_id is not null
    group by c.station_id
) x using (station_id)
where {OF_SCOPE} and st.retired_at is null
"""

_LAST_SESSION = """left join lateral (
    select session_id as last_session_id, started_at as last_session_at, energy_wh as last_session_energy_wh,
           status in ('pending', 'active') as is_last_open
    from session s where s.station_id = f.station_id and ($2::uuid[] is null or s.location_id = any ($2))
    order by s.started_at desc limit 1
) z on true"""

# To put whole networks in order by it: the session that is not settled yet, else the last one that is, which reports keep
# aside. A look at each station's sessions would be tens of thousands.
_LAST_OF_ALL = """left join (
    select distinct on (station_id) station_id, started_at, energy_wh from session
    where party_id = $1 and status in ('pending', 'active', 'closing') and ($2::uuid[] is null or location_id = any ($2))
    order by station_id, started_at desc
) o using (station_id) left join (
    select station_id, started_at, energy_wh from usage_last
    where party_id = $1 and ($2::uuid[] is null or location_id = any ($2))
) u using (station_id)"""
_IS_OPEN_LAST = "u.started_at is null or o.started_at >= u.started_at"
_KEYS = {
    "last": f", case when {_IS_OPEN_LAST} then o.started_at else u.started_at end as ordering",
    "energy": f", case when {_IS_OPEN_LAST} then o.energy_wh else u.energy_wh end as ordering",
}

_CHIPS = {
    "all": "true",
    "needs": "(state = 'offline' or state = 'pending' or n_faulted > 0)",
    "charging": "(n_charging > 0 and state = 'online')",
    "online": "state = 'online'",
    "offline": "state = 'offline'",
    "faulted": "n_faulted > 0",
    "pending": "state = 'pending'",
    "never": "state = 'never'",
}
STATION_CHIPS = tuple(_CHIPS)
# What the rows have beside the stations.
_ASIDE = frozenset({*(f"count_{name}" for name in _CHIPS), "ordering"})


def escaped(text: str) -> str:
    """Text to be found as it is by `like`, which has wildcards of its own."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_URGENCY = """case when state = 'pending' then 0 when n_faulted > 0 then 1 when state = 'offline' then 2
    when state = 'never' then 4 when state = 'rejected' then 5 else 3 end"""

_STATION_ORDERS = {
    "station": "station_id",
    "location": "location_name nulls last, station_id",
    "connection": "state, state_at desc nulls last, station_id",
    "power": "power_w nulls first, station_id",
    "last": "ordering nulls first, station_id",
    "energy": "ordering nulls first, station_id",
    "version": "ocpp_version nulls last, station_id",
    "firmware": "firmware_version nulls last, station_id",
    "urgency": f"{_URGENCY}, state_at desc nulls last, station_id",
}
STATION_ORDERS = tuple(_STATION_ORDERS)


def _turned(order: str) -> str:
    """An ORDER BY the other way round, but for the identity that breaks ties."""
    *keys, tie = order.split(", ") if ", " in order else [order, ""]
    turned = []
    for key in keys:
        nulls = " nulls last" if "nulls first" in key else " nulls first" if "nulls last" in key else ""
        name = key.replace(" nulls last", "").replace(" nulls first", "")
        turned.append((name[:-5] if name.endswith(" desc") else name + " desc") + nulls)
    return ", ".join([*turned, tie] if tie else turned)


_FOUND = f"""with found as materialized ({_STATIONS}
    and ($3 = '' or concat_ws(' ', st.station_id, st.name, l.name, l.city, st.vendor, st.model, st.serial_number,
                              st.firmware_version) ilike '%' || $3 || '%')
    and ($4::uuid is null or st.location_id = $4))"""


async def list_stations(
    conn: Connection,
    scope: Scope,
    *,
    chip: str = "all",
    text: str = "",
    location_id: UUID | None = None,
    sort: str = "urgency",
    is_descending: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> StationPage:
    """A page of stations with their connectors, and the counts under each chip for the same text and location."""
    order = _STATION_ORDERS[sort]
    beside = _LAST_OF_ALL if sort in _KEYS else ""
    rows = await conn.fetch(
        f"{_FOUND}, counts as (select "
        + ", ".join(f'count(*) filter (where {rule}) as "count_{name}"' for name, rule in _CHIPS.items())
        + f" from found), f as (select f.*{_KEYS.get(sort, '')} from found f {beside} where {_CHIPS[chip]}"
        f" order by {_turned(order) if is_descending else order} limit $5 offset $6)"
        f" select * from counts left join (select * from f {_LAST_SESSION}) r on true"
        f" order by {_turned(order) if is_descending else order}",
        scope.party_id,
        scope.locations,
        escaped(text),
        location_id,
        limit,
        offset,
    )
    counts = {name: rows[0][f"count_{name}"] for name in _CHIPS}
    stations = [_station_row(row) for row in rows if row["station_id"] is not None]
    by_station: dict[str, list[ConnectorNow]] = {}
    for connector in await list_connectors(conn, scope.party_id, [s.station_id for s in stations]):
        by_station.setdefault(connector.station_id, []).append(connector)
    for station in stations:
        station.connectors = by_station.get(station.station_id, [])
    return StationPage(rows=stations, n_found=counts[chip], counts=counts)


def _station_row(row: Row) -> StationRow:
    fields = {name: value for name, value in row.items() if name not in _ASIDE}
    is_open = bool(fields.pop("is_last_open"))
    return StationRow(**fields, is_last_session_open=is_open)


async def list_station_ids(
    conn: Connection, scope: Scope, *, chip: str = "all", text: str = "", location_id: UUID | None = None
) -> list[str]:
    """All stations that the list would show."""
    rows = await conn.fetch(
        f"{_FOUND} select station_id from found where {_CHIPS[chip]} order by station_id",
        scope.party_id,
        scope.locations,
        escaped(text),
        location_id,
    )
    return [row["station_id"] for row in rows]


async def list_connectors(conn: Connection, party_id: UUID, station_ids: list[str]) -> list[ConnectorNow]:
    """The connectors of some stations as they are now."""
    rows = await conn.fetch(
        f"select c.station_id, c.evse_number, c.connector_number, {CONNECTOR_STATE} as state, c.status, c.status_at,"
        " c.standard, coalesce(c.max_power_w, e.max_power_w) as max_power_w, e.current_type, c.error_code, c.info,"
        " c.vendor_error_code, s.session_id, s.started_at as session_started_at, s.transaction_id, s.token_uid,"
        " s.charging_state, s.energy_wh, s.power_w, s.power_at, s.soc_start_percent, s.soc_percent,"
        " count(*) over (partition by c.station_id, c.evse_number) = 1 as is_only_connector"
        f" from station st join connector c using (station_id) join evse e using (station_id, evse_number) {OPEN_SESSION}"
        " where st.party_id = $1 and c.station_id = any ($2)"
        " order by c.station_id, c.evse_number, c.connector_number",
        party_id,
        station_ids,
    )
    return [ConnectorNow(**row) for row in rows]


async def find_station(conn: Connection, party_id: UUID, station_id: str) -> Row | None:
    """Everything known of one station, without its secret."""
    return await conn.fetchrow(
        f"select st.station_id, st.party_id, st.name, st.registration, {_STATION_STATE} as state, st.security_profile,"
        " st.secret_hash is not null as has_secret, st.certificate_name, st.is_lab, st.vendor, st.model,"
        " st.serial_number, st.firmware_version, st.iccid, st.imsi, st.meter_type, st.meter_serial_number,"
        " st.ocpp_version, st.heartbeat_interval_s, st.max_power_w, st.status, st.status_at, st.error_code, st.info,"
        " st.boot_reason, st.booted_at, st.connected_at, st.disconnected_at, st.remote_address,"
        " greatest(st.last_seen_at, (select max(received_at) from ocpp_message m where m.station_id = st.station_id"
        "   and m.direction = 'in')) as last_seen_at,"
        " st.version, st.created_at, st.retired_at, st.location_id, l.name as location_name, l.address, l.city,"
        " l.latitude, l.longitude, coalesce(l.time_zone, p.time_zone) as time_zone"
        " from station st join party p using (party_id) left join location l using (location_id)"
        " where st.party_id = $1 and st.station_id = $2",
        party_id,
        station_id,
    )


async def count_stations(conn: Connection, scope: Scope) -> int:
    """How many there are."""
    n: int = await conn.fetchval(
        "select count(*) from station where party_id = $1 and ($2::uuid[] is null or location_id = any ($2))",
        scope.party_id,
        scope.locations,
    )
    return n


async def neighbours(conn: Connection, scope: Scope, station_id: str) -> tuple[str | None, str | None]:
    """The stations before and after in the order of their ids."""
    row = await conn.fetchrow(
        "select (select max(station_id) from station where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and retired_at is null and station_id < $3) as a,"
        " (select min(station_id) from station where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and retired_at is null and station_id > $3) as b",
        scope.party_id,
        scope.locations,
        station_id,
    )
    assert row is not None
    return row["a"], row["b"]


async def list_locations(conn: Connection, scope: Scope) -> list[Row]:
    return await conn.fetch(
        "select location_id, name from location where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2)) order by name, location_id limit 1000",
        scope.party_id,
        scope.locations,
    )


async def status_history(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime | None = None
) -> list[Row]:
    """States of connectors since then, each connector's first row being the state it was in before; none from `until` on."""
    return await conn.fetch(
        "select evse_number, connector_number, at, status, error_code from ("
        "  select k.* from status_change k where k.station_id = $2 and k.at >= $3 and ($4::timestamptz is null or k.at < $4)"
        "  union all select k.* from connector c cross join lateral (select * from status_change k"
        "    where k.station_id = c.station_id and k.evse_number = c.evse_number"
        "    and k.connector_number = c.connector_number and k.at < $3 and k.at > $3::timestamptz - interval '90 days'"
        "    order by k.at desc limit 1) k where c.station_id = $2) h"
        " where exists (select from station where station_id = $2 and party_id = $1) and evse_number > 0"
        " order by evse_number, connector_number, at",
        party_id,
        station_id,
        since,
        until,
    )


async def connection_history(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime | None = None
) -> list[Row]:
    """Connects and disconnects since then, the last one before first; none from `until` on."""
    return await conn.fetch(
        "select at, is_connected, reason from ("
        "  select * from connection_change where station_id = $2 and at >= $3"
        "    and ($4::timestamptz is null or at < $4)"
        "  union all (select * from connection_change where station_id = $2 and at < $3"
        "    and at > $3::timestamptz - interval '90 days' order by at desc limit 1)) h"
        " where exists (select from station where station_id = $2 and party_id = $1) order by at, is_connected",
        party_id,
        station_id,
        since,
        until,
    )


async def sessions_at(
    conn: Connection, scope: Scope, station_id: str, since: datetime, until: datetime | None = None
) -> list[Row]:
    """Sessions at a station that were going on after `since`, begun before `until`."""
    return await conn.fetch(
        "select session_id, evse_number, connector_number, started_at, ended_at, last_event_at, energy_wh, status,"
        " charging_state, charging_s, anomalies from session where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and station_id = $3"
        " and started_at > $4::timestamptz - interval '7 days'"
        " and coalesce(ended_at, last_event_at) >= $4 and status <> 'invalid'"
        " and ($5::timestamptz is null or started_at < $5) order by started_at",
        scope.party_id,
        scope.locations,
        station_id,
        since,
        until,
    )


async def power_samples(conn: Connection, party_id: UUID, session_ids: list[UUID], since: datetime) -> list[Row]:
    """Measured powers of some sessions, oldest first."""
    return await conn.fetch(
        "select p.session_id, p.sampled_at, p.power_w, p.energy_wh from session s join sample p using (session_id)"
        " where s.party_id = $1 and s.session_id = any ($2) and p.sampled_at >= $3"
        " order by p.session_id, p.sampled_at limit 20000",
        party_id,
        session_ids,
        since,
    )


async def count_variables(conn: Connection, party_id: UUID, station_id: str) -> int:
    n: int = await conn.fetchval(
        "select count(*) from station st join station_variable v using (station_id)"
        " where st.party_id = $1 and st.station_id = $2",
        party_id,
        station_id,
    )
    return n


async def list_commands(conn: Connection, party_id: UUID, station_id: str, limit: int) -> list[dict[str, Any]]:
    """Orders given to a station, newest first; station passwords in them are blotted out."""
    rows = await conn.fetch(
        "select command_id, kind, action, parameters, status, requested_at, answered_at, answer, error_code, error_text"
        " from command where party_id = $1 and station_id = $2 order by requested_at desc limit $3",
        party_id,
        station_id,
        limit,
    )
    return [
        {**row, "parameters": hide_secrets(row["parameters"]), "answer": hide_secrets(row["answer"])} for row in rows
    ]


# ------------------------------------------------------------------------------------------------------- sessions

_SESSION_COLUMNS = """s.session_id, s.station_id, l.name as location_name, coalesce(l.time_zone, p.time_zone) as time_zone,
    s.evse_number, s.connector_number, s.transaction_id, s.status, s.charging_state, s.token_uid,
    nullif(k.label, '') as token_label, s.started_at, s.ended_at, s.last_event_at, s.energy_wh, s.power_w, s.peak_power_w,
    s.soc_start_percent, s.soc_percent, s.stop_reason, s.anomalies, s.is_orphan, s.ocpp_version, s.charging_s"""

_SESSION_JOINS = """from s join party p using (party_id)
    left join location l on l.location_id = s.location_id left join token k on k.token_id = s.token_id"""

_SESSION_CHIPS = {
    "all": "true",
    "now": "s.status in ('pending', 'active')",
    "completed": "s.status = 'completed'",
    "odd": "cardinality(s.anomalies) > 0",
    "orphan": "s.is_orphan",
    "open": "s.status = 'closing'",
}
SESSION_CHIPS = tuple(_SESSION_CHIPS)


# Counting all that a list holds would take as long as the list is; up to here it is counted.
MOST_COUNTED = 10_000


async def list_sessions(
    conn: Connection,
    scope: Scope,
    *,
    chip: str = "all",
    text: str = "",
    station_id: str = "",
    location_id: UUID | None = None,
    token_uid: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> SessionPage:
    """Sessions, newest start first; `before` continues after a row. Text: see `sessions.queries.found_by`."""
    where = Conditions()
    where.add("s.party_id = {}", scope.party_id)
    where.add_given("s.location_id = any({})", scope.locations)
    where.add(_SESSION_CHIPS[chip])
    where.add_given("s.station_id = {}", station_id or None)
    where.add_given("s.location_id = {}", location_id)
    if token_uid:
        where.add("s.token_uid is not null and s.token_key = {}", token_uid.lower())
    where.add_given("s.started_at >= {}", since)
    where.add_given("s.started_at < {}", until)
    if text:
        where.add(*await found_by(conn, scope, text))
    sums = await conn.fetchrow(
        "select count(*) as n, coalesce(sum(energy_wh), 0) as energy_wh from (select s.energy_wh from session s"
        f" where {where.sql} limit {MOST_COUNTED + 1}) c",
        *where.values,
    )
    assert sums is not None
    if before:
        # Two conditions, because the index runs down in time and up in ids.
        where.add("s.started_at <= {}", before[0])
        where.add("s.started_at < {} or s.session_id > {}", *before)
    rows = await conn.fetch(
        f"with s as (select * from session s where {where.sql} order by s.started_at desc, s.session_id"
        f" limit {where.parameter(limit + 1)})"
        f" select {_SESSION_COLUMNS} {_SESSION_JOINS} order by s.started_at desc, s.session_id",
        *where.values,
    )
    return SessionPage(
        rows=[SessionRow(**row) for row in rows[:limit]],
        has_more=len(rows) > limit,
        n_found=min(sums["n"], MOST_COUNTED),
        is_counted=sums["n"] <= MOST_COUNTED,
        energy_wh=sums["energy_wh"],
    )


async def find_session(conn: Connection, party_id: UUID, session_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select s.*, l.name as location_name, coalesce(l.time_zone, p.time_zone) as time_zone, k.label as token_label,"
        " st.gateway_id is not null as is_online, coalesce(e.max_power_w, st.max_power_w) as rated_power_w"
        " from session s join party p using (party_id) join station st using (station_id)"
        " left join location l on l.location_id = s.location_id left join token k on k.token_id = s.token_id"
        " left join evse e on e.station_id = s.station_id and e.evse_number = s.evse_number"
        " where s.party_id = $1 and s.session_id = $2",
        party_id,
        session_id,
    )


async def session_samples(conn: Connection, party_id: UUID, session_id: UUID, limit: int, offset: int = 0) -> list[Row]:
    """Readings of a session, oldest first."""
    return await conn.fetch(
        "select p.sampled_at, p.context, p.energy_wh, p.power_w, p.soc_percent, p.readings"
        " from session s join sample p using (session_id) where s.party_id = $1 and s.session_id = $2"
        " order by p.sampled_at, p.context limit $3 offset $4",
        party_id,
        session_id,
        limit,
        offset,
    )


async def session_events(conn: Connection, party_id: UUID, session_id: UUID) -> list[Row]:
    return await conn.fetch(
        "select e.at, e.kind, e.detail from session s join session_event e using (session_id)"
        " where s.party_id = $1 and s.session_id = $2 order by e.at, e.received_at limit 500",
        party_id,
        session_id,
    )


async def session_periods(conn: Connection, party_id: UUID, session_id: UUID) -> list[Row]:
    return await conn.fetch(
        "select c.started_at, c.ended_at, c.kind, c.energy_wh from session s join charging_period c using (session_id)"
        " where s.party_id = $1 and s.session_id = $2 order by c.started_at",
        party_id,
        session_id,
    )


async def sessions_called(conn: Connection, party_id: UUID, session_ids: list[UUID]) -> list[SessionRow]:
    """These sessions, newest start first."""
    rows = await conn.fetch(
        "with s as materialized (select * from session where party_id = $1 and session_id = any($2))"
        f" select {_SESSION_COLUMNS} {_SESSION_JOINS} order by s.started_at desc, s.session_id",
        party_id,
        session_ids,
    )
    return [SessionRow(**row) for row in rows]
