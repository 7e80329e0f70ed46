"""What is this one doing, and why? A station on one screen, and the parts of it that are fetched anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from ohmstead.accounts.access import Actor
from ohmstead.console import command_panel, costs, timeline
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.console.messages import FIRST, kept, log_lines, next_page
from ohmstead.core import clock
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.core.language import _, n_
from ohmstead.reports.concerns import FAULTS
from ohmstead.reports.model import ConnectorNow
from ohmstead.reports.pages import queries
from ohmstead.reports.wire import queries as wire
from ohmstead.sessions.pricing.queries import running_costs
from ohmstead.ui import charts, figures, prices, states
from ohmstead.ui.templating import View, page

DAY = timedelta(hours=24)
SPARK_FOR = timedelta(hours=12)
OLD_READING = timedelta(minutes=5)


@get("/stations/{station_id:str}")
async def station(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """The station's page."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        context = await now_of(conn, actor, station_id)
        before, after = await queries.neighbours(conn, actor.scope, station_id)
        context |= await _timeline(conn, actor, context)
        context |= await _log(conn, actor, station_id, view)
        if view.may("commands:send"):
            context |= await command_panel.panel(conn, actor, context, view, view.query)
        context["n_variables"] = await queries.count_variables(conn, actor.party_id, station_id)
        context["locations"] = (
            await queries.list_locations(conn, actor.scope) if context["station"]["state"] == "pending" else []
        )
        row = context["station"]
        priced = await costs.prices_here(
            conn, actor, context["connectors"], row["location_id"], row["time_zone"], names_station=False
        )
    return page(request, "console/station.html", **context, before=before, after=after, priced=priced)


@get("/stations/{station_id:str}/now")
async def station_now(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """Its heading and its connectors."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        context = await now_of(conn, actor, station_id)
        before, after = await queries.neighbours(conn, actor.scope, station_id)
    return page(request, "station/now.html", **context, before=before, after=after)


@get("/stations/{station_id:str}/timeline")
async def station_timeline(
    request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[str]:
    """Its last 24 hours."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        context = await now_of(conn, actor, station_id)
        context |= await _timeline(conn, actor, context)
    return page(request, "station/timeline.html", **context)


# ----------------------------------------------------------------------------------------------------------- parts


async def _station(conn: Connection, actor: Actor, station_id: str) -> Row:
    found = await queries.find_station(conn, actor.party_id, station_id)
    if found is None:
        raise NotFound(f"no station {station_id}")
    return found


async def now_of(conn: Connection, actor: Actor, station_id: str) -> dict[str, Any]:
    """A station and its connectors as they are, with what their drawing needs. Raises NotFound."""
    found = await _station(conn, actor, station_id)
    connectors = await queries.list_connectors(conn, actor.party_id, [station_id])
    open_ids = [c.session_id for c in connectors if c.session_id is not None]
    now = clock.now()
    samples = await queries.power_samples(conn, actor.party_id, open_ids, now - SPARK_FOR) if open_ids else []
    powers = timeline.powers(samples)
    sparks = {
        session_id: charts.spark([(at.timestamp(), w) for at, w in points], 148, 36)
        for session_id, points in powers.items()
    }
    return {
        "station": found,
        "connectors": connectors,
        "sparks": sparks,
        "headline": headline(found, connectors),
        "running": await running_costs(conn, actor.party_id, open_ids) if open_ids else {},
        "amount": prices.amount,
        "etas": {c.session_id: eta(c) for c in connectors if c.session_id},
        "plug_name": timeline.plug_name,
        "FAULTS": FAULTS,
        "is_old": lambda at: at is not None and now - at > OLD_READING,
    }


def headline(station: Any, connectors: Sequence[ConnectorNow]) -> tuple[str, str]:
    """The answer in two pieces: what it does, and what is wrong with it (in red)."""
    if station["retired_at"] is not None:
        return _("Retired: out of service for good."), ""
    if station["state"] == "pending":
        return _("Waits for you to adopt it."), ""
    if station["state"] == "rejected":
        return _("Rejected: it is turned away."), ""
    if station["state"] == "never":
        return _("Has never connected."), ""
    if station["state"] == "offline":
        return "", n_(
            "Unreachable: %(n)s connector cannot be used from here.",
            "Unreachable: %(n)s connectors cannot be used from here.",
            len(connectors),
        )
    faulted = [c.label for c in connectors if c.state == "faulted"]
    bad = ""
    if station["status"] == "faulted":
        bad = _("The station reports a fault.")
    elif faulted and len(faulted) == len(connectors):
        bad = _("Out of order.")
    elif faulted:
        bad = n_(
            "Connector %(which)s is out of order.",
            "Connector %(which)s are out of order.",
            len(faulted),
            which=_listed(faulted),
        )
    return _doing(connectors) if not (faulted and len(faulted) == len(connectors)) else "", bad


def _doing(connectors: Sequence[ConnectorNow]) -> str:
    charging = [c for c in connectors if c.state == "charging"]
    if charging:
        power = sum(float(c.power_w or 0) for c in charging)
        return n_(
            "Charging %(n)s car at %(power)s.",
            "Charging %(n)s cars at %(power)s.",
            len(charging),
            power=" ".join(figures.power(power)),
        )
    busy = [c for c in connectors if states.connector(c.state).group == "in_use"]
    if busy:
        if len(busy) == 1:
            what = figures.within(states.connector(busy[0].state).word)
            return _("Connector %(label)s: %(what)s.", label=busy[0].label, what=what)
        return _("%(n)s connectors in use, none charging.", n=len(busy))
    free = [c for c in connectors if c.state == "available"]
    if not connectors:
        return _("Online; it has not reported a connector yet.")
    if len(free) == len(connectors):
        if len(free) == 1:
            return _("Free, nothing is being charged.")
        if len(free) == 2:
            return _("Both connectors are free.")
        return _("All %(n)s connectors are free.", n=len(free))
    if free:
        return n_("%(n)s connector is free.", "%(n)s connectors are free.", len(free))
    return _("Online, out of service.") if all(c.state == "unavailable" for c in connectors) else _("Online.")


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else _("%(those)s and %(last)s", those=", ".join(labels[:-1]), last=labels[-1])


def eta(connector: ConnectorNow) -> Any:
    """When the battery reaches 80 %, at the pace of this session so far; None when that cannot be told."""
    start, soc, began = connector.soc_start_percent, connector.soc_percent, connector.session_started_at
    if start is None or soc is None or began is None or connector.power_at is None or connector.state != "charging":
        return None
    gained = float(soc - start)
    elapsed = connector.power_at - began
    if gained < 3 or soc >= 80 or elapsed < timedelta(minutes=3):
        return None
    return connector.power_at + elapsed * ((80 - float(soc)) / gained)


async def _timeline(conn: Connection, actor: Actor, context: dict[str, Any]) -> dict[str, Any]:
    station_row = context["station"]
    station_id, now = station_row["station_id"], clock.now()
    since = now - DAY
    sessions = await queries.sessions_at(conn, actor.scope, station_id, since)
    samples = await queries.power_samples(
        conn, actor.party_id, [s["session_id"] for s in sessions], since - timedelta(hours=1)
    )
    return {
        "timeline": timeline.drawn(
            context["connectors"],
            await queries.status_history(conn, actor.party_id, station_id, since),
            await queries.connection_history(conn, actor.party_id, station_id, since),
            sessions,
            samples,
            now=now,
            zone=station_row["time_zone"],
            is_online=station_row["state"] == "online",
        ),
        "day_sessions": sessions,
    }


async def _log(conn: Connection, actor: Actor, station_id: str, view: View) -> dict[str, Any]:
    if not view.may("messages:read"):
        return {"lines": None}
    since = clock.now() - DAY
    lines = await log_lines(conn, actor, station_id, view, FIRST)
    return {
        "lines": lines,
        "more": next_page(view, lines, FIRST),
        "kept": kept(view),
        "actions": await wire.message_actions(conn, actor.party_id, station_id, since),
        "latency": await wire.latencies(conn, actor.party_id, station_id, since),
    }
