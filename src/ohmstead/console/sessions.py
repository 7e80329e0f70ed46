"""What happened? The list of sessions, and one session from plug to plug."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.accounts.lists import service as lists
from ohmstead.console import costs, feed, money_cdrs, timeline
from ohmstead.console.exports import csv_response, table_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.language import N_, _, n_
from ohmstead.doorway import WITHIN
from ohmstead.reports.model import SessionPage
from ohmstead.reports.pages import queries
from ohmstead.reports.service import zone_of
from ohmstead.reports.usage import queries as usage_queries
from ohmstead.reports.usage.model import Subject
from ohmstead.sessions.signed import container
from ohmstead.sessions.signed import service as signed
from ohmstead.ui import charts, figures, prices, states
from ohmstead.ui.templating import View, page

PAGE = 50
EXPORTED = 20_000
MOST_SAMPLES = 5000
SHOWN_SAMPLES = 200

# What lifecycle and metering mark (sessions.metering.mark), in plain words: what happened, and what it means.
ANOMALIES = {
    "start_missing": (
        N_("The start never reached us"),
        N_("The station told of this session only later. The beginning is the first thing heard of it."),
    ),
    "stop_missing": (
        N_("The end never reached us"),
        N_(
            "The next session began here first. This one ends at the last thing heard of it; its real end counts once it comes."
        ),
    ),
    "messages_missing": (
        N_("Messages in between are missing"),
        N_(
            "The station numbers its messages, and some never came. Energy is counted from the register, so none of it is lost."
        ),
    ),
    "clock_wrong": (
        N_("The station’s clock was wrong"),
        N_("It told a time that cannot be. The time at which its message reached us is used instead."),
    ),
    "register_reset": (
        N_("The meter started again from a lower reading"),
        N_("Energy before and after the reset is added up; what flowed between the two readings is not counted."),
    ),
    "implausible_jump": (
        N_("The meter jumped"),
        N_("A reading rose faster than this outlet can deliver. The jump is not counted as energy."),
    ),
    "implausible_end": (
        N_("The last reading cannot be true"),
        N_("It is lower than an earlier one. The last sample before it is used instead."),
    ),
    "implausible_register": (
        N_("A reading cannot be true"),
        N_("It is negative or beyond any meter, and is not counted."),
    ),
    "start_register_corrected": (
        N_("The first reading was corrected"),
        N_(
            "The start reading cannot be true; the meter’s reading after the session before, or the first sample, is used."
        ),
    ),
    "energy_estimated": (
        N_("The energy is an estimate"),
        N_("The station sent only power and no register: the energy is power over time."),
    ),
    "foreign_transaction": (
        N_("The transaction belongs to another station"),
        N_("This station ended a transaction that was begun elsewhere. The other station’s session is untouched."),
    ),
}

# The same in a word or two, for the list.
ODD = {
    "start_missing": N_("start missing"),
    "stop_missing": N_("stop missing"),
    "messages_missing": N_("messages missing"),
    "clock_wrong": N_("clock wrong"),
    "register_reset": N_("register reset"),
    "implausible_jump": N_("implausible jump"),
    "implausible_end": N_("implausible end"),
    "implausible_register": N_("implausible register"),
    "start_register_corrected": N_("start register corrected"),
    "energy_estimated": N_("energy estimated"),
    "foreign_transaction": N_("foreign transaction"),
}

EVENTS = {
    "started": ("working", "link", N_("Session begins")),
    "authorized": ("ok", "ok", N_("Token presented")),
    "charging": ("working", "working", N_("Charging")),
    "suspended_ev": ("working", "hand", N_("The car takes no power")),
    "suspended_evse": ("attention", "hand", N_("The station gives no power")),
    "connected": ("working", "link", N_("Car plugged in")),
    "idle": ("off", "off", N_("Idle")),
    "operation_mode_changed": ("working", "working", N_("Mode of operation")),
    "ended": ("ok", "ok", N_("Session ends")),
    "superseded": ("attention", "attention", N_("Another session began at this outlet")),
    "messages_missing": ("attention", "attention", N_("No more messages are expected")),
}

PERIODS = {
    "charging": ("working", N_("charging")),
    "suspended_ev": ("off", N_("car full or paused")),
    "suspended_evse": ("attention", N_("paused by station")),
    "connected": ("off", N_("plugged in")),
    "idle": ("off", N_("idle")),
}


# Why a station tells of a transaction: OCPP's reasons in words.
TRIGGERS = {
    "AbnormalCondition": N_("abnormal condition"),
    "Authorized": N_("authorized"),
    "CablePluggedIn": N_("cable plugged in"),
    "ChargingRateChanged": N_("charging rate changed"),
    "ChargingStateChanged": N_("charging state changed"),
    "CostLimitReached": N_("cost limit reached"),
    "Deauthorized": N_("deauthorized"),
    "EVCommunicationLost": N_("EV communication lost"),
    "EVConnectTimeout": N_("EV connect timeout"),
    "EVDeparted": N_("EV departed"),
    "EVDetected": N_("EV detected"),
    "EnergyLimitReached": N_("energy limit reached"),
    "LimitSet": N_("limit set"),
    "MeterValueClock": N_("meter value clock"),
    "MeterValuePeriodic": N_("meter value periodic"),
    "OperationModeChanged": N_("operation mode changed"),
    "RemoteStart": N_("remote start"),
    "RemoteStop": N_("remote stop"),
    "ResetCommand": N_("reset command"),
    "RunningCost": N_("running cost"),
    "SignedDataReceived": N_("signed data received"),
    "SoCLimitReached": N_("battery limit reached"),
    "StopAuthorized": N_("stop authorized"),
    "TariffChanged": N_("tariff changed"),
    "TariffNotAccepted": N_("tariff not accepted"),
    "TimeLimitReached": N_("time limit reached"),
    "Trigger": N_("trigger"),
    "TxResumed": N_("transaction resumed"),
    "UnlockCommand": N_("unlock command"),
}


@get("/sessions", opt=WITHIN)
async def sessions(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list, newest first; the filters stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "sessions:read")
        place = await _place(conn, actor, view)
        found = await _found(conn, actor, view, PAGE, place, with_cursor=True)
        hidden = await lists.hidden_columns(conn, actor, "sessions")
    last = found.rows[-1] if found.rows else None
    return page(
        request,
        "console/sessions.html",
        hidden=hidden,
        found=found,
        place=place,
        show=_show(view),
        next_before=f"{last.started_at.isoformat()}_{last.session_id}" if found.has_more and last else None,
        headline=_list_headline(found, view),
        look_of=lambda row: states.session(row.status, row.charging_state),
        odd_words=lambda row: [_(ODD.get(name, name.replace("_", " "))) for name in row.anomalies],
        now=view.now,
    )


@get(["/sessions.csv", "/sessions.xlsx"], opt=WITHIN)
async def sessions_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "sessions:read")
        place = await _place(conn, actor, view)
        found = await _found(conn, actor, view, EXPORTED, place, with_cursor=False)
    columns = (
        "session_id", "station_id", "location_name", "evse_number", "connector_number", "transaction_id", "status",
        "token_uid", "started_at", "ended_at", "energy_wh", "peak_power_w", "soc_start_percent", "soc_percent",
        "charging_s", "stop_reason", "anomalies", "is_orphan", "ocpp_version",
    )  # fmt: skip
    return await table_response(request, columns, ([getattr(row, name) for name in columns] for row in found.rows))


@get("/sessions/{session_id:str}")
async def session(request: PageRequest, pool: PoolIn, actor: ActorIn, session_id: FromPath[str]) -> Response[str]:
    """One session: its curve, what happened, its readings, and what is odd about it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "sessions:read")
        known = uuid_of(session_id, "session")
        context = await _session(conn, actor, known, view)
        price = await costs.session_price(conn, actor, known)
        billing = await money_cdrs.session_billing(
            conn, actor, known, is_settled=context["session"]["settled_at"] is not None
        )
    return page(request, "console/session.html", **context, price=price, prices=prices, billing=billing)


@get("/sessions/{session_id:str}/readings.csv")
async def readings_csv(
    request: PageRequest, pool: PoolIn, actor: ActorIn, session_id: FromPath[str]
) -> Response[bytes]:
    """Every reading of a session."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "sessions:read")
        known = uuid_of(session_id, "session")
        if await queries.find_session(conn, actor.party_id, known) is None:
            raise NotFound(f"no session {session_id}")
        rows = await queries.session_samples(conn, actor.party_id, known, 200_000)
    columns = ("sampled_at", "context", "energy_wh", "power_w", "soc_percent", "readings")
    return csv_response(
        "readings", columns, ([str(row[name]) if name == "readings" else row[name] for name in columns] for row in rows)
    )


@get("/sessions/{session_id:str}/signed.xml", media_type=container.MEDIA_TYPE)
async def signed_xml(request: PageRequest, pool: PoolIn, actor: ActorIn, session_id: FromPath[str]) -> Response[bytes]:
    """What the meter signed, for transparency software."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "sessions:read")
        known = uuid_of(session_id, "session")
        readings = await signed.readings_of(conn, actor.party_id, known)
    if not readings:
        raise NotFound(f"nothing was signed in session {session_id}")
    name = {"Content-Disposition": f'attachment; filename="signed-{known}.xml"'}
    return Response(container.as_xml(readings), media_type=container.MEDIA_TYPE, headers=name)


class Place(Struct, frozen=True):
    """What days and nights the list goes by: those of the network, or of the location or station it is about."""

    zone_name: str
    location_id: UUID | None = None
    name: str = ""


async def _place(conn: Connection, actor: Actor, view: View) -> Place:
    """Raises NotFound for a location that the actor does not see."""
    query = view.query
    location_id = uuid_of(query["location"], "location") if query["location"] else None
    subject = Subject(location_id, None if location_id else query["station"][:48] or None)
    found = await usage_queries.find_place(conn, actor.scope, subject)
    if found is not None:
        return Place(found["time_zone"], location_id, found["name"])
    if location_id is not None:
        raise NotFound(f"no location {location_id}")
    frame = await usage_queries.find_place(conn, actor.scope, Subject())
    return Place(frame["time_zone"] if frame is not None else "UTC")


async def _found(
    conn: Connection, actor: Actor, view: View, limit: int, place: Place, *, with_cursor: bool
) -> SessionPage:
    query = view.query
    since, until = _days(view, zone_of(place.zone_name))
    return await queries.list_sessions(
        conn,
        actor.scope,
        chip=_show(view),
        text=query["q"].strip()[:100],
        station_id=query["station"][:48],
        token_uid=query["token"][:255],
        location_id=place.location_id,
        since=since,
        until=until,
        before=_cursor(query["before"]) if with_cursor else None,
        limit=limit,
    )


def _show(view: View) -> str:
    return view.query["show"] if view.query["show"] in queries.SESSION_CHIPS else "all"


def _days(view: View, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """From the start of one day to the end of another; `day=today` is short for today."""
    if view.query["day"] == "today":
        today = view.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return today, None
    since, until = (_day(view.query[name], zone) for name in ("from", "to"))
    return since, until + timedelta(days=1) if until else None


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
    except ValueError:
        return None


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    at_text, _sign, id_text = text.replace(" ", "+").partition("_")
    at = feed.instant(at_text)
    try:
        return (at, UUID(id_text)) if at else None
    except ValueError:
        return None


def _list_headline(found: SessionPage, view: View) -> str:
    n = found.n_found
    if not found.is_counted:
        return _("More than %(n)s sessions.", n=figures.number(n))
    if not n:
        return _("No session fits.") if any(view.query.values()) else _("Nothing has been charged yet.")
    energy = " ".join(figures.energy(found.energy_wh))
    match _show(view):
        case "now":
            return n_(
                "%(n)s session going on now, %(energy)s.",
                "%(n)s sessions going on now, %(energy)s.",
                n,
                energy=energy,
            )
        case "odd":
            return n_(
                "%(n)s session with something odd, %(energy)s.",
                "%(n)s sessions with something odd, %(energy)s.",
                n,
                energy=energy,
            )
        case "orphan":
            return n_(
                "%(n)s session nobody saw begin, %(energy)s.",
                "%(n)s sessions nobody saw begin, %(energy)s.",
                n,
                energy=energy,
            )
        case "open":
            return n_(
                "%(n)s session with messages missing, %(energy)s.",
                "%(n)s sessions with messages missing, %(energy)s.",
                n,
                energy=energy,
            )
        case _:
            return n_("%(n)s session, %(energy)s.", "%(n)s sessions, %(energy)s.", n, energy=energy)


# ---------------------------------------------------------------------------------------------------- one session


class Curve(Struct, frozen=True, kw_only=True):
    """Power, battery and energy over time, as coordinates."""

    value_ticks: list[charts.Tick]
    energy_ticks: list[charts.Tick]
    time_ticks: list[charts.Tick]
    area: str
    line: str
    soc_line: str
    soc_first: tuple[float, float] | None
    soc_last: tuple[float, float] | None
    energy_line: str
    energy_area: str
    energy_last: tuple[float, float] | None
    peak: tuple[float, float] | None
    peak_text: str
    power_last: tuple[float, float] | None
    periods: list[tuple[float, float, str, str, str]]
    has_power: bool
    has_soc: bool
    has_energy: bool


LEFT, RIGHT, TOP, BASE = 56.0, 1096.0, 20.0, 236.0
ENERGY_TOP, ENERGY_BASE = 262.0, 324.0


async def _session(conn: Connection, actor: Actor, session_id: UUID, view: View) -> dict[str, Any]:
    found = await queries.find_session(conn, actor.party_id, session_id)
    if found is None:
        raise NotFound(f"no session {session_id}")
    samples = await queries.session_samples(conn, actor.party_id, session_id, MOST_SAMPLES)
    periods = await queries.session_periods(conn, actor.party_id, session_id)
    end = found["ended_at"] or max(
        found["last_event_at"], clock.now() if found["status"] in ("pending", "active") else found["last_event_at"]
    )
    powers = timeline.powers([{"session_id": 0, **s} for s in samples]).get(0, [])
    is_open = found["status"] in ("pending", "active")
    return {
        "session": found,
        "samples": samples[-SHOWN_SAMPLES:],
        "n_samples": len(samples),
        "curve": _curve(found, samples, powers, periods, end),
        "events": sorted(
            await queries.session_events(conn, actor.party_id, session_id),
            key=lambda e: (e["at"], e["kind"] != "started"),
        ),
        "periods": periods,
        "signed": await signed.readings_of(conn, actor.party_id, session_id),
        "signed_verdict": await signed.find_verdict(conn, actor.party_id, session_id),
        "is_open": is_open,
        "look": states.session(found["status"], found["charging_state"] if is_open else None),
        "headline": _headline(found, end),
        "end_at": end,
        "mean_w": _mean(found, end),
        "oddities": [
            (name, *ANOMALIES.get(name, (name.replace("_", " ").capitalize(), ""))) for name in found["anomalies"]
        ],
        "event_words": EVENTS,
        "period_words": PERIODS,
        "stop_reason": feed.stop_reason,
        "event_note": _event_note,
        "may_stop": is_open and view.may("commands:send"),
    }


def _headline(found: Any, end: datetime) -> str:
    energy = " ".join(figures.energy(found["energy_wh"]))
    took = figures.span(end - found["started_at"])
    match found["status"]:
        case "invalid":
            return _("A session nobody saw begin.")
        case "pending":
            return _("Waiting to charge for %(took)s.", took=took)
        case "active":
            return _going_on(found, energy, took)
        case "closing":
            return _("%(energy)s in %(took)s; ended, with messages still to come.", energy=energy, took=took)
        case _:
            return _("%(energy)s in %(took)s.", energy=energy, took=took)


def _going_on(found: Any, energy: str, took: str) -> str:
    match found["charging_state"]:
        case "suspended_ev":
            return _("%(energy)s in %(took)s. Paused by car.", energy=energy, took=took)
        case "suspended_evse":
            return _("%(energy)s in %(took)s. Paused by station.", energy=energy, took=took)
        case "connected":
            return _("%(energy)s in %(took)s. Plugged in.", energy=energy, took=took)
        case "idle":
            return _("%(energy)s in %(took)s. Idle.", energy=energy, took=took)
    if not found["power_w"]:
        return _("%(energy)s in %(took)s. Charging.", energy=energy, took=took)
    power = " ".join(figures.power(found["power_w"]))
    return _("%(energy)s in %(took)s, charging at %(power)s.", energy=energy, took=took, power=power)


def _mean(found: Any, end: datetime) -> float | None:
    span_s = found["charging_s"] or (end - found["started_at"]).total_seconds()
    return float(found["energy_wh"]) * 3600 / span_s if span_s > 0 else None


def _curve(
    found: Any,
    samples: Sequence[Any],
    powers: list[tuple[datetime, float]],
    periods: Sequence[Any],
    end: datetime,
) -> Curve | None:
    begin = found["started_at"]
    if samples:
        begin = min(begin, samples[0]["sampled_at"])
        end = max(end, samples[-1]["sampled_at"])
    if end <= begin:
        return None
    across = charts.Axis(begin.timestamp(), end.timestamp(), LEFT, RIGHT)
    peak_w = max((w for _, w in powers), default=0.0)
    top, step = charts.nice_top(peak_w / 1000)
    up = charts.Axis(0, top, BASE, TOP)
    line = charts.thinned([(across.place(at.timestamp()), up.place(max(0.0, w) / 1000)) for at, w in powers], 600)
    percent = charts.Axis(0, 100, BASE, TOP)
    soc = [
        (across.place(s["sampled_at"].timestamp()), percent.place(float(s["soc_percent"])))
        for s in samples
        if s["soc_percent"] is not None
    ]
    soc = charts.thinned(soc, 400)
    energy, energy_step = _energy_points(found, samples, across)
    highest = min(line, key=lambda p: p[1]) if line else None
    return Curve(
        value_ticks=charts.value_ticks(up, step),
        energy_ticks=energy_step,
        time_ticks=charts.time_ticks(across, zone_of(found["time_zone"]), 9),
        area=charts.area(line, BASE),
        line=charts.line(line),
        soc_line=charts.line(soc),
        soc_first=soc[0] if soc else None,
        soc_last=soc[-1] if soc else None,
        energy_line=charts.line(energy),
        energy_area=charts.area(energy, ENERGY_BASE),
        energy_last=energy[-1] if energy else None,
        peak=highest,
        peak_text=" ".join(figures.power(peak_w)),
        power_last=line[-1] if line else None,
        periods=_strip(periods, across),
        has_power=len(line) > 1,
        has_soc=len(soc) > 1,
        has_energy=len(energy) > 1,
    )


def _energy_points(
    found: Any, samples: Sequence[Any], across: charts.Axis
) -> tuple[list[charts.Point], list[charts.Tick]]:
    """Energy since the start along the register, steps down (resets) left out."""
    total, last, points = 0.0, found["register_start_wh"], []
    if last is not None and found["register_start_at"] is not None:
        points.append((across.place(found["register_start_at"].timestamp()), 0.0))
    for row in samples:
        if row["energy_wh"] is None:
            continue
        if last is not None and row["energy_wh"] > last:
            total = min(total + float(row["energy_wh"] - last), float(found["energy_wh"]))
        last = row["energy_wh"]
        points.append((across.place(row["sampled_at"].timestamp()), total))
    top, step = charts.nice_top(float(found["energy_wh"]) / 1000, 2)
    up = charts.Axis(0, top, ENERGY_BASE, ENERGY_TOP)
    ordered = sorted(points)
    return charts.thinned([(x, up.place(wh / 1000)) for x, wh in ordered], 400), charts.value_ticks(up, step)


def _strip(periods: Sequence[Any], across: charts.Axis) -> list[tuple[float, float, str, str, str]]:
    """(x, width, tone, words that fit, title) of each charging period."""
    strips = []
    for row in periods:
        x, until = across.place(row["started_at"].timestamp()), across.place(row["ended_at"].timestamp())
        tone, word = PERIODS[row["kind"]]
        words = _(word)
        took = figures.span(row["ended_at"] - row["started_at"])
        text = f"{words} {took}"
        fits = text if (until - x) > 7 * len(text) else words if (until - x) > 7 * len(words) else ""
        strips.append(
            (x, max(1.0, round(until - x, 1)), tone, fits, f"{text}, {' '.join(figures.energy(row['energy_wh']))}")
        )
    return strips


def _event_note(event: Mapping[str, Any]) -> str:
    detail = event["detail"] or {}
    if event["kind"] == "authorized":
        token, status = str(detail.get("token", "")), detail.get("status")
        return f"{token}, {_(str(status).replace('_', ' '))}" if status and status != "accepted" else token
    if event["kind"] in ("ended", "superseded"):
        return feed.stop_reason(detail.get("reason"))
    if event["kind"] == "operation_mode_changed":
        return str(detail.get("mode", "")).replace("_", " ")
    trigger = detail.get("trigger")
    if not isinstance(trigger, str):
        return ""
    if trigger in TRIGGERS:
        return _(TRIGGERS[trigger])
    return "".join(f" {c.lower()}" if c.isupper() else c for c in trigger).strip()
