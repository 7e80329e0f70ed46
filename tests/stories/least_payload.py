"""The smallest payload that an official schema allows, for every action of every version."""

from typing import Any

from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version

Schema = dict[str, Any]


def least(version: str, action: str, *, is_response: bool = False) -> dict[str, Any]:
    """Required fields only; of an enumeration the first value."""
    schema = schemas.request_schema(Version(version), action, is_response=is_response)
    made: dict[str, Any] = _least(schema, schema)
    return made


def _least(schema: Schema, root: Schema) -> Any:
    while "$ref" in schema:
        found: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        needed = schema.get("required", ())
        return {name: _least(inner, root) for name, inner in schema.get("properties", {}).items() if name in needed}
    if kind == "array":
        return [_least(schema["items"], root) for _ in range(schema.get("minItems", 1))]
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
    return "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else "x"
