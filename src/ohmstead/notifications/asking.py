"""Drivers are asked to pay: they are written to, with the address where they can. The edge opens the transaction."""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.payments import queries as payments_read
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import NewPayment, Payment
from ohmstead.billing.payments.ports import Providers
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets import topping
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Refused
from ohmstead.core.language import N_
from ohmstead.core.money import Money
from ohmstead.drivers import queries as drivers
from ohmstead.notifications import service
from ohmstead.notifications.model import Recipient

# A debt is asked for anew when nobody paid within a day; more often than so it is not.
_MOST_ASKED: Final = 100
_STILL_TO_PAY: Final = ("created", "authorizing")


async def ask_for_top_up(
    conn: Connection, actor: Actor, driver_id: UUID, amount: Decimal, providers: Providers, *, key: str
) -> Payment:
    """Ask a driver to fill their wallet with so much of its currency. The same key again asks for nothing more.

    Raises NotFound, Invalid for no amount, Refused where no provider is set up.
    """
    wallet = await wallets.get_wallet(conn, actor.party_id, driver_id)
    driver = await drivers.get_driver(conn, actor.party_id, driver_id)
    payment = await topping.top_up(
        conn,
        actor,
        driver_id,
        Money(amount, wallet.currency),
        providers,
        email=driver.email,
        language=driver.language,
        key=f"asked:{key}",
    )
    await _write_to(conn, actor, driver_id, payment, N_("for your wallet"))
    return payment


async def ask_for_debt(conn: Connection, actor: Actor, debt_id: UUID, providers: Providers) -> Payment:
    """Ask a driver to pay a debt; while one asks for it already, that is the answer.

    Raises NotFound, Refused for a debt that is no driver's and where no provider is set up, Conflict when it is settled.
    """
    debt = await payments_read.get_debt(conn, actor.party_id, debt_id)
    driver_id = driver_of(debt.customer)
    if driver_id is None:
        raise Refused("only drivers can be asked: nobody else is known by an address")
    driver = await drivers.get_driver(conn, actor.party_id, driver_id)
    for n in range(_MOST_ASKED):
        given = NewPayment(
            purpose="debt",
            customer=debt.customer,
            amount=Money(debt.amount, debt.currency),
            email=driver.email,
            language=driver.language,
            session_id=debt.session_id,
            debt_id=debt.debt_id,
            key=f"asked:{debt.debt_id}:{n}",
        )
        payment = await payments.order(conn, actor.party_id, given, providers)
        if payment.state in _STILL_TO_PAY:
            await _write_to(conn, actor, driver_id, payment, N_("what was still to be paid"))
            return payment
    raise Conflict("it was asked for too often")


def driver_of(customer: str) -> UUID | None:
    """The driver whom a customer is; None: somebody else."""
    kind, _, ident = customer.partition(":")
    return UUID(ident) if kind == "driver" else None


async def _write_to(conn: Connection, actor: Actor, driver_id: UUID, payment: Payment, why: str) -> None:
    """Told once for each payment; a driver without an address is told nothing, which the log of messages says."""
    asked = {"amount": payment.amount, "currency": payment.currency}
    made = await service.queue(
        conn,
        actor.party_id,
        kind="payment_asked",
        to=Recipient(driver_id=driver_id),
        data={"amount": asked, "reason": why, "link": f"due:{payment.payment_id}"},
        key=str(payment.payment_id),
    )
    if made:
        detail: dict[str, object] = {"amount": format(payment.amount, "f"), "currency": payment.currency}
        await accounts.audit(conn, actor, "payment.asked", f"payment/{payment.payment_id}", detail)
