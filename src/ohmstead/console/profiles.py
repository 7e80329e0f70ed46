"""What limits a station? Its profiles, one more or one less, what it would deliver, and what others and cars want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console import orders, profile_form
from ohmstead.console.configuration import who
from ohmstead.console.frame import ActorIn, DeskIn, PageRequest, PoolIn, allow, opened
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound, OhmsteadError
from ohmstead.core.language import N_, _, grouped, p_, told
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.service import zone_of
from ohmstead.smartcharging import preview, queries
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.checking import queries as checks
from ohmstead.smartcharging.defaults import service as defaults
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.orders import ClearProfiles, Period
from ohmstead.ui import figures
from ohmstead.ui.templating import page

SHOWN = 200
WAIT_S = 25.0
CHECKS = {
    "due": ("working", N_("Is asked")),
    "same": ("ok", N_("As accepted")),
    "differs": ("failed", N_("Not as accepted")),
    "waits": ("working", N_("Told when a car charges")),
    "untold": ("off", N_("Not told")),
    "doubtful": ("attention", N_("Not to be believed")),
}
DEFAULTS = {
    "same": ("ok", "Kept"),
    "missing": ("working", N_("Not given yet")),
    "differs": ("attention", N_("Differs")),
    "refused": ("failed", N_("Refused")),
    "unknown": ("attention", N_("No answer")),
}
PROFILES = {
    "held": ("ok", N_("held")),
    "sent": ("working", N_("sent")),
    "refused": ("failed", N_("refused")),
    "unknown": ("attention", N_("unknown")),
    "cleared": ("off", N_("cleared")),
}
NEEDS = {
    "planned": ("ok", N_("planned")),
    "received": ("working", N_("received")),
    "refused": ("failed", N_("refused")),
    "impossible": ("attention", N_("impossible")),
    "superseded": ("off", N_("superseded")),
    "free": ("ok", N_("free")),
    "rejected": ("attention", N_("rejected")),
}
PURPOSES = {
    "station_max": N_("station max"),
    "external": N_("external"),
    "session_default": N_("session default"),
    "session": N_("session"),
    "priority_charging": N_("priority charging"),
    "local_generation": N_("local generation"),
}
TIMINGS = {
    "absolute": N_("absolute"),
    "recurring": N_("recurring"),
    "relative": N_("relative"),
    "dynamic": N_("dynamic"),
}


@get("/stations/{station_id:str}/profiles")
async def profiles_page(
    request: PageRequest, pool: PoolIn, desk: DeskIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[str]:
    """The page; fields of the form may stand in its address, which previews them."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        context = await _context(conn, desk, actor, station_id, dict(view.query))
    return page(request, "station/profiles.html", **context)


@get("/stations/{station_id:str}/profiles/form")
async def profile_preview(
    request: PageRequest, pool: PoolIn, desk: DeskIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[Any]:
    """The form with what it would come to; nothing is sent."""
    if "hx-request" not in request.headers:
        where = f"/stations/{quote(station_id, safe='')}/profiles?{request.url.query}#profile-form"
        return Redirect(where, status_code=303)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        context = await _form(conn, desk, actor, await _station(conn, actor, station_id), dict(view.query))
    return page(request, "station/profile_form.html", **context)


@post("/stations/{station_id:str}/profiles", status_code=200)
async def change_profiles(
    request: PageRequest, pool: PoolIn, desk: DeskIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[Any]:
    """Set the profile of the form, take one away, or ask the station; its answer is shown."""
    allow(actor, "commands:send")
    form = await request.form()
    given = {k: v.strip() for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}
    errors: dict[str, str] = {}
    said = ""
    do = given.get("do", "set")
    try:
        if do == "set":
            said, errors = await _set(pool, desk, actor, station_id, given)
        else:
            said = await _order(pool, desk, actor, station_id, do, given)
    except Invalid as invalid:
        errors = {invalid.field or "steps": told(invalid)}
    except NotFound:
        raise
    except OhmsteadError as error:
        errors = {"list" if do != "set" else "steps": told(error)}
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "commands:send")
        fields = given if do == "set" and errors else {}
        context = await _context(conn, desk, actor, station_id, fields)
    context["errors"] = {**context["errors"], **errors}
    return page(request, "station/profiles.html", status=422 if errors else 200, **context | {"said": said})


async def _set(
    pool: PoolIn, desk: CommandDesk, actor: Actor, station_id: str, given: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    async with pool.acquire() as conn:
        station = await _station(conn, actor, station_id)
        transactions = await _transactions(conn, actor, station_id)
    zone = zone_of(station["time_zone"])
    evse_number, profile = profile_form.profile_from(given, transactions, clock.now(), zone)
    try:
        held, command = await smartcharging.set_profile(
            pool,
            desk,
            party_id=actor.party_id,
            station_id=station_id,
            evse_number=evse_number,
            profile=profile,
            requested_by=actor.actor_id,
            timeout_s=WAIT_S,
        )
    except smartcharging.Misfit as misfit:
        return "", profile_form.at_fields(misfit.faults)
    if held.status == "held":
        return _("The station holds profile %(number)s now.", number=held.profile.profile_id), {}
    refused = _("The station does not hold it.")
    return "", {"form": f"{refused} {orders.outcome(command)}"}


async def _order(
    pool: PoolIn, desk: CommandDesk, actor: Actor, station_id: str, do: str, given: Mapping[str, str]
) -> str:
    """What became of it, in words. Raises Invalid, NotFound."""
    to: dict[str, Any] = {
        "party_id": actor.party_id,
        "station_id": station_id,
        "requested_by": actor.actor_id,
    }
    if do == "clear":
        order = ClearProfiles(profile_id=_number(given, "profile_id"))
        return _said(await smartcharging.clear_profiles(pool, desk, order, **to))
    if do == "clear-all":
        return _said(await smartcharging.clear_profiles(pool, desk, ClearProfiles(), **to))
    if do == "report":
        return _said(await smartcharging.ask_for_profiles(pool, desk, **to))
    if do == "composite":
        evse_number = _number(given, "evse")
        command = await smartcharging.ask_for_composite(
            desk, evse_number=evse_number, duration_s=profile_form.PREVIEW_S, rate_unit=None, **to
        )
        return _said(command)
    raise Invalid("There is no such order here.", "list")


def _number(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("Which one?", "list")
    return int(text)


def _said(command: Command) -> str:
    if command.status != "accepted" and not (command.status == "rejected" and command.kind == "clear_profiles"):
        raise Invalid(orders.outcome(command), "list")
    return orders.outcome(command)


# ----------------------------------------------------------------------------------------------------------- parts


async def _station(conn: Connection, actor: Actor, station_id: str) -> Any:
    found = await pages.find_station(conn, actor.party_id, station_id)
    if found is None:
        raise NotFound(f"no station {station_id}")
    return found


async def _transactions(conn: Connection, actor: Actor, station_id: str) -> dict[int, str]:
    connectors = await pages.list_connectors(conn, actor.party_id, [station_id])
    return {c.evse_number: c.transaction_id for c in connectors if c.transaction_id}


async def _context(
    conn: Connection, desk: CommandDesk, actor: Actor, station_id: str, given: Mapping[str, str]
) -> dict[str, Any]:
    station = await _station(conn, actor, station_id)
    held = await queries.list_profiles(conn, actor.party_id, station_id, is_present=False, limit=SHOWN)
    return {
        **await _form(conn, desk, actor, station, given),
        "held": held,
        "n_held": sum(h.status == "held" for h in held),
        "limits": await queries.list_limits(conn, actor.party_id, station_id),
        "composites": await queries.list_composites(conn, actor.party_id, station_id),
        "needs": await queries.list_needs(conn, actor.party_id, station_id, 10),
        "checks": await checks.list_checks(conn, actor.party_id, station_id),
        "defaults": await defaults.state_of(conn, desk.book, actor.party_id, station_id),
        "check_looks": CHECKS,
        "default_looks": DEFAULTS | {"same": ("ok", p_("of a limit", "Kept"))},
        "profile_looks": PROFILES,
        "need_looks": NEEDS,
        "all_purposes": PURPOSES,
        "all_timings": TIMINGS,
        "steps": steps,
        "who": lambda by: who(by, {}),
        "said": "",
    }


async def _form(
    conn: Connection, desk: CommandDesk, actor: Actor, station: Any, given: Mapping[str, str]
) -> dict[str, Any]:
    """The form and its preview. One that nobody touched has no faults."""
    station_id = station["station_id"]
    connectors = await pages.list_connectors(conn, actor.party_id, [station_id])
    transactions = {c.evse_number: c.transaction_id for c in connectors if c.transaction_id}
    zone = zone_of(station["time_zone"])
    errors: dict[str, str] = {}
    chart = None
    if given.get("steps"):
        try:
            evse_number, profile = profile_form.profile_from(given, transactions, clock.now(), zone)
            found = await preview.look(
                conn,
                desk.book,
                party_id=actor.party_id,
                station_id=station_id,
                evse_number=evse_number,
                profile=profile,
                duration_s=profile_form.PREVIEW_S,
            )
            errors = profile_form.at_fields(found.faults)
            if not found.faults:
                chart = profile_form.drawn(found.before, found.after, found.starts_at, profile_form.PREVIEW_S, zone)
        except Invalid as invalid:
            errors = {invalid.field or "steps": told(invalid)}
    return {
        "station": station,
        "evses": sorted({c.evse_number for c in connectors}) or [1],
        "transactions": transactions,
        "given": given,
        "errors": errors,
        "chart": chart,
        "purposes": profile_form.PURPOSES,
        "timings": profile_form.TIMINGS,
        "is_online": station["state"] == "online",
    }


def steps(periods: Sequence[Period], unit: str) -> str:
    """Periods in words: `16 A, after 1 h 6 A`."""
    said = []
    for period in periods[:6]:
        limit = _("no limit") if period.limit is None else f"{_plain(period.limit)} {unit}"
        after = figures.span(timedelta(seconds=period.start_s))
        said.append(_("after %(span)s %(limit)s", span=after, limit=limit) if period.start_s else limit)
    return ", ".join(said) + (_(" … %(n)s steps", n=len(periods)) if len(periods) > 6 else "")


def _plain(value: Decimal) -> str:
    return grouped(format(value.normalize(), "f"))
