"""The device model's doors: what stations tell of themselves, taken in; the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.stations.device import store
from ohmstead.stations.device.model import Cause, DeviceReport
from ohmstead.stations.model import Variable
from ohmstead.stations.orders import Command
from ohmstead.stations.redaction import is_secret


async def take_in(conn: Connection, reports: Sequence[DeviceReport], at: datetime) -> None:
    """What messages of stations say of their devices."""
    await _learn(conn, [v for r in reports for v in r.variables], Cause("report"), at)
    if chunks := [r.chunk for r in reports if r.chunk is not None]:
        await store.add_chunks(conn, chunks)
    if monitors := [m for r in reports for m in r.monitors]:
        await store.upsert_monitors(conn, monitors, at)
    if events := [e for r in reports for e in r.events]:
        fresh = await store.insert_events(conn, events)
        told = [
            Variable(station_id=e.station_id, component=e.component, variable=e.variable, value=e.value) for e in fresh
        ]
        await _learn(conn, told, Cause("event"), at)


async def answered(conn: Connection, variables: Sequence[Variable], command: Command) -> None:
    """What a station's answer to an order says of its device.

    Who sets a value caused the change; who reads it only found out.
    """
    if command.kind == "set_variables":
        cause = Cause("set", command.requested_by, str(command.command_id))
    else:
        cause = Cause("read")
    await _learn(conn, variables, cause, clock.now())


async def _learn(conn: Connection, variables: Sequence[Variable], cause: Cause, at: datetime) -> None:
    """Passwords are never kept, not even that they changed."""
    if shown := [v for v in variables if not is_secret(v.variable.partition("[")[0])]:
        await store.learn(conn, shown, cause, at)
