"""How should stations be set up? Configuration templates: the list, one of them, and the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.language import told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.pages import queries as pages
from ohmstead.stations.device import queries, templates
from ohmstead.stations.device.drift import PLACEHOLDERS
from ohmstead.stations.device.queries import TemplateView
from ohmstead.stations.device.templates import NewTemplate, TemplateChange
from ohmstead.ui.templating import page

_TEXTS = ("vendor", "model", "firmware", "location_id")


@get("/templates")
async def template_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """All templates, with how many stations they fit and how many of those are off."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await queries.list_templates(conn, actor.party_id, limit=200)
        fits = {}
        for one in found:
            stations, total = await queries.stations_fitting(conn, actor.party_id, one.template_id, 50)
            fits[one.template_id] = (total, sum(1 for station in stations if station.n_off))
        locations = {row["location_id"]: row["name"] for row in await pages.list_locations(conn, actor.scope)}
    return page(request, "console/templates.html", templates=found, fits=fits, locations=locations)


@get("/templates/new")
async def new_template(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        return await _form(request, conn, actor, {"generation": "2.x", "is_enabled": "yes"}, {})


@post("/templates/new", status_code=200)
async def add_template(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create one; stations that it fits are brought to it."""
    allow(actor, "stations:write")
    given = await _fields(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        try:
            wanted = msgspec.convert(
                {**_values(given), "generation": given.get("generation", "")}, NewTemplate, strict=False
            )
            async with conn.transaction():
                made = await templates.create_template(conn, actor, wanted)
        except (Invalid, Conflict, msgspec.ValidationError) as error:
            return await _form(request, conn, actor, given, _errors(error), status=422)
    await bus.publish(NUDGE, {})
    return Redirect(f"/templates/{made.template_id}", status_code=303)


@get("/templates/{template_id:str}")
async def template(request: PageRequest, pool: PoolIn, actor: ActorIn, template_id: FromPath[str]) -> Response[str]:
    """One template: what it wants, and of whom."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await queries.get_template(conn, actor.party_id, uuid_of(template_id, "template"))
        return await _form(request, conn, actor, _shown(found), {}, found)


def _is_deleting(fields: Mapping[str, str]) -> bool:
    return fields.get("do") == "delete"


@post("/templates/{template_id:str}", status_code=200, opt={"needs_proof": _is_deleting})
async def change_template(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, template_id: FromPath[str]
) -> Response[Any]:
    """Change it, or delete it."""
    allow(actor, "stations:write")
    given = await _fields(request)
    known = uuid_of(template_id, "template")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        found = await queries.get_template(conn, actor.party_id, known)
        try:
            if given.get("do") == "delete":
                async with conn.transaction():
                    await templates.delete_template(conn, actor, known)
            else:
                change = msgspec.convert(_values(given), TemplateChange, strict=False)
                async with conn.transaction():
                    await templates.change_template(conn, actor, known, change)
        except (Invalid, Conflict, msgspec.ValidationError) as error:
            return await _form(request, conn, actor, given, _errors(error), found, status=422)
    await bus.publish(NUDGE, {})
    return Redirect("/templates" if given.get("do") == "delete" else f"/templates/{known}", status_code=303)


async def _form(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    given: dict[str, str],
    errors: dict[str, str],
    found: TemplateView | None = None,
    status: int = 200,
) -> Response[str]:
    stations, total = (
        await queries.stations_fitting(conn, actor.party_id, found.template_id) if found is not None else ([], 0)
    )
    return page(
        request,
        "console/template.html",
        status=status,
        given=given,
        errors=errors,
        found=found,
        stations=stations,
        n_stations=total,
        n_off=sum(1 for station in stations if station.n_off),
        locations=await pages.list_locations(conn, actor.scope),
        placeholders=PLACEHOLDERS,
    )


async def _fields(request: PageRequest) -> dict[str, str]:
    form = await request.form()
    return {k: v.strip() for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}


def _values(given: dict[str, str]) -> dict[str, Any]:
    """A form as the fields of a template: variables are lines `name = value`, stations are separated by spaces."""
    variables = {}
    for line in given.get("variables", "").splitlines():
        if not line.strip():
            continue
        name, found, value = line.partition("=")
        if not found or not name.strip():
            raise Invalid(
                f"one setting in each line, as name = value: {line.strip()[:60]!r} is none", field="variables"
            )
        if name.strip() in variables:
            raise Invalid(f"{name.strip()[:60]} is there twice", field="variables")
        variables[name.strip()] = value.strip()
    stations = given.get("station_ids", "").replace(",", " ").split()
    return {
        "name": given.get("name", ""),
        "priority": given.get("priority") or "0",
        "variables": variables,
        "station_ids": stations or None,
        "resets_on_idle": given.get("resets_on_idle") == "yes",
        "is_enabled": given.get("is_enabled") == "yes",
        **{name: given.get(name) or None for name in _TEXTS},
    }


def _shown(found: TemplateView) -> dict[str, str]:
    texts = {name: str(getattr(found, name) or "") for name in ("name", "generation", *_TEXTS)}
    return texts | {
        "priority": str(found.priority),
        "variables": "\n".join(f"{name} = {value}" for name, value in found.variables.items()),
        "station_ids": " ".join(found.station_ids or []),
        "resets_on_idle": "yes" if found.resets_on_idle else "",
        "is_enabled": "yes" if found.is_enabled else "",
    }


def _errors(error: Invalid | Conflict | msgspec.ValidationError) -> dict[str, str]:
    if isinstance(error, msgspec.ValidationError):
        field, text = fault_of(error)
        return {(field.partition(".")[0].partition("[")[0] or "name"): in_words(text)}
    return {(error.field if isinstance(error, Invalid) and error.field else "name"): told(error)}
