"""The command panel of a station: the order being filled in, what it will do, and the last ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.console import order_form, orders
from ohmstead.console.messages import Exchange, exchange
from ohmstead.core.db import Connection
from ohmstead.core.language import told
from ohmstead.reports.pages import queries
from ohmstead.reports.wire import queries as wire
from ohmstead.stations import service as stations
from ohmstead.stations.capabilities import capabilities
from ohmstead.stations.commands import Command
from ohmstead.ui.templating import View

LAST_COMMANDS = 6


class Sent(Struct, frozen=True, kw_only=True):
    """An order that went out, and, once the log has it, the exchange in which it did."""

    command: Command
    frame: Exchange | None
    words: str


async def panel(
    conn: Connection,
    actor: Actor,
    context: Mapping[str, Any],
    view: View,
    given: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the panel's template needs. `given`: the fields so far, or of the address; `errors` by field."""
    station, connectors = context["station"], context["connectors"]
    station_id, version = station["station_id"], station["ocpp_version"]
    given, remembered = await _begun(conn, actor, station_id, given)
    choice = orders.choose(given, connectors)
    is_online = station["state"] == "online"
    form = None
    if choice.kind in ("order", "raw"):
        known = await stations.list_features(conn, {station_id: version})
        form = order_form.opened(
            choice.fields,
            version,
            capabilities(version, known.get(station_id)),
            errors=errors,
            remembered=remembered,
            zone=view.zone,
        )
    effect = orders.effect(choice, connectors, is_online)
    return {
        "choice": choice,
        "form": form,
        "effect": effect,
        "consequence": _consequence(form, effect),
        "kinds": {k: v for k, v in orders.KINDS.items() if k != "raw" or view.may("commands:raw")},
        "name_of": order_form.name_of,
        "askable": orders.ASKABLE,
        "raw_actions": orders.actions_for(version),
        "is_online": is_online,
        "sent": None,
        "errors": dict(errors or {}),
        "is_focus": False,
        "focus": next(iter(errors or {}), ""),
        "commands": await queries.list_commands(conn, actor.party_id, station_id, LAST_COMMANDS),
    }


def _consequence(form: order_form.OrderForm | None, effect: orders.Effect) -> str:
    """What is asked about once before it goes out."""
    if form is not None:
        return form.consequence
    return effect.text if effect.tone == "failed" else ""


async def _begun(
    conn: Connection, actor: Actor, station_id: str, given: Mapping[str, str]
) -> tuple[Mapping[str, str], Mapping[str, Any] | None]:
    """(the fields, what an empty form begins with): an order to be sent again, else what this person last sent."""
    try:
        again = await wire.find_parameters(conn, actor.party_id, station_id, UUID(given.get("again", "")))
    except ValueError:
        again = None
    if again is not None:
        kind, action, parameters = again
        if kind == "raw":
            return {"kind": "raw", "pick": action}, parameters.get("payload")
        return {"kind": "order", "pick": kind}, parameters
    pick = given.get("pick", "")
    if not pick or given.get("blank"):
        return given, None
    if given.get("kind") == "raw":
        last = await wire.last_parameters(conn, actor.party_id, actor.actor_id, "raw", pick)
        return given, last.get("payload") if last else None
    return given, await wire.last_parameters(conn, actor.party_id, actor.actor_id, pick)


async def sent_of(conn: Connection, actor: Actor, command: Command) -> Sent:
    """An order with the frame that carried it."""
    row = None
    if command.message_id is not None:
        row = await wire.find_sent(conn, actor.party_id, command.station_id, command.message_id, command.requested_at)
    return Sent(command=command, frame=exchange(row) if row else None, words=orders.outcome(command))


def faults_of(command: Command, known: Sequence[str]) -> dict[str, str]:
    """What kept an order from leaving, by field, where it names fields of the form."""
    if command.status != "failed" or command.error_code not in ("schema", "refused"):
        return {}
    faults = (fault.partition(": ") for fault in (command.error_text or "").split("; "))
    return {field: told(rule) for field, _, rule in faults if rule and field in known}
