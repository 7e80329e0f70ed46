"""Local authorization lists: what a station should hold, and the messages that bring it there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from ohmstead.core.portions import portions
from ohmstead.stations.orders import ListedToken, SendLocalList

LONGEST_UID_16 = 20
LONGEST_GROUP_2 = 36
FRAME_BYTES = 200  # around the entries: brackets, a message id, the names of action and fields, a version
_TYPES_16 = frozenset(("ISO14443", "ISO15693", "Central", "Local", "KeyCode", "MacAddress", "EVCCID", "eMAID", "VIN"))
_NEVER_LISTED = frozenset(("NoAuthorization", "DirectPayment"))


class Entry(Struct, frozen=True, kw_only=True):
    """A token on the list: it may charge, until `valid_until` (RFC 3339) if given."""

    uid: str
    type: str
    group_uid: str | None = None
    valid_until: str | None = None


class Update(Struct, frozen=True, kw_only=True):
    """One message. Full: the list is these entries and no others. Differential: add or replace these, remove those."""

    kind: Literal["full", "differential"]
    version: int
    entries: tuple[Entry, ...] = ()
    removals: tuple[Entry, ...] = ()


class Chosen(Struct, frozen=True):
    """Entries for a station, by uid in lower case, and how many it has no room for."""

    entries: dict[str, Entry]
    n_left_out: int


def chosen(tokens: Iterable[Entry], generation: str, capacity: int | None) -> Chosen:
    """Those of the tokens that the version can name, in the order given, as many as fit."""
    found: dict[str, Entry] = {}
    n_left_out = 0
    for token in tokens:
        if token.type in _NEVER_LISTED:
            continue
        if generation == "1.6" and (len(token.uid) > LONGEST_UID_16 or token.type not in _TYPES_16):
            continue
        if capacity is not None and len(found) >= capacity:
            n_left_out += 1
        else:
            found[token.uid.lower()] = token
    return Chosen(found, n_left_out)


def updates(
    held: Mapping[str, Entry] | None,
    version: int,
    wanted: Mapping[str, Entry],
    most: int | None,
    most_bytes: int | None = None,
) -> list[Update]:
    """The messages from what the station holds to what it should; none when it holds that.

    `held` None: nobody knows, or the versions disagree, and the list is sent whole. `version`: the highest that either
    side has seen; each message takes the next one. `most`, `most_bytes`: entries of one message, and their bytes.
    """
    if held is None:
        return _whole(version, list(wanted.values()), most, most_bytes)
    changed = [entry for key, entry in wanted.items() if held.get(key) != entry]
    gone = [entry for key, entry in held.items() if key not in wanted]
    if not changed and not gone:
        return []
    if not wanted:
        return _whole(version, [], most, most_bytes)
    pairs = [(entry, False) for entry in changed] + [(entry, True) for entry in gone]
    found = []
    shared = portions(pairs, most, most_bytes, lambda pair: _size_of(pair[0]))
    for n, part in enumerate(shared, 1):
        found.append(
            Update(
                kind="differential",
                version=version + n,
                entries=tuple(entry for entry, is_gone in part if not is_gone),
                removals=tuple(entry for entry, is_gone in part if is_gone),
            )
        )
    return found


def _whole(version: int, entries: list[Entry], most: int | None, most_bytes: int | None) -> list[Update]:
    # What does not fit into the first message follows as additions.
    first, *rest = portions(entries, most, most_bytes, _size_of) or [[]]
    found = [Update(kind="full", version=version + 1, entries=tuple(first))]
    for n, part in enumerate(rest, 2):
        found.append(Update(kind="differential", version=version + n, entries=tuple(part)))
    return found


def shares(order: SendLocalList, most: int | None, most_bytes: int | None) -> list[SendLocalList]:
    """An order that is too long for one message, as several: the first one as ordered, what does not fit into it as
    changes, each with the next version. `most_bytes`: of a whole message.
    """
    room = max(most_bytes - FRAME_BYTES, 1) if most_bytes else None
    parts = portions(order.entries, most, room, _size_of) or [[]]
    return [
        msgspec.structs.replace(
            order,
            version=order.version + n,
            update=order.update if n == 0 else "differential",
            entries=tuple(part),
        )
        for n, part in enumerate(parts)
    ]


def _size_of(entry: Entry | ListedToken) -> int:
    """Bytes that an entry takes in a message, at most: its fields' names and an instant around what it says."""
    return 220 + len(entry.uid.encode()) + len((entry.group_uid or "").encode())


def after(held: Mapping[str, Entry] | None, update: Update) -> dict[str, Entry]:
    """What a station holds once it took an update."""
    found = {} if update.kind == "full" else dict(held or {})
    found.update({entry.uid.lower(): entry for entry in update.entries})
    for entry in update.removals:
        found.pop(entry.uid.lower(), None)
    return found
