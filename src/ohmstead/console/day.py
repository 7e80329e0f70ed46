"""What happened here on that day? A station's states, sessions, messages and issues on one axis, to be zoomed into."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Response, get
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.console import timeline
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.console.messages import moment
from ohmstead.core import clock, language
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.language import N_, _, n_
from ohmstead.reports.pages import queries
from ohmstead.reports.service import zone_of
from ohmstead.reports.wire import day as days
from ohmstead.reports.wire.day import Day, Issue, Traffic
from ohmstead.ui import charts, figures, states
from ohmstead.ui.templating import View, page

BARS_HEIGHT, MARKS_HEIGHT = 44.0, 22.0
DAY = timedelta(days=1)
COLUMNS = ("what", "from", "to", "evse", "connector", "text", "energy_wh", "messages", "failed", "session_id")
LOOKS = {
    "fault": ("failed", N_("Fault")),
    "disconnected": ("off", N_("Unreachable")),
    "session": ("attention", N_("Session")),
    "security": ("attention", N_("Security")),
    "order": ("attention", N_("Order")),
}


class Bar(Struct, frozen=True, kw_only=True):
    """Messages of one stretch; `red` is the part of the height that failed. `path` leads to them."""

    x: float
    width: float
    y: float
    height: float
    red: float
    title: str
    path: str


class Mark(Struct, frozen=True, kw_only=True):
    """An issue on the axis."""

    x: float
    tone: str
    title: str
    path: str


class Lanes(Struct, frozen=True, kw_only=True):
    """What is drawn below the power: bars of messages, then marks of issues."""

    bars: list[Bar]
    marks: list[Mark]
    top: float
    base: float
    marks_at: float
    height: float
    most: int


@get("/stations/{station_id:str}/day")
async def day(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """The day in the location's zone, or the span that the address names by `from` and `to`."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        station = await _station(conn, actor, station_id)
        zone = zone_of(station["time_zone"])
        since, until, is_whole = span_of(view, zone)
        found = await days.read(conn, actor.scope, station_id, since, until, with_messages=view.may("messages:read"))
        connectors = await queries.list_connectors(conn, actor.party_id, [station_id])
    drawn = timeline.drawn(
        connectors,
        found.statuses,
        found.connections,
        found.sessions,
        found.samples,
        now=clock.now(),
        zone=station["time_zone"],
        is_online=station["state"] == "online",
        span=(since, until),
    )
    base = f"/stations/{quote(station_id, safe='')}"
    local = since.astimezone(zone)
    return page(
        request,
        "console/day.html",
        station=station,
        day=found,
        timeline=drawn,
        lanes=lanes(found, drawn, base),
        heading=heading(found, drawn),
        on=local.date(),
        is_whole=is_whole,
        is_going_on=since <= clock.now() < until,
        before=(local - DAY).date(),
        after=(local + DAY).date() if local + DAY <= clock.now() else None,
        zooms=zooms(since, until, base),
        step=figures.span(timedelta(seconds=days.step_of(until - since))),
        looks=LOOKS,
        issue_path=path_of,
        base=base,
    )


@get("/stations/{station_id:str}/day.csv")
async def day_csv(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[bytes]:
    """The same as a table: states, sessions, messages and issues by time."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        station = await _station(conn, actor, station_id)
        since, until, _is_whole = span_of(view, zone_of(station["time_zone"]))
        # A table is for programs, and in English whoever asks.
        with language.speaking(language.ENGLISH):
            found = await days.read(
                conn, actor.scope, station_id, since, until, with_messages=view.may("messages:read")
            )
    rows = sorted(_rows(found), key=lambda row: row[1])
    return csv_response(f"day-{since:%Y-%m-%d}", COLUMNS, rows)


async def _station(conn: Connection, actor: Actor, station_id: str) -> Any:
    station = await queries.find_station(conn, actor.party_id, station_id)
    if station is None:
        raise NotFound(f"no station {station_id}")
    return station


def span_of(view: View, zone: Any) -> tuple[datetime, datetime, bool]:
    """(from, to, whether it is a whole day), on the wall of `zone`. What makes no sense in the address is today."""
    since, until = moment(view.query["from"], zone), moment(view.query["to"], zone)
    if since is not None and until is not None and days.SHORTEST <= until - since <= days.LONGEST:
        return since, until, False
    begin = moment(f"{view.query['on'][:10]}T00:00", zone) or view.now.astimezone(zone)
    begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    # On the wall: a day of a change of summer time has 23 or 25 hours.
    return begin, (begin.replace(tzinfo=None) + DAY).replace(tzinfo=zone), True


def zooms(since: datetime, until: datetime, base: str) -> dict[str, str]:
    """Addresses of nearer, farther, earlier and later."""
    span = until - since
    middle = since + span / 2
    wanted = {
        "in": (middle - span / 4, middle + span / 4),
        "out": (middle - span, middle + span),
        "earlier": (since - span / 2, until - span / 2),
        "later": (since + span / 2, until + span / 2),
    }
    return {
        name: f"{base}/day?{urlencode({'from': _second(a), 'to': _second(b)})}"
        for name, (a, b) in wanted.items()
        if days.SHORTEST <= b - a <= days.LONGEST
    }


def _second(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()


def heading(day: Day, drawn: timeline.Timeline) -> tuple[str, str]:
    """What was wrong, in red, and what went on."""
    bad = n_("%(n)s issue", "%(n)s issues", len(day.issues)) if day.issues else ""
    n = sum(one.n for one in day.traffic)
    pieces = [
        n_(
            "%(n)s session with %(energy)s",
            "%(n)s sessions with %(energy)s",
            drawn.n_sessions,
            energy=" ".join(figures.energy(drawn.energy_wh)),
        )
        if drawn.n_sessions
        else _("no session"),
        n_("%(n)s message", "%(n)s messages", n) if n else "",
    ]
    text = ", ".join(piece for piece in pieces if piece)
    return (f"{bad}." if bad else ""), f"{text[:1].upper()}{text[1:]}."


def lanes(day: Day, drawn: timeline.Timeline, base: str) -> Lanes:
    """Bars and marks below the drawing."""
    across = charts.Axis(day.since.timestamp(), day.until.timestamp(), timeline.LEFT, timeline.RIGHT)
    top = drawn.power_base + 34
    floor = top + BARS_HEIGHT
    most = max((one.n for one in day.traffic), default=0)
    up = charts.Axis(0, max(most, 1), floor, top)
    return Lanes(
        bars=[_bar(one, across, up, floor, base) for one in day.traffic],
        marks=[_mark(issue, across, base) for issue in day.issues if day.since <= issue.at < day.until],
        top=top,
        base=floor,
        marks_at=floor + 12,
        height=floor + 12 + MARKS_HEIGHT + 22,
        most=most,
    )


def _bar(one: Traffic, across: charts.Axis, up: charts.Axis, floor: float, base: str) -> Bar:
    x, end = across.place(one.at.timestamp()), across.place(one.until.timestamp())
    y = up.place(one.n)
    pieces = [
        n_("%(n)s message", "%(n)s messages", one.n),
        _("%(n)s failed or slow", n=one.n_failed) if one.n_failed else "",
        _("slowest %(latency)s", latency=figures.latency(one.slowest_us)) if one.slowest_us else "",
    ]
    return Bar(
        x=x,
        width=round(max(end - x - 0.6, 0.8), 1),
        y=y,
        height=round(max(floor - y, 1.0), 1),
        red=round(floor - up.place(one.n_failed), 1),
        title=", ".join(piece for piece in pieces if piece),
        path=f"{base}/log?{urlencode({'from': one.at.isoformat(), 'to': one.until.isoformat()})}",
    )


def path_of(issue: Issue, base: str) -> str:
    """Where an issue leads: its session, or the messages around it."""
    if issue.session_id is not None:
        return f"/sessions/{issue.session_id}"
    around = {
        "from": (issue.at - timedelta(minutes=1)).isoformat(),
        "to": (issue.at + timedelta(minutes=1)).isoformat(),
    }
    return f"{base}/log?{urlencode(around)}"


def _mark(issue: Issue, across: charts.Axis, base: str) -> Mark:
    tone, word = LOOKS[issue.kind]
    title = (
        _("%(what)s at %(evse)s: %(text)s", what=_(word), evse=issue.evse_number, text=issue.text)
        if issue.evse_number
        else f"{_(word)}: {issue.text}"
    )
    return Mark(x=across.place(issue.at.timestamp()), tone=tone, title=title, path=path_of(issue, base))


def _rows(day: Day) -> Iterator[tuple[Any, ...]]:
    for row in day.statuses:
        at = max(row["at"], day.since)
        words = states.connector(row["status"]).word
        code = f" ({row['error_code']})" if row["error_code"] not in (None, "", "NoError") else ""
        yield "state", at, None, row["evse_number"], row["connector_number"], words + code, None, None, None, None
    for row in day.connections:
        text = "connected" if row["is_connected"] else f"connection lost {row['reason']}".strip()
        yield "connection", max(row["at"], day.since), None, None, None, text, None, None, None, None
    for row in day.sessions:
        yield (
            "session", row["started_at"], row["ended_at"], row["evse_number"], row["connector_number"], row["status"],
            row["energy_wh"], None, None, row["session_id"],
        )  # fmt: skip
    for one in day.traffic:
        yield "messages", one.at, one.until, None, None, None, None, one.n, one.n_failed, None
    for issue in day.issues:
        yield issue.kind, issue.at, None, issue.evse_number, None, issue.text, None, None, None, issue.session_id


HANDLERS = [day, day_csv]
