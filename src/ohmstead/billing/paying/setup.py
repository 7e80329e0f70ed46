"""From when on it is asked who pays for a party's sessions: as soon as anything about it is set up."""

from __future__ import annotations

from uuid import UUID

from ohmstead.billing.paying import store
from ohmstead.core.db import Connection


async def ensure(conn: Connection, party_id: UUID) -> None:
    """Tokens for which nobody pays in particular go on charging on account, until the party says otherwise."""
    await store.ensure_policy(conn, party_id)
