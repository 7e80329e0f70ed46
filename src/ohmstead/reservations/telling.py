"""Stations are told of reservations, and to forget them: jobs of the worker, safe to do twice."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ohmstead.core import clock, jobs
from ohmstead.core.db import Pool
from ohmstead.core.log import logger
from ohmstead.reservations import changes, service
from ohmstead.reservations.model import Reservation
from ohmstead.stations import service as stations
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.orders import CancelReservation, Reserve, TokenRef

log = logger("ohmstead.reservations")

_WAIT_S = 20.0
_AT_ONCE = 20
# How stations say that they keep one place free without saying which (1.6 §9.3, 2.x ReservationCtrlr)
_ANY_OUTLET = ("ReserveConnectorZeroSupported", "ReservationCtrlr.NonEvseSpecific")


async def tell(pool: Pool, desk: CommandDesk, payload: Any) -> None:
    """Job: one reservation, if it is due and nobody else is at it."""
    await _tell_due(pool, desk, UUID(payload["reservation_id"]))


async def tell_due(pool: Pool, desk: CommandDesk) -> int:
    """Timer: whatever is due, since its job was lost, the station did not answer, or the worker died over it."""
    return await _tell_due(pool, desk, None)


async def _tell_due(pool: Pool, desk: CommandDesk, reservation_id: UUID | None) -> int:
    async with pool.acquire() as conn, conn.transaction():
        due = await service.claim_to_tell(conn, clock.now(), service.RETRY_AFTER, reservation_id)
    for start in range(0, len(due), _AT_ONCE):
        await asyncio.gather(*(_tell(pool, desk, one) for one in due[start : start + _AT_ONCE]))
    return len(due)


async def tell_change(pool: Pool, desk: CommandDesk, payload: Any) -> None:
    """Job: a reservation that was changed is reserved anew under its number, if nobody else is at it."""
    await _tell_changes(pool, desk, UUID(payload["reservation_id"]))


async def tell_changes(pool: Pool, desk: CommandDesk) -> int:
    """Timer: changes that are in doubt, for the same reasons."""
    return await _tell_changes(pool, desk, None)


async def _tell_changes(pool: Pool, desk: CommandDesk, reservation_id: UUID | None) -> int:
    async with pool.acquire() as conn, conn.transaction():
        due = await changes.claim(conn, clock.now(), service.RETRY_AFTER, reservation_id)
    await asyncio.gather(*(_tell_change(pool, desk, one) for one in due))
    return len(due)


async def _tell_change(pool: Pool, desk: CommandDesk, reservation: Reservation) -> None:
    # It does not wait for a station that is away: what the station keeps would be another thing than what is in the books.
    command = await desk.send(
        await _order(pool, reservation),
        party_id=reservation.party_id,
        station_id=reservation.station_id,
        requested_by=f"reservation:{reservation.reservation_id}",
        timeout_s=_WAIT_S,
    )
    log.info("change_told", number=reservation.number, station_id=reservation.station_id, status=command.status)
    async with pool.acquire() as conn, conn.transaction():
        await service.learn(conn, [stations.answered(command)])


async def _order(pool: Pool, reservation: Reservation) -> Reserve:
    async with pool.acquire() as conn:
        is_any = reservation.scope == "station" and await service.is_true(conn, reservation.station_id, _ANY_OUTLET)
    return Reserve(
        reservation_id=reservation.number,
        expires_at=reservation.until_at,
        token=TokenRef(uid=reservation.token_uid, type=reservation.token_type),
        group=TokenRef(uid=reservation.group_uid, type="Central") if reservation.group_uid else None,
        evse_number=None if is_any else reservation.evse_number,
        connector_standard=reservation.connector_type if is_any else None,
    )


async def _tell(pool: Pool, desk: CommandDesk, reservation: Reservation) -> None:
    command = await desk.send(
        await _order(pool, reservation),
        party_id=reservation.party_id,
        station_id=reservation.station_id,
        requested_by=f"reservation:{reservation.reservation_id}",
        timeout_s=_WAIT_S,
        queue_for_s=_left_s(reservation.until_at),
    )
    log.info("station_told", number=reservation.number, station_id=reservation.station_id, status=command.status)
    async with pool.acquire() as conn, conn.transaction():
        if command.status == "queued":
            await service.told_for_good(conn, reservation.reservation_id)
        await service.learn(conn, [stations.answered(command)])


async def let_go(pool: Pool, desk: CommandDesk, payload: Any) -> None:
    """Job: a station is told to keep an outlet no longer; again and again until it answers, or its time is over."""
    until_at = datetime.fromisoformat(payload["until_at"])
    if clock.now() >= until_at:
        return
    command = await desk.send(
        CancelReservation(reservation_id=payload["number"]),
        party_id=UUID(payload["party_id"]),
        station_id=payload["station_id"],
        requested_by="system:reservations",
        timeout_s=_WAIT_S,
        queue_for_s=_left_s(until_at),
    )
    async with pool.acquire() as conn, conn.transaction():
        await service.learn(conn, [stations.answered(command)])
        if _is_in_doubt(command):
            await jobs.enqueue(conn, service.LET_GO_JOB, payload, after_s=service.RETRY_AFTER.total_seconds())


def _is_in_doubt(command: Command) -> bool:
    return command.status == "timed_out" or command.error_code == "connection_lost"


def _left_s(until_at: datetime) -> float:
    return max(1.0, (until_at - clock.now()) / timedelta(seconds=1))
