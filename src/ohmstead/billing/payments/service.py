"""Payments: what is asked, and what is wished of it. The edge opens the transaction, where a connection is taken.

Where a pool is taken, a provider is asked: what is asked is committed first, and done afterwards, outside of transactions.
Nothing here waits for money: what becomes of it comes as facts (`PaymentHeld`, `PaymentCaptured`, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.payments import applying, orders, performing, queries, store
from ohmstead.billing.payments.adhoc import begin_ad_hoc, get_setting, set_setting
from ohmstead.billing.payments.debts import service as debts
from ohmstead.billing.payments.methods import service as methods
from ohmstead.billing.payments.methods.removing import forget_driver
from ohmstead.billing.payments.methods.service import (
    forget_method,
    list_methods,
    refresh_setup,
    set_default_method,
    store_method,
)
from ohmstead.billing.payments.model import (
    Checkout,
    Debt,
    DebtForgiveness,
    NewPayment,
    Payment,
    Purpose,
    RefundOrder,
    ReleaseOrder,
)
from ohmstead.billing.payments.ports import Capabilities, Providers
from ohmstead.billing.payments.queries import get_payment, sum_debts
from ohmstead.billing.payments.starting import forget_tokens
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, Refused
from ohmstead.core.events import Event
from ohmstead.core.money import Money
from ohmstead.core.texts import checked

__all__ = [
    "begin_ad_hoc",
    "capture",
    "charge_off_session",
    "checkout",
    "find_by_token",
    "forget_driver",
    "forget_method",
    "forget_tokens",
    "forgive_debt",
    "get_payment",
    "get_setting",
    "increase",
    "is_charged",
    "list_methods",
    "notice_cdrs",
    "notice_sessions",
    "order",
    "refresh",
    "refresh_setup",
    "refund",
    "refund_by_person",
    "release",
    "release_by_person",
    "set_default_method",
    "set_setting",
    "store_method",
    "sum_debts",
]


async def order(conn: Connection, party_id: UUID, given: NewPayment, providers: Providers) -> Payment:
    """Ask somebody for money that is taken at once when they pay; they do on `checkout`'s page.

    With `key`, the same key again is the same payment. Raises Invalid, and Refused where no provider is set up.
    """
    provider = await _provider(conn, party_id, providers, given.provider)
    made = orders.made(party_id, given, provider.name)
    currency = given.amount.currency
    least = provider.least.get(currency)
    if least is not None and given.amount.amount < least:
        raise Invalid(f"is less than can be paid by card: {least} {currency}", field="amount")
    if given.debt_id is not None and (await queries.get_debt(conn, party_id, given.debt_id)).settled_at is not None:
        raise Conflict("it is settled", code="over")
    return await orders.insert(conn, made, given.key)


async def _provider(conn: Connection, party_id: UUID, providers: Providers, wanted: str | None) -> Capabilities:
    setting = await store.find_setting(conn, party_id)
    return providers.get(wanted or setting.provider).capabilities


async def checkout(pool: Pool, providers: Providers, party_id: UUID, payment_id: UUID, return_url: str) -> Checkout:
    """Where it is paid; asked again, the same page. `{payment_id}` in `return_url` is filled in.

    Raises NotFound, Conflict when it is over, and ExternalFailure when the provider does not answer: then it may be asked
    again, for the same page.
    """
    address = return_url.replace("{payment_id}", str(payment_id))
    async with pool.acquire() as conn, conn.transaction():
        kept = await applying.locked(conn, party_id, payment_id)
        if kept.payment.state not in ("created", "authorizing") or kept.payment.method_id is not None:
            raise Conflict("it cannot be paid any more", code="over")
        if kept.checkout_url is not None:
            return Checkout(payment_id=payment_id, url=kept.checkout_url)
        known = await store.find_operation(conn, party_id, payment_id, ("checkout",))
        operation_id = (
            known.operation_id
            if known is not None
            else await store.insert_operation(
                conn, party_id, payment_id, "checkout", clock.now(), orders.SYSTEM, details={"return_url": address}
            )
        )
        # Ours before anybody sees it, where nobody else is at it.
        claimed = await store.claim_operation(conn, party_id, operation_id, clock.now(), performing.LEASE)
    if claimed is not None:
        await performing.carry_out(pool, providers, None, claimed)
    async with pool.acquire() as conn:
        found = await store.find_kept(conn, party_id, payment_id)
    if found is None or found.checkout_url is None:
        raise ExternalFailure("the payment provider does not answer: try again in a moment")
    return Checkout(payment_id=payment_id, url=found.checkout_url)


async def charge_off_session(
    conn: Connection,
    party_id: UUID,
    method_id: UUID,
    purpose: Purpose,
    amount: Money,
    key: str,
    *,
    customer: str,
    description: str = "",
    session_id: UUID | None = None,
    cdr_id: UUID | None = None,
    email: str | None = None,
    language: str | None = None,
) -> Payment:
    """Take money from a stored card, without its owner. The same key again is the same payment.

    What comes of it comes as `PaymentCaptured`, or as `PaymentFailed`: what is owed for a session, an invoice or a plan is
    a debt then. Raises Invalid, NotFound, and Conflict when the card was removed.
    """
    provider = await methods.provider_of(conn, party_id, method_id)
    given = NewPayment(
        purpose=purpose,
        customer=customer,
        amount=amount,
        description=description,
        session_id=session_id,
        cdr_id=cdr_id,
        email=email,
        language=language,
    )
    return await orders.charge(conn, party_id, method_id, given, provider, key)


async def is_charged(conn: Connection, party_id: UUID, session_id: UUID) -> bool:
    """Was a stored card asked for a session? Whatever it is billed later, that payment takes the difference, or gives it."""
    return bool(await queries.list_of_sessions(conn, party_id, [session_id]))


async def capture(conn: Connection, party_id: UUID, payment_id: UUID, amount: Money) -> Payment:
    """Take so much of what is held, and let the rest go. Raises NotFound, Invalid, Conflict when it is not held."""
    kept = await applying.locked(conn, party_id, payment_id)
    if amount.currency != kept.payment.currency:
        raise Invalid(f"is held in {kept.payment.currency}", field="amount")
    if amount.amount > kept.payment.amount:
        raise Invalid("is more than is held", field="amount")
    if kept.payment.state not in ("created", "authorizing", "held") or not kept.is_hold:
        raise Conflict("nothing is held", code="over")
    return (await applying.want(conn, kept, orders.checked_amount(amount).amount)).payment


async def increase(conn: Connection, party_id: UUID, payment_id: UUID, amount: Money, by: str = "system") -> None:
    """Hold `amount` in all. Whether the provider could is seen by the payment's amount. Raises NotFound, Conflict."""
    kept = await applying.locked(conn, party_id, payment_id)
    if kept.payment.state != "held" or kept.wanted is not None:
        raise Conflict("nothing is held", code="over")
    if amount.currency != kept.payment.currency or amount.amount <= kept.payment.amount:
        raise Invalid("is no more than is held", field="amount")
    await orders.ask(conn, kept.payment, "increase", orders.checked_amount(amount).amount, by=by)


async def release(conn: Connection, party_id: UUID, payment_id: UUID, why: str = "released") -> Payment:
    """Let it go: nothing is taken. Raises NotFound, and Conflict when it was captured or is being."""
    kept = await applying.locked(conn, party_id, payment_id)
    if kept.payment.state in ("releasing", "released"):
        return kept.payment
    if kept.payment.state not in ("created", "authorizing", "held"):
        raise Conflict("there is nothing to let go: refund it", code="over")
    return (await applying.want(conn, kept, Decimal(0), failure=why)).payment


class Refundable(Struct, frozen=True, kw_only=True):
    """What can be given back of a payment. `refused`: what of it CDRs gave back already, and the provider refused; `cdr_id`:
    the last CDR that it pays, where it pays for a session; `is_alone`: no other one was charged for that.
    """

    payment: Payment
    left: Decimal
    refused: Decimal
    cdr_id: UUID | None
    is_alone: bool


async def refundable(conn: Connection, party_id: UUID, payment_id: UUID) -> Refundable:
    """What can be given back; nobody else changes the payment until the transaction ends.

    Raises NotFound, and Conflict when nothing is left to give back.
    """
    kept = await applying.locked(conn, party_id, payment_id)
    is_session, refused, cdr_id = kept.payment.purpose == "session", Decimal(0), None
    if is_session and kept.payment.state == "captured":
        is_given_up = await queries.is_refund_given_up(conn, party_id, payment_id)
        if not is_given_up:
            # What CDRs say already is on its way before anything more is.
            await applying.align(conn, party_id, payment_id)
        found = await applying.position_of(conn, kept)
        if found is not None and found.due is not None:
            cdr_id = found.cdr_id
            refused = (found.balance.refund or Decimal(0)) if is_given_up else Decimal(0)
    standing = await applying.standing_of(conn, kept)
    payment = kept.payment
    left = payment.captured - payment.refunded - standing.asked_back - payment.disputed
    if payment.state != "captured" or left <= 0:
        raise Conflict("nothing is left to give back", code="over")
    others = await store.list_charges(conn, party_id, payment.session_id) if is_session else []
    return Refundable(payment=payment, left=left, refused=refused, cdr_id=cdr_id, is_alone=len(others) < 2)


async def refused_of(conn: Connection, party_id: UUID, payment_id: UUID) -> Decimal:
    """What CDRs gave back and the provider refused: it can be asked for again. Raises NotFound."""
    kept = await store.find_kept(conn, party_id, payment_id)
    if kept is None:
        raise NotFound(f"no payment {payment_id}")
    if not await queries.is_refund_given_up(conn, party_id, payment_id):
        return Decimal(0)
    found = await applying.position_of(conn, kept)
    return (found.balance.refund if found is not None else None) or Decimal(0)


def checked_part(found: Refundable, amount: Money) -> Decimal:
    """So much can be given back. Raises Invalid."""
    payment = found.payment
    if amount.currency != payment.currency:
        raise Invalid(f"was paid in {payment.currency}", field="amount")
    wanted = orders.checked_amount(amount).amount
    if wanted > found.left:
        raise Invalid(f"at most {found.left} {payment.currency} are left", field="amount")
    return wanted


async def refund(
    conn: Connection,
    actor: Actor,
    party_id: UUID,
    payment_id: UUID,
    amount: Money | None,
    reason: str,
    *,
    is_goodwill: bool = True,
) -> Payment:
    """Give back what was captured, or a part, whatever was billed. Raises NotFound, Invalid, and Conflict when nothing is left
    to give back. `is_goodwill`: it is not owed again.
    """
    found = await refundable(conn, party_id, payment_id)
    payment = found.payment
    wanted = checked_part(found, amount) if amount is not None else found.left
    why = checked(reason, "reason", has_lines=True)
    if not why:
        raise Invalid("say why", field="reason")
    await orders.ask(conn, payment, "refund", wanted, reason=why, by=actor.actor_id, is_goodwill=is_goodwill)
    detail: dict[str, object] = {"amount": format(wanted, "f"), "currency": payment.currency, "reason": why}
    await accounts.audit(conn, actor, "payment.refunded", f"payment/{payment_id}", detail)
    return payment


async def refund_by_person(conn: Connection, actor: Actor, payment_id: UUID, given: RefundOrder) -> Payment:
    """The same, as the API takes it; of a payment for a session that is billed, `refunds.service` does it."""
    payment = await get_payment(conn, actor.party_id, payment_id)
    return await refund(conn, actor, actor.party_id, payment_id, wanted_of(given, payment), given.reason)


def wanted_of(given: RefundOrder, payment: Payment) -> Money | None:
    """How much is wanted; None: all of it. Raises Invalid for what is no number."""
    if given.amount is None:
        return None
    if not given.amount.is_finite():
        raise Invalid("is to be more than nothing", field="amount")
    return Money(given.amount, given.currency or payment.currency)


class Standing(Struct, frozen=True, kw_only=True):
    """How a payment stands towards its payer. `back`: given back, or on the way; `debt`: what it left owed."""

    payment: Payment
    back: Decimal
    debt: Decimal


async def list_standings(conn: Connection, party_id: UUID, payment_ids: Sequence[UUID]) -> list[Standing]:
    """In the order of the ids, of payments that are locked."""
    found = []
    for payment_id in payment_ids:
        kept = await applying.locked(conn, party_id, payment_id)
        asked_back = (await applying.standing_of(conn, kept)).asked_back
        debt = await debts.find_open_debt(conn, party_id, payment_id)
        back, owed = kept.payment.refunded + asked_back, debt.amount if debt is not None else Decimal(0)
        found.append(Standing(payment=kept.payment, back=back, debt=owed))
    return found


async def hold_for_session(conn: Connection, party_id: UUID, session_id: UUID) -> list[UUID]:
    """Payments that cover a session, and those that settled what these left owed; nobody else changes them until the
    transaction ends.
    """
    found = (await queries.list_of_sessions(conn, party_id, [session_id])).get(session_id, [])
    return await _hold(conn, party_id, found)


async def _hold(conn: Connection, party_id: UUID, payment_ids: Sequence[UUID]) -> list[UUID]:
    """In one order for everybody, before anything is done with any of them."""
    found = await queries.list_with_payers(conn, party_id, payment_ids) if payment_ids else []
    for payment_id in found:
        await applying.locked(conn, party_id, payment_id)
    return found


async def align(conn: Connection, party_id: UUID, payment_ids: Sequence[UUID]) -> None:
    """What they take, give back and leave owed is what CDRs say, without waiting for the outbox."""
    for payment_id in payment_ids:
        await applying.align(conn, party_id, payment_id)


async def release_by_person(conn: Connection, actor: Actor, payment_id: UUID, given: ReleaseOrder) -> Payment:
    """Let a hold go because somebody says so. Raises Refused while a car charges on it."""
    why = checked(given.reason, "reason", has_lines=True)
    if not why:
        raise Invalid("say why", field="reason")
    payment = await get_payment(conn, actor.party_id, payment_id)
    if payment.session_id is not None and payment.state == "held":
        raise Refused("a session was begun with it: it is settled when that is billed")
    released = await release(conn, actor.party_id, payment_id)
    await accounts.audit(conn, actor, "payment.released", f"payment/{payment_id}", {"reason": why})
    return released


async def forgive_debt(conn: Connection, actor: Actor, debt_id: UUID, given: DebtForgiveness) -> Debt:
    """Ask for it no more. Raises NotFound, and Conflict when it is settled."""
    why = checked(given.reason, "reason", has_lines=True)
    if not why:
        raise Invalid("say why", field="reason")
    debt = await debts.lock_debt(conn, actor.party_id, debt_id)
    if debt is None:
        raise NotFound(f"no debt {debt_id}")
    if debt.settled_at is not None:
        raise Conflict("it is settled", code="over")
    await debts.forgive(conn, debt, why)
    await accounts.audit(conn, actor, "debt.forgiven", f"debt/{debt_id}", {"reason": why})
    return await queries.get_debt(conn, actor.party_id, debt_id)


async def refresh(pool: Pool, providers: Providers, party_id: UUID, payment_id: UUID) -> Payment:
    """As it is now, the provider asked: for the page that somebody who paid comes back to. Raises NotFound."""
    async with pool.acquire() as conn:
        payment = await get_payment(conn, party_id, payment_id)
    if payment.state in ("created", "authorizing"):
        await performing.look(pool, providers, party_id, payment_id)
        async with pool.acquire() as conn:
            payment = await get_payment(conn, party_id, payment_id)
    return payment


async def find_by_token(conn: Connection, party_id: UUID, token_uid: str) -> Payment | None:
    """The payment that a one-time token belongs to."""
    return await store.find_by_token(conn, party_id, token_uid)


# ------------------------------------------------------------------------------------------------------- consumers


async def notice_cdrs(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `CdrCreated` and `CdrCredited`: payments take, and give back, what CDRs say."""
    wanted: dict[UUID, set[UUID]] = {}
    for event in found:
        if event.party_id is not None:
            wanted.setdefault(event.party_id, set()).add(UUID(event.payload["session_id"]))
    for party_id in sorted(wanted):
        by_session = await queries.list_of_sessions(conn, party_id, sorted(wanted[party_id]))
        due = sorted({payment_id for payments in by_session.values() for payment_id in payments})
        await _hold(conn, party_id, due)
        for payment_id in due:
            await applying.align(conn, party_id, payment_id)


async def notice_sessions(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionStarted` and `SessionEnded`: a guest's session and its payment find each other; what
    nothing covers is ended; an outlet is free for the next payer when the session is over.
    """
    sessions: dict[UUID, list[UUID]] = {}
    for event in found:
        if event.party_id is not None:
            sessions.setdefault(event.party_id, []).append(UUID(event.payload["session_id"]))
    due = {one: await queries.list_of_sessions(conn, one, ids) for one, ids in sorted(sessions.items())}
    for event in found:
        if event.party_id is None:
            continue
        session_id = UUID(event.payload["session_id"])
        for payment_id in due[event.party_id].get(session_id, []):
            await _notice(conn, event.party_id, payment_id, session_id, is_over=event.kind == "SessionEnded")


async def _notice(conn: Connection, party_id: UUID, payment_id: UUID, session_id: UUID, *, is_over: bool) -> None:
    kept = await applying.locked(conn, party_id, payment_id)
    payment = kept.payment
    if payment.token_uid is None:
        return
    values: dict[str, Any] = {}
    if payment.session_id is None:
        values["session_id"] = session_id
    if is_over:
        # One session a payment, and the next payer may come.
        await store.set_token_status(conn, party_id, payment.token_uid, "blocked")
        values["holds_plug"] = False
    elif payment.state != "held" or kept.wanted is not None or payment.session_id not in (None, session_id):
        await orders.ask(conn, payment, "stop")
    await store.update_payment(conn, party_id, payment_id, values)
