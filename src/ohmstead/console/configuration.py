"""How is this station set up, and is that how it should be? Its device model, drift, history, lists and quirks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, SettingsIn, allow, opened
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _
from ohmstead.reports.pages import queries as pages
from ohmstead.sessions.signed import service as signed
from ohmstead.settings import Settings
from ohmstead.stations.device import queries, templates
from ohmstead.stations.device.queries import ChangeFilter
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.service import StationChange
from ohmstead.stations.quirks.book import book_at
from ohmstead.stations.quirks.profiles import NOTHING, Effects, Profile
from ohmstead.ui.states import Look
from ohmstead.ui.templating import page, view_of

SHOWN_CHANGES = 40

STATES: dict[str, Look] = {
    "same": Look("ok", "ok", "As wanted"),
    "differs": Look("attention", "attention", "Differs"),
    "refused": Look("failed", "failed", "Refused"),
    "waits_for_restart": Look("working", "working", "After a restart"),
    "read_only": Look("failed", "failed", "Cannot be set"),
    "unknown": Look("off", "off", "Not known"),
}
DUTIES = {
    "templates": N_("Templates"),
    "local_list": N_("Local list"),
    "password": N_("Password"),
    "clock": N_("Clock"),
    "messages": N_("Missing messages"),
    "safe_limit": N_("Safe limit"),
    "profile_check": N_("Check of profiles"),
}
# How a duty ended the last time.
RESULTS = {
    "asked": N_("asked"),
    "failed": N_("failed"),
    "given": N_("given"),
    "off": N_("off"),
    "offline": N_("offline"),
    "refused": N_("refused"),
    "restarted": N_("restarted"),
    "same": N_("same"),
    "sent": N_("sent"),
    "unknown": N_("unknown"),
    "unsupported": N_("unsupported"),
    "untold": N_("untold"),
    "waits": N_("waits"),
    "waits_for_restart": N_("waits for restart"),
}


@get("/stations/{station_id:str}/configuration")
async def configuration(
    request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn, station_id: FromPath[str]
) -> Response[str]:
    """Its settings as it last reported them, beside what its templates want."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        return await shown(request, conn, actor, settings, station_id, {}, {})


async def shown(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    settings: Settings,
    station_id: str,
    given: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response[str]:
    """The page; `given` and `errors` are of the form for meters' keys."""
    station = await station_of(conn, actor, station_id)
    text = view_of(request).query.get("q", "").strip()[:100]
    tree = await queries.device_tree(conn, actor.party_id, station_id, text)
    drift = await queries.station_drift(conn, actor.party_id, station_id)
    changes = await queries.list_changes(
        conn, actor.party_id, station_id, ChangeFilter(q=text or None), limit=SHOWN_CHANGES
    )
    total = await pages.count_variables(conn, actor.party_id, station_id)
    names = {one.template_id: one.name for one in await queries.list_templates(conn, actor.party_id, limit=500)}
    context: dict[str, Any] = {
        "monitors": await queries.list_monitors(conn, actor.party_id, station_id),
        "reports": await queries.list_reports(conn, actor.party_id, station_id, 10),
        "local_list": await queries.local_list(conn, actor.party_id, station_id),
        "duties": await queries.list_duties(conn, actor.party_id, station_id),
        "meter_keys": await signed.list_keys(conn, actor.party_id, station_id),
        "keys_seen": await signed.list_seen(conn, actor.party_id, station_id),
    }
    profiles = book_at(settings.quirks_dir).of(
        vendor=station["vendor"],
        model=station["model"],
        firmware=station["firmware_version"],
        version=station["ocpp_version"],
    )
    return page(
        request,
        "station/configuration.html",
        status=422 if errors else 200,
        **context,
        given={"evse_number": "1", "public_key": "", "serial": "", **given},
        errors=errors,
        station=station,
        tree=tree,
        n_shown=sum(len(variable.attributes) for node in tree for variable in node.variables),
        n_variables=total,
        text=text,
        drift=drift,
        off={item.name: item for item in drift.items if item.state != "same"},
        changes=changes,
        who=lambda by: who(by, names),
        states_of_drift=STATES,
        duty_names=DUTIES,
        duty_results=RESULTS,
        profiles=[(profile, told(profile)) for profile in profiles],
    )


@post("/stations/{station_id:str}/configuration")
async def reconcile(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, station_id: FromPath[str]
) -> Redirect:
    """Bring it to what its templates want now, or let templates alone with it from now on."""
    allow(actor, "stations:write")
    form = await request.form()
    what = form.get("do")
    async with pool.acquire() as conn, conn.transaction():
        await station_of(conn, actor, station_id)
        if what == "reconcile":
            await templates.reconcile_now(conn, actor, station_id)
        elif what == "send-list":
            await templates.send_list_now(conn, actor, station_id)
        elif what in ("opt-in", "opt-out"):
            await directory.change_station(conn, actor, station_id, StationChange(takes_templates=what == "opt-in"))
    await bus.publish(NUDGE, {})
    return Redirect(f"/stations/{quote(station_id, safe='')}/configuration", status_code=303)


async def station_of(conn: Connection, actor: Actor, station_id: str) -> Any:
    """Raises NotFound."""
    found = await pages.find_station(conn, actor.party_id, station_id)
    if found is None:
        raise NotFound(f"no station {station_id}")
    return found


def who(by: str, names: dict[UUID, str]) -> str:
    """Who caused a change, for people."""
    kind, _colon, value = by.partition(":")
    if kind == "template":
        try:
            return _("template %(name)s", name=names[UUID(value)])
        except (KeyError, ValueError):
            return _("a template that is gone")
    known = {
        "station": _("the station"),
        "operator": _("an operator"),
        "key": _("an API key"),
        "system": "Ohmstead",
    }
    return known.get(kind, kind)


def told(profile: Profile) -> list[str]:
    """What is different about a make, a line for each."""
    effects: Effects = profile.effects
    words = {
        "authorization_key": _("takes its password as %(kind)s text", kind=effects.authorization_key),
        "rate_unit": _("obeys charging limits in %(unit)s only", unit=effects.rate_unit),
        "highest_stack_level": _("takes no charging profile above level %(level)s", level=effects.highest_stack_level),
        "lowest_stack_level": _("takes no charging profile below level %(level)s", level=effects.lowest_stack_level),
        "corrections": "; ".join(f"{one.measurand} × {one.times}" for one in effects.corrections),
        "accepts_profiles_in_vain": _("accepts charging profiles that it does not carry out"),
        "id_case": _("knows tokens in upper case only")
        if effects.id_case == "upper"
        else _("knows tokens in lower case only"),
        "connectors_from_zero": _("counts its connectors from 0"),
        "never_sends": _("is asked for %(messages)s", messages=", ".join(effects.never_sends)),
    }
    return [text for name, text in words.items() if getattr(effects, name) != getattr(NOTHING, name)]
