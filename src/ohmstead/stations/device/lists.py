"""Local authorization lists: what a station should hold, and the messages that bring it there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.core.portions import portions
from ohmstead.stations.orders import ListedToken, SendLocalList

LONGEST_UID_16 = 20
LONGEST_GROUP_2 = 36
FRAME_BYTES = 200  # around the entries: brackets, a message id, the names of action and fields, a version
_TYPES_16 = frozenset(("ISO14443", "ISO15693", "Central", "Local", "KeyCode", "MacAddress", "EVCCID", "eMAID", "VIN"))
_NEVER_LISTED = frozenset(("NoAuthorization", "DirectPayment"))


class Chosen(Struct, frozen=True):
    """Entries for a station, by uid in lower case, and how many it has no room for."""

    entries: dict[str, ListedToken]
    n_left_out: int


def chosen(tokens: Iterable[ListedToken], generation: str, capacity: int | None) -> Chosen:
    """Those of the tokens that the version can name, in the order given, as many as fit. A group that it cannot name is left
    out, which only costs the group."""
    longest_group = LONGEST_UID_16 if generation == "1.6" else LONGEST_GROUP_2
    found: dict[str, ListedToken] = {}
    n_left_out = 0
    for token in tokens:
        if token.type in _NEVER_LISTED:
            continue
        if generation == "1.6" and (len(token.uid) > LONGEST_UID_16 or token.type not in _TYPES_16):
            continue
        if capacity is not None and len(found) >= capacity:
            n_left_out += 1
        elif token.group_uid is not None and len(token.group_uid) > longest_group:
            found[token.uid.lower()] = replace(token, group_uid=None)
        else:
            found[token.uid.lower()] = token
    return Chosen(found, n_left_out)


def updates(
    held: Mapping[str, ListedToken] | None,
    version: int,
    wanted: Mapping[str, ListedToken],
    most: int | None,
    most_bytes: int | None = None,
) -> list[SendLocalList]:
    """The messages from what the station holds to what it should; none when it holds that.

    `held` None: nobody knows, or the versions disagree, and the list is sent whole. `version`: the highest that either
    side has seen; each message takes the next one. `most`, `most_bytes`: entries of one message, and their bytes.
    """
    if held is None:
        return _whole(version, list(wanted.values()), most, most_bytes)
    changed = [entry for key, entry in wanted.items() if held.get(key) != entry]
    gone = [
        ListedToken(uid=entry.uid, type=entry.type, status=None) for key, entry in held.items() if key not in wanted
    ]
    if not changed and not gone:
        return []
    if not wanted:
        return _whole(version, [], most, most_bytes)
    shared = portions([*changed, *gone], most, most_bytes, _size_of)
    return [_differential(version + n, part) for n, part in enumerate(shared, 1)]


def _whole(version: int, entries: list[ListedToken], most: int | None, most_bytes: int | None) -> list[SendLocalList]:
    # What does not fit into the first message follows as additions.
    first, *rest = portions(entries, most, most_bytes, _size_of) or [[]]
    whole = SendLocalList(version=version + 1, update="full", entries=tuple(first))
    return [whole, *(_differential(version + n, part) for n, part in enumerate(rest, 2))]


def _differential(version: int, entries: list[ListedToken]) -> SendLocalList:
    return SendLocalList(version=version, update="differential", entries=tuple(entries))


def shares(order: SendLocalList, most: int | None, most_bytes: int | None) -> list[SendLocalList]:
    """An order that is too long for one message, as several: the first one as ordered, what does not fit into it as
    changes, each with the next version. `most_bytes`: of a whole message.
    """
    room = max(most_bytes - FRAME_BYTES, 1) if most_bytes else None
    parts = portions(order.entries, most, room, _size_of) or [[]]
    return [
        replace(
            order,
            version=order.version + n,
            update=order.update if n == 0 else "differential",
            entries=tuple(part),
        )
        for n, part in enumerate(parts)
    ]


def _size_of(entry: ListedToken) -> int:
    """Bytes that an entry takes in a message, at most: its fields' names and an instant around what it says."""
    return 220 + len(entry.uid.encode()) + len((entry.group_uid or "").encode())


def after(held: Mapping[str, ListedToken] | None, update: SendLocalList) -> dict[str, ListedToken]:
    """What a station holds once it took an update, by uid in lower case."""
    found = {} if update.update == "full" else dict(held or {})
    for entry in update.entries:
        if entry.status is None:
            found.pop(entry.uid.lower(), None)
        else:
            found[entry.uid.lower()] = entry
    return found
