"""Payments that terminals authorized and leave to us (OCPP 2.1 C21): they are taken up as ours, and captured as ours are.

Implements sessions.payments.ports.PaymentProvider. Guests' sessions are not settled here: their CDR does it.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from ohmstead.billing.ledger.entries import NOBODY
from ohmstead.billing.payments import applying, performing, store
from ohmstead.billing.payments.model import Kept, Payment
from ohmstead.billing.payments.ports import PaymentProvider, Providers, Seen
from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.sessions.payments.ports import Settled


class Settlements:
    """Whoever holds drivers' authorized payments: the providers of this installation."""

    def __init__(self, pool: Pool, providers: Providers) -> None:
        self._pool = pool
        self._providers = providers

    async def settle(self, psp_ref: str, amount: Money | None, *, key: str) -> Settled:
        """See sessions.payments.ports. `key` is the session's id."""
        session_id = UUID(key)
        async with self._pool.acquire() as conn:
            session = await store.find_session_by_id(conn, session_id)
        found = await self._find(psp_ref)
        if found is None and session is not None:
            found = await self._adopt(psp_ref, session_id, session["party_id"])
        # A station names whatever it likes: what is another party's is none of its own.
        if found is None or session is None or found[0] != session["party_id"]:
            return Settled(status="failed", status_info="no payment provider of ours knows this payment")
        party_id, payment_id = found
        async with self._pool.acquire() as conn, conn.transaction():
            kept = await applying.locked(conn, party_id, payment_id)
            if kept.payment.state == "held" and kept.wanted is None:
                wanted = Decimal(0)
                if amount is not None and amount.currency == kept.payment.currency:
                    wanted = amount.amount
                kept = await applying.want(conn, kept, wanted)
            waiting = await store.find_operation(conn, party_id, payment_id, ("capture", "release"))
            claimed = None
            if waiting is not None:
                claimed = await store.claim_operation(
                    conn, party_id, waiting.operation_id, clock.now(), performing.LEASE
                )
        if claimed is not None:
            await performing.carry_out(self._pool, self._providers, None, claimed)
        async with self._pool.acquire() as conn:
            after = await store.find_kept(conn, party_id, payment_id)
        assert after is not None
        return _settled(after.payment)

    async def _find(self, psp_ref: str) -> tuple[UUID, UUID] | None:
        async with self._pool.acquire() as conn:
            for name in self._providers.names:
                found = await store.find_by_refs(conn, name, [psp_ref])
                if found is not None:
                    return found
        return None

    async def _adopt(self, psp_ref: str, session_id: UUID, party_id: UUID) -> tuple[UUID, UUID] | None:
        """A payment that was made elsewhere, as one of ours; None where no provider knows it."""
        for name in self._providers.names:
            provider = self._providers.get(name)
            seen = await _look(provider, psp_ref)
            if seen is None:
                continue
            async with self._pool.acquire() as conn, conn.transaction():
                made = _made(name, psp_ref, party_id, session_id, seen)
                if await store.insert_payment(conn, made, f"settlement:{session_id}"):
                    await applying.observe(conn, party_id, made.payment.payment_id, seen)
                known = await store.find_by_order(conn, party_id, f"settlement:{session_id}")
                return (known.party_id, known.payment_id) if known is not None else None
        return None


async def _look(provider: PaymentProvider, psp_ref: str) -> Seen | None:
    try:
        return await provider.fetch(psp_ref)
    except ExternalFailure as failure:
        if failure.permanent:
            return None
        raise


def _made(provider: str, psp_ref: str, party_id: UUID, session_id: UUID, seen: Seen) -> Kept:
    payment = Payment(
        payment_id=new_id(),
        party_id=party_id,
        provider=provider,
        purpose="session",
        customer=NOBODY,
        state="authorizing",
        currency=seen.currency,
        amount=max(seen.held, seen.captured, Decimal(1).scaleb(-3)),
        captured=Decimal(0),
        refunded=Decimal(0),
        disputed=Decimal(0),
        session_id=session_id,
        description=psp_ref,
        created_at=clock.now(),
        version=1,
    )
    return Kept(
        payment=payment,
        is_hold=True,
        wanted=None,
        holds_plug=False,
        debt_id=None,
        web_payment_id=None,
        provider_ref=psp_ref,
        checkout_ref=None,
        checkout_url=None,
        pay_by=None,
        held_at=None,
        begin_by=None,
        look_at=None,
    )


def _settled(payment: Payment) -> Settled:
    if payment.state == "captured":
        return Settled(status="settled", receipt_id=str(payment.payment_id))
    if payment.state == "released":
        return Settled(status="settled", status_info="nothing was due")
    if payment.state == "failed":
        return Settled(status="failed", status_info=payment.failure)
    raise ExternalFailure("it is not known yet whether it was taken")
