"""Duty: after a station connected, its clock is compared with ours; one that is off is told to whoever watches."""

from __future__ import annotations

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.log import logger
from ohmstead.stations import service as stations
from ohmstead.stations.commands import CommandDesk, GetVariables
from ohmstead.stations.device import store, timekeeping
from ohmstead.stations.device.duties import Done
from ohmstead.stations.model import Signal

log = logger("ohmstead.clocks")

SIGNAL = "clock_off"
_VARIABLE = "ClockCtrlr.DateTime"


async def check(pool: Pool, desk: CommandDesk, station_id: str) -> Done:
    """OCPP 2.x stations are asked for their time; of 1.6 ones only what their connectors told can be compared."""
    async with pool.acquire() as conn:
        station, samples = await store.clock_samples(conn, station_id)
    if station is None or station["registration"] != "accepted":
        return Done("nothing")
    if station["ocpp_version"] != "1.6":
        command = await desk.send(
            GetVariables(names=(_VARIABLE,)),
            party_id=station["party_id"],
            station_id=station_id,
            requested_by="system:clock",
            timeout_s=15,
        )
        if command.status == "accepted" and command.sent_at is not None and isinstance(command.answer, dict):
            told = command.answer["getVariableResult"][0].get("attributeValue")
            theirs = timekeeping.instant_in(told)
            # It read its clock somewhere between our question and its answer.
            samples = [(theirs, moment) for moment in (command.sent_at, clock.now()) if theirs is not None]
    found = timekeeping.offset(samples)
    if found is None:
        return Done("unknown", "the station told no time")
    seconds = round(found.total_seconds())
    if not timekeeping.is_off(found):
        return Done("same", f"{seconds:+d} s")
    log.warning("station_clock_off", station_id=station_id, offset_s=seconds)
    signal = Signal(
        kind=SIGNAL,
        at=clock.now(),
        party_id=station["party_id"],
        station_id=station_id,
        detail={"offset_s": seconds},
    )
    async with pool.acquire() as conn, conn.transaction():
        await stations.keep_signals(conn, [signal])
    return Done("off", f"{seconds:+d} s")
