"""What every page for drivers begins with: who looks, in which zone, and whom they may call."""

from __future__ import annotations

import gzip
from typing import Any, TypeAlias, cast
from uuid import UUID

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import SkipValidation
from litestar.types import HTTPScope

from ohmstead.accounts.access import NotAllowed, NotSignedIn
from ohmstead.core import language
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.core.errors import NotFound
from ohmstead.doorway import SAFE_METHODS, Attempts, driver_cookie_name, is_https
from ohmstead.drivers import passes
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.settings import Settings
from ohmstead.stations.commands import CommandDesk
from ohmstead.ui.templating import page

PageRequest: TypeAlias = Request[Any, Any, State]
SettingsIn: TypeAlias = NamedDependency[SkipValidation[Settings]]
PoolIn: TypeAlias = NamedDependency[Pool]
BusIn: TypeAlias = NamedDependency[Bus]
DeskIn: TypeAlias = NamedDependency[CommandDesk]

CHARGING_COOKIE = "ohmstead-charging"
CHARGING_FOR_S = 2 * 86400
_LEAST_PACKED = 1000


def visitor_of(request: PageRequest) -> SignedInDriver | None:
    """The driver who is signed in; None for everybody else."""
    found: SignedInDriver | None = request.scope["state"].get("driver")
    return found


def driver_of(request: PageRequest) -> SignedInDriver:
    """Raises NotSignedIn."""
    found = visitor_of(request)
    if found is None:
        raise NotSignedIn("sign in first")
    return found


def drawn(
    request: PageRequest,
    template: str,
    *,
    zone: str | None = None,
    help_phone: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
    is_public: bool = False,
    **context: Any,
) -> Response[Any]:
    """A page. `zone`: of the place that it is about; `is_public`: nothing in it is anybody's, so it may be packed."""
    state = request.scope["state"]
    if zone is not None:
        state["party_zone"] = zone
        state.pop("view", None)
    settings: Settings = request.app.state.settings
    found = page(
        request,
        f"drive/{template}",
        status=status,
        headers=headers,
        driver=visitor_of(request),
        help_phone=help_phone or settings.help_phone or "",
        charging=charging_of(request),
        has_sms=settings.sms_url is not None,
        **context,
    )
    return _packed(request, found) if is_public and visitor_of(request) is None else found


def _packed(request: PageRequest, found: Response[str]) -> Response[Any]:
    """Shorter, for bad connections. Only what holds no secret: a packed page that echoes what was asked gives one away."""
    content = found.content.encode()
    if len(content) < _LEAST_PACKED or "gzip" not in request.headers.get("accept-encoding", "").lower():
        return found
    headers = {**found.headers, "Content-Encoding": "gzip", "Vary": VARIES}
    return Response(
        gzip.compress(content, 6, mtime=0),
        status_code=found.status_code,
        media_type="text/html; charset=utf-8",
        headers=headers,
    )


VARIES = "Accept-Encoding, Accept-Language, Cookie"


def for_all(request: PageRequest, seconds: int) -> dict[str, str]:
    """How long a page may be kept: where nobody is signed in, and no language was chosen, by everybody."""
    if request.cookies:
        return {"Cache-Control": f"private, max-age={seconds}", "Vary": VARIES}
    return {"Cache-Control": f"public, max-age={seconds}", "Vary": VARIES}


def uuid_of(text: str, what: str) -> UUID:
    """A path's id. Raises NotFound for what cannot be one, as for one that is not there."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"no {what} {text[:60]}") from None


async def form_of(request: PageRequest) -> dict[str, str]:
    """A form's fields without spaces around them; no more of each than anybody would type."""
    form = await request.form()
    return {name: value.strip()[:4000].replace("\0", "") for name, value in form.items() if isinstance(value, str)}


def attempts_of(request: PageRequest) -> Attempts:
    """How often an address tried what it should not."""
    found: Attempts = request.app.state.attempts
    return found


def beginnings_of(request: PageRequest) -> Attempts:
    """How often an address began a charge as nobody: each keeps a plug from others for a while, paid or not."""
    found: Attempts = request.app.state.beginnings
    return found


def address_of(request: PageRequest) -> str:
    """Where the request comes from."""
    return str(request.scope["state"]["remote_address"])


def language_of(request: PageRequest) -> str:
    """The language of this task, for what is sent later."""
    return language.spoken()


def secret_of(request: PageRequest) -> bytes:
    """What passes are signed with."""
    found: bytes = request.app.state.pepper
    return found


def charging_of(request: PageRequest) -> str:
    """The pass of the charge that this browser began last; "" for none."""
    text = request.cookies.get(CHARGING_COOKIE, "")
    return text if text and passes.read(secret_of(request), text) is not None else ""


def charging_cookie(settings: Settings, text: str) -> Cookie:
    """Lets this browser find its charge again; "" forgets it."""
    return Cookie(
        key=CHARGING_COOKIE,
        value=text,
        max_age=CHARGING_FOR_S if text else 0,
        path="/drive",
        httponly=True,
        secure=is_https(settings),
        samesite="lax",
    )


def driver_cookie(settings: Settings, value: str, max_age_s: int) -> Cookie:
    """Keeps a driver's browser signed in; a `max_age_s` of 0 ends it."""
    return Cookie(
        key=driver_cookie_name(settings),
        value=value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        secure=is_https(settings),
        samesite="lax",
    )


async def guard_site(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """What changes something never comes from another site, signed in or not. Raises NotAllowed."""
    if cast(HTTPScope, connection.scope)["method"] in SAFE_METHODS:
        return
    if connection.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise NotAllowed("this comes from another site: open the page yourself")
