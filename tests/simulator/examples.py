"""A valid payload for any CSMS→station message, made from its official schema."""

from typing import Any

from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version

_BETTER: dict[str, Any] = {
    "connectorId": 1,
    "evseId": 1,
    "requestId": 7,
    "duration": 600,
    "startPeriod": 0,
    "configurationSlot": 1,
    "ocppCsmsUrl": "wss://csms.example/ocpp",
    "location": "https://files.example/file.bin",
    "remoteLocation": "https://files.example/up",
    "listVersion": 4,
    "versionNumber": 4,
}


def example_of(version: str, action: str) -> dict[str, Any]:
    """Required fields only, the first value of each list of words."""
    schema = schemas.request_schema(Version(version), action)
    made: dict[str, Any] = _value(schema, schema.get("definitions", {}), "")
    assert schemas.violations(Version(version), action, made) == []
    return made


def _value(schema: dict[str, Any], definitions: dict[str, Any], name: str) -> Any:
    if "$ref" in schema:
        return _value(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _value(properties[key], definitions, key) for key in schema.get("required", ())}
    if kind == "array":
        return [_value(schema["items"], definitions, name)]
    if name in _BETTER:
        return _BETTER[name]
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return False
    if schema.get("format") == "date-time":
        return "2026-03-02T10:00:00Z"
    return "example"[: schema.get("maxLength", 20)]
