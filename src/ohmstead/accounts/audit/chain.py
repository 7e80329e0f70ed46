"""The audit log's chain, checked: every entry's hash is over its content and the hash of the one before. Pure.

The database links entries as they are committed (migrations/0023_hooks.sql); this composes and hashes them for itself.
Who may write to the database's tables and functions can link all anew: only a hash that was noted elsewhere shows that.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

NOTHING: Final = hashlib.sha256(b"").digest()
# Of a log that somebody rewrote every entry is wrong: so many are told, and how many more.
MOST_FAULTS: Final = 100

What: TypeAlias = Literal["altered", "deleted", "inserted", "reordered", "unlinked", "anchor"]


class Link(Struct, frozen=True, kw_only=True):
    """An entry as it is stored. `detail` and `changes` are the database's text of them; `at` ISO 8601 in UTC with µs."""

    entry_id: int
    number: int | None
    party_id: str
    at: str
    actor: str
    action: str
    object: str
    detail: str
    changes: str
    remote_address: str | None
    previous_hash: bytes | None
    hash: bytes | None


class Head(Struct, frozen=True, kw_only=True):
    """The end of a party's chain, as it was noted when the last entry was linked."""

    number: int = 0
    hash: bytes = NOTHING


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong, with which entries: numbers `first` to `last` of the chain (0: none has one)."""

    what: What
    first: int
    last: int
    text: str


def content(link: Link) -> str:
    """What is hashed of an entry: a JSON array of party, time, actor, action, object, detail, changes and address."""
    texts = (link.party_id, link.at, link.actor, link.action, link.object)
    parts = [*(json.dumps(text, ensure_ascii=False) for text in texts), link.detail, link.changes]
    address = "null" if link.remote_address is None else json.dumps(link.remote_address, ensure_ascii=False)
    return f"[{','.join([*parts, address])}]"


def hash_of(previous: bytes, text: str) -> bytes:
    """SHA-256 over the hash before in hexadecimal, a newline, and the content, in UTF-8."""
    return hashlib.sha256(f"{previous.hex()}\n{text}".encode("utf-8", "surrogatepass")).digest()


class Checker:
    """Goes along a party's chain, in pieces, in the order of numbers. Keeps a hash and two numbers for each entry."""

    def __init__(self, anchors: Mapping[int, bytes] | None = None) -> None:
        self._anchors = dict(anchors or {})
        self._places: dict[bytes, int] = {}
        self._claims: Counter[bytes] = Counter()
        self._broken: list[tuple[int, bytes, int]] = []
        self._faults: list[Fault] = []
        self.last = Head()
        self.n_entries = 0

    def take(self, links: Sequence[Link]) -> None:
        """The next entries, those without a number last."""
        for link in links:
            self.n_entries += 1
            if link.number is None or link.hash is None or link.previous_hash is None:
                self._tell("unlinked", 0, 0, f"entry {link.entry_id} was written past the chain")
                continue
            self._one(link, link.number, link.hash, link.previous_hash)

    def _one(self, link: Link, number: int, stored: bytes, previous: bytes) -> None:
        if number > self.last.number + 1:
            self._tell_deleted(self.last.number + 1, number - 1)
        elif previous != self.last.hash:
            self._broken.append((number, previous, link.entry_id))
        if hash_of(previous, content(link)) != stored:
            self._tell("altered", number, number, f"entry {number} is not what it was when it was written")
        wanted = self._anchors.pop(number, None)
        if wanted is not None and wanted != stored:
            self._tell("anchor", number, number, f"entry {number} has another hash than the one that was noted")
        self._places[stored] = number
        self._claims[previous] += 1
        self.last = Head(number=number, hash=stored)

    def finish(self, head: Head) -> list[Fault]:
        """All that is wrong, in the order of the chain; empty when nothing is."""
        for number, previous, entry_id in self._broken:
            self._explain(number, previous, entry_id)
        if self.last.number < head.number:
            self._tell_deleted(self.last.number + 1, head.number)
        elif self.last.number > head.number and not self._faults:
            self._tell("inserted", head.number + 1, self.last.number, "entries after the end that was noted")
        elif self.last.number == head.number and self.last.hash != head.hash and not self._faults:
            self._tell("altered", head.number, head.number, "the last entry is not the one that was noted as the end")
        for number in sorted(self._anchors):
            self._tell("anchor", number, number, f"there is no entry {number}, whose hash was noted")
        return sorted(self._faults, key=lambda fault: fault.first)[:MOST_FAULTS]

    def _explain(self, number: int, previous: bytes, entry_id: int) -> None:
        place = self._places.get(previous, 0 if previous == NOTHING else None)
        if place is None:
            gone = f"what stood before entry {number} is gone, or entry {number} was put there"
            self._tell("deleted", number, number, gone)
        elif place < number - 1 and self._claims[previous] > 1:
            self._tell("inserted", place + 1, number - 1, f"{_span(place + 1, number - 1)} put in after entry {place}")
        else:
            self._tell("reordered", number, number, f"entry {number} (id {entry_id}) belongs after entry {place}")

    def _tell_deleted(self, first: int, last: int) -> None:
        self._tell("deleted", first, last, f"{_span(first, last)} missing")

    def _tell(self, what: What, first: int, last: int, text: str) -> None:
        self._faults.append(Fault(what=what, first=first, last=last, text=text))


def check(links: Sequence[Link], head: Head, anchors: Mapping[int, bytes] | None = None) -> list[Fault]:
    """The whole chain at once."""
    checker = Checker(anchors)
    checker.take(links)
    return checker.finish(head)


def anchor_of(text: str) -> tuple[int, bytes]:
    """`41:9f86d0…` as (number, hash). Raises ValueError."""
    number, _, digest = text.partition(":")
    noted = bytes.fromhex(digest)
    if not number.isdecimal() or int(number) < 1 or len(noted) != len(NOTHING):
        raise ValueError("expected an entry's number, a colon and its hash, as `audit verify` prints them")
    return int(number), noted


def kinds_of(faults: Collection[Fault]) -> list[str]:
    """What happened to the log, each once."""
    return sorted({fault.what for fault in faults})


def _span(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
