"""Security signals: kept, told to others, and forgotten after their time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event, written
from ohmstead.core.writes import Write, write_all
from ohmstead.stations.model import Signal
from ohmstead.stations.signals import store


def note_signals(signals: Sequence[Signal]) -> tuple[list[Write], list[Event]]:
    """Security signals: what is to be written, and an event for each that belongs to somebody."""
    facts = [
        Event(
            kind="SecuritySignalRaised",
            subject=f"station/{signal.station_id or '-'}",
            party_id=signal.party_id,
            payload={"station_id": signal.station_id or "-", "kind": signal.kind, **signal.detail},
        )
        for signal in signals
        if signal.party_id is not None
    ]
    return store.signals(signals), facts


async def keep_signals(conn: Connection, signals: Sequence[Signal]) -> None:
    """The same, written."""
    writes, facts = note_signals(signals)
    await write_all(conn, [*writes, *written(facts)])


async def count_signals(conn: Connection, station_ids: Sequence[str], kind: str, since: datetime) -> dict[str, int]:
    """How often something was noticed at stations since an instant; where it never was, they are left out."""
    return await store.count_recent(conn, station_ids, kind, since)


async def forget_signals(pool: Pool, days: int, at_once: int = 20_000) -> int:
    """Drop security signals older than so many days, in short transactions of its own; returns how many rows."""
    before, n_dropped = clock.now() - timedelta(days=days), 0
    while True:
        async with pool.acquire() as conn, conn.transaction():
            n = await store.drop_signals(conn, before, at_once)
        n_dropped += n
        if n == 0:
            return n_dropped
