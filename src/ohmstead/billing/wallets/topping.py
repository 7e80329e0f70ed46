"""Money into wallets and back: by payments of drivers. The edge opens the transaction; providers are asked after it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.holding import service as holding
from ohmstead.billing.holding.model import Hold, of_wallet
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import amount_of, exact_minor
from ohmstead.billing.payments import applying
from ohmstead.billing.payments import queries as payments_read
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import NewPayment, Payment
from ohmstead.billing.payments.ports import Providers
from ohmstead.billing.payments.queries import PaymentFilter
from ohmstead.billing.wallets import service, store
from ohmstead.billing.wallets.model import Row, WalletRefund
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.core.money import Money
from ohmstead.core.texts import checked

KINDS: Final = ("PaymentCaptured", "PaymentFailed", "PaymentReleased", "PaymentRefunded")

log = logger("ohmstead.wallets")


async def top_up(
    conn: Connection,
    actor: Actor,
    driver_id: UUID,
    amount: Money,
    providers: Providers,
    *,
    email: str | None = None,
    language: str | None = None,
    key: str | None = None,
) -> Payment:
    """Ask for money for a wallet; where the driver pays is told by payments' `checkout`. It is in when it is captured.

    The wallet is opened where there is none. Raises NotFound, Invalid for
    another currency or no amount, Refused where no provider is set up.
    """
    wallet = await service.open_wallet(conn, actor, driver_id)
    _check(amount, wallet.currency)
    return await payments.order(
        conn,
        actor.party_id,
        NewPayment(
            purpose="top_up",
            customer=f"driver:{driver_id}",
            amount=amount,
            email=email,
            language=language,
            key=f"top_up:{driver_id}:{key}" if key is not None else None,
        ),
        providers,
    )


async def top_up_from_card(
    conn: Connection, actor: Actor, driver_id: UUID, method_id: UUID, amount: Money, *, key: str
) -> Payment:
    """The same from a stored card of the driver's, without them. Raises NotFound, Invalid, Conflict for a removed card."""
    wallet = await service.open_wallet(conn, actor, driver_id)
    _check(amount, wallet.currency)
    cards = await payments_read.list_methods(conn, actor.party_id, driver_id)
    if all(one.method_id != method_id for one in cards):
        raise NotFound("the driver has no such stored card")
    return await payments.charge_off_session(
        conn, actor.party_id, method_id, "top_up", amount, f"top_up:{driver_id}:{key}", customer=f"driver:{driver_id}"
    )


async def top_up_if_low(conn: Connection, party_id: UUID, driver_id: UUID) -> Payment | None:
    """The automatic top-up, where it is due: one at a time, and none after one failed until it is set anew."""
    row = await service.hold(conn, party_id, driver_id)
    if row is None or row.auto_below is None or row.auto_amount is None or row.auto_method is None:
        return None
    if row.auto_payment is not None or row.auto_failed_at is not None:
        return None
    funds = await service.funds_of(conn, row)
    if funds.available >= max(1, exact_minor(row.auto_below, row.currency)):
        return None
    cards = await payments_read.list_methods(conn, party_id, driver_id)
    if all(one.method_id != row.auto_method for one in cards):
        await store.change(conn, party_id, driver_id, {"auto_failed_at": clock.now()})
        return None
    number = row.auto_number + 1
    payment = await payments.charge_off_session(
        conn,
        party_id,
        row.auto_method,
        "top_up",
        Money(row.auto_amount, row.currency),
        f"auto_top_up:{driver_id}:{number}",
        customer=f"driver:{driver_id}",
    )
    await store.change(conn, party_id, driver_id, {"auto_payment": payment.payment_id, "auto_number": number})
    return payment


async def refund_balance(
    conn: Connection, actor: Actor, driver_id: UUID, reason: str, amount: Decimal | None = None
) -> WalletRefund:
    """Give back what is in a wallet and free, or `amount` of it, to the payments that it came from, the newest first.

    What is on its way back is held until it is there. Raises NotFound, Invalid, Refused where nothing can be given back.
    """
    why = checked(reason, "reason", has_lines=True)
    if not why:
        raise Invalid("say why", field="reason")
    party_id = actor.party_id
    for payment in sorted(await _top_ups(conn, party_id, driver_id), key=lambda one: one.payment_id):
        # Before the books, as whatever captures and refunds does: two that hold both never wait for each other.
        await applying.locked(conn, party_id, payment.payment_id)
    await ledger.hold(conn, party_id)
    row = await service.hold(conn, party_id, driver_id)
    if row is None:
        raise NotFound(f"driver {driver_id} has no wallet")
    funds = await service.funds_of(conn, row)
    free = max(0, funds.balance - funds.held - funds.due)
    wanted = free if amount is None else exact_minor(amount, row.currency)
    if not 0 < wanted <= free:
        raise Refused("there is nothing, or not so much, to be given back", code="no_credit")
    left, ids = wanted, []
    for payment in await _top_ups(conn, party_id, driver_id):
        if payment.currency != row.currency:
            continue
        part = min(left, exact_minor(payment.kept, row.currency))
        if part <= 0:
            continue
        if await _give_back(conn, actor, row, payment, part, why):
            left -= part
            ids.append(payment.payment_id)
        if not left:
            break
    if left == wanted:
        raise Refused("no payment is left that it could go back to", code="no_payment")
    given = amount_of(wanted - left, row.currency)
    detail: dict[str, Any] = {"amount": format(given, "f"), "currency": row.currency, "reason": why}
    await accounts.audit(conn, actor, "wallet.refunded", f"driver/{driver_id}", detail)
    return WalletRefund(amount=given, currency=row.currency, payment_ids=ids, left=amount_of(left, row.currency))


async def _top_ups(conn: Connection, party_id: UUID, driver_id: UUID) -> list[Payment]:
    wanted = PaymentFilter(purpose="top_up", customer=f"driver:{driver_id}")
    found = await payments_read.list_payments(conn, party_id, wanted, limit=1000)
    return [one for one in found if one.state == "captured" and one.kept > 0]


async def _give_back(conn: Connection, actor: Actor, row: Row, payment: Payment, part: int, why: str) -> bool:
    """False where it cannot be: a refund of it is under way, or it is disputed."""
    try:
        async with conn.transaction():
            await payments.refund(
                conn, actor, row.party_id, payment.payment_id, Money.from_minor(part, row.currency), why
            )
            hold = Hold(
                hold_id=new_id(),
                party_id=row.party_id,
                account=of_wallet(row.driver_id),
                currency=row.currency,
                amount_minor=part,
                made_at=clock.now(),
                payment_id=payment.payment_id,
            )
            await holding.put(conn, row.party_id, hold)
    except (Conflict, Refused, Invalid) as error:
        log.info("top_up_not_refunded", payment_id=str(payment.payment_id), error=error.text)
        return False
    return True


async def notice_payments(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `KINDS`: what came in pays what is due, an automatic top-up is over, what went back is held no
    more.
    """
    for event in found:
        if event.party_id is None or event.payload.get("purpose") != "top_up":
            continue
        kind, _, driver = str(event.payload["customer"]).partition(":")
        if kind != "driver":
            continue
        await _follow(conn, event, event.party_id, UUID(driver), UUID(event.payload["payment_id"]))


async def _follow(conn: Connection, event: Event, party_id: UUID, driver_id: UUID, payment_id: UUID) -> None:
    await ledger.hold(conn, party_id)
    row = await service.hold(conn, party_id, driver_id)
    if row is None:
        return
    if event.kind == "PaymentRefunded":
        await holding.let_go_of_refunds(conn, party_id, [payment_id])
    if row.auto_payment == payment_id and event.kind in ("PaymentCaptured", "PaymentFailed", "PaymentReleased"):
        failed_at = clock.now() if event.kind != "PaymentCaptured" else None
        await store.change(conn, party_id, driver_id, {"auto_payment": None, "auto_failed_at": failed_at})
    if event.kind == "PaymentCaptured":
        payload = {
            "driver_id": str(driver_id),
            "payment_id": str(payment_id),
            "amount": event.payload["amount"],
            "currency": event.payload["currency"],
            "by_itself": row.auto_payment == payment_id,
        }
        await record(conn, [Event("WalletToppedUp", f"driver/{driver_id}", payload, party_id=party_id)])
        await service.pay_dues(conn, row)


def _check(amount: Money, currency: str) -> None:
    if amount.currency != currency:
        raise Invalid(f"the wallet is in {currency}", field="currency")
    if not exact_minor(amount.amount, currency) > 0 or amount.amount > service.MOST:
        raise Invalid("more than nothing, up to a million", field="amount")
