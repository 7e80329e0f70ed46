"""Power trees and photos in PostgreSQL: the write side."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.stations.sites.model import Circuit, Photo


async def touch_location(conn: Connection, party_id: UUID, location_id: UUID, if_version: int | None) -> bool:
    """A new version of a location, locked; False when it is not there in that version."""
    row = await conn.fetchrow(
        "update location set version = version + 1, updated_at = now()"
        " where party_id = $1 and location_id = $2 and ($3::integer is null or version = $3) returning version",
        party_id,
        location_id,
        if_version,
    )
    return row is not None


async def replace_circuits(conn: Connection, party_id: UUID, location_id: UUID, circuits: Sequence[Circuit]) -> bool:
    """The circuits of a location are these; False when an id is another location's."""
    await conn.execute(
        "delete from circuit where party_id = $1 and location_id = $2 and circuit_id <> all($3)",
        party_id,
        location_id,
        [one.circuit_id for one in circuits],
    )
    rows = await conn.fetch(
        "insert into circuit as c (circuit_id, party_id, location_id, parent_id, position, name, limit_a, phases,"
        " voltage_v) select u.circuit_id, $1, $2, u.parent_id, u.position, u.name, u.limit_a, u.phases, u.voltage_v"
        " from unnest($3::uuid[], $4::uuid[], $5::integer[], $6::text[], $7::numeric[], $8::smallint[], $9::integer[])"
        " as u (circuit_id, parent_id, position, name, limit_a, phases, voltage_v)"
        " on conflict (circuit_id) do update set parent_id = excluded.parent_id, position = excluded.position,"
        " name = excluded.name, limit_a = excluded.limit_a, phases = excluded.phases, voltage_v = excluded.voltage_v"
        " where c.party_id = $1 and c.location_id = $2 returning c.circuit_id",
        party_id,
        location_id,
        [one.circuit_id for one in circuits],
        [one.parent_id for one in circuits],
        list(range(len(circuits))),
        [one.name for one in circuits],
        [one.limit_a for one in circuits],
        [one.phases for one in circuits],
        [one.voltage_v for one in circuits],
    )
    return len(rows) == len(circuits)


async def place_stations(conn: Connection, party_id: UUID, location_id: UUID, circuits: Sequence[Circuit]) -> None:
    """Which circuit feeds which of the location's stations."""
    await conn.execute(
        "delete from circuit_station x using station s where x.station_id = s.station_id"
        " and s.party_id = $1 and s.location_id = $2",
        party_id,
        location_id,
    )
    pairs = [(station_id, one.circuit_id) for one in circuits for station_id in one.station_ids]
    await conn.execute(
        "insert into circuit_station (station_id, circuit_id)"
        " select s.station_id, u.circuit_id from unnest($3::text[], $4::uuid[]) as u (station_id, circuit_id)"
        " join station s on s.station_id = u.station_id and s.party_id = $1 and s.location_id = $2"
        " on conflict (station_id) do update set circuit_id = excluded.circuit_id",
        party_id,
        location_id,
        [station_id for station_id, _ in pairs],
        [circuit_id for _, circuit_id in pairs],
    )


async def insert_photo(conn: Connection, party_id: UUID, photo: Photo) -> None:
    await conn.execute(
        "insert into location_photo (photo_id, party_id, location_id, position, alt, sha256, width, height, size_bytes,"
        " created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        photo.photo_id,
        party_id,
        photo.location_id,
        photo.position,
        photo.alt,
        photo.sha256,
        photo.width,
        photo.height,
        photo.size_bytes,
        photo.created_at,
    )


async def order_photos(conn: Connection, party_id: UUID, photo_ids: Sequence[UUID]) -> None:
    """These photos stand in this order."""
    await conn.execute(
        "update location_photo p set position = u.position"
        " from unnest($2::uuid[]) with ordinality as u (photo_id, position)"
        " where p.photo_id = u.photo_id and p.party_id = $1",
        party_id,
        list(photo_ids),
    )


async def describe_photo(conn: Connection, party_id: UUID, photo_id: UUID, alt: str) -> None:
    await conn.execute(
        "update location_photo set alt = $3 where party_id = $1 and photo_id = $2", party_id, photo_id, alt
    )


async def delete_photo(conn: Connection, party_id: UUID, photo_id: UUID) -> None:
    await conn.execute("delete from location_photo where party_id = $1 and photo_id = $2", party_id, photo_id)
