"""Safe limits as pages and the API show them."""

from __future__ import annotations

from uuid import UUID

from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.smartcharging.defaults.model import SafeLimit
from ohmstead.smartcharging.defaults.store import LIMIT


async def list_limits(
    conn: Connection, party_id: UUID, *, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[SafeLimit]:
    """By name; `after` is (name, id) of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    if after:
        where.add("(name, safe_limit_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{LIMIT} where {where.sql} order by name, safe_limit_id limit {where.parameter(limit)}", *where.values
    )
    return [SafeLimit(**row) for row in rows]


async def get_limit(conn: Connection, party_id: UUID, safe_limit_id: UUID) -> SafeLimit:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{LIMIT} where party_id = $1 and safe_limit_id = $2", party_id, safe_limit_id)
    if row is None:
        raise NotFound(f"no safe limit {safe_limit_id}")
    return SafeLimit(**row)


# whole party: a limit holds everywhere unless it names a place, so all of them count
async def has_limit(conn: Connection, party_id: UUID, name: str) -> bool:
    found: bool = await conn.fetchval(
        "select exists (select from safe_limit where party_id = $1 and name = $2)", party_id, name
    )
    return found
