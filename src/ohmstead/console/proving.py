"""Somebody signed in is asked once more to show who they are, and then goes on with what they typed."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.enums import MediaType

from ohmstead.accounts import service
from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.service import SignedIn
from ohmstead.console.door import SignIn, go_on, json_of
from ohmstead.console.frame import ActorIn, PageRequest, SettingsIn
from ohmstead.core.errors import Refused
from ohmstead.core.language import told
from ohmstead.doorway import held_of, local_path, session_cookie, visit_of
from ohmstead.settings import Settings
from ohmstead.ui.templating import page


def ask(request: Request[Any, Any, Any]) -> Response[Any]:
    """The page that asks; a fragment has its page open the dialog that asks."""
    if "hx-request" in request.headers:
        headers = {"HX-Reswap": "none", "HX-Trigger": "ohmstead:proof"}
        return Response(b"", status_code=403, headers=headers, media_type=MediaType.HTML)
    return _page(request, held_of(request), status=403)


def _page(request: Request[Any, Any, Any], held: str, *, status: int = 200, error: str | None = None) -> Response[Any]:
    return page(
        request,
        "proof.html",
        status=status,
        held=held,
        factors=request.scope["state"].get("factors"),
        error=error,
    )


@post("/prove", status_code=200)
async def prove(request: PageRequest, settings: SettingsIn, sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """By password, and a code where one is set up."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    is_script = request.headers.get("accept", "").startswith("application/json")
    held = form.get("held", "")
    try:
        done = await sign_in.prove_by_password(
            actor, visit_of(request, settings), form.get("password", ""), form.get("code", "")[:100]
        )
    except (Refused, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 403
        if is_script:
            return Response({"error": told(error)}, status_code=status)
        return _page(request, held, status=status, error=told(error))
    if is_script:
        return _told(settings, done)
    cookies = [session_cookie(settings, done.cookie, service.SESSION_LONGEST_S)]
    return go_on(request, settings, done.csrf_token, cookies, local_path(form.get("next", "/account")), held)


@post("/prove/passkey/options", status_code=200)
async def proof_options(sign_in: SignIn, actor: ActorIn) -> Response[Any]:
    """What the browser is to ask for."""
    return Response(await sign_in.ask_for_proof(actor))


@post("/prove/passkey", status_code=200)
async def prove_by_passkey(
    request: PageRequest, settings: SettingsIn, sign_in: SignIn, actor: ActorIn
) -> Response[Any]:
    """The browser's answer."""
    return _told(settings, await sign_in.prove_by_passkey(actor, await json_of(request, dict[str, Any])))


def _told(settings: Settings, done: SignedIn) -> Response[Any]:
    cookies = [session_cookie(settings, done.cookie, service.SESSION_LONGEST_S)]
    return Response({"csrf_token": done.csrf_token}, cookies=cookies)


HANDLERS = [prove, proof_options, prove_by_passkey]
