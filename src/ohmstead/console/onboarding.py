"""Who wants in? Stations that wait for adoption, how each goes into service; and what outlets a station has."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.console.forms import form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.console.overview import lesson_words
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.language import _, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.pages import queries as pages
from ohmstead.stations import queries
from ohmstead.stations.device import queries as device
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.service import Adoption, NewConnector, NewEvse, NewLocation, StationChange
from ohmstead.stations.queries import StationView
from ohmstead.ui.templating import page

SHOWN = 200
# What people meet; any other name of OCPI's may be typed.
STANDARDS = (
    "IEC_62196_T2",
    "IEC_62196_T2_COMBO",
    "CHADEMO",
    "IEC_62196_T1",
    "IEC_62196_T1_COMBO",
    "NACS",
    "DOMESTIC_F",
    "IEC_62196_T3C",
)


@get("/onboarding")
async def onboarding(request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn) -> Response[str]:
    """All that wait, the longest waiting last; and how to make one come."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await pages.list_stations(conn, actor.scope, chip="pending", sort="urgency", limit=SHOWN)
    return page(request, "console/onboarding.html", found=found, simulate_command=None, **lesson_words(settings))


@get("/onboarding/{station_id:str}")
async def adoption(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[Any]:
    """One that waits: what it says of itself, and the form that puts it into service."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        station = await queries.get_station_view(conn, actor.party_id, station_id)
        if station.registration != "pending" or station.retired_at is not None:
            return Redirect(f"/stations/{quote(station_id, safe='')}", status_code=303)
        return await _adoption(request, conn, actor, station, _outlets_shown(station), {})


@post("/onboarding/{station_id:str}", status_code=200)
async def decide(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, settings: SettingsIn, station_id: FromPath[str]
) -> Response[Any]:
    """Adopt it, or turn it away."""
    allow(actor, "stations:write")
    given = await _fields(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        station = await queries.get_station_view(conn, actor.party_id, station_id)
        if given.get("do") == "reject":
            async with conn.transaction():
                await directory.reject(conn, actor, station_id, reason=given.get("reason", "")[:300])
            await directory.announce(bus, actor.party_id, [station_id], "rejected")
            return Redirect("/onboarding", status_code=303)
        try:
            async with conn.transaction():
                made = await directory.adopt(
                    conn, actor, station_id, await _adoption_of(conn, actor, given), settings.secret()
                )
        except (Invalid, Refused, Conflict, msgspec.ValidationError) as error:
            return await _adoption(request, conn, actor, station, given, _errors(error))
    await directory.announce(bus, actor.party_id, [station_id], "adopted")
    if given.get("own_password") == "yes":
        return Redirect(f"/stations/{quote(station_id, safe='')}/configuration", status_code=303)
    words = lesson_words(settings)
    return page(request, "console/station_made.html", station=made.station, secret=made.secret, verb="adopted", **words)


async def _adoption_of(conn: Connection, actor: Actor, given: dict[str, str]) -> Adoption:
    """Raises Invalid and msgspec.ValidationError."""
    evses = outlets_of(given)
    new_name, chosen = given.get("new_location", ""), given.get("location_id", "")
    location_id = uuid_of(chosen, "location") if chosen else None
    if new_name:
        made = await directory.create_location(conn, actor, msgspec.convert({"name": new_name}, NewLocation))
        location_id = made.location_id
    profile = given.get("security_profile", "")
    return msgspec.convert(
        {
            "name": given.get("name", ""),
            "location_id": location_id,
            "security_profile": int(profile) if profile in ("0", "1", "2", "3") else 1,
            "own_password": given.get("own_password") == "yes",
            "takes_templates": given.get("takes_templates") == "yes",
            "evses": msgspec.to_builtins(evses),
        },
        Adoption,
    )


async def _adoption(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    station: StationView,
    given: dict[str, str],
    errors: dict[str, str],
) -> Response[str]:
    templates = await device.list_templates(conn, actor.party_id, limit=50)
    return page(
        request,
        "console/adoption.html",
        status=422 if errors else 200,
        station=station,
        given=given,
        errors=errors,
        templates=[one.name for one in templates if one.is_enabled],
        locations=await pages.list_locations(conn, actor.scope),
        evses=_numbers(given),
        standards=STANDARDS,
    )


# --------------------------------------------------------------------------------------------------------- outlets


@get("/stations/{station_id:str}/outlets")
async def outlets(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """EVSEs and connectors of a station, as people know them."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        station = await queries.get_station_view(conn, actor.party_id, station_id)
    return _outlets_page(request, station, _outlets_shown(station), {})


@post("/stations/{station_id:str}/outlets", status_code=200)
async def change_outlets(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[str]:
    """Keep what was typed; or put one more EVSE or connector into the form, which is kept with the rest."""
    allow(actor, "stations:write")
    given = await _fields(request)
    verb, _colon, target = given.get("do", "save").partition(":")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        station = await queries.get_station_view(conn, actor.party_id, station_id)
        if verb == "add":
            return _outlets_page(request, station, _with_one_more(given, target), {})
        version = given.get("version", "")
        try:
            change = msgspec.convert({"evses": msgspec.to_builtins(outlets_of(given))}, StationChange)
            async with conn.transaction():
                expected = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
                station = await directory.change_station(conn, actor, station_id, change, expected)
        except Conflict as conflict:
            fresh = given | {"version": str(station.version)}
            text = _("%(why)s; saved once more, yours count", why=told(conflict))
            return _outlets_page(request, station, fresh, {"evses": text})
        except (Invalid, msgspec.ValidationError) as error:
            return _outlets_page(request, station, given, _errors(error))
    await directory.announce(bus, actor.party_id, [station_id], "changed")
    return _outlets_page(request, station, _outlets_shown(station), {}, is_saved=True)


def _outlets_page(
    request: PageRequest, station: StationView, given: dict[str, str], errors: dict[str, str], is_saved: bool = False
) -> Response[str]:
    return page(
        request,
        "console/outlets.html",
        status=422 if errors else 200,
        station=station,
        given={"version": str(station.version)} | given,
        errors=errors,
        evses=_numbers(given),
        standards=STANDARDS,
        is_saved=is_saved,
    )


def outlets_of(given: dict[str, str]) -> list[NewEvse]:
    """EVSEs from a form's fields, `evse.1.kw` and `plug.1.2.standard`. Raises Invalid."""
    evses = []
    for number, plugs in _numbers(given).items():
        key = f"evse.{number}"
        raw: dict[str, Any] = {
            "evse_number": number,
            "current_type": given.get(f"{key}.type") or None,
            "max_power_w": _watts(given.get(f"{key}.kw", ""), f"{key}.kw"),
            "physical_reference": given.get(f"{key}.reference") or None,
            "connectors": [
                NewConnector(
                    connector_number=plug,
                    standard=given.get(f"plug.{number}.{plug}.standard") or None,
                    max_power_w=_watts(given.get(f"plug.{number}.{plug}.kw", ""), f"plug.{number}.{plug}.kw"),
                )
                for plug in plugs
            ],
        }
        evses.append(msgspec.convert(msgspec.to_builtins(raw), NewEvse))
    return evses


def _watts(text: str, field: str) -> int | None:
    """Kilowatts as people type them."""
    if not text:
        return None
    try:
        power_w = round(float(text.replace(",", ".")) * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid("a number of kilowatts", field) from error
    if not 1 <= power_w <= 10_000_000:
        raise Invalid("more than 0 and at most 10000 kW", field)
    return power_w


def _outlets_shown(station: StationView) -> dict[str, str]:
    """What the form holds of a station's outlets."""
    given: dict[str, str] = {}
    for evse in station.evses:
        key = f"evse.{evse.evse_number}"
        given |= {
            f"{key}.type": evse.current_type or "",
            f"{key}.kw": _kilowatts(evse.max_power_w),
            f"{key}.reference": evse.physical_reference or "",
        }
        for plug in evse.connectors:
            key = f"plug.{evse.evse_number}.{plug.connector_number}"
            given |= {f"{key}.standard": plug.standard or "", f"{key}.kw": _kilowatts(plug.max_power_w)}
    return given


def _kilowatts(power_w: int | None) -> str:
    return "" if power_w is None else f"{power_w / 1000:g}"


def _numbers(given: dict[str, str]) -> dict[int, list[int]]:
    """EVSE numbers with those of their connectors, in order, as the form's fields name them."""
    found: dict[int, set[int]] = {}
    for name in given:
        kind, *rest = name.split(".")
        if kind == "evse" and len(rest) == 2 and _is_number(rest[0]):
            found.setdefault(int(rest[0]), set())
        elif kind == "plug" and len(rest) == 3 and _is_number(rest[0]) and _is_number(rest[1]):
            found.setdefault(int(rest[0]), set()).add(int(rest[1]))
    return {number: sorted(found[number]) for number in sorted(found)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 3 and int(text) > 0


def _with_one_more(given: dict[str, str], target: str) -> dict[str, str]:
    """The form with one more EVSE, or with one more connector of the EVSE `target`."""
    numbers = _numbers(given)
    if _is_number(target) and int(target) in numbers:
        plug = max(numbers[int(target)], default=0) + 1
        return given | ({f"plug.{target}.{plug}.standard": "", f"plug.{target}.{plug}.kw": ""} if plug < 100 else {})
    number = max(numbers, default=0) + 1
    if number > 99:
        return given
    fresh = dict.fromkeys((f"evse.{number}.type", f"evse.{number}.kw", f"evse.{number}.reference"), "")
    return given | fresh | {f"plug.{number}.1.standard": "", f"plug.{number}.1.kw": ""}


async def _fields(request: PageRequest) -> dict[str, str]:
    return (await form_of(request)).fields


def _errors(error: Exception) -> dict[str, str]:
    if isinstance(error, msgspec.ValidationError):
        field, text = fault_of(error)
        return {field.partition("[")[0].partition(".")[0] or "evses": in_words(text)}
    if isinstance(error, Invalid):
        return {error.field or "evses": told(error)}
    return {"evses": told(error)}


HANDLERS = [onboarding, adoption, decide, outlets, change_outlets]
