"""Stations are told what sessions cost while they go on, and 1.6 stations also in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.sessions import store as sessions
from ohmstead.sessions.costs import Cost, Costs
from ohmstead.sessions.model import Session
from ohmstead.sessions.telling import store
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import UpdateCost

log = logger("ohmstead.costs")

EVERY = timedelta(seconds=60)  # at most so often, for each session
FINAL_JOB = "tell_final_cost"
_AT_ONCE = 50
_WAIT_S = 20.0
_FINAL_FOR_S = 600.0  # a bill that comes later finds nobody at the screen


async def tell_running(pool: Pool, desk: CommandDesk, costs: Costs, *, every: timedelta = EVERY) -> int:
    """Timer: tell costs that changed since they were last told. Returns how many stations heard of one."""
    async with pool.acquire() as conn:
        due = await store.list_due(conn, clock.now(), every)
    n = 0
    for start in range(0, len(due), _AT_ONCE):
        n += await _tell(pool, desk, costs, due[start : start + _AT_ONCE], is_final=False)
    return n


async def notice_end(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionSettled`, where costs are known: the final cost goes to 1.6 stations that show it."""
    for session_id in await store.list_final(conn, [UUID(event.payload["session_id"]) for event in found]):
        await jobs.enqueue(conn, FINAL_JOB, {"session_id": str(session_id)})


async def tell_final(pool: Pool, desk: CommandDesk, costs: Costs, payload: Any) -> None:
    """Job: one session's final cost, once."""
    async with pool.acquire() as conn:
        due = await store.list_final(conn, [UUID(payload["session_id"])])
    await _tell(pool, desk, costs, due, is_final=True)


async def _tell(pool: Pool, desk: CommandDesk, costs: Costs, session_ids: Sequence[UUID], *, is_final: bool) -> int:
    async with pool.acquire() as conn, conn.transaction():
        found = list((await sessions.get_for_update(conn, session_ids)).values())
        priced = await costs.costs_of(conn, found)
        told = await store.find_told(conn, [s.session_id for s in found])
    changed = []
    for session, cost in zip(found, priced, strict=True):
        before = told.get(session.session_id)
        if cost is None or (not is_final and before is not None and before.amount == cost.total.rounded().amount):
            continue
        changed.append((session, cost, before is None))
    heard = await asyncio.gather(
        *(_send(pool, desk, session, cost, is_first, is_final) for session, cost, is_first in changed)
    )
    return sum(heard)


async def _send(pool: Pool, desk: CommandDesk, session: Session, cost: Cost, is_first: bool, is_final: bool) -> bool:
    total = cost.total.rounded()
    order = UpdateCost(
        transaction_id=session.transaction_id,
        total_cost=total.amount,
        is_final=is_final,
        meter_wh=int(session.register_last_wh) if session.register_last_wh is not None else None,
        state="charging" if session.charging_state == "charging" else "idle",
        at=session.last_event_at,
        price_kwh=cost.price_kwh,
        price_text=cost.price_text if is_first or is_final else None,
        token_uid=session.token_uid,
    )
    command = await desk.send(
        order,
        party_id=session.party_id,
        station_id=session.station_id,
        requested_by="system:costs",
        timeout_s=_WAIT_S,
        queue_for_s=_FINAL_FOR_S if is_final else None,
    )
    log.info("cost_told", session_id=str(session.session_id), status=command.status, is_final=is_final)
    # One that the station refused is not told again until it changes: it would refuse it again.
    if command.status in ("accepted", "rejected", "failed", "queued"):
        async with pool.acquire() as conn, conn.transaction():
            await store.save_told(
                conn, session.session_id, total.amount, total.currency, clock.now(), is_final=is_final
            )
    return command.status == "accepted"
