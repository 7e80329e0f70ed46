"""Where can I charge? The list of places with a small map, and one place with its plugs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream
from msgspec import Struct

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.language import _, n_
from ohmstead.driver import finding, pricing, ways, words
from ohmstead.driver.finding import FoundSite, Point, Wanted
from ohmstead.driver.frame import PageRequest, PoolIn, drawn, for_all, uuid_of, visitor_of
from ohmstead.driver.plug import path_of
from ohmstead.driver.pricing import Asked, PlugPrice, PricedFor
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.notifications import queries as watches
from ohmstead.reports.plugs import queries
from ohmstead.reports.plugs.model import PublicPlug, PublicSite
from ohmstead.stations.sites import hours
from ohmstead.stations.sites import queries as sites
from ohmstead.ui.states import Look
from ohmstead.ui.templating import view_of

PAGE = 30
MOST_MARKED = 2000
KEPT_S = 15
PHOTO_KEPT_S = 86_400
_COORDINATES = re.compile(r"(-?\d{1,2}(?:\.\d{1,8})?),(-?\d{1,3}(?:\.\d{1,8})?)")


class SiteRow(Struct, frozen=True, kw_only=True):
    """A place in the list."""

    found: FoundSite
    free: str
    tone: str
    about: str
    price: str
    far: str


class OutletRow(Struct, frozen=True, kw_only=True):
    """An outlet of a place."""

    href: str
    label: str
    station_id: str
    about: str
    price: str
    look: Look


@get("/")
async def map_page(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """Places that anybody may come to, filtered by what stands in the address."""
    view = view_of(request)
    wanted = _wanted(view.query)
    found = finding.find(await request.app.state.places.sites(), wanted, clock.now())
    n_shown = min(PAGE * _pages(view.query["more"]), len(found))
    who = visitor_of(request)
    async with pool.acquire() as conn:
        rows = await _rows(conn, found[:n_shown], who)
    is_plain = who is None
    return drawn(
        request,
        "map.html",
        is_public=is_plain,
        headers=for_all(request, KEPT_S) if is_plain else None,
        wanted=wanted,
        near=view.query["near"] if wanted.near else "",
        rows=rows,
        n_found=len(found),
        headline=_headline(found, wanted),
        drawing=finding.draw(found[:MOST_MARKED], wanted.near),
        kinds=words.KINDS,
        powers=finding.POWERS,
        more=_more(view.query, n_shown, len(found)),
    )


@get("/go")
async def to_plug(request: PageRequest, pool: PoolIn, plug: FromQuery[str] = "") -> Redirect:
    """To the plug whose number somebody typed as it stands on the sticker; of a station with one, its number is enough."""
    text = "".join(plug.split())[:60]
    if "*" not in text:
        text += "*1"
    async with pool.acquire() as conn:
        found = await queries.find_sticker(conn, *_of_sticker(text))
    if found is None:
        raise NotFound(_("There is no such plug here. Check the number on the sticker, or call for help."))
    return Redirect(path_of(*found), status_code=303)


def _of_sticker(text: str) -> tuple[str, int]:
    station_id, _star, number = text.rpartition("*")
    return station_id, int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 0


@get("/l/{location:str}")
async def place_page(request: PageRequest, pool: PoolIn, location: FromPath[str]) -> Response[Any]:
    """One place: where it is, when it is open, what it has, and its plugs."""
    location_id, who = uuid_of(location, "place"), visitor_of(request)
    async with pool.acquire() as conn:
        site = await _get(conn, location_id)
        is_ours = _is_ours(site, who)
        (prices,) = await pricing.prices_at(
            conn, [_asked(site, site.plugs, await ways.payer_of(conn, who) if is_ours else None)]
        )
        photos = await sites.list_photos(conn, site.party_id, location_id)
        followed = await watches.list_followed(conn, site.party_id, who.driver_id) if is_ours and who else []
        waiting = await watches.list_watches(conn, site.party_id, who.driver_id, clock.now()) if is_ours and who else []
    found = finding.find([site], Wanted(), clock.now())
    return drawn(
        request,
        "place.html",
        zone=site.time_zone,
        help_phone=site.help_phone,
        is_public=who is None,
        headers=for_all(request, KEPT_S) if who is None else None,
        site=site,
        rows=_outlets(site, prices),
        photo=photos[0] if photos else None,
        headline=finding.free_words(found[0]) if found else _("No plug here now"),
        tone="ok" if found and found[0].n_free else "off",
        is_open=found[0].is_open if found else None,
        opening=[words.opening(one) for one in hours.rules(site.opening, finding.zone_of(site.time_zone))],
        facilities=[word for name in site.facilities if (word := words.facility(name))],
        is_ours=is_ours,
        is_favourite=any(one.location_id == location_id for one in followed),
        watch=next((one for one in waiting if one.location_id == location_id), None),
        is_full=bool(found) and found[0].is_open is not False and not found[0].n_free,
    )


@get("/l/{location:str}/photos/{photo:str}")
async def photo(request: PageRequest, pool: PoolIn, location: FromPath[str], photo: FromPath[str]) -> Stream:
    """A photo of a public place, as it was drawn anew when it came."""
    location_id = uuid_of(location, "place")
    async with pool.acquire() as conn:
        site = await _get(conn, location_id)
        found = await sites.get_photo(conn, site.party_id, location_id, uuid_of(photo, "photo"))
    headers = {"Cache-Control": f"public, max-age={PHOTO_KEPT_S}", "Content-Length": str(found.size_bytes)}
    return Stream(request.app.state.storage.read(found.sha256), media_type="image/jpeg", headers=headers)


async def _get(conn: Connection, location_id: UUID) -> PublicSite:
    site = await queries.find_site(conn, location_id)
    if site is None:
        raise NotFound(_("There is no such place, or it is not for everybody."))
    return site


def _is_ours(site: PublicSite, who: SignedInDriver | None) -> bool:
    return who is not None and who.party_id == site.party_id


def _asked(site: PublicSite, plugs: Sequence[PublicPlug], own: PricedFor | None) -> Asked:
    """`own`: of a driver of the network that runs the place; None: without a contract."""
    return Asked(party_id=site.party_id, time_zone=site.time_zone, location_id=site.location_id, plugs=plugs, own=own)


async def _rows(conn: Connection, shown: Sequence[FoundSite], who: SignedInDriver | None) -> list[SiteRow]:
    """The list's rows, their prices read at once."""
    own = await ways.payer_of(conn, who)
    asked = [_asked(one.site, _one_of_each(one.plugs), own if _is_ours(one.site, who) else None) for one in shown]
    priced = await pricing.prices_at(conn, asked)
    return [_row(one, prices) for one, prices in zip(shown, priced, strict=True)]


def _row(found: FoundSite, prices: Sequence[PlugPrice]) -> SiteRow:
    power = _("up to %(power)s", power=words.power(found.power_w)) if found.power_w else ""
    about = ", ".join(part for part in (", ".join(found.kinds), power) if part)
    return SiteRow(
        found=found,
        free=finding.free_words(found),
        tone="ok" if found.n_free else "off",
        about=about,
        price=_price_words(prices),
        far=finding.far(found.distance_m),
    )


def _one_of_each(plugs: Sequence[PublicPlug]) -> list[PublicPlug]:
    """Plugs that may differ in price, of a place's many: one of each kind and power, at most four."""
    kinds: dict[tuple[str | None, int | None], PublicPlug] = {}
    for plug in plugs:
        kinds.setdefault((plug.standard, plug.power_w), plug)
    return list(kinds.values())[:4]


def _price_words(prices: Sequence[PlugPrice]) -> str:
    prices = [one for one in prices if one.tariff is not None]
    told = list(dict.fromkeys(_short(one) for one in prices))
    if len(told) < 2:
        return told[0] if told else ""
    units = {one.tag.unit for one in prices}
    least = min(prices, key=lambda one: one.tag.least)
    return _("from %(price)s", price=_short(least)) if len(units) == 1 or least.tag.is_free else ", ".join(told[:2])


def _short(price: PlugPrice) -> str:
    return f"{price.tag.big} {price.tag.unit}".strip()


def _outlets(site: PublicSite, prices: Sequence[PlugPrice]) -> list[OutletRow]:
    rows, seen = [], set()
    for plug, price in zip(site.plugs, prices, strict=True):
        key = (plug.station_id, plug.evse_number)
        if key in seen:
            continue
        seen.add(key)
        of = [one for one in site.plugs if (one.station_id, one.evse_number) == key]
        best = min(of, key=lambda one: one.state == "available")
        rows.append(
            OutletRow(
                href=path_of(plug.station_id, plug.evse_number),
                label=_("Plug %(label)s", label=plug.label),
                station_id=plug.station_id,
                about=_outlet_words(plug, words.kinds(one.standard for one in of)),
                price=_short(price),
                look=words.look(best.state),
            )
        )
    return rows


def _outlet_words(plug: PublicPlug, kinds: Sequence[str]) -> str:
    return ", ".join(part for part in (" / ".join(kinds), words.power(plug.power_w), plug.station_id) if part)


def _wanted(query: Any) -> Wanted:
    power = query["power"]
    return Wanted(
        text=" ".join(query["q"].split())[:100],
        kind=query["plug"] if query["plug"] in words.KINDS else "",
        power_kw=int(power) if power in {str(one) for one in finding.POWERS} else 0,
        is_free_now=query["free"] == "1",
        near=_point(query["near"]),
    )


def _point(text: str) -> Point | None:
    match = _COORDINATES.fullmatch(text)
    if match is None:
        return None
    point = Point(float(match[1]), float(match[2]))
    return point if abs(point.latitude) <= 90 and abs(point.longitude) <= 180 else None


def _pages(text: str) -> int:
    return min(max(int(text), 1), 20) if text.isascii() and text.isdigit() and len(text) < 4 else 1


def _more(query: Any, n_shown: int, n_found: int) -> str:
    if n_shown >= n_found:
        return ""
    kept = {name: query[name] for name in ("q", "plug", "power", "free", "near") if query[name]}
    return "/drive?" + urlencode({**kept, "more": n_shown // PAGE + 1})


def _headline(found: Sequence[FoundSite], wanted: Wanted) -> str:
    n_free = sum(one.n_free for one in found)
    if not found:
        return _("No place fits.") if wanted != Wanted(near=wanted.near) else _("There is no public place yet.")
    if wanted.near is not None and found[0].distance_m is not None:
        free = next((one for one in found if one.n_free), None)
        if free is not None:
            return _("The nearest free plug is %(far)s away.", far=finding.far(free.distance_m))
    return n_("%(n)s plug is free now.", "%(n)s plugs are free now.", n_free)


HANDLERS: Sequence[Any] = [map_page, to_plug, place_page, photo]
