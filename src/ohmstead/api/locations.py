"""/locations: sites with stations."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import Meta

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    TheBus,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.doorway import WITHIN
from ohmstead.stations import queries
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.service import LocationChange, NewLocation
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.queries import Location, LocationFilter
from ohmstead.stations.sites import queries as site_queries
from ohmstead.stations.sites import service as sites

KEYSET = Keyset(item=Location, type=tuple[str, UUID], of=lambda location: (location.name, location.location_id))


class LocationQuery(LocationFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of locations."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv sends everything that matches as a table.")] = None


@get("/locations", opt=operation("stations:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_locations(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[LocationQuery]
) -> Response[Page[Location]]:
    """List locations by name."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Location]:
        return await queries.list_locations(conn, actor.scope, filters, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="locations")


@post("/locations", opt=operation("stations:write"))
async def create_location(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewLocation]
) -> Response[Location]:
    """Create a location."""
    async with pool.acquire() as conn, conn.transaction():
        location = await directory.create_location(conn, actor, given)
    await bus.publish(NUDGE, {})
    where = {"Location": f"/api/v1/locations/{location.location_id}"}
    return answer(location, status=201, version=location.version, headers=where)


@get("/locations/{location_id:uuid}", opt=operation("stations:read", errors=(404,)))
async def get_location(pool: ThePool, actor: TheActor, location_id: FromPath[UUID]) -> Response[Location]:
    """Read a location."""
    async with pool.acquire() as conn:
        location = await queries.get_location(conn, actor.party_id, location_id)
    return answer(location, version=location.version)


@patch("/locations/{location_id:uuid}", opt=operation("stations:write", errors=(404,), takes_if_match=True))
async def change_location(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    location_id: FromPath[UUID],
    given: NamedDependency[LocationChange],
) -> Response[Location]:
    """Change a location. What is left out stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        location = await directory.change_location(conn, actor, location_id, given, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(location, version=location.version)


@delete("/locations/{location_id:uuid}", opt=operation("stations:write", errors=(404, 409), takes_if_match=True))
async def delete_location(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    storage: NamedDependency[SkipValidation[Storage]],
    location_id: FromPath[UUID],
) -> None:
    """Delete a location that no station in service is at, with its photos and its power tree."""
    async with pool.acquire() as conn, conn.transaction():
        photos = await site_queries.list_photos(conn, actor.party_id, location_id)
        await directory.delete_location(conn, actor, location_id, expected_version(request))
    await sites.drop_contents(pool, storage, [photo.sha256 for photo in photos])
    await bus.publish(NUDGE, {})


HANDLERS = [list_locations, create_location, get_location, change_location, delete_location]
