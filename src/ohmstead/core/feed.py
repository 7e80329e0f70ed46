"""The outbox for readers that keep their place themselves: nothing is missed, nothing comes before its cause."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict
from ohmstead.core.events import Event


class Place(Struct, frozen=True, array_like=True):
    """Where a reader is: in the window of transactions [window_from, window_to), after the event `done_event_id`.

    A `window_to` of 0 is a window whose end is not drawn yet. Windows hold finished transactions only; why that keeps
    the order and loses nothing, is told in migrations/0001_core.sql.
    """

    window_from: int
    window_to: int = 0
    done_event_id: int = 0


BEGINNING = Place(0)


async def present(conn: Connection) -> Place:
    """The place of a reader that wants what happens from now on."""
    return Place(await _horizon(conn))


async def read(
    conn: Connection, party_id: UUID, place: Place, kinds: Sequence[str] | None, limit: int
) -> tuple[list[Event], Place]:
    """A party's next events and the place after them. No events: ask again later from the place returned.

    Raises Conflict for a place this server has not come to: it was kept from before a dump was restored.
    """
    horizon = await _horizon(conn)
    if place.window_from > horizon:
        raise Conflict("the cursor is from before the database was restored: begin anew without one")
    if not place.window_to:
        place = Place(place.window_from, horizon)
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add("xid >= {}::text::xid8", str(place.window_from))
    where.add("xid < {}::text::xid8", str(place.window_to))
    where.add("event_id > {}", place.done_event_id)
    if kinds is not None:
        where.add("kind = any({})", list(kinds))
    rows = await conn.fetch(
        f"select event_id, at, party_id, kind, subject, payload from outbox where {where.sql}"  # noqa: S608
        f" order by event_id limit {where.parameter(limit)}",
        *where.values,
    )
    events = [Event(**row) for row in rows]
    if len(events) < limit:
        return events, Place(place.window_to)
    return events, Place(place.window_from, place.window_to, events[-1].event_id)


async def _horizon(conn: Connection) -> int:
    # Everything below it has ended, so nothing can still appear there.
    horizon: int = await conn.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return horizon
