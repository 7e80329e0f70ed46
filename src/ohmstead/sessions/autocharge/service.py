"""AutoCharge: a car that is shown just before its driver's card is paired with it, and charges alone from then on."""

from __future__ import annotations

from uuid import UUID

from ohmstead.accounts.access import system
from ohmstead.core.db import Connection
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.sessions.autocharge import store
from ohmstead.tokens.register import service as register

log = logger("ohmstead.autocharge")

VEHICLE_SHOWN = "VehicleShown"  # the kind of record that a station's question about a vehicle is kept as
WITHIN_S = 60.0


async def pair(conn: Connection, found: list[Event]) -> None:
    """Outbox consumer: sessions began. Whoever wants it has the car remembered that was there first."""
    session_ids = [UUID(event.payload["session_id"]) for event in found]
    for row in await store.list_pairable(conn, session_ids, VEHICLE_SHOWN, WITHIN_S):
        actor = system(row["party_id"], "AutoCharge")
        uid = await register.pair_vehicle(conn, actor, row["token_id"], row["shown"])
        log.info("vehicle_paired" if uid else "vehicle_not_paired", session_id=str(row["session_id"]))
