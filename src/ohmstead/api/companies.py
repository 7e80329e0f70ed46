"""/companies: who pays afterwards for what their people charge."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.billing.companies import queries
from ohmstead.billing.companies import service as companies
from ohmstead.billing.companies.model import (
    Company,
    CompanyChange,
    CompanyMember,
    CompanyMonth,
    NewCompany,
    NewCompanyMember,
)
from ohmstead.billing.companies.queries import CompanyFilter
from ohmstead.core.db import Connection

KEYSET = Keyset(item=Company, type=tuple[str, UUID], of=lambda one: (one.name.lower(), one.company_id))


class CompanyQuery(CompanyFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of companies."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class CompanyMembers(Struct, frozen=True, kw_only=True):
    """All of them."""

    items: list[CompanyMember]


@get("/companies", opt=operation("billing:read", exports=(CSV, NDJSON)))
async def list_companies(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[CompanyQuery]
) -> Response[Page[Company]]:
    """List companies by name."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Company]:
        return await queries.list_companies(conn, actor.party_id, filters, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="companies")


@post("/companies", status_code=201, opt=operation("billing:write"))
async def create_company(pool: ThePool, actor: TheActor, given: NamedDependency[NewCompany]) -> Response[Company]:
    """Make a contract with a company that pays afterwards."""
    async with pool.acquire() as conn, conn.transaction():
        company = await companies.create_company(conn, actor, given)
    where = {"Location": f"/api/v1/companies/{company.company_id}"}
    return answer(company, status=201, version=company.version, headers=where)


@get("/companies/{company_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_company(pool: ThePool, actor: TheActor, company_id: FromPath[UUID]) -> Response[Company]:
    """Read a company."""
    async with pool.acquire() as conn:
        company = await queries.get_company(conn, actor.party_id, company_id)
    return answer(company, version=company.version)


@patch("/companies/{company_id:uuid}", opt=operation("billing:write", errors=(404, 409), takes_if_match=True))
async def change_company(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    company_id: FromPath[UUID],
    given: NamedDependency[CompanyChange],
) -> Response[Company]:
    """Change a company. Suspended or ended, it pays for no session that begins from now on."""
    async with pool.acquire() as conn, conn.transaction():
        company = await companies.change_company(conn, actor, company_id, given, expected_version(request))
    return answer(company, version=company.version)


@get("/companies/{company_id:uuid}/members", opt=operation("billing:read", errors=(404,)))
async def list_company_members(pool: ThePool, actor: TheActor, company_id: FromPath[UUID]) -> Response[CompanyMembers]:
    """List for whom a company pays: drivers with all their tokens, and single tokens."""
    async with pool.acquire() as conn:
        await queries.get_company(conn, actor.party_id, company_id)
        return answer(CompanyMembers(items=await queries.list_members(conn, actor.party_id, company_id)))


@post("/companies/{company_id:uuid}/members", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def add_company_member(
    pool: ThePool, actor: TheActor, company_id: FromPath[UUID], given: NamedDependency[NewCompanyMember]
) -> Response[CompanyMembers]:
    """Let a company pay for a driver, or for a token, from now on. Of one company at a time."""
    async with pool.acquire() as conn, conn.transaction():
        found = await companies.add_member(conn, actor, company_id, given)
    return answer(CompanyMembers(items=found), status=201)


@delete(
    "/companies/{company_id:uuid}/members/{member_id:uuid}",
    status_code=204,
    opt=operation("billing:write", errors=(404,)),
)
async def remove_company_member(
    pool: ThePool, actor: TheActor, company_id: FromPath[UUID], member_id: FromPath[UUID]
) -> None:
    """Let it pay for them no more: `member_id` is the driver's or the token's id. Sessions that began stay whose they are."""
    async with pool.acquire() as conn, conn.transaction():
        await companies.remove_member(conn, actor, company_id, member_id)


@get("/companies/{company_id:uuid}/month", opt=operation("billing:read", errors=(404,)))
async def get_company_month(pool: ThePool, actor: TheActor, company_id: FromPath[UUID]) -> Response[CompanyMonth]:
    """Read what a company's members charged in this month, and what is left of its limit."""
    async with pool.acquire() as conn:
        return answer(await companies.month_of(conn, actor.party_id, company_id))


HANDLERS = [
    list_companies,
    create_company,
    get_company,
    change_company,
    list_company_members,
    add_company_member,
    remove_company_member,
    get_company_month,
]
