"""Ended sessions become final."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.core import clock, events, metrics
from ohmstead.core.db import Connection
from ohmstead.core.writes import write_all
from ohmstead.sessions import metering
from ohmstead.sessions import store as sessions
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.sessions.service import fact
from ohmstead.sessions.settling import store
from ohmstead.sessions.signed import service as signed

JOULES_PER_WH = 3600


async def settle(conn: Connection, session_ids: Sequence[UUID]) -> list[Session]:
    """Make ended sessions final: totals in the order of time, charging periods, idle time.

    May run any number of times; late samples make it run again. Records `SessionSettled`.
    """
    found = await store.list_to_settle(conn, sorted(set(session_ids)))
    # Where retention took samples since, what was counted from them stands.
    ended = [e for e in found if e.session.status in ("completed", "invalid") and e.n_samples >= e.session.n_samples]
    again = [e for e in ended if e.session.needs_refold or e.session.energy_source == "none"]
    samples = await store.list_samples(conn, [e.session.session_id for e in again]) if again else {}
    for one in again:
        taken = samples[one.session.session_id]
        metering.refold(one.session, taken, one.rated_w)
        one.registers = metering.registers(taken)
    periods: dict[UUID, list[ChargingPeriod]] = {}
    for one in ended:
        session = one.session
        stretches = periods[session.session_id] = metering.periods(session, one.events, one.registers)
        is_settled_again = session.settled_at is not None
        session.power_w = None
        session.charging_s = metering.seconds(stretches, "charging")
        session.idle_s = metering.seconds(stretches, "idle", "suspended_ev", "connected")
        session.settled_at = clock.now()
        one.is_settled_again = is_settled_again
    await store.drop_periods(conn, [e.session.session_id for e in ended if e.is_settled_again])
    await sessions.update_sessions(conn, [e.session for e in again])
    await signed.check(conn, [e.session for e in ended])
    await write_all(
        conn,
        [
            *store.settled([e.session for e in ended], periods),
            *events.written([fact("SessionSettled", e.session) for e in ended]),
        ],
    )
    for one in ended:
        if not one.is_settled_again:
            # What late samples change of it afterwards is too little for a figure that operators watch.
            metrics.sessions_settled.labels(one.session.status).inc()
            metrics.energy_delivered.inc(max(0.0, float(one.session.energy_wh or 0)) * JOULES_PER_WH)
    return [e.session for e in ended]
