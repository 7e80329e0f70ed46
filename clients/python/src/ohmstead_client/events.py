"""Server-sent events, as the live stream sends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct


class LiveEvent(Struct, frozen=True):
    """Something that happened just now. `kind` is `connection`, `connector`, `session`, `message`, `command`, `station` or
    `overrun` (you read too slowly: read anew what you need)."""

    kind: str
    data: dict[str, Any]


class EventReader:
    """Lines to events. `retry_s`: how long the server wants to be left alone before a new connection."""

    def __init__(self) -> None:
        self.retry_s = 3.0
        self._kind = ""
        self._data: list[str] = []

    def read(self, line: str) -> Iterator[LiveEvent]:
        """Take a line without its end; gives the event that it completes."""
        if line == "":
            if self._data and (data := _object("\n".join(self._data))) is not None:
                yield LiveEvent(self._kind or str(data.get("kind", "message")), data)
            self._kind, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "retry" and value.isdigit():
            self.retry_s = int(value) / 1000


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
