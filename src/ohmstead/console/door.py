"""The front door: signing in by passkey, password and code, provider or link; and out."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.params import FromPath, FromQuery, SkipValidation
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts import service
from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.providers import service as providers
from ohmstead.accounts.providers.model import Provider
from ohmstead.accounts.signin.desk import BROWSER_KNOWN_FOR_S, SecondStep, SignInDesk, Welcome
from ohmstead.console.frame import PageRequest, PoolIn, SettingsIn
from ohmstead.core import clock, language
from ohmstead.core.errors import ExternalFailure, Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.ids import new_secret
from ohmstead.core.language import _, told
from ohmstead.doorway import (
    LANGUAGE_COOKIE,
    Attempts,
    browser_cookie,
    cookie_name,
    held_in,
    held_of,
    is_https,
    local_path,
    session_cookie,
    visit_of,
)
from ohmstead.settings import Settings
from ohmstead.ui.templating import page

SignIn: TypeAlias = NamedDependency[SkipValidation[SignInDesk]]
T = TypeVar("T")

MOST_JSON: Final = 64 * 1024
STATE_COOKIE: Final = "ohmstead-provider"
STATE_GOOD_FOR_S: Final = 600


class Away(Struct, array_like=True):
    """What must be known of a browser that went to a provider, when it comes back."""

    provider: str
    state: str
    nonce: str
    verifier: str
    next: str
    binding: str
    proves: str | None


@get("/language")
async def choose_language(
    request: PageRequest,
    settings: SettingsIn,
    code: FromQuery[str],
    next: FromQuery[str] = "/",  # noqa: A002
) -> Redirect:
    """The language of the pages in this browser, from now on. It is remembered in the browser and harms nobody."""
    if code not in language.languages():
        raise NotFound(f"no language {code[:20]}")
    kept = Cookie(
        key=LANGUAGE_COOKIE, value=code, max_age=365 * 86400, path="/", samesite="lax", secure=is_https(settings)
    )
    return Redirect(local_path(next), cookies=[kept])


# ----------------------------------------------------------------------------------------------------- the first page


@get("/sign-in")
async def sign_in_page(request: PageRequest, link: FromQuery[str] = "", next: FromQuery[str] = "/") -> Response[Any]:  # noqa: A002
    """A link asks for one press of a button: mail scanners that open links must not use them up."""
    return _page(request, link=link, target=local_path(next))


def _page(
    request: PageRequest,
    *,
    status: int = 200,
    link: str = "",
    target: str = "/",
    error: str | None = None,
    email: str = "",
    held: str = "",
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    desk: SignInDesk = request.app.state.sign_in_desk
    known: dict[str, Provider] = request.app.state.providers
    return page(
        request,
        "sign_in.html",
        status=status,
        headers=headers,
        link=link,
        next=target,
        error=error,
        email=email,
        held=held,
        providers=known.values(),
        origin=desk.party.origin,
    )


@post("/sign-in", opt={"shows_own_secret": True})
async def sign_in(request: PageRequest, pool: PoolIn, settings: SettingsIn, sign_in: SignIn) -> Response[Any]:
    """By a one-time link, or by address and password."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    target, held = local_path(form.get("next", "/")), form.get("held", "")
    visit, attempts = visit_of(request, settings), _attempts(request)
    try:
        attempts.check(visit.address)
        if "link" in form:
            return await _welcome(request, pool, settings, await sign_in.by_link(visit, form["link"]), target, held)
        done = await sign_in.by_password(visit, form.get("email", ""), form.get("password", ""))
    except (Refused, TooManyAttempts) as error:
        if isinstance(error, TooManyAttempts) or "link" in form:
            attempts.failed(visit.address)
        return _refusal(request, error, target, form.get("email", ""), held)
    if isinstance(done, SecondStep):
        return page(request, "sign_in_code.html", note=done.note, next=target, held=held, error=None)
    return await _welcome(request, pool, settings, done, target, held)


def _refusal(request: PageRequest, error: OhmsteadError, target: str, email: str = "", held: str = "") -> Response[Any]:
    wait_s = error.retry_after_s if isinstance(error, TooManyAttempts) else None
    return _page(
        request,
        status=429 if wait_s else 403,
        target=target,
        error=told(error),
        email=email[:320],
        held=held,
        headers={"Retry-After": str(wait_s)} if wait_s else None,
    )


@post("/sign-in/code", opt={"shows_own_secret": True})
async def sign_in_code(request: PageRequest, pool: PoolIn, settings: SettingsIn, sign_in: SignIn) -> Response[Any]:
    """The second step after a password."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    target, held, note = local_path(form.get("next", "/")), form.get("held", ""), form.get("note", "")
    visit, attempts = visit_of(request, settings), _attempts(request)
    try:
        attempts.check(visit.address)
        done = await sign_in.by_code(visit, note, form.get("code", "")[:100])
    except (Refused, TooManyAttempts) as error:
        if isinstance(error, TooManyAttempts):
            attempts.failed(visit.address)
        if "begin again" in error.text:
            return _refusal(request, error, target, held=held)
        status = 429 if isinstance(error, TooManyAttempts) else 403
        return page(request, "sign_in_code.html", status=status, note=note, next=target, held=held, error=told(error))
    return await _welcome(request, pool, settings, done, target, held)


@post("/sign-in/passkey/options", opt={"shows_own_secret": True}, status_code=200)
async def passkey_options(request: PageRequest, sign_in: SignIn) -> Response[Any]:
    """What the browser is to ask for."""
    _attempts(request).check(request.scope["state"]["remote_address"])
    return Response(sign_in.ask_for_passkey())


@post("/sign-in/passkey", opt={"shows_own_secret": True}, status_code=200)
async def passkey_sign_in(request: PageRequest, pool: PoolIn, settings: SettingsIn, sign_in: SignIn) -> Response[Any]:
    """The browser's answer. The page goes on by itself, with the token that its forms need from now on."""
    visit, attempts = visit_of(request, settings), _attempts(request)
    attempts.check(visit.address)
    try:
        done = await sign_in.by_passkey(visit, await json_of(request, dict[str, Any]))
    except Refused:
        attempts.failed(visit.address)
        raise
    await _leave(request, pool, settings)
    return Response({"csrf_token": done.session.csrf_token}, cookies=cookies_of(settings, done))


async def json_of(request: PageRequest, kind: type[T]) -> T:
    """What a page's script sends. Raises Invalid."""
    body = await request.body()
    if len(body) > MOST_JSON or not request.headers.get("content-type", "").startswith("application/json"):
        raise Invalid("send JSON, and not so much", "body")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Invalid(f"this is not what the page's script sends: {error}", "body") from error


def cookies_of(settings: Settings, done: Welcome) -> list[Cookie]:
    """What the browser keeps: that it is signed in, and that it was here before."""
    return [
        session_cookie(settings, done.session.cookie, service.SESSION_LONGEST_S),
        browser_cookie(settings, done.known, BROWSER_KNOWN_FOR_S),
    ]


async def _welcome(
    request: PageRequest, pool: PoolIn, settings: Settings, done: Welcome, target: str, held: str
) -> Response[Any]:
    await _leave(request, pool, settings)
    return go_on(request, settings, done.session.csrf_token, cookies_of(settings, done), target, held)


def go_on(
    request: PageRequest, settings: Settings, csrf_token: str, cookies: list[Cookie], target: str, held: str
) -> Response[Any]:
    """To where the person wanted to go; or with what they were about to send."""
    waiting = held_in(held)
    if waiting is None:
        return Redirect(target, status_code=303, cookies=cookies)
    drawn = page(request, "go_on.html", held=waiting, csrf_token=csrf_token)
    return Response(drawn.content, media_type=MediaType.HTML, cookies=cookies)


async def _leave(request: PageRequest, pool: PoolIn, settings: Settings) -> None:
    """The session that the browser had, if any, is over: nobody rides on it."""
    before = request.cookies.get(cookie_name(settings))
    if before is not None:
        async with pool.acquire() as conn, conn.transaction():
            await service.sign_out(conn, before)


def _attempts(request: PageRequest) -> Attempts:
    found: Attempts = request.app.state.attempts
    return found


def not_signed_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Nobody known asks for a page: to the door, and what was typed comes along."""
    if "hx-request" not in request.headers and request.scope["state"].get("held"):
        text = _("Your session is over. Sign in, and what you typed goes on")
        return _page(request, status=401, error=text, held=held_of(request))
    target = "/sign-in"
    if request.method == "GET" and request.scope["path"] != "/":
        target += "?next=" + quote(request.scope["path"])
    if "hx-request" in request.headers:
        # A fragment must not be swapped for the sign-in page: HTMX goes there itself on this header.
        return Response(b"", status_code=401, headers={"HX-Redirect": target}, media_type=MediaType.HTML)
    if request.headers.get("accept", "").startswith("text/event-stream"):
        return Response(b"", status_code=401, media_type=MediaType.HTML)
    return Redirect(target, status_code=303)


# --------------------------------------------------------------------------------------------------------- providers


@get("/sign-in/with/{name:str}")
async def to_provider(
    request: PageRequest,
    settings: SettingsIn,
    sign_in: SignIn,
    name: FromPath[str],
    next: FromQuery[str] = "/",  # noqa: A002
    prove: FromQuery[str] = "",
) -> Response[Any]:
    """Off to the provider. `prove`: somebody signed in is to show there once more who they are."""
    provider = _provider(request, name)
    actor = request.scope["state"].get("actor")
    proves = actor.actor_id if prove and actor is not None else None
    try:
        begun = await request.app.state.federation.begin(provider, _back_to(settings, name), is_anew=bool(prove))
    except ExternalFailure as failure:
        return _refusal(request, Refused(f"{provider.label} cannot be reached: {told(failure)}"), local_path(next))
    away = Away(name, begun.state, begun.nonce, begun.verifier, local_path(next), new_secret(), proves)
    note = sign_in.seals.note_text("provider", msgspec.to_builtins(away), clock.now(), STATE_GOOD_FOR_S)
    return Redirect(begun.address, status_code=303, cookies=[_state_cookie(settings, note, STATE_GOOD_FOR_S)])


@get("/sign-in/back/{name:str}")
async def from_provider(
    request: PageRequest,
    pool: PoolIn,
    settings: SettingsIn,
    sign_in: SignIn,
    name: FromPath[str],
) -> Response[Any]:
    """Back from the provider, with a code, in the browser that left, once."""
    provider, visit = _provider(request, name), visit_of(request, settings)
    code, state, error = (str(request.query_params.get(one, ""))[:4000] for one in ("code", "state", "error"))
    _attempts(request).check(visit.address)
    target = "/"
    try:
        opened = sign_in.seals.open("provider", request.cookies.get(STATE_COOKIE, ""), clock.now())
        away = msgspec.convert(opened.content, Away)
        if away.provider != name or not state or away.state != state:
            raise Refused("this sign-in was not begun in this browser: begin again")
        if error or not code:
            raise Refused(
                f"{provider.label} says no: {error[:60]}" if error else f"{provider.label} says no: it gave no code"
            )
        vouched = await request.app.state.federation.finish(
            provider, _back_to(settings, name), code, away.nonce, away.verifier
        )
        async with pool.acquire() as conn, conn.transaction():
            if not await sign_in.spend(conn, opened):
                raise Refused("this sign-in was finished already: begin again")
            operator = await providers.admit(conn, provider, vouched)
            if away.proves is not None:
                sign_in.check_vouched(away.proves, operator, vouched)
            done = await sign_in.by_provider(conn, visit, operator, provider.name, vouched.id_token)
        target = away.next
    except (Refused, ExternalFailure) as refused:
        _attempts(request).failed(visit.address)
        await sign_in.refused_by_provider(visit, provider.name, refused.text)
        return _refusal(request, Refused(refused.text), target)
    await _leave(request, pool, settings)
    cookies = [*cookies_of(settings, done), _state_cookie(settings, "", 0)]
    return Redirect(target, status_code=303, cookies=cookies)


def _provider(request: PageRequest, name: str) -> Provider:
    found: Provider | None = request.app.state.providers.get(name)
    if found is None:
        raise NotFound(f"no provider {name[:40]}")
    return found


def _back_to(settings: Settings, name: str) -> str:
    return f"{settings.console_url}/sign-in/back/{name}"


def _state_cookie(settings: Settings, value: str, max_age_s: int) -> Cookie:
    return Cookie(
        key=STATE_COOKIE,
        value=value,
        max_age=max_age_s,
        path="/sign-in/back",
        httponly=True,
        secure=is_https(settings),
        samesite="lax",
    )


# --------------------------------------------------------------------------------------------------------------- out


@post("/sign-out")
async def sign_out(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """End this browser's session; who came by a provider may sign out there too."""
    cookie, over = request.cookies.get(cookie_name(settings)), None
    if cookie is not None:
        async with pool.acquire() as conn, conn.transaction():
            over = await service.sign_out(conn, cookie)
    ended = [session_cookie(settings, "", 0)]
    provider = request.app.state.providers.get(over.provider) if over is not None else None
    if provider is not None and over is not None and over.id_token:
        back = f"{settings.console_url}/sign-in"
        address = await request.app.state.federation.sign_out_address(provider, over.id_token, back)
        if address is not None:
            # Not a redirect: the policy lets forms lead nowhere else, and the person may want to stay signed in there.
            drawn = page(request, "signed_out.html", label=provider.label, address=address)
            return Response(drawn.content, media_type=MediaType.HTML, cookies=ended)
    return Redirect("/sign-in", status_code=303, cookies=ended)


HANDLERS = [
    choose_language,
    sign_in_page,
    sign_in,
    sign_in_code,
    passkey_options,
    passkey_sign_in,
    to_provider,
    from_provider,
    sign_out,
]
