"""Can this one be trusted? A station's certificates, its security profile, and what it has installed."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.frame import ActorIn, BusIn, DeskIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound, OhmsteadError, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_, told
from ohmstead.reports.pages import queries as pages
from ohmstead.stations.certificates import queries, service, upgrades
from ohmstead.stations.certificates.queries import CertificateFilter, CertificateView
from ohmstead.stations.commands import Order
from ohmstead.stations.orders import ListCertificates
from ohmstead.ui import states
from ohmstead.ui.templating import page

WAIT_S = 25.0
_UPGRADING = ("started", "certificate", "expected")
# Why a certificate was revoked (RFC 5280, 5.3.1), and how far a request of a station is.
REASONS = {
    "unspecified": N_("unspecified"),
    "key_compromise": N_("key compromise"),
    "affiliation_changed": N_("affiliation changed"),
    "superseded": N_("superseded"),
    "cessation_of_operation": N_("cessation of operation"),
}
REQUESTS = {
    "accepted": N_("accepted"),
    "refused": N_("refused"),
    "signed": N_("signed"),
    "delivered": N_("delivered"),
    "rejected": N_("rejected"),
    "failed": N_("failed"),
}


@get("/stations/{station_id:str}/certificates")
async def certificates(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """The page."""
    return await _page(request, pool, actor, station_id)


@post("/stations/{station_id:str}/certificates/{certificate_id:str}/revoke", status_code=200, opt={"needs_proof": True})
async def revoke(
    pool: PoolIn, bus: BusIn, actor: ActorIn, station_id: FromPath[str], certificate_id: FromPath[str]
) -> Redirect:
    """Good no longer; a connection that came with it ends."""
    allow(actor, "stations:write")
    async with pool.acquire() as conn, conn.transaction():
        revoked = await service.revoke(conn, actor, uuid_of(certificate_id, "certificate"))
    await service.announce(bus, [revoked["fingerprint"]])
    return Redirect(f"/stations/{station_id}/certificates", status_code=303)


@post("/stations/{station_id:str}/certificates/{what:str}", status_code=200)
async def do(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    desk: DeskIn,
    settings: SettingsIn,
    actor: ActorIn,
    station_id: FromPath[str],
    what: FromPath[str],
) -> Response[Any]:
    """`renew`: have it ask for a certificate; `refresh`: ask what it has installed; `raise`: a higher profile."""
    allow(actor, "commands:send" if what == "refresh" else "stations:write")
    form = await request.form()
    try:
        async with pool.acquire() as conn, conn.transaction():
            station = await _station(conn, actor, station_id)
            if what == "raise":
                wanted, url = str(form.get("to_profile", "")), str(form.get("url", "")).strip() or None
                if url is None and not settings.has_tls and not settings.trusted_proxies:
                    raise Refused("Name the address that serves stations with TLS: this installation does not.")
                to_profile = int(wanted) if wanted in ("2", "3") else 0
                await upgrades.start(conn, actor, station_id, to_profile, url=url)
        if what == "raise":
            await bus.publish(NUDGE, {})
        else:
            orders: dict[str, Order] = {
                "renew": service.request_order("station", station["ocpp_version"]),
                "refresh": ListCertificates(),
            }
            if what not in orders:
                raise NotFound("there is nothing here")
            command = await desk.send(
                orders[what],
                party_id=actor.party_id,
                station_id=station_id,
                requested_by=actor.actor_id,
                timeout_s=WAIT_S,
            )
            if command.status != "accepted":
                raise Refused(f"{_(states.command(command.status).word)}. {told(command.error_text or '')}".strip())
    except (Invalid, Refused) as error:
        given = {name: str(form.get(name, "")) for name in ("to_profile", "url")}
        return await _page(request, pool, actor, station_id, error=error, given=given)
    return Redirect(f"/stations/{station_id}/certificates", status_code=303)


async def _page(
    request: PageRequest,
    pool: PoolIn,
    actor: Actor,
    station_id: str,
    *,
    error: OhmsteadError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        station = await _station(conn, actor, station_id)
        wanted = CertificateFilter(station=station_id)
        found = await queries.list_certificates(conn, actor.party_id, wanted, limit=500)
        found.sort(key=lambda one: one.issued_at, reverse=True)
        history = await queries.list_upgrades(conn, actor.party_id, station_id)
        context = {
            "station": station,
            "certificates": found[:20],
            "requests": await queries.list_signing_requests(conn, actor.party_id, station_id, 10),
            "installed": await queries.list_installed(conn, actor.party_id, station_id),
            "upgrade": history[0] if history else None,
            "is_upgrading": bool(history) and history[0].status in _UPGRADING,
        }
    return page(
        request,
        "console/certificates.html",
        status=422 if error else 200,
        **context,
        headline=headline(found, station["security_profile"]),
        error=told(error) if error else None,
        reasons=REASONS,
        request_words=REQUESTS,
        given=given or {"to_profile": "", "url": ""},
    )


async def _station(conn: Connection, actor: Actor, station_id: str) -> Any:
    found = await pages.find_station(conn, actor.party_id, station_id)
    if found is None:
        raise NotFound(f"no station {station_id}")
    return found


def headline(found: list[CertificateView], security_profile: int) -> tuple[str, str]:
    """The answer in two pieces: what holds, and what is wrong (in red)."""
    used = next((one for one in found if one.kind == "station" and one.status in ("active", "issued")), None)
    if used is None:
        need = _("It comes with a certificate, and none of ours is good.") if security_profile == 3 else ""
        return ("" if need else _("It has no certificate of ours."), need)
    days = (used.not_after - clock.now()).days
    text = n_("Its certificate is good for %(n)s more day.", "Its certificate is good for %(n)s more days.", days)
    return (text, "") if days > service.RENEW_AHEAD.days // 2 else ("", text)
