"""Differences between what a provider says, the books and the CDRs: each a row with its reason, until it is explained."""

from __future__ import annotations

from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.payments import queries
from ohmstead.billing.payments.model import DifferenceNote, Operation, Payment, PaymentDifference
from ohmstead.billing.payments.reconciling import store
from ohmstead.billing.payments.reconciling.store import Found
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.texts import checked


async def note_given_up(conn: Connection, operation: Operation, payment: Payment, why: str) -> None:
    """Something that was asked of a provider was given up, and a person has to see to it."""
    found = Found(
        key=f"operation:{operation.operation_id}",
        kind="operation",
        provider=payment.provider,
        payment_id=payment.payment_id,
        cdr_id=payment.cdr_id,
        currency=payment.currency,
        expected=operation.amount or payment.amount,
        found=payment.amount * 0,
        text=f"{operation.kind}: {why}",
    )
    await store.put(conn, payment.party_id, [found], clock.now())


async def explain(conn: Connection, actor: Actor, difference_id: UUID, given: DifferenceNote) -> PaymentDifference:
    """A person says what a difference comes from. Raises NotFound, Conflict when it is gone."""
    note = checked(given.note, "note", has_lines=True)
    if not note:
        raise Invalid("say why", field="note")
    before = await queries.get_difference(conn, actor.party_id, difference_id)
    if before.state == "gone":
        raise Conflict("there is no difference any more", code="over")
    await store.explain(conn, actor.party_id, difference_id, note, clock.now(), actor.actor_id)
    await accounts.audit(
        conn, actor, "payment_difference.explained", f"payment_difference/{difference_id}", {"note": note}
    )
    return await queries.get_difference(conn, actor.party_id, difference_id)
