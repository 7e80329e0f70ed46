"""Power trees and photos as pages and the API show them: reading only, one party at a time."""

from __future__ import annotations

from uuid import UUID

from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.stations.sites.model import Circuit, Photo

_PHOTO = ", ".join(Photo.__struct_fields__)


async def list_circuits(conn: Connection, party_id: UUID, location_id: UUID) -> list[Circuit]:
    """The circuits of a location in their order, each with the stations there that it feeds."""
    rows = await conn.fetch(
        "select c.circuit_id, c.name, c.limit_a, c.phases, c.voltage_v, c.parent_id,"
        " coalesce((select array_agg(s.station_id order by s.station_id) from circuit_station x"
        "   join station s using (station_id) where x.circuit_id = c.circuit_id and s.location_id = c.location_id"
        "   and s.retired_at is null), '{}') as station_ids"
        " from circuit c where c.party_id = $1 and c.location_id = $2 order by c.position, c.circuit_id",
        party_id,
        location_id,
    )
    return [Circuit(**row) for row in rows]


async def station_ratings(conn: Connection, party_id: UUID, location_id: UUID) -> dict[str, int | None]:
    """What each station in service at a location may draw, in W: what was said of it, else of its EVSEs together."""
    rows = await conn.fetch(
        "select s.station_id, coalesce(s.max_power_w, (select sum(e.max_power_w) from evse e"
        "   where e.station_id = s.station_id))::integer as power_w"
        " from station s where s.party_id = $1 and s.location_id = $2 and s.retired_at is null order by s.station_id",
        party_id,
        location_id,
    )
    return {row["station_id"]: row["power_w"] for row in rows}


async def list_photos(conn: Connection, party_id: UUID, location_id: UUID) -> list[Photo]:
    rows = await conn.fetch(
        f"select {_PHOTO} from location_photo where party_id = $1 and location_id = $2 order by position, photo_id",
        party_id,
        location_id,
    )
    return [Photo(**row) for row in rows]


async def get_photo(conn: Connection, party_id: UUID, location_id: UUID, photo_id: UUID) -> Photo:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"select {_PHOTO} from location_photo where party_id = $1 and location_id = $2 and photo_id = $3",
        party_id,
        location_id,
        photo_id,
    )
    if row is None:
        raise NotFound(f"no photo {photo_id}")
    return Photo(**row)


async def list_sticker_rows(
    conn: Connection, party_id: UUID, location_id: UUID | None, station_ids: list[str] | None, limit: int
) -> list[Row]:
    """EVSEs of accepted stations in service, with where they are and whom to call."""
    return await conn.fetch(
        "select e.station_id, e.evse_number, coalesce(l.name, s.name) as place, coalesce(l.help_phone, '') as help_phone"
        " from evse e join station s using (station_id) left join location l using (location_id)"
        " where s.party_id = $1 and s.retired_at is null and s.registration = 'accepted'"
        " and ($2::uuid is null or s.location_id = $2) and ($3::text[] is null or s.station_id = any($3))"
        " order by l.name nulls last, e.station_id, e.evse_number limit $4",
        party_id,
        location_id,
        station_ids,
        limit,
    )
