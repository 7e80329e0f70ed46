"""One order to many stations. Made by people; carried out by the worker, a bounded number of stations at a time.

Everything that a worker knows is in the database: killed in the middle, the next one goes on, and nobody is asked twice,
since a gateway takes each command once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.bus import LIVE, Bus, Unanswered
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.log import logger
from ohmstead.stations import orders, rules
from ohmstead.stations.bulk import queries, store
from ohmstead.stations.bulk.model import BulkCommand, Turn
from ohmstead.stations.commands import MOVING_S
from ohmstead.stations.orders import Dispatch, Order, Receipt, gateway_subject
from ohmstead.stations.redaction import hide_secrets

log = logger("ohmstead.bulk")

NUDGE = "ohmstead.bulk"  # published when one was made, so that workers need not look often
LOOK_EVERY_S = 1.0
ROUND_S = 0.05
MOST_AT_STATIONS = 1000  # of one bulk: sent and not answered yet
MOST_A_ROUND = 250
MOST_REQUESTS = 64  # requests to gateways
AGAIN_AFTER_S = 5.0  # a gateway that took a request and did not get to it


async def create(
    conn: Connection,
    actor: Actor,
    order: Order,
    station_ids: Sequence[str],
    selection: dict[str, Any],
    *,
    timeout_s: float = 30,
    queue_for_s: float | None = None,
    at_once: int = MOST_AT_STATIONS,
) -> BulkCommand:
    """Remember an order to those of the stations that the party has in service; the worker sends it.

    Raises Invalid for wrong parameters, and when no station is left.
    """
    order = orders.numbered(order)
    rules.check(order, clock.now())
    bulk_id, n = await store.insert(
        conn,
        actor.party_id,
        station_ids,
        kind=orders.kind_of(order),
        parameters=orders.parameters_of(order),
        selection=selection,
        timeout_s=timeout_s,
        queue_for_s=queue_for_s,
        at_once=at_once,
        requested_by=actor.actor_id,
    )
    if not n:
        raise Invalid("stations: none fits", "stations")
    detail: dict[str, object] = {"kind": orders.kind_of(order), "n_stations": n}
    await accounts.audit(conn, actor, "bulk_command.created", f"bulk_command/{bulk_id}", detail)
    return await queries.get_bulk(conn, actor.party_id, bulk_id)


async def cancel(conn: Connection, actor: Actor, bulk_id: UUID) -> BulkCommand:
    """No further station is sent it; what was sent is sent. Raises NotFound, and Conflict when it was over already."""
    await queries.get_bulk(conn, actor.party_id, bulk_id)
    if not await store.cancel(conn, actor.party_id, bulk_id, actor.actor_id):
        raise Conflict("this bulk command is over already")
    await accounts.audit(conn, actor, "bulk_command.cancelled", f"bulk_command/{bulk_id}")
    return await queries.get_bulk(conn, actor.party_id, bulk_id)


class Runner:
    """Carries out bulk commands, in the worker."""

    def __init__(self, pool: Pool, bus: Bus) -> None:
        self._pool = pool
        self._bus = bus
        self._gate = asyncio.Semaphore(MOST_REQUESTS)
        self._nudged = asyncio.Event()
        self._asked: dict[UUID, float] = {}  # commands that a gateway was asked to carry out, and when
        self._told_at: dict[UUID, float] = {}

    async def run(self) -> None:
        """Until cancelled."""

        async def nudged(_subject: str, _data: bytes) -> None:
            self._nudged.set()

        await self._bus.listen(NUDGE, nudged)
        pause_s = ROUND_S
        while True:
            is_busy = False
            try:
                is_busy = await self.round()
            except Exception as error:  # noqa: BLE001  (the database may be away; nothing is lost)
                log.warning("bulk_interrupted", error=repr(error))
            # Looks less and less often while all that is left is to wait for stations.
            pause_s = ROUND_S if is_busy else min(pause_s * 2, LOOK_EVERY_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._nudged.wait()
                    pause_s = ROUND_S
            self._nudged.clear()

    async def round(self) -> bool:
        """One step of every bulk command that is not over. False when all that is left is to wait."""
        async with self._pool.acquire() as conn:
            running = await store.list_running(conn)
        is_busy = False
        for bulk_id, party_id in running:
            is_busy |= await self._step(bulk_id, party_id)
        return is_busy

    async def _step(self, bulk_id: UUID, party_id: UUID) -> bool:
        async with self._pool.acquire() as conn, conn.transaction():
            n_begun = await store.begin_some(conn, bulk_id, MOST_A_ROUND)
        if n_begun is None:
            return False
        async with self._pool.acquire() as conn:
            turns = await store.list_turns(conn, bulk_id)
        await self._deliver(turns)
        async with self._pool.acquire() as conn, conn.transaction():
            parameters = await store.parameters_of(conn, bulk_id)
            shown = hide_secrets(parameters)
            is_over = await store.finish(conn, bulk_id, shown if shown != parameters else None)
        await self._tell(bulk_id, party_id, is_over)
        return bool(n_begun) or any(turn.status == "sending" for turn in turns)

    async def _deliver(self, turns: Sequence[Turn]) -> None:
        now = time.monotonic()
        fresh = [turn for turn in turns if now - self._asked.get(turn.command_id, -1e9) > AGAIN_AFTER_S]
        here = await asyncio.gather(*(self._dispatch(turn) for turn in fresh))
        absent = [
            turn.command_id
            for turn, is_here in zip(fresh, here, strict=True)
            # One that is between two gateways is waited for.
            if not is_here
            and turn.status == "sending"
            and (turn.age_s > MOVING_S or not (turn.is_moving or turn.gateway_id is not None))
        ]
        if absent:
            async with self._pool.acquire() as conn, conn.transaction():
                await store.undelivered(conn, absent)
        self._asked = {one: at for one, at in self._asked.items() if now - at <= AGAIN_AFTER_S}

    async def _dispatch(self, turn: Turn) -> bool:
        """False when the station is not there."""
        if turn.gateway_id is None:
            return False
        dispatch = Dispatch(turn.command_id, turn.station_id, turn.timeout_s, is_waited_for=False)
        async with self._gate:
            try:
                reply = await self._bus.request(gateway_subject(turn.gateway_id), dispatch, AGAIN_AFTER_S)
            except Unanswered:
                return False
            except TimeoutError:
                return True
        is_here = msgspec.json.decode(reply, type=Receipt).is_here
        if is_here:
            self._asked[turn.command_id] = time.monotonic()
        return is_here

    async def _tell(self, bulk_id: UUID, party_id: UUID, is_over: bool) -> None:
        now = time.monotonic()
        if not is_over and now - self._told_at.get(bulk_id, -1e9) < 1:
            return
        self._told_at[bulk_id] = now
        if is_over:
            del self._told_at[bulk_id]
        news = {"kind": "bulk_command", "at": clock.now(), "bulk_id": bulk_id, "is_over": is_over}
        await self._bus.publish(LIVE + party_id.hex, [news])
