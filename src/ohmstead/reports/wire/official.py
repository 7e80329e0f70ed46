"""The official JSON schemas of OCPP's messages, as they come with the `ocpp` package: read only, never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

FOLDERS: Final = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}

Schema = dict[str, Any]


def schema_text(folder: str, action: str, is_response: bool) -> str:
    """The file of a message in one of FOLDERS. Raises FileNotFoundError where a message has no response."""
    base = resources.files("ocpp").joinpath(folder, "schemas")
    if is_response:
        names = [f"{action}Response.json"]
    else:
        names = [f"{action}Request.json", f"{action}.json"]  # 1.6, and 2.1's only SEND, go without the ending
    for name in names:
        file = base.joinpath(name)
        if file.is_file():
            return file.read_text(encoding="utf-8-sig")
    raise FileNotFoundError(names[0])


@cache
def actions(version: str) -> frozenset[str]:
    """Every action of a version, both directions; none of a version that is not known."""
    if version not in FOLDERS:
        return frozenset()
    folder = resources.files("ocpp").joinpath(FOLDERS[version], "schemas")
    names = (file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))
    return frozenset(name.removesuffix("Request").removesuffix("Response") for name in names)


@cache
def schema(version: str, action: str, *, is_response: bool = False) -> Schema | None:
    """A message's schema; None for an action that the version does not have, or that has no response."""
    if action not in actions(version):
        return None
    try:
        found: Schema = json.loads(schema_text(FOLDERS[version], action, is_response))
    except FileNotFoundError:
        return None
    return found


def resolved(node: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node of `whole`, references followed."""
    while "$ref" in node:
        found: Any = whole
        for step in str(node["$ref"]).removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def nodes(whole: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, node) of every field of a message, each type once."""
    waiting, seen = [whole], set()
    while waiting:
        node = resolved(waiting.pop(), whole)
        if id(node) in seen:
            continue
        seen.add(id(node))
        for name, inner in node.get("properties", {}).items():
            yield name, resolved(inner, whole)
            waiting.append(inner)
        if isinstance(node.get("items"), dict):
            waiting.append(node["items"])
