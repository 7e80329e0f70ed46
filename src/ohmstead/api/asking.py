"""Drivers asked to pay, and the cards that they stored: /wallet/top-up-requests, /payment-debts/<id>/ask, /stored-cards."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation
from msgspec import Meta, Struct

from ohmstead.api.operations import TheActor, TheBus, ThePool, TheSettings, answer, operation
from ohmstead.billing.paying import cards
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import Payment, StoredMethod
from ohmstead.billing.payments.ports import Providers
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_secret
from ohmstead.drivers import queries as drivers
from ohmstead.notifications import asking
from ohmstead.notifications.addressing import address_of
from ohmstead.settings import Settings


class TopUpRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much is asked for."""

    amount: Annotated[Decimal, Meta(description="In the wallet's currency, more than nothing.")]


class AskedPayment(Struct, frozen=True, kw_only=True):
    """What a driver was asked for, and where they pay it."""

    payment: Payment
    link: Annotated[str, Meta(description="Whoever has it can pay: it is in the message to the driver, too.")]


class StoredCards(Struct, frozen=True, kw_only=True):
    """A driver's, the one that is used first."""

    items: list[StoredMethod]


def _asked(settings: Settings, payment: Payment) -> Response[AskedPayment]:
    link = address_of(settings.secret(), settings.console_url, f"due:{payment.payment_id}")
    where = {"Location": f"/api/v1/payments/{payment.payment_id}"}
    return answer(AskedPayment(payment=payment, link=link), status=201, headers=where)


@post(
    "/drivers/{driver_id:uuid}/wallet/top-up-requests",
    status_code=201,
    opt=operation("billing:write", errors=(404, 409)),
)
async def ask_for_top_up(
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    settings: TheSettings,
    providers: NamedDependency[SkipValidation[Providers]],
    driver_id: FromPath[UUID],
    given: NamedDependency[TopUpRequest],
) -> Response[AskedPayment]:
    """Ask a driver to fill their wallet: they are written to, with the address where they pay."""
    async with pool.acquire() as conn, conn.transaction():
        payment = await asking.ask_for_top_up(conn, actor, driver_id, given.amount, providers, key=new_secret(16))
    await bus.publish(NUDGE, {})
    return _asked(settings, payment)


@post("/payment-debts/{debt_id:uuid}/ask", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def ask_for_debt(
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    settings: TheSettings,
    providers: NamedDependency[SkipValidation[Providers]],
    debt_id: FromPath[UUID],
) -> Response[AskedPayment]:
    """Ask a driver to pay a debt. While one asks for it already, that payment is answered, and nobody is written to again."""
    async with pool.acquire() as conn, conn.transaction():
        payment = await asking.ask_for_debt(conn, actor, debt_id, providers)
    await bus.publish(NUDGE, {})
    return _asked(settings, payment)


@get("/drivers/{driver_id:uuid}/stored-cards", opt=operation("drivers:read", errors=(404,)))
async def list_stored_cards(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[StoredCards]:
    """List the cards and accounts that a driver lets us use again. The provider keeps them; nobody here sees a number."""
    async with pool.acquire() as conn:
        await drivers.get_driver(conn, actor.party_id, driver_id)
        return answer(StoredCards(items=await payments.list_methods(conn, actor.party_id, driver_id)))


@delete(
    "/drivers/{driver_id:uuid}/stored-cards/{method_id:uuid}",
    status_code=204,
    opt=operation("drivers:write", errors=(404,)) | {"needs_proof": True},
)
async def forget_stored_card(
    pool: ThePool,
    actor: TheActor,
    providers: NamedDependency[SkipValidation[Providers]],
    driver_id: FromPath[UUID],
    method_id: FromPath[UUID],
) -> None:
    """Use a stored card no more; the provider forgets it, too. A driver who paid with it pays as the rules say."""
    await cards.forget(pool, providers, actor, driver_id, method_id)


HANDLERS = [ask_for_top_up, ask_for_debt, list_stored_cards, forget_stored_card]
