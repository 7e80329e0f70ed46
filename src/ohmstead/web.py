"""The web process: REST API, console and health in one application."""

import ipaddress
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

from litestar import Request, Response, asgi, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler
from litestar.params import FromQuery, SkipValidation
from litestar.response import Redirect

from ohmstead.accounts import service
from ohmstead.accounts.access import NotAllowed, NotSignedIn, TooManyAttempts
from ohmstead.adapters.storage import storage_of
from ohmstead.api import pki, problems
from ohmstead.api import routes as api_routes
from ohmstead.console import routes as console_routes
from ohmstead.console.live import Channels
from ohmstead.core import health, metrics
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.errors import OhmsteadError, Refused
from ohmstead.core.health import Watch
from ohmstead.core.live import LiveNews
from ohmstead.core.log import logger
from ohmstead.doorway import (
    API_PATH,
    FILES_PATH,
    Attempts,
    Authentication,
    Web,
    cookie_name,
    current_actor,
    guard_against_forgery,
    session_cookie,
)
from ohmstead.settings import Settings
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.files.addresses import Guard
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.links import FtpSide, Links
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.files.spool import Spool
from ohmstead.stations.quirks.book import book_at
from ohmstead.transfers.door import FileDoor
from ohmstead.transfers.ftp.door import FtpDoor
from ohmstead.ui.files import static_files
from ohmstead.ui.templating import page

log = logger("ohmstead.web")

MAX_BODY_BYTES = 1024 * 1024
_Request: TypeAlias = Request[Any, Any, State]
# The framework would check the struct field by field, and knows no networks.
_Settings: TypeAlias = NamedDependency[SkipValidation[Settings]]
_Pool: TypeAlias = NamedDependency[Pool]


def create_web(settings: Settings, pool: Pool, bus: Bus, watch: Watch | None = None) -> Web:
    """The application. `pool` and `bus` are the caller's to open and close, `watch` to run."""
    attempts = Attempts()
    ftp = FtpSide(settings.ftp_reached_at, settings.ftp_port, settings.ftps_port)
    links = Links(settings.files_base_url, settings.secret(), ftp)
    desk = CommandDesk(pool, bus, Guard(links.ours, settings.file_hosts), book_at(settings.quirks_dir))
    storage, spool = storage_of(settings), Spool(settings.data_dir / "incoming")
    file_door = FileDoor(settings, pool, storage, spool, links, file_attempts := Attempts())
    news = LiveNews(bus)
    return Web(
        route_handlers=[
            *PAGES,
            *pki.HANDLERS,
            api_routes.router,
            console_routes.router,
            # Static files only are packed: a compressed page that shows both a token and what was asked for gives the
            # token away.
            static_files,
            _mounted(file_door),
        ],
        state=State(
            {
                "settings": settings,
                "pool": pool,
                "bus": bus,
                "attempts": attempts,
                "pepper": settings.secret(),
                "live_news": news,
                "live_channels": Channels(news),
                "watch": watch or Watch(pool, bus),
                "storage": storage,
                "spool": spool,
                "file_attempts": file_attempts,
                "links": links,
                "file_desk": FileDesk(
                    pool, desk, links, settings.file_link_s, book_at(settings.quirks_dir), settings.firmware_signers
                ),
            }
        ),
        dependencies={
            "pool": Provide(lambda: pool, sync_to_thread=False),
            "bus": Provide(lambda: bus, sync_to_thread=False),
            "desk": Provide(lambda: desk, sync_to_thread=False),
            "settings": Provide(lambda: settings, sync_to_thread=False),
            "actor": Provide(current_actor, sync_to_thread=False),
            "storage": Provide(_storage, sync_to_thread=False),
            "spool": Provide(_spool, sync_to_thread=False),
            "file_desk": Provide(_file_desk, sync_to_thread=False),
        },
        on_startup=[spool.sweep],
        on_shutdown=[storage.close],
        middleware=[Authentication(pool, settings, attempts)],
        guards=[guard_against_forgery],
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
        request_max_body_size=MAX_BODY_BYTES,
        template_config=console_routes.template_config,
        openapi_config=None,
        logging_config=None,
    )


def ftp_door(settings: Settings, pool: Pool, app: Web, context: Callable[[], ssl.SSLContext | None]) -> FtpDoor:
    """The other way to the same files. `context`: TLS for each new connection, None where there is none."""
    state = app.state
    return FtpDoor(settings, pool, state.storage, state.spool, state.links, state.file_attempts, context)


def _mounted(door: FileDoor) -> ASGIRouteHandler:
    return asgi(FILES_PATH, is_mount=True, copy_scope=True)(door)


def _storage(state: State) -> Storage:
    found: Storage = state.storage
    return found


def _spool(state: State) -> Spool:
    found: Spool = state.spool
    return found


def _file_desk(state: State) -> FileDesk:
    found: FileDesk = state.file_desk
    return found


@get("/healthz", media_type=MediaType.TEXT)
async def healthz() -> str:
    """The process is alive; nothing else is looked at."""
    return "ok\n"


@get("/readyz")
async def readyz(request: _Request) -> Response[dict[str, Any]]:
    """Whether requests can be served, and if not, what is missing and what to do. Strangers learn only what."""
    watch: Watch = request.app.state.watch
    told = health.report(await watch.look(), with_texts=_is_neighbour(request))
    return Response(told, status_code=200 if told["is_ready"] else 503)


@get("/metrics", media_type=MediaType.TEXT)
async def metrics_page(request: _Request) -> Response[bytes]:
    """Prometheus metrics, for scrapers on private networks."""
    if not _is_neighbour(request):
        raise NotAllowed("metrics are for scrapers on the private network")
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _is_neighbour(request: _Request) -> bool:
    """On a private network; a forwarded request is not."""
    peer = request.scope["client"]
    try:
        is_private = peer is not None and ipaddress.ip_address(peer[0]).is_private
    except ValueError:
        is_private = False
    return is_private and "x-forwarded-for" not in request.headers and "forwarded" not in request.headers


@get("/sign-in")
async def sign_in_page(request: _Request, link: FromQuery[str] = "", next: FromQuery[str] = "/") -> Response[Any]:  # noqa: A002
    """Asks for one press of a button: mail scanners that open links must not use them up."""
    return page(request, "sign_in.html", link=link, next=local_path(next), error=None)


@post("/sign-in", opt={"shows_own_secret": True})
async def sign_in(request: _Request, pool: _Pool, settings: _Settings) -> Response[Any]:
    """Use a one-time link and keep the browser signed in."""
    form = await request.form()
    link, target = str(form.get("link", "")), local_path(str(form.get("next", "/")))
    address = request.scope["state"]["remote_address"]
    attempts: Attempts = request.app.state.attempts
    try:
        attempts.check(address)
        async with pool.acquire() as conn, conn.transaction():
            signed_in = await service.redeem_sign_in_link(
                conn, link, remote_address=address, user_agent=request.headers.get("user-agent")
            )
    except (Refused, TooManyAttempts) as error:
        attempts.failed(address)
        return page(request, "sign_in.html", status=403, link="", next=target, error=error.text)
    cookie = session_cookie(settings, signed_in.cookie, service.SESSION_LONGEST_S)
    return Redirect(target, status_code=303, cookies=[cookie])


@post("/sign-out")
async def sign_out(request: _Request, pool: _Pool, settings: _Settings) -> Redirect:
    """End this browser's session."""
    cookie = request.cookies.get(cookie_name(settings))
    if cookie is not None:
        async with pool.acquire() as conn, conn.transaction():
            await service.sign_out(conn, cookie)
    return Redirect("/sign-in", status_code=303, cookies=[session_cookie(settings, "", 0)])


PAGES = [healthz, readyz, metrics_page, sign_in_page, sign_in, sign_out]


def local_path(target: str) -> str:
    """A path of ours to go on to; anything that could lead elsewhere becomes `/`."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target


def answer_error(request: _Request, error: Exception) -> Response[Any]:
    """Problem documents under /api, pages elsewhere."""
    path = request.scope["path"]
    if path.startswith(API_PATH):
        return problems.problem_response(request, error)
    if isinstance(error, NotSignedIn):
        return _to_sign_in(request)
    problem = problems.problem_of(error, path)
    if problem.status >= 500 and not isinstance(error, OhmsteadError):
        log.error("request_failed", path=path, status=problem.status, exc_info=error)
    return page(
        request,
        "error.html",
        status=problem.status,
        headers=problems.headers_of(error),
        title=problem.title,
        detail=problem.detail,
        request_id=request.scope["state"].get("request_id", ""),
    )


def _to_sign_in(request: _Request) -> Response[Any]:
    target = "/sign-in"
    if request.method == "GET" and request.scope["path"] != "/":
        target += "?next=" + quote(request.scope["path"])
    if "hx-request" in request.headers:
        # A fragment must not be swapped for the sign-in page: HTMX goes there itself on this header.
        return Response(b"", status_code=401, headers={"HX-Redirect": target}, media_type=MediaType.HTML)
    if request.headers.get("accept", "").startswith("text/event-stream"):
        return Response(b"", status_code=401, media_type=MediaType.HTML)
    return Redirect(target, status_code=303)
