"""Tariffs in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ohmstead.core.db import Connection, Row
from ohmstead.tariffs.choosing import Candidate
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import NewTariffAssignment, Place, SeriesPrice, tariff_of


async def insert_tariff(conn: Connection, party_id: UUID, tariff_id: UUID, name: str) -> bool:
    """False when the party has one of this name."""
    done = await conn.fetchval(
        "insert into tariff (tariff_id, party_id, name) values ($1, $2, $3)"
        " on conflict (party_id, name) do nothing returning tariff_id",
        tariff_id,
        party_id,
        name,
    )
    return done is not None


async def insert_version(
    conn: Connection, party_id: UUID, tariff_id: UUID, version: int, tariff: Tariff, at: datetime, by: str
) -> None:
    await conn.execute(
        "insert into tariff_version (tariff_id, version, party_id, content, published_at, published_by)"
        " values ($1, $2, $3, $4, $5, $6)",
        tariff_id,
        version,
        party_id,
        tariff,
        at,
        by,
    )


async def raise_version(
    conn: Connection, party_id: UUID, tariff_id: UUID, name: str, if_version: int | None
) -> int | None:
    """The number of the next version; None when it is not there in that version."""
    version: int | None = await conn.fetchval(
        "update tariff set version = version + 1, name = $3, updated_at = now()"
        " where party_id = $1 and tariff_id = $2 and ($4::integer is null or version = $4) returning version",
        party_id,
        tariff_id,
        name,
        if_version,
    )
    return version


async def has_name(conn: Connection, party_id: UUID, name: str, besides: UUID) -> bool:
    found: bool = await conn.fetchval(
        "select exists (select from tariff where party_id = $1 and name = $2 and tariff_id <> $3)",
        party_id,
        name,
        besides,
    )
    return found


async def insert_assignment(
    conn: Connection, party_id: UUID, assignment_id: UUID, given: NewTariffAssignment, at: datetime, by: str
) -> bool:
    """False when it is in force already."""
    done = await conn.fetchval(
        "insert into tariff_assignment (assignment_id, party_id, tariff_id, level, location_id, station_id, evse_number,"
        " connector_number, group_uid, assigned_at, assigned_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " on conflict do nothing returning assignment_id",
        assignment_id,
        party_id,
        given.tariff_id,
        given.level,
        given.location_id,
        given.station_id,
        given.evse_number,
        given.connector_number,
        given.group_uid.lower() if given.group_uid else None,
        at,
        by,
    )
    return done is not None


async def end_assignment(conn: Connection, party_id: UUID, assignment_id: UUID, at: datetime, by: str) -> Row | None:
    """The assignment that ended now; None when it was not in force."""
    row: Row | None = await conn.fetchrow(
        "update tariff_assignment set ended_at = greatest($3, assigned_at), ended_by = $4"
        " where party_id = $1 and assignment_id = $2 and ended_at is null returning *",
        party_id,
        assignment_id,
        at,
        by,
    )
    return row


async def lacks_place(conn: Connection, party_id: UUID, given: NewTariffAssignment) -> str | None:
    """The field of an assignment that names nothing of the party; None: all are there."""
    row = await conn.fetchrow(
        "select $2::uuid is not null and not exists (select from location where party_id = $1 and location_id = $2)"
        "   as no_location,"
        " $3::text is not null and not exists (select from station where party_id = $1 and station_id = $3)"
        "   as no_station,"
        " not exists (select from tariff where party_id = $1 and tariff_id = $4) as no_tariff",
        party_id,
        given.location_id,
        given.station_id,
        given.tariff_id,
    )
    assert row is not None
    for field in ("tariff", "location", "station"):
        if row[f"no_{field}"]:
            return f"{field}_id"
    return None


async def list_candidates(conn: Connection, places: Sequence[Place], party_id: UUID) -> list[list[Candidate]]:
    """What reaches each place of a party at its time, in any order."""
    return await _candidates(conn, places, [party_id] * len(places))


async def list_candidates_anywhere(conn: Connection, places: Sequence[Place]) -> list[list[Candidate]]:
    """The same for places of several parties: at each what its own party assigned."""
    return await _candidates(conn, places, [place.party_id for place in places])


# any party: each place names the one whose assignments reach it
async def _candidates(conn: Connection, places: Sequence[Place], parties: Sequence[UUID]) -> list[list[Candidate]]:
    rows = await conn.fetch(
        "select p.place, a.assignment_id, a.tariff_id, t.name, v.version, a.level,"
        # A tariff may apply at thousands of plugs: what it says comes with the first of them.
        " case when row_number() over (partition by a.tariff_id, v.version order by p.place) = 1 then v.content end"
        "   as content,"
        " a.connector_number is not null as is_one_connector, a.group_uid, a.assigned_at"
        " from unnest($1::uuid[], $2::integer[], $3::text[], $4::uuid[], $5::integer[], $6::integer[], $7::text[],"
        "     $8::timestamptz[])"
        "   as p (party_id, place, station_id, location_id, evse_number, connector_number, group_uid, at)"
        # Each level by its own index: a network may assign one to every station.
        " cross join lateral ("
        "   select * from tariff_assignment where station_id = p.station_id"
        "     and (evse_number is null or evse_number = p.evse_number)"
        "     and (connector_number is null or connector_number = p.connector_number)"
        "   union all select * from tariff_assignment where location_id = p.location_id"
        "   union all select * from tariff_assignment where party_id = p.party_id and level = 'party') a"
        " join tariff t on t.tariff_id = a.tariff_id"
        " cross join lateral (select v.version, v.content from tariff_version v"
        "   where v.tariff_id = a.tariff_id and v.published_at <= p.at order by v.version desc limit 1) v"
        " where a.party_id = p.party_id and a.assigned_at <= p.at and (a.ended_at is null or a.ended_at > p.at)"
        "   and (a.group_uid is null or a.group_uid = lower(p.group_uid))",
        list(parties),
        list(range(len(places))),
        [place.station_id for place in places],
        [place.location_id for place in places],
        [place.evse_number for place in places],
        [place.connector_number for place in places],
        [place.group_uid for place in places],
        [place.at for place in places],
    )
    known: dict[tuple[UUID, int], Tariff] = {
        (row["tariff_id"], row["version"]): tariff_of(row["content"]) for row in rows if row["content"] is not None
    }
    found: list[list[Candidate]] = [[] for _ in places]
    for row in rows:
        found[row["place"]].append(
            Candidate(
                row["assignment_id"],
                row["tariff_id"],
                row["name"],
                row["version"],
                known[row["tariff_id"], row["version"]],
                row["level"],
                row["is_one_connector"],
                row["group_uid"],
                row["assigned_at"],
            )
        )
    return found


async def find_zones(conn: Connection, party_id: UUID, location_ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = await conn.fetch(
        "select location_id, time_zone from location where party_id = $1 and location_id = any ($2)",
        party_id,
        list(location_ids),
    )
    return {row["location_id"]: row["time_zone"] for row in rows}


async def find_location_id(conn: Connection, party_id: UUID, station_id: str) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "select location_id from station where party_id = $1 and station_id = $2", party_id, station_id
    )
    return found


async def insert_series(conn: Connection, party_id: UUID, name: str, currency: str) -> bool:
    """False when the party has one of this name."""
    done = await conn.fetchval(
        "insert into price_series (party_id, name, currency) values ($1, $2, $3)"
        " on conflict (party_id, name) do nothing returning name",
        party_id,
        name,
        currency,
    )
    return done is not None


async def find_currencies(conn: Connection, party_id: UUID, names: set[str]) -> dict[str, str]:
    """The currencies of those series that there are."""
    rows = await conn.fetch(
        "select name, currency from price_series where party_id = $1 and name = any ($2)", party_id, sorted(names)
    )
    return {row["name"]: row["currency"] for row in rows}


async def touch_series(conn: Connection, party_id: UUID, name: str) -> str | None:
    """The currency of a series that is about to be written, locked; None where there is none."""
    found: str | None = await conn.fetchval(
        "update price_series set updated_at = now() where party_id = $1 and name = $2 returning currency",
        party_id,
        name,
    )
    return found


async def write_prices(conn: Connection, party_id: UUID, name: str, prices: Sequence[SeriesPrice]) -> None:
    """Intervals that the new ones overlap give way."""
    starts, ends = [one.starts_at for one in prices], [one.ends_at for one in prices]
    await conn.execute(
        "delete from price_interval i using unnest($3::timestamptz[], $4::timestamptz[]) as n (starts_at, ends_at)"
        " where i.party_id = $1 and i.name = $2 and i.starts_at < n.ends_at and i.ends_at > n.starts_at",
        party_id,
        name,
        starts,
        ends,
    )
    await conn.execute(
        "insert into price_interval (party_id, name, starts_at, ends_at, price_kwh)"
        " select $1, $2, * from unnest($3::timestamptz[], $4::timestamptz[], $5::numeric[])",
        party_id,
        name,
        starts,
        ends,
        [one.price_kwh for one in prices],
    )


async def date_back(conn: Connection, party_id: UUID, tariff_id: UUID, at: datetime) -> None:
    """For networks that are made up: as if the tariff had applied since then."""
    await conn.execute(
        "update tariff_version set published_at = $3 where party_id = $1 and tariff_id = $2", party_id, tariff_id, at
    )
    await conn.execute(
        "update tariff_assignment set assigned_at = $3 where party_id = $1 and tariff_id = $2", party_id, tariff_id, at
    )
