"""What is asked of somebody, and of a provider, as rows: written first, done once they are committed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from ohmstead.billing.payments import store
from ohmstead.billing.payments.model import Kept, NewPayment, OperationKind, Payment
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.core.texts import checked

SYSTEM: Final = "system"
# A page on which a top-up or a debt is paid is open for so long.
PAYS_WITHIN: Final = timedelta(hours=23)


def checked_amount(amount: Money) -> Money:
    """What can be asked for. Raises Invalid for nothing, less, or what no currency has coins for."""
    if amount.amount <= 0:
        raise Invalid("is to be more than nothing", field="amount")
    if amount.rounded().amount != amount.amount:
        raise Invalid(f"is not exact in {amount.currency}", field="amount")
    if amount.minor() >= 10**9:
        raise Invalid("is more than can be paid at once", field="amount")
    return amount


def made(party_id: UUID, given: NewPayment, provider: str, method_id: UUID | None = None) -> Kept:
    """A payment that is taken at once. `method_id`: from that stored card. Raises Invalid."""
    amount = checked_amount(given.amount)
    now = clock.now()
    payment = Payment(
        payment_id=new_id(),
        party_id=party_id,
        provider=provider,
        purpose=given.purpose,
        customer=given.customer,
        state="created",
        currency=amount.currency,
        amount=amount.amount,
        captured=Decimal(0),
        refunded=Decimal(0),
        disputed=Decimal(0),
        session_id=given.session_id,
        cdr_id=given.cdr_id,
        email=given.email,
        language=given.language,
        description=checked(given.description, "description"),
        method_id=method_id,
        created_at=now,
        version=1,
    )
    return Kept(
        payment=payment,
        is_hold=False,
        wanted=None,
        holds_plug=False,
        debt_id=given.debt_id,
        web_payment_id=None,
        provider_ref=None,
        checkout_ref=None,
        checkout_url=None,
        pay_by=now + PAYS_WITHIN if method_id is None else None,
        held_at=None,
        begin_by=None,
        look_at=None,
    )


async def insert(conn: Connection, wanted: Kept, key: str | None) -> Payment:
    """The payment; with a key that is known, the one that has it. Raises Conflict where that is for something else."""
    if await store.insert_payment(conn, wanted, key):
        return wanted.payment
    assert key is not None
    known = await store.find_by_order(conn, wanted.payment.party_id, key)
    assert known is not None
    if (known.amount, known.currency, known.customer) != (
        wanted.payment.amount,
        wanted.payment.currency,
        wanted.payment.customer,
    ):
        raise Conflict(f"{key} was used for another payment", code="key_reused")
    return known


async def ask(
    conn: Connection,
    payment: Payment,
    kind: OperationKind,
    amount: Decimal | None = None,
    *,
    reason: str = "",
    by: str = SYSTEM,
    is_goodwill: bool = False,
) -> UUID:
    """Something to be done outside, once this transaction is committed. `is_goodwill`: a refund that is not owed again."""
    return await store.insert_operation(
        conn,
        payment.party_id,
        payment.payment_id,
        kind,
        clock.now(),
        by,
        amount=amount,
        reason=reason,
        details={"goodwill": "yes"} if is_goodwill else None,
    )


async def charge(
    conn: Connection, party_id: UUID, method_id: UUID, given: NewPayment, provider: str, key: str
) -> Payment:
    """Take money from a stored card, without its owner. The same key again is the same payment. Raises Invalid, Conflict."""
    wanted = made(party_id, given, provider, method_id)
    payment = await insert(conn, wanted, key)
    if payment.payment_id == wanted.payment.payment_id:
        await ask(conn, payment, "charge")
    return payment
