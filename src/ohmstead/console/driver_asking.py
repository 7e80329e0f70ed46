"""What operators decide about a driver's wallet and cards, and what they ask a driver for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.billing.paying import cards
from ohmstead.billing.payments import queries as payments
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets.model import AutoTopUp
from ohmstead.console.driver_money import done, providers_of
from ohmstead.console.forms import Form, decimal_in
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.drivers import queries as drivers
from ohmstead.notifications import asking

_PROVED: Final[dict[str, Any]] = {"needs_proof": True}


@post("/drivers/{driver_id:str}/money/credit-limit", status_code=200, opt=_PROVED)
async def set_credit_limit(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """How far below nothing the wallet may go."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        limit = decimal_in(given, "credit_limit")
        if limit is None:
            raise Invalid("say how much", "credit_limit")
        try:
            await wallets.set_credit_limit(conn, actor, known, limit, given.version)
        except Invalid as fault:
            raise Invalid(fault.text, "credit_limit") from None

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "wallet")


@post("/drivers/{driver_id:str}/money/auto-top-up", status_code=200)
async def set_auto_top_up(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Fill the wallet by itself from a stored card, or no more."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        wanted = None
        if given.fields.get("do") != "stop":
            below, amount = decimal_in(given, "auto_below"), decimal_in(given, "auto_amount")
            if below is None or amount is None:
                raise Invalid("say how much", "auto_below" if below is None else "auto_amount")
            stored = await payments.list_methods(conn, actor.party_id, known)
            card = next((one for one in stored if str(one.method_id) == given.fields.get("auto_method")), None)
            if card is None:
                raise Invalid("say which card", "auto_method")
            wanted = AutoTopUp(below=below, amount=amount, method_id=card.method_id)
        try:
            await wallets.set_auto_top_up(conn, actor, known, wanted, given.version)
        except Invalid as fault:
            raise Invalid(fault.text, f"auto_{fault.field}") from None

    return await done(request, pool, bus, actor, driver_id, "drivers:write", deed, "wallet")


@post("/drivers/{driver_id:str}/money/ask", status_code=200)
async def ask_top_up(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Ask the driver to fill the wallet: they are written to, and the address where it is paid can be handed on."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        amount = decimal_in(given, "ask_amount")
        if amount is None:
            raise Invalid("say how much", "ask_amount")
        key = given.fields.get("once", "")[:80]
        try:
            await asking.ask_for_top_up(conn, actor, known, amount, providers_of(request), key=key)
        except Invalid as fault:
            raise Invalid(fault.text, "ask_amount") from None

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "asked")


@post("/drivers/{driver_id:str}/money/debts/{debt_id:str}/ask", status_code=200)
async def ask_for_debt(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str], debt_id: FromPath[str]
) -> Response[Any]:
    """Ask the driver to pay a debt; while one asks for it, the same address is used again."""

    async def deed(conn: Connection, actor: Actor, known: UUID, _given: Form) -> None:
        debt = await payments.get_debt(conn, actor.party_id, uuid_of(debt_id, "debt"))
        if debt.customer != f"driver:{known}":
            raise NotFound(f"no debt {debt_id}")
        await asking.ask_for_debt(conn, actor, debt.debt_id, providers_of(request))

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "asked")


@post("/drivers/{driver_id:str}/money/cards/{method_id:str}/forget", status_code=200, opt=_PROVED)
async def forget_card(
    request: PageRequest, pool: PoolIn, actor: ActorIn, driver_id: FromPath[str], method_id: FromPath[str]
) -> Redirect:
    """A stored card is used no more; the provider forgets it, too."""
    allow(actor, "drivers:write")
    known, card = uuid_of(driver_id, "driver"), uuid_of(method_id, "stored card")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:read")
        await drivers.get_driver(conn, actor.party_id, known)
    await cards.forget(pool, providers_of(request), actor, known, card)
    return Redirect(f"/drivers/{known}/money#method", status_code=303)


HANDLERS: Sequence[Any] = [set_credit_limit, set_auto_top_up, ask_top_up, ask_for_debt, forget_card]
