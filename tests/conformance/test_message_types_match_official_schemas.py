"""The generated structs against the official JSON schemas: what those take, and what those refuse.

Payloads are made from the schemas: the smallest, and full ones with every field; then each full one is spoilt in
every place in every way that a schema can forbid.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
import msgspec
import pytest
from tools import gen_ocpp

from ohmstead.ocpp import rpc, schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16

FOLDERS = {Version.V16: "v16", Version.V201: "v201", Version.V21: "v21"}
MISSING = object()

Schema = dict[str, Any]
Named = tuple[Version, str, bool]


@cache
def official(version: Version) -> dict[tuple[str, bool], Schema]:
    """(action, is_response) → schema, read here on its own so that our own reading is judged too."""
    found = {}
    for path in resources.files("ocpp").joinpath(FOLDERS[version], "schemas").iterdir():
        if path.name.endswith(".json"):
            name = path.name.removesuffix(".json")
            key = (name.removesuffix("Response").removesuffix("Request"), name.endswith("Response"))
            found[key] = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    return found


@cache
def judge(version: Version, action: str, is_response: bool) -> Any:
    schema = official(version)[action, is_response]
    return jsonschema.validators.validator_for(schema)(schema)


@cache
def reader(version: Version, action: str, is_response: bool) -> msgspec.json.Decoder[msgspec.Struct]:
    tables = schemas.family(version)
    return msgspec.json.Decoder((tables.RESPONSES if is_response else tables.REQUESTS)[action])


ALL: list[Named] = [(version, *key) for version in Version for key in sorted(official(version))]
EVERY_SCHEMA = pytest.mark.parametrize(
    ("version", "action", "is_response"), ALL, ids=[f"{v}-{a}-{'response' if r else 'request'}" for v, a, r in ALL]
)


# --- payloads from schemas ------------------------------------------------------------------------------------------


def resolved(node: Schema, root: Schema) -> Schema:
    if "$ref" in node:
        found: Schema = root["definitions"][node["$ref"].removeprefix("#/definitions/")]
        return found
    return node


def sample(node: Schema, root: Schema, *, is_full: bool, turn: int = 0) -> Any:
    """A valid value. `turn` picks among the values of a list, so that some turn brings each."""
    node = resolved(node, root)
    if "enum" in node:
        return node["enum"][turn % len(node["enum"])]
    match node.get("type"):
        case "object":
            required = node.get("required", [])
            names = node.get("properties", {}) if is_full else required
            value = {n: sample(node["properties"][n], root, is_full=is_full, turn=turn) for n in names}
            if is_full and node.get("javaType") == "CustomData":
                value["more"] = {"nested": [1, "two", None]}
            return value
        case "array":
            length = min(node.get("maxItems", 2), 2) if is_full else node.get("minItems", 0)
            return [sample(node["items"], root, is_full=is_full, turn=turn + i) for i in range(length)]
        case "string":
            if node.get("format") == "date-time":
                return "2026-02-28T23:59:59.123Z"
            return "ü" * node.get("maxLength", 40) if is_full else ""
        case "integer":
            return int(node.get("maximum", 2**31 - 1) if is_full else node.get("minimum", 0))
        case "number":
            low, high = node.get("minimum", Decimal("-7.3")), node.get("maximum", Decimal("123456.7"))
            return high if is_full else low
        case "boolean":
            return is_full
        case None:
            return {"anything": ["at", "all", 1]}
    raise AssertionError(f"no sample for {node}")


def turns(schema: Schema) -> int:
    """How many turns bring every value of every list in a schema."""
    return max([len(values) for values in _lists(schema)], default=1)


def _lists(node: Any) -> Iterator[list[str]]:
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield node["enum"]
        for inner in node.values():
            yield from _lists(inner)


def exact(text: bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


# --- the tables -----------------------------------------------------------------------------------------------------


def test_regenerating_gives_the_committed_files_byte_for_byte() -> None:
    for target, path in gen_ocpp.TARGETS.items():
        assert path.read_bytes() == gen_ocpp.render(target).encode(), f"run tools/gen_ocpp.py: {path.name} is stale"


def test_the_ocpp_package_ships_the_messages_that_the_standards_list() -> None:
    # 28 + 11 of the security extension, 64, and 91 of which one, a SEND, has no response.
    requests = {version: {a for a, is_response in official(version) if not is_response} for version in Version}
    responses = {version: {a for a, is_response in official(version) if is_response} for version in Version}
    assert {version: len(names) for version, names in requests.items()} == {"1.6": 39, "2.0.1": 64, "2.1": 91}
    assert responses[Version.V16] == requests[Version.V16]
    assert responses[Version.V201] == requests[Version.V201]
    assert requests[Version.V21] - responses[Version.V21] == v2.SENDS == {"NotifyPeriodicEventStream"}
    security = {n for (n, _), s in official(Version.V16).items() if "draft-06" in s["$schema"]}
    assert len(security) == 11


def test_every_message_of_a_version_has_its_struct_and_its_name() -> None:
    for version in Version:
        assert schemas.actions(version) == {a for a, is_response in official(version) if not is_response}
    for tables in (v16, v2):
        for action, kind in tables.REQUESTS.items():
            assert kind.__name__ == f"{action}Request"
        for action, kind in tables.RESPONSES.items():
            assert kind.__name__ == f"{action}Response"
    assert schemas.actions(Version.V21) - schemas.actions(Version.V201) == v2.SINCE_21_ACTIONS
    assert schemas.actions(Version.V201) <= schemas.actions(Version.V21)


def test_each_action_has_a_direction_and_only_data_transfer_has_two() -> None:
    assert (len(v16.FROM_STATION), len(v16.TO_STATION)) == (10 + 4, 19 + 7)
    assert (len(v2.FROM_STATION - v2.SINCE_21_ACTIONS), len(v2.TO_STATION - v2.SINCE_21_ACTIONS)) == (25, 40)
    assert (len(v2.FROM_STATION & v2.SINCE_21_ACTIONS), len(v2.TO_STATION & v2.SINCE_21_ACTIONS)) == (12, 15)
    for tables in (v16, v2):
        up, down = set(tables.FROM_STATION), set(tables.TO_STATION)
        assert up | down == set(tables.REQUESTS)
        assert up & down == {"DataTransfer"}


def test_fields_and_values_of_2_1_alone_are_marked() -> None:
    old, new = definitions(Version.V201), definitions(Version.V21)
    fields, values = {}, {}
    for name in old.keys() & new.keys():
        if added := new[name].get("properties", {}).keys() - old[name].get("properties", {}).keys():
            fields[name] = added
        if "enum" in old[name] and "enum" in new[name] and (more := set(new[name]["enum"]) - set(old[name]["enum"])):
            values[name] = more
    assert {name: set(marked) for name, marked in v2.SINCE_21_FIELDS.items()} == fields
    assert {name: set(marked) for name, marked in v2.SINCE_21_VALUES.items()} == values
    assert fields["TransactionType"] >= {"operationMode", "tariffId"}


def definitions(version: Version) -> dict[str, Schema]:
    found = {}
    for (action, is_response), schema in official(version).items():
        found[action + ("Response" if is_response else "Request")] = schema
        found.update(schema.get("definitions", {}))
    return found


# --- what a schema takes --------------------------------------------------------------------------------------------


@EVERY_SCHEMA
def test_what_the_schema_takes_survives_reading_and_writing(version: Version, action: str, is_response: bool) -> None:
    schema = official(version)[action, is_response]
    payloads = [sample(schema, schema, is_full=False)]
    payloads += [sample(schema, schema, is_full=True, turn=turn) for turn in range(turns(schema))]
    for number, payload in enumerate(payloads):
        if number < 2:
            assert list(judge(version, action, is_response).iter_errors(payload)) == []
        text = rpc.to_json(payload)
        written = rpc.to_json(reader(version, action, is_response).decode(text))
        assert exact(written) == exact(text)


@EVERY_SCHEMA
def test_null_counts_as_absent_and_unknown_fields_are_ignored(version: Version, action: str, is_response: bool) -> None:
    schema = official(version)[action, is_response]
    smallest = sample(schema, schema, is_full=False)
    padded = dict.fromkeys(schema.get("properties", {})) | smallest | {"vendorExtra": {"a": 1}}
    read = reader(version, action, is_response).decode(rpc.to_json(padded))
    assert exact(rpc.to_json(read)) == exact(rpc.to_json(smallest))


# --- what a schema refuses ------------------------------------------------------------------------------------------


def spoilt(node: Schema, root: Schema, value: Any, path: str = "") -> Iterator[tuple[str, str, Any, Any, Any]]:
    """(path, rule, container, key, wrong value) for every rule of the schema that a full payload can break."""
    node = resolved(node, root)
    if node.get("javaType") == "CustomData":
        return
    if isinstance(value, dict):
        for name, sub in node.get("properties", {}).items():
            here = f"{path}.{name}"
            rule = resolved(sub, root)
            if name in node.get("required", []):
                yield here, "required", value, name, MISSING
                yield here, "null", value, name, None
            for broken, wrong in breaches(rule, value[name]):
                yield here, broken, value, name, wrong
            yield from spoilt(sub, root, value[name], here)
    elif isinstance(value, list):
        for broken, wrong in breaches(resolved(node["items"], root), value[0]):
            yield f"{path}[0]", broken, value, 0, wrong
        yield from spoilt(node["items"], root, value[0], f"{path}[0]")


def breaches(rule: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    kind = rule.get("type")
    if kind is None or rule.get("javaType") == "CustomData":
        return
    yield "type", {"string": 17, "integer": "x", "number": "x", "boolean": "true", "array": {}, "object": []}[kind]
    if kind in ("integer", "number"):
        yield "type", True
    if kind == "integer":
        yield "type", Decimal("1.5")
    if "enum" in rule:
        yield "enum", "__none of these__"
        yield "enum", rule["enum"][0].swapcase()
    if "maxLength" in rule:
        yield "maxLength", value + "x"
    if "minimum" in rule:
        yield "minimum", rule["minimum"] - 1
    if "maximum" in rule:
        yield "maximum", rule["maximum"] + 1
    if rule.get("minItems"):
        yield "minItems", []
    if "maxItems" in rule:
        yield "maxItems", [value[0]] * (rule["maxItems"] + 1)


def faults(version: Version, action: str, is_response: bool, payload: Any) -> set[tuple[str, str]]:
    """(place, rule) of everything the version's schema has against a payload, unknown fields apart."""
    errors = judge(version, action, is_response).iter_errors(payload)
    return {(e.json_path, e.validator) for e in errors if e.validator != "additionalProperties"}


@EVERY_SCHEMA
def test_what_the_schema_refuses_is_refused(version: Version, action: str, is_response: bool) -> None:
    schema = official(version)[action, is_response]
    payload = sample(schema, schema, is_full=True)
    decode = reader(version, action, is_response).decode
    # Meant leniencies: 2.0.1 and 2.1 are one family, which takes what either takes; 1.6 has one shape for meter values.
    sister = {Version.V201: Version.V21, Version.V21: Version.V201}.get(version)
    has_sister = sister is not None and (action, is_response) in official(sister)
    for path, rule, container, key, wrong in spoilt(schema, schema, payload):
        right = container[key]
        if wrong is MISSING:
            del container[key]
        else:
            container[key] = wrong
        try:
            decode(rpc.to_json(payload))
        except msgspec.ValidationError:
            container[key] = right
            continue
        if wrong is None:
            del container[key]  # null counts as absent
        if sister and has_sister:
            now = faults(sister, action, is_response, payload)
            container[key] = right
            assert now <= faults(sister, action, is_response, payload), f"{path}: {rule} {wrong!s:.40} was taken"
        else:
            container[key] = right
            assert (action, rule) in {("MeterValues", "minItems")}, f"{path}: {rule} {wrong!s:.40} was taken"
