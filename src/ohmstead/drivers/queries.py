"""Drivers as pages and the API show them: reading only, one party at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.ordering import Column, Order, ordered
from ohmstead.drivers.model import Driver

SORTS = {
    "name": Column("name", shape="lower({})"),
    "created": Column("created_at", datetime),
    "updated": Column("updated_at", datetime),
}
Sort: TypeAlias = Literal["name", "-name", "created", "-created", "updated", "-updated"]


class DriverFilter(Struct, kw_only=True):
    """Which drivers."""

    status: Annotated[Literal["active", "blocked", "erased"] | None, Meta(description="Only these.")] = None
    group: Annotated[str, Meta(description="Of this group.", max_length=255)] | None = None
    q: Annotated[str, Meta(description="Found in name, e-mail, phone or company.", max_length=100)] | None = None


_WORDS = "d.name || ' ' || coalesce(d.email, '') || ' ' || coalesce(d.phone, '') || ' ' || d.company"
_DRIVER = """
select d.driver_id, d.party_id, d.name, d.email, d.phone, d.phone_confirmed_at, d.language, d.company, d.notes, d.group_uid,
       d.vehicles, d.status, d.version, d.created_at, d.updated_at, t.n_tokens, t.contracts
from driver d cross join lateral (
    select count(*) as n_tokens, coalesce(array_agg(distinct coalesce(t.contract_id, t.uid))
           filter (where t.contract_id is not null or t.type = 'eMAID'), '{}') as contracts
    from token t where t.party_id = d.party_id and t.driver_id = d.driver_id
) t
"""


def order_of(sort: Sort) -> Order:
    """The order that a name means."""
    return ordered(SORTS, sort, "driver_id")


def _where(party_id: UUID, wanted: DriverFilter) -> Conditions:
    where = Conditions()
    where.add("d.party_id = {}", party_id)
    where.add_given("d.status = {}", wanted.status)
    where.add_given("d.group_uid = {}", wanted.group)
    if wanted.q:
        where.add(f"grams({_WORDS}) @> grams({{}})", wanted.q)
        where.add(f"{_WORDS} ilike {{}}", like(wanted.q))
    return where


async def list_drivers(
    conn: Connection,
    party_id: UUID,
    wanted: DriverFilter,
    sort: Sort = "name",
    *,
    after: tuple[Any, UUID] | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Driver]:
    """In the order asked for; `after` is the key of the last one of the page before (`order_of(sort).key_of`)."""
    order = order_of(sort)
    where = _where(party_id, wanted)
    order.after(where, after)
    rows = await conn.fetch(
        f"{_DRIVER} where {where.sql} order by {order.sql} limit {where.parameter(limit)} offset"
        f" {where.parameter(offset)}",
        *where.values,
    )
    return [Driver(**row) for row in rows]


async def count_drivers(conn: Connection, party_id: UUID, wanted: DriverFilter) -> dict[str, int]:
    """How many there are of each status, whatever status is asked for."""
    where = _where(party_id, DriverFilter(group=wanted.group, q=wanted.q))
    rows = await conn.fetch(
        f"select d.status, count(*) as n from driver d where {where.sql} group by d.status", *where.values
    )
    return {row["status"]: row["n"] for row in rows}


async def find_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> Driver | None:
    row = await conn.fetchrow(f"{_DRIVER} where d.party_id = $1 and d.driver_id = $2", party_id, driver_id)
    return Driver(**row) if row else None


async def get_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> Driver:
    """Raises NotFound."""
    driver = await find_driver(conn, party_id, driver_id)
    if driver is None:
        raise NotFound(f"no driver {driver_id}")
    return driver
