"""Rows behind the pages of locations: read-only SQL across the rooms' tables, always of one party."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import like
from ohmstead.core.db import Connection, Row
from ohmstead.reports.model import Site
from ohmstead.reports.queries import CONNECTOR_STATE, OPEN_SESSION, SERVING

_ORDERS = {
    "name": "name, location_id",
    "city": "nullif(city, '') nulls last, name, location_id",
    "stations": "n_stations, name, location_id",
    "trouble": "n_faulted desc, n_offline desc, name, location_id",
    "access": "access, name, location_id",
}
_DESCENDING = {
    "name": "name desc, location_id",
    "city": "nullif(city, '') desc nulls last, name, location_id",
    "stations": "n_stations desc, name, location_id",
    "trouble": "n_faulted, n_offline, name, location_id",
    "access": "access desc, name, location_id",
}
SITE_ORDERS = tuple(_ORDERS)
_CHIPS = {
    "all": "true",
    "trouble": "(n_faulted > 0 or n_offline > 0)",
    "empty": "n_stations = 0",
    "hidden": "not is_published",
}
SITE_CHIPS = tuple(_CHIPS)

_FOUND = """with found as (
    select l.location_id, l.name, l.address, l.city, l.access, l.time_zone, l.help_phone, l.opening, l.is_published,
           l.facilities, count(st.station_id) as n_stations,
           count(st.station_id) filter (where st.gateway_id is null and st.connected_at is not null) as n_offline,
           coalesce(sum(x.n_faulted) filter (where st.gateway_id is not null), 0)::integer as n_faulted,
           coalesce(sum(x.n_plugs), 0)::integer as n_plugs
    from location l
    left join station st on st.location_id = l.location_id and st.retired_at is null and st.registration = 'accepted'
    left join lateral (select count(*) filter (where c.status = 'faulted') as n_faulted, count(*) as n_plugs
                       from connector c where c.station_id = st.station_id) x on true
    where l.party_id = $1
      and ($2 = '' or concat_ws(' ', l.name, l.address, l.city, l.postal_code, l.reference) ilike $2)
      and ($3::text is null or l.access = $3) and ($4::text is null or $4 = any(l.facilities))
      and ($5::uuid[] is null or l.location_id = any($5))
    group by l.location_id
)"""


class SitePage(Struct, kw_only=True):
    """A page of locations, how many there are in all, and how many under each chip."""

    rows: list[dict[str, Any]]
    n_found: int
    counts: dict[str, int]


async def list_sites(
    conn: Connection,
    scope: Scope,
    *,
    chip: str = "all",
    text: str = "",
    access: str | None = None,
    facility: str | None = None,
    sort: str = "name",
    is_descending: bool = False,
    today: datetime,
    month: datetime,
    limit: int = 50,
    offset: int = 0,
) -> SitePage:
    """Locations with their stations; the energy of sessions begun since `today` and since `month` for those shown."""
    values = (scope.party_id, like(text) if text else "", access, facility, scope.locations)
    counts = await conn.fetchrow(
        _FOUND
        + " select "
        + ", ".join(f'count(*) filter (where {rule}) as "{name}"' for name, rule in _CHIPS.items())
        + " from found",
        *values,
    )
    assert counts is not None
    order = (_DESCENDING if is_descending else _ORDERS)[sort]
    rows = await conn.fetch(
        f"{_FOUND}, shown as (select * from found where {_CHIPS[chip]} order by {order} limit $6 offset $7)"
        " select shown.*, z.today_wh, z.month_wh, z.n_today from shown left join lateral ("
        "   select sum(s.energy_wh) filter (where s.started_at >= $8) as today_wh, sum(s.energy_wh) as month_wh,"
        "   count(*) filter (where s.started_at >= $8) as n_today from session s"
        "   where s.party_id = $1 and s.location_id = shown.location_id and s.started_at >= $9 and s.status <> 'invalid'"
        f" ) z on true order by {order}",
        *values,
        limit,
        offset,
        today,
        month,
    )
    return SitePage(rows=[dict(row) for row in rows], n_found=counts[chip], counts=dict(counts))


class SiteNow(Struct, frozen=True, kw_only=True):
    """What a location's connectors do now. `power_w`: what running sessions last told."""

    states: dict[str, int]
    power_w: Decimal
    n_running: int


async def site_now(conn: Connection, party_id: UUID, location_id: UUID) -> SiteNow:
    rows = await conn.fetch(
        f"select {CONNECTOR_STATE} as state, count(*)::integer as n, coalesce(sum(s.power_w), 0) as power_w,"
        " count(s.session_id)::integer as n_running"
        f" from station st join connector c using (station_id) {OPEN_SESSION}"
        f" where {SERVING} and st.location_id = $3 group by 1",
        party_id,
        None,
        location_id,
    )
    return SiteNow(
        states={row["state"]: row["n"] for row in rows},
        power_w=sum((row["power_w"] for row in rows), Decimal(0)),
        n_running=sum(row["n_running"] for row in rows),
    )


async def site_days(conn: Connection, party_id: UUID, location_id: UUID, since: datetime, time_zone: str) -> list[Row]:
    """Sessions begun and their energy by the location's own days; days without any are left out."""
    return await conn.fetch(
        "select (started_at at time zone $4)::date as day, count(*)::integer as n, coalesce(sum(energy_wh), 0) as energy_wh"
        " from session where party_id = $1 and location_id = $2 and started_at >= $3 and status <> 'invalid'"
        " group by 1 order by 1",
        party_id,
        location_id,
        since,
        time_zone,
    )


async def one_site(conn: Connection, party_id: UUID, location_id: UUID) -> Site | None:
    """A location for the map; None without coordinates."""
    row = await conn.fetchrow(
        "select l.location_id, l.name, l.latitude, l.longitude, count(distinct st.station_id) as n_stations,"
        " count(distinct st.station_id) filter (where st.gateway_id is null and st.connected_at is not null) as n_offline,"
        " count(*) filter (where x.state = 'faulted') as n_faulted,"
        " count(*) filter (where x.state = 'charging') as n_charging, count(x.state) as n_connectors"
        " from location l left join station st on st.location_id = l.location_id and st.retired_at is null"
        f" left join lateral (select {CONNECTOR_STATE} as state from connector c {OPEN_SESSION}"
        "   where c.station_id = st.station_id) x on true"
        " where l.party_id = $1 and l.location_id = $2 and l.latitude is not null group by l.location_id",
        party_id,
        location_id,
    )
    return Site(**row) if row else None
