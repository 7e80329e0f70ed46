"""Payloads: typed decode of what comes in, the official schemas as judge of what is odd and of what goes out.

The usual payload costs one msgspec decode into the generated structs. Only what that refuses is mended or explained,
with the unmodified JSON schemas that the `ocpp` package carries (1.6: draft 4, and draft 6 for its security
extension; 2.0.1 and 2.1: draft 6).

Tolerated inbound beyond the schemas (OCPP 1.6J errata §2 and §3.1; what stations are seen to send):

* fields that the schema does not know; null for an optional field; on 2.0.1, values and lengths that only 2.1 allows;
* a whole number written as 12.0; a decimal written as a string (2.x);
* an empty list or object where 2.x wants the field left out;
* a number without quotes where 1.6 wants a text (`value` of a sample or of a configuration key);
* fractions of a watt-hour in 1.6 `meterStart` and `meterStop`, which are cut off;
* samples that do not fit beside samples that do, or beside a transaction's event: they are left out, the rest counts.

Refused inbound though the schemas allow it: whole numbers over 32 bits (part 2, primitive types) except registers,
negative EVSE, connector and sequence numbers, decimals over 28 digits or beyond 10^±30.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from types import ModuleType
from typing import Any, Final, TypeAlias, cast

import jsonschema
import msgspec

from ohmstead.ocpp.rpc import ErrorCode, Version, to_json
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16
from ohmstead.reports.wire.official import FOLDERS, schema_text

Json: TypeAlias = dict[str, Any] | list[Any] | str | int | Decimal | bool | None
Decode: TypeAlias = Callable[[bytes | msgspec.Raw], msgspec.Struct]

_FOLDERS: Final = {version: FOLDERS[version] for version in Version}
_MAX_TEXT: Final = 255
_EXPLAINABLE_BYTES: Final = 65_536
"""Above this msgspec's own words have to do: the JSON schema takes a millisecond for each 20 samples it walks."""


class SchemaError(Exception):
    """A payload, or an action, that has to be refused: the code for the CALLERROR and a text of at most 255 signs."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text[:_MAX_TEXT]


# --- typed decode ---------------------------------------------------------------------------------------------------


def decode(
    version: Version,
    action: str,
    payload: bytes | msgspec.Raw,
    *,
    is_response: bool = False,
    at_station: bool = False,
    tolerated: list[str] | None = None,
) -> msgspec.Struct:
    """The payload as its struct. SchemaError says what to answer where it cannot be one.

    `at_station`: the reader is a station (the simulator), so requests are those of a CSMS. `tolerated` is filled with
    a line for each thing that was mended to make the payload fit.
    """
    known = _decoders.get((version, action, is_response, at_station))
    if known is None:
        known = _decoders[version, action, is_response, at_station] = _decoder(version, action, is_response, at_station)
    try:
        return known(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        notes = tolerated if tolerated is not None else []
        return _decode_odd(version, action, is_response, bytes(payload), notes)


_decoders: dict[tuple[Version, str, bool, bool], Decode] = {}


def family(version: Version) -> ModuleType:
    """The generated module that holds a version's structs and tables."""
    return v16 if version is Version.V16 else v2


def _decoder(version: Version, action: str, is_response: bool, at_station: bool) -> Decode:
    types = family(version)
    is_too_new = version is Version.V201 and action in v2.SINCE_21_ACTIONS
    if action not in types.REQUESTS or is_too_new:
        raise SchemaError(ErrorCode.NOT_IMPLEMENTED, f"OCPP {version} has no action {action[:50]}")
    if is_response:
        if action not in types.RESPONSES:
            raise SchemaError(ErrorCode.NOT_SUPPORTED, f"{action} has no response")
        return cast(Decode, msgspec.json.Decoder(types.RESPONSES[action]).decode)
    if action not in (types.TO_STATION if at_station else types.FROM_STATION):
        raise SchemaError(ErrorCode.NOT_SUPPORTED, f"{action} goes the other way")
    return cast(Decode, msgspec.json.Decoder(types.REQUESTS[action]).decode)


def _decode_odd(version: Version, action: str, is_response: bool, payload: bytes, notes: list[str]) -> msgspec.Struct:
    """Second look at what the typed decode refused: mend what is tolerated, else find the code and say where."""
    try:
        value = _load(payload)
    except ValueError as broken:
        raise SchemaError(ErrorCode.FORMAT_VIOLATION, f"payload is not JSON: {broken}") from None
    if not isinstance(value, dict):
        raise SchemaError(ErrorCode.TYPE_CONSTRAINT_VIOLATION, "payload is not an object")
    types = family(version)
    again = msgspec.json.Decoder((types.RESPONSES if is_response else types.REQUESTS)[action]).decode
    mended = _mend(value, version is Version.V16, "", notes)
    try:
        return cast(msgspec.Struct, again(to_json(mended)))
    except msgspec.ValidationError as refusal:
        error = refusal
    sample: type[msgspec.Struct] = v16.SampledValue if version is Version.V16 else v2.SampledValueType
    if fitting := _without_unfit_samples(mended, sample, notes):
        try:
            return cast(msgspec.Struct, again(to_json(fitting)))
        except msgspec.ValidationError:
            pass  # something else is wrong too; the first error names it
    found = None
    if len(payload) <= _EXPLAINABLE_BYTES:
        found = _first_fault(_validator(_FOLDERS[version], action, is_response), mended)
    raise SchemaError(*(found or _from_msgspec(str(error))))


def _mend(value: Any, is_16: bool, key: str, notes: list[str]) -> Any:
    """The value with what this module tolerates put right; each change adds a note."""
    if isinstance(value, dict):
        kept = {}
        for name, inner in value.items():
            if not is_16 and inner in ([], {}):
                notes.append(f"{name}: empty, taken as absent")
            elif name in ("customData", "data"):
                kept[name] = inner
            else:
                kept[name] = _mend(inner, is_16, name, notes)
        return kept
    if isinstance(value, list):
        return [_mend(inner, is_16, key, notes) for inner in value]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    if is_16 and key == "value":
        notes.append("value: number without quotes")
        return str(value)
    if isinstance(value, Decimal) and value.adjusted() < 20:
        if value == value.to_integral_value():
            notes.append(f"{key}: whole number written as a decimal")
            return int(value)
        if is_16 and key in ("meterStart", "meterStop"):
            notes.append(f"{key}: fraction of a watt-hour cut off")
            return int(value)
    return value


def _without_unfit_samples(
    value: dict[str, Any], sample: type[msgspec.Struct], notes: list[str]
) -> dict[str, Any] | None:
    """The message without the samples that do not fit; None when it has none of those."""
    fits = msgspec.json.Decoder(sample).decode
    changed: dict[str, Any] = {}
    for key in ("meterValue", "transactionData"):
        groups = value.get(key)
        if not isinstance(groups, list):
            continue
        kept_groups, n_dropped = [], 0
        for group in groups:
            samples = group.get("sampledValue") if isinstance(group, dict) else None
            if not isinstance(samples, list):
                kept_groups.append(group)
                continue
            kept = [one for one in samples if _is_fitting(fits, one)]
            n_dropped += len(samples) - len(kept)
            if kept:
                kept_groups.append({**group, "sampledValue": kept})
        if n_dropped:
            notes.append(f"{key}: {n_dropped} samples do not fit and were left out")
            changed[key] = kept_groups
    if not changed:
        return None
    return {key: inner for key, inner in (value | changed).items() if inner != []}


def _is_fitting(fits: Callable[[bytes], Any], sample: Any) -> bool:
    try:
        fits(to_json(sample))
    except msgspec.ValidationError:
        return False
    return True


_MSGSPEC_CODES: Final = (
    (re.compile(r"missing required field|`array` of length"), ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
    (re.compile(r"of length|[<>]=? -?\d|Invalid enum|out of range|from"), ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
    (re.compile(r"Expected `"), ErrorCode.TYPE_CONSTRAINT_VIOLATION),
)


_MSGSPEC_TEXT: Final = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)


def _from_msgspec(text: str) -> tuple[ErrorCode, str]:
    """For what our structs refuse and the schemas do not: the code that the words of msgspec mean."""
    match = _MSGSPEC_TEXT.fullmatch(text)
    what, path = (match[1], match[2]) if match else (text, None)
    code = next((code for words, code in _MSGSPEC_CODES if words.search(what)), ErrorCode.PROPERTY_CONSTRAINT_VIOLATION)
    if what.startswith("Invalid enum"):
        what = "is none of the values allowed"
    return code, f"{path or 'payload'}: {what}"


# --- the official schemas -------------------------------------------------------------------------------------------

_CODES: Final = {
    "required": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "minItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "maxItems": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
    "type": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
    "enum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
    "maxLength": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
    "minimum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
    "maximum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
    "multipleOf": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
    "format": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
}
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _INSTANT.fullmatch(value):
        return False
    datetime.fromisoformat(value[:19])
    return True


def explain(version: Version, action: str, is_response: bool, payload: bytes) -> tuple[ErrorCode, str] | None:
    """Why the version's official schema refuses a payload: the code and a short text that names the field.

    None when the schema has nothing against it, or only fields that it does not know.
    """
    if action not in actions(version):
        return ErrorCode.NOT_IMPLEMENTED, f"OCPP {version} has no action {action[:50]}"
    try:
        value = _load(bytes(payload))
    except ValueError as error:
        return ErrorCode.FORMAT_VIOLATION, f"payload is not JSON: {error}"[:_MAX_TEXT]
    return _first_fault(_validator(_FOLDERS[version], action, is_response), value)


def violations(
    version: Version,
    action: str,
    payload: dict[str, Any] | msgspec.Struct | msgspec.Raw | bytes,
    is_response: bool = False,
) -> list[str]:
    """Everything the version's official schema has against a payload that is about to leave. Empty: let it go.

    Strict: unknown fields, instants that are not RFC 3339 and 2.1's fields on a 2.0.1 connection all count.
    """
    if action not in actions(version):
        return [f"OCPP {version} has no action {action[:50]}"]
    try:
        text = bytes(payload) if isinstance(payload, bytes | msgspec.Raw) else to_json(payload)
        value = _load(text)
        validator = _validator(_FOLDERS[version], action, is_response)
    except (ValueError, TypeError) as error:
        return [f"payload is not JSON: {error}"]
    except FileNotFoundError:
        return [f"{action} has no response"]
    faults = sorted(validator.iter_errors(value), key=lambda fault: [str(step) for step in fault.absolute_path])
    return [_text(fault) for fault in faults]


@cache
def actions(version: Version) -> frozenset[str]:
    """Every action of the version, both directions."""
    names = frozenset(family(version).REQUESTS)
    return names - v2.SINCE_21_ACTIONS if version is Version.V201 else names


def request_schema(version: Version, action: str, *, is_response: bool = False) -> dict[str, Any]:
    """The official JSON schema of a request (or its response), to be read only. KeyError for an unknown action."""
    if action not in actions(version):
        raise KeyError(action)
    return cast(dict[str, Any], json.loads(schema_text(_FOLDERS[version], action, is_response)))


@cache
def _validator(folder: str, action: str, is_response: bool) -> Any:
    # Decimals on both sides, because 0.3 is no multiple of 0.1 among binary floats.
    schema = json.loads(schema_text(folder, action, is_response), parse_float=Decimal)
    return jsonschema.validators.validator_for(schema)(schema, format_checker=_formats)


def _load(text: bytes) -> Any:
    """JSON with exact decimals. ValueError for anything else, NaN and endless nesting included."""

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not a number of JSON")

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at {error.pos}") from None


def _first_fault(validator: Any, value: Any) -> tuple[ErrorCode, str] | None:
    """The fault to answer with: what is missing before what has the wrong type before what has a wrong value."""
    order = [*dict.fromkeys(_CODES.values())]
    counted = _CODES.keys() - {"format"}  # stations write instants in many ways; whoever needs one parses it
    faults = list(islice((fault for fault in validator.iter_errors(value) if fault.validator in counted), 50))
    if not faults:
        return None
    fault = min(faults, key=lambda fault: (order.index(_CODES[fault.validator]), len(fault.absolute_path)))
    return _CODES[fault.validator], _text(fault)[:_MAX_TEXT]


def _text(fault: Any) -> str:
    """One line that names the field and the rule, never the offending value, which may be long or private."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault.absolute_path).lstrip(".")
    rule, limit = fault.validator, fault.validator_value
    if rule == "required":
        missing = [name for name in limit if name not in fault.instance]
        return f"{path + '.' if path else ''}{missing[0]}: required"
    if rule == "additionalProperties":
        extra = sorted(set(fault.instance) - set(fault.schema.get("properties", ())))
        return f"{path or 'payload'}: unknown fields {', '.join(extra)}"[:_MAX_TEXT]
    words = {
        "type": f"is not of type {limit}",
        "enum": "is none of the values allowed",
        "maxLength": f"is longer than {limit}",
        "minItems": f"has fewer than {limit} items",
        "maxItems": f"has more than {limit} items",
        "minimum": f"is less than {limit}",
        "maximum": f"is more than {limit}",
        "multipleOf": f"is no multiple of {limit}",
        "format": f"is not a {limit}",
    }
    return f"{path or 'payload'}: {words.get(rule, f'breaks the rule {rule}')}"
