"""Which makes of stations there are."""

from __future__ import annotations

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection, Row


async def list_makes(conn: Connection, scope: Scope) -> list[Row]:
    """Vendor, model, firmware and version of OCPP, with how many stations are of it; retired ones do not count."""
    return await conn.fetch(
        "select vendor, model, firmware_version, ocpp_version, count(*) as n from station where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2)) and retired_at is null group by 1, 2, 3, 4",
        scope.party_id,
        scope.locations,
    )
