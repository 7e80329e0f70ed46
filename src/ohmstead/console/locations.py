"""How does this site do? The list of locations, the page of each, and the form behind it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console import costs, hosts, location_form, maps
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.overview import connector_groups
from ohmstead.console.stations import trouble
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.forms import FirstFile
from ohmstead.core.language import _, n_, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.doorway import WITHIN
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.service import zone_of
from ohmstead.reports.sites import queries as reports
from ohmstead.reports.sites.queries import SitePage
from ohmstead.stations import queries
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.service import LocationChange, NewLocation
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.queries import Location
from ohmstead.stations.sites import hours, pictures, service
from ohmstead.stations.sites import queries as sites
from ohmstead.stations.sites.model import Hours, PhotoChange
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

StorageIn: TypeAlias = NamedDependency[SkipValidation[Storage]]

PAGE = 50
DAYS = 30
CHART_WIDTH, CHART_HEIGHT = 720, 96
STATIONS_SHOWN = 200


@get("/locations", opt=WITHIN)
async def locations(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list; search, chips, filters, order and page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        text = view.query.get("page", "1")
        number = min(max(int(text), 1), 10_000) if text.isascii() and text.isdigit() else 1
        found = await _found(request, conn, actor, view, (number - 1) * PAGE)
    return page(
        request,
        "console/locations.html",
        found=found,
        show=_show(view),
        sort=_sort(view),
        is_descending=view.query.get("order") == "desc",
        number=number,
        first=(number - 1) * PAGE + 1,
        n_pages=max(1, -(-found.n_found // PAGE)),
        is_open=is_open,
        words=location_form,
    )


async def _found(request: PageRequest, conn: Connection, actor: Actor, view: View, offset: int) -> SitePage:
    zone = zone_of(str(request.scope["state"]["party_zone"]))
    now = clock.now()
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    access, facility = view.query.get("access"), view.query.get("facility")
    return await reports.list_sites(
        conn,
        actor.scope,
        chip=_show(view),
        text=view.query.get("q", "").strip()[:100],
        access=access if access in location_form.ACCESS else None,
        facility=facility if facility in location_form.FACILITIES else None,
        sort=_sort(view),
        is_descending=view.query.get("order") == "desc",
        today=midnight,
        month=now - timedelta(days=DAYS),
        limit=PAGE,
        offset=offset,
    )


def _show(view: View) -> str:
    show = view.query.get("show", "all")
    return show if show in reports.SITE_CHIPS else "all"


def _sort(view: View) -> str:
    sort = view.query.get("sort", "name")
    return sort if sort in reports.SITE_ORDERS else "name"


def is_open(row: dict[str, Any]) -> bool | None:
    """Whether a row of the list is open now; None when its hours are not known."""
    opening = msgspec.convert(row["opening"], Hours | None)
    return hours.is_open(opening, clock.now(), ZoneInfo(row["time_zone"]))


# -------------------------------------------------------------------------------------------------------- one site


@get("/locations/{location_id:str}")
async def location(request: PageRequest, pool: PoolIn, actor: ActorIn, location_id: FromPath[str]) -> Response[str]:
    """One location: its stations now, what it delivered, its power tree, and what drivers want to know."""
    return await _site_page(request, pool, actor, uuid_of(location_id, "location"))


async def _site_page(
    request: PageRequest, pool: Any, actor: Actor, location_id: UUID, error: str | None = None
) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await queries.get_location(conn, actor.party_id, location_id)
        zone = ZoneInfo(found.time_zone)
        today = clock.now().astimezone(zone).date()
        since = clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        days = await reports.site_days(
            conn, actor.party_id, location_id, since - timedelta(days=DAYS - 1), found.time_zone
        )
        stations = await pages.list_stations(conn, actor.scope, location_id=location_id, limit=STATIONS_SHOWN)
        now = await reports.site_now(conn, actor.party_id, location_id)
        tree = await service.get_tree(conn, actor.party_id, location_id)
        photos = await sites.list_photos(conn, actor.party_id, location_id)
        site = await reports.one_site(conn, actor.party_id, location_id)
        connectors = await pages.list_connectors(conn, actor.party_id, [row.station_id for row in stations.rows])
        priced = await costs.prices_here(conn, actor, connectors, location_id, found.time_zone, names_station=True)
        hosted, host_names = await hosts.hosts_of(conn, actor, location_id, today)
    of_today = next((row for row in days if row["day"] == today), None)
    return page(
        request,
        "console/location.html",
        status=422 if error else 200,
        location=found,
        stations=stations,
        groups=connector_groups(now.states),
        now=now,
        tree=tree,
        photos=photos,
        map=maps.drawn([site]) if site else None,
        rules=[location_form.told_hours(rule) for rule in hours.rules(found.opening, zone)],
        open_now=hours.is_open(found.opening, clock.now(), zone),
        n_today=of_today["n"] if of_today else 0,
        today_wh=of_today["energy_wh"] if of_today else 0,
        n_month=sum(row["n"] for row in days),
        month_wh=sum(row["energy_wh"] for row in days),
        bars=_bars({row["day"]: (row["n"], float(row["energy_wh"])) for row in days}, today),
        trouble=trouble,
        words=location_form,
        priced=priced,
        hosted=hosted,
        host_names=host_names,
        prices=prices,
        error=error,
    )


def _bars(days: dict[date, tuple[int, float]], today: date) -> dict[str, Any]:
    """Energy by day as bars of a drawing, the zero baseline at the bottom."""
    most = max((energy for _n, energy in days.values()), default=0.0)
    step = CHART_WIDTH / DAYS
    bars = []
    for n in range(DAYS):
        day = today - timedelta(days=DAYS - 1 - n)
        n_sessions, energy = days.get(day, (0, 0.0))
        height = round(energy / most * CHART_HEIGHT, 1) if most else 0
        words = _(
            "%(day)s: %(energy)s, %(sessions)s",
            day=figures.clock(datetime.combine(day, time(), UTC), UTC, "day"),
            energy=" ".join(figures.energy(energy)),
            sessions=n_("%(n)s session", "%(n)s sessions", n_sessions),
        )
        bars.append({"x": round(n * step, 1), "height": height, "title": words})
    return {
        "bars": bars,
        "width": round(step - 3, 1),
        "most": most,
        "first": figures.date(today - timedelta(days=DAYS - 1), with_year=False),
        "last": figures.date(today, with_year=False),
    }


# -------------------------------------------------------------------------------------------------------- the form


@get("/locations/new")
async def new_location(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
    given = {"time_zone": str(request.scope["state"]["party_zone"])} | location_form.BEGINNING
    return _form(request, given, {})


@post("/locations/new", status_code=200)
async def add_location(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create a location."""
    allow(actor, "stations:write")
    given = await location_form.fields(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        try:
            wanted = msgspec.convert(location_form.values(given), NewLocation)
            async with conn.transaction():
                made = await directory.create_location(conn, actor, wanted)
        except (Invalid, msgspec.ValidationError) as error:
            return _form(request, given, _errors(error))
    await bus.publish(NUDGE, {})
    return Redirect(f"/locations/{made.location_id}", status_code=303)


@get("/locations/{location_id:str}/edit")
async def edit_location(
    request: PageRequest, pool: PoolIn, actor: ActorIn, location_id: FromPath[str]
) -> Response[str]:
    """The form of a location that is there."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        found = await queries.get_location(conn, actor.party_id, uuid_of(location_id, "location"))
    return _form(request, location_form.shown(found), {}, found)


@post("/locations/{location_id:str}/edit", status_code=200)
async def change_location(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, location_id: FromPath[str]
) -> Response[Any]:
    """Change a location. When somebody else did meanwhile, both versions are shown, and nothing typed is lost."""
    allow(actor, "stations:write")
    given = await location_form.fields(request)
    known = uuid_of(location_id, "location")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        found = await queries.get_location(conn, actor.party_id, known)
        version = given.get("version", "")
        try:
            change = msgspec.convert(location_form.values(given), LocationChange)
            async with conn.transaction():
                expected = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
                await directory.change_location(conn, actor, known, change, expected)
        except Conflict:
            # The next attempt is against what is shown now.
            theirs = location_form.differences(location_form.shown(found), given)
            return _form(request, given | {"version": str(found.version)}, {}, found, theirs)
        except (Invalid, msgspec.ValidationError) as error:
            return _form(request, given, _errors(error), found)
    await bus.publish(NUDGE, {})
    return Redirect(f"/locations/{known}", status_code=303)


@post("/locations/{location_id:str}/delete", status_code=200)
async def delete_location(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, storage: StorageIn, location_id: FromPath[str]
) -> Response[Any]:
    """Delete a location that no station in service is at."""
    allow(actor, "stations:write")
    known = uuid_of(location_id, "location")
    try:
        async with pool.acquire() as conn, conn.transaction():
            photos = await sites.list_photos(conn, actor.party_id, known)
            await directory.delete_location(conn, actor, known)
    except Refused as refused:
        return await _site_page(request, pool, actor, known, told(refused))
    await service.drop_contents(pool, storage, [photo.sha256 for photo in photos])
    await bus.publish(NUDGE, {})
    return Redirect("/locations", status_code=303)


def _form(
    request: PageRequest,
    given: dict[str, str],
    errors: dict[str, str],
    found: Location | None = None,
    theirs: list[tuple[str, str, str]] | None = None,
) -> Response[str]:
    return page(
        request,
        "console/location_form.html",
        status=422 if errors else 409 if theirs is not None else 200,
        given=location_form.EMPTY | given,
        errors=errors,
        found=found,
        theirs=theirs,
        words=location_form,
        zones=sorted(available_timezones()),
    )


def _errors(error: Invalid | msgspec.ValidationError) -> dict[str, str]:
    if isinstance(error, Invalid):
        return {error.field.partition(".")[0] or "name": told(error)}
    field, text = fault_of(error)
    return {field.partition(".")[0].partition("[")[0] or "name": in_words(text)}


# ---------------------------------------------------------------------------------------------------------- photos


@post("/locations/{location_id:str}/photos", status_code=200, request_max_body_size=pictures.MOST_BYTES + 65_536)
async def add_photo(
    request: PageRequest, pool: PoolIn, actor: ActorIn, storage: StorageIn, location_id: FromPath[str]
) -> Response[Any]:
    """A photo from the page's form."""
    allow(actor, "stations:write")
    known = uuid_of(location_id, "location")
    try:
        form = FirstFile(request.headers.get("content-type", ""), request.stream())
        data = b"".join([piece async for piece in form.pieces()])
        await service.add_photo(pool, storage, actor, known, data)
    except (Invalid, Refused) as refused:
        return await _site_page(request, pool, actor, known, told(refused))
    return Redirect(f"/locations/{known}#photos", status_code=303)


@get("/locations/{location_id:str}/photos/{photo_id:str}")
async def photo(
    pool: PoolIn, actor: ActorIn, storage: StorageIn, location_id: FromPath[str], photo_id: FromPath[str]
) -> Response[bytes]:
    """The picture itself; it never changes under its address."""
    allow(actor, "stations:read")
    async with pool.acquire() as conn:
        found = await sites.get_photo(
            conn, actor.party_id, uuid_of(location_id, "location"), uuid_of(photo_id, "photo")
        )
    data = b"".join([piece async for piece in storage.read(found.sha256)])
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400, immutable"})


@post("/locations/{location_id:str}/photos/{photo_id:str}")
async def change_photo(
    request: PageRequest,
    pool: PoolIn,
    actor: ActorIn,
    storage: StorageIn,
    location_id: FromPath[str],
    photo_id: FromPath[str],
) -> Redirect:
    """Say what it shows, move it, or delete it."""
    allow(actor, "stations:write")
    known, picture = uuid_of(location_id, "location"), uuid_of(photo_id, "photo")
    given = await location_form.fields(request)
    if given.get("do") == "delete":
        await service.delete_photo(pool, storage, actor, known, picture)
    else:
        async with pool.acquire() as conn, conn.transaction():
            position = (await sites.get_photo(conn, actor.party_id, known, picture)).position
            earlier = max(1, position - 1) if given.get("do") == "earlier" else None
            change = PhotoChange(alt=given.get("alt", "")[:300], position=earlier)
            await service.change_photo(conn, actor, known, picture, change)
    return Redirect(f"/locations/{known}#photos", status_code=303)


HANDLERS = [
    locations,
    new_location,
    add_location,
    location,
    edit_location,
    change_location,
    delete_location,
    add_photo,
    photo,
    change_photo,
]
