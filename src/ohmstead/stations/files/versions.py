"""Stations that say they have installed firmware, and do not start anew, are asked what they run.

Only what a station says that it runs counts. Most say it as they start; some take new firmware without a restart.
"""

from __future__ import annotations

from datetime import timedelta

from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.log import logger
from ohmstead.stations.commands import CommandDesk, GetVariables, Trigger
from ohmstead.stations.files import service, store
from ohmstead.stations.orders import Order

log = logger("ohmstead.files")

ASK_AFTER_S = 120.0
VARIABLE = "ChargingStation.FirmwareVersion"
_WAIT_S = 30.0


async def ask_versions(pool: Pool, desk: CommandDesk, after_s: float = ASK_AFTER_S) -> int:
    """Ask those that said it `after_s` seconds ago or longer, each once for a job; returns how many."""
    async with pool.acquire() as conn, conn.transaction():
        due = await store.take_unproven(conn, clock.now() - timedelta(seconds=after_s))
    for row in due:
        is_v16 = row["ocpp_version"] == "1.6"
        order: Order = Trigger(message="BootNotification") if is_v16 else GetVariables(names=(VARIABLE,))
        command = await desk.send(
            order,
            party_id=row["party_id"],
            station_id=row["station_id"],
            requested_by=f"file_job:{row['job_id']}",
            timeout_s=_WAIT_S,
        )
        log.info("version_asked_for", station_id=row["station_id"], status=command.status)
        if command.status == "accepted" and not is_v16:
            async with pool.acquire() as conn, conn.transaction():
                version = await store.version_told(conn, row["party_id"], row["station_id"])
                await service.take_versions(conn, {row["station_id"]: (version, clock.now())})
    return len(due)
