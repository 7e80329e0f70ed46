"""What a provider told, or a CDR says, is taken in: states, books, debts, facts, and what is to be done next.

All of it in the caller's transaction, with the payment locked. Nothing here speaks to anybody outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry
from ohmstead.billing.payments import bookings, deciding, orders, queries, starting, store
from ohmstead.billing.payments.debts import service as debts
from ohmstead.billing.payments.deciding import Balance, Charge, Sight, Standing, Step
from ohmstead.billing.payments.model import Kept, NewPayment, Payment
from ohmstead.billing.payments.ports import Seen, SeenDispute
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import Event, record
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.sessions.notices import service as notices
from ohmstead.sessions.notices.model import Settlement

ZERO = Decimal(0)

log = logger("ohmstead.payments")

# Why a payment is over that ended by itself, by the state that it ended in.
_ENDED = {"created": "not_paid", "authorizing": "not_paid", "held": "hold_expired", "capturing": "hold_expired"}


async def locked(conn: Connection, party_id: UUID, payment_id: UUID) -> Kept:
    """A payment that nobody else changes until the transaction ends, nor what else stored cards are charged for its session.
    Raises NotFound.
    """
    kept = await store.find_kept(conn, party_id, payment_id)
    if kept is not None and _is_charge(kept):
        # What one of them takes depends on the others: all of them, in one order for everybody.
        await store.lock_charges(conn, party_id, kept.payment.session_id)
    kept = await store.lock_payment(conn, party_id, payment_id)
    if kept is None:
        raise NotFound(f"no payment {payment_id}")
    return kept


def _is_charge(kept: Kept) -> bool:
    """Was it taken from a stored card for a session that is over?"""
    return kept.payment.purpose == "session" and not kept.is_hold and kept.payment.session_id is not None


async def standing_of(conn: Connection, kept: Kept) -> Standing:
    """How it stands, for deciding.py."""
    payment = kept.payment
    asked = await store.sum_refunds(conn, payment.party_id, payment.payment_id)
    return Standing(
        state=payment.state,
        purpose=payment.purpose,
        is_hold=kept.is_hold,
        amount=payment.amount,
        captured=payment.captured,
        refunded=payment.refunded,
        asked_back=max(asked - payment.refunded, ZERO),
        wanted=kept.wanted,
    )


async def observe(conn: Connection, party_id: UUID, payment_id: UUID, seen: Seen) -> Kept:
    """The provider told how a payment stands."""
    kept = await locked(conn, party_id, payment_id)
    if seen.currency != kept.payment.currency:
        # Nothing of ours was ever made in another one: not believed, and left for a person.
        log.error("payment_in_another_currency", payment_id=str(payment_id), currency=seen.currency)
        return kept
    if await _has_bounced(conn, kept, seen):
        seen = replace(seen, state="failed")
    before = await standing_of(conn, kept)
    sight = Sight(state=seen.state, held=seen.held, captured=seen.captured, refunded=seen.refunded)
    step = deciding.observe(before, sight)
    values: dict[str, Any] = {}
    if seen.ref is not None and seen.ref != kept.provider_ref:
        values["provider_ref"] = seen.ref
    if seen.capture_before is not None and seen.capture_before != kept.payment.capture_before:
        values["capture_before"] = seen.capture_before
    if step.after.state in ("released", "failed") and kept.payment.failure is None:
        values["failure"] = seen.failure or _ENDED.get(before.state)
    return await _take(conn, kept, before, step, values)


async def _has_bounced(conn: Connection, kept: Kept, seen: Seen) -> bool:
    """A direct debit was taken, and came back days later: nobody pays it on a page, and nothing asks for it again."""
    payment = kept.payment
    if payment.method_id is None or seen.state != "open" or seen.failure is None:
        return False
    return await store.find_operation(conn, payment.party_id, payment.payment_id, ("charge", "hold")) is None


async def want(
    conn: Connection, kept: Kept, amount: Decimal, *, failure: str | None = None, cdr_id: UUID | None = None
) -> Kept:
    """So much is to be captured of a hold that is locked; nothing: it is let go, because of `failure`."""
    before = await standing_of(conn, kept)
    values: dict[str, Any] = {}
    if failure is not None and kept.payment.failure is None:
        values["failure"] = failure
    if cdr_id is not None:
        values["cdr_id"] = cdr_id
    if amount == 0 and kept.payment.token_uid is not None:
        # Before it is let go: no station is to begin with it any more.
        await store.set_token_status(conn, kept.payment.party_id, kept.payment.token_uid, "blocked")
    return await _take(conn, kept, before, deciding.want(before, amount), values)


async def give_up(conn: Connection, kept: Kept, failure: str) -> Kept:
    """What was asked of the provider cannot be done."""
    before = await standing_of(conn, kept)
    after = deciding.give_up(before)
    values = {"failure": failure} if kept.payment.failure is None and after.state != before.state else {}
    return await _take(conn, kept, before, Step(after=after), values)


async def _take(conn: Connection, kept: Kept, before: Standing, step: Step, values: dict[str, Any]) -> Kept:
    """Write what became of it, and see to what follows."""
    now, after = clock.now(), step.after
    old = kept.payment
    for name in ("state", "amount", "captured", "refunded", "wanted"):
        if getattr(after, name) != getattr(before, name):
            values[name] = getattr(after, name)
    if after.state != before.state:
        if after.state == "held" and kept.held_at is None:
            values |= {"held_at": now, "begin_by": now + starting.BEGINS_WITHIN if old.token_uid else None}
        if after.state in deciding.OVER:
            values |= {"closed_at": now, "look_at": None, "holds_plug": False}
        elif after.state in ("held", "capturing"):
            values["look_at"] = None
        if after.state in ("held", "captured"):
            values["failure"] = None  # what was wrong on the way there
    if after.state == "authorizing" and kept.look_at is None:
        values["look_at"] = now + timedelta(seconds=deciding.next_look_s(0))
    await store.update_payment(conn, old.party_id, old.payment_id, values)
    found = await store.find_kept(conn, old.party_id, old.payment_id)
    assert found is not None
    if step.ask is not None:
        await orders.ask(conn, found.payment, step.ask, step.amount)
    await _book(conn, found.payment, before, after)
    await _tell(conn, found, before, after)
    if after.state != before.state:
        found = await _follow(conn, found, before)
    return found


async def _book(conn: Connection, payment: Payment, before: Standing, after: Standing) -> None:
    time_zone = await queries.find_time_zone(conn, payment.party_id)
    day = ledger.day_of(clock.now(), time_zone)
    entries: list[Entry] = []
    if after.captured > before.captured:
        entries.append(bookings.captured(payment, after.captured, day))
    if after.refunded > before.refunded:
        entries.append(bookings.refunded(payment, after.refunded - before.refunded, after.refunded, day))
    if entries:
        await ledger.post_all(conn, payment.party_id, orders.SYSTEM, entries)


async def _tell(conn: Connection, kept: Kept, before: Standing, after: Standing) -> None:
    payment, facts = kept.payment, []
    if after.state == "held" and before.state != "held":
        facts.append(fact("PaymentHeld", payment, payment.amount))
    if after.captured > before.captured:
        facts.append(fact("PaymentCaptured", payment, after.captured))
    if after.refunded > before.refunded:
        facts.append(fact("PaymentRefunded", payment, after.refunded - before.refunded))
    if after.state == "released" and before.state != "released":
        facts.append(fact("PaymentReleased", payment, payment.amount, reason=payment.failure))
    if after.state == "failed" and before.state != "failed":
        facts.append(fact("PaymentFailed", payment, payment.amount, reason=payment.failure))
    if facts:
        await record(conn, facts)


def fact(kind: str, payment: Payment, amount: Decimal, **more: Any) -> Event:
    """What the outbox is told of a payment."""
    payload = {
        "payment_id": str(payment.payment_id),
        "purpose": payment.purpose,
        "customer": payment.customer,
        "amount": format(amount, "f"),
        "currency": payment.currency,
        "session_id": str(payment.session_id) if payment.session_id else None,
    }
    return Event(kind, f"payment/{payment.payment_id}", payload | more, party_id=payment.party_id)


async def _follow(conn: Connection, kept: Kept, before: Standing) -> Kept:
    """What comes after a change of state."""
    payment = kept.payment
    if payment.state == "held" and payment.token_uid is not None and before.state in ("created", "authorizing"):
        await starting.let_in(conn, kept)
        await orders.ask(conn, payment, "start")
    if payment.state in ("released", "failed") and payment.token_uid is not None:
        await store.set_token_status(conn, payment.party_id, payment.token_uid, "blocked")
    if payment.state == "captured" and payment.captured > before.captured:
        if payment.purpose == "debt":
            await debts.settle(conn, kept)
        elif payment.purpose in ("invoice", "plan_fee"):
            # It had been given up, and came after all.
            await debts.set_debt(conn, payment, ZERO, payment.currency, "")
        if payment.token_uid is not None:
            await _tell_station(conn, payment)
    if payment.state == "failed":
        # Nobody works at what can no longer come of it.
        await store.cancel_operations(
            conn,
            payment.party_id,
            payment.payment_id,
            ("checkout", "hold", "charge", "capture"),
            clock.now(),
            "given up",
        )
        if payment.method_id is not None and payment.purpose in ("invoice", "plan_fee"):
            await debts.set_debt(conn, payment, payment.amount, payment.currency, payment.failure or "declined")
    if payment.state in deciding.OVER and payment.purpose == "session":
        await align(conn, payment.party_id, payment.payment_id)
        return await locked(conn, payment.party_id, payment.payment_id)
    return kept


async def _tell_station(conn: Connection, payment: Payment) -> None:
    """A payment of ours was settled: kept beside those that stations and terminals settle (OCPP 2.1 C21)."""
    assert payment.token_uid is not None
    session = await store.find_session(conn, payment.party_id, payment.token_uid)
    if session is None:
        return
    now = clock.now()
    settlement = Settlement(
        station_id=session["station_id"],
        party_id=payment.party_id,
        psp_ref=payment.token_uid,
        status="settled",
        amount=payment.captured,
        currency=payment.currency,
        settled_by="us",
        settled_at=session["ended_at"] or now,
        received_at=now,
        transaction_id=session["transaction_id"],
        receipt_id=str(payment.payment_id),
    )
    await notices.take_in(conn, [settlement])


# ------------------------------------------------------------------------------------------------- what is due


class Position(Struct, frozen=True, kw_only=True):
    """What a payment has to cover, less what its debts were settled with, and how that is met. `due` is None where that is in
    another currency than the payment; `excess`: what its debts were settled with, and is not due any more.
    """

    currency: str
    cdr_id: UUID | None
    billed: Decimal
    due: Decimal | None
    balance: Balance
    excess: Decimal = ZERO


async def position_of(conn: Connection, kept: Kept) -> Position | None:
    """How a payment stands against what it is for: CDRs, or debts that it settled; None where that is nothing."""
    payment = kept.payment
    party_id, payment_id = payment.party_id, payment.payment_id
    if payment.purpose == "debt":
        return await _position_of_debts(conn, kept)
    found = await queries.find_due(conn, party_id, kept)
    if found is None:
        return None
    currency, billed, cdr_id = found
    is_same = currency == payment.currency
    if _is_charge(kept):
        shares, _ = await _shares(conn, kept, currency, billed)
        billed, is_same = shares.get(payment_id, ZERO), True
    settled = await debts.sum_settled_debts(conn, party_id, payment_id)
    excess = max(settled - max(billed, ZERO), ZERO) if is_same else ZERO
    billed -= settled
    due = billed - await store.sum_goodwill(conn, party_id, payment_id) if is_same else None
    lost = await store.sum_lost(conn, party_id, payment_id)
    balance = deciding.settle(await standing_of(conn, kept), ZERO if due is None else due, lost)
    return Position(currency=currency, cdr_id=cdr_id, billed=billed, due=due, balance=balance, excess=excess)


async def _position_of_debts(conn: Connection, kept: Kept) -> Position | None:
    """Of a payment that settled debts: what these come to by now. What people gave back of it is not owed again, and is part
    of what goes back when they come to less.
    """
    payment = kept.payment
    if payment.state != "captured":
        return None
    billed = await debts.sum_settled_by(conn, payment.party_id, payment.payment_id)
    settled = await debts.sum_settled_debts(conn, payment.party_id, payment.payment_id)
    lost = await store.sum_lost(conn, payment.party_id, payment.payment_id)
    balance = deciding.settle(await standing_of(conn, kept), billed - settled, lost)
    goodwill = await store.sum_goodwill(conn, payment.party_id, payment.payment_id)
    return Position(
        currency=payment.currency,
        cdr_id=None,
        billed=billed - settled,
        due=billed - settled,
        balance=replace(balance, debt=max(balance.debt - goodwill, ZERO)),
        excess=max(settled - billed, ZERO),
    )


async def _shares(conn: Connection, kept: Kept, currency: str, billed: Decimal) -> tuple[dict[UUID, Decimal], Decimal]:
    """What of a session's bill each of its charges has to cover, and what none of them does."""
    payment = kept.payment
    found = []
    for one in await store.list_charges(conn, payment.party_id, payment.session_id):
        if one.payment.currency == currency:
            found.append(await _charge_of(conn, one.payment))
    shares, rest = deciding.share_out(billed, found)
    return {one.payment_id: share for one, share in zip(found, shares, strict=True)}, rest


async def _charge_of(conn: Connection, payment: Payment) -> Charge:
    asked = await store.sum_refunds(conn, payment.party_id, payment.payment_id)
    goodwill = await store.sum_goodwill(conn, payment.party_id, payment.payment_id)
    return Charge(
        payment_id=payment.payment_id,
        state=payment.state,
        amount=payment.amount,
        captured=payment.captured,
        corrected=asked - goodwill,
        is_let_go=payment.failure == queries.NOT_BILLED,
    )


async def align(conn: Connection, party_id: UUID, payment_id: UUID) -> None:
    """Make what a payment takes, gives back and leaves owed what the CDRs of its session say, and what others paid of what it
    left owed. May run any number of times.
    """
    kept = await locked(conn, party_id, payment_id)
    if _is_charge(kept):
        charges = await store.list_charges(conn, party_id, kept.payment.session_id)
        for one in charges:
            await _align_one(conn, await locked(conn, party_id, one.payment.payment_id))
        await _charge_the_rest(conn, await locked(conn, party_id, charges[-1].payment.payment_id))
        aligned = [one.payment.payment_id for one in charges]
    else:
        await _align_one(conn, kept)
        aligned = [payment_id]
    for payer_id in await queries.list_with_payers(conn, party_id, aligned):
        if payer_id not in aligned:
            await _align_one(conn, await locked(conn, party_id, payer_id))


async def _align_one(conn: Connection, kept: Kept) -> None:
    payment = kept.payment
    party_id, payment_id = payment.party_id, payment.payment_id
    # Whoever settles its debt holds that: only then is it seen what they did, and it is not opened a second time.
    await debts.find_open_debt(conn, party_id, payment_id)
    found = await position_of(conn, kept)
    if found is None:
        if not kept.is_hold and payment.state == "failed" and payment.method_id is not None:
            await debts.set_debt(conn, payment, payment.amount, payment.currency, payment.failure or "declined")
        return
    currency, cdr_id, balance = found.currency, found.cdr_id, found.balance
    if found.due is None:
        # The price is in another currency than the hold: nothing of it can pay.
        await debts.set_debt(conn, payment, max(found.billed, ZERO), currency, "other_currency", cdr_id)
    # A stored card is charged as it was asked for; what that is too much is given back.
    is_told = kept.is_hold or balance.want == 0
    if balance.want is not None and kept.wanted is None and is_told:
        kept = await want(
            conn, kept, balance.want, failure=queries.NOT_BILLED if balance.want == 0 else None, cdr_id=cdr_id
        )
    elif cdr_id is not None and payment.cdr_id != cdr_id:
        await store.update_payment(conn, party_id, payment_id, {"cdr_id": cdr_id})
    if balance.refund is not None:
        await orders.ask(conn, kept.payment, "refund", balance.refund, reason="corrected")
    if found.due is not None and not balance.waits:
        await debts.set_debt(conn, kept.payment, balance.debt, payment.currency, _why_owed(kept.payment), cdr_id)
    if found.excess:
        await debts.return_debts(conn, party_id, payment_id, found.excess)


async def _charge_the_rest(conn: Connection, last: Kept) -> None:
    """A session came to more than its card was charged: the difference, once for each CDR, from the card that paid before."""
    payment = last.payment
    found = await queries.find_due(conn, payment.party_id, last)
    if found is None or payment.method_id is None:
        return
    currency, billed, cdr_id = found
    _, rest = await _shares(conn, last, currency, billed)
    if rest <= 0:
        return
    given = NewPayment(
        purpose="session",
        customer=payment.customer,
        amount=Money(rest, currency),
        description=payment.description,
        email=payment.email,
        language=payment.language,
        session_id=payment.session_id,
        cdr_id=cdr_id,
    )
    try:
        await orders.charge(conn, payment.party_id, payment.method_id, given, payment.provider, f"cdr:{cdr_id}")
    except (Conflict, Invalid) as error:
        # It stays on account: nobody is charged twice for a CDR.
        log.error("difference_not_charged", cdr_id=str(cdr_id), amount=str(rest), error=error.text)


async def give_back(conn: Connection, party_id: UUID, payment_id: UUID, why: str) -> None:
    """Nothing was due after all: what was taken of a hold before that was known goes back."""
    kept = await locked(conn, party_id, payment_id)
    if kept.payment.state != "captured":
        return
    lost = await store.sum_lost(conn, party_id, payment_id)
    balance = deciding.settle(await standing_of(conn, kept), ZERO, lost)
    if balance.refund is not None:
        await orders.ask(conn, kept.payment, "refund", balance.refund, reason=why)


def _why_owed(payment: Payment) -> str:
    if payment.state in ("released", "failed"):
        return payment.failure or "hold_expired"
    return "disputed" if payment.disputed else "over_hold"


# --------------------------------------------------------------------------------------------------- disputes


async def observe_disputes(conn: Connection, party_id: UUID, payment_id: UUID, seen: Sequence[SeenDispute]) -> None:
    """The provider told which chargebacks there are of a payment, and how they stand."""
    for one in seen:
        kept = await locked(conn, party_id, payment_id)
        known = await store.find_dispute(conn, party_id, kept.payment.provider, one.ref)
        if one.amount.currency != kept.payment.currency or (known is not None and known.state != "open"):
            continue
        if known is None:
            await _open_dispute(conn, kept, one)
        if one.state != "open":
            await _close_dispute(conn, await locked(conn, party_id, payment_id), one)


async def _open_dispute(conn: Connection, kept: Kept, seen: SeenDispute) -> None:
    payment = kept.payment
    await store.insert_dispute(conn, payment.party_id, payment, seen)
    values = {"disputed": payment.disputed + seen.amount.amount}
    await store.update_payment(conn, payment.party_id, payment.payment_id, values)
    await _book_dispute(conn, payment, seen, is_won=False)
    await record(conn, [fact("PaymentDisputed", payment, seen.amount.amount, state="open", reason=seen.reason)])


async def _close_dispute(conn: Connection, kept: Kept, seen: SeenDispute) -> None:
    payment = kept.payment
    await store.close_dispute(conn, payment.party_id, payment.provider, seen.ref, seen.state, clock.now())
    if seen.state == "won":
        values = {"disputed": payment.disputed - seen.amount.amount}
        await store.update_payment(conn, payment.party_id, payment.payment_id, values)
        await _book_dispute(conn, payment, seen, is_won=True)
    elif payment.purpose in ("session", "debt"):
        await align(conn, payment.party_id, payment.payment_id)
    elif payment.purpose != "top_up":
        lost = await store.sum_lost(conn, payment.party_id, payment.payment_id)
        await debts.set_debt(conn, payment, lost, payment.currency, "disputed")
    await record(conn, [fact("PaymentDisputed", payment, seen.amount.amount, state=seen.state, reason=seen.reason)])


async def _book_dispute(conn: Connection, payment: Payment, seen: SeenDispute, *, is_won: bool) -> None:
    time_zone = await queries.find_time_zone(conn, payment.party_id)
    day = ledger.day_of(clock.now(), time_zone)
    entry = bookings.dispute_won(payment, seen, day) if is_won else bookings.disputed(payment, seen, day)
    await ledger.post_all(conn, payment.party_id, orders.SYSTEM, [entry])


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To what can be paid."""
    return Money(amount, currency).rounded().amount
