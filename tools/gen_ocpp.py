"""Writes the msgspec structs of OCPP's messages from the official JSON schemas of the installed `ocpp` package.

    python tools/gen_ocpp.py            writes src/ohmstead/ocpp/v16/messages.py and src/ohmstead/ocpp/v2/messages.py
    python tools/gen_ocpp.py --check    writes nothing; ends with 1 when a file differs from what would be written

The schemas are read, never changed. Tolerances and the union of 2.0.1 and 2.1 are made here:

* `v2` holds 2.1's types widened by whatever 2.0.1 allows beyond them: the longer maximum, the fewer required fields,
  the open string where one version has a closed list, `number` where one has `integer`.
* Fields that the schemas do not know are ignored on decode; null counts as absent for an optional field.
* A whole number is at most 32 bits (OCPP 1.6 part 1 and 2.x part 2, primitive types), except registers and counters
  that stations really run past that (`WIDE_INTEGERS`).
* A negative EVSE, connector or sequence number is refused in every version (`NEVER_NEGATIVE`): 2.1's schemas say so,
  the older ones only in prose.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {
    "v16": ROOT / "src/ohmstead/ocpp/v16/messages.py",
    "v2": ROOT / "src/ohmstead/ocpp/v2/messages.py",
}

NEVER_NEGATIVE = frozenset({"connectorId", "evseId", "seqNo", "EVSEType.id"})
WIDE_INTEGERS = frozenset({"meterStart", "meterStop", "eventId"})
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
JSON_SAFE = 2**53
ATTRIBUTES = {"prioritizedEMAIDs": "prioritized_emaids"}  # names whose words capital letters do not show
SEND_ACTIONS = ("NotifyPeriodicEventStream",)

# What stations of 1.6 send beyond the schema: frequency has a measurand but the schema has no unit for it.
EXTRA_VALUES_16 = {"UnitOfMeasure": ("Hertz", "Hz")}

# The 1.6 core schemas nest their types without names; these are the names of the 1.6 specification's type chapter.
OBJECT_NAMES_16 = {
    "idTagInfo": "IdTagInfo",
    "localAuthorizationList": "AuthorizationData",
    "configurationKey": "KeyValue",
    "meterValue": "MeterValue",
    "transactionData": "MeterValue",
    "sampledValue": "SampledValue",
    "chargingProfile": "ChargingProfile",
    "csChargingProfiles": "ChargingProfile",
    "chargingSchedule": "ChargingSchedule",
    "chargingSchedulePeriod": "ChargingSchedulePeriod",
}
ENUM_NAMES_16 = {
    "IdTagInfo.status": "AuthorizationStatus",
    "BootNotificationResponse.status": "RegistrationStatus",
    "CancelReservationResponse.status": "CancelReservationStatus",
    "ChangeAvailabilityRequest.type": "AvailabilityType",
    "ChangeAvailabilityResponse.status": "AvailabilityStatus",
    "ChangeConfigurationResponse.status": "ConfigurationStatus",
    "ClearCacheResponse.status": "ClearCacheStatus",
    "ClearChargingProfileResponse.status": "ClearChargingProfileStatus",
    "DataTransferResponse.status": "DataTransferStatus",
    "DiagnosticsStatusNotificationRequest.status": "DiagnosticsStatus",
    "FirmwareStatusNotificationRequest.status": "FirmwareStatus",
    "GetCompositeScheduleResponse.status": "GetCompositeScheduleStatus",
    "RemoteStartTransactionResponse.status": "RemoteStartStopStatus",
    "RemoteStopTransactionResponse.status": "RemoteStartStopStatus",
    "ReserveNowResponse.status": "ReservationStatus",
    "ResetRequest.type": "ResetType",
    "ResetResponse.status": "ResetStatus",
    "SendLocalListRequest.updateType": "UpdateType",
    "SendLocalListResponse.status": "UpdateStatus",
    "SetChargingProfileResponse.status": "ChargingProfileStatus",
    "StatusNotificationRequest.errorCode": "ChargePointErrorCode",
    "StatusNotificationRequest.status": "ChargePointStatus",
    "StopTransactionRequest.reason": "Reason",
    "TriggerMessageRequest.requestedMessage": "MessageTrigger",
    "TriggerMessageResponse.status": "TriggerMessageStatus",
    "UnlockConnectorResponse.status": "UnlockStatus",
    "SampledValue.context": "ReadingContext",
    "SampledValue.format": "ValueFormat",
    "SampledValue.measurand": "Measurand",
    "SampledValue.phase": "Phase",
    "SampledValue.location": "MeterLocation",
    "SampledValue.unit": "UnitOfMeasure",
    "chargingProfilePurpose": "ChargingProfilePurpose",
    "chargingProfileKind": "ChargingProfileKind",
    "recurrencyKind": "RecurrencyKind",
    "chargingRateUnit": "ChargingRateUnit",
}

FROM_STATION_16 = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "LogStatusNotification",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
    }
)
FROM_STATION_2 = frozenset(
    {
        "Authorize",
        "BootNotification",
        "ClearedChargingLimit",
        "DataTransfer",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
        "BatterySwap",
        "ClosePeriodicEventStream",
        "GetCertificateChainStatus",
        "NotifyDERAlarm",
        "NotifyDERStartStop",
        "NotifyPeriodicEventStream",
        "NotifyPriorityCharging",
        "NotifySettlement",
        "OpenPeriodicEventStream",
        "PullDynamicScheduleUpdate",
        "ReportDERControl",
        "VatNumberValidation",
    }
)
BOTH_WAYS = frozenset({"DataTransfer"})


# --- what the schemas say, in one shape -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Type:
    """A type without a name. `kind`: string, instant, integer, number, boolean, any, custom, array, or named."""

    kind: str
    name: str = ""
    low: int | None = None
    high: int | None = None
    item: Type | None = None


@dataclass(frozen=True)
class Enum:
    values: tuple[str, ...]


@dataclass(frozen=True)
class Member:
    type: Type
    is_required: bool


@dataclass
class Catalogue:
    """All types of one version: closed lists, structures, and the messages among the structures."""

    enums: dict[str, Enum] = field(default_factory=dict)
    structs: dict[str, dict[str, Member]] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)


def schema_files(folder: str) -> Iterator[tuple[str, Schema]]:
    """Each official schema of a version with the name of its message, in order of name."""
    base = resources.files("ocpp").joinpath(folder, "schemas")
    for path in sorted((p for p in base.iterdir() if p.name.endswith(".json")), key=lambda p: p.name):
        name = path.name.removesuffix(".json")
        if not name.endswith(("Request", "Response")):
            name += "Request"
        yield name, json.loads(path.read_text(encoding="utf-8-sig"))


class Reader:
    """Collects one version's schemas into a catalogue; the same name with two meanings is an error."""

    def __init__(self, folder: str) -> None:
        self.is_16 = folder == "v16"
        self.catalogue = Catalogue()
        for message, schema in schema_files(folder):
            for name, definition in schema.get("definitions", {}).items():
                self._define(name, definition)
            self.catalogue.messages.add(message)
            self._struct(message, schema)

    def _define(self, name: str, node: Schema) -> None:
        if name == "CustomDataType":
            return
        if "enum" in node:
            self._enum(name, node)
        else:
            self._struct(name, node)

    def _enum(self, name: str, node: Schema) -> Type:
        extra = EXTRA_VALUES_16.get(name, ()) if self.is_16 else ()
        values = tuple(dict.fromkeys([*node["enum"], *extra]))
        known = self.catalogue.enums.get(name)
        if known and not self.is_16 and known.values != values:
            raise ValueError(f"{name} has two lists of values")
        merged = tuple(dict.fromkeys([*known.values, *values])) if known else values
        self.catalogue.enums[name] = Enum(merged)
        return Type("named", name)

    def _struct(self, name: str, node: Schema) -> Type:
        required = set(node.get("required", ()))
        members = {
            prop: Member(self._type(name, prop, sub), prop in required)
            for prop, sub in node.get("properties", {}).items()
        }
        known = self.catalogue.structs.get(name, members)
        if known != members:
            if not self.is_16:
                raise ValueError(f"{name} has two shapes")
            members = _union_members(known, members)  # 1.6 repeats MeterValue with other minima in StopTransaction
        self.catalogue.structs[name] = members
        return Type("named", name)

    def _type(self, owner: str, prop: str, node: Schema) -> Type:
        if "$ref" in node:
            name = node["$ref"].removeprefix("#/definitions/")
            return Type("custom") if name == "CustomDataType" else Type("named", name)
        if "enum" in node:
            return self._enum(ENUM_NAMES_16.get(f"{owner}.{prop}") or ENUM_NAMES_16[prop], node)
        kind = node.get("type", "any")
        if kind == "object":
            return self._struct(OBJECT_NAMES_16[prop], node)
        if kind == "array":
            return Type(
                "array",
                low=node.get("minItems"),
                high=node.get("maxItems"),
                item=self._type(owner, prop, node["items"]),
            )
        if kind == "string":
            return Type("instant") if node.get("format") == "date-time" else Type("string", high=node.get("maxLength"))
        if kind in ("integer", "number"):
            low, high = node.get("minimum"), node.get("maximum")
            if prop in NEVER_NEGATIVE or f"{owner}.{prop}" in NEVER_NEGATIVE:
                low = max(low or 0, 0)
            return Type(kind, prop if prop in WIDE_INTEGERS else "", _whole(low), _whole(high))
        if kind in ("boolean", "any"):
            return Type(kind)
        raise ValueError(f"{owner}.{prop}: no rule for {kind}")


def _whole(bound: float | None) -> int | None:
    if bound is None:
        return None
    if bound != int(bound):
        raise ValueError(f"bound {bound} is not whole")
    return int(bound)


# --- the union of 2.0.1 and 2.1 -------------------------------------------------------------------------------------


def union(old: Catalogue, new: Catalogue) -> Catalogue:
    """What either version allows."""
    both = Catalogue(messages=old.messages | new.messages)
    for name in sorted(old.enums.keys() | new.enums.keys()):
        values = [
            *(new.enums[name].values if name in new.enums else ()),
            *(old.enums[name].values if name in old.enums else ()),
        ]
        both.enums[name] = Enum(tuple(dict.fromkeys(values)))
    for name in sorted(old.structs.keys() | new.structs.keys()):
        was, now = old.structs.get(name), new.structs.get(name)
        if was is None or now is None:
            both.structs[name] = dict(now or was or {})
            continue
        both.structs[name] = _union_members(was, now)
    return both


def _union_members(was: dict[str, Member], now: dict[str, Member]) -> dict[str, Member]:
    return {
        prop: (
            Member(wider(was[prop].type, now[prop].type), was[prop].is_required and now[prop].is_required)
            if prop in was and prop in now
            else Member((was.get(prop) or now[prop]).type, False)
        )
        for prop in [*now, *(p for p in was if p not in now)]
    }


def wider(a: Type, b: Type) -> Type:
    """The type that takes every value of both."""
    if a == b:
        return a
    kinds = {a.kind, b.kind}
    if kinds == {"named", "string"}:  # a closed list that was opened
        return a if a.kind == "string" else b
    if kinds == {"integer", "number"}:
        return Type("number", low=_lowest(a.low, b.low), high=_highest(a.high, b.high))
    if len(kinds) != 1 or a.name != b.name:
        raise ValueError(f"no union of {a} and {b}")
    item = wider(a.item, b.item) if a.item and b.item else None
    return Type(a.kind, a.name, _lowest(a.low, b.low), _highest(a.high, b.high), item)


def _lowest(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else min(a, b)


def _highest(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)


# --- Python ---------------------------------------------------------------------------------------------------------


def attribute(wire: str) -> str:
    """`idTag` → id_tag, `evMaxV2XEnergyRequest` → ev_max_v2x_energy_request."""
    if wire in ATTRIBUTES:
        return ATTRIBUTES[wire]
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", wire)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text).lower().replace("v2_x", "v2x")
    return text + "_" if keyword.iskeyword(text) else text


def camel(name: str) -> str:
    """What msgspec's rename="camel" makes of an attribute."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


class Writer:
    """Renders a catalogue as a Python module."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.lengths: set[int] = set()

    def annotation(self, t: Type) -> str:
        match t.kind:
            case "named":
                return t.name
            case "instant":
                return "Instant"
            case "boolean":
                return "bool"
            case "any":
                return "Any"
            case "custom":
                return "CustomData"
            case "number":
                return "Decimal"
            case "string":
                if t.high is None:
                    return "str"
                self.lengths.add(t.high)
                return f"Str{t.high}"
            case "integer":
                return self._integer(t)
            case _:
                assert t.item is not None
                bounds = _bounds(("min_length", t.low), ("max_length", t.high))
                inner = f"list[{self.annotation(t.item)}]"
                return f"Annotated[{inner}, Meta({bounds})]" if bounds else inner

    def _integer(self, t: Type) -> str:
        if t.name:
            return "Register" if t.low is None else "Counter"
        if t.high is None:
            if t.low is None:
                return "Integer"
            if t.low == 0:
                return "Natural"
        bounds = _bounds(("ge", INT32_MIN if t.low is None else t.low), ("le", INT32_MAX if t.high is None else t.high))
        return f"Annotated[int, Meta({bounds})]"

    def struct(self, name: str) -> Iterator[str]:
        members = self.catalogue.structs[name]
        yield f"class {name}(Payload, kw_only=True):"
        checks = []
        for prop, member in sorted(members.items(), key=lambda item: not item[1].is_required):
            attr = attribute(prop)
            text = self.annotation(member.type)
            default = "" if member.is_required else "None"
            if camel(attr) != prop:
                inner = [f"default={default}"] if default else []
                default = f"field({', '.join([*inner, f'name={prop!r}'])})".replace("'", '"')
            optional = "" if member.is_required or text == "Any" else " | None"
            yield f"    {attr}: {text}{optional}" + (f" = {default}" if default else "")
            if member.type.kind == "number":
                checks.append((attr, member))
            elif member.type.item and member.type.item.kind == "number":
                raise ValueError(f"{name}.{prop}: no rule for lists of numbers")
        if not members:
            yield "    pass"
        if checks:
            yield ""
            yield "    def __post_init__(self) -> None:"
            for attr, member in checks:
                extent = "".join(f", {b}" for b in self._extent(member.type))
                yield f"        exact(self.{attr}{extent})"

    @staticmethod
    def _extent(t: Type) -> Iterable[str]:
        if t.low is None and t.high is None:
            return ()
        return (str(t.low),) if t.high is None else (str(t.low), str(t.high))

    def ordered(self) -> list[str]:
        """Structures with what they are made of before them; only those a message reaches."""
        done: dict[str, None] = {}

        def visit(name: str) -> None:
            if name in done or name not in self.catalogue.structs:
                return
            for member in self.catalogue.structs[name].values():
                visit((member.type.item or member.type).name)
            done[name] = None

        for message in sorted(self.catalogue.messages):
            visit(message)
        return list(done)

    def used_enums(self, structs: Iterable[str]) -> list[str]:
        names = {(m.type.item or m.type).name for s in structs for m in self.catalogue.structs[s].values()}
        return sorted(names & self.catalogue.enums.keys())


def _bounds(*pairs: tuple[str, int | None]) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs if value is not None)


PROLOGUE = '''"""{title}

Generated from the official JSON schemas by `python tools/gen_ocpp.py`; change the generator, not this file.

Attributes are the wire's names in snake case. Instants stay text as the station wrote it; JSON numbers are exact
decimals. Write with `rpc.to_json`, which keeps decimals numbers; msgspec's own encoder would make them strings.
"""

from decimal import Decimal
from typing import {typing}

from msgspec import {msgspec}


class Payload(Struct, rename="camel", omit_defaults=True, gc=False):
    """What every message and every structure inside one is."""


def exact(value: Decimal | None, low: int | None = None, high: int | None = None) -> None:
    """Refuse a number that nothing downstream could hold: not finite, absurdly large or small, over 28 digits."""
    if value is None:
        return
    if not value.is_finite() or not -30 < value.adjusted() < 30 or value != +value:
        raise ValueError("Number out of range")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"Expected a number from {{low}}" + (f" to {{high}}" if high is not None else ""))


CustomData: TypeAlias = dict[str, Any]
Instant: TypeAlias = Annotated[str, Meta(max_length=64)]
Integer: TypeAlias = Annotated[int, Meta(ge={int_min}, le={int_max})]
Natural: TypeAlias = Annotated[int, Meta(ge=0, le={int_max})]
Register: TypeAlias = Annotated[int, Meta(ge=-{safe}, le={safe})]
Counter: TypeAlias = Annotated[int, Meta(ge=0, le={safe})]
'''


def render(target: str) -> str:
    """The text of `v16/messages.py` or `v2/messages.py`."""
    if target == "v16":
        catalogue, title, from_station = Reader("v16").catalogue, "The messages of OCPP 1.6.", FROM_STATION_16
        since: list[str] = []
    else:
        old, new = Reader("v201").catalogue, Reader("v21").catalogue
        catalogue = union(old, new)
        title, from_station = "The messages of OCPP 2.0.1 and 2.1, as one family.", FROM_STATION_2
        since = list(_since(old, new))
    writer = Writer(catalogue)
    structs = writer.ordered()
    bodies = ["\n".join(writer.struct(name)) for name in structs]
    enums = []
    for name in writer.used_enums(structs):
        values = "".join(f'    "{value}",\n' for value in catalogue.enums[name].values)
        enums.append(f"{name}: TypeAlias = Literal[\n{values}]")
    text = "\n".join(bodies)
    is_open = re.search(r"\b(Any|CustomData)\b", text)
    prologue = PROLOGUE.format(
        title=title,
        typing="Annotated, Any, Literal, TypeAlias" if is_open else "Annotated, Literal, TypeAlias",
        msgspec="Meta, Struct, field" if "field(" in text else "Meta, Struct",
        int_min=INT32_MIN,
        int_max=INT32_MAX,
        safe=JSON_SAFE,
    )
    lines = [line for line in prologue.splitlines() if not _is_unused(line, text)]
    strings = [f"Str{n}: TypeAlias = Annotated[str, Meta(max_length={n})]" for n in sorted(writer.lengths)]
    parts = ["\n".join([*lines, *strings]), "\n".join(enums), *bodies, *_tables(catalogue, from_station), *since]
    head, enum_block, *rest = parts
    return head + "\n\n" + enum_block + "\n\n\n" + "\n\n\n".join(rest) + "\n"


def _is_unused(line: str, text: str) -> bool:
    name, colon, _ = line.partition(": TypeAlias")
    return bool(colon) and not re.search(rf"\b{name}\b", text)


def _tables(catalogue: Catalogue, from_station: frozenset[str]) -> Iterator[str]:
    requests = sorted(n.removesuffix("Request") for n in catalogue.messages if n.endswith("Request"))
    responses = sorted(n.removesuffix("Response") for n in catalogue.messages if n.endswith("Response"))
    yield "REQUESTS: dict[str, type[Payload]] = {\n" + "".join(f'    "{a}": {a}Request,\n' for a in requests) + "}"
    yield "RESPONSES: dict[str, type[Payload]] = {\n" + "".join(f'    "{a}": {a}Response,\n' for a in responses) + "}"
    up = [a for a in requests if a in from_station]
    down = [a for a in requests if a not in from_station or a in BOTH_WAYS]
    if missing := from_station - set(requests):
        raise ValueError(f"no schema for {sorted(missing)}")
    yield _frozenset("FROM_STATION", up)
    yield _frozenset("TO_STATION", down)
    yield _frozenset("SENDS", [a for a in requests if a in SEND_ACTIONS])


def _since(old: Catalogue, new: Catalogue) -> Iterator[str]:
    actions = sorted(n.removesuffix("Request") for n in new.messages - old.messages if n.endswith("Request"))
    yield _frozenset("SINCE_21_ACTIONS", actions)
    shared = [name for name in sorted(old.structs) if name in new.structs]
    yield _table(
        "SINCE_21_FIELDS",
        "Structure → its fields, as on the wire, that 2.0.1 lacks. Structures of 2.1 alone are not listed.",
        {name: new.structs[name].keys() - old.structs[name].keys() for name in shared},
    )
    yield _table(
        "SINCE_21_VALUES",
        "List → its values that 2.0.1 lacks.",
        {
            name: set(new.enums[name].values) - set(old.enums[name].values)
            for name in sorted(old.enums.keys() & new.enums.keys())
        },
    )


def _table(name: str, meaning: str, rows: dict[str, set[str]]) -> str:
    text = "".join(f'    "{key}": frozenset({{{_quoted(sorted(row))}}}),\n' for key, row in rows.items() if row)
    return f"# {meaning}\n{name}: dict[str, frozenset[str]] = {{\n{text}}}"


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{v}"' for v in values)


def _frozenset(name: str, values: list[str]) -> str:
    if not values:
        return f"{name}: frozenset[str] = frozenset()"
    return f"{name}: frozenset[str] = frozenset({{\n" + "".join(f'    "{v}",\n' for v in values) + "})"


def main(arguments: list[str]) -> int:
    stale = []
    for target, path in TARGETS.items():
        text = render(target)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
