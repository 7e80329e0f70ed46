"""Saved lists and columns: a menu that every list has."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.lists import service as lists
from ohmstead.accounts.lists.service import NewSavedList, PageName
from ohmstead.console.forms import faults_of, form_of
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.doorway import WITHIN
from ohmstead.ui.templating import page

PLACES: dict[str, str] = {name: f"/{name}" for name in PageName.__args__}  # type: ignore[attr-defined]


def _known(name: str) -> str:
    if name not in PLACES:
        raise NotFound(f"no list {name[:40]}")
    return name


@get("/lists/{name:str}", opt=WITHIN)
async def saved_lists(request: PageRequest, pool: PoolIn, actor: ActorIn, name: FromPath[str]) -> Response[str]:
    """The menu's content."""
    return await _menu(request, pool, actor, _known(name))


async def _menu(
    request: PageRequest, pool: PoolIn, actor: ActorIn, name: str, given: str = "", error: str = ""
) -> Response[str]:
    query = urlsplit(request.headers.get("hx-current-url", "")).query
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await lists.list_saved(conn, actor, name)
    try:
        now = lists.tidied(query)
    except Invalid:
        now = ""
    return page(
        request,
        "parts/saved_lists.html",
        name=name,
        place=PLACES[name],
        found=found,
        now=now,
        given=given,
        error=error,
    )


@post("/lists/{name:str}", status_code=200, opt=WITHIN)
async def save_list(request: PageRequest, pool: PoolIn, actor: ActorIn, name: FromPath[str]) -> Response[Any]:
    """Keep the list that is shown, under a name."""
    given = (await form_of(request)).fields
    allow(actor, "stations:read")
    raw = {
        "page": _known(name),
        "name": given.get("name", ""),
        "query": given.get("query", ""),
        "is_shared": given.get("is_shared") == "yes",
    }
    try:
        async with pool.acquire() as conn, conn.transaction():
            await lists.save(conn, actor, msgspec.convert(raw, NewSavedList))
    except (msgspec.ValidationError, Invalid) as error:
        text = next(iter(faults_of(error, ("name",)).values()))
        return await _menu(request, pool, actor, name, given.get("name", ""), text)
    except (Conflict, Refused) as error:
        return await _menu(request, pool, actor, name, given.get("name", ""), error.text)
    return await _menu(request, pool, actor, name)


@post("/lists/{name:str}/{saved_list_id:str}/delete", status_code=200, opt=WITHIN)
async def delete_list(
    request: PageRequest, pool: PoolIn, actor: ActorIn, name: FromPath[str], saved_list_id: FromPath[str]
) -> Response[Any]:
    """Forget one."""
    allow(actor, "stations:read")
    try:
        async with pool.acquire() as conn, conn.transaction():
            await lists.delete(conn, actor, uuid_of(saved_list_id, "saved list"))
    except (Refused, NotFound) as error:
        return await _menu(request, pool, actor, _known(name), "", error.text)
    return await _menu(request, pool, actor, _known(name))


@post("/lists/{name:str}/columns", status_code=200, opt=WITHIN)
async def hide_columns(request: PageRequest, pool: PoolIn, actor: ActorIn, name: FromPath[str]) -> Response[Any]:
    """Hide the columns named, and only those."""
    given = await form_of(request)
    hidden = [text[:80] for text in given.many.get("hidden", []) if text][:100]
    async with pool.acquire() as conn, conn.transaction():
        await opened(request, conn, actor)
        await lists.hide_columns(conn, actor, _known(name), hidden)
    if "hx-request" in request.headers:
        return Response(b"", media_type="text/html")
    return Redirect(PLACES[name], status_code=303)


HANDLERS = [saved_lists, save_list, delete_list, hide_columns]
