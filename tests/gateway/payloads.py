"""Payloads made from the official schemas: valid ones of every action, and spoiled ones."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16

Text = Callable[[str, int | None], str]
AT = "2026-11-01T08:00:00Z"


def inbound_actions(version: Version) -> list[str]:
    """What a station of this version may call; the SEND of 2.1 is none of them."""
    types = v16 if version is Version.V16 else v2
    return sorted((types.FROM_STATION & schemas.actions(version)) - v2.SENDS)


def plain(name: str, longest: int | None) -> str:
    """An ordinary text for a field."""
    return "7"[: longest or 1]


def valid(version: Version, action: str, text: Text = plain) -> dict[str, Any]:
    """A payload with every field of the schema in it, as far as it fits together. `text` fills the free texts."""
    schema = schemas.request_schema(version, action)
    made: dict[str, Any] = _value(schema, schema, "", text, 0)
    return made


def _value(schema: dict[str, Any], root: dict[str, Any], name: str, text: Text, depth: int) -> Any:
    while "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        needed = set(schema.get("required", ()))
        return {
            key: _value(inner, root, key, text, depth + 1)
            for key, inner in fields.items()
            if key != "customData" and (key in needed or depth < 5)
        }
    if kind == "array":
        count = max(1, schema.get("minItems", 1))
        return [_value(schema["items"], root, name, text, depth + 1) for _ in range(count)]
    if kind == "string":
        return AT if schema.get("format") == "date-time" else text(name, schema.get("maxLength"))
    if kind in ("integer", "number"):
        return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
    if kind == "boolean":
        return False
    return text(name, schema.get("maxLength"))


ODD: tuple[Any, ...] = (
    None, True, "", " ", "x" * 300, "\u202egnp.exe", "'; drop table session; --", "<script>alert(1)</script>", "ñ" * 25,
    "NaN", "-1", "0", "1e999", "9" * 40, 0, -1, 1, 1.5, 2**31 - 1, 2**31, -(2**31), 2**63, 10**30, 1e-9, 1e25, -0.0,
    [], {}, [[]], [None], {"id": 1}, [{}], "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z", "2026-11-01", "24:00", "Sample.Clock", "Energy.Active.Import.Register",
)  # fmt: skip


def spoiled(payload: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The payload with one to three changes at random places."""
    made = copy.deepcopy(payload)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(made))
        if not places:
            break
        holder, key = chance.choice(places)
        change = chance.random()
        if change < 0.2:
            del holder[key]
        elif change < 0.3 and isinstance(holder, dict):
            holder["x" * chance.randint(1, 60)] = copy.deepcopy(chance.choice(ODD))
        elif change < 0.4 and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder[key]) for _ in range(chance.randint(1, 30)))
        else:
            holder[key] = copy.deepcopy(chance.choice(ODD))
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield value, index
            yield from _places(inner)


def damaged(frame: str, chance: random.Random) -> str:
    """The text of a frame with a few characters lost, doubled or replaced."""
    characters = list(frame)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(characters)) if characters else 0
        change = chance.random()
        if change < 0.35 and characters:
            del characters[place]
        elif change < 0.7:
            characters.insert(place, chance.choice('{}[]",:\\u0123e-.\x00\x1f\u2028'))
        else:
            cut = chance.randrange(len(characters) + 1)
            characters = characters[:cut] + characters[place : place + 20] + characters[cut:]
    return "".join(characters)
