"""Refunds: what a session was billed is reduced, documents are corrected and money goes back, all at once.

The edge opens the transaction. Payments are locked before the end of the party's ledger is held, as everywhere.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.cdrs import queries as bills
from ohmstead.billing.cdrs import service as cdrs
from ohmstead.billing.cdrs.model import Cdr, ReduceOrder
from ohmstead.billing.invoices import service as documents
from ohmstead.billing.paying import settling
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import Payment, RefundOrder
from ohmstead.billing.refunds.model import Reduced, RefundedPayment, RefundPreview
from ohmstead.billing.wallets import service as wallets
from ohmstead.core.db import Connection, trial
from ohmstead.core.money import Money


async def reduce(conn: Connection, actor: Actor, cdr_id: UUID, given: ReduceOrder) -> Reduced:
    """Take an amount off what a session was billed, or all of it. What it stood on gets a credit note, and what was paid too
    much goes back: to the card by a refund, into the wallet by the outbox. What is owed is less.

    Raises NotFound, Invalid, Refused for a credit and where nothing is due, Conflict when it was credited already.
    """
    cdr = await bills.get_cdr(conn, actor.party_id, cdr_id)
    paid = await payments.hold_for_session(conn, actor.party_id, cdr.session_id)
    made = await cdrs.reduce(conn, actor, cdr_id, given)
    notes = await documents.credit_documents(conn, actor.party_id, [made.credit.cdr_id], actor.actor_id)
    await payments.align(conn, actor.party_id, paid)
    return Reduced(
        credit=made.credit, replacement=made.replacement, credit_note_ids=[note.invoice_id for note in notes]
    )


async def refund(conn: Connection, actor: Actor, payment_id: UUID, given: RefundOrder) -> Payment:
    """Give back what was paid, or a part of it. What was paid for a session is given back by reducing its CDR, so that books,
    receipt and payment say the same; what it left owed is off first. Other payments just go back.

    What CDRs gave back already and the provider refused is asked for anew before anything more is reduced. Raises NotFound,
    Invalid, Refused, and Conflict when nothing is left to give back.
    """
    found = await payments.refundable(conn, actor.party_id, payment_id)
    standing = await _standing(conn, actor.party_id, found.cdr_id)
    if standing is None:
        return await payments.refund_by_person(conn, actor, payment_id, given)
    payment = found.payment
    wanted = payments.wanted_of(given, payment)
    amount = payments.checked_part(found, wanted) if wanted is not None else None
    if amount is not None and amount <= found.refused:
        again = Money(amount, payment.currency)
        return await payments.refund(conn, actor, actor.party_id, payment_id, again, given.reason, is_goodwill=False)
    if amount is None and not found.is_alone:
        amount = min(found.left, standing.total + found.refused)
    less = None if amount is None else amount - found.refused
    await reduce(conn, actor, standing.cdr_id, ReduceOrder(reason=given.reason, amount=less))
    told = found.left if amount is None else amount
    detail: dict[str, object] = {"amount": format(told, "f"), "currency": payment.currency, "reason": given.reason}
    await accounts.audit(conn, actor, "payment.refunded", f"payment/{payment_id}", detail)
    return await payments.get_payment(conn, actor.party_id, payment_id)


async def _standing(conn: Connection, party_id: UUID, cdr_id: UUID | None) -> Cdr | None:
    cdr = await bills.get_cdr(conn, party_id, cdr_id) if cdr_id is not None else None
    return cdr if cdr is not None and cdr.credited_by is None and cdr.total > 0 else None


async def preview(conn: Connection, actor: Actor, cdr_id: UUID, given: ReduceOrder) -> RefundPreview:
    """What `reduce` would do, without doing it. Raises what that does."""
    party_id = actor.party_id
    async with trial(conn, is_kept=False):
        cdr = await bills.get_cdr(conn, party_id, cdr_id)
        paid = await payments.hold_for_session(conn, party_id, cdr.session_id)
        before = await payments.list_standings(conn, party_id, paid)
        had = await _in_wallet(conn, party_id, cdr.customer)
        made = await reduce(conn, actor, cdr_id, given)
        told = [made.credit, made.replacement] if made.replacement is not None else [made.credit]
        await settling.notice_cdrs(conn, [cdrs.fact_of(one) for one in told])
        after = await payments.list_standings(conn, party_id, paid)
        wallet = await _in_wallet(conn, party_id, cdr.customer) - had
        notes = [await documents.get_invoice(conn, party_id, one) for one in made.credit_note_ids]
    back = [
        RefundedPayment(payment_id=now.payment.payment_id, provider=now.payment.provider, amount=now.back - then.back)
        for then, now in zip(before, after, strict=True)
        if now.back > then.back
    ]
    left = made.replacement.total if made.replacement is not None else Decimal(0)
    debt = sum((then.debt - now.debt for then, now in zip(before, after, strict=True)), Decimal(0))
    moved = sum((one.amount for one in back), Decimal(0)) + wallet + debt
    return RefundPreview(
        currency=cdr.currency,
        before=cdr.total,
        after=left,
        payments=back,
        wallet=wallet,
        debt=debt,
        rest=max(cdr.total - left - moved, Decimal(0)),
        documents=[note.content.corrects for note in notes],
    )


async def _in_wallet(conn: Connection, party_id: UUID, customer: str) -> Decimal:
    sort, _colon, value = customer.partition(":")
    found = await wallets.find_wallet(conn, party_id, UUID(value)) if sort == "driver" else None
    return found.balance if found is not None else Decimal(0)
