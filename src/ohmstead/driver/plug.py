"""What does this plug cost, is it free, and how do I begin? The page behind a code at a plug."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts.access import TooManyAttempts
from ohmstead.core import clock
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, told
from ohmstead.driver import codes, finding, paying, pricing, starting, story, ways, words
from ohmstead.driver.finding import FoundSite, Point, Wanted
from ohmstead.driver.frame import (
    BusIn,
    DeskIn,
    PageRequest,
    PoolIn,
    SettingsIn,
    address_of,
    attempts_of,
    beginnings_of,
    charging_cookie,
    charging_of,
    drawn,
    driver_of,
    for_all,
    form_of,
    secret_of,
    visitor_of,
)
from ohmstead.driver.pricing import Asked, PlugPrice
from ohmstead.driver.ways import Offer, Way
from ohmstead.drivers import passes
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.reports.driving import queries as driving
from ohmstead.reports.plugs import queries
from ohmstead.reports.plugs.model import PlugPage, PublicPlug
from ohmstead.stations.commands import CommandDesk
from ohmstead.ui.states import Look

KEPT_S = 5
NEAR_M = 10_000.0
MOST_NEAR = 4


class Notice(Struct, frozen=True, kw_only=True):
    """What just happened, above the price."""

    tone: str
    text: str
    icon: str = "attention"


class Other(Struct, frozen=True, kw_only=True):
    """Somewhere else to charge."""

    href: str
    name: str
    about: str
    far: str


@get("/c/{station_id:str}/{evse:str}")
async def plug_page(
    request: PageRequest, pool: PoolIn, station_id: FromPath[str], evse: FromPath[str]
) -> Response[Any]:
    """A plug by its station and number."""
    return await _shown(request, pool, station_id, _number(evse))


@get("/e/{evse_id:str}")
async def sticker_page(request: PageRequest, pool: PoolIn, evse_id: FromPath[str]) -> Response[Any]:
    """A plug as stickers name it: `<station>*<number>`. The same page at once: a detour costs a round trip."""
    station_id, evse_number = _of_sticker(evse_id)
    return await _shown(request, pool, station_id, evse_number)


@post("/c/{station_id:str}/{evse:str}", status_code=200)
async def begin(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    desk: DeskIn,
    settings: SettingsIn,
    station_id: FromPath[str],
    evse: FromPath[str],
) -> Response[Any]:
    """Begin: for the signed-in driver, for a guest who pays, or for anybody where nothing costs anything."""
    number, given = _number(evse), await form_of(request)
    async with pool.acquire() as conn:
        plug = await _get(conn, station_id, number)
        page = await _page_of(conn, request, plug)
    if page.unpaid and given.get("way") == "guest":
        return Redirect(f"/drive/s/{page.unpaid}/pay", status_code=303)
    way = next((one for one in page.offer.ways if one.value == given.get("way")), None)
    if way is None and given.get("way") == "account":
        driver_of(request)  # whose session is over signs in, and it begins then
    if way is None:
        raise Refused("this way of paying is not offered here any more: load the page again")
    try:
        attempts_of(request).check(address_of(request))
        if way.kind != "account":
            beginnings_of(request).check(address_of(request))
            beginnings_of(request).failed(address_of(request))
        if way.kind == "guest":
            return await paying.begin(request, pool, settings, plug, given, page.leave)
        return await _started(request, pool, bus, desk, plug, way, page)
    except Invalid as error:
        errors = {error.field or "email": told(error)}
        return _draw(request, plug, page, status=422, given=given, errors=errors)
    except (Refused, Conflict, ExternalFailure, TooManyAttempts) as error:
        # Every start and every payment that came to nothing counts: nobody tries plug after plug.
        attempts_of(request).failed(address_of(request))
        notice = Notice(tone="failed", text=told(error), icon="failed")
        status = 429 if isinstance(error, TooManyAttempts) else 409
        return _draw(request, plug, page, status=status, given=given, notice=notice)


async def _started(
    request: PageRequest, pool: PoolIn, bus: Bus, desk: CommandDesk, plug: PlugPage, way: Way, page: _Page
) -> Response[Any]:
    connector = page.plug.connector_number if len(plug.connectors) == 1 else None
    who = page.who if way.kind == "account" else None
    command = await starting.begin(pool, desk, plug, who, connector)
    await bus.publish(NUDGE, {})
    if not starting.is_under_way(command):
        attempts_of(request).failed(address_of(request))
        notice = Notice(tone="failed", text=_(starting.REFUSALS.get(command.status, starting.REFUSALS["failed"])))
        return _draw(request, plug, page, status=409, notice=notice)
    text = passes.write(secret_of(request), "command", command.command_id)
    settings = request.app.state.settings
    return Redirect(f"/drive/s/{text}", status_code=303, cookies=[charging_cookie(settings, text)])


# --------------------------------------------------------------------------------------------------------- the page


class _Page(Struct, kw_only=True):
    """What there is to say about a plug to whoever looks. `unpaid`: the pass of a payment of theirs for it that waits."""

    plug: PublicPlug
    price: PlugPrice
    who: SignedInDriver | None
    offer: Offer
    look: Look
    is_mine: bool
    own_pass: str
    is_out: bool
    others: list[Other]
    leave: str
    unpaid: str


async def _shown(request: PageRequest, pool: PoolIn, station_id: str, evse_number: int) -> Response[Any]:
    code, looked = request.query_params.get("totp"), codes.Looked()
    if isinstance(code, str):
        looked = await codes.look_at(request, pool, station_id, evse_number, code)
        if looked.refusal is not None:
            return looked.refusal
    async with pool.acquire() as conn:
        plug = await _get(conn, station_id, evse_number)
        page = await _page_of(conn, request, plug)
    page.leave = page.leave or looked.leave
    answer = _draw(request, plug, page, notice=_notice(request))
    if looked.cookie is not None:
        answer.set_cookie(looked.cookie)
    return answer


async def _get(conn: Connection, station_id: str, evse_number: int) -> PlugPage:
    plug = await queries.find_plug(conn, station_id, evse_number)
    if plug is None:
        raise NotFound(_("There is no such plug here. Check the number on the sticker, or call for help."))
    return plug


async def _page_of(conn: Connection, request: PageRequest, plug: PlugPage) -> _Page:
    visitor = visitor_of(request)
    who = visitor if visitor is not None and visitor.party_id == plug.party_id else None
    first = _best(plug)
    asked = Asked(
        party_id=plug.party_id,
        time_zone=plug.time_zone,
        location_id=plug.location_id,
        plugs=[first],
        own=await ways.payer_of(conn, who),
    )
    ((price,),) = await pricing.prices_at(conn, [asked])
    is_out = all(one.state in words.BROKEN for one in plug.connectors) if plug.connectors else True
    is_mine, own_pass = await _own(conn, request, plug, who)
    look = words.look(first.state, has_session=plug.session_id is not None)
    is_taken = plug.session_id is not None or look in (words.BUSY, words.RESERVED)
    others = await _others(request, plug, first) if is_out or (is_taken and not is_mine) else []
    offer = Offer(ways=[]) if is_mine else await ways.offered(conn, request, plug, price, who)
    unpaid = "" if is_mine else await _unpaid(conn, request, plug)
    if unpaid:
        # They hold the plug already: a second payment would find it taken by the first.
        left = [way for way in offer.ways if way.kind != "guest"]
        offer = Offer(ways=left, hint=offer.hint, hint_path=offer.hint_path)
    leave = codes.leave_of(request, plug.station_id, plug.evse_number)
    return _Page(
        plug=first,
        price=price,
        who=who,
        offer=offer,
        look=look,
        is_mine=is_mine,
        own_pass=own_pass,
        is_out=is_out,
        others=others,
        leave=leave,
        unpaid=unpaid,
    )


def _best(plug: PlugPage) -> PublicPlug:
    """Of an outlet's connectors the one that says most: one in use before one that is free, before one out of service."""
    if not plug.connectors:
        return PublicPlug(
            station_id=plug.station_id,
            evse_number=plug.evse_number,
            connector_number=1,
            n_connectors=0,
            label=plug.reference or str(plug.evse_number),
            standard=None,
            current_type=None,
            power_w=None,
            state="unknown",
            state_at=None,
        )
    order = {"Charging": 0, "In use": 0, "Plugged in": 1, "Reserved": 2, "Free": 3}
    return min(plug.connectors, key=lambda one: order.get(words.look(one.state).word, 9))


async def _own(conn: Connection, request: PageRequest, plug: PlugPage, who: SignedInDriver | None) -> tuple[bool, str]:
    """Whether the session here is of whoever looks: a driver's by their cards, anybody's by the pass in this browser."""
    if plug.session_id is None:
        return False, ""
    secret = request.app.state.pepper
    if who is not None and await driving.is_of_driver(conn, who.party_id, who.driver_id, plug.session_id):
        return True, passes.write(secret, "session", plug.session_id)
    held = passes.read(secret, charging_of(request)) if charging_of(request) else None
    if held is not None and await ways.session_of(conn, held) == plug.session_id:
        return True, charging_of(request)
    return False, ""


async def _unpaid(conn: Connection, request: PageRequest, plug: PlugPage) -> str:
    """The pass of a payment that this browser began for the plug and may still pay; "" for none."""
    held = passes.read(request.app.state.pepper, charging_of(request)) if charging_of(request) else None
    if held is None or held.what != "payment":
        return ""
    found = await story.find(conn, held)
    is_here = found is not None and (found.station_id, found.evse_number) == (plug.station_id, plug.evse_number)
    return charging_of(request) if found is not None and is_here and found.is_payable else ""


async def _others(request: PageRequest, plug: PlugPage, first: PublicPlug) -> list[Other]:
    """Plugs near, of the same kind, the free ones first."""
    sites = await request.app.state.places.sites()
    here = Point(plug.latitude, plug.longitude) if plug.latitude is not None and plug.longitude is not None else None
    kind = next((name for name, (word, _ocpi) in words.KINDS.items() if word == words.standard(first.standard)), "")
    found = finding.find(sites, Wanted(kind=kind, near=here, is_free_now=True), clock.now())
    if here is None:
        found = [one for one in found if one.site.location_id == plug.location_id]
    return [_other(one, plug) for one in found if one.distance_m is None or one.distance_m <= NEAR_M][:MOST_NEAR]


def _other(one: FoundSite, plug: PlugPage) -> Other:
    power = words.power(one.power_w)
    about = ", ".join(part for part in (finding.free_words(one), ", ".join(one.kinds), power) if part)
    far = _("here") if one.site.location_id == plug.location_id else finding.far(one.distance_m)
    return Other(href=f"/drive/l/{one.site.location_id}", name=one.site.name, about=about, far=far)


_NOTICES = {
    "canceled": Notice(tone="attention", text=N_("You did not pay, and nothing was started.")),
    "declined": Notice(
        tone="failed", text=N_("The payment was declined. Nothing was taken; try another card."), icon="failed"
    ),
}


def _notice(request: PageRequest) -> Notice | None:
    found = _NOTICES.get(str(request.query_params.get("why", "")))
    return Notice(tone=found.tone, text=_(found.text), icon=found.icon) if found is not None else None


def _draw(
    request: PageRequest,
    plug: PlugPage,
    page: _Page,
    *,
    status: int = 200,
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    notice: Notice | None = None,
) -> Response[Any]:
    kinds = words.kinds(one.standard for one in plug.connectors)
    label = page.plug.label
    title = (
        _("Plug %(label)s, %(kind)s", label=label, kind=" / ".join(kinds))
        if kinds
        else _("Plug %(label)s", label=label)
    )
    busy = _busy(plug, page)
    is_guest = visitor_of(request) is None and not page.leave and not request.query_params
    return drawn(
        request,
        "plug.html",
        status=status,
        zone=plug.time_zone,
        help_phone=plug.help_phone,
        is_public=is_guest and status == 200,
        headers=for_all(request, KEPT_S) if is_guest and status == 200 else None,
        title=title,
        plug=plug,
        look=page.look,
        price=page.price,
        power=words.power(page.plug.power_w),
        ways=page.offer.ways,
        hint=page.offer.hint,
        hint_path=page.offer.hint_path,
        detail=ways.detail_of(page.offer.ways),
        is_mine=page.is_mine,
        own_pass=page.own_pass,
        is_out=page.is_out,
        others=page.others,
        unpaid=page.unpaid,
        is_listed=plug.access == "public" and plug.location_id is not None,
        busy=busy,
        button=ways.button_of(page.offer.ways),
        promise=ways.promise_of(page.offer.ways, page.look is words.PLUGGED),
        takes_email=any(way.kind == "guest" for way in page.offer.ways),
        leave=page.leave,
        action=f"/drive/c/{quote(plug.station_id, safe='')}/{plug.evse_number}",
        given={"email": "", **(given or {})},
        errors=errors or {},
        notice=notice,
    )


def _busy(plug: PlugPage, page: _Page) -> str:
    if page.is_mine:
        return ""
    if plug.session_id is not None or page.look is words.BUSY:
        return _("Somebody is charging here. You can begin when they are done.")
    if page.look is words.RESERVED:
        return _("This plug is kept for somebody.")
    return ""


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 4):
        raise NotFound(_("There is no such plug here. Check the number on the sticker, or call for help."))
    return int(text)


def _of_sticker(evse_id: str) -> tuple[str, int]:
    station_id, star, number = evse_id.rpartition("*")
    if not star or len(station_id) > 48:
        raise NotFound(_("There is no such plug here. Check the number on the sticker, or call for help."))
    return station_id, _number(number)


def path_of(station_id: str, evse_number: int) -> str:
    """A plug's page."""
    return f"/drive/c/{quote(station_id, safe='')}/{evse_number}"


HANDLERS: Sequence[Any] = [plug_page, sticker_page, begin]
