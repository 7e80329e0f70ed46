"""Tariffs as the API shows them."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.tariffs.pricing import MarketPrices
from ohmstead.tariffs.records import KeptTariff, PriceSeries, SeriesPrice, TariffAssignment, TariffVersion, tariff_of

_TARIFF = """
select t.tariff_id, t.party_id, t.name, t.version, v.content, t.created_at, t.updated_at,
       (select count(*) from tariff_assignment a where a.tariff_id = t.tariff_id and a.ended_at is null) as n_assignments
from tariff t join tariff_version v on v.tariff_id = t.tariff_id and v.version = t.version
"""
_ASSIGNMENT = """
select a.assignment_id, a.tariff_id, t.name as tariff_name, a.level, a.location_id, a.station_id, a.evse_number,
       a.connector_number, a.group_uid, a.assigned_at, a.assigned_by, a.ended_at, a.ended_by
from tariff_assignment a join tariff t on t.tariff_id = a.tariff_id
"""


def _kept(row: Row) -> KeptTariff:
    fields = dict(row)
    return KeptTariff(tariff=tariff_of(fields.pop("content")), **fields)


# whole party: tariffs are the party's, wherever they apply; the API lets nobody in who sees some locations only
async def list_tariffs(
    conn: Connection, party_id: UUID, *, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[KeptTariff]:
    """By name; `after` is (name, id) of the last one of the page before."""
    where = Conditions()
    where.add("t.party_id = {}", party_id)
    if after:
        where.add("(t.name, t.tariff_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_TARIFF} where {where.sql} order by t.name, t.tariff_id limit {where.parameter(limit)}", *where.values
    )
    return [_kept(row) for row in rows]


async def get_tariff(conn: Connection, party_id: UUID, tariff_id: UUID) -> KeptTariff:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_TARIFF} where t.party_id = $1 and t.tariff_id = $2", party_id, tariff_id)
    if row is None:
        raise NotFound(f"no tariff {tariff_id}")
    return _kept(row)


async def list_versions(
    conn: Connection, party_id: UUID, tariff_id: UUID, *, before: int | None = None, limit: int = 100
) -> list[TariffVersion]:
    """Newest first."""
    rows = await conn.fetch(
        "select tariff_id, version, content, published_at, published_by from tariff_version"
        " where party_id = $1 and tariff_id = $2 and ($3::integer is null or version < $3) order by version desc limit $4",
        party_id,
        tariff_id,
        before,
        limit,
    )
    return [_version(row) for row in rows]


async def get_version(conn: Connection, party_id: UUID, tariff_id: UUID, version: int) -> TariffVersion:
    """Raises NotFound."""
    row = await conn.fetchrow(
        "select tariff_id, version, content, published_at, published_by from tariff_version"
        " where party_id = $1 and tariff_id = $2 and version = $3",
        party_id,
        tariff_id,
        version,
    )
    if row is None:
        raise NotFound(f"no version {version} of tariff {tariff_id}")
    return _version(row)


def _version(row: Row) -> TariffVersion:
    fields = dict(row)
    return TariffVersion(tariff=tariff_of(fields.pop("content")), **fields)


# whole party: as list_tariffs
async def list_assignments(
    conn: Connection,
    party_id: UUID,
    *,
    tariff_id: UUID | None = None,
    station_id: str | None = None,
    with_ended: bool = False,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[TariffAssignment]:
    """Newest first."""
    where = Conditions()
    where.add("a.party_id = {}", party_id)
    where.add_given("a.tariff_id = {}", tariff_id)
    where.add_given("a.station_id = {}", station_id)
    if not with_ended:
        where.add("a.ended_at is null")
    if after:
        where.add("(a.assigned_at, a.assignment_id) < ({}, {})", *after)
    rows = await conn.fetch(
        f"{_ASSIGNMENT} where {where.sql} order by a.assigned_at desc, a.assignment_id desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [TariffAssignment(**row) for row in rows]


async def get_assignment(conn: Connection, party_id: UUID, assignment_id: UUID) -> TariffAssignment:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_ASSIGNMENT} where a.party_id = $1 and a.assignment_id = $2", party_id, assignment_id)
    if row is None:
        raise NotFound(f"no assignment {assignment_id}")
    return TariffAssignment(**row)


async def get_series(conn: Connection, party_id: UUID, name: str, from_at: datetime, to_at: datetime) -> PriceSeries:
    """With its prices that reach into the time from–to. Raises NotFound."""
    row = await conn.fetchrow(
        "select name, currency, updated_at from price_series where party_id = $1 and name = $2", party_id, name
    )
    if row is None:
        raise NotFound(f"no price series {name}")
    rows = await conn.fetch(
        "select starts_at, ends_at, price_kwh from price_interval"
        " where party_id = $1 and name = $2 and ends_at > $3 and starts_at < $4 order by starts_at limit 5000",
        party_id,
        name,
        from_at,
        to_at,
    )
    return PriceSeries(prices=[SeriesPrice(**one) for one in rows], **row)


async def find_market(
    conn: Connection, party_id: UUID, names: set[str], from_at: datetime, to_at: datetime
) -> dict[str, MarketPrices]:
    """Prices of series for pricing what happened from–to; a series that is not there tells none."""
    if not names:
        return {}
    rows = await conn.fetch(
        "select name, starts_at, ends_at, price_kwh from price_interval"
        " where party_id = $1 and name = any ($2) and ends_at > $3 and starts_at < $4",
        party_id,
        sorted(names),
        from_at,
        to_at,
    )
    found: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        found[row["name"]].append((row["starts_at"], row["ends_at"], row["price_kwh"]))
    return {name: MarketPrices.of(prices) for name, prices in found.items()}


# any party: what a place asks for is told to everybody who may charge there
async def find_markets(
    conn: Connection, wanted: Set[tuple[UUID, str]], from_at: datetime, to_at: datetime
) -> dict[UUID, dict[str, MarketPrices]]:
    """The same for series of several parties, (party, name) each; by party."""
    if not wanted:
        return {}
    asked = sorted(wanted)
    rows = await conn.fetch(
        "select i.party_id, i.name, i.starts_at, i.ends_at, i.price_kwh"
        " from unnest($1::uuid[], $2::text[]) as s (party_id, name) join price_interval i using (party_id, name)"
        " where i.ends_at > $3 and i.starts_at < $4",
        [party_id for party_id, _ in asked],
        [name for _, name in asked],
        from_at,
        to_at,
    )
    told: dict[tuple[UUID, str], list[Any]] = {one: [] for one in asked}
    for row in rows:
        told[row["party_id"], row["name"]].append((row["starts_at"], row["ends_at"], row["price_kwh"]))
    found: dict[UUID, dict[str, MarketPrices]] = {}
    for (party_id, name), prices in told.items():
        found.setdefault(party_id, {})[name] = MarketPrices.of(prices)
    return found


async def find_edition(conn: Connection, party_id: UUID, names: set[str]) -> datetime | None:
    """When prices of any of the series were last written."""
    found: datetime | None = await conn.fetchval(
        "select max(updated_at) from price_series where party_id = $1 and name = any ($2)", party_id, sorted(names)
    )
    return found
