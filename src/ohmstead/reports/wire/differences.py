"""What changed between two messages: pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

MOST = 200


class Change(Struct, frozen=True, kw_only=True):
    """A place where two payloads differ. `before`, `after`: JSON; None where there was, or is, nothing."""

    path: str
    what: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None


def between(before: str | None, after: str | None) -> list[Change]:
    """The places in which two payloads (JSON text) differ, at most MOST; none where either cannot be read."""
    try:
        old, new = (_flat(msgspec.json.decode(text or "{}")) for text in (before, after))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    changes = []
    for path in [*new, *(path for path in old if path not in new)]:
        if old.get(path) == new.get(path):
            continue
        what: Literal["added", "removed", "changed"] = (
            "added" if path not in old else "removed" if path not in new else "changed"
        )
        changes.append(Change(path=path, what=what, before=old.get(path), after=new.get(path)))
    return changes[:MOST]


def _flat(value: Any) -> dict[str, str]:
    return dict(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, msgspec.json.encode(value).decode()
