"""Orders to one station from its page: filled in, sent, followed, cancelled, sent again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.console import command_panel, order_form, orders, schema_form
from ohmstead.console.frame import ActorIn, DeskIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.station import now_of
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.language import _, told
from ohmstead.reports.pages import queries as pages
from ohmstead.stations import queries
from ohmstead.stations import service as stations
from ohmstead.stations.commands import Command, Order
from ohmstead.stations.orders import Raw
from ohmstead.ui.templating import View, page

QUEUE_FOR_S = 3600.0
WAIT_S = 25.0
# What fits into an address without a browser or a proxy cutting it off.
MOST_IN_ADDRESS = 6000


@get("/stations/{station_id:str}/command")
async def command_form(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[Any]:
    """The form of an order, with what it will do as things stand now."""
    if "hx-request" not in request.headers:
        query = request.url.query
        return Redirect(f"/stations/{station_id}?{query}#command", status_code=303)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        context = await now_of(conn, actor, station_id)
        context |= await command_panel.panel(conn, actor, context, view, view.query)
    context["is_focus"] = view.query["focus"] == "1"
    return page(request, "station/command.html", **context)


@post("/stations/{station_id:str}/command/form", status_code=200)
async def change_form(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[Any]:
    """The form with a part added or taken away, as JSON or back again, or taken along to many stations. Nothing is sent."""
    fields = await _fields(request)
    do = fields.pop("do", "")
    errors: dict[str, str] = {}
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        context = await now_of(conn, actor, station_id)
        version = context["station"]["ocpp_version"]
        if do == "json":
            text = order_form.json_of(fields, version, view.zone)
            name = "payload" if fields.get("kind") == "raw" else "order"
            fields |= {"mode": "json", name: text, "action": fields.get("pick", "")}
        elif do == "form":
            fields, errors = _as_form(fields, version, view)
        elif do == "many":
            order, errors = _order_in(fields, version, view)
            address = _to_many(order) if order is not None else ""
            if address and len(address) <= MOST_IN_ADDRESS:
                return Response("", headers={"HX-Redirect": address})
            errors = errors or {"": _("It is too long to be taken along: use the API, or import it as JSON there.")}
        else:
            fields = schema_form.changed(fields, do)
        context |= await command_panel.panel(conn, actor, context, view, fields, errors)
    if do.startswith("add:") and context["form"] is not None:
        context["focus"] = order_form.first_in(context["form"].nodes, _added(fields, do.removeprefix("add:")))
    return page(request, "station/command.html", status=422 if errors else 200, **context)


def _as_form(fields: dict[str, str], version: str | None, view: View) -> tuple[dict[str, str], dict[str, str]]:
    is_raw = fields.get("kind") == "raw"
    text = fields.get("payload" if is_raw else "order", "")
    try:
        return order_form.fields_in(
            "raw" if is_raw else "order", text, fields.get("action", ""), version, view.zone
        ), {}
    except Invalid as invalid:
        return fields, {invalid.field: told(invalid)}


def _added(fields: Mapping[str, str], path: str) -> str:
    """Where what was added begins."""
    n = fields.get(f"n:{path}")
    return f"{path}[{int(n) - 1}]" if n else path


def _to_many(order: Order) -> str:
    if isinstance(order, Raw):
        payload = orders.as_json(order.payload)
        return f"/stations/bulk?{urlencode({'kind': 'raw', 'action': order.action, 'payload': payload})}"
    return f"/stations/bulk?{urlencode({'kind': 'order', 'order': orders.as_json(order)})}"


def _is_raw(fields: Mapping[str, str]) -> bool:
    return fields.get("kind") == "raw"


@post("/stations/{station_id:str}/command", status_code=200, opt={"needs_proof": _is_raw})
async def send_command(
    request: PageRequest, pool: PoolIn, desk: DeskIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[Any]:
    """Send an order, wait for the station's answer, and show it."""
    allow(actor, "commands:send")
    fields = await _fields(request)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        context = await now_of(conn, actor, station_id)
    choice = orders.choose(fields, context["connectors"])
    done: Command | None = None
    try:
        order, errors = _order_in(choice.fields, context["station"]["ocpp_version"], view)
        if order is not None:
            if orders.is_unchecked(order):
                allow(actor, "commands:raw")
            done = await desk.send(
                order,
                party_id=actor.party_id,
                station_id=station_id,
                requested_by=actor.actor_id,
                timeout_s=WAIT_S,
                queue_for_s=QUEUE_FOR_S if fields.get("queue") == "yes" else None,
            )
    except Invalid as invalid:
        errors = {_place(invalid, choice): told(invalid)}
    except Refused as refused:
        errors = {_place(Invalid(refused.text, "order"), choice): told(refused)}
    if "hx-request" not in request.headers and done is not None:
        return Redirect(f"/stations/{station_id}#command", status_code=303)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        context = await now_of(conn, actor, station_id)
        if done is not None:
            errors = command_panel.faults_of(done, _named(fields))
        context |= await command_panel.panel(conn, actor, context, view, fields, errors)
        context["sent"] = await command_panel.sent_of(conn, actor, queries.without_secrets(done)) if done else None
    return page(
        request, "station/command.html", status=422 if errors and not done else 200, **context | {"is_focus": True}
    )


async def _fields(request: PageRequest) -> dict[str, str]:
    form = await request.form()
    return {k: v for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}


def _order_in(fields: Mapping[str, str], version: str | None, view: View) -> tuple[Order | None, dict[str, str]]:
    """The order in a form, drawn or written. Raises Invalid for a written one that does not fit."""
    if fields.get("kind") in ("order", "raw") and fields.get("mode") == "form":
        return order_form.order_in(fields, version, view.zone)
    return orders.order_from(orders.Choice(kind=fields.get("kind", ""), fields=fields)), {}


def _named(fields: Mapping[str, str]) -> list[str]:
    return [key[2:].partition("=")[0] for key in fields if key[1:2] == ":"]


def _place(error: Invalid, choice: orders.Choice) -> str:
    """The field at which an error is shown."""
    if choice.get("mode") == "form" or error.field in choice.fields:
        return error.field
    return choice.kind if choice.kind == "order" else "kind"


@get("/stations/{station_id:str}/commands")
async def last_commands(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """The last ones and how they stand."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "commands:send")
        if await pages.find_station(conn, actor.party_id, station_id) is None:
            raise NotFound(f"no station {station_id}")
        found = await pages.list_commands(conn, actor.party_id, station_id, command_panel.LAST_COMMANDS)
    return page(request, "station/commands.html", commands=found, station_id=station_id, name_of=order_form.name_of)


@get("/stations/{station_id:str}/commands/{command_id:str}")
async def command(
    request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str], command_id: FromPath[str]
) -> Response[str]:
    """One of them: the frame that went out, and what came back."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "commands:send")
        found = await queries.get_command_view(conn, actor.party_id, uuid_of(command_id, "command"))
        sent = await command_panel.sent_of(conn, actor, found)
    return page(request, "station/sent.html", sent=sent, is_focus=False)


@post("/stations/{station_id:str}/commands/{command_id:str}/cancel", status_code=200)
async def cancel_command(
    request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str], command_id: FromPath[str]
) -> Response[Any]:
    """An order that waits for its station goes out no more."""
    allow(actor, "commands:send")
    async with pool.acquire() as conn, conn.transaction():
        found = await stations.cancel_command(conn, actor, uuid_of(command_id, "command"))
    if "hx-request" not in request.headers:
        return Redirect(f"/stations/{found.station_id}#command", status_code=303)
    async with pool.acquire() as conn:
        sent = await command_panel.sent_of(conn, actor, queries.without_secrets(found))
    return page(request, "station/sent.html", sent=sent, is_focus=True)


HANDLERS = [command_form, change_form, send_command, last_commands, command, cancel_command]
