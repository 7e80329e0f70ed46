"""SCIM 2.0 (RFC 7644): a directory keeps people and groups here. `/scim/v2`, with a key of scope `people:provision`."""

from __future__ import annotations

from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post, put
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, SkipValidation

from ohmstead.accounts.access import Actor, NotSignedIn, require
from ohmstead.accounts.people import provisioning
from ohmstead.accounts.people.model import Group
from ohmstead.api import problems
from ohmstead.api.scim import forms, schemas
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.log import logger
from ohmstead.settings import Settings

log = logger("ohmstead.scim")

PATH: Final = "/scim/v2"
MEDIA_TYPE: Final = "application/scim+json"
ACTION: Final = "people:provision"

_Request: TypeAlias = Request[Any, Any, State]
_Pool: TypeAlias = NamedDependency[Pool]
_Actor: TypeAlias = NamedDependency[Actor]
_Settings: TypeAlias = NamedDependency[SkipValidation[Settings]]


async def guard(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Directories come with a key; browsers have no business here."""
    actor = connection.scope["state"].get("actor")
    if actor is None or actor.operator_id is not None:
        raise NotSignedIn(f"send `Authorization: Bearer ohm_…` with a key of scope {ACTION}")
    require(actor, ACTION)


def _answer(content: Any, status: int = 200, location: str | None = None) -> Response[bytes]:
    headers = {"Location": location} if location else {}
    return Response(msgspec.json.encode(content), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def answer_error(request: _Request, error: Exception) -> Response[bytes]:
    """An error in SCIM's form (RFC 7644 §3.12)."""
    problem = problems.problem_of(error, request.scope["path"])
    status, scim_type = problem.status, None
    if isinstance(error, forms.Bad):
        status, scim_type = 400, error.scim_type
    elif isinstance(error, Conflict):
        status, scim_type = 409, "uniqueness"
    elif isinstance(error, Invalid):
        status, scim_type = 400, "invalidValue"
    elif isinstance(error, Refused):
        status, scim_type = 400, "mutability"
    if status >= 500 and not isinstance(error, OhmsteadError):
        log.error("request_failed", path=request.scope["path"], status=status, exc_info=error)
    content: dict[str, Any] = {"schemas": [forms.ERROR], "status": str(status), "detail": problem.detail}
    if scim_type is not None:
        content["scimType"] = scim_type
    return Response(
        msgspec.json.encode(content), status_code=status, media_type=MEDIA_TYPE, headers=problems.headers_of(error)
    )


async def _body(request: _Request) -> dict[str, Any]:
    """Raises Bad for what is no object of JSON, and for characters that PostgreSQL cannot keep."""
    body = await request.body()
    if b"\\u0000" in body:
        raise forms.Bad("holds the character U+0000", "invalidSyntax")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise forms.Bad(f"not a JSON object: {str(error)[:200]}", "invalidSyntax") from error


def _base(settings: Settings) -> str:
    return settings.console_url + PATH


def _id(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"no {what} {text[:60]}") from None


def _span(request: _Request) -> tuple[int, int]:
    """(first, how many) of a list (RFC 7644 §3.4.2.4). Raises Bad."""
    try:
        start = int(request.query_params.get("startIndex", "1")[:10])
        count = int(request.query_params.get("count", str(forms.MOST_IN_LIST))[:10])
    except ValueError:
        raise forms.Bad("startIndex and count are numbers") from None
    return max(1, min(start, 2**31)), max(0, min(count, forms.MOST_IN_LIST))


def _list(resources: list[dict[str, Any]], total: int, start: int) -> Response[bytes]:
    return _answer(
        {
            "schemas": [forms.LIST],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(resources),
            "Resources": resources,
        }
    )


# ------------------------------------------------------------------------------------------------------------- users


async def _user(conn: Connection, actor: Actor, operator_id: UUID, base: str) -> dict[str, Any]:
    one = await provisioning.get(conn, actor.party_id, operator_id)
    groups = [group for _, group in await provisioning.list_groups_of(conn, actor.party_id, [operator_id])]
    return forms.user_form(one, groups, base)


@post("/Users", status_code=201)
async def create_user(request: _Request, pool: _Pool, actor: _Actor, settings: _Settings) -> Response[bytes]:
    """A person whom the directory has."""
    kept = forms.kept_of(await _body(request))
    async with pool.acquire() as conn, conn.transaction():
        made = await provisioning.create(conn, actor, kept)
        form = await _user(conn, actor, made.operator_id, _base(settings))
    return _answer(form, 201, form["meta"]["location"])


@get("/Users")
async def list_users(request: _Request, pool: _Pool, actor: _Actor, settings: _Settings) -> Response[bytes]:
    """Those that a directory keeps; `filter=userName eq "…"` finds one."""
    start, count = _span(request)
    wanted = forms.filtered(request.query_params.get("filter"), "userName")
    async with pool.acquire() as conn:
        found, total = await provisioning.list_operators(conn, actor.party_id, wanted, start, count)
        of: dict[UUID, list[Group]] = {one.operator_id: [] for one in found}
        for operator_id, group in await provisioning.list_groups_of(conn, actor.party_id, list(of)):
            of[operator_id].append(group)
    return _list([forms.user_form(one, of[one.operator_id], _base(settings)) for one in found], total, start)


@get("/Users/{user_id:str}")
async def get_user(pool: _Pool, actor: _Actor, settings: _Settings, user_id: FromPath[str]) -> Response[bytes]:
    """One of them."""
    async with pool.acquire() as conn:
        return _answer(await _user(conn, actor, _id(user_id, "user"), _base(settings)))


@put("/Users/{user_id:str}")
async def replace_user(
    request: _Request, pool: _Pool, actor: _Actor, settings: _Settings, user_id: FromPath[str]
) -> Response[bytes]:
    """As the directory has the person now; not active is out at once."""
    kept, known = forms.kept_of(await _body(request)), _id(user_id, "user")
    async with pool.acquire() as conn, conn.transaction():
        await provisioning.get(conn, actor.party_id, known)
        await provisioning.replace(conn, actor, known, kept)
        return _answer(await _user(conn, actor, known, _base(settings)))


@patch("/Users/{user_id:str}")
async def patch_user(
    request: _Request, pool: _Pool, actor: _Actor, settings: _Settings, user_id: FromPath[str]
) -> Response[bytes]:
    """Some attributes of the person."""
    operations, known = forms.operations_of(await _body(request)), _id(user_id, "user")
    async with pool.acquire() as conn, conn.transaction():
        before = await _user(conn, actor, known, _base(settings))
        await provisioning.replace(conn, actor, known, forms.kept_of(forms.patched(before, operations)))
        return _answer(await _user(conn, actor, known, _base(settings)))


@delete("/Users/{user_id:str}", status_code=204)
async def delete_user(pool: _Pool, actor: _Actor, user_id: FromPath[str]) -> None:
    """Disabled, signed out and no longer the directory's; what the person did stays on record."""
    async with pool.acquire() as conn, conn.transaction():
        await provisioning.deactivate(conn, actor, _id(user_id, "user"))


# ------------------------------------------------------------------------------------------------------------ groups


async def _group(conn: Connection, actor: Actor, group_id: UUID, base: str) -> dict[str, Any]:
    one = await provisioning.find_group(conn, actor.party_id, group_id)
    if one is None:
        raise NotFound(f"no group {group_id}")
    members = await provisioning.list_members(conn, actor.party_id, [group_id])
    return forms.group_form(one, [(operator_id, name) for _, operator_id, name in members], base)


def _named(form: dict[str, Any]) -> tuple[str, str | None]:
    low = forms.lower_keys(form)
    name, external_id = low.get("displayname"), low.get("externalid")
    if not isinstance(name, str) or not isinstance(external_id, str | None):
        raise forms.Bad("displayName is required, and a text")
    return name, external_id[:254] if external_id else None


@post("/Groups", status_code=201)
async def create_group(request: _Request, pool: _Pool, actor: _Actor, settings: _Settings) -> Response[bytes]:
    """A group; it means nothing until an owner gives it a role."""
    form = await _body(request)
    name, external_id = _named(form)
    members = forms.members_of(forms.lower_keys(form).get("members") or [])
    async with pool.acquire() as conn, conn.transaction():
        made = await provisioning.create_group(conn, actor, name, external_id, members)
        shown = await _group(conn, actor, made.group_id, _base(settings))
    return _answer(shown, 201, shown["meta"]["location"])


@get("/Groups")
async def list_groups(request: _Request, pool: _Pool, actor: _Actor, settings: _Settings) -> Response[bytes]:
    """All groups; `filter=displayName eq "…"` finds one."""
    start, count = _span(request)
    wanted = forms.filtered(request.query_params.get("filter"), "displayName")
    async with pool.acquire() as conn:
        found, total = await provisioning.list_groups(conn, actor.party_id, wanted, start, count)
        of: dict[UUID, list[tuple[UUID, str]]] = {one.group_id: [] for one in found}
        for group_id, operator_id, name in await provisioning.list_members(conn, actor.party_id, list(of)):
            of[group_id].append((operator_id, name))
    return _list([forms.group_form(one, of[one.group_id], _base(settings)) for one in found], total, start)


@get("/Groups/{group_id:str}")
async def get_group(pool: _Pool, actor: _Actor, settings: _Settings, group_id: FromPath[str]) -> Response[bytes]:
    """One of them, with its members."""
    async with pool.acquire() as conn:
        return _answer(await _group(conn, actor, _id(group_id, "group"), _base(settings)))


@put("/Groups/{group_id:str}")
async def replace_group(
    request: _Request, pool: _Pool, actor: _Actor, settings: _Settings, group_id: FromPath[str]
) -> Response[bytes]:
    """Name and members as the directory has them now."""
    form, known = await _body(request), _id(group_id, "group")
    name, external_id = _named(form)
    wanted = set(forms.members_of(forms.lower_keys(form).get("members") or []))
    async with pool.acquire() as conn, conn.transaction():
        await provisioning.rename_group(conn, actor, known, name, external_id)
        before = {one for _, one, _ in await provisioning.list_members(conn, actor.party_id, [known])}
        await provisioning.change_members(
            conn, actor, known, add=sorted(wanted - before), remove=sorted(before - wanted)
        )
        return _answer(await _group(conn, actor, known, _base(settings)))


@patch("/Groups/{group_id:str}")
async def patch_group(
    request: _Request, pool: _Pool, actor: _Actor, settings: _Settings, group_id: FromPath[str]
) -> Response[bytes]:
    """Another name; members come and go."""
    operations, known = forms.operations_of(await _body(request)), _id(group_id, "group")
    async with pool.acquire() as conn, conn.transaction():
        await _group(conn, actor, known, "")
        for operation in operations:
            await _apply(conn, actor, known, operation)
        return _answer(await _group(conn, actor, known, _base(settings)))


async def _apply(conn: Connection, actor: Actor, group_id: UUID, operation: Any) -> None:
    verb, path, value = forms.operation_of(operation)
    if path is None:
        if verb == "remove" or not isinstance(value, dict):
            raise forms.Bad("an operation without a path needs an object of attributes", "noTarget")
        for name, inner in value.items():
            await _apply(conn, actor, group_id, {"op": verb, "path": name, "value": inner})
        return
    low = path.rpartition(":")[2].lower() if not path.lower().startswith("members[") else path
    if low == "displayname" and verb != "remove":
        found = await provisioning.find_group(conn, actor.party_id, group_id)
        name, _ = _named({"displayName": value})
        await provisioning.rename_group(conn, actor, group_id, name, found.external_id if found else None)
    elif low == "members":
        before = {one for _, one, _ in await provisioning.list_members(conn, actor.party_id, [group_id])}
        given = set(forms.members_of(value)) if value is not None else before
        add = given - before if verb != "remove" else set()
        gone = {"replace": before - given, "remove": before & given}.get(verb, set())
        await provisioning.change_members(conn, actor, group_id, add=sorted(add), remove=sorted(gone))
    elif (member := forms.member_in(path)) is not None and verb == "remove":
        await provisioning.change_members(conn, actor, group_id, add=(), remove=[member])
    elif low not in ("id", "externalid"):
        raise forms.Bad(f"there is no {path[:60]!r} to change in a group", "invalidPath")


@delete("/Groups/{group_id:str}", status_code=204)
async def delete_group(pool: _Pool, actor: _Actor, group_id: FromPath[str]) -> None:
    """Its members lose what it gave."""
    async with pool.acquire() as conn, conn.transaction():
        await provisioning.delete_group(conn, actor, _id(group_id, "group"))


# --------------------------------------------------------------------------------------------- what this server knows


@get("/ServiceProviderConfig")
async def provider_config(settings: _Settings) -> Response[bytes]:
    """What is supported here (RFC 7643 §5)."""
    return _answer(schemas.provider_config(_base(settings)))


@get("/Schemas")
async def list_schemas(settings: _Settings) -> Response[bytes]:
    """The attributes of users and groups that are kept."""
    found = schemas.schemas(_base(settings))
    return _list(found, len(found), 1)


@get("/Schemas/{urn:str}")
async def get_schema(settings: _Settings, urn: FromPath[str]) -> Response[bytes]:
    """One of them."""
    return _answer(_one(schemas.schemas(_base(settings)), urn))


@get("/ResourceTypes")
async def list_resource_types(settings: _Settings) -> Response[bytes]:
    """Users and groups."""
    found = schemas.resource_types(_base(settings))
    return _list(found, len(found), 1)


@get("/ResourceTypes/{name:str}")
async def get_resource_type(settings: _Settings, name: FromPath[str]) -> Response[bytes]:
    """One of them."""
    return _answer(_one(schemas.resource_types(_base(settings)), name))


def _one(found: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    for one in found:
        if one["id"] == wanted:
            return one
    raise NotFound(f"there is no {wanted[:100]}")


router = Router(
    path=PATH,
    route_handlers=[
        create_user,
        list_users,
        get_user,
        replace_user,
        patch_user,
        delete_user,
        create_group,
        list_groups,
        get_group,
        replace_group,
        patch_group,
        delete_group,
        provider_config,
        list_schemas,
        get_schema,
        list_resource_types,
        get_resource_type,
    ],
    guards=[guard],
    exception_handlers={HTTPException: answer_error, Exception: answer_error},
)
