"""/templates: what stations' variables are to be; /quirks: profiles of makes; /local-lists: whether stations get them."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    ApiRequest,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    ThePool,
    TheSettings,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.reports.installation.model import KnownQuirk
from ohmstead.reports.installation.service import known_quirks
from ohmstead.stations.device import local_lists, queries, templates
from ohmstead.stations.device.queries import Fitting, TemplateView
from ohmstead.stations.device.templates import NewTemplate, TemplateChange
from ohmstead.stations.quirks.book import book_at

KEYSET = Keyset(item=TemplateView, type=tuple[str, UUID], of=lambda template: (template.name, template.template_id))


class Fittings(Struct, kw_only=True):
    """Stations that a template fits."""

    items: list[Fitting]
    total: Annotated[int, Meta(description="How many there are; the first 200 are listed.")]


class Quirks(Struct, kw_only=True):
    """The quirk profiles in force, in the order in which they count, and files that cannot be used."""

    items: list[KnownQuirk]
    faults: list[str]


class LocalLists(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether the party's stations get local authorization lists, where a station itself says nothing else."""

    is_sent: bool


@get("/templates", opt=operation("stations:read"))
async def list_templates(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[TemplateView]]:
    """List configuration templates by name."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[TemplateView]:
        return await queries.list_templates(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@post("/templates", opt=operation("stations:write", errors=(409,)))
async def create_template(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewTemplate]
) -> Response[TemplateView]:
    """Create a template. Stations that it fits are brought to it at once, or when they connect."""
    async with pool.acquire() as conn, conn.transaction():
        made = await templates.create_template(conn, actor, given)
    await bus.publish(NUDGE, {})
    where = {"Location": f"/api/v1/templates/{made.template_id}"}
    return answer(made, status=201, version=made.version, headers=where)


@get("/templates/{template_id:uuid}", opt=operation("stations:read", errors=(404,)))
async def get_template(pool: ThePool, actor: TheActor, template_id: FromPath[UUID]) -> Response[TemplateView]:
    """Read a template."""
    async with pool.acquire() as conn:
        template = await queries.get_template(conn, actor.party_id, template_id)
    return answer(template, version=template.version)


@patch("/templates/{template_id:uuid}", opt=operation("stations:write", errors=(404, 409), takes_if_match=True))
async def change_template(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    template_id: FromPath[UUID],
    given: NamedDependency[TemplateChange],
) -> Response[TemplateView]:
    """Change a template. What is left out stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        template = await templates.change_template(conn, actor, template_id, given, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(template, version=template.version)


@delete("/templates/{template_id:uuid}", opt=operation("stations:write", errors=(404,), takes_if_match=True))
async def delete_template(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, template_id: FromPath[UUID]
) -> None:
    """Delete a template. What it set stays set."""
    async with pool.acquire() as conn, conn.transaction():
        await templates.delete_template(conn, actor, template_id, expected_version(request))
    await bus.publish(NUDGE, {})


@get("/templates/{template_id:uuid}/stations", opt=operation("stations:read", errors=(404,)))
async def list_template_stations(pool: ThePool, actor: TheActor, template_id: FromPath[UUID]) -> Response[Fittings]:
    """List stations that a template fits, and how many of its variables are not as it wants them there."""
    async with pool.acquire() as conn:
        items, total = await queries.stations_fitting(conn, actor.party_id, template_id)
    return answer(Fittings(items=items, total=total))


@get("/quirks", opt=operation("stations:read"))
async def list_quirks(pool: ThePool, actor: TheActor, settings: TheSettings) -> Response[Quirks]:
    """List what is known to be different about makes of stations, where it is documented, and how many stations it fits."""
    book = book_at(settings.quirks_dir)
    async with pool.acquire() as conn:
        found = await known_quirks(conn, actor.scope, book)
    return answer(Quirks(items=found, faults=book.faults))


@get("/local-lists", opt=operation("stations:read"))
async def get_local_lists(pool: ThePool, actor: TheActor) -> Response[LocalLists]:
    """Read whether stations get local authorization lists."""
    async with pool.acquire() as conn:
        return answer(LocalLists(is_sent=await queries.sends_local_lists(conn, actor.party_id)))


@patch("/local-lists", opt=operation("stations:write"))
async def change_local_lists(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[LocalLists]
) -> Response[LocalLists]:
    """Set whether stations get local authorization lists. A station may say otherwise: `takes_local_list`."""
    async with pool.acquire() as conn, conn.transaction():
        await local_lists.send_lists(conn, actor, is_on=given.is_sent)
    await bus.publish(NUDGE, {})
    return answer(given)


HANDLERS = [
    list_templates,
    create_template,
    get_template,
    change_template,
    delete_template,
    list_template_stations,
    list_quirks,
    get_local_lists,
    change_local_lists,
]
