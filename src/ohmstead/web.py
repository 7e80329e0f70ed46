"""The web process: REST API, console and health in one application."""

import ipaddress
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias

from litestar import Litestar, Request, Response, asgi, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler

from ohmstead.accounts.access import NotAllowed, NotSignedIn, ProofNeeded
from ohmstead.accounts.providers.model import Provider, read_providers
from ohmstead.accounts.signin.desk import SignInDesk
from ohmstead.accounts.signin.passkeys import relying_party
from ohmstead.accounts.signin.proofs import Seals
from ohmstead.adapters.breaches.adapter import HttpBreachList
from ohmstead.adapters.oidc.adapter import OidcProviders
from ohmstead.adapters.payments import providers_of, sandbox_of
from ohmstead.adapters.storage import storage_of
from ohmstead.api import payment_webhooks, pki, problems
from ohmstead.api import routes as api_routes
from ohmstead.api.scim import routes as scim_routes
from ohmstead.console import door, proving
from ohmstead.console import routes as console_routes
from ohmstead.console.live import Channels
from ohmstead.core import health, metrics
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.errors import Invalid, OhmsteadError
from ohmstead.core.health import Watch
from ohmstead.core.language import R_
from ohmstead.core.live import LiveNews
from ohmstead.core.log import logger
from ohmstead.doorway import (
    API_PATH,
    FILES_PATH,
    Attempts,
    Authentication,
    Web,
    current_actor,
    guard_against_forgery,
    guard_dangerous,
    guard_scope,
    is_for_drivers,
)
from ohmstead.driver import documents, sandbox_pages, unsubscribe
from ohmstead.driver import door as driver_door
from ohmstead.driver import frame as driver_frame
from ohmstead.driver import routes as driver_routes
from ohmstead.driver.snapshot import Snapshot
from ohmstead.settings import PREFIX, Settings, SettingsError
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.files.addresses import Guard
from ohmstead.stations.files.desk import FileDesk
from ohmstead.stations.files.links import FtpSide, Links
from ohmstead.stations.files.spool import Spool
from ohmstead.stations.quirks.book import book_at
from ohmstead.transfers.door import FileDoor
from ohmstead.transfers.ftp.door import FtpDoor
from ohmstead.ui.files import static_files
from ohmstead.ui.templating import page

log = logger("ohmstead.web")

MAX_BODY_BYTES = 1024 * 1024
# Charges that one address may begin without being known: each keeps a plug from others until its ten minutes to pay are over.
MOST_BEGINNINGS = 20
BEGINNINGS_WITHIN_S = 600
_Request: TypeAlias = Request[Any, Any, State]


def create_web(settings: Settings, pool: Pool, bus: Bus, watch: Watch | None = None) -> Web:
    """The application. `pool` and `bus` are the caller's to open and close, `watch` to run."""
    parts = _parts(settings, pool, bus, watch)
    file_door = FileDoor(settings, pool, parts["storage"], parts["spool"], parts["links"], parts["file_attempts"])
    return Web(
        route_handlers=[
            *PAGES,
            *pki.HANDLERS,
            *payment_webhooks.HANDLERS,
            *(sandbox_pages.HANDLERS if settings.sandbox_payments else ()),
            api_routes.router,
            scim_routes.router,
            console_routes.router,
            driver_routes.router,
            *documents.HANDLERS,
            *unsubscribe.HANDLERS,
            # Static files only are packed: a compressed page that shows both a token and what was asked for gives the
            # token away.
            static_files,
            _mounted(file_door),
        ],
        state=State(parts),
        dependencies={name: _given(parts[part]) for name, part in _INJECTED.items()}
        | {"actor": Provide(current_actor, sync_to_thread=False)},
        on_startup=[_sweep],
        on_shutdown=[parts["payment_providers"].close, parts["storage"].close, parts["sign_in_desk"].keeper.close],
        middleware=[Authentication(pool, settings, parts["attempts"])],
        guards=[guard_against_forgery, guard_scope, guard_dangerous],
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
        request_max_body_size=MAX_BODY_BYTES,
        template_config=console_routes.template_config,
        openapi_config=None,
        logging_config=None,
    )


# Name in handlers → part of the application's state.
_INJECTED = {name: name for name in ("pool", "bus", "desk", "settings", "storage", "spool", "file_desk")} | {
    "sign_in": "sign_in_desk",
    "providers": "payment_providers",
}


def _parts(settings: Settings, pool: Pool, bus: Bus, watch: Watch | None) -> dict[str, Any]:
    """What handlers work with, made once."""
    ftp = FtpSide(settings.ftp_reached_at, settings.ftp_port, settings.ftps_port)
    links = Links(settings.files_base_url, settings.secret(), ftp)
    book = book_at(settings.quirks_dir)
    desk = CommandDesk(pool, bus, Guard(links.ours, settings.file_hosts), book)
    news = LiveNews(bus)
    sandbox = sandbox_of(settings, pool)
    return {
        "payment_providers": providers_of(settings, pool, sandbox),
        "sandbox": sandbox,
        "settings": settings,
        "pool": pool,
        "bus": bus,
        "desk": desk,
        "attempts": Attempts(),
        "beginnings": Attempts(
            MOST_BEGINNINGS, window_s=BEGINNINGS_WITHIN_S, text=R_("too many charges were begun from your address")
        ),
        "pepper": settings.secret(),
        "live_news": news,
        "places": Snapshot(pool),
        "live_channels": Channels(news, pool),
        "watch": watch or Watch(pool, bus),
        "storage": storage_of(settings),
        "spool": Spool(settings.data_dir / "incoming"),
        "file_attempts": Attempts(),
        "links": links,
        "file_desk": FileDesk(pool, desk, links, settings.file_link_s, book, settings.firmware_signers),
        "sign_in_desk": _sign_in_desk(settings, pool),
        "providers": _providers(settings),
        "federation": OidcProviders(),
    }


def _sweep(app: Litestar) -> None:
    # A hook that takes something is given the application.
    app.state.spool.sweep()


def _given(part: Any) -> Provide:
    return Provide(lambda: part, sync_to_thread=False)


def ftp_door(settings: Settings, pool: Pool, app: Web, context: Callable[[], ssl.SSLContext | None]) -> FtpDoor:
    """The other way to the same files. `context`: TLS for each new connection, None where there is none."""
    state = app.state
    return FtpDoor(settings, pool, state.storage, state.spool, state.links, state.file_attempts, context)


def _sign_in_desk(settings: Settings, pool: Pool) -> SignInDesk:
    breaches = HttpBreachList(settings.breach_list_url) if settings.breach_list_url else None
    return SignInDesk(pool, Seals(settings.secret()), relying_party(settings.console_url), breaches=breaches)


def _providers(settings: Settings) -> dict[str, Provider]:
    try:
        return {one.name: one for one in read_providers(settings.oidc_file)}
    except Invalid as error:
        raise SettingsError(PREFIX + "OIDC_FILE", str(settings.oidc_file), error.text) from error


def _mounted(door: FileDoor) -> ASGIRouteHandler:
    return asgi(FILES_PATH, is_mount=True, copy_scope=True)(door)


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


PAGES = [healthz, readyz, metrics_page]


def _answer_driver(request: _Request, error: Exception) -> Response[Any]:
    if isinstance(error, NotSignedIn):
        return driver_door.not_signed_in(request)
    problem = problems.problem_of(error, request.scope["path"])
    if problem.status >= 500 and not isinstance(error, OhmsteadError):
        log.error("request_failed", path=request.scope["path"], status=problem.status, exc_info=error)
    problem = problems.for_people(problem)
    return driver_frame.drawn(
        request,
        "error.html",
        status=problem.status,
        headers=problems.headers_of(error),
        title=problem.title,
        detail=problem.detail,
        request_id=request.scope["state"].get("request_id", ""),
    )


def answer_error(request: _Request, error: Exception) -> Response[Any]:
    """Problem documents under /api, pages elsewhere."""
    path = request.scope["path"]
    if path.startswith(API_PATH):
        return problems.problem_response(request, error)
    if path.startswith(scim_routes.PATH):
        return scim_routes.answer_error(request, error)
    if request.headers.get("content-type", "").startswith("application/json"):
        return problems.problem_response(request, error, is_for_people=True)  # a page's script asks
    if is_for_drivers(path):
        return _answer_driver(request, error)
    if isinstance(error, NotSignedIn):
        return door.not_signed_in(request)
    if isinstance(error, ProofNeeded):
        return proving.ask(request)
    problem = problems.problem_of(error, path)
    if problem.status >= 500 and not isinstance(error, OhmsteadError):
        log.error("request_failed", path=path, status=problem.status, exc_info=error)
    problem = problems.for_people(problem)
    return page(
        request,
        "error.html",
        status=problem.status,
        headers=problems.headers_of(error),
        title=problem.title,
        detail=problem.detail,
        request_id=request.scope["state"].get("request_id", ""),
    )
