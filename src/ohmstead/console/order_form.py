"""Every order, and every message of a version, as a form drawn from its schema; what hurts says so before. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import cache
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from ohmstead.console import order_help, schema_form
from ohmstead.console.orders import STORED, actions_for
from ohmstead.console.schema_form import Node, OrderWords, Schema, Words
from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_, _, p_, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.wire import official
from ohmstead.reports.wire.explain import about_action, about_field, about_value
from ohmstead.stations import orders
from ohmstead.stations.capabilities import Capability

GROUPS: Final = {
    "charging": "Charging",
    "operating": N_("The station itself"),
    "device": N_("Settings and monitoring"),
    "drivers": N_("Drivers: lists, reservations, display, tariffs"),
    "upkeep": N_("Firmware, logs, certificates"),
    "grid": N_("The grid"),
}
# What is told before an order goes out that is hard to take back, or that drivers feel; by kind and by OCPP's action.
CONSEQUENCES: Final = {
    "reset": N_("The station restarts. Sessions are ended or cut off, as chosen, and it is away for a minute or two."),
    "set_availability": N_("Out of service, it takes no new sessions until somebody puts it back."),
    "unlock": N_("A session there is ended and the cable is released."),
    "remote_stop": N_("The session ends; the driver is not asked."),
    "set_network_profile": N_(
        "With a wrong profile the station may not find its way back, and somebody has to drive there."
    ),
    "set_variables": N_(
        "The station works with the new values; wrong ones can cut it off or keep drivers from charging."
    ),
    "update_firmware": N_(
        "The station fetches and installs firmware and restarts; with firmware that does not fit it may stay dark."
    ),
    "install_certificate": N_("The station trusts whoever this root vouches for."),
    "delete_certificate": N_("Without its root the station may not be able to connect again."),
    "deliver_certificate": N_("The station proves itself with this certificate from now on."),
    "customer_information": N_(
        "If so chosen, the station forgets what it keeps about a person. That cannot be taken back."
    ),
    "clear_profiles": N_("Limits that protect the building’s connection may be among those taken away."),
    "send_local_list": N_("Who may charge while the station is offline is replaced, in whole or in part."),
    "clear_der_controls": N_("Rules that the grid operator wants may be among those taken away."),
}
_ACTIONS: Final = {
    "Reset": "reset",
    "ChangeAvailability": "set_availability",
    "UnlockConnector": "unlock",
    "RemoteStopTransaction": "remote_stop",
    "RequestStopTransaction": "remote_stop",
    "SetNetworkProfile": "set_network_profile",
    "SetVariables": "set_variables",
    "ChangeConfiguration": "set_variables",
    "UpdateFirmware": "update_firmware",
    "SignedUpdateFirmware": "update_firmware",
    "InstallCertificate": "install_certificate",
    "DeleteCertificate": "delete_certificate",
    "CertificateSigned": "deliver_certificate",
    "CustomerInformation": "customer_information",
    "ClearChargingProfile": "clear_profiles",
    "SendLocalList": "send_local_list",
    "ClearDERControl": "clear_der_controls",
}


class Offer(Struct, frozen=True, kw_only=True):
    """A kind of order, or a message, to pick; `reason` says why the station cannot."""

    key: str
    name: str
    about: str
    reason: str | None = None


class OfferGroup(Struct, frozen=True, kw_only=True):
    """Offers that belong together."""

    title: str
    offers: list[Offer]


class OrderForm(Struct, kw_only=True):
    """An order as it is being filled in. `mode`: pick one, fill in its form, or write JSON."""

    kind: Literal["order", "raw"]
    mode: Literal["pick", "form", "json"]
    pick: str = ""
    name: str = ""
    about: str = ""
    nodes: list[Node] = []
    fields: dict[str, str] = {}
    text: str = ""
    consequence: str = ""
    groups: list[OfferGroup] = []
    is_remembered: bool = False
    other_errors: list[str] = []


class MessageWords(Words):
    """For messages of OCPP: their own names, explained in plain words."""

    def help(self, name: str, schema: Schema) -> str:
        return about_field(name) or ""

    def choice(self, name: str, value: str) -> str:
        means = about_value(name, value)
        return f"{value}: {means}" if means and means.lower() != value.lower() else value


def name_of(kind: str) -> str:
    """A kind of order for people."""
    return _(STORED.get(kind) or kind.replace("_", " ").capitalize())


def offers(version: str | None, known: Sequence[Capability], kind: Literal["order", "raw"]) -> list[OfferGroup]:
    """What can be picked: every kind of order, or every message of the version."""
    if kind == "raw":
        found = [
            Offer(key=action, name=action, about=about_action(action) or "")
            for action in actions_for(version)
            if official.schema(version or "", action) is not None
        ]
        return [OfferGroup(title=_("To a station with OCPP %(version)s", version=version or "…"), offers=found)]
    reasons = {one.kind: one.reason for one in known}
    groups: dict[str, list[Offer]] = {group: [] for group in GROUPS}
    for key, struct in orders.KINDS.items():
        if key == "raw":
            continue
        group = struct.__module__.rpartition(".")[2]
        offer = Offer(key=key, name=name_of(key), about=order_help.about(key), reason=reasons.get(key))
        groups[group].append(offer)
    titles = {group: _(title) for group, title in GROUPS.items()} | {"charging": p_("of orders", "Charging")}
    return [OfferGroup(title=titles[group], offers=found) for group, found in groups.items()]


def texts() -> Iterator[tuple[str | None, str]]:
    """(context, English) of all that is said of orders of ours where their types stand: for the catalogues."""
    for kind in orders.KINDS:
        yield None, order_help.told_of(kind)
        if (schema := schema_of("order", kind, None)) is not None:
            yield from schema_form.texts_in(schema)


@cache
def schema_of(kind: str, pick: str, version: str | None) -> Schema | None:
    """The schema of an order of ours, or of a version's message; None for what there is not."""
    if kind == "raw":
        return official.schema(version or "", pick) if pick in actions_for(version) else None
    return msgspec.json.schema(orders.KINDS[pick]) if pick in orders.KINDS and pick != "raw" else None


def opened(
    given: Mapping[str, str],
    version: str | None,
    known: Sequence[Capability],
    *,
    errors: Mapping[str, str] | None = None,
    remembered: Mapping[str, Any] | None = None,
    zone: tzinfo,
) -> OrderForm:
    """The form as the fields `given` say; empty ones of a fresh form are filled in with what is `remembered`."""
    kind: Literal["order", "raw"] = "raw" if given.get("kind") == "raw" else "order"
    pick, text = given.get("pick", ""), given.get("payload" if kind == "raw" else "order", "")
    schema = schema_of(kind, pick, version)
    if given.get("mode") == "json" or (text and schema is None):
        form = OrderForm(kind=kind, mode="json", pick=pick, text=text or _beginning(kind))
        named = given.get("action", "") if kind == "raw" else order_help.kind_in(form.text) or ""
        form.consequence = consequence(kind, named)
        return form
    if schema is None:
        return OrderForm(kind=kind, mode="pick", groups=offers(version, known, kind))
    is_fresh = not any(key[1:2] == ":" for key in given)
    fields = dict(given)
    if is_fresh and remembered:
        fields |= schema_form.fields_of(schema, remembered, zone)
    words: Words = MessageWords() if kind == "raw" else OrderWords()
    form = OrderForm(kind=kind, mode="form", pick=pick, fields=fields, is_remembered=bool(is_fresh and remembered))
    form.name = pick if kind == "raw" else name_of(pick)
    form.about = (about_action(pick) if kind == "raw" else order_help.about(pick)) or ""
    form.consequence = consequence(kind, pick)
    errors = errors or {}
    form.nodes = schema_form.drawn(schema, fields, words, errors)
    shown = set(_paths(form.nodes))
    form.other_errors = [f"{path}: {text}" if path else text for path, text in errors.items() if path not in shown]
    return form


def consequence(kind: str, pick: str) -> str:
    """What to know before it goes out; "" where nothing can go wrong that is hard to take back."""
    return _(CONSEQUENCES.get(_ACTIONS.get(pick, "") if kind == "raw" else pick, ""))


def order_in(given: Mapping[str, str], version: str | None, zone: tzinfo) -> tuple[orders.Order | None, dict[str, str]]:
    """(the order that a filled-in form asks for, what is wrong by path): one of them is empty."""
    kind, pick = given.get("kind", ""), given.get("pick", "")
    schema = schema_of(kind, pick, version)
    if schema is None:
        return None, {"": _("Which order?")}
    value, errors = schema_form.filled(schema, given, zone)
    if errors:
        return None, errors
    if kind == "raw":
        return orders.Raw(action=pick, payload=value), {}
    try:
        return msgspec.convert({"kind": pick, **value}, orders.Order, strict=False), {}
    except msgspec.ValidationError as error:
        path, why = fault_of(error)
        return None, {path: told(in_words(why))}


def json_of(given: Mapping[str, str], version: str | None, zone: tzinfo) -> str:
    """What stands in the form, as JSON to go on with by hand; what is wrong in it is left out."""
    kind, pick = given.get("kind", ""), given.get("pick", "")
    schema = schema_of(kind, pick, version)
    value = schema_form.filled(schema, given, zone)[0] if schema is not None else {}
    whole = value if kind == "raw" else {"kind": pick, **value}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode()


def fields_in(kind: str, text: str, action: str, version: str | None, zone: tzinfo) -> dict[str, str]:
    """JSON written by hand, as a form. Raises Invalid where it cannot be drawn."""
    try:
        value = msgspec.json.decode(text.encode(errors="replace") or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"Not JSON: {error}", "payload" if kind == "raw" else "order") from error
    pick = action if kind == "raw" else str(value.get("kind", "")) if isinstance(value, dict) else ""
    schema = schema_of(kind, pick, version)
    if schema is None:
        raise Invalid("There is no form for it: no such order.", "action" if kind == "raw" else "order")
    return {"kind": kind, "pick": pick, "n:": "", **schema_form.fields_of(schema, value, zone)}


def _beginning(kind: str) -> str:
    return "{}" if kind == "raw" else '{"kind": "clear_cache"}'


def first_in(nodes: Sequence[Node], path: str) -> str:
    """The first field to be filled in at or below a place of the form; "" where there is none."""
    for node in nodes:
        if node.path.startswith(path) and not node.parts:
            return node.path
        if found := first_in(node.parts, path):
            return found
    return ""


def _paths(nodes: Sequence[Node]) -> list[str]:
    return [path for node in nodes for path in (node.path, *_paths(node.parts))]
