"""The people of the party: invited, given roles, disabled, let in again, signed out."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.accounts.audit import queries as audit_log
from ohmstead.accounts.model import Role
from ohmstead.accounts.people import provisioning
from ohmstead.accounts.people import service as people
from ohmstead.accounts.signin import devices
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core.errors import Conflict, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.language import N_, told
from ohmstead.settings import Settings
from ohmstead.ui.templating import page

ACTION = "people:write"
ROLES = {
    "owner": N_("Everything, people and keys included"),
    "operations": N_("Runs the network: stations, orders, tokens"),
    "technician": N_("Stations and orders to them"),
    "finance": N_("Reads sessions, drivers and tokens; sets prices, bills and closes months"),
    "support": N_("Helps drivers: orders, tokens, reservations"),
    "site_host": N_("Reads stations and sessions"),
    "read_only": N_("Reads everything"),
    "api": N_("Nothing here; looks after programs"),
}
# Pages say a role's key with spaces in it.
ROLE_NAMES = (
    N_("owner"),
    N_("operations"),
    N_("technician"),
    N_("finance"),
    N_("support"),
    N_("site host"),
    N_("read only"),
    N_("api"),
)


@get("/people")
async def people_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Everybody, the directory's groups, and the rule of the second person."""
    return await _page(request, pool, actor)


async def _page(
    request: PageRequest,
    pool: PoolIn,
    actor: Actor,
    *,
    error: OhmsteadError | None = None,
    given: dict[str, str] | None = None,
    link: tuple[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        found = await people.list_people(conn, actor.party_id)
        groups = await people.list_groups(conn, actor.party_id)
        party = await accounts.get_party(conn, actor.party_id)
    field = error.field if isinstance(error, Invalid) and error.field else "people"
    if isinstance(error, Conflict):
        field = str(error.detail.get("field", "people"))
    return page(
        request,
        "console/people.html",
        status=422 if error else 200,
        people=found,
        groups=groups,
        party=party,
        roles=ROLES,
        me=actor.operator_id,
        errors={field: told(error)} if error else {},
        given=given or {},
        link=link,
    )


def _link(settings: Settings, secret: str) -> str:
    return f"{settings.console_url}/sign-in?link={quote(secret)}"


async def _fields(request: PageRequest) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


@post("/people", opt={"needs_proof": True}, status_code=200)
async def invite(request: PageRequest, pool: PoolIn, settings: SettingsIn, actor: ActorIn) -> Response[str]:
    """Invite somebody; the link is shown this once, to be sent to them."""
    allow(actor, ACTION)
    given = await _fields(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            made, secret = await people.invite(
                conn, actor, name=given.get("name", ""), email=given.get("email", ""), role=given.get("role", "")
            )
    except (Invalid, Conflict, Refused) as error:
        return await _page(request, pool, actor, error=error, given=given)
    return await _page(request, pool, actor, link=(made.name, _link(settings, secret)))


@post("/people/rules", opt={"needs_proof": True}, status_code=200)
async def rules(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Whether orders to many stations wait for a second person."""
    allow(actor, ACTION)
    given = await _fields(request)
    async with pool.acquire() as conn, conn.transaction():
        await people.set_second_person(conn, actor, given.get("needs_second_person") == "yes")
    return Redirect("/people", status_code=303)


@post("/people/groups/{group_id:str}", opt={"needs_proof": True}, status_code=200)
async def group(request: PageRequest, pool: PoolIn, actor: ActorIn, group_id: FromPath[str]) -> Response[Any]:
    """What the members of a directory's group may do here."""
    allow(actor, ACTION)
    given = await _fields(request)
    try:
        role = msgspec.convert(given.get("role") or None, Role | None)
        async with pool.acquire() as conn, conn.transaction():
            await provisioning.give_role(conn, actor, uuid_of(group_id, "group"), role)
    except msgspec.ValidationError:
        return await _page(request, pool, actor, error=Invalid(f"there are {', '.join(access.ROLES)}", "people"))
    except (Invalid, Refused) as error:
        return await _page(request, pool, actor, error=error)
    return Redirect("/people", status_code=303)


@get("/people/{operator_id:str}")
async def person(request: PageRequest, pool: PoolIn, actor: ActorIn, operator_id: FromPath[str]) -> Response[str]:
    """One person: where they are signed in, and which keys of theirs go on without them."""
    known = uuid_of(operator_id, "operator")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        found = await people.get_person(conn, actor.party_id, known)
        sessions = await accounts.list_web_sessions(conn, known)
        about = audit_log.AuditFilter(object=f"operator/{known}")
        entries = await audit_log.list_entries(conn, actor.party_id, about, limit=30)
        keys = await accounts.list_keys_of(conn, actor.party_id, known)
    return page(
        request,
        "console/person.html",
        person=found,
        sessions=sessions,
        entries=entries,
        keys=keys,
        roles=ROLES,
        device=devices.told,
        is_me=actor.operator_id == known,
    )


@post("/people/{operator_id:str}", opt={"needs_proof": True}, status_code=200)
async def change(
    request: PageRequest, pool: PoolIn, settings: SettingsIn, actor: ActorIn, operator_id: FromPath[str]
) -> Response[Any]:
    """Another role; disable, enable, reset; sign out of one browser or all."""
    allow(actor, ACTION)
    given = await _fields(request)
    known = uuid_of(operator_id, "operator")
    secret: str | None = None
    try:
        async with pool.acquire() as conn, conn.transaction():
            match given.get("do"):
                case "role":
                    await people.change_role(conn, actor, known, given.get("role", ""))
                case "disable":
                    await people.disable(conn, actor, known)
                case "enable":
                    await people.enable(conn, actor, known)
                case "reset":
                    secret = await people.reset(conn, actor, known)
                case "sign-out":
                    await people.end_sessions(conn, actor, known)
                case "end-session":
                    one = uuid_of(given.get("web_session_id", ""), "web session")
                    await accounts.revoke_web_session(conn, actor, known, one)
                case _:
                    raise NotFound("there is nothing here")
            found = await people.get_person(conn, actor.party_id, known)
            has_keys = bool(await accounts.list_keys_of(conn, actor.party_id, known))
    except (Invalid, Refused) as error:
        return await _page(request, pool, actor, error=error)
    if secret is not None:
        return await _page(request, pool, actor, link=(found.name, _link(settings, secret)))
    # Whoever shuts somebody out is shown what they may still come in with.
    is_shown = given.get("back") == "person" or (given.get("do") == "disable" and has_keys)
    return Redirect(f"/people/{known}" if is_shown else "/people", status_code=303)


HANDLERS = [people_page, invite, rules, group, person, change]
