"""Public places and their plugs, over all parties of the installation: what anybody may see who stands there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection, Row
from ohmstead.reports.plugs.model import PlugPage, PublicPlug, PublicSite
from ohmstead.reports.queries import CONNECTOR_STATE, OPEN_SESSION
from ohmstead.stations.sites.model import Hours

# A map of more than this is none that a phone could show.
MOST_SITES = 5000

_PLUG = f"""c.station_id, c.evse_number, c.connector_number, c.standard, e.current_type, c.status_at as state_at,
    coalesce(c.max_power_w, e.max_power_w, st.max_power_w) as power_w, {CONNECTOR_STATE} as state,
    count(*) over (partition by c.station_id, c.evse_number) as n_connectors,
    coalesce(nullif(e.physical_reference, ''), c.evse_number::text) as label"""
_SITE = """l.location_id, l.party_id, l.name, l.address, l.city, l.postal_code, l.country, l.latitude, l.longitude,
    l.time_zone, l.directions, l.help_phone, l.access, l.is_published, l.facilities, l.opening, l.is_green_energy,
    p.name as operator"""
_PLUGS = f"""from station st join evse e using (station_id) join connector c using (station_id, evse_number) {OPEN_SESSION}
    where st.retired_at is null and st.registration = 'accepted' and not st.is_lab"""


# any party: what is published is for everybody
async def list_sites(conn: Connection) -> list[PublicSite]:
    """All places that anybody may come to, with coordinates or without."""
    sites = await conn.fetch(
        f"select {_SITE} from location l join party p using (party_id)"
        " where l.access = 'public' and l.is_published order by l.name, l.location_id limit $1",
        MOST_SITES,
    )
    known = [row["location_id"] for row in sites]
    plugs = await conn.fetch(
        f"select st.location_id, {_PLUG} {_PLUGS} and st.location_id = any ($1)"
        " order by st.location_id, st.name, st.station_id, c.evse_number, c.connector_number",
        known,
    )
    at = {key: list(rows) for key, rows in itertools.groupby(plugs, itemgetter("location_id"))}
    return [_site(row, at.get(row["location_id"], ())) for row in sites]


# any party: what is published is for everybody
async def find_site(conn: Connection, location_id: UUID) -> PublicSite | None:
    """A place that anybody may come to."""
    row = await conn.fetchrow(
        f"select {_SITE} from location l join party p using (party_id)"
        " where l.location_id = $1 and l.access = 'public' and l.is_published",
        location_id,
    )
    if row is None:
        return None
    plugs = await conn.fetch(
        f"select {_PLUG} {_PLUGS} and st.location_id = $1"
        " order by st.name, st.station_id, c.evse_number, c.connector_number",
        location_id,
    )
    return _site(row, plugs)


# any party: whoever stands at the station may see its plug
async def find_plug(conn: Connection, station_id: str, evse_number: int) -> PlugPage | None:
    """An outlet of a station in service; None for what there is not."""
    row = await conn.fetchrow(
        "select st.party_id, p.name as party_name, p.currency, st.station_id, st.name as station_name, st.location_id,"
        " coalesce(nullif(e.physical_reference, ''), '') as reference, e.evse_number, coalesce(l.name, '') as location_name,"
        " coalesce(l.city, '') as city, coalesce(l.time_zone, p.time_zone) as time_zone,"
        " coalesce(l.help_phone, '') as help_phone, coalesce(l.access, 'private') as access, l.latitude, l.longitude,"
        " s.session_id, s.token_id as session_token_id, s.energy_wh as session_energy_wh,"
        " s.started_at as session_started_at,"
        " (select min(r.until_at) from reservation r where r.station_id = st.station_id and r.evse_number = e.evse_number"
        "   and r.status = 'active') as reserved_until,"
        " exists (select from web_payment_setup w where w.station_id = st.station_id) as has_payment_code"
        " from station st join party p using (party_id) join evse e using (station_id)"
        " left join location l using (location_id) left join lateral (select o.session_id, o.token_id, o.energy_wh,"
        "   o.started_at from session o where o.station_id = st.station_id and o.evse_number = e.evse_number"
        "   and o.status in ('pending', 'active') order by o.started_at desc limit 1) s on true"
        " where st.station_id = $1 and e.evse_number = $2 and st.retired_at is null and st.registration = 'accepted'"
        " and not st.is_lab",
        station_id,
        evse_number,
    )
    if row is None:
        return None
    connectors = await conn.fetch(
        f"select {_PLUG} {_PLUGS} and st.station_id = $1 and c.evse_number = $2 order by c.connector_number",
        station_id,
        evse_number,
    )
    return PlugPage(**row, connectors=[_plug(one) for one in connectors])


# any party: whose a station is, for whoever stands before it
async def find_party_of(conn: Connection, station_id: str) -> UUID | None:
    """The party of a station in service."""
    found: UUID | None = await conn.fetchval(
        "select party_id from station where station_id = $1 and retired_at is null and registration = 'accepted'",
        station_id,
    )
    return found


# any party: what stands on a sticker is for whoever stands before it
async def find_sticker(conn: Connection, station_id: str, evse_number: int) -> tuple[str, int] | None:
    """An outlet by what somebody typed, whatever its case."""
    row = await conn.fetchrow(
        "select e.station_id, e.evse_number from evse e join station s using (station_id)"
        " where lower(e.station_id) = lower($1) and e.evse_number = $2 and s.retired_at is null"
        " and s.registration = 'accepted' order by e.station_id = $1 desc limit 1",
        station_id,
        evse_number,
    )
    return (row["station_id"], row["evse_number"]) if row else None


async def zone_of_party(conn: Connection, party_id: UUID) -> str:
    """In which zone a network counts its days."""
    found: str | None = await conn.fetchval("select time_zone from party where party_id = $1", party_id)
    return found or "UTC"


def _site(row: Row, plugs: Iterable[Row]) -> PublicSite:
    fields: dict[str, Any] = dict(row)
    if fields["opening"] is not None:
        fields["opening"] = msgspec.convert(fields["opening"], Hours)
    return PublicSite(**fields, plugs=[_plug(one) for one in plugs])


def _plug(row: Row) -> PublicPlug:
    fields = dict(row)
    fields.pop("location_id", None)
    return PublicPlug(**fields)
