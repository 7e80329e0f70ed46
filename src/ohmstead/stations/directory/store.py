"""The directory in PostgreSQL: what people write about locations and stations."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection, Row

# What a caller may change, by table; names come from structs of ours, and are checked against these all the same.
_LOCATION_COLUMNS = frozenset(
    (
        *("name", "address", "city", "postal_code", "country", "latitude", "longitude", "time_zone"),
        *("reference", "state", "directions", "owner", "owner_website", "help_phone", "access", "parking_type"),
        *("parking_restrictions", "facilities", "opening", "charges_when_closed", "energy_supplier"),
        *("is_green_energy", "is_published"),
    )
)
_STATION_COLUMNS = {
    "name": "text",
    "location_id": "uuid",
    "registration": "text",
    "security_profile": "smallint",
    "secret_hash": "text",
    "certificate_name": "text",
    "is_lab": "boolean",
    "heartbeat_interval_s": "integer",
    "max_power_w": "integer",
    "retired_at": "timestamptz",
    "takes_templates": "boolean",
    "takes_local_list": "boolean",
    "next_secret_hashes": "text[]",
    "onboarding": "text",
}


def _assignments(values: dict[str, Any], allowed: Collection[str], first: int) -> str:
    if beyond := set(values) - set(allowed):
        raise ValueError(f"not to be written: {sorted(beyond)}")
    return "".join(f"{name} = ${n}, " for n, name in enumerate(values, start=first))


async def insert_location(conn: Connection, party_id: UUID, location_id: UUID, values: dict[str, Any]) -> None:
    if beyond := set(values) - _LOCATION_COLUMNS:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    names = "".join(f", {name}" for name in values)
    places = "".join(f", ${n}" for n in range(3, 3 + len(values)))
    await conn.execute(
        f"insert into location (location_id, party_id{names}) values ($1, $2{places})",
        location_id,
        party_id,
        *values.values(),
    )


async def update_location(
    conn: Connection, party_id: UUID, location_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there in that version."""
    row = await conn.fetchrow(
        f"update location set {_assignments(values, _LOCATION_COLUMNS, 4)} version = version + 1, updated_at = now()"
        " where party_id = $1 and location_id = $2 and ($3::integer is null or version = $3) returning version",
        party_id,
        location_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def delete_location(conn: Connection, party_id: UUID, location_id: UUID, if_version: int | None) -> bool:
    """False when it is not there in that version. Retired stations lose it; those in service must have left it."""
    row = await conn.fetchrow(
        "select 1 from location where party_id = $1 and location_id = $2 and ($3::integer is null or version = $3)"
        " for update",
        party_id,
        location_id,
        if_version,
    )
    if row is None:
        return False
    await conn.execute(
        "update station set location_id = null where location_id = $2 and party_id = $1 and retired_at is not null",
        party_id,
        location_id,
    )
    await conn.execute("delete from location where party_id = $1 and location_id = $2", party_id, location_id)
    return True


async def count_stations_at(conn: Connection, party_id: UUID, location_id: UUID) -> int:
    """Stations in service at a location."""
    n: int = await conn.fetchval(
        "select count(*) from station where party_id = $1 and location_id = $2 and retired_at is null",
        party_id,
        location_id,
    )
    return n


async def find_location_ids(conn: Connection, party_id: UUID, names: Sequence[str]) -> dict[str, list[UUID]]:
    """Locations by name in lower case; a name may be given to several."""
    rows = await conn.fetch(
        "select lower(name) as name, location_id from location where party_id = $1 and lower(name) = any($2)",
        party_id,
        [name.lower() for name in names],
    )
    found: dict[str, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row["location_id"])
    return found


async def find_references(conn: Connection, party_id: UUID, references: Sequence[str]) -> dict[str, UUID]:
    """Locations by what other systems call them, in lower case."""
    rows = await conn.fetch(
        "select lower(reference) as reference, location_id from location"
        " where party_id = $1 and reference is not null and lower(reference) = any($2)",
        party_id,
        [reference.lower() for reference in references],
    )
    return {row["reference"]: row["location_id"] for row in rows}


async def insert_station(conn: Connection, party_id: UUID, station_id: str, values: dict[str, Any]) -> bool:
    """False when the identity is taken, by whomever: identities are the same whatever their case (OCPP 2.x)."""
    names = "".join(f", {name}" for name in values)
    places = "".join(f", ${n}::{_STATION_COLUMNS[name]}" for n, name in enumerate(values, start=3))
    row = await conn.fetchrow(
        f"insert into station (station_id, party_id{names}) select $1::text, $2::uuid{places}"
        " where not exists (select from station where lower(station_id) = lower($1))"
        " on conflict do nothing returning 1",
        station_id,
        party_id,
        *values.values(),
    )
    return row is not None


async def update_station(
    conn: Connection, party_id: UUID, station_id: str, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there in that version."""
    row = await conn.fetchrow(
        f"update station set {_assignments(values, _STATION_COLUMNS, 4)} version = version + 1, updated_at = now()"
        " where party_id = $1 and station_id = $2 and ($3::integer is null or version = $3) returning version",
        party_id,
        station_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def lock_stations(conn: Connection, party_id: UUID, station_ids: Sequence[str]) -> dict[str, Row]:
    """What people set of these stations, by lower-case id, locked; `is_ours` is false when another party has it."""
    rows = await conn.fetch(
        "select station_id, party_id = $1 as is_ours, name, location_id, registration, security_profile, secret_hash,"
        " heartbeat_interval_s, max_power_w, retired_at, version from station where lower(station_id) = any($2)"
        " order by station_id for update",
        party_id,
        [station_id.lower() for station_id in station_ids],
    )
    return {row["station_id"].lower(): row for row in rows}


async def find_secret_hashes(conn: Connection, party_id: UUID, station_ids: Sequence[str]) -> dict[str, str]:
    """Stored secrets by lower-case station id, where there are any."""
    rows = await conn.fetch(
        "select lower(station_id) as key, secret_hash from station"
        " where party_id = $1 and lower(station_id) = any($2) and secret_hash is not null",
        party_id,
        [station_id.lower() for station_id in station_ids],
    )
    return {row["key"]: row["secret_hash"] for row in rows}


async def insert_stations(conn: Connection, party_id: UUID, stations: Sequence[dict[str, Any]]) -> set[str]:
    """Many at once; returns those that were not taken."""
    rows = await conn.fetch(
        "insert into station (station_id, party_id, name, location_id, security_profile, secret_hash)"
        " select u.station_id, $1, u.name, u.location_id, u.security_profile, u.secret_hash"
        " from unnest($2::text[], $3::text[], $4::uuid[], $5::smallint[], $6::text[])"
        " as u (station_id, name, location_id, security_profile, secret_hash)"
        " on conflict do nothing returning station_id",
        party_id,
        *[
            [station[name] for station in stations]
            for name in ("station_id", "name", "location_id", "security_profile", "secret_hash")
        ],
    )
    return {row["station_id"] for row in rows}


async def upsert_evses(
    conn: Connection, party_id: UUID, evses_of: Mapping[str, Sequence[Mapping[str, Any]]]
) -> set[str]:
    """Add or change EVSEs and connectors by station; what is not named stays. Returns the stations that changed."""
    evses = [(station_id, evse) for station_id, listed in evses_of.items() for evse in listed]
    plugs = [
        (station_id, evse["evse_number"], plug)
        for station_id, evse in evses
        for plug in evse.get("connectors") or ({"connector_number": 1},)
    ]
    if not evses:
        return set()
    changed = await conn.fetch(
        "insert into evse as e (station_id, evse_number, current_type, max_power_w, physical_reference)"
        " select u.* from unnest($2::text[], $3::integer[], $4::text[], $5::integer[], $6::text[])"
        " as u (station_id, evse_number, current_type, max_power_w, physical_reference)"
        " join station s on s.station_id = u.station_id and s.party_id = $1"
        " on conflict (station_id, evse_number) do update set"
        " current_type = coalesce(excluded.current_type, e.current_type),"
        " max_power_w = coalesce(excluded.max_power_w, e.max_power_w),"
        " physical_reference = coalesce(excluded.physical_reference, e.physical_reference)"
        " where (coalesce(excluded.current_type, e.current_type), coalesce(excluded.max_power_w, e.max_power_w),"
        " coalesce(excluded.physical_reference, e.physical_reference))"
        " is distinct from (e.current_type, e.max_power_w, e.physical_reference) returning station_id",
        party_id,
        [station_id for station_id, _ in evses],
        *[
            [evse.get(name) for _, evse in evses]
            for name in ("evse_number", "current_type", "max_power_w", "physical_reference")
        ],
    )
    changed += await conn.fetch(
        "insert into connector as c (station_id, evse_number, connector_number, standard, max_power_w)"
        " select u.* from unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::integer[])"
        " as u (station_id, evse_number, connector_number, standard, max_power_w)"
        " join station s on s.station_id = u.station_id and s.party_id = $1"
        " on conflict (station_id, evse_number, connector_number) do update set"
        " standard = coalesce(excluded.standard, c.standard),"
        " max_power_w = coalesce(excluded.max_power_w, c.max_power_w)"
        " where (coalesce(excluded.standard, c.standard), coalesce(excluded.max_power_w, c.max_power_w))"
        " is distinct from (c.standard, c.max_power_w) returning station_id",
        party_id,
        [station_id for station_id, _, _ in plugs],
        [evse_number for _, evse_number, _ in plugs],
        *[[plug.get(name) for _, _, plug in plugs] for name in ("connector_number", "standard", "max_power_w")],
    )
    return {row["station_id"] for row in changed}


async def cancel_queued_commands(conn: Connection, party_id: UUID, station_id: str) -> int:
    """Commands that wait for a station that will not come; returns how many."""
    done = await conn.execute(
        "update command set status = 'cancelled', answered_at = clock_timestamp()"
        " where party_id = $1 and station_id = $2 and status = 'queued'",
        party_id,
        station_id,
    )
    return int(done.rpartition(" ")[2])
