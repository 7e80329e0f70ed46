"""/hosts: whoever owns the places where stations stand, and what they get."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.api.operations import (
    ApiRequest,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.hosts.sharing import ContractEnd, Host, HostContract, HostDetails, NewContract
from ohmstead.core.db import Connection

KEYSET = Keyset(item=Host, type=tuple[str, UUID], of=lambda host: (host.details.name.lower(), host.host_id))


class HostContracts(Struct):
    """A host's contracts, by place."""

    items: list[HostContract]


@get("/hosts", opt=operation("billing:read"))
async def list_hosts(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[Host]]:
    """List hosts by name, each with what it is owed."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Host]:
        return await hosts.list_hosts(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@post("/hosts", status_code=201, opt=operation("billing:write") | {"needs_proof": True})
async def create_host(pool: ThePool, actor: TheActor, given: NamedDependency[HostDetails]) -> Response[Host]:
    """Add a host: its legal name, address, tax and bank."""
    async with pool.acquire() as conn, conn.transaction():
        made = await hosts.create_host(conn, actor, given)
    return answer(made, status=201, version=made.version, headers={"Location": f"/api/v1/hosts/{made.host_id}"})


@get("/hosts/{host_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_host(pool: ThePool, actor: TheActor, host_id: FromPath[UUID]) -> Response[Host]:
    """Read a host."""
    async with pool.acquire() as conn:
        found = await hosts.get_host(conn, actor.party_id, host_id)
    return answer(found, version=found.version)


@put(
    "/hosts/{host_id:uuid}",
    opt=operation("billing:write", errors=(404, 409), takes_if_match=True) | {"needs_proof": True},
)
async def change_host(
    request: ApiRequest, pool: ThePool, actor: TheActor, host_id: FromPath[UUID], given: NamedDependency[HostDetails]
) -> Response[Host]:
    """Change a host, on statements from now on."""
    async with pool.acquire() as conn, conn.transaction():
        changed = await hosts.change_host(conn, actor, host_id, given, expected_version(request))
    return answer(changed, version=changed.version)


@get("/hosts/{host_id:uuid}/contracts", opt=operation("billing:read", errors=(404,)))
async def list_host_contracts(pool: ThePool, actor: TheActor, host_id: FromPath[UUID]) -> Response[HostContracts]:
    """List what a host gets, by place."""
    async with pool.acquire() as conn:
        await hosts.get_host(conn, actor.party_id, host_id)
        return answer(HostContracts(await hosts.list_contracts(conn, actor.party_id, host_id)))


@post("/hosts/{host_id:uuid}/contracts", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def agree_host_contract(
    pool: ThePool, actor: TheActor, host_id: FromPath[UUID], given: NamedDependency[NewContract]
) -> Response[HostContract]:
    """Let a host have a share of what is charged at a place, or so much for a kWh."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await hosts.agree(conn, actor, host_id, given), status=201)


@post(
    "/hosts/{host_id:uuid}/contracts/{contract_id:uuid}/end",
    status_code=200,
    opt=operation("billing:write", errors=(404, 409)),
)
async def end_host_contract(
    pool: ThePool,
    actor: TheActor,
    host_id: FromPath[UUID],
    contract_id: FromPath[UUID],
    given: NamedDependency[ContractEnd],
) -> Response[HostContract]:
    """Let a contract end. What was stated stays."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await hosts.end(conn, actor, host_id, contract_id, given))


HANDLERS = [
    list_hosts,
    create_host,
    get_host,
    change_host,
    list_host_contracts,
    agree_host_contract,
    end_host_contract,
]
