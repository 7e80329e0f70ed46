"""Checks as pages and the API show them."""

from __future__ import annotations

from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.smartcharging.checking.model import Difference, ProfileCheck


async def list_checks(conn: Connection, party_id: UUID, station_id: str) -> list[ProfileCheck]:
    """What was found of a station, by EVSE."""
    rows = await conn.fetch(
        "select c.evse_number, c.status, c.detail, c.differences, c.since, c.checked_at from profile_check c"
        " join station s using (station_id) where s.party_id = $1 and c.station_id = $2 order by c.evse_number",
        party_id,
        station_id,
    )
    return [
        ProfileCheck(**{**dict(row), "differences": msgspec.convert(row["differences"], list[Difference])})
        for row in rows
    ]
