"""A driver was erased: by what they signed in, and what they kept on their pages, goes with them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.core.events import Event
from ohmstead.drivers.garage import service as garage
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.signin import service as signin


async def notice_erased(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `DriverErased`, whoever erased them."""
    for event in found:
        if event.party_id is not None:
            driver_id = UUID(event.payload["driver_id"])
            await signin.forget(conn, event.party_id, driver_id)
            await phones.forget(conn, event.party_id, driver_id)
            await garage.forget(conn, event.party_id, driver_id)
