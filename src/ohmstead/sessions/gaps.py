"""Messages that are missing: notice it, ask the station, and say so when they will not come (OCPP 2.x E14)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ohmstead.core import events, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.log import logger
from ohmstead.sessions import lifecycle, service, store
from ohmstead.sessions.model import Session
from ohmstead.stations.commands import Command, CommandDesk, TransactionStatus

log = logger("ohmstead.gaps")

JOB = "ask_transaction_status"
FIRST_AFTER_S = 10.0  # events that overtook each other close most gaps by themselves
AGAIN_AFTER_S = 60.0
MOST_TRIES = 60


async def notice(conn: Connection, found: list[events.Event], *, after_s: float = FIRST_AFTER_S) -> None:
    """Outbox consumer: a gap in a session, or a station that booted while it had sessions (it may have lost them).

    The station is asked `after_s` seconds later.
    """
    session_ids = {UUID(event.payload["session_id"]) for event in found if event.kind == "SessionGapFound"}
    booted = sorted({event.payload["station_id"] for event in found if event.kind == "StationBooted"})
    if booted:
        session_ids.update(await store.open_of_stations(conn, booted))
    for session_id in sorted(session_ids):
        await jobs.enqueue(conn, JOB, {"session_id": str(session_id), "tries": 0}, after_s=after_s)


async def ask(pool: Pool, desk: CommandDesk, payload: Any) -> None:
    """Job: ask the station about a session whose messages are incomplete, and act on its answer."""
    session_id, tries = UUID(payload["session_id"]), int(payload["tries"])
    async with pool.acquire() as conn, conn.transaction():
        session = (await store.get_for_update(conn, [session_id])).get(session_id)
    if session is None or not _is_in_doubt(session):
        return
    command = await desk.send(
        TransactionStatus(transaction_id=session.transaction_id),
        party_id=session.party_id,
        station_id=session.station_id,
        requested_by="system:gaps",
        timeout_s=20,
    )
    is_over = _has_no_more(command)
    log.info("transaction_status_asked", session_id=str(session_id), answer=command.answer, status=command.status)
    async with pool.acquire() as conn, conn.transaction():
        if is_over:
            await service.give_up_waiting(conn, session_id)
        elif _is_worth_asking(command, session) and tries < MOST_TRIES:
            again = {"session_id": str(session_id), "tries": tries + 1}
            await jobs.enqueue(conn, JOB, again, after_s=AGAIN_AFTER_S)


def _is_in_doubt(session: Session) -> bool:
    if session.ocpp_version == "1.6" or session.status == "completed":
        return False
    return True if session.status in ("pending", "active") else lifecycle.has_gap(session)


def _has_no_more(command: Command) -> bool:
    """The transaction is over and nothing about it is queued: what is missing will not come.

    `ongoingIndicator` false alone does not end it while messages are queued (TC_E_31); a station that does not know
    the transaction leaves the indicator out (E14.FR.01).
    """
    if not isinstance(command.answer, dict):
        return False
    is_ongoing = command.answer.get("ongoingIndicator")
    has_queued = command.answer.get("messagesInQueue")
    return has_queued is False and not is_ongoing


def _is_worth_asking(command: Command, session: Session) -> bool:
    if command.status in ("offline", "timed_out", "failed"):
        return command.error_code not in ("NotImplemented", "NotSupported")
    # A running session without a gap needs no second question.
    return lifecycle.has_gap(session) or session.status == "closing"
