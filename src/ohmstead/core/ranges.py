"""Parts of a file that are asked for (Range) or sent (Content-Range, RFC 9110 §14). Pure."""

from __future__ import annotations

import re

from msgspec import Struct

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})")


_SENT = re.compile(r"bytes\s+(?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


class Part(Struct, frozen=True):
    """What a sender says of the part that it sends. `last` is before `first` where it only asks how much is there."""

    first: int
    last: int
    size: int | None

    @property
    def n_bytes(self) -> int:
        """How many bytes there are to come."""
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """The part lies outside the file."""


def part_of(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of the one part that is asked for; None for the whole: no header, or one we do not follow.

    Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        n_last = int(match[2])
        if n_last == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - n_last), size - 1
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, min(last, size - 1)


def part_sent(header: str) -> Part | None:
    """What a Content-Range header says; None for one that makes no sense."""
    match = _SENT.fullmatch(header.strip())
    if match is None:
        return None
    size = None if match[3] == "*" else int(match[3])
    if match[1] is None:
        return Part(0, -1, size)
    first, last = int(match[1]), int(match[2])
    return Part(first, last, size) if first <= last and (size is None or last < size) else None
