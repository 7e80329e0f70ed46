"""A log's text in pages: lines from a place on, and those that hold a word. Bounded, however long the file and its lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct

from ohmstead.stations.files.ports import Storage

LONGEST_LINE = 4000
MOST_SCANNED = 32 * 1024 * 1024


class Line(Struct, frozen=True):
    """A line: which one, counted from 1, and its text, cut where it is very long."""

    number: int
    text: str


class Lines(Struct, frozen=True, kw_only=True):
    """A page. `next_offset` and `next_number` are where the next one begins; None at the end of the file."""

    items: list[Line]
    next_offset: int | None
    next_number: int


async def read_lines(storage: Storage, sha256: str, *, offset: int, number: int, limit: int, search: str = "") -> Lines:
    """At most `limit` lines from byte `offset`, which is line `number`, on; only those that hold `search`, if given.

    Looks at MOST_SCANNED bytes at a time: a page may have few lines, or none, and still not be the last.
    """
    items: list[Line] = []
    at, count = offset, number
    wanted = search.casefold()
    async for raw, length in _split(storage.read(sha256, offset)):
        text = raw.decode("utf-8", "replace").rstrip("\r\n").replace("\0", "�")
        if not wanted or wanted in text.casefold():
            items.append(Line(count, text))
        at += length
        count += 1
        if len(items) >= limit or at - offset >= MOST_SCANNED:
            return Lines(items=items, next_offset=at, next_number=count)
    return Lines(items=items, next_offset=None, next_number=count)


async def _split(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, int]]:
    """Lines, each cut at LONGEST_LINE, with the length they really have."""
    line, length = bytearray(), 0
    async for piece in pieces:
        begin = 0
        while (end := piece.find(b"\n", begin)) >= 0:
            line += piece[begin : min(end, begin + max(0, LONGEST_LINE - len(line)))]
            yield bytes(line), length + end + 1 - begin
            line, length, begin = bytearray(), 0, end + 1
        line += piece[begin : begin + max(0, LONGEST_LINE - len(line))]
        length += len(piece) - begin
    if length:
        yield bytes(line), length
