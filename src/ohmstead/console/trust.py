"""Which certificates end soon, and whom is trusted? All certificates of the network, its roots and authorities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.certificates import REASONS
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_, told
from ohmstead.stations.certificates import queries, service
from ohmstead.stations.certificates.queries import CertificateFilter, CertificateView
from ohmstead.stations.orders.upkeep import CertificateUse
from ohmstead.ui.templating import page

SHOWN = 100
SOON_DAYS = service.RENEW_AHEAD.days
FILTERS = {
    "soon": CertificateFilter(expires_within_days=SOON_DAYS),
    "active": CertificateFilter(status="active"),
    "issued": CertificateFilter(status="issued"),
    "revoked": CertificateFilter(status="revoked"),
    "all": CertificateFilter(),
}
WORDS = {
    "soon": N_("Ends within %(days)s days"),
    "active": N_("In use"),
    "issued": N_("Issued, not yet used"),
    "revoked": N_("Revoked"),
    "all": N_("All"),
}
USES = {
    "station": N_("station"),
    "v2g": "V2G",
    "central_root": N_("root of this system"),
    "manufacturer_root": N_("root of a manufacturer"),
    "v2g_root": N_("root for V2G"),
    "contract_root": N_("root for contracts"),
    "oem_root": N_("root of a car maker"),
}
LEVELS = {"root": N_("root"), "issuing": N_("issuing")}


@get("/certificates")
async def trust(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list, the next to end first; the authorities; the form for a root."""
    return await _page(request, pool, actor, {}, {})


@post("/certificates/roots", status_code=200)
async def add_root(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Trust a root."""
    allow(actor, "stations:write")
    form = await request.form()
    given = {k: v.strip() for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}
    try:
        kind = given.get("kind", "")
        if kind not in get_args(CertificateUse):
            raise Invalid("What is it for?", "kind")
        if not given.get("certificate_pem"):
            raise Invalid("Paste the certificate, or choose its file.", "certificate_pem")
        async with pool.acquire() as conn, conn.transaction():
            await service.add_root(conn, actor, kind, given["certificate_pem"])  # type: ignore[arg-type]
    except (Invalid, Conflict) as error:
        field = error.field if isinstance(error, Invalid) and error.field else "certificate_pem"
        return await _page(request, pool, actor, given, {field: told(error)})
    await bus.publish(NUDGE, {})
    return Redirect("/certificates?show=all", status_code=303)


@post("/certificates/{certificate_id:str}/revoke", status_code=200)
async def revoke_any(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, certificate_id: FromPath[str]
) -> Response[Any]:
    """Good no longer, or trusted no longer; a connection that came with it ends."""
    allow(actor, "stations:write")
    try:
        async with pool.acquire() as conn, conn.transaction():
            revoked = await service.revoke(conn, actor, uuid_of(certificate_id, "certificate"))
    except Conflict as error:
        return await _page(request, pool, actor, {}, {"list": told(error)})
    await service.announce(bus, [revoked["fingerprint"]])
    await bus.publish(NUDGE, {})
    return Redirect("/certificates?show=revoked", status_code=303)


async def _page(
    request: PageRequest, pool: PoolIn, actor: Actor, given: Mapping[str, str], errors: Mapping[str, str]
) -> Response[str]:
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        soon = await queries.list_certificates(conn, actor.party_id, FILTERS["soon"], limit=SHOWN)
        show = view.query["show"] if view.query["show"] in FILTERS else ("soon" if soon else "all")
        found = await queries.list_certificates(
            conn, actor.party_id, FILTERS[show], after=_key(view.query["after"]), limit=SHOWN + 1
        )
        authorities = await queries.list_authority_views(conn)
    return page(
        request,
        "console/trust.html",
        status=422 if errors else 200,
        headline=headline(soon),
        found=found[:SHOWN],
        next_after=_key_text(found[SHOWN - 1]) if len(found) > SHOWN else None,
        show=show,
        words={key: _(word, days=SOON_DAYS) for key, word in WORDS.items()},
        uses=USES,
        reasons=REASONS,
        levels=LEVELS,
        root_uses={use: USES[use] for use in get_args(CertificateUse)},
        authorities=authorities,
        days_left=lambda one: (one.not_after - clock.now()).days,
        soon_days=SOON_DAYS,
        given=given,
        errors=errors,
    )


def headline(soon: list[CertificateView]) -> tuple[str, str]:
    """What ends before long, in red, and whether that is taken care of."""
    if not soon:
        return "", _("No certificate ends within %(days)s days.", days=SOON_DAYS)
    if len(soon) >= SHOWN:
        bad = _("%(n)s or more certificates end within %(days)s days.", n=SHOWN, days=SOON_DAYS)
    else:
        bad = n_(
            "%(n)s certificate ends within %(days)s days.",
            "%(n)s certificates end within %(days)s days.",
            len(soon),
            days=SOON_DAYS,
        )
    if any(one.station_id is None for one in soon):
        return bad, _("Roots do not renew themselves.")
    return bad, _("Stations are asked for new ones by themselves.")


def _key(text: str) -> tuple[datetime, UUID] | None:
    """Where a page begins; from the first one where the address holds no such place."""
    at, _between, certificate_id = text.partition("_")
    try:
        key = datetime.fromisoformat(at), UUID(certificate_id)
    except ValueError:
        return None
    return key if key[0].tzinfo is not None else None


def _key_text(one: CertificateView) -> str:
    return f"{one.not_after.isoformat()}_{one.certificate_id}"
