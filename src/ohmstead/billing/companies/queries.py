"""Companies as pages, invoices and the API read them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.companies.model import Company, CompanyMember, CompanyStatus
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound


class CompanyFilter(Struct, kw_only=True):
    """Which companies."""

    status: Annotated[CompanyStatus | None, Meta(description="Only these.")] = None
    q: Annotated[str, Meta(description="Found in name, VAT number or reference.", max_length=100)] | None = None


_COMPANY = """
select c.company_id, c.party_id, c.name, c.vat_number, c.address, c.postal_code, c.city, c.country, c.email, c.reference,
       c.currency, c.payment_days, c.limit_per_month, c.status, c.version, c.created_at, c.updated_at,
       (select count(*) from company_member m where m.company_id = c.company_id) as n_members
from company c
"""


async def list_companies(
    conn: Connection,
    party_id: UUID,
    wanted: CompanyFilter,
    *,
    after: tuple[str, UUID] | None = None,
    limit: int = 100,
) -> list[Company]:
    """By name; `after` is (name in small letters, id) of the last one of the page before."""
    where = Conditions()
    where.add("c.party_id = {}", party_id)
    where.add_given("c.status = {}", wanted.status)
    if wanted.q:
        where.add("c.name || ' ' || coalesce(c.vat_number, '') || ' ' || c.reference ilike {}", like(wanted.q))
    if after:
        where.add("(lower(c.name), c.company_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_COMPANY} where {where.sql} order by lower(c.name), c.company_id limit {where.parameter(limit)}",
        *where.values,
    )
    return [Company(**row) for row in rows]


async def find_company(conn: Connection, party_id: UUID, company_id: UUID) -> Company | None:
    row = await conn.fetchrow(f"{_COMPANY} where c.party_id = $1 and c.company_id = $2", party_id, company_id)
    return Company(**row) if row else None


async def get_company(conn: Connection, party_id: UUID, company_id: UUID) -> Company:
    """Raises NotFound."""
    found = await find_company(conn, party_id, company_id)
    if found is None:
        raise NotFound(f"no company {company_id}")
    return found


async def list_members(conn: Connection, party_id: UUID, company_id: UUID) -> list[CompanyMember]:
    """Drivers by name, then tokens."""
    rows = await conn.fetch(
        "select m.company_id, m.driver_id, m.token_id, coalesce(d.name, nullif(t.label, ''), t.uid, '') as name, m.added_at,"
        " m.added_by from company_member m left join driver d on d.driver_id = m.driver_id"
        " left join token t on t.token_id = m.token_id where m.party_id = $1 and m.company_id = $2"
        " order by m.driver_id is null, lower(coalesce(d.name, t.label, '')), m.added_at",
        party_id,
        company_id,
    )
    return [CompanyMember(**row) for row in rows]
