"""What does a charge cost? The list of tariffs, one of them, where it applies, and which one applies at a station and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.console import tariff_examples
from ohmstead.console.exports import table_response
from ohmstead.console.forms import faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, R_, _, n_
from ohmstead.reports.pages import queries as pages
from ohmstead.reports.service import zone_of
from ohmstead.stations.queries import require_station
from ohmstead.tariffs import queries, service
from ohmstead.tariffs.records import LEVELS, KeptTariff, NewTariffAssignment, Place, TariffAssignment
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

PAGE = 50
_BATCH = 500
_MOST = 5000
_MOST_PLACES = 1000
_MOST_VERSIONS = 20
CHIPS = {"all": N_("All"), "used": N_("In use"), "unused": N_("Not used"), "ended": N_("Ended")}
LEVEL_NAMES = {
    "connector": N_("Connector"),
    "station": N_("Station"),
    "location": N_("Location"),
    "party": N_("Everywhere"),
}
KINDS = {
    "": N_("every session"),
    "REGULAR": N_("sessions with a contract"),
    "AD_HOC_PAYMENT": N_("payment on the spot"),
    "PROFILE_CHEAP": N_("cars that charge cheaply"),
    "PROFILE_FAST": N_("cars that charge fast"),
    "PROFILE_GREEN": N_("cars that charge green"),
}
VERDICTS = {
    "applies": ("ok", "ok", N_("This one applies: its place is the narrowest.")),
    "outranked": (
        "off",
        "off",
        N_("Another one comes first: its place is narrower, for the group, or was given later."),
    ),
    "not_yet": ("attention", "hand", N_("It is not valid yet.")),
    "no_longer": ("off", "off", N_("It is no longer valid.")),
    "other_kind": ("off", "off", N_("It is for another kind of session.")),
}
# The fields of the form that assigns, as the service calls them.
PLACE_FIELDS = {
    "location_id": N_("Location"),
    "station_id": N_("Station"),
    "evse_number": N_("EVSE"),
    "connector_number": N_("Connector"),
    "group_uid": N_("Group"),
}


class ListedTariff(Struct, frozen=True, kw_only=True):
    """A tariff with what the list tells of it."""

    kept: KeptTariff
    state: str
    short: dict[str, str]
    where: list[str]


def zone_in(request: PageRequest) -> ZoneInfo:
    """The party's: what instants of tariffs are told in."""
    return zone_of(str(request.scope["state"]["party_zone"]))


# ---------------------------------------------------------------------------------------------------------- the list


@get("/tariffs")
async def tariff_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list; text, state and page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tariffs:read")
        listed = await _listed(conn, actor, view)
    counts = {key: sum(key in ("all", one.state) for one in listed) for key in CHIPS}
    show = view.query["show"] if view.query["show"] in CHIPS else "all"
    found = [one for one in listed if show in ("all", one.state)]
    text = view.query["page"]
    n_pages = max(1, -(-len(found) // PAGE))
    number = min(max(int(text), 1), n_pages) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return page(
        request,
        "console/tariffs.html",
        found=found[(number - 1) * PAGE : number * PAGE],
        counts=counts,
        chips=CHIPS,
        show=show,
        number=number,
        n_pages=n_pages,
        headline=_headline(counts),
        prices=prices,
    )


@get(["/tariffs.csv", "/tariffs.xlsx"])
async def tariffs_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tariffs:read")
        listed = await _listed(conn, actor, view)
    show = view.query["show"] if view.query["show"] in CHIPS else "all"
    columns = (
        *("tariff_id", "name", "currency", "kwh", "minute", "session", "valid_from", "valid_until"),
        *("applies_at", "version", "state", "updated_at"),
    )

    def cells(one: ListedTariff) -> list[Any]:
        kept, tariff = one.kept, one.kept.tariff
        told = [one.short["kwh"], one.short["minute"], one.short["session"]]
        valid = [tariff.start_date_time, tariff.end_date_time]
        ids = [str(kept.tariff_id), kept.name, tariff.currency]
        return [*ids, *told, *valid, "; ".join(one.where), kept.version, one.state, kept.updated_at]

    return await table_response(request, columns, (cells(one) for one in listed if show in ("all", one.state)))


async def _listed(conn: Connection, actor: Actor, view: View) -> list[ListedTariff]:
    kept: list[KeptTariff] = []
    after = None
    while len(kept) < _MOST:
        more = await queries.list_tariffs(conn, actor.party_id, after=after, limit=_BATCH)
        kept += more
        if len(more) < _BATCH:
            break
        after = (more[-1].name, more[-1].tariff_id)
    places = await queries.list_assignments(conn, actor.party_id, limit=_MOST)
    names = await location_names(conn, actor)
    where: dict[UUID, list[str]] = {}
    for one in sorted(places, key=lambda one: LEVELS.index(one.level), reverse=True):
        where.setdefault(one.tariff_id, []).append(place_name(one, names))
    text = view.query["q"].strip()[:100].lower()
    found = []
    for tariff in kept:
        at = where.get(tariff.tariff_id, [])
        if text and not any(text in said.lower() for said in (tariff.name, tariff.tariff.currency, *at)):
            continue
        found.append(ListedTariff(kept=tariff, state=_state(tariff), short=prices.in_short(tariff.tariff), where=at))
    return found


def _state(kept: KeptTariff) -> str:
    until = kept.tariff.end_date_time
    if until is not None and until <= clock.now():
        return "ended"
    return "used" if kept.n_assignments else "unused"


def _headline(counts: Mapping[str, int]) -> str:
    if not counts["all"]:
        return _("No tariff: charging costs nothing.")
    return n_(
        "%(used)s of %(n)s tariff applies somewhere.",
        "%(used)s of %(n)s tariffs apply somewhere.",
        counts["all"],
        used=figures.number(counts["used"]),
    )


async def location_names(conn: Connection, actor: Actor) -> dict[UUID, str]:
    """Of all locations that the actor sees."""
    return {row["location_id"]: row["name"] for row in await pages.list_locations(conn, actor.scope)}


def place_name(one: TariffAssignment, names: Mapping[UUID, str]) -> str:
    """Where an assignment applies, in a few words."""
    if one.station_id is not None:
        said = one.station_id
        if one.evse_number is not None:
            said = f"{said} EVSE {one.evse_number}"
        if one.connector_number is not None:
            said = _("%(place)s connector %(number)s", place=said, number=one.connector_number)
    elif one.location_id is not None:
        said = names.get(one.location_id, _("a location"))
    else:
        said = _("everywhere")
    return _("%(place)s for group %(group)s", place=said, group=one.group_uid) if one.group_uid else said


# ------------------------------------------------------------------------------------------------------- one tariff


@get("/tariffs/{tariff_id:str}")
async def tariff(request: PageRequest, pool: PoolIn, actor: ActorIn, tariff_id: FromPath[str]) -> Response[str]:
    """What it costs, in words and in examples, where it applies, and what it was before."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:read")
        return await _tariff_page(request, conn, actor, uuid_of(tariff_id, "tariff"), {}, {})


async def _tariff_page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    tariff_id: UUID,
    given: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response[str]:
    kept = await queries.get_tariff(conn, actor.party_id, tariff_id)
    versions = await queries.list_versions(conn, actor.party_id, tariff_id, limit=_MOST_VERSIONS + 1)
    asked = request.query_params.get("version", "")
    old = None
    if asked.isascii() and asked.isdigit() and len(asked) < 10 and int(asked) != kept.version:
        old = await queries.get_version(conn, actor.party_id, tariff_id, int(asked))
    zone = zone_in(request)
    places = await queries.list_assignments(conn, actor.party_id, tariff_id=tariff_id, limit=_MOST_PLACES)
    names = await location_names(conn, actor)
    after = [*versions[1:], None][: len(versions)]
    return page(
        request,
        "console/tariff.html",
        status=422 if errors else 200,
        kept=kept,
        old=old,
        shown=await tariff_examples.shown(conn, actor.party_id, old.tariff if old else kept.tariff, zone),
        versions=[
            (one, tariff_examples.changes(one.tariff, before.tariff if before else None))
            for one, before in list(zip(versions, after, strict=True))[:_MOST_VERSIONS]
        ],
        has_older=len(versions) > _MOST_VERSIONS,
        places=[(one, place_name(one, names)) for one in sorted(places, key=lambda one: LEVELS.index(one.level))],
        locations=names,
        n_stations=await pages.count_stations(conn, actor.scope),
        given={**dict.fromkeys(PLACE_FIELDS, ""), **given},
        errors=errors,
        state=_state(kept),
        kinds=KINDS,
        levels=LEVEL_NAMES,
        prices=prices,
    )


@post("/tariffs/{tariff_id:str}/assign", status_code=200)
async def assign_tariff(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, tariff_id: FromPath[str]
) -> Response[Any]:
    """Let it apply somewhere, for sessions that begin from now on."""
    allow(actor, "tariffs:write")
    given = await form_of(request)
    known = uuid_of(tariff_id, "tariff")
    raw: dict[str, Any] = {name: given.fields.get(name) or None for name in PLACE_FIELDS}
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:read")
        await queries.get_tariff(conn, actor.party_id, known)
        try:
            wanted = msgspec.convert({**raw, "tariff_id": known}, NewTariffAssignment, strict=False)
            async with conn.transaction():
                await service.assign(conn, actor, wanted)
        except (Invalid, msgspec.ValidationError) as error:
            return await _tariff_page(request, conn, actor, known, given.fields, faults_of(error, PLACE_FIELDS))
        except Conflict as error:
            return await _tariff_page(request, conn, actor, known, given.fields, {"location_id": error.text})
    await bus.publish(NUDGE, {})
    return Redirect(f"/tariffs/{known}#where", status_code=303)


@post("/tariffs/{tariff_id:str}/assignments/{assignment_id:str}/end", status_code=200)
async def unassign_tariff(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    actor: ActorIn,
    tariff_id: FromPath[str],
    assignment_id: FromPath[str],
) -> Response[Any]:
    """Let it no longer apply there; what ended meanwhile has ended."""
    allow(actor, "tariffs:write")
    known = uuid_of(tariff_id, "tariff")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tariffs:read")
        try:
            async with conn.transaction():
                await service.unassign(conn, actor, uuid_of(assignment_id, "assignment"))
        except Conflict:
            pass
    await bus.publish(NUDGE, {})
    return Redirect(f"/tariffs/{known}#where", status_code=303)


# ------------------------------------------------------------------------------------------- which one applies, and why


@get("/tariffs/applies")
async def applies(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Which tariff applies at a station, and why: all that reach it, in the order in which they are asked."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "tariffs:read")
        query = view.query
        station_id = query["station"].strip()[:48]
        found, connectors = None, []
        if station_id:
            try:
                await require_station(conn, actor.party_id, station_id)
            except NotFound:
                return page(request, "console/tariff_applies.html", status=404, **_nowhere(station_id))
            place = Place(
                party_id=actor.party_id,
                station_id=station_id,
                at=clock.now(),
                evse_number=_number(query["evse"]),
                connector_number=_number(query["connector"]),
                group_uid=query["group"].strip()[:255] or None,
                is_ad_hoc=query["adhoc"] == "yes",
            )
            found = await service.applicable(conn, place)
            connectors = await pages.list_connectors(conn, actor.party_id, [station_id])
    wall = _wall(found.at, found.time_zone) if found else None
    return page(
        request,
        "console/tariff_applies.html",
        found=found,
        errors={},
        station_id=station_id,
        evses=sorted({one.evse_number for one in connectors}),
        lines=prices.lines_at(found.tariff, wall) if found and found.tariff and wall else [],
        levels=LEVEL_NAMES,
        verdicts=VERDICTS,
        prices=prices,
    )


def _nowhere(station_id: str) -> dict[str, Any]:
    """The page for a station that there is not."""
    errors = {"station": R_("there is no such thing")}
    empty: dict[str, Any] = {"found": None, "evses": [], "lines": [], "levels": {}, "verdicts": {}, "prices": prices}
    return {**empty, "station_id": station_id, "errors": errors}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 5 and int(text) else None


def _wall(at: datetime, time_zone: str) -> datetime:
    return at.astimezone(zone_of(time_zone))


HANDLERS: Sequence[Any] = [tariff_list, tariffs_table, tariff, assign_tariff, unassign_tariff, applies]
