"""Is the network well, right now? The first page, and the parts of it that are fetched anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.console import feed, maps
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, SettingsIn, allow, opened
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.language import _, grouped, n_, weekday
from ohmstead.doorway import WITHIN
from ohmstead.reports import concerns, queries, service
from ohmstead.reports.model import Concern, PowerPoint
from ohmstead.reports.service import Day, Overview
from ohmstead.settings import Settings
from ohmstead.ui import charts, figures, states
from ohmstead.ui.templating import View, page

FEED_LINES = 10
MOST_CONCERNS = 5
FEED_SINCE = timedelta(days=2)
LATE_READINGS = timedelta(minutes=45)
SIMULATOR_SCOPES = ("stations:read", "stations:write", "tokens:read", "tokens:write")


class Figure(Struct, frozen=True, kw_only=True):
    """One number of the strip with what it is compared to and the rows behind it."""

    name: str
    value: str
    unit: str
    path: str
    trend: str = ""
    tone: str = ""
    note: str = ""


class PowerChart(Struct, frozen=True, kw_only=True):
    """Today's power over last week's, as coordinates."""

    value_ticks: list[charts.Tick]
    time_ticks: list[charts.Tick]
    unit: str
    area: str
    line: str
    past_line: str
    past_end: tuple[float, float] | None
    now: tuple[float, float]
    now_text: str
    rows: list[tuple[Any, str, str]]


@get("/", opt=WITHIN)
async def overview(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """The overview; with no station yet, the lesson that leads to the first one."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        if actor.locations is None and not await queries.has_stations(conn, actor.scope):
            return await _lesson(request, conn, actor, settings, view)
        found = await service.overview(conn, actor.scope, _zone_name(request))
        lines = await _feed(conn, actor)
    return page(request, "console/overview.html", **_context(found), lines=lines)


@get("/parts/overview/{part:str}", opt=WITHIN)
async def overview_part(request: PageRequest, pool: PoolIn, actor: ActorIn, part: FromPath[str]) -> Response[str]:
    """One part of the page: `now`, `power` or `where`."""
    shown = part if part in ("now", "power", "where") else "now"
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await service.overview(conn, actor.scope, _zone_name(request))
    return page(request, f"overview/{shown}.html", **_context(found, shown))


@get("/parts/waiting", opt=WITHIN)
async def waiting(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """The waiting mark of the lesson; once a station is there, the whole page comes anew."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        has_stations = await queries.has_stations(conn, actor.scope)
        refusals = await queries.refused_connections(conn, actor.scope, clock.now() - timedelta(days=1))
    headers = {"HX-Refresh": "true"} if has_stations else {}
    return page(request, "overview/waiting.html", headers=headers, refusals=refusals, **lesson_words(settings))


@get("/attention", opt=WITHIN)
async def attention(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Everything that needs a look."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await service.list_concerns(conn, actor.scope)
    return page(request, "console/attention.html", concerns=found, headline=_headline(found, 0, 0))


@post("/parts/simulator", status_code=200, opt={"needs_proof": True})
async def simulator_key(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """A key for a simulator, and the command that uses it."""
    allow(actor, "admin")
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "admin")
        async with conn.transaction():
            _, secret = await accounts.create_api_key(
                conn, actor, name="Simulator", scopes=SIMULATOR_SCOPES, expires_at=view.now + timedelta(days=1)
            )
        words = lesson_words(settings)
        command = (
            f"./ohmstead simulate --url {words['gateway_url'].rstrip('/')} --api-url {settings.console_url}"
            f" --api-key {secret}"
        )
        if "hx-request" not in request.headers:
            return await _lesson(request, conn, actor, settings, view, command)
    return page(request, "overview/simulator.html", simulate_command=command, **words)


def _zone_name(request: PageRequest) -> str:
    return str(request.scope["state"]["party_zone"])


def _context(found: Overview, part: str | None = None) -> dict[str, Any]:
    """What the page draws, or one part of it: a map of hundreds of sites takes its time."""
    groups = connector_groups(found.state.connectors)
    context: dict[str, Any] = {"found": found, "groups": groups}
    if part in (None, "now"):
        context["headline"] = _headline(found.concerns, found.state.n_online, found.state.n_stations)
        context["strip"] = _strip(found, groups)
    if part in (None, "power"):
        context["chart"] = _power_chart(found)
    if part in (None, "where"):
        context["map"] = maps.drawn(found.sites, _map_height(len(found.concerns)))
    return context


def _map_height(n_concerns: int) -> float:
    """The map takes the room that the list of concerns leaves."""
    return maps.HEIGHT + 50 * max(0, MOST_CONCERNS - max(n_concerns, 2))


def connector_groups(counts: dict[str, int]) -> dict[str, int]:
    """Connectors by what people tell apart: free, charging, in use, out of order, unreachable, out of service."""
    groups = dict.fromkeys(states.GROUPS, 0)
    for state, n in counts.items():
        groups[states.connector(state).group] += n
    return groups


def _headline(found: Sequence[Concern], n_online: int, n_stations: int) -> tuple[str, str, str]:
    """The answer in three pieces: how well, what is bad (in red), and the rest."""
    n_bad = sum(1 for c in found if c.urgency == "failed")
    n_other = sum(1 for c in found if c.urgency == "attention")
    rest = n_("%(n)s thing waits for a decision.", "%(n)s things wait for a decision.", n_other) if n_other else ""
    if n_bad:
        is_mostly = n_stations == 0 or n_online >= 0.8 * n_stations
        bad = (
            n_("%(n)s problem needs a person,", "%(n)s problems need a person,", n_bad)
            if rest
            else n_("%(n)s problem needs a person.", "%(n)s problems need a person.", n_bad)
        )
        return (_("Mostly.") if is_mostly else _("No."), bad, rest)
    if n_stations == 0 and not n_other:
        return (_("Nothing needs you."), "", "")
    online = (
        n_("All %(n)s station is online.", "All %(n)s stations are online.", n_stations)
        if n_online == n_stations
        else n_(
            "%(online)s of %(n)s station is online.",
            "%(online)s of %(n)s stations are online.",
            n_stations,
            online=figures.number(n_online),
        )
    )
    rest = rest or _("Nothing needs a person.")
    return (_("Yes."), "", f"{online} {rest}" if n_stations else rest)


def _strip(found: Overview, groups: dict[str, int]) -> list[Figure]:
    state, before = found.state, found.before
    is_new = before.n_stations == 0
    power, power_unit = figures.power(state.power_w)
    energy, energy_unit = figures.energy(found.energy_today_wh)
    past_energy, past_unit = figures.energy(found.energy_yesterday_wh)
    past_energy = past_energy if past_unit == energy_unit else f"{past_energy} {past_unit}"
    local = found.at.astimezone(service.zone_of(found.time_zone))
    n_faulted = groups["faulted"]
    return [
        Figure(
            name=_("Stations online"),
            value=figures.number(state.n_online),
            unit=_("of %(n)s", n=figures.number(state.n_stations)),
            path="/stations?show=online",
            **_difference(state.n_online, before.n_online, is_new, more_is="good"),
        ),
        Figure(
            name=_("Charging now"),
            value=figures.number(groups["charging"]),
            unit=n_("of %(n)s connector", "of %(n)s connectors", state.n_connectors),
            path="/stations?show=charging",
            note=_(
                "%(used)s more in use, %(free)s free",
                used=figures.number(groups["in_use"]),
                free=figures.number(groups["free"]),
            ),
        ),
        Figure(
            name=_("Out of order"),
            value=figures.number(n_faulted),
            unit=n_("connector", "connectors", n_faulted),
            path="/stations?show=faulted",
            **_difference(n_faulted, before.n_faulted, is_new, more_is="bad"),
        ),
        Figure(
            name=_("Power now"),
            value=power,
            unit=power_unit,
            path="/sessions?show=now",
            **_power_difference(float(state.power_w), found.power_last_week_w, weekday(local.weekday(), is_long=True)),
        ),
        Figure(
            name=_("Sessions today"),
            value=figures.number(found.sessions.today),
            unit=_("by %(time)s", time=local.strftime("%H:%M")),
            path="/sessions?day=today",
            **_share(found.sessions.today, found.sessions.yesterday, figures.number(found.sessions.yesterday)),
        ),
        Figure(
            name=_("Energy today"),
            value=energy,
            unit=energy_unit,
            path="/sessions?day=today",
            **_share(found.energy_today_wh, found.energy_yesterday_wh, past_energy),
        ),
    ]


def _difference(now: int, past: int, is_new: bool, more_is: str) -> dict[str, str]:
    """More or fewer than yesterday at this time; a network that is younger compares with nothing."""
    if is_new:
        return {"note": _("the first day")}
    if now == past:
        return {"note": _("as yesterday")}
    is_more = now > past
    tone = "good" if is_more == (more_is == "good") else "bad"
    return {
        "trend": f"{'▲' if is_more else '▼'} {figures.number(abs(now - past))}",
        "tone": tone,
        "note": _("on yesterday, %(past)s", past=figures.number(past)),
    }


def _power_difference(now_w: float, past_w: float, day: str) -> dict[str, str]:
    if past_w <= 0:
        return {"note": _("no power last %(day)s", day=day)}
    gap = " ".join(figures.power(abs(now_w - past_w)))
    return {"trend": f"{'▲' if now_w >= past_w else '▼'} {gap}", "note": _("on last %(day)s", day=day)}


def _share(now: float, past: float, past_text: str) -> dict[str, str]:
    """More or less than yesterday by the same time, in percent."""
    if past <= 0:
        return {"note": _("none by then yesterday")}
    percent = (now - past) / past * 100
    sign = "▲" if percent >= 0 else "▼"
    return {
        "trend": f"{sign} {grouped(f'{abs(percent):.{0 if abs(percent) >= 10 else 1}f}')} %",
        "note": _("on yesterday, %(past)s", past=past_text),
    }


LEFT, RIGHT, TOP, BOTTOM = 40, 342, 24, 250


def _power_chart(found: Overview) -> PowerChart:
    now_w = float(found.state.power_w)
    peak = max([now_w, *(p.power_w for day in (found.today, found.last_week) for p in day.points)], default=0)
    factor, unit = (1e6, "MW") if peak >= 1e6 else (1e3, "kW")
    top, step = charts.nice_top(peak / factor, 4)
    up = charts.Axis(0, top, BOTTOM, TOP)
    across = charts.Axis(found.today.start_at.timestamp(), found.today.end_at.timestamp(), LEFT, RIGHT)
    shift_s = (found.today.start_at - found.last_week.start_at).total_seconds()
    # The step in which we are is not over; the line goes on to the power of this instant instead.
    done = [p for p in _whole(found.today) if p.at + service.STEP <= found.at]
    # Stations that report rarely have not told yet what flowed in the last steps: no dip that is none.
    while done and done[-1].power_w < now_w / 2 and found.at - done[-1].at < LATE_READINGS:
        done.pop()
    today = [(across.place((p.at + service.STEP / 2).timestamp()), up.place(p.power_w / factor)) for p in done]
    now = (across.place(found.at.timestamp()), up.place(now_w / factor))
    past = [
        (across.place((p.at + service.STEP / 2).timestamp() + shift_s), up.place(p.power_w / factor))
        for p in _whole(found.last_week)
    ]
    has_past = any(p.power_w > 0 for p in found.last_week.points)
    zone = service.zone_of(found.time_zone)
    return PowerChart(
        value_ticks=charts.value_ticks(up, step),
        time_ticks=charts.time_ticks(across, zone, 5),
        unit=unit,
        area=charts.area([*today, now], BOTTOM),
        line=charts.line([*today, now]),
        past_line=charts.line(past) if has_past else "",
        past_end=past[-1] if has_past and past else None,
        now=now,
        now_text=" ".join(figures.power(now_w)),
        rows=_hours(found.today, found.last_week, found),
    )


def _whole(day: Day) -> list[PowerPoint]:
    """The day with its quiet steps, which the database leaves out, at zero."""
    known = {p.at: p.power_w for p in day.points}
    count = round((day.end_at - day.start_at) / service.STEP)
    return [PowerPoint(at, known.get(at, 0.0)) for at in (day.start_at + service.STEP * n for n in range(count))]


def _hours(today: Day, past: Day, found: Overview) -> list[tuple[Any, str, str]]:
    """The chart's data by the hour: mean power today and a week ago."""
    rows = []
    hour = timedelta(hours=1)
    for n in range(round((today.end_at - today.start_at) / hour)):
        at = today.start_at + hour * n
        if at > found.at:
            break
        until = min(at + hour, found.at)
        span_h = max((until - at).total_seconds(), 1.0) / 3600
        now_w = (today.energy_wh(until) - today.energy_wh(at)) / span_h
        then = past.start_at + hour * n
        past_w = past.energy_wh(then + hour) - past.energy_wh(then)
        rows.append((at, " ".join(figures.power(now_w)), " ".join(figures.power(past_w))))
    return rows


async def _feed(conn: Connection, actor: Actor) -> list[Any]:
    since = clock.now() - FEED_SINCE
    return feed.of_rows(
        await queries.recent_sessions(conn, actor.scope, since, FEED_LINES),
        await queries.recent_connections(conn, actor.scope, since, FEED_LINES),
        FEED_LINES,
    )


def lesson_words(settings: Settings) -> dict[str, Any]:
    """Where stations connect, for people to type, and how to make one without hardware."""
    host = settings.console_url.split("://", 1)[1].partition("/")[0]
    host = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    scheme, port = ("wss", settings.gateway_tls_port) if settings.has_tls else ("ws", settings.gateway_port)
    return {
        "gateway_url": f"{scheme}://{host}:{port}/ocpp/",
        "console_url": settings.console_url,
        "is_tls": settings.has_tls,
        "unknown_stations": settings.unknown_stations,
        "refusal_words": concerns.refusal,
    }


async def _lesson(
    request: PageRequest, conn: Connection, actor: Actor, settings: Settings, view: View, command: str | None = None
) -> Response[str]:
    refusals = await queries.refused_connections(conn, actor.scope, clock.now() - timedelta(days=1))
    return page(request, "console/empty.html", refusals=refusals, simulate_command=command, **lesson_words(settings))
