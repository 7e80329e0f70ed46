"""Parts of a file that are asked for by a Range header (RFC 9110 §14). Pure."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})")


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
