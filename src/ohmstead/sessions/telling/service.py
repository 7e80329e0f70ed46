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
from ohmstead.sessions.costs import Cost, Costs
from ohmstead.sessions.model import Session
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.telling import store
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import UpdateCost

log = logger("ohmstead.costs")

EVERY = timedelta(seconds=60)  # at most so often, for each session
FINAL_JOB = "tell_final_cost"
_AT_ONCE = 50
_WAIT_S = 20.0
_FINAL_FOR_S = 600.0  # a bill that comes later finds nobody at the screen
# One that the station refused is not told again until it changes: it would refuse it again.
_TOLD = ("accepted", "rejected", "failed", "queued")


async def tell_running(pool: Pool, desk: CommandDesk, *, every: timedelta = EVERY) -> int:
    """Timer: tell costs that changed since they were last told. Returns how many stations heard of one."""
    async with pool.acquire() as conn:
        due = await store.list_due(conn, clock.now(), every)
    n = 0
    for start in range(0, len(due), _AT_ONCE):
        n += sum(await asyncio.gather(*(_send_running(pool, desk, one) for one in due[start : start + _AT_ONCE])))
    return n


async def notice_end(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionSettled`, where costs are known: the final cost goes to 1.6 stations that show it."""
    for session_id in await store.list_final(conn, [UUID(event.payload["session_id"]) for event in found]):
        await jobs.enqueue(conn, FINAL_JOB, {"session_id": str(session_id)})


async def tell_final(pool: Pool, desk: CommandDesk, costs: Costs, payload: Any) -> None:
    """Job: one session's final cost, once."""
    async with pool.acquire() as conn:
        due = await store.list_final(conn, [UUID(payload["session_id"])])
        found = await prices.list_sessions(conn, due)
        priced = await costs.costs_of(conn, found)
    for session, cost in zip(found, priced, strict=True):
        if cost is not None:
            await _send_final(pool, desk, session, cost)


async def _send_running(pool: Pool, desk: CommandDesk, due: store.Due) -> bool:
    order = UpdateCost(
        transaction_id=due.transaction_id,
        total_cost=due.total,
        is_final=False,
        meter_wh=int(due.register_last_wh) if due.register_last_wh is not None else None,
        state="charging" if due.charging_state == "charging" else "idle",
        at=due.at,
        price_kwh=due.price_kwh,
        price_text=due.price_text if due.is_first else None,
        token_uid=due.token_uid,
    )
    status = await _send(desk, due.party_id, due.station_id, order)
    if status in _TOLD:
        async with pool.acquire() as conn, conn.transaction():
            await store.save_told(conn, due.session_id, due.total, due.currency, clock.now(), is_final=False)
    return status == "accepted"


async def _send_final(pool: Pool, desk: CommandDesk, session: Session, cost: Cost) -> None:
    total = cost.total.rounded()
    order = UpdateCost(
        transaction_id=session.transaction_id,
        total_cost=total.amount,
        is_final=True,
        meter_wh=int(session.register_last_wh) if session.register_last_wh is not None else None,
        state="idle",
        at=session.last_event_at,
        price_kwh=cost.price_kwh,
        price_text=cost.price_text,
        token_uid=session.token_uid,
    )
    status = await _send(desk, session.party_id, session.station_id, order)
    if status in _TOLD:
        async with pool.acquire() as conn, conn.transaction():
            await store.save_told(conn, session.session_id, total.amount, total.currency, clock.now(), is_final=True)


async def _send(desk: CommandDesk, party_id: UUID, station_id: str, order: UpdateCost) -> str:
    command = await desk.send(
        order,
        party_id=party_id,
        station_id=station_id,
        requested_by="system:costs",
        timeout_s=_WAIT_S,
        queue_for_s=_FINAL_FOR_S if order.is_final else None,
    )
    log.info("cost_told", station_id=station_id, status=command.status, is_final=order.is_final)
    return command.status
