"""Many items shared out to messages, none of which is longer than who gets them takes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def portions(
    items: Iterable[T], most_items: int | None, most_bytes: int | None = None, size_of: Callable[[T], int] | None = None
) -> list[list[T]]:
    """In their order; none without items. An item that alone is too big has a portion of its own."""
    found: list[list[T]] = []
    used = 0
    for item in items:
        size = size_of(item) if size_of is not None else 0
        is_full = not found or bool(most_items and len(found[-1]) >= most_items)
        if is_full or (most_bytes is not None and used + size > most_bytes):
            found.append([])
            used = 0
        found[-1].append(item)
        used += size
    return found
