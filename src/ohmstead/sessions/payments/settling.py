"""Payments that we settle: those of web pages, and those of terminals whose station leaves it to us (OCPP 2.1 C21)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event
from ohmstead.core.money import Money
from ohmstead.sessions import store as sessions
from ohmstead.sessions.costs import Costs
from ohmstead.sessions.model import Session
from ohmstead.sessions.notices import service as notices
from ohmstead.sessions.notices.model import Settlement
from ohmstead.sessions.payments import store
from ohmstead.sessions.payments.ports import PaymentProvider

JOB = "settle_payment"


async def notice_end(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionSettled`, where there is a provider: each payment of ours is settled once."""
    session_ids = [UUID(event.payload["session_id"]) for event in found]
    for session_id in await store.list_to_settle(conn, session_ids):
        await jobs.enqueue(conn, JOB, {"session_id": str(session_id)})


async def settle(pool: Pool, provider: PaymentProvider, costs: Costs, payload: Any) -> None:
    """Job: take what the session costs. What the station reckoned is what the driver was shown, so it counts first.

    Nobody knows a price: nothing is taken, and the payment is released.
    """
    async with pool.acquire() as conn, conn.transaction():
        due = await store.list_to_settle(conn, [UUID(payload["session_id"])])
        found = await sessions.get_for_update(conn, due)
        amounts = {s.session_id: await _amount(conn, costs, s) for s in found.values()}
    for session in found.values():
        assert session.token_uid is not None
        amount = amounts[session.session_id]
        done = await provider.settle(session.token_uid, amount, key=str(session.session_id))
        now = clock.now()
        settlement = Settlement(
            station_id=session.station_id,
            party_id=session.party_id,
            psp_ref=session.token_uid,
            status=done.status,
            amount=amount.amount if amount is not None else Decimal(0),
            currency=amount.currency if amount is not None else None,
            settled_by="us",
            settled_at=session.ended_at or now,
            received_at=now,
            transaction_id=session.transaction_id,
            status_info=done.status_info,
            receipt_id=done.receipt_id,
            receipt_url=done.receipt_url,
        )
        async with pool.acquire() as conn, conn.transaction():
            await notices.take_in(conn, [settlement])


async def _amount(conn: Connection, costs: Costs, session: Session) -> Money | None:
    theirs = await store.find_station_cost(conn, session.party_id, session.station_id, session.transaction_id)
    if theirs is not None:
        return theirs.rounded()
    [cost] = await costs.costs_of(conn, [session])
    return cost.total.rounded() if cost is not None else None
