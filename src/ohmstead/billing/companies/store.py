"""Companies in PostgreSQL, on the write side."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection, Row

_COLUMNS = frozenset(
    {"name", "vat_number", "address", "postal_code", "city", "country", "email", "reference", "currency"}
    | {"payment_days", "limit_per_month", "status"}
)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if beyond := set(values) - _COLUMNS:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    return values


async def currency_of(conn: Connection, party_id: UUID) -> str:
    """The party's."""
    found: str = await conn.fetchval("select currency from party where party_id = $1", party_id)
    return found


async def insert_company(conn: Connection, party_id: UUID, company_id: UUID, values: dict[str, Any]) -> None:
    names = "".join(f", {name}" for name in _checked(values))
    places = "".join(f", ${n}" for n in range(3, 3 + len(values)))
    await conn.execute(
        f"insert into company (company_id, party_id{names}) values ($1, $2{places})",
        company_id,
        party_id,
        *values.values(),
    )


async def update_company(
    conn: Connection, party_id: UUID, company_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there in that version."""
    assignments = "".join(f"{name} = ${n}, " for n, name in enumerate(_checked(values), start=4))
    row = await conn.fetchrow(
        f"update company set {assignments} version = version + 1, updated_at = now()"
        " where party_id = $1 and company_id = $2 and ($3::integer is null or version = $3) returning 1",
        party_id,
        company_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def hold(conn: Connection, party_id: UUID, company_id: UUID) -> Row | None:
    """Its limit and what it is in; nobody else holds any of it until the transaction ends."""
    row: Row | None = await conn.fetchrow(
        "select c.currency, c.limit_per_month, c.status, p.time_zone from company c join party p using (party_id)"
        " where c.party_id = $1 and c.company_id = $2 for update of c",
        party_id,
        company_id,
    )
    return row


async def find_limit(conn: Connection, party_id: UUID, company_id: UUID) -> Row | None:
    """The same, for looking only."""
    row: Row | None = await conn.fetchrow(
        "select c.currency, c.limit_per_month, c.status, p.time_zone from company c join party p using (party_id)"
        " where c.party_id = $1 and c.company_id = $2",
        party_id,
        company_id,
    )
    return row


async def billed(
    conn: Connection, party_id: UUID, company_id: UUID, currency: str, from_at: datetime, to_at: datetime
) -> tuple[Decimal, int]:
    """What its CDRs of sessions that ended in a span come to, credits taken off; and how many charges there are."""
    row = await conn.fetchrow(
        "select coalesce(sum(total), 0) as total, count(*) filter (where kind = 'charge') as n from cdr where party_id = $1"
        " and customer = $2 and currency = $3 and ended_at >= $4 and ended_at < $5",
        party_id,
        f"company:{company_id}",
        currency,
        from_at,
        to_at,
    )
    assert row is not None
    return row["total"], row["n"]


async def is_there(conn: Connection, party_id: UUID, driver_id: UUID | None, token_id: UUID | None) -> bool:
    """Has the party such a driver who is not erased, or such a token?"""
    found = await conn.fetchval(
        "select exists (select from driver where party_id = $1 and driver_id = $2 and status <> 'erased')"
        " or exists (select from token where party_id = $1 and token_id = $3)",
        party_id,
        driver_id,
        token_id,
    )
    return bool(found)


async def insert_member(
    conn: Connection, party_id: UUID, company_id: UUID, driver_id: UUID | None, token_id: UUID | None, by: str
) -> bool:
    """False where somebody pays for them already."""
    row = await conn.fetchrow(
        "insert into company_member (company_id, party_id, driver_id, token_id, added_by) values ($1, $2, $3, $4, $5)"
        " on conflict do nothing returning 1",
        company_id,
        party_id,
        driver_id,
        token_id,
        by,
    )
    return row is not None


async def delete_member(conn: Connection, party_id: UUID, company_id: UUID, member_id: UUID) -> bool:
    """`member_id`: the driver's or the token's."""
    row = await conn.fetchrow(
        "delete from company_member where party_id = $1 and company_id = $2"
        " and (driver_id = $3 or token_id = $3) returning 1",
        party_id,
        company_id,
        member_id,
    )
    return row is not None
