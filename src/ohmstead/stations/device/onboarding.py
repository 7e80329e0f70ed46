"""Duty: a station gets a password of its own, and the old one is good until it first came with the new one (A01).

A pending station is accepted only then. Until it has answered nobody knows which password it has: both are good. What it
refused is forgotten. The password itself is known to the station alone; of it only a hash is kept.
"""

from __future__ import annotations

from typing import Any

from ohmstead.core import clock, ids
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event, record
from ohmstead.core.log import logger
from ohmstead.stations import credentials
from ohmstead.stations import service as stations
from ohmstead.stations.commands import CommandDesk, Reset, SetVariables
from ohmstead.stations.device import store
from ohmstead.stations.device.duties import Done, unheard
from ohmstead.stations.model import Station
from ohmstead.stations.quirks.book import QuirkBook

log = logger("ohmstead.onboarding")

NAMES = {"1.6": "AuthorizationKey"}
NAME_2 = "SecurityCtrlr.BasicAuthPassword"
STATION_CHANGED = "ohmstead.station.changed"
COMES_BACK_WITHIN_S = 60.0
REFUSED_AGAIN_S = 3600.0


async def go_on(pool: Pool, bus: Bus, desk: CommandDesk, pepper: bytes, book: QuirkBook, station_id: str) -> Done:
    """The next step for one station."""
    async with pool.acquire() as conn:
        station = await store.find_newcomer(conn, station_id)
    if station is None or station["onboarding"] is None or station["ocpp_version"] is None:
        return Done("nothing")
    if station["onboarding"] == "set_password":
        return await _give(pool, bus, desk, pepper, station, _new_secret(book, station))
    if (clock.now() - station["connected_at"]).total_seconds() < COMES_BACK_WITHIN_S:
        return Done("waits", "for the station to come with its new password", COMES_BACK_WITHIN_S)
    # It took the password and goes on with the old connection: some use it only after a restart.
    await desk.send(
        Reset(how="soft"), party_id=station["party_id"], station_id=station_id, requested_by="system:password"
    )
    return Done("restarted", "to make it use its new password", COMES_BACK_WITHIN_S, is_failure=True)


def _new_secret(book: QuirkBook, station: Any) -> str:
    effects = book.effects(
        vendor=station["vendor"],
        model=station["model"],
        firmware=station["firmware_version"],
        version=station["ocpp_version"],
    )
    if effects is not None and effects.authorization_key == "raw":
        return ids.new_secret(15)  # 20 characters
    return credentials.new_secret()


async def _give(pool: Pool, bus: Bus, desk: CommandDesk, pepper: bytes, station: Any, secret: str) -> Done:
    station_id = station["station_id"]
    secret_hash = await credentials.hash_secret(secret, pepper, is_generated=True)
    async with pool.acquire() as conn, conn.transaction():
        # Before it is sent: the station may come back with it before we hear its answer.
        await store.add_secret(conn, station_id, secret_hash)
    command = await desk.send(
        SetVariables(values={NAMES.get(station["ocpp_version"], NAME_2): secret}),
        party_id=station["party_id"],
        station_id=station_id,
        requested_by="system:password",
    )
    async with pool.acquire() as conn, conn.transaction():
        await stations.blot_out_secrets(conn, command)
        if command.status == "accepted":
            await store.set_onboarding(conn, station_id, "use_password", "set_password")
        elif command.status == "rejected" or command.error_code in ("refused", "schema"):
            await store.drop_secret(conn, station_id, secret_hash)
    if command.status == "accepted":
        # Its gateway closes the connection, so that it comes with the new password at once.
        await bus.publish(STATION_CHANGED, {"station_id": station_id})
        return Done("given", "a password of its own", COMES_BACK_WITHIN_S)
    if (ended := unheard(command)) is not None:
        return ended
    return Done("refused", command.error_text, REFUSED_AGAIN_S, is_failure=True)


async def came_with(conn: Connection, station: Station, secret_hash: str) -> Station:
    """A station proved that it has the password it was given: that is its password now, and it is accepted if it waited
    for this."""
    found = await store.promote_secret(conn, station.station_id, secret_hash)
    after = await stations.find_station(conn, station.station_id)
    if found is not None:
        is_accepted = found["was"] != found["registration"]
        log.info("station_uses_its_password", station_id=station.station_id, accepted=is_accepted)
        event = Event(
            kind="StationOnboarded" if is_accepted else "StationSecretChanged",
            subject=f"station/{station.station_id}",
            party_id=found["party_id"],
            payload={"station_id": station.station_id, "by": "system:password"},
        )
        await record(conn, [event])
    return after or station
