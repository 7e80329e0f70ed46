"""Which stations need me? The list, and the ways into it: one by one, from a table, by adoption."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import UNSET

from ohmstead.accounts.access import Actor
from ohmstead.accounts.lists import service as lists
from ohmstead.console.exports import table_response
from ohmstead.console.forms import form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.console.overview import lesson_words
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.language import R_, _, n_
from ohmstead.doorway import WITHIN
from ohmstead.reports.model import StationPage, StationRow
from ohmstead.reports.pages import queries
from ohmstead.stations.directory import bulk
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.service import Adoption, NewEvse, NewStation
from ohmstead.ui import figures, states
from ohmstead.ui.templating import View, page

PAGE = 50
EXPORTED = 20_000
MAX_TABLE_BYTES = 8 * 1024 * 1024


@get("/stations", opt=WITHIN)
async def stations(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list; search, chips, location, order and page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        number = _page_number(view)
        found = await _found(conn, actor, view, PAGE, (number - 1) * PAGE)
        locations = await queries.list_locations(conn, actor.scope)
        hidden = await lists.hidden_columns(conn, actor, "stations")
    return page(
        request,
        "console/stations.html",
        hidden=hidden,
        found=found,
        locations=locations,
        show=_show(view),
        sort=_sort(view),
        is_descending=_is_descending(view),
        number=number,
        first=(number - 1) * PAGE + 1,
        n_pages=max(1, -(-found.n_found // PAGE)),
        headline=_headline(found),
        trouble=trouble,
    )


@get(["/stations.csv", "/stations.xlsx"], opt=WITHIN)
async def stations_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        found = await _found(conn, actor, view, EXPORTED, 0)
    columns = [
        "station_id", "name", "state", "state_since", "location", "city", "connectors", "power_w", "last_session_at",
        "last_session_energy_wh", "ocpp_version", "firmware_version", "vendor", "model", "serial_number", "last_seen_at",
    ]  # fmt: skip
    return await table_response(
        request,
        columns,
        (
            [
                s.station_id, s.name, s.state, s.state_at, s.location_name, s.city,
                [f"{c.label}:{c.state}" for c in s.connectors], s.power_w, s.last_session_at, s.last_session_energy_wh,
                s.ocpp_version, s.firmware_version, s.vendor, s.model, s.serial_number, s.last_seen_at,
            ]
            for s in found.rows
        ),
    )  # fmt: skip


async def _found(conn: Connection, actor: Actor, view: View, limit: int, offset: int) -> StationPage:
    location = view.query.get("location", "")
    return await queries.list_stations(
        conn,
        actor.scope,
        chip=_show(view),
        text=view.query.get("q", "").strip()[:100],
        location_id=uuid_of(location, "location") if location else None,
        sort=_sort(view),
        is_descending=_is_descending(view),
        limit=limit,
        offset=offset,
    )


def _show(view: View) -> str:
    show = view.query.get("show", "all")
    return show if show in queries.STATION_CHIPS else "all"


def _sort(view: View) -> str:
    sort = view.query.get("sort", "urgency")
    return sort if sort in queries.STATION_ORDERS else "urgency"


def _is_descending(view: View) -> bool:
    return view.query.get("order") == "desc"


def _page_number(view: View) -> int:
    text = view.query.get("page", "1")
    return min(max(int(text), 1), 10_000) if text.isascii() and text.isdigit() else 1


def _headline(found: StationPage) -> tuple[str, str]:
    counts = found.counts
    if not counts["all"]:
        return "", _("No station fits.")
    if not counts["needs"]:
        return "", _("None of %(n)s needs you.", n=figures.number(counts["all"]))
    pieces = [
        _("%(n)s offline", n=figures.number(counts["offline"])) if counts["offline"] else "",
        n_("%(n)s with a connector out of order", "%(n)s with a connector out of order", counts["faulted"])
        if counts["faulted"]
        else "",
        _("%(n)s to adopt", n=figures.number(counts["pending"])) if counts["pending"] else "",
    ]
    text = ", ".join(piece for piece in pieces if piece)
    needs = _("%(n)s of %(all)s.", n=figures.number(counts["needs"]), all=figures.number(counts["all"]))
    return needs, f"{text}."


def trouble(station: StationRow) -> tuple[states.Look, str] | None:
    """What is the matter with a station, in the list's last column."""
    if station.state == "pending":
        return states.STATIONS["pending"], _("Adopt or reject it")
    if station.state == "offline":
        return states.STATIONS["offline"], _("Unreachable")
    faulted = [c for c in station.connectors if c.state == "faulted"]
    if faulted:
        labels = ", ".join(c.label for c in faulted)
        code = faulted[0].error_code
        if code and code != "NoError" and len(faulted) == 1:
            return states.CONNECTORS["faulted"], _(
                "%(connectors)s out of order: %(code)s", connectors=labels, code=code
            )
        return states.CONNECTORS["faulted"], _("%(connectors)s out of order", connectors=labels)
    out = [c.label for c in station.connectors if c.state == "unavailable"]
    if out:
        return states.CONNECTORS["unavailable"], _("%(connectors)s out of service", connectors=", ".join(out))
    if station.state == "never":
        return states.STATIONS["never"], _("Waits for its first connection")
    return None


# ------------------------------------------------------------------------------------------------- adding stations


@get("/stations/new", opt=WITHIN)
async def new_station(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """A form for one station."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "stations:write")
        locations = await queries.list_locations(conn, actor.scope)
    given = {
        "station_id": view.query.get("station", "")[:48],
        "location_id": view.query.get("location", "")[:36],
    }
    return page(
        request, "console/station_new.html", given=given, errors={}, locations=locations, **lesson_words(settings)
    )


@post("/stations/new", status_code=200, opt=WITHIN)
async def add_station(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, settings: SettingsIn
) -> Response[str]:
    """Register a station and show its password, once."""
    allow(actor, "stations:write")
    given = await _fields(request)
    errors: dict[str, str] = {}
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        try:
            wanted = _new_station(given)
            async with conn.transaction():
                location_id = await _location(conn, actor, given)
                wanted = msgspec.structs.replace(wanted, location_id=location_id)
                made = await directory.create_station(conn, actor, wanted, settings.secret())
        except msgspec.ValidationError as error:
            errors = _errors_of(error)
        except Conflict:
            errors["station_id"] = R_("A station of this name is registered already.")
        except Invalid as error:
            errors[error.field or "station_id"] = error.text
        locations = await queries.list_locations(conn, actor.scope)
    if errors:
        return page(
            request,
            "console/station_new.html",
            status=422,
            given=given,
            errors=errors,
            locations=locations,
            **lesson_words(settings),
        )
    await directory.announce(bus, actor.party_id, [wanted.station_id], "created")
    return page(
        request,
        "console/station_made.html",
        station=made.station,
        secret=made.secret,
        verb="registered",
        **lesson_words(settings),
    )


@post("/stations/{station_id:str}/adopt", status_code=200)
async def adopt_station(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, settings: SettingsIn, station_id: FromPath[str]
) -> Response[Any]:
    """Put a station that waits into service; it gets a password unless it needs none."""
    allow(actor, "stations:write")
    given = await _fields(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        async with conn.transaction():
            location_id = await _location(conn, actor, given)
            profile = given.get("security_profile", "")
            adoption = Adoption(
                name=given.get("name") or UNSET,
                location_id=location_id if location_id else UNSET,
                security_profile=int(profile) if profile in ("0", "1", "2", "3") else UNSET,
                own_password=given.get("own_password") == "yes",
            )
            made = await directory.adopt(conn, actor, station_id, adoption, settings.secret())
    await directory.announce(bus, actor.party_id, [station_id], "adopted")
    if adoption.own_password:
        return Redirect(f"/stations/{quote(station_id, safe='')}/configuration", status_code=303)
    return page(
        request,
        "console/station_made.html",
        station=made.station,
        secret=made.secret,
        verb="adopted",
        **lesson_words(settings),
    )


@post("/stations/{station_id:str}/reject")
async def reject_station(pool: PoolIn, bus: BusIn, actor: ActorIn, station_id: FromPath[str]) -> Redirect:
    """Turn a station away from now on."""
    allow(actor, "stations:write")
    async with pool.acquire() as conn, conn.transaction():
        await directory.reject(conn, actor, station_id)
    await directory.announce(bus, actor.party_id, [station_id], "rejected")
    return Redirect(f"/stations/{quote(station_id, safe='')}", status_code=303)


def _new_station(given: dict[str, str]) -> NewStation:
    n_evses = given.get("evses", "")
    raw: dict[str, Any] = {
        "station_id": given.get("station_id", ""),
        "name": given.get("name", ""),
        "security_profile": given.get("security_profile", "1"),
        "password": given.get("password") or None,
        "certificate_name": given.get("certificate_name") or None,
    }
    station = msgspec.convert(raw, NewStation, strict=False)
    if n_evses.isascii() and n_evses.isdigit() and 0 < int(n_evses) <= 99:
        station.evses = [NewEvse(evse_number=number) for number in range(1, int(n_evses) + 1)]
    elif n_evses:
        raise Invalid("A number from 1 to 99.", "evses")
    return station


async def _location(conn: Connection, actor: Actor, given: dict[str, str]) -> UUID | None:
    """The location chosen, or made on the spot from a new name."""
    name = given.get("new_location", "").strip()
    if name:
        made = await directory.create_location(conn, actor, directory.NewLocation(name=name[:200]))
        return made.location_id
    chosen = given.get("location_id", "")
    return uuid_of(chosen, "location") if chosen else None


async def _fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    """A form's fields, without the token and without files."""
    return (await form_of(request)).fields


def _errors_of(error: msgspec.ValidationError) -> dict[str, str]:
    """Words for a field that breaks its schema."""
    text = str(error)
    words = {
        "station_id": R_("1 to 48 letters, digits and *-_=:+|@. as the station will spell it in the address."),
        "password": R_("16 to 40 characters; leave it empty to have one made."),
        "name": R_("At most 200 characters."),
        "security_profile": R_("0, 1, 2 or 3."),
        "certificate_name": R_("At most 100 characters."),
    }
    name = text.rpartition("$.")[2].rstrip("`") if "$." in text else "station_id"
    return {name if name in words else "station_id": words.get(name, text)}


# --------------------------------------------------------------------------------------------------- from a table


@get("/stations/import")
async def import_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Where a table is pasted or picked."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
    return page(request, "console/station_import.html", columns=bulk.COLUMNS, table="", report=None, error=None)


@post("/stations/import", status_code=200, request_max_body_size=MAX_TABLE_BYTES)
async def import_table(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, settings: SettingsIn
) -> Response[str]:
    """First a rehearsal that changes nothing and reports every row; then, on a second press, the same for good."""
    allow(actor, "stations:write")
    given = await _fields(request)
    table, is_rehearsal = given.get("table", ""), given.get("step") != "import"
    report, error = None, None
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        transaction = conn.transaction()
        await transaction.start()
        try:
            report = await bulk.import_stations(conn, actor, table.encode(), settings.secret())
        except Invalid as invalid:
            error = invalid.text
        except BaseException:
            await transaction.rollback()
            raise
        is_kept = not is_rehearsal and error is None
        await (transaction.commit() if is_kept else transaction.rollback())
    if is_kept and report is not None:
        await directory.announce(bus, actor.party_id, report.changed_ids, "changed")
    return page(
        request,
        "console/station_import.html",
        status=422 if error else 200,
        columns=bulk.COLUMNS,
        table=table,
        report=report,
        is_rehearsal=is_rehearsal,
        error=error,
    )


def not_found(station_id: str) -> NotFound:
    return NotFound(f"no station {station_id[:48]}")
