"""Who are you? Drivers sign in by a code that is sent to their mailbox, or by a passkey; and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.enums import MediaType
from litestar.params import FromQuery
from litestar.response import Redirect

from ohmstead.accounts import access
from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.signin.desk import SignInDesk
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import NewPayingMethod
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import told
from ohmstead.doorway import Held, driver_cookie_name, held_in, held_of, is_for_drivers, local_path
from ohmstead.driver.frame import (
    BusIn,
    PageRequest,
    PoolIn,
    SettingsIn,
    address_of,
    attempts_of,
    drawn,
    driver_cookie,
    form_of,
    language_of,
)
from ohmstead.drivers.signin import codes
from ohmstead.drivers.signin import service as signin
from ohmstead.drivers.signin.model import DriverWelcome
from ohmstead.notifications import service as notifications
from ohmstead.notifications.model import Recipient
from ohmstead.reports.plugs import queries as plugs
from ohmstead.settings import Settings

MOST_JSON: Final = 64 * 1024
MOST_HELD: Final = 32 * 1024
_NEVER_HELD: Final = ("/drive/sign-", "/drive/me/data")
_MINUTES: Final = int(codes.GOOD_FOR.total_seconds() // 60)


def way_on(target: str) -> str:
    """A page for drivers to go on to; anything else becomes the driver's first page."""
    path = local_path(target)
    return path if is_for_drivers(path.partition("?")[0]) else "/drive/home"


@get("/sign-in")
async def sign_in_page(
    request: PageRequest,
    next: FromQuery[str] = "/drive/home",  # noqa: A002
    at: FromQuery[str] = "",
) -> Response[Any]:
    """By passkey or e-mail. `at`: the station where somebody stands, whose network they sign in with."""
    return _page(request, target=way_on(next), at=at[:48])


def _page(
    request: PageRequest,
    *,
    target: str,
    at: str,
    status: int = 200,
    email: str = "",
    errors: dict[str, str] | None = None,
    held: str = "",
    is_over: bool = False,
) -> Response[Any]:
    """`held`: what somebody was about to send; it goes on once they are in. `is_over`: say that their session is."""
    desk: SignInDesk = request.app.state.sign_in_desk
    return drawn(
        request,
        "sign_in.html",
        status=status,
        next=target,
        at=at,
        given={"email": email},
        errors=errors or {},
        origin=desk.party.origin,
        held=held,
        is_over=is_over,
    )


async def _held_in(request: PageRequest) -> str:
    """What the form carries along, whole: it may be longer than what anybody types."""
    held = (await request.form()).get("held", "")
    return held if isinstance(held, str) and len(held) <= MOST_HELD and held_for_drivers(held) is not None else ""


def held_for_drivers(text: str) -> Held | None:
    """What may go on here: forms of drivers' pages; but nobody is forgotten by what another sign-in had begun."""
    held = held_in(text)
    path = held.path.partition("?")[0] if held is not None else ""
    return held if is_for_drivers(path) and not path.startswith(_NEVER_HELD) else None


@post("/sign-in", status_code=200)
async def ask_for_code(request: PageRequest, pool: PoolIn, bus: BusIn) -> Response[Any]:
    """Send a code to a mailbox; whether there is an account is told to nobody."""
    given = await form_of(request)
    target, at = way_on(given.get("next", "")), given.get("at", "")[:48]
    email, held = given.get("email", ""), await _held_in(request)
    try:
        attempts_of(request).check(address_of(request))
        email = signin.address_of(email)
        code_id = await _send(request, pool, bus, email, at)
    except (Invalid, TooManyAttempts) as error:
        status, errors = 422 if isinstance(error, Invalid) else 429, {"email": told(error)}
        return _page(request, target=target, at=at, status=status, email=email[:254], errors=errors, held=held)
    return _code_page(request, code_id=code_id, email=email, target=target, at=at, held=held)


async def _send(request: PageRequest, pool: Pool, bus: Bus, email: str, at: str) -> UUID:
    desk: SignInDesk = request.app.state.sign_in_desk
    async with pool.acquire() as conn, conn.transaction():
        party_id = await _party_at(conn, at) or await signin.home_of(conn, email)
        sent = await signin.begin_code(conn, desk.seals, party_id, email, address_of(request))
        await notifications.queue(
            conn,
            party_id,
            kind="sign_in_code",
            to=Recipient(email=email, language=language_of(request)),
            data={"code": sent.code, "minutes": _MINUTES},
            key=str(sent.code_id),
        )
    await bus.publish(NUDGE, {})
    return sent.code_id


async def _party_at(conn: Connection, station_id: str) -> UUID | None:
    return await plugs.find_party_of(conn, station_id) if station_id else None


def _code_page(
    request: PageRequest,
    *,
    code_id: UUID | str,
    email: str,
    target: str,
    at: str,
    status: int = 200,
    error: str = "",
    held: str = "",
) -> Response[Any]:
    return drawn(
        request,
        "sign_in_code.html",
        status=status,
        code_id=str(code_id),
        email=email,
        next=target,
        at=at,
        error=error,
        held=held,
        minutes=_MINUTES,
        is_mailed=request.app.state.settings.smtp_url is not None,
    )


@post("/sign-in/code", status_code=200)
async def sign_in_by_code(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """The code from the mailbox."""
    given, desk = await form_of(request), request.app.state.sign_in_desk
    target, email = way_on(given.get("next", "")), given.get("email", "")[:254]
    at, held = given.get("at", "")[:48], await _held_in(request)
    try:
        attempts_of(request).check(address_of(request))
        known = UUID(given.get("code_id", ""))
        async with pool.acquire() as conn, conn.transaction():
            right = await signin.try_code(conn, desk.seals, known, given.get("code", ""))
        if right is None:
            raise Refused(signin.WRONG)
        async with pool.acquire() as conn, conn.transaction():
            done = await signin.welcome_by_email(
                conn, *right, language=language_of(request), user_agent=request.headers.get("user-agent")
            )
            if done.is_new:
                # Nobody knows who they are: they pay before they charge, until an operator or a stored card says else.
                wallet = NewPayingMethod(kind="wallet")
                await paying.set_method(conn, access.system(done.party_id), wallet, driver_id=done.driver_id)
    except (Refused, TooManyAttempts, ValueError) as error:
        attempts_of(request).failed(address_of(request))
        status = 429 if isinstance(error, TooManyAttempts) else 403
        said = told(error) if isinstance(error, (Refused, TooManyAttempts)) else told(signin.WRONG)
        code_id = given.get("code_id", "")[:40]
        return _code_page(
            request, code_id=code_id, email=email, target=target, at=at, status=status, error=said, held=held
        )
    return await _welcome(request, pool, settings, done, target, held)


@post("/sign-in/passkey/options", status_code=200)
async def passkey_options(request: PageRequest) -> Response[Any]:
    """What the browser is to ask for."""
    attempts_of(request).check(address_of(request))
    return Response(signin.ask_for_passkey(request.app.state.sign_in_desk))


@post("/sign-in/passkey", status_code=200)
async def sign_in_by_passkey(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """The browser's answer; the page goes on by itself."""
    attempts_of(request).check(address_of(request))
    answer = await json_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            done = await signin.welcome_by_passkey(
                conn, request.app.state.sign_in_desk, answer, request.headers.get("user-agent")
            )
    except Refused:
        attempts_of(request).failed(address_of(request))
        raise
    await _leave(request, pool, settings)
    return Response({"csrf_token": done.csrf_token}, cookies=[_cookie(settings, done)])


@post("/sign-out", status_code=200)
async def sign_out(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """Out of this browser; what its pages kept for bad connections goes too."""
    await _leave(request, pool, settings)
    headers = {"Clear-Site-Data": '"cache", "storage"'}
    return Redirect("/drive", status_code=303, cookies=[driver_cookie(settings, "", 0)], headers=headers)


async def json_of(request: PageRequest) -> dict[str, Any]:
    """What a page's script sends. Raises Invalid."""
    body = await request.body()
    if len(body) > MOST_JSON or not request.headers.get("content-type", "").startswith("application/json"):
        raise Invalid("send JSON, and not so much", "body")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise Invalid(f"this is not what the page's script sends: {error}", "body") from error


async def _welcome(
    request: PageRequest, pool: Pool, settings: Settings, done: DriverWelcome, target: str, held: str
) -> Response[Any]:
    await _leave(request, pool, settings)
    waiting = held_for_drivers(held)
    if waiting is not None:
        answer = drawn(request, "go_on.html", held=waiting, csrf_token=done.csrf_token)
        answer.set_cookie(_cookie(settings, done))
        return answer
    on = "/drive/me/profile?new=1" if done.is_new and target == "/drive/home" else target
    return Redirect(on, status_code=303, cookies=[_cookie(settings, done)])


async def _leave(request: PageRequest, pool: Pool, settings: Settings) -> None:
    """The session that the browser had is over: nobody rides on it."""
    before = request.cookies.get(driver_cookie_name(settings))
    if before is not None:
        async with pool.acquire() as conn, conn.transaction():
            await signin.sign_out(conn, before)


def _cookie(settings: Settings, done: DriverWelcome) -> Cookie:
    return driver_cookie(settings, done.cookie, int(signin.SESSION_LONGEST.total_seconds()))


def not_signed_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Nobody asks for a page of somebody's: to the door, and back here afterwards; what was typed comes along."""
    held = held_of(request)
    if held and held_for_drivers(held) is not None:
        return _page(request, target="/drive/home", at="", status=401, held=held, is_over=True)
    target = "/drive/sign-in"
    if request.method == "GET":
        target += "?next=" + quote(request.scope["path"])
    if request.headers.get("accept", "").startswith(("text/event-stream", "application/json")):
        return Response(b"", status_code=401, media_type=MediaType.HTML)
    return Redirect(target, status_code=303)


HANDLERS: Sequence[Any] = [
    sign_in_page,
    ask_for_code,
    sign_in_by_code,
    passkey_options,
    sign_in_by_passkey,
    sign_out,
]
