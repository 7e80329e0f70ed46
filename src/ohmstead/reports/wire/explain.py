"""OCPP's actions, fields, values and error codes in plain words of the language that is spoken. Otherwise pure.

The words stand in `words/*.<language>.txt`, a line each: `name: words`. A value that means something else in one field
has a line `field=value: words` of its own. What a language has no words for is said in English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from ohmstead.core.language import ENGLISH, spoken
from ohmstead.core.log import REDACTED
from ohmstead.reports.wire import official

MOST_FIELDS = 400
DEEPEST = 20


class Said(Struct, frozen=True, kw_only=True):
    """A field of a message. `path`: dotted, with the places in lists; `value`: as it stands, None for a part with parts.

    `about`: what the field is; `means`: what the value says, where it is one of a fixed set.
    """

    path: str
    depth: int
    name: str
    value: str | None
    about: str | None
    means: str | None


class Explanation(Struct, frozen=True, kw_only=True):
    """A message in plain words. `error`: what the error code of its answer means."""

    action: str
    about: str | None
    request: list[Said]
    answer: list[Said]
    error: str | None


class FieldWords(Struct, frozen=True, kw_only=True):
    """A field of an action, wherever it stands; `values`: those it may have, with their meanings."""

    name: str
    about: str | None
    values: dict[str, str | None]


class ActionWords(Struct, frozen=True, kw_only=True):
    """An action of a version in plain words."""

    version: str
    action: str
    about: str | None
    request: list[FieldWords]
    answer: list[FieldWords]


@cache
def words(of: str, code: str) -> Mapping[str, str]:
    """The words of one kind that a language has of its own; none where it has no such file."""
    file = resources.files("ohmstead.reports.wire").joinpath("words", f"{of}.{code}.txt")
    if not file.is_file():
        return {}
    pairs = (line.partition(": ") for line in file.read_text(encoding="utf-8").splitlines())
    return {name: told for name, _, told in pairs if told}


@cache
def _told(of: str, code: str) -> Mapping[str, str]:
    return {**words(of, ENGLISH), **words(of, code)}


def about_action(action: str) -> str | None:
    """What a message is for; None for one that OCPP does not have."""
    return _told("actions", spoken()).get(action)


def about_field(name: str) -> str | None:
    """What a field holds; None for a vendor's own."""
    return _told("fields", spoken()).get(name)


def about_value(field: str, value: str) -> str | None:
    """What one of a field's fixed values says."""
    told = _told("values", spoken())
    return told.get(f"{field}={value}", told.get(value))


def about_error(code: str | None) -> str | None:
    """What the code of a CALLERROR, or our own for what was not answered, means."""
    return _told("errors", spoken()).get(code or "")


def explain(
    version: str, action: str, payload: str | None, answer: str | None, error_code: str | None = None
) -> Explanation:
    """One exchange. Payloads are JSON text as they travelled, and may be anything at all."""
    return Explanation(
        action=action,
        about=about_action(action),
        request=said(payload, official.schema(version, action)),
        answer=said(answer, official.schema(version, action, is_response=True)) if error_code is None else [],
        error=about_error(error_code),
    )


def said(text: str | None, schema: official.Schema | None) -> list[Said]:
    """The fields of a payload, top to bottom, at most MOST_FIELDS."""
    try:
        value = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    found = []
    for one in _said(value, schema or {}, schema or {}, "", 0):
        found.append(one)
        if len(found) == MOST_FIELDS:
            break
    return found


def _said(value: Any, node: Mapping[str, Any], whole: Mapping[str, Any], path: str, depth: int) -> Iterator[Said]:
    node = official.resolved(node, whole)
    if not isinstance(value, dict) or depth > DEEPEST:
        return
    for name, inner in value.items():
        known = official.resolved(node.get("properties", {}).get(name, {}), whole)
        here = f"{path}.{name}" if path else name
        yield _one(here, name, inner, known, depth)
        if isinstance(inner, dict):
            yield from _said(inner, known, whole, here, depth + 1)
        elif isinstance(inner, list):
            items = official.resolved(known.get("items", {}), whole)
            for index, item in enumerate(inner):
                if isinstance(item, dict):
                    yield from _said(item, items, whole, f"{here}[{index}]", depth + 1)


def _one(path: str, name: str, value: Any, node: Mapping[str, Any], depth: int) -> Said:
    shown: str | None
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)):
        shown = None
    else:
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    is_fixed = "enum" in node or "enum" in node.get("items", {})
    means = about_value(name, shown) if shown not in (None, REDACTED) and (is_fixed or name == "status") else None
    about = about_field(name)
    return Said(path=path, depth=depth, name=name, value=shown, about=about, means=means)


def action_words(version: str, action: str) -> ActionWords | None:
    """An action with all its fields; None for one that the version does not have."""
    return _action_words(version, action, spoken())


@cache
def _action_words(version: str, action: str, _code: str) -> ActionWords | None:
    request = official.schema(version, action)
    if request is None:
        return None
    return ActionWords(
        version=version,
        action=action,
        about=about_action(action),
        request=_field_words(request),
        answer=_field_words(official.schema(version, action, is_response=True) or {}),
    )


def actions_in_short(version: str) -> list[ActionWords]:
    """Every action of a version, without its fields."""
    return [
        ActionWords(version=version, action=action, about=about_action(action), request=[], answer=[])
        for action in sorted(official.actions(version))
    ]


def _field_words(schema: Mapping[str, Any]) -> list[FieldWords]:
    found: dict[str, FieldWords] = {}
    for name, node in official.nodes(schema):
        values = official.resolved(node.get("items", {}), schema).get("enum") or node.get("enum") or []
        known = found.setdefault(name, FieldWords(name=name, about=about_field(name), values={}))
        known.values.update({value: about_value(name, value) for value in values})
    return list(found.values())
