"""My account: what I sign in with, and where I am signed in."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor, NotAllowed
from ohmstead.accounts.people import service as people
from ohmstead.accounts.signin import devices
from ohmstead.accounts.signin import service as signin
from ohmstead.accounts.signin.desk import SignInDesk
from ohmstead.accounts.signin.passwords import SHORTEST
from ohmstead.console.door import SignIn, json_of
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened, uuid_of
from ohmstead.core.errors import Conflict, Invalid, OhmsteadError, Refused
from ohmstead.core.language import told
from ohmstead.ui.templating import page

DANGEROUS = {"needs_proof": True}


class NewPasskey(Struct, forbid_unknown_fields=True):
    """A passkey that the browser just made, and what to call it."""

    name: str
    credential: dict[str, Any]


@get("/account")
async def account(request: PageRequest, pool: PoolIn, sign_in: SignIn, actor: ActorIn) -> Response[str]:
    """Everything on one page."""
    return await _page(request, pool, sign_in, actor)


async def _page(
    request: PageRequest,
    pool: PoolIn,
    desk: SignInDesk,
    actor: Actor,
    *,
    error: OhmsteadError | None = None,
    recovery: list[str] | None = None,
) -> Response[str]:
    if actor.operator_id is None:
        raise NotAllowed("only a person has an account; this is a key")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, None)
        me = await people.get_person(conn, actor.home, actor.operator_id)
        context: dict[str, Any] = {
            "me": me,
            "factors": await signin.get_factors(conn, actor.operator_id),
            "pending": await signin.pending_codes(conn, desk, actor),
            "sessions": await accounts.list_web_sessions(conn, actor.operator_id),
            "attempts": await signin.list_attempts(
                conn, actor.home, outcome=None, operator_id=actor.operator_id, before=None, limit=10
            ),
        }
    field = error.field if isinstance(error, Invalid) and error.field else "account"
    if isinstance(error, Conflict):
        field = str(error.detail.get("field", "account"))
    return page(
        request,
        "console/account.html",
        status=422 if error else 200,
        **context,
        errors={field: told(error)} if error else {},
        recovery=recovery,
        here=actor.web_session_id,
        device=devices.told,
        origin=desk.party.origin,
        shortest=SHORTEST,
    )


async def _fields(request: PageRequest) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


@post("/account/details", opt=DANGEROUS, status_code=200)
async def details(request: PageRequest, pool: PoolIn, sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """My name and address."""
    given = await _fields(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await people.change_self(conn, actor, name=given.get("name", ""), email=given.get("email", ""))
    except (Invalid, Conflict, Refused) as error:
        return await _page(request, pool, sign_in, actor, error=error)
    return Redirect("/account", status_code=303)


@post("/account/password", opt=DANGEROUS, status_code=200)
async def password(request: PageRequest, pool: PoolIn, sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """Set, change or remove my password."""
    given = await _fields(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            if given.get("do") == "remove":
                await signin.remove_password(conn, actor)
            else:
                await signin.set_password(conn, sign_in, actor, given.get("new_password", ""))
    except (Invalid, Refused) as error:
        return await _page(request, pool, sign_in, actor, error=error)
    return Redirect("/account", status_code=303)


@post("/account/codes", opt=DANGEROUS, status_code=200)
async def codes(request: PageRequest, pool: PoolIn, sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """Set codes up, confirm, switch off; or make new recovery codes, which are shown this once."""
    given = await _fields(request)
    recovery: list[str] | None = None
    try:
        async with pool.acquire() as conn, conn.transaction():
            match given.get("do"):
                case "confirm":
                    recovery = await signin.confirm_codes(conn, sign_in, actor, given.get("code", "")[:20])
                case "recovery":
                    recovery = await signin.remake_recovery_codes(conn, sign_in, actor)
                case "remove":
                    await signin.remove_codes(conn, actor)
                case _:
                    await signin.begin_codes(conn, sign_in, actor)
    except (Invalid, Refused) as error:
        return await _page(request, pool, sign_in, actor, error=error)
    if recovery is not None:
        return await _page(request, pool, sign_in, actor, recovery=recovery)
    return Redirect("/account#codes", status_code=303)


@post("/account/passkeys/options", opt=DANGEROUS, status_code=200)
async def passkey_options(pool: PoolIn, sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """What my browser is to ask for, to make a passkey."""
    async with pool.acquire() as conn:
        return Response(await signin.ask_to_add_passkey(conn, sign_in, actor))


@post("/account/passkeys", opt=DANGEROUS, status_code=200)
async def add_passkey(request: PageRequest, pool: PoolIn, sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """Keep the passkey that my browser made."""
    given = await json_of(request, NewPasskey)
    async with pool.acquire() as conn, conn.transaction():
        passkey_id = await signin.add_passkey(conn, sign_in, actor, given.name, given.credential)
    return Response({"passkey_id": str(passkey_id)})


@post("/account/passkeys/{passkey_id:str}", opt=DANGEROUS, status_code=200)
async def passkey(
    request: PageRequest, pool: PoolIn, sign_in: SignIn, actor: ActorIn, passkey_id: FromPath[str]
) -> Response[Any]:
    """Give it another name, or remove it."""
    given = await _fields(request)
    known = uuid_of(passkey_id, "passkey")
    try:
        async with pool.acquire() as conn, conn.transaction():
            if given.get("do") == "remove":
                await signin.remove_passkey(conn, actor, known)
            else:
                await signin.rename_passkey(conn, actor, known, given.get("name", ""))
    except (Invalid, Refused) as error:
        return await _page(request, pool, sign_in, actor, error=error)
    return Redirect("/account", status_code=303)


@post("/account/sessions", status_code=200)
async def sessions(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Sign one of my browsers out, or all others, or all."""
    given = await _fields(request)
    if actor.operator_id is None:
        raise NotAllowed("only a person has browsers; this is a key")
    async with pool.acquire() as conn, conn.transaction():
        match given.get("do"):
            case "others":
                await accounts.end_sessions(conn, actor, actor.operator_id, but=actor.web_session_id)
            case "all":
                await accounts.end_sessions(conn, actor, actor.operator_id)
            case _:
                one = uuid_of(given.get("web_session_id", ""), "web session")
                await accounts.revoke_web_session(conn, actor, actor.operator_id, one)
    return Redirect("/account", status_code=303)


HANDLERS = [account, details, password, codes, passkey_options, add_passkey, passkey, sessions]
