"""What was written down is done outside, with the same key until it is known what came of it.

One operation of a payment at a time, claimed for a while: what a worker that died was at, another takes up again.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final
from uuid import UUID

from ohmstead.billing.payments import applying, deciding, orders, starting, store
from ohmstead.billing.payments.methods import service as methods
from ohmstead.billing.payments.model import Kept, Operation
from ohmstead.billing.payments.ports import Declined, MethodRef, Opened, Order, PaymentProvider, Providers, Seen
from ohmstead.billing.payments.reconciling import differences as reconciling
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.sessions.payments import service as web_payments
from ohmstead.stations.commands import CommandDesk

# Longer than any provider or station may take; a worker that takes longer is taken for dead.
LEASE: Final = timedelta(seconds=90)
FIRST_LOOK: Final = timedelta(seconds=10)

log = logger("ohmstead.payments")


async def carry_out(pool: Pool, providers: Providers, desk: CommandDesk | None, operation: Operation) -> Kept | None:
    """Do an operation that was claimed, and write what came of it; the payment as it is then. None: it is gone."""
    async with pool.acquire() as conn:
        kept = await store.find_kept(conn, operation.party_id, operation.payment_id)
    if kept is None:
        return None
    if operation.kind in ("start", "stop"):
        return await _at_station(pool, desk, kept, operation)
    provider = providers.find(kept.payment.provider)
    if deciding.is_pointless(operation.kind, operation.n_tries, kept.payment.state):
        return await _not_needed(pool, operation)
    try:
        if provider is None:
            raise ExternalFailure(f"{kept.payment.provider} is not set up")
        if deciding.is_key_forgotten(operation, clock.now()):
            await _look_at(provider, kept)
            raise ExternalFailure("nobody can tell any more whether it was done", permanent=True)
        done = await _ask(pool, provider, kept, operation)
    except Declined as declined:
        return await _declined(pool, kept, operation, declined)
    except ExternalFailure as failure:
        return await _failed(pool, provider, kept, operation, failure)
    except Exception as error:
        # An answer that nobody foresaw: tried again later and later, and given up, as what nobody answered.
        log.exception("payment_answer_not_understood", operation_id=str(operation.operation_id))
        return await _failed(pool, provider, kept, operation, ExternalFailure(f"not understood: {error!r}"[:300]))
    async with pool.acquire() as conn, conn.transaction():
        return await _write(conn, operation, done)


async def _not_needed(pool: Pool, operation: Operation) -> Kept:
    """It is over already, or is to be let go before anything was asked."""
    async with pool.acquire() as conn, conn.transaction():
        kept = await applying.locked(conn, operation.party_id, operation.payment_id)
        if await store.is_waiting(conn, operation.party_id, operation.operation_id):
            await store.finish_operation(conn, operation.party_id, operation.operation_id, clock.now())
        return kept


async def _write(conn: Connection, operation: Operation, done: Seen | Opened) -> Kept:
    party_id, payment_id, now = operation.party_id, operation.payment_id, clock.now()
    kept = await applying.locked(conn, party_id, payment_id)
    if not await store.is_waiting(conn, party_id, operation.operation_id):
        return kept  # another worker was faster: it asked with the same key, and was told the same
    await store.finish_operation(conn, party_id, operation.operation_id, now)
    if isinstance(done, Seen):
        return await applying.observe(conn, party_id, payment_id, done)
    values: dict[str, object] = {"checkout_ref": done.ref, "checkout_url": done.url, "look_at": now + FIRST_LOOK}
    if kept.payment.state == "created":
        values["state"] = "authorizing"
    await store.update_payment(conn, party_id, payment_id, values)
    return await applying.locked(conn, party_id, payment_id)


async def _ask(pool: Pool, provider: PaymentProvider, kept: Kept, operation: Operation) -> Seen | Opened:
    """The request itself."""
    payment, key = kept.payment, operation.key
    if operation.kind == "checkout":
        return await provider.checkout(order_of(kept, operation), key=key)
    if operation.kind in ("charge", "hold"):
        method = await _method_of(pool, kept)
        ask = provider.charge if operation.kind == "charge" else provider.hold
        # Only what was declined is confirmed anew. A webhook may have told of what the first request made before its
        # answer came: then the same key wants the same request.
        declined = kept.provider_ref if operation.n_declines else None
        return await ask(order_of(kept, operation), method, ref=declined, key=key)
    ref = kept.provider_ref or kept.checkout_ref
    if operation.kind == "release":
        # It never got as far as to be known there, or nothing is there to be let go.
        return await provider.cancel(ref, key=key) if ref is not None else _nothing(kept)
    if ref is None:
        raise ExternalFailure("the provider never knew this payment", permanent=True)
    assert operation.amount is not None
    amount = Money(operation.amount, payment.currency)
    if operation.kind == "capture":
        return await provider.capture(ref, amount, key=key)
    if operation.kind == "increase":
        return await provider.increase(ref, amount, key=key)
    return await provider.refund(ref, amount, reason=operation.reason, key=key)


def _nothing(kept: Kept) -> Seen:
    return Seen(ref=None, state="canceled", currency=kept.payment.currency)


def order_of(kept: Kept, operation: Operation) -> Order:
    """What the provider is asked for. The same operation asks for the same, whenever it does."""
    payment = kept.payment
    return Order(
        payment_id=payment.payment_id,
        party_id=payment.party_id,
        purpose=payment.purpose,
        amount=payment.money,
        is_hold=kept.is_hold,
        description=payment.description,
        email=payment.email,
        language=payment.language,
        return_url=(operation.details or {}).get("return_url", ""),
        expires_at=kept.pay_by,
    )


async def _method_of(pool: Pool, kept: Kept) -> MethodRef:
    payment = kept.payment
    assert payment.method_id is not None
    async with pool.acquire() as conn:
        found = await methods.find_ref(conn, payment.party_id, payment.method_id)
    if found is None:
        raise Declined("the stored card was removed", code="method_removed", is_final=True)
    return found


async def _declined(pool: Pool, kept: Kept, operation: Operation, declined: Declined) -> Kept:
    """It is known that nothing was done."""
    party_id, payment_id, now = operation.party_id, operation.payment_id, clock.now()
    pause_s = deciding.declined_pause_s(operation.kind, operation.n_declines + 1, is_final=declined.is_final)
    async with pool.acquire() as conn, conn.transaction():
        kept = await applying.locked(conn, party_id, payment_id)
        if not await store.is_waiting(conn, party_id, operation.operation_id):
            return kept
        if declined.ref is not None and kept.provider_ref is None:
            await store.update_payment(conn, party_id, payment_id, {"provider_ref": declined.ref})
        if pause_s is not None:
            again_at = now + timedelta(seconds=pause_s)
            await store.retry_operation(
                conn, party_id, operation.operation_id, again_at, declined.text, is_declined=True
            )
            await store.update_payment(conn, party_id, payment_id, {"failure": declined.code})
            return await applying.locked(conn, party_id, payment_id)
        await store.finish_operation(conn, party_id, operation.operation_id, now, failed=declined.text)
        return await _without(conn, operation, declined.code)


async def _failed(
    pool: Pool, provider: PaymentProvider | None, kept: Kept, operation: Operation, failure: ExternalFailure
) -> Kept:
    """Nobody knows whether it was done, or it cannot be done. Before that is believed the provider is asked once more."""
    party_id, payment_id = operation.party_id, operation.payment_id
    pause_s = None if failure.permanent else deciding.pause_s(operation.n_tries, random.random())  # noqa: S311
    log.warning(
        "payment_operation_failed",
        kind=operation.kind,
        payment_id=str(payment_id),
        error=failure.text,
        again_in_s=pause_s,
    )
    if pause_s is not None:
        async with pool.acquire() as conn, conn.transaction():
            again_at = clock.now() + timedelta(seconds=pause_s)
            await store.retry_operation(
                conn, party_id, operation.operation_id, again_at, failure.text, is_declined=False
            )
        return kept
    ref = kept.provider_ref or kept.checkout_ref
    seen = await _seen(provider, ref) if provider is not None and ref is not None else None
    async with pool.acquire() as conn, conn.transaction():
        kept = await applying.locked(conn, party_id, payment_id)
        if not await store.is_waiting(conn, party_id, operation.operation_id):
            return kept
        await store.finish_operation(conn, party_id, operation.operation_id, clock.now(), failed=failure.text)
        if seen is not None:
            kept = await applying.observe(conn, party_id, payment_id, seen)
            if operation.kind == "refund" and await _is_given_back(conn, kept, operation):
                await store.finish_operation(conn, party_id, operation.operation_id, clock.now())
                return kept
        return await _without(conn, operation, "no_answer")


async def _is_given_back(conn: Connection, kept: Kept, operation: Operation) -> bool:
    """Was it done, and only the answer lost? More was given back than by all others that were asked for."""
    others = await store.sum_refunds(conn, operation.party_id, operation.payment_id)
    return operation.amount is not None and kept.payment.refunded - others >= operation.amount


async def _look_at(provider: PaymentProvider, kept: Kept) -> None:
    """Raises ExternalFailure while the provider does not answer: until then it is not given up."""
    ref = kept.provider_ref or kept.checkout_ref
    if ref is not None:
        await provider.fetch(ref)


async def _seen(provider: PaymentProvider, ref: str) -> Seen | None:
    try:
        return await provider.fetch(ref)
    except ExternalFailure:
        return None


async def _without(conn: Connection, operation: Operation, failure: str) -> Kept:
    """An operation was given up: the payment goes on without it."""
    kept = await applying.locked(conn, operation.party_id, operation.payment_id)
    if operation.kind in ("refund", "increase"):
        await reconciling.note_given_up(conn, operation, kept.payment, failure)
        return kept
    if operation.kind == "capture" and kept.payment.state != "capturing":
        return kept
    kept = await applying.give_up(conn, kept, failure)
    if operation.kind == "capture" and kept.provider_ref is not None:
        # What cannot be taken is not to stay held.
        await orders.ask(conn, kept.payment, "release")
    return kept


async def _at_station(pool: Pool, desk: CommandDesk | None, kept: Kept, operation: Operation) -> Kept:
    """A guest's session is begun, or ended: at most once, and never before the money is held."""
    party_id, payment_id = operation.party_id, operation.payment_id
    payment = kept.payment
    assert payment.token_uid is not None
    async with pool.acquire() as conn:
        session = await store.find_session(conn, party_id, payment.token_uid)
        is_begun = await _is_begun(conn, kept)
        outlet = await store.find_outlet(conn, party_id, str(payment.station_id), payment.evse_number or 0)
        limits = None
        if kept.web_payment_id is not None:
            limits = await web_payments.limits_of(conn, party_id, kept.web_payment_id)
    why: str | None = None
    if desk is None:
        why = "station_offline"
    elif operation.kind == "stop":
        if session is not None and session["status"] in ("pending", "active"):
            await starting.stop(desk, kept, session["transaction_id"])
    elif payment.state == "held" and kept.wanted is None and not is_begun:
        knows_limits = outlet is not None and outlet["ocpp_version"] == "2.1"
        why = await starting.start(desk, kept, limits, knows_limits=knows_limits)
    async with pool.acquire() as conn, conn.transaction():
        kept = await applying.locked(conn, party_id, payment_id)
        if not await store.is_waiting(conn, party_id, operation.operation_id):
            return kept
        if operation.kind == "start" and why is not None and await _is_begun(conn, kept):
            why = None
        await store.finish_operation(conn, party_id, operation.operation_id, clock.now(), failed=why)
        if operation.kind == "start" and why is not None and kept.payment.state == "held" and kept.wanted is None:
            return await applying.want(conn, kept, applying.ZERO, failure=why)
        return kept


async def _is_begun(conn: Connection, kept: Kept) -> bool:
    """Whether it charges, or the station said that it will: of a worker that died after it had sent the order. A station
    refuses a second one then, which is no reason to let the money go.
    """
    payment = kept.payment
    assert payment.token_uid is not None
    if await store.find_session(conn, payment.party_id, payment.token_uid) is not None:
        return True
    return await store.is_start_accepted(conn, payment.party_id, payment.payment_id)


async def look(pool: Pool, providers: Providers, party_id: UUID, payment_id: UUID) -> Kept | None:
    """Ask the provider how a payment stands. None where it does not know it yet, or does not answer."""
    async with pool.acquire() as conn:
        kept = await store.find_kept(conn, party_id, payment_id)
    provider = providers.find(kept.payment.provider) if kept is not None else None
    if kept is None or provider is None:
        return None
    ref = kept.provider_ref or kept.checkout_ref
    seen = await _seen(provider, ref) if ref is not None else None
    async with pool.acquire() as conn, conn.transaction():
        if seen is not None:
            kept = await applying.observe(conn, party_id, payment_id, seen)
        if kept.look_at is not None:
            waited_s = (clock.now() - kept.payment.created_at).total_seconds()
            next_at = clock.now() + timedelta(seconds=deciding.next_look_s(waited_s))
            await store.update_payment(conn, party_id, payment_id, {"look_at": next_at})
    return kept if seen is not None else None
