"""What every request passes on its way to a page or to the API, and every answer on its way out.

A request id, the body's size limit, security headers, the access log and the count; then who is asking: a bearer key or
a browser's cookie, and for the latter the CSRF token on whatever changes something.
"""

import hmac
import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import (
    ASGIApp,
    HTTPScope,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Message,
    Receive,
    Scope,
    Send,
)
from msgspec import Struct

from ohmstead.accounts import access, service
from ohmstead.accounts.access import Actor, NotAllowed, NotSignedIn, ProofNeeded, TooManyAttempts
from ohmstead.accounts.signin import service as signin
from ohmstead.accounts.signin.model import Visit
from ohmstead.core import clock, language, metrics, tracing
from ohmstead.core.callers import counted_as
from ohmstead.core.db import Pool
from ohmstead.core.errors import NotFound
from ohmstead.core.ids import new_id
from ohmstead.core.language import R_
from ohmstead.core.log import logger
from ohmstead.drivers.signin import service as driver_signin
from ohmstead.reports.reach import queries as reach
from ohmstead.settings import Settings
from ohmstead.ui.templating import inline_style_hash

log = logger("ohmstead.web")

# Of a route that answers with what is within the actor's scope only, or with what is the actor's own.
WITHIN = {"within": True}
STATIC_PATH = "/static/"
API_PATH = "/api/"
FILES_PATH = "/files/"
DRIVE_PATH = "/drive"
DOCUMENTS_PATH = "/documents/"
# What follows them is as good as a password: for a document, a charge, somebody's mails, a page on which somebody pays.
_SECRET_PATHS = (DOCUMENTS_PATH, DRIVE_PATH + "/s/", "/unsubscribe/", "/pay/sandbox/")
LANGUAGE_COOKIE = "ohmstead_language"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_QUIET_PATHS = ("/healthz", "/readyz", "/metrics")
BAD_CREDENTIALS = R_("too many bad credentials came from your address")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Web(Litestar):
    """Litestar, with the things that belong to every answer, also to those for paths that do not exist."""

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        if scope["type"] == "lifespan" or scope["type"] == ScopeType.WEBSOCKET:
            await super().__call__(scope, receive, send)
            return
        await _Passage(self.state.settings, scope, cast(Send, send)).run(super().__call__, receive)


class _Passage:
    """One request and its answer."""

    def __init__(self, settings: Settings, scope: HTTPScope, send: Send) -> None:
        self._settings = settings
        self._scope = scope
        self._send = send
        self._status = 500
        self._is_stream = False
        self._began_at = time.perf_counter()
        self._request_id = _request_id(scope)

    async def run(self, app: Any, receive: Any) -> None:
        state = self._scope.setdefault("state", {})
        state["request_id"] = self._request_id
        # Noted here: the router takes the beginning off the path.
        state["is_transfer"] = self._scope["path"].startswith(FILES_PATH)
        state["remote_address"] = client_address(self._scope, self._settings)
        if not self._scope["path"].startswith(API_PATH):
            _take_nul_out(self._scope)
        with language.speaking(self._language()), structlog.contextvars.bound_contextvars(request_id=self._request_id):
            try:
                if not tracing.is_on() or self._scope["path"] in _QUIET_PATHS:
                    await app(self._scope, receive, self._sent)
                else:
                    await self._run_told(app, receive)
            finally:
                self._record()

    def _language(self) -> str:
        """People are answered in their language, programs in English."""
        if self._scope["path"].startswith(API_PATH):
            return language.ENGLISH
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(self._scope)
        return language.chosen(
            connection.cookies.get(LANGUAGE_COOKIE, ""), connection.headers.get("accept-language", "")
        )

    async def _run_told(self, app: Any, receive: Any) -> None:
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._scope["headers"]}
        with tracing.span(f"{method} {self._area()}", "server", headers, request_id=self._request_id) as span:
            await app(self._scope, receive, self._sent)
            handler = self._scope.get("route_handler")
            tracing.note(span, status=self._status, operation=str(getattr(handler, "handler_name", "")))

    async def _sent(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = list(message["headers"])
            self._is_stream = any(
                n.lower() == b"content-type" and v.startswith(b"text/event-stream") for n, v in headers
            )
            present = {name.lower() for name, _ in headers}
            for name, value in (*security_headers(self._settings), (b"x-request-id", self._request_id.encode())):
                if name not in present:
                    headers.append((name, value))
            if b"cache-control" not in present:
                headers.append((b"cache-control", self._may_be_kept().encode()))
            message["headers"] = headers
        await self._send(message)

    def _area(self) -> str:
        if self._scope["state"]["is_transfer"]:
            return "file"
        path = self._scope["path"]
        return "static" if path.startswith(STATIC_PATH) else "api" if path.startswith(API_PATH) else "page"

    def _may_be_kept(self) -> str:
        if not self._scope["path"].startswith(STATIC_PATH):
            return "no-store"
        # An address with a version changes with the file's content.
        is_versioned = self._scope["query_string"].startswith(b"v=") and self._status == 200
        return "public, max-age=31536000, immutable" if is_versioned else "no-cache"

    def _record(self) -> None:
        method, path = self._scope["method"], self._scope["path"]
        metrics.http_requests.labels(method if method in _METHODS else "other", str(self._status)).inc()
        if not self._is_stream and path not in _QUIET_PATHS:
            metrics.http_seconds.labels(self._area()).observe(time.perf_counter() - self._began_at)
        if path.startswith(STATIC_PATH) or path in _QUIET_PATHS:
            return
        if self._scope["state"]["is_transfer"]:
            path = f"{FILES_PATH}…"  # what follows is as good as a password
        else:
            path = _without_secret(path)
        state = self._scope["state"]
        actor = state.get("actor")
        log.info(
            "request",
            method=method,
            path=path,
            status=self._status,
            took_ms=round((time.perf_counter() - self._began_at) * 1000, 1),
            remote_address=state["remote_address"],
            actor=actor.actor_id if actor else None,
        )


def _take_nul_out(scope: HTTPScope) -> None:
    """Addresses of pages hold no U+0000, which no database keeps. The API refuses it by itself, with the field."""
    scope["path"] = scope["path"].replace("\0", "\ufffd")
    scope["query_string"] = scope["query_string"].replace(b"%00", b"%EF%BF%BD")


def _without_secret(path: str) -> str:
    """A path as logs have it: without what opens something to whoever has it."""
    for beginning in _SECRET_PATHS:
        if path.startswith(beginning):
            _secret, slash, rest = path.removeprefix(beginning).partition("/")
            return f"{beginning}…{slash}{rest}"
    return path


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _request_id(scope: Scope) -> str:
    # A caller's id is taken over only when it is plain, because it goes into headers and log lines.
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _GIVEN_ID.fullmatch(given) else new_id().hex


def security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """Headers of every answer. The policy allows no inline script, one inline style by its hash, and no outside host but
    the map's tiles.
    """
    tiles = _tile_origin(settings.tile_url)
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' {inline_style_hash()}; font-src 'self';"
        f" img-src 'self' data: blob:{tiles};"
        f" connect-src 'self'{tiles}; worker-src 'self' blob:; manifest-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )
    headers = [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"geolocation=(self), camera=(), microphone=(), payment=(), usb=()"),
    ]
    if is_https(settings):
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return headers


def _tile_origin(tile_url: str | None) -> str:
    if tile_url is None or (match := re.match(r"https?://[^/;,\s']+", tile_url)) is None:
        return ""
    return " " + match[0].replace("{s}", "*")


def is_https(settings: Settings) -> bool:
    """Whether people reach the console by https."""
    return settings.public_url is not None and settings.public_url.startswith("https://")


def client_address(scope: Scope, settings: Settings) -> str:
    """Where the request comes from. Forwarded addresses are believed only from the trusted proxies, right to left."""
    peer = scope["client"]
    address = peer[0] if peer else "unknown"
    if not settings.trusted_proxies or not _is_trusted(address, settings):
        return address
    forwarded = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
    for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if not _is_address(hop):
            break
        address = hop
        if not _is_trusted(hop, settings):
            break
    return address


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(text: str, settings: Settings) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in settings.trusted_proxies)


class Attempts:
    """Bad credentials, or what else is to stay rare, by address: after `limit` within a minute (`window_s`) the address
    waits it out.

    IPv6 addresses count by their /64, of which one connection has all. Known addresses are bounded, so that an attacker
    with many cannot fill the memory.
    """

    def __init__(
        self, limit: int = 30, n_addresses: int = 10_000, window_s: int = 60, text: str = BAD_CREDENTIALS
    ) -> None:
        self._limit = limit
        self._n_addresses = n_addresses
        self._window_s = window_s
        self._text = text
        self._bad: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises TooManyAttempts."""
        since, count = self._bad.get(counted_as(address), (0.0, 0))
        left_s = since + self._window_s - time.monotonic()
        if count >= self._limit and left_s > 0:
            raise TooManyAttempts(self._text, retry_after_s=int(left_s) + 1)

    def failed(self, address: str) -> None:
        """Count one more."""
        now, counted = time.monotonic(), counted_as(address)
        since, count = self._bad.pop(counted, (now, 0))
        if now - since >= self._window_s:
            since, count = now, 0
        self._bad[counted] = (since, count + 1)
        while len(self._bad) > self._n_addresses:
            self._bad.popitem(last=False)

    def forget(self, address: str) -> None:
        """Let an address begin anew."""
        self._bad.pop(counted_as(address), None)


class KnownKeys:
    """Digests of keys that were good a moment ago: they are not held up by others' bad attempts from their address."""

    GOOD_FOR_S = 600

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._good: OrderedDict[bytes, float] = OrderedDict()

    def saw(self, secret: str) -> None:
        key = service.digest(secret)
        self._good[key] = time.monotonic()
        self._good.move_to_end(key)
        while len(self._good) > self._size:
            self._good.popitem(last=False)

    def knows(self, secret: str) -> bool:
        return time.monotonic() - self._good.get(service.digest(secret), float("-inf")) < self.GOOD_FOR_S


class Authentication(ASGIMiddleware):
    """Finds out who asks; refuses bad keys, lets nobody in particular through to what needs nobody."""

    def __init__(self, pool: Pool, settings: Settings, attempts: Attempts) -> None:
        self._pool = pool
        self._cookie_name = cookie_name(settings)
        self._driver_cookie_name = driver_cookie_name(settings)
        self._attempts = attempts
        self._known = KnownKeys()

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if (
            scope["type"] == ScopeType.HTTP
            and not scope["path"].startswith(STATIC_PATH)
            and not scope["state"].get("is_transfer")
            and scope["path"] not in _QUIET_PATHS
        ):
            connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
            if is_for_drivers(scope["path"]):
                # An operator is nobody here, and a driver is nobody elsewhere.
                await self._by_driver_cookie(connection)
            elif "authorization" in connection.headers:
                await self._by_key(connection)
            elif (cookie := connection.cookies.get(self._cookie_name)) is not None:
                await self._by_cookie(connection, cookie)
        await next_app(scope, receive, send)

    async def _by_key(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        address = connection.scope["state"]["remote_address"]
        kind, _, secret = connection.headers["authorization"].strip().partition(" ")
        secret = secret.strip()
        if not self._known.knows(secret):
            self._attempts.check(address)
        actor = None
        if kind.lower() == "bearer":
            async with self._pool.acquire() as conn:
                actor = await service.recognise_key(conn, secret, address)
        if actor is None:
            self._attempts.failed(address)
            raise NotSignedIn("this is not a key that is good here: send `Authorization: Bearer ohm_…`")
        self._known.saw(secret)
        connection.scope["state"]["actor"] = actor

    async def _by_cookie(self, connection: ASGIConnection[Any, Any, Any, Any], cookie: str) -> None:
        address = connection.scope["state"]["remote_address"]
        async with self._pool.acquire() as conn:
            found = await service.recognise_cookie(conn, cookie, address)
        if found is not None:
            connection.scope["state"]["actor"] = found.actor
            connection.scope["state"]["csrf_token"] = found.csrf_token

    async def _by_driver_cookie(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        cookie = connection.cookies.get(self._driver_cookie_name)
        if cookie is None:
            return
        async with self._pool.acquire() as conn:
            found = await driver_signin.recognise(conn, cookie)
        if found is not None:
            connection.scope["state"]["driver"] = found
            connection.scope["state"]["csrf_token"] = found.csrf_token


def is_for_drivers(path: str) -> bool:
    """Whether a path is one of the driver's pages."""
    return path == DRIVE_PATH or path.startswith(DRIVE_PATH + "/")


def current_actor(request: Request[Any, Any, Any]) -> Actor:
    """Who asks. Raises NotSignedIn: the API answers 401, pages lead to /sign-in."""
    actor = request.scope["state"].get("actor")
    if actor is None:
        raise NotSignedIn("sign in, or send `Authorization: Bearer ohm_…`")
    return cast(Actor, actor)


async def guard_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Who sees some locations only gets nothing that is elsewhere, whatever a handler forgets.

    What a path names by its id is looked up: elsewhere is as good as not there (NotFound). A route without such an id
    belongs to the whole party (NotAllowed), unless its `opt` says WITHIN: then it answers with what is within the
    actor's scope, or with what is their own.
    """
    actor: Actor | None = connection.scope["state"].get("actor")
    if actor is None or actor.locations is None:
        return
    placed = [name for name in connection.path_params if name in reach.PLACED]
    if not placed and not handler.opt.get("within"):
        raise NotAllowed(access.WHOLE_PARTY)
    if placed:
        async with connection.app.state.pool.acquire() as conn:
            for name in placed:
                value = connection.path_params[name]
                if not await reach.is_within(conn, actor.scope, name, value):
                    raise NotFound(f"no {name.removesuffix('_id').replace('_', ' ')} {value}")


def csrf_token(request: Request[Any, Any, Any]) -> str:
    """What a page puts into its forms (field `csrf_token`) and scripts (header `X-CSRF-Token`); "" when not signed in."""
    return str(request.scope["state"].get("csrf_token", ""))


async def guard_against_forgery(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A request that changes something and comes with a cookie must show the token another site cannot know.

    A handler whose `opt` has `shows_own_secret` is excused: what it is sent is as good as the token. What the browser
    itself says comes from another site is never taken, signed in or not: nobody is to be signed in by others. A handler
    with `takes_small_files` bounds its body, so that a form with files may be read here for the token in it.
    """
    if cast(HTTPScope, connection.scope)["method"] in SAFE_METHODS:
        return
    shows_own_secret = handler.opt.get("shows_own_secret")
    if shows_own_secret and connection.headers.get("sec-fetch-site") == "cross-site":
        raise NotAllowed("this comes from another site: go to the sign-in page yourself")
    token = connection.scope["state"].get("csrf_token")
    if token is None:
        if "authorization" not in connection.headers:
            await _hold(connection)
        return
    if shows_own_secret:
        return
    shown = connection.headers.get("x-csrf-token")
    is_readable = _is_form(connection) or (
        handler.opt.get("takes_small_files")
        and connection.headers.get("content-type", "").startswith("multipart/form-data")
    )
    if shown is None and is_readable:
        form = await cast("Request[Any, Any, Any]", connection).form()
        shown = form.get("csrf_token")
    if not isinstance(shown, str) or not hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode()):
        raise NotAllowed("the request does not show the page's token (header X-CSRF-Token): load the page again")


async def guard_dangerous(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A handler whose `opt` has `needs_proof` wants a browser's person to have proved of late that it is them.

    `needs_proof` is True, or says of the form's fields whether these are dangerous; deleting always is. What was typed
    is kept, and goes on once the proof was given. Raises ProofNeeded.
    """
    needs = handler.opt.get("needs_proof", True if cast(HTTPScope, connection.scope)["method"] == "DELETE" else None)
    actor = connection.scope["state"].get("actor")
    if needs is None or actor is None or actor.web_session_id is None:
        return
    if callable(needs):
        form = await cast("Request[Any, Any, Any]", connection).form() if _is_form(connection) else {}
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if not cast("Callable[[Mapping[str, str]], bool]", needs)(fields):
            return
    try:
        access.require_proof(actor, clock.now())
    except ProofNeeded:
        await _hold(connection)
        async with connection.app.state.pool.acquire() as conn:
            connection.scope["state"]["factors"] = await signin.get_factors(conn, actor.operator_id)
        raise


async def _hold(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Keep what a form of our own pages sends, for when its person has signed in or proved who they are.

    Only when the browser says that it comes from here: another site's form must not go on by our hand.
    """
    if not _is_form(connection) or connection.headers.get("sec-fetch-site") != "same-origin":
        return
    form = await cast("Request[Any, Any, Any]", connection).form()
    fields = [
        (name, value)
        for name, value in form.multi_items()
        if isinstance(value, str) and name not in ("csrf_token", "held", "held_for")
    ]
    connection.scope["state"]["held"] = {"path": local_path(_target_of(connection)), "fields": fields}


class Held(Struct, forbid_unknown_fields=True):
    """What a form was about to send when its person was asked to sign in, or for a proof."""

    path: str
    fields: list[tuple[str, str]]


def held_in(text: str) -> Held | None:
    """What a page of ours carries along; None of what is none."""
    try:
        found = msgspec.json.decode(text, type=Held) if text else None
    except msgspec.MsgspecError:
        return None
    return found if found is not None and local_path(found.path) == found.path else None


def held_of(request: Request[Any, Any, Any]) -> str:
    """What the request was about to send, as pages carry it along."""
    held = request.scope["state"].get("held")
    return msgspec.json.encode(held).decode() if held else ""


def _target_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    scope = cast(HTTPScope, connection.scope)
    query = scope["query_string"].decode("latin-1")
    # The router takes the beginning off the path of what is mounted; the raw one is whole.
    path = scope["raw_path"].decode("latin-1").partition("?")[0] if scope.get("raw_path") else scope["path"]
    return f"{path}?{query}" if query else path


def _is_form(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    return connection.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def local_path(target: str) -> str:
    """A path of ours to go on to; anything that could lead elsewhere becomes `/`."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def visit_of(request: Request[Any, Any, Any], settings: Settings) -> Visit:
    """Where somebody comes from who wants to sign in."""
    return Visit(
        address=request.scope["state"]["remote_address"],
        user_agent=request.headers.get("user-agent"),
        known=request.cookies.get(browser_cookie_name(settings)),
    )


def browser_cookie_name(settings: Settings) -> str:
    """The cookie by which a browser that signed in before is known again; it opens nothing."""
    return "__Host-ohmstead-browser" if is_https(settings) else "ohmstead-browser"


def browser_cookie(settings: Settings, value: str, max_age_s: int) -> Cookie:
    """See `browser_cookie_name`."""
    return Cookie(
        key=browser_cookie_name(settings),
        value=value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        secure=is_https(settings),
        samesite="lax",
    )


def cookie_name(settings: Settings) -> str:
    """`__Host-` ties the cookie to this host by the browser's own rule; it needs https."""
    return "__Host-ohmstead" if is_https(settings) else "ohmstead"


def driver_cookie_name(settings: Settings) -> str:
    """The cookie of a driver who is signed in; as `cookie_name`."""
    return "__Host-ohmstead-driver" if is_https(settings) else "ohmstead-driver"


def session_cookie(settings: Settings, value: str, max_age_s: int) -> Cookie:
    """The cookie that keeps a browser signed in; a `max_age_s` of 0 ends it."""
    return Cookie(
        key=cookie_name(settings),
        value=value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        secure=is_https(settings),
        samesite="lax",
    )
