"""A session that begins at an outlet kept for its token uses the reservation up, whether the station says so or not."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.core.events import Event
from ohmstead.reservations import service as reservations
from ohmstead.reservations.model import Use
from ohmstead.sessions import store


async def note_use(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionStarted`."""
    begun = await store.list_uses(conn, sorted({UUID(event.payload["session_id"]) for event in found}))
    await reservations.use(conn, [Use(**row) for row in begun])
