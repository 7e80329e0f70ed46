"""Duty: messages that a make of station does not send by itself are asked for after it connected."""

from __future__ import annotations

from ohmstead.core.db import Pool
from ohmstead.stations.commands import CommandDesk, Trigger
from ohmstead.stations.device import store
from ohmstead.stations.device.duties import Done, unheard
from ohmstead.stations.quirks.book import QuirkBook


async def ask_for(pool: Pool, desk: CommandDesk, book: QuirkBook, station_id: str) -> Done:
    """What the station's quirk profiles name."""
    async with pool.acquire() as conn:
        station = await store.find_newcomer(conn, station_id)
    effects = None
    if station is not None and station["registration"] == "accepted":
        effects = book.effects(
            vendor=station["vendor"],
            model=station["model"],
            firmware=station["firmware_version"],
            version=station["ocpp_version"],
        )
    if station is None or effects is None or not effects.never_sends:
        return Done("nothing")
    for message in effects.never_sends:
        command = await desk.send(
            Trigger(message=message),
            party_id=station["party_id"],
            station_id=station_id,
            requested_by="system:quirks",
        )
        if (ended := unheard(command)) is not None and command.status != "failed":
            return ended
    return Done("asked", ", ".join(effects.never_sends))
