"""/safe-limits: what stations may give a car when nobody says anything else; whether stations keep and obey it."""

from typing import Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.api.operations import (
    ApiRequest,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    TheDesk,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.smartcharging.checking import queries as checks
from ohmstead.smartcharging.checking.model import ProfileCheck
from ohmstead.smartcharging.defaults import editing, queries
from ohmstead.smartcharging.defaults import service as defaults
from ohmstead.smartcharging.defaults.model import Held, NewSafeLimit, SafeLimit, SafeLimitChange
from ohmstead.stations.queries import require_station

KEYSET = Keyset(item=SafeLimit, type=tuple[str, UUID], of=lambda limit: (limit.name, limit.safe_limit_id))


class HeldLimits(Struct, kw_only=True):
    """What a station is to keep at its EVSEs, and whether it does."""

    items: list[Held]


class ProfileChecks(Struct, kw_only=True):
    """Whether a station would deliver what the profiles allow that it accepted, by EVSE."""

    items: list[ProfileCheck]


@get("/safe-limits", opt=operation("stations:read"))
async def list_safe_limits(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[SafeLimit]]:
    """List safe limits by name."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[SafeLimit]:
        return await queries.list_limits(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@post("/safe-limits", opt=operation("stations:write", errors=(409,)))
async def create_safe_limit(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewSafeLimit]
) -> Response[SafeLimit]:
    """Create a safe limit. Stations that it fits are given it as their default profile now, or when they connect."""
    async with pool.acquire() as conn, conn.transaction():
        made = await editing.create_limit(conn, actor, given)
    await bus.publish(NUDGE, {})
    where = {"Location": f"/api/v1/safe-limits/{made.safe_limit_id}"}
    return answer(made, status=201, version=made.version, headers=where)


@get("/safe-limits/{safe_limit_id:uuid}", opt=operation("stations:read", errors=(404,)))
async def get_safe_limit(pool: ThePool, actor: TheActor, safe_limit_id: FromPath[UUID]) -> Response[SafeLimit]:
    """Read a safe limit."""
    async with pool.acquire() as conn:
        found = await queries.get_limit(conn, actor.party_id, safe_limit_id)
    return answer(found, version=found.version)


@patch("/safe-limits/{safe_limit_id:uuid}", opt=operation("stations:write", errors=(404, 409), takes_if_match=True))
async def change_safe_limit(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    safe_limit_id: FromPath[UUID],
    given: NamedDependency[SafeLimitChange],
) -> Response[SafeLimit]:
    """Change a safe limit. What is left out stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        changed = await editing.change_limit(conn, actor, safe_limit_id, given, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(changed, version=changed.version)


@delete("/safe-limits/{safe_limit_id:uuid}", opt=operation("stations:write", errors=(404,), takes_if_match=True))
async def delete_safe_limit(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, safe_limit_id: FromPath[UUID]
) -> None:
    """Delete a safe limit. Stations that keep it are freed from it, unless another one fits."""
    async with pool.acquire() as conn, conn.transaction():
        await editing.delete_limit(conn, actor, safe_limit_id, expected_version(request))
    await bus.publish(NUDGE, {})


@get("/stations/{station_id:str}/safe-limits", opt=operation("stations:read", errors=(404,)))
async def list_station_safe_limits(
    pool: ThePool, desk: TheDesk, actor: TheActor, station_id: FromPath[str]
) -> Response[HeldLimits]:
    """List the safe limits that a station is to keep, by EVSE, and whether it does."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        found = await defaults.state_of(conn, desk.book, actor.party_id, station_id)
    return answer(HeldLimits(items=found))


@get("/stations/{station_id:str}/profile-checks", opt=operation("stations:read", errors=(404,)))
async def list_profile_checks(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[ProfileChecks]:
    """List what a station said it would deliver after it accepted profiles, and where that is more than they allow."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        found = await checks.list_checks(conn, actor.party_id, station_id)
    return answer(ProfileChecks(items=found))


HANDLERS = [
    list_safe_limits,
    create_safe_limit,
    get_safe_limit,
    change_safe_limit,
    delete_safe_limit,
    list_station_safe_limits,
    list_profile_checks,
]
