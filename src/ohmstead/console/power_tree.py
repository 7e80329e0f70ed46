"""What may this site draw, and through what? The editor of a location's power tree: forms alone, no dragging.

Every button saves the whole tree as it stands in the form, and then does what it says. What was deleted is offered back.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from ohmstead.accounts.access import Actor
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_id
from ohmstead.core.language import _, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.pages import queries as pages
from ohmstead.stations import queries
from ohmstead.stations.sites import service
from ohmstead.stations.sites.model import Circuit, PowerTree
from ohmstead.ui.templating import page

_FIRST_A = Decimal(63)
_FIELDS = ("name", "limit_a", "phases", "voltage_v", "parent_id")


@get("/locations/{location_id:str}/power")
async def power_tree(request: PageRequest, pool: PoolIn, actor: ActorIn, location_id: FromPath[str]) -> Response[str]:
    """The tree, and which circuit feeds each station."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        return await _drawn(request, conn, actor, uuid_of(location_id, "location"))


@post("/locations/{location_id:str}/power", status_code=200)
async def change_power_tree(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, location_id: FromPath[str]
) -> Response[str]:
    """Save what is in the form, and do what the button says: nothing more, add below, delete, or bring back."""
    allow(actor, "stations:write")
    known = uuid_of(location_id, "location")
    form = await request.form()
    given = {name: value.strip() for name, value in form.items() if isinstance(value, str) and name != "csrf_token"}
    verb, _colon, target = given.get("do", "save").partition(":")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "stations:write")
        await queries.get_location(conn, actor.party_id, known)
        try:
            if verb == "undo":
                circuits = msgspec.json.decode(given.get("undo", ""), type=list[Circuit])
                gone: list[Circuit] = []
            else:
                circuits = _typed(given)
                circuits, gone = _done(circuits, verb, target)
            before = _typed(given) if gone else []
            async with conn.transaction():
                await service.change_tree(conn, actor, known, circuits, _version(given))
        except Conflict:
            text = _("Somebody else changed this location meanwhile. This is how it is now; yours is below it.")
            return await _drawn(request, conn, actor, known, mine=given, stale=text)
        except (Invalid, msgspec.MsgspecError) as error:
            return await _drawn(request, conn, actor, known, mine=given, error=error)
        await bus.publish(NUDGE, {})
        added = str(circuits[-1].circuit_id) if verb == "add" else ""
        return await _drawn(request, conn, actor, known, gone=gone, before=before, added=added)


def _version(given: dict[str, str]) -> int:
    text = given.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _typed(given: dict[str, str]) -> list[Circuit]:
    """The tree as it stands in the form. Raises Invalid, as the tree's own rules do: by the circuit's place."""
    ids = given.get("circuits", "").split()
    stations: dict[str, list[str]] = {}
    for name, circuit_id in given.items():
        if name.startswith("station.") and circuit_id:
            stations.setdefault(circuit_id, []).append(name.removeprefix("station."))
    circuits = []
    for n, circuit_id in enumerate(ids):
        cells = {field: given.get(f"{field}.{circuit_id}", "") for field in _FIELDS}
        raw: dict[str, Any] = {
            "circuit_id": circuit_id,
            "name": cells["name"],
            "limit_a": _decimal(cells["limit_a"], f"circuits[{n}].limit_a"),
            "phases": 1 if cells["phases"] == "1" else 3,
            "voltage_v": _whole(cells["voltage_v"] or "230", f"circuits[{n}].voltage_v"),
            "parent_id": cells["parent_id"] or None,
            "station_ids": stations.get(circuit_id, []),
        }
        try:
            circuits.append(msgspec.convert(raw, Circuit))
        except msgspec.ValidationError as error:
            field, text = fault_of(error)
            raise Invalid(in_words(text), f"circuits[{n}].{field}") from error
    return circuits


def _decimal(text: str, field: str) -> Decimal:
    try:
        return Decimal(text.replace(",", "."))
    except InvalidOperation as error:
        raise Invalid("a number of amperes", field) from error


def _whole(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Invalid("a whole number of volts", field)
    return int(text)


def _done(circuits: list[Circuit], verb: str, target: str) -> tuple[list[Circuit], list[Circuit]]:
    """The tree after what the button says, and what is gone from it."""
    if verb == "add":
        above = next((one for one in circuits if str(one.circuit_id) == target), None)
        taken = {one.name.lower() for one in circuits}
        first = _("Circuit") if above else _("Grid connection")
        name = next(n for n in (first, *(f"{first} {k}" for k in range(2, 300))) if n.lower() not in taken)
        fresh = Circuit(
            circuit_id=new_id(),
            name=name,
            limit_a=above.limit_a if above else _FIRST_A,
            phases=above.phases if above else 3,
            voltage_v=above.voltage_v if above else 230,
            parent_id=above.circuit_id if above else None,
        )
        return [*circuits, fresh], []
    if verb == "delete":
        gone = {target}
        while more := {
            str(one.circuit_id) for one in circuits if str(one.parent_id) in gone and str(one.circuit_id) not in gone
        }:
            gone |= more
        return (
            [one for one in circuits if str(one.circuit_id) not in gone],
            [one for one in circuits if str(one.circuit_id) in gone],
        )
    return circuits, []


async def _drawn(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    location_id: UUID,
    *,
    mine: dict[str, str] | None = None,
    error: Exception | None = None,
    stale: str = "",
    gone: list[Circuit] | None = None,
    before: list[Circuit] | None = None,
    added: str = "",
) -> Response[str]:
    location = await queries.get_location(conn, actor.party_id, location_id)
    tree = await service.get_tree(conn, actor.party_id, location_id)
    stations = await pages.list_stations(conn, actor.scope, location_id=location_id, sort="station", limit=1000)
    errors, whole = _errors(error, mine or {})
    return page(
        request,
        "console/power_tree.html",
        status=409 if stale else 422 if error else 200,
        location=location,
        tree=tree,
        stations=stations.rows,
        given=_shown(tree) | (mine or {} if error else {}),
        mine=_lost(tree, mine or {}) if stale else [],
        errors=errors,
        error=stale or whole,
        gone=gone or [],
        undo=msgspec.json.encode(before or []).decode(),
        added=added,
        doubts={doubt.circuit_id: doubt for doubt in reversed(tree.doubts)},
    )


def _shown(tree: PowerTree) -> dict[str, str]:
    """What the form holds of a tree."""
    given: dict[str, str] = {}
    for one in tree.circuits:
        cells = (
            one.name,
            f"{one.limit_a.normalize():f}",
            str(one.phases),
            str(one.voltage_v),
            str(one.parent_id or ""),
        )
        given |= {f"{field}.{one.circuit_id}": cell for field, cell in zip(_FIELDS, cells, strict=True)}
        given |= {f"station.{station_id}": str(one.circuit_id) for station_id in one.station_ids}
    return given


def _lost(tree: PowerTree, mine: dict[str, str]) -> list[tuple[str, str, str]]:
    """(what, how it is now, what was typed) where somebody else's tree and what was typed are not the same."""
    stored = _shown(tree)
    names = {str(one.circuit_id): one.name for one in tree.circuits}
    words = {
        "name": _("name"),
        "limit_a": _("limit, A"),
        "phases": _("phases"),
        "voltage_v": _("volts"),
        "parent_id": _("fed by"),
        "station": _("circuit"),
    }
    found = []
    for key, typed in mine.items():
        field, dot, thing = key.partition(".")
        if dot and (field in _FIELDS or field == "station") and stored.get(key, "") != typed:
            of = thing if field == "station" else f"{names.get(thing, mine.get(f'name.{thing}', ''))}"
            now, then = stored.get(key, ""), typed
            if field in ("parent_id", "station"):
                now, then = names.get(now, now), names.get(then, mine.get(f"name.{then}", then))
            found.append((f"{of}: {words[field]}", now, then))
    return found


def _errors(error: Exception | None, mine: dict[str, str]) -> tuple[dict[str, str], str]:
    """Words by the form's field; and those that belong to none."""
    if error is None:
        return {}, ""
    if not isinstance(error, Invalid):
        return {}, _("What was deleted cannot be brought back: it is not what this page gave.")
    place, dot, field = error.field.partition("].")
    number = place.partition("[")[2]
    ids = mine.get("circuits", "").split()
    if dot and number.isdigit() and int(number) < len(ids):
        name = "station_ids" if field.startswith("station_ids") else field
        return {f"{name}.{ids[int(number)]}": told(error)}, told(error) if name == "station_ids" else ""
    return {}, told(error)


HANDLERS = [power_tree, change_power_tree]
