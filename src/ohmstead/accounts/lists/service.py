"""Lists as people left them: filters under a name, for themselves or for all of their party, and hidden columns."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.accounts.access import ADMIN, WHOLE_PARTY, Actor, NotAllowed
from ohmstead.accounts.lists import store
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.texts import checked

PageName: TypeAlias = Literal[
    "stations",
    "sessions",
    "drivers",
    "tokens",
    "locations",
    "reservations",
    "reports",
    "audit",
    "cdrs",
    "payments",
    "invoices",
]
ListName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80, description="What it is called.")]
QueryText: TypeAlias = Annotated[
    str, Meta(max_length=2000, description="The list's parameters, as in its address: `show=offline&sort=location`.")
]
# What says where in a list somebody is, not which list it is.
_PLACES = frozenset({"page", "before", "after", "cursor", "limit", "done", "saved"})
MOST_OWN = 200


class SavedList(Struct, frozen=True, kw_only=True):
    """A list under a name."""

    saved_list_id: UUID
    page: PageName
    name: str
    query: str
    is_shared: Annotated[bool, Meta(description="Everybody of the party sees it.")]
    is_own: Annotated[bool, Meta(description="It is yours to change.")]
    version: int
    created_at: datetime
    updated_at: datetime


class NewSavedList(Struct, kw_only=True, forbid_unknown_fields=True):
    """A list to keep."""

    page: PageName
    name: ListName
    query: QueryText = ""
    is_shared: bool = False


class SavedListChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of it; what is left out stays."""

    name: ListName | UnsetType = UNSET
    query: QueryText | UnsetType = UNSET
    is_shared: bool | UnsetType = UNSET


def tidied(query: str) -> str:
    """The parameters that say which list it is, without the place in it. Raises Invalid."""
    if not query.isprintable():
        raise Invalid("holds characters that no address has", field="query")
    try:
        pairs = parse_qsl(query.lstrip("?"), keep_blank_values=False, max_num_fields=50)
    except ValueError as error:
        raise Invalid("more than 50 parameters", field="query") from error
    return urlencode([(name, value) for name, value in pairs if name not in _PLACES])


async def list_saved(conn: Connection, actor: Actor, page: str | None) -> list[SavedList]:
    """One's own by name, then those that others share; of one page, or of all.

    Who sees some locations only has their own alone: what others filter by may name what is elsewhere.
    """
    rows = await store.list_saved(conn, actor.party_id, actor.actor_id, page)
    return [SavedList(**row) for row in rows if row["is_own"] or actor.locations is None]


async def get_saved(conn: Connection, actor: Actor, saved_list_id: UUID) -> SavedList:
    """One's own, or one that is shared. Raises NotFound."""
    row = await store.find_saved(conn, actor.party_id, actor.actor_id, saved_list_id)
    if row is None or not (row["is_own"] or actor.locations is None):
        raise NotFound(f"no saved list {saved_list_id}")
    return SavedList(**row)


async def save(conn: Connection, actor: Actor, given: NewSavedList) -> SavedList:
    """Raises Invalid, Conflict when there is one of that name, Refused beyond MOST_OWN on a page, and NotAllowed."""
    _check_shared(actor, given.is_shared)
    name, query = checked(given.name, "name"), tidied(given.query)
    if not name:
        raise Invalid("may not be empty", field="name")
    if await store.count_own(conn, actor.party_id, actor.actor_id, given.page) >= MOST_OWN:
        raise Refused(f"there are {MOST_OWN} already: delete one first")
    saved_list_id = new_id()
    if not await store.insert_saved(
        conn, actor.party_id, actor.actor_id, saved_list_id, given.page, name, query, given.is_shared
    ):
        raise Conflict(f"there is a list {name}", code="taken")
    return await get_saved(conn, actor, saved_list_id)


async def change(
    conn: Connection, actor: Actor, saved_list_id: UUID, given: SavedListChange, if_version: int | None = None
) -> SavedList:
    """Raises NotFound, Invalid, Refused for somebody else's, Conflict, and NotAllowed."""
    before = await _own(conn, actor, saved_list_id)
    name = before.name if given.name is UNSET else checked(given.name, "name")
    if not name:
        raise Invalid("may not be empty", field="name")
    query = before.query if given.query is UNSET else tidied(given.query)
    is_shared = before.is_shared if given.is_shared is UNSET else given.is_shared
    _check_shared(actor, is_shared)
    found = await store.update_saved(conn, actor.party_id, saved_list_id, name, query, is_shared, if_version)
    if found == "taken":
        raise Conflict(f"there is a list {name}", code="taken")
    if found == "stale":
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    return await get_saved(conn, actor, saved_list_id)


async def delete(conn: Connection, actor: Actor, saved_list_id: UUID) -> None:
    """Raises NotFound, and Refused for somebody else's unless the actor runs the party."""
    found = await get_saved(conn, actor, saved_list_id)
    if not found.is_own and ADMIN not in actor.actions:
        raise Refused("it is somebody else's")
    await store.delete_saved(conn, actor.party_id, saved_list_id)


async def _own(conn: Connection, actor: Actor, saved_list_id: UUID) -> SavedList:
    found = await get_saved(conn, actor, saved_list_id)
    if not found.is_own:
        raise Refused("it is somebody else's: save it under a name of your own")
    return found


def _check_shared(actor: Actor, is_shared: bool) -> None:
    if is_shared and actor.locations is not None:
        raise NotAllowed(WHOLE_PARTY)


async def hidden_columns(conn: Connection, actor: Actor, page: str) -> list[str]:
    """Columns of a list that the actor does not want to see."""
    return await store.find_layout(conn, actor.party_id, actor.actor_id, page)


async def hide_columns(conn: Connection, actor: Actor, page: str, hidden: list[str]) -> None:
    """Remember them. Raises Invalid."""
    names = [checked(name, "hidden") for name in hidden]
    await store.save_layout(conn, actor.party_id, actor.actor_id, page, sorted(set(names)))
