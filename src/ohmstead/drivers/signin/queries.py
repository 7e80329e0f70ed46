"""By what drivers sign in, as their pages show it."""

from __future__ import annotations

from uuid import UUID

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.drivers.signin import store
from ohmstead.drivers.signin.model import DriverBrowser, DriverPasskey


async def list_browsers(conn: Connection, party_id: UUID, driver_id: UUID) -> list[DriverBrowser]:
    """Where a driver is signed in now, last seen first."""
    return await store.list_browsers(conn, party_id, driver_id, clock.now())


async def list_passkeys(conn: Connection, party_id: UUID, driver_id: UUID) -> list[DriverPasskey]:
    """A driver's passkeys, oldest first."""
    return await store.list_passkeys(conn, party_id, driver_id)
