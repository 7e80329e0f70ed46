"""What payments should have covered and did not: opened, changed, settled. In the caller's transaction, the payment locked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from ohmstead.billing.payments import orders
from ohmstead.billing.payments.debts import store
from ohmstead.billing.payments.debts.store import (
    DEBT,
    debt_of,
    find_open_debt,
    list_small,
    lock_debt,
    return_debts,
    sum_settled_by,
    sum_settled_debts,
)
from ohmstead.billing.payments.model import Debt, Kept, Payment
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id

__all__ = [
    "DEBT",
    "debt_of",
    "find_open_debt",
    "forgive",
    "list_small",
    "lock_debt",
    "return_debts",
    "set_debt",
    "settle",
    "settle_by_document",
    "sum_settled_by",
    "sum_settled_debts",
]


async def set_debt(
    conn: Connection, payment: Payment, amount: Decimal, currency: str, reason: str, cdr_id: UUID | None = None
) -> None:
    """So much of what a payment should cover is owed: a debt is opened, changed, or ended."""
    now = clock.now()
    debt = await store.find_open_debt(conn, payment.party_id, payment.payment_id)
    if debt is None and amount > 0:
        made = Debt(
            debt_id=new_id(),
            party_id=payment.party_id,
            customer=payment.customer,
            currency=currency,
            amount=amount,
            payment_id=payment.payment_id,
            session_id=payment.session_id,
            cdr_id=cdr_id or payment.cdr_id,
            reason=reason,
            opened_at=now,
            settled_at=None,
            settled_by=None,
            settled_how=None,
            note="",
        )
        await store.insert_debt(conn, payment.party_id, made)
        await record(conn, [_debt_fact("DebtOpened", made, payment, reason=reason)])
    elif debt is not None and amount <= 0:
        await store.end_debt(conn, payment.party_id, debt.debt_id, "credited", now, None)
        await record(conn, [_debt_fact("DebtSettled", debt, payment, how="credited")])
    elif debt is not None and debt.amount != amount:
        await store.set_debt_amount(conn, payment.party_id, debt.debt_id, amount)


def _debt_fact(kind: str, debt: Debt, payment: Payment | None, **more: Any) -> Event:
    payload = {
        "debt_id": str(debt.debt_id),
        "payment_id": str(debt.payment_id) if debt.payment_id else None,
        "purpose": payment.purpose if payment is not None else "session",
        "customer": debt.customer,
        "amount": format(debt.amount, "f"),
        "currency": debt.currency,
        "session_id": str(debt.session_id) if debt.session_id else None,
    }
    return Event(kind, f"debt/{debt.debt_id}", payload | more, party_id=debt.party_id)


async def settle(conn: Connection, kept: Kept) -> None:
    """A payment for debts was captured: they are settled with it as far as it goes, the one it was for first."""
    payment, left = kept.payment, kept.payment.captured
    debts = await store.lock_debts(conn, payment.party_id, payment.customer, payment.currency, kept.debt_id)
    now = clock.now()
    for debt in debts:
        if left <= 0:
            break
        if debt.amount > left:
            # A part is paid: it is split, so that what was paid and what is owed are rows of their own.
            rest = replace(debt, debt_id=new_id(), amount=debt.amount - left)
            await store.set_debt_amount(conn, payment.party_id, debt.debt_id, left)
            debt = replace(debt, amount=left)
            await store.end_debt(conn, payment.party_id, debt.debt_id, "paid", now, payment.payment_id)
            await store.insert_debt(conn, payment.party_id, rest)
        else:
            await store.end_debt(conn, payment.party_id, debt.debt_id, "paid", now, payment.payment_id)
        left -= debt.amount
        await record(conn, [_debt_fact("DebtSettled", debt, None, how="paid")])
    if left > 0:
        # Somebody settled it meanwhile, or it was credited: what nobody owes is given back.
        await orders.ask(conn, payment, "refund", left, reason="nothing was owed any more")


async def forgive(conn: Connection, debt: Debt, note: str) -> None:
    """It is not asked for any more."""
    await store.end_debt(conn, debt.party_id, debt.debt_id, "forgiven", clock.now(), None, note)
    await record(conn, [_debt_fact("DebtSettled", debt, None, how="forgiven")])


async def settle_by_document(conn: Connection, party_id: UUID, debt_id: UUID, note: str) -> None:
    """What a card should have paid was asked for on an invoice meanwhile, and that was paid. Told twice, it is once."""
    debt = await store.lock_debt(conn, party_id, debt_id)
    if debt is None or debt.settled_at is not None:
        return
    await store.end_debt(conn, party_id, debt_id, "paid", clock.now(), None, note)
    await record(conn, [_debt_fact("DebtSettled", debt, None, how="paid")])
