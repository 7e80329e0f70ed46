"""The desk that carries out orders to stations.

An order becomes a row in `command` first (who, what, when: the audit), then travels over the bus to whichever gateway
holds the station, which translates it, records the station's answer on the row, and replies.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from ohmstead.core import clock, metrics, tracing
from ohmstead.core.bus import Bus, Unanswered
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.stations import rules, store
from ohmstead.stations import service as stations
from ohmstead.stations.files.addresses import Guard
from ohmstead.stations.model import Signal
from ohmstead.stations.orders import (
    Command,
    Dispatch,
    GetVariables,
    Order,
    Raw,
    Receipt,
    RemoteStart,
    RemoteStop,
    Reset,
    SetAvailability,
    SetVariables,
    Status,
    TransactionStatus,
    Trigger,
    Unlock,
    gateway_subject,
    kind_of,
    numbered,
    order_of,
    parameters_of,
)
from ohmstead.stations.quirks.book import QuirkBook, book_at

__all__ = [
    "Command",
    "CommandDesk",
    "Dispatch",
    "GetVariables",
    "Order",
    "Raw",
    "Receipt",
    "RemoteStart",
    "RemoteStop",
    "Reset",
    "SetAvailability",
    "SetVariables",
    "Status",
    "TransactionStatus",
    "Trigger",
    "Unlock",
    "expire",
    "gateway_subject",
    "order_of",
]

MOVING_S = 15.0
LOOK_EVERY_S = 0.2
GIVEN_UP_AFTER = timedelta(minutes=15)


class CommandDesk:
    """Sends orders and remembers them. `guard` knows to which addresses stations may be sent; without it to none.

    `book` knows what makes of stations do differently; without it those that are known everywhere.
    """

    def __init__(self, pool: Pool, bus: Bus, guard: Guard | None = None, book: QuirkBook | None = None) -> None:
        self._pool = pool
        self._bus = bus
        self._guard = guard or Guard("", ())
        self.book = book or book_at(None)

    async def send(
        self,
        order: Order,
        *,
        party_id: UUID,
        station_id: str,
        requested_by: str,
        timeout_s: float = 30,
        queue_for_s: float | None = None,
    ) -> Command:
        """Carry out an order and wait for the station's answer, at most `timeout_s`.

        A station that is not connected: `offline` at once, or `queued` until `queue_for_s` seconds from now if asked.
        One that is between two gateways, since its own was restarted or died, is waited for: MOVING_S at most.
        A station that answers after the wait is over still has its answer recorded. Raises NotFound for a station that
        is not the party's, Invalid for parameters that no station could take, Refused for an order that would send it
        to an address where it may not go.
        """
        with tracing.span(f"command {kind_of(order)}", station_id=station_id) as span:
            sent = await self._send(order, party_id, station_id, requested_by, timeout_s, queue_for_s)
            tracing.note(span, command_id=str(sent.command_id), outcome=sent.status)
            return sent

    async def _send(
        self,
        order: Order,
        party_id: UUID,
        station_id: str,
        requested_by: str,
        timeout_s: float,
        queue_for_s: float | None,
    ) -> Command:
        await self.look_at_addresses(order, party_id, station_id, requested_by)
        order = numbered(order)
        now = clock.now()
        rules.check(order, now)
        kind = kind_of(order)
        command = Command(
            command_id=new_id(),
            party_id=party_id,
            station_id=station_id,
            kind=kind,
            action=order.action if isinstance(order, Raw) else None,
            parameters=parameters_of(order),
            status="sending",
            requested_by=requested_by,
            requested_at=now,
            expires_at=now + timedelta(seconds=queue_for_s) if queue_for_s else None,
        )
        async with self._pool.acquire() as conn, conn.transaction():
            found = await store.insert_command(conn, command)
        if not found:
            raise NotFound(f"no station {station_id}")
        is_delivered = await self._deliver(command, timeout_s, min(timeout_s, MOVING_S))
        if not is_delivered:
            async with self._pool.acquire() as conn, conn.transaction():
                await store.command_undelivered(
                    conn, command.command_id, "queued" if command.expires_at else "offline", clock.now()
                )
            if command.expires_at:
                # It may have come back between our last look and the row: then its gateway did not find the row.
                await self._deliver(command, timeout_s, 0)
        async with self._pool.acquire() as conn:
            result = await store.get_command(conn, party_id, command.command_id)
        metrics.commands.labels(kind, result.status).inc()
        metrics.command_seconds.labels(kind).observe((clock.now() - now).total_seconds())
        return result

    async def look_at_addresses(self, order: Order, party_id: UUID, station_id: str | None, requested_by: str) -> None:
        """Raises Refused for an order that leads to an address where no station may go; security hears of it."""
        try:
            self._guard.check(order)
        except Refused as refused:
            signal = Signal(
                kind="address_refused",
                at=clock.now(),
                party_id=party_id,
                station_id=station_id,
                detail={"requested_by": requested_by, "reason": refused.text, **refused.detail},
            )
            async with self._pool.acquire() as conn, conn.transaction():
                await stations.keep_signals(conn, [signal])
            raise

    async def await_session(self, command: Command, within_s: float) -> Command:
        """A remote start with the session that began with it, once one has; as it is when none does in time."""
        until = time.monotonic() + within_s
        while command.kind == "remote_start" and command.status == "accepted" and command.session_id is None:
            if time.monotonic() >= until:
                break
            await asyncio.sleep(LOOK_EVERY_S)
            async with self._pool.acquire() as conn:
                command = await store.get_command(conn, command.party_id, command.command_id)
        return command

    async def _deliver(self, command: Command, timeout_s: float, moving_s: float) -> bool:
        """Bring it to the gateway that holds the station. `moving_s`: how long to look for one on its way elsewhere."""
        began = time.monotonic()
        while True:
            async with self._pool.acquire() as conn:
                gateway_id, is_moving = await store.gateway_of(conn, command.station_id)
            if gateway_id is not None and await self._dispatch(command, gateway_id, timeout_s):
                return True
            # The row names a gateway that is gone, or has let the station go: another one will have it soon.
            if gateway_id is None and not is_moving:
                return False
            if time.monotonic() - began >= moving_s:
                return False
            await asyncio.sleep(LOOK_EVERY_S)

    async def _dispatch(self, command: Command, gateway_id: UUID, timeout_s: float) -> bool:
        """False when the station is not there."""
        dispatch = Dispatch(command_id=command.command_id, station_id=command.station_id, timeout_s=timeout_s)
        try:
            reply = await self._bus.request(gateway_subject(gateway_id), dispatch, timeout_s + 2)
        except Unanswered:
            return False
        except TimeoutError:
            return True
        return msgspec.json.decode(reply, type=Receipt).is_here


async def expire(conn: Connection, at: datetime) -> list[UUID]:
    """Queued commands whose time is over become `expired`; returns their ids.

    Those on their way for longer than anybody waits, since a gateway died over them, become `timed_out`; a late answer
    to them still counts.
    """
    return await store.expire_commands(conn, at, GIVEN_UP_AFTER)
