"""What may a car have when nobody says anything else? Safe limits: the list and the form."""

from __future__ import annotations

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
from ohmstead.core.validation import fault_of
from ohmstead.reports.pages import queries as pages
from ohmstead.smartcharging.defaults import editing, queries
from ohmstead.smartcharging.defaults.model import NewSafeLimit, SafeLimit, SafeLimitChange
from ohmstead.ui.templating import page

SHOWN = 200
_TEXTS = ("vendor", "model", "firmware", "location_id")


@get("/safe-limits")
async def safe_limits(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """All safe limits."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await queries.list_limits(conn, actor.party_id, limit=SHOWN)
        locations = {row["location_id"]: row["name"] for row in await pages.list_locations(conn, actor.scope)}
    return page(request, "console/safe_limits.html", found=found, locations=locations)


@get("/safe-limits/new")
async def new_safe_limit(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        return await _form(request, conn, actor, {"is_enabled": "yes"}, {})


@post("/safe-limits/new", status_code=200)
async def add_safe_limit(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create one; stations that it fits are given it."""
    allow(actor, "stations:write")
    given = await _fields(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        try:
            wanted = msgspec.convert(_values(given), NewSafeLimit, strict=False)
            async with conn.transaction():
                await editing.create_limit(conn, actor, wanted)
        except (Invalid, Conflict, msgspec.ValidationError) as error:
            return await _form(request, conn, actor, given, _errors(error), status=422)
    await bus.publish(NUDGE, {})
    return Redirect("/safe-limits", status_code=303)


@get("/safe-limits/{safe_limit_id:str}")
async def safe_limit(request: PageRequest, pool: PoolIn, actor: ActorIn, safe_limit_id: FromPath[str]) -> Response[str]:
    """One of them."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await queries.get_limit(conn, actor.party_id, uuid_of(safe_limit_id, "safe limit"))
        return await _form(request, conn, actor, _shown(found), {}, found)


@post("/safe-limits/{safe_limit_id:str}", status_code=200)
async def change_safe_limit(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, safe_limit_id: FromPath[str]
) -> Response[Any]:
    """Change it, or delete it."""
    allow(actor, "stations:write")
    given = await _fields(request)
    known = uuid_of(safe_limit_id, "safe limit")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        found = await queries.get_limit(conn, actor.party_id, known)
        try:
            async with conn.transaction():
                if given.get("do") == "delete":
                    await editing.delete_limit(conn, actor, known)
                else:
                    change = msgspec.convert(_values(given), SafeLimitChange, strict=False)
                    await editing.change_limit(conn, actor, known, change)
        except (Invalid, Conflict, msgspec.ValidationError) as error:
            return await _form(request, conn, actor, given, _errors(error), found, status=422)
    await bus.publish(NUDGE, {})
    return Redirect("/safe-limits", status_code=303)


async def _form(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    given: dict[str, str],
    errors: dict[str, str],
    found: SafeLimit | None = None,
    status: int = 200,
) -> Response[str]:
    locations = await pages.list_locations(conn, actor.scope)
    return page(
        request,
        "console/safe_limit.html",
        status=status,
        given=given,
        errors=errors,
        found=found,
        locations=locations,
    )


async def _fields(request: PageRequest) -> dict[str, str]:
    form = await request.form()
    return {k: v.strip() for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}


def _values(given: dict[str, str]) -> dict[str, Any]:
    """A form as the fields of a safe limit; stations are separated by spaces."""
    return {
        "name": given.get("name", ""),
        "limit": given.get("limit", "").replace(",", "."),
        "rate_unit": given.get("rate_unit", "A"),
        "priority": given.get("priority") or "0",
        "evse_number": given.get("evse_number") or None,
        "station_ids": given.get("station_ids", "").replace(",", " ").split() or None,
        "is_enabled": given.get("is_enabled") == "yes",
        **{name: given.get(name) or None for name in _TEXTS},
    }


def _shown(found: SafeLimit) -> dict[str, str]:
    texts = {name: str(getattr(found, name) or "") for name in ("name", "rate_unit", "evse_number", *_TEXTS)}
    return texts | {
        "limit": str(found.limit),
        "priority": str(found.priority),
        "station_ids": " ".join(found.station_ids or []),
        "is_enabled": "yes" if found.is_enabled else "",
    }


def _errors(error: Invalid | Conflict | msgspec.ValidationError) -> dict[str, str]:
    if isinstance(error, msgspec.ValidationError):
        field, text = fault_of(error)
        return {(field.partition(".")[0].partition("[")[0] or "name"): told(text)}
    return {(error.field if isinstance(error, Invalid) and error.field else "name"): told(error)}


HANDLERS = [safe_limits, new_safe_limit, add_safe_limit, safe_limit, change_safe_limit]
