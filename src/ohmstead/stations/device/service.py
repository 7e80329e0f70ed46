"""The device model's doors: what stations tell of themselves, taken in; the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.stations.device import store
from ohmstead.stations.device.model import CUSTOM, PRECONFIGURED, Cause, DeviceEvent, DeviceReport, Monitor
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
        fresh = await _with_values(conn, await store.insert_events(conn, events))
        told = [
            Variable(station_id=e.station_id, component=e.component, variable=e.variable, value=e.value) for e in fresh
        ]
        await _learn(conn, told, Cause("event"), at)


async def _with_values(conn: Connection, events: Sequence[DeviceEvent]) -> list[DeviceEvent]:
    """Without those whose value is empty because the variable may be written but not read (2.x N07)."""
    empty = sorted({e.station_id for e in events if not e.value})
    names = {
        station_id: [(e.component, e.variable) for e in events if e.station_id == station_id] for station_id in empty
    }
    known = {station_id: await store.known_of(conn, station_id, names[station_id]) for station_id in empty}

    def is_told(event: DeviceEvent) -> bool:
        variable = known.get(event.station_id, {}).get((event.component, event.variable))
        return bool(event.value) or (variable is not None and variable.mutability != "WriteOnly")

    return [event for event in events if is_told(event)]


async def answered(conn: Connection, variables: Sequence[Variable], command: Command) -> None:
    """What a station's answer to an order says of its device.

    Who sets a value caused the change; who reads it only found out.
    """
    if command.kind == "set_variables":
        cause = Cause("set", command.requested_by, str(command.command_id))
    else:
        cause = Cause("read")
    await _learn(conn, variables, cause, clock.now())


async def monitors_set(conn: Connection, monitors: Sequence[Monitor]) -> None:
    """A station took these monitors (2.x N04); one of an id that it had is replaced."""
    await store.upsert_monitors(conn, monitors, clock.now())


async def monitors_cleared(conn: Connection, station_id: str, monitor_ids: Sequence[int]) -> None:
    """A station has these monitors no more (2.x N06)."""
    await store.delete_monitors(conn, station_id, monitor_ids)


async def monitoring_based(conn: Connection, station_id: str, base: Literal["all", "factory", "hard_wired"]) -> None:
    """A station took a set of monitors for its own: those beyond it are gone (2.x N05). Which of the maker's came back
    only a report tells.
    """
    gone = {"all": (), "factory": (CUSTOM,), "hard_wired": (CUSTOM, PRECONFIGURED)}[base]
    if gone:
        await store.delete_monitors_of(conn, station_id, gone)


async def _learn(conn: Connection, variables: Sequence[Variable], cause: Cause, at: datetime) -> None:
    """Passwords are never kept, not even that they changed."""
    if shown := [v for v in variables if not is_secret(v.variable.partition("[")[0])]:
        await store.learn(conn, shown, cause, at)
