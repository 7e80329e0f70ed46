"""What goes on, and what was? A driver's first page, and their history with what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound, Refused
from ohmstead.core.language import _, month, n_, told, weekday
from ohmstead.driver import finding, ways
from ohmstead.driver.frame import (
    PageRequest,
    PoolIn,
    SettingsIn,
    drawn,
    driver_of,
    form_of,
    secret_of,
    uuid_of,
    visitor_of,
)
from ohmstead.driver.story import costs_now
from ohmstead.drivers import passes
from ohmstead.drivers.garage import queries as garage
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.notifications import queries as notices
from ohmstead.notifications import service as notifications
from ohmstead.reports.driving import queries
from ohmstead.reports.driving.model import Charge, Habits, HistoryRow, MonthSum
from ohmstead.reports.plugs import queries as plugs
from ohmstead.ui import figures
from ohmstead.ui.pricetags import money

PAGE = 30
MONTHS = 12
_HABITS_SINCE = timedelta(days=365)


class Running(Struct, frozen=True, kw_only=True):
    """A charge that goes on, in a line."""

    href: str
    charge: Charge
    cost: str


class Favourite(Struct, frozen=True, kw_only=True):
    """A favourite place, and whether one may charge there."""

    href: str
    name: str
    about: str
    tone: str


@get("/start")
async def start(request: PageRequest) -> Redirect:
    """Where the installed app opens: what charges, or for who has no account the map."""
    return Redirect("/drive/home" if visitor_of(request) is not None else "/drive", status_code=303)


@get("/home")
async def home(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """What charges now, where one charges often, and what there is to spend."""
    who = driver_of(request)
    async with pool.acquire() as conn:
        running = await _running(conn, request, who)
        followed = await notices.list_followed(conn, who.party_id, who.driver_id)
        waits = await notices.list_watches(conn, who.party_id, who.driver_id, clock.now())
        latest = await queries.list_history(conn, who.party_id, who.driver_id, limit=3 + len(running))
        purse = await ways.purse_of(conn, who)
    goes_on = {one.href for one in running}
    known = {site.location_id: site for site in await request.app.state.places.sites()}
    favourites = []
    for one in followed:
        site = known.get(one.location_id) if one.location_id is not None else None
        found = finding.find([site], finding.Wanted(), clock.now()) if site is not None else []
        if not found:
            continue
        favourites.append(
            Favourite(
                href=f"/drive/l/{one.location_id}",
                name=one.name,
                about=finding.free_words(found[0]),
                tone="ok" if found[0].n_free else "off",
            )
        )
    return drawn(
        request,
        "home.html",
        running=running,
        favourites=favourites,
        n_waits=len(waits),
        last=[row for one in latest if (row := _row(request, one)).href not in goes_on][:3],
        purse=purse,
        headline=_headline(running),
    )


async def _running(conn: Connection, request: PageRequest, who: SignedInDriver) -> list[Running]:
    found = await queries.list_open(conn, who.party_id, who.driver_id)
    costs = await costs_now(conn, who.party_id, [one.session_id for one in found])
    return [
        Running(
            href=passes.path_of(secret_of(request), "session", one.session_id),
            charge=one,
            cost=costs.get(one.session_id, ""),
        )
        for one in found
    ]


def _headline(running: Sequence[Running]) -> str:
    if not running:
        return _("Nothing is charging.")
    energy = " ".join(figures.energy(sum((one.charge.energy_wh for one in running), Decimal(0))))
    return n_("%(n)s car is charging, %(energy)s.", "%(n)s cars are charging, %(energy)s.", len(running), energy=energy)


# ----------------------------------------------------------------------------------------------------------- history


class Row(Struct, frozen=True, kw_only=True):
    """A charge in the list."""

    href: str
    place: str
    at: str
    energy: str
    cost: str


class Bar(Struct, frozen=True, kw_only=True):
    """A bar of a small chart: where, how high, what it says."""

    x: float
    y: float
    height: float
    label: str
    title: str


@get("/history")
async def history(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """All charges, the latest first; what this month came to, and habits."""
    who, now = driver_of(request), clock.now()
    async with pool.acquire() as conn:
        zone = await plugs.zone_of_party(conn, who.party_id)
        before = _cursor(str(request.query_params.get("before", "")))
        rows = await queries.list_history(conn, who.party_id, who.driver_id, before=before, limit=PAGE + 1)
        first = (now - timedelta(days=31 * (MONTHS - 1))).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        months = await queries.list_months(conn, who.party_id, who.driver_id, first, zone)
        habits = await queries.find_habits(conn, who.party_id, who.driver_id, now - _HABITS_SINCE, zone)
        cars = await garage.list_cars(conn, who.party_id, who.driver_id)
    this = _month_of(months, now.astimezone(finding.zone_of(zone)).strftime("%Y-%m"))
    car = next((one for one in cars if one.wh_per_km), None)
    shown = rows[:PAGE]
    return drawn(
        request,
        "history.html",
        zone=zone,
        rows=[_row(request, one) for one in shown],
        more=f"{shown[-1].started_at.isoformat()}_{shown[-1].session_id}" if len(rows) > PAGE else "",
        is_first=before is None,
        this=this,
        facts=_facts(this, months, car, settings.carbon_g_per_kwh),
        months=_month_bars(months),
        hours=_hour_bars(habits),
        days=_day_bars(habits),
        headline=_month_headline(this),
    )


def _row(request: PageRequest, one: HistoryRow) -> Row:
    zone = finding.zone_of(one.time_zone)
    return Row(
        href=passes.path_of(secret_of(request), "session", one.session_id),
        place=one.location_name or one.station_id,
        at=figures.clock(one.started_at, zone, "short", clock.now()),
        energy=" ".join(figures.energy(one.energy_wh)),
        cost=money(one.total, one.currency) if one.total is not None and one.currency else "",
    )


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    at, _sign, known = text.replace(" ", "+").partition("_")
    try:
        instant = datetime.fromisoformat(at)
        return (instant.astimezone(UTC), UUID(known)) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _month_of(months: Sequence[MonthSum], name: str) -> MonthSum:
    found = next((one for one in months if one.month == name), None)
    return found or MonthSum(month=name, n=0, energy_wh=Decimal(0), billed_wh=Decimal(0), costs={})


def _month_headline(this: MonthSum) -> str:
    name = month(int(this.month[5:]), is_long=True)
    if not this.n:
        return _("Nothing charged in %(month)s yet.", month=name)
    energy = " ".join(figures.energy(this.energy_wh))
    costs = ", ".join(money(amount, currency) for currency, amount in this.costs.items())
    if not costs:
        return _("%(energy)s in %(month)s.", energy=energy, month=name)
    return _("%(energy)s for %(costs)s in %(month)s.", energy=energy, costs=costs, month=name)


def _facts(this: MonthSum, months: Sequence[MonthSum], car: Any, carbon_g_per_kwh: int | None) -> list[tuple[str, str]]:
    """What it comes to; only what can be reckoned."""
    found = []
    # Of what is not billed yet nobody knows what it cost.
    kwh, billed_kwh = this.energy_wh / 1000, this.billed_wh / 1000
    if this.n and billed_kwh and len(this.costs) == 1:
        ((currency, cost),) = this.costs.items()
        found.append((_("A kWh cost"), money(cost / billed_kwh, currency)))
        if car is not None and car.wh_per_km:
            per_100 = cost / billed_kwh * car.wh_per_km / 10
            found.append((_("100 km with %(car)s", car=car.name), money(per_100, currency)))
    if carbon_g_per_kwh is not None and kwh:
        grams = kwh * carbon_g_per_kwh
        found.append((_("CO₂ of the electricity"), f"{figures.number(grams / 1000, 1)} kg"))
    total = sum((one.energy_wh for one in months), Decimal(0))
    if total:
        found.append((_("In twelve months"), " ".join(figures.energy(total))))
    return found


def _bars(values: Sequence[tuple[str, str, float]], width: float, height: float = 60.0) -> list[Bar]:
    most = max((value for _label, _title, value in values), default=0.0) or 1.0
    step = width / max(len(values), 1)
    return [
        Bar(
            x=round(n * step + step * 0.15, 1),
            y=round(height - value / most * height, 1),
            height=round(value / most * height, 1),
            label=label,
            title=title,
        )
        for n, (label, title, value) in enumerate(values)
    ]


def _month_bars(months: Sequence[MonthSum]) -> list[Bar]:
    values = []
    for one in months:
        name = month(int(one.month[5:]))
        energy = " ".join(figures.energy(one.energy_wh))
        values.append((name, f"{name}: {energy}", float(one.energy_wh)))
    return _bars(values, 350.0)


def _hour_bars(habits: Habits) -> list[Bar]:
    values = [
        (f"{hour:02d}" if hour % 6 == 0 else "", _("%(hour)s:00, %(n)s times", hour=f"{hour:02d}", n=n), float(n))
        for hour, n in enumerate(habits.hours)
    ]
    return _bars(values, 350.0) if any(habits.hours) else []


def _day_bars(habits: Habits) -> list[Bar]:
    values = [
        (weekday(n), f"{weekday(n, is_long=True)}: {count}", float(count)) for n, count in enumerate(habits.weekdays)
    ]
    return _bars(values, 350.0) if any(habits.weekdays) else []


# ------------------------------------------------------------------------------------------------- favourites, watches


@post("/l/{location:str}/favourite", status_code=200)
async def favourite(request: PageRequest, pool: PoolIn, location: FromPath[str]) -> Response[Any]:
    """A favourite place, or no more."""
    who, location_id, given = driver_of(request), uuid_of(location, "place"), await form_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await _ours(conn, who, location_id)
        if given.get("on") == "1":
            await notifications.follow_place(conn, who.party_id, who.driver_id, location_id=location_id)
        else:
            await notifications.unfollow_place(conn, who.party_id, who.driver_id, location_id=location_id)
    return Redirect(f"/drive/l/{location_id}", status_code=303)


@post("/l/{location:str}/watch", status_code=200)
async def watch(request: PageRequest, pool: PoolIn, location: FromPath[str]) -> Response[Any]:
    """Tell me when a plug is free; or rather not."""
    who, location_id, given = driver_of(request), uuid_of(location, "place"), await form_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await _ours(conn, who, location_id)
        if given.get("on") == "1":
            try:
                await notifications.watch_plug(conn, who.party_id, who.driver_id, location_id=location_id)
            except Refused as refused:
                if refused.detail.get("code") != "free":
                    raise Refused(told(refused)) from refused
        else:
            for one in await notices.list_watches(conn, who.party_id, who.driver_id, clock.now()):
                if one.location_id == location_id:
                    await notifications.unwatch_plug(conn, who.party_id, who.driver_id, one.watch_id)
    return Redirect(f"/drive/l/{location_id}", status_code=303)


async def _ours(conn: Connection, who: SignedInDriver, location_id: UUID) -> None:
    """Raises NotFound for places of other networks, and those that are not for everybody."""
    site = await plugs.find_site(conn, location_id)
    if site is None or site.party_id != who.party_id:
        raise NotFound(_("There is no such place, or it is not for everybody."))


HANDLERS: Sequence[Any] = [start, home, history, favourite, watch]
