"""With what does a driver pay, and what have they? Paying method, wallet, plans, coupons, cards and debts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.companies import queries as companies
from ohmstead.billing.companies.queries import CompanyFilter
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import NewPayingMethod
from ohmstead.billing.payments import queries as payments
from ohmstead.billing.payments import service as payments_service
from ohmstead.billing.payments.model import Payment
from ohmstead.billing.payments.ports import Providers
from ohmstead.billing.payments.queries import DebtFilter, PaymentFilter
from ohmstead.billing.plans import queries as plans
from ohmstead.billing.plans import service as subscribing
from ohmstead.billing.wallets import queries as entries
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets import topping
from ohmstead.billing.wallets.model import Wallet, WalletChange
from ohmstead.console.forms import Form, decimal_in, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import owed_by
from ohmstead.console.money_words import ENTRY_KINDS, failure_text, who
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_secret
from ohmstead.core.language import N_
from ohmstead.drivers import queries as drivers
from ohmstead.notifications.addressing import address_of
from ohmstead.reports.money import queries as books
from ohmstead.settings import Settings
from ohmstead.ui import prices
from ohmstead.ui.templating import page

SHOWN: Final = 50
METHODS: Final = {
    "wallet": N_("from their wallet"),
    "card": N_("with a stored card"),
    "company": N_("on a company’s account"),
    "invoice": N_("on account, by monthly invoice"),
    "partner": N_("on a partner’s account"),
    "free": N_("nothing: it is free"),
    "ad_hoc": N_("on the spot"),
    "terminal": N_("at a terminal"),
    "refused": N_("in no way: nothing begins"),
}
SOURCES: Final = {
    "token": N_("because its token says so"),
    "driver": N_("because it was set for them"),
    "company": N_("because a company pays for them"),
    "contract": N_("because of the contract"),
    "payment": N_("because of a payment"),
    "terminal": N_("because of a terminal"),
    "policy": N_("because nothing else was set"),
}
CHOICES: Final = ("wallet", "card", "company", "invoice", "free")
FIELDS: Final = (
    *("amount", "reason", "code", "kind", "method_id", "company_id"),
    *("credit_limit", "auto_below", "auto_amount", "auto_method", "ask_amount"),
)
Deed = Callable[[Connection, Actor, UUID, Form], Awaitable[None]]


@get("/drivers/{driver_id:str}/money")
async def driver_money(request: PageRequest, pool: PoolIn, actor: ActorIn, driver_id: FromPath[str]) -> Response[str]:
    """Everything about one driver's money."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:read")
        allow(actor, "billing:read")
        return await shown(request, conn, actor, uuid_of(driver_id, "driver"), {}, {})


async def shown(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    driver_id: UUID,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    error: str = "",
) -> Response[str]:
    driver = await drivers.get_driver(conn, actor.party_id, driver_id)
    wallet = await wallets.find_wallet(conn, actor.party_id, driver_id)
    moved = await entries.list_entries(conn, actor.party_id, driver_id, limit=SHOWN) if wallet else []
    people = await books.names_of_actors(conn, actor.party_id, [one.by for one in moved])
    held = await plans.list_subscriptions(conn, actor.party_id, driver_id=driver_id, limit=SHOWN)
    debts = []
    if may(actor, "payments:read"):
        wanted = DebtFilter(customer=f"driver:{driver_id}", is_open=True)
        debts = await payments.list_debts(conn, actor.party_id, wanted, limit=SHOWN)
    setting = await payments_service.get_setting(conn, actor.party_id)
    return page(
        request,
        "money/driver.html",
        status=422 if errors else 409 if error else 200,
        driver=driver,
        method=await paying.method_of(conn, actor.party_id, driver_id=driver_id),
        methods=METHODS,
        sources=SOURCES,
        choices=CHOICES,
        companies=await companies.list_companies(conn, actor.party_id, CompanyFilter(status="active"), limit=500),
        wallet=wallet,
        moved=moved,
        cards=await payments.list_methods(conn, actor.party_id, driver_id),
        held=held,
        offered=[
            plan
            for plan in await plans.list_plans(conn, actor.party_id, on=clock.now().date(), limit=200)
            if plan.plan_id not in {one.plan_id for one in held if one.ended_at is None}
        ],
        coupons=await plans.list_redeemed(conn, actor.party_id, driver_id, clock.now()),
        debts=debts,
        asked=await _asked(request, conn, actor, driver_id),
        can_ask=providers_of(request).find(setting.provider) is not None,
        once=new_secret(16),
        owed=await owed_by(conn, actor, f"driver:{driver_id}"),
        entry_kinds=ENTRY_KINDS,
        failure_text=failure_text,
        who=lambda code: who(code, people),
        may_change=may(actor, "drivers:write") and driver.status != "erased",
        may_bill=may(actor, "billing:write") and driver.status != "erased",
        given={**dict.fromkeys(FIELDS, ""), **_settings_of(wallet), **given},
        errors=errors,
        error=error,
        prices=prices,
    )


class Asked(Struct, frozen=True, kw_only=True):
    """What a driver was asked for and has not paid, and where it is paid."""

    payment: Payment
    link: str


def providers_of(request: PageRequest) -> Providers:
    """Who takes payments here; perhaps nobody."""
    found: Providers = request.app.state.payment_providers
    return found


async def _asked(request: PageRequest, conn: Connection, actor: Actor, driver_id: UUID) -> list[Asked]:
    if not may(actor, "payments:read"):
        return []
    settings: Settings = request.app.state.settings
    found: list[Payment] = []
    for state in ("created", "authorizing"):
        wanted = PaymentFilter(customer=f"driver:{driver_id}", state=state)
        found += await payments.list_payments(conn, actor.party_id, wanted, limit=SHOWN)
    return [
        Asked(payment=one, link=address_of(settings.secret(), settings.console_url, f"due:{one.payment_id}"))
        for one in found
        if one.purpose in ("top_up", "debt") and one.method_id is None
    ]


def _settings_of(wallet: Wallet | None) -> dict[str, str]:
    """What is set of a wallet, as its form has it."""
    if wallet is None:
        return {}
    auto = wallet.auto_top_up
    return {
        "credit_limit": f"{wallet.credit_limit.normalize():f}",
        "auto_below": f"{auto.below:f}" if auto else "",
        "auto_amount": f"{auto.amount:f}" if auto else "",
        "auto_method": str(auto.method_id) if auto else "",
    }


async def done(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    actor: Actor,
    driver_id: str,
    action: str,
    deed: Deed,
    place: str,
) -> Response[Any]:
    """Do something, or say on the page why it cannot be done; nothing typed is lost."""
    allow(actor, action)
    given, known = await form_of(request), uuid_of(driver_id, "driver")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "drivers:read")
        allow(actor, "billing:read")
        await drivers.get_driver(conn, actor.party_id, known)
        try:
            async with conn.transaction():
                await deed(conn, actor, known, given)
        except (msgspec.ValidationError, Invalid) as fault:
            told = faults_of(fault, FIELDS)
            return await shown(request, conn, actor, known, given.fields, told)
        except (Conflict, Refused, NotFound) as fault:
            return await shown(request, conn, actor, known, given.fields, {}, error=fault.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/drivers/{known}/money#{place}", status_code=303)


@post("/drivers/{driver_id:str}/money/method", status_code=200)
async def set_method(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """With what they pay from now on; `rule`: as the rules say."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        kind = given.fields.get("kind", "")
        if kind == "rule":
            await paying.unset_method(conn, actor, driver_id=known)
            return
        raw: dict[str, Any] = {"kind": kind}
        for name, of in (("method_id", "card"), ("company_id", "company")):
            if kind == of:
                raw[name] = given.fields.get(name) or None
        await paying.set_method(conn, actor, msgspec.convert(raw, NewPayingMethod, strict=False), driver_id=known)

    return await done(request, pool, bus, actor, driver_id, "drivers:write", deed, "method")


@post("/drivers/{driver_id:str}/money/wallet", status_code=200)
async def open_wallet(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Open a wallet for them."""

    async def deed(conn: Connection, actor: Actor, known: UUID, _given: Form) -> None:
        await wallets.open_wallet(conn, actor, known)

    return await done(request, pool, bus, actor, driver_id, "drivers:write", deed, "wallet")


@post("/drivers/{driver_id:str}/money/adjust", status_code=200, opt={"needs_proof": True})
async def adjust_wallet(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Give goodwill, or take some back, with a reason."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        wallet = await wallets.get_wallet(conn, actor.party_id, known)
        amount = decimal_in(given, "amount")
        if amount is None:
            raise Invalid("say how much", "amount")
        if not given.fields.get("reason"):
            raise Invalid("say why", "reason")
        change = WalletChange(amount=amount, currency=wallet.currency, reason=given.fields["reason"])
        await wallets.adjust(conn, actor, known, change)

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "wallet")


@post("/drivers/{driver_id:str}/money/refund", status_code=200, opt={"needs_proof": True})
async def refund_wallet(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Give back what is in the wallet and free, to the payments that it came from."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        if not given.fields.get("reason"):
            raise Invalid("say why", "reason")
        await topping.refund_balance(conn, actor, known, given.fields["reason"], decimal_in(given, "amount"))

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "wallet")


@post("/drivers/{driver_id:str}/money/subscribe", status_code=200)
async def subscribe(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """They have a plan from now on; what is left of this month is charged at once."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        await subscribing.subscribe(conn, actor, known, uuid_of(given.fields.get("plan_id", ""), "plan"))

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "plans")


@post(
    [f"/drivers/{{driver_id:str}}/money/subscriptions/{{subscription_id:str}}/{deed}" for deed in ("cancel", "keep")],
    status_code=200,
)
async def change_subscription(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    actor: ActorIn,
    driver_id: FromPath[str],
    subscription_id: FromPath[str],
) -> Response[Any]:
    """It ends with what was charged; or it goes on after all."""
    is_cancelled = str(request.scope["path"]).endswith("/cancel")

    async def deed(conn: Connection, actor: Actor, known: UUID, _given: Form) -> None:
        found = await plans.get_subscription(conn, actor.party_id, uuid_of(subscription_id, "subscription"))
        if found.driver_id != known:
            raise NotFound(f"no subscription {subscription_id}")
        await (subscribing.cancel if is_cancelled else subscribing.keep)(conn, actor, found.subscription_id)

    return await done(request, pool, bus, actor, driver_id, "billing:write", deed, "plans")


@post("/drivers/{driver_id:str}/money/coupons", status_code=200)
async def redeem(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, driver_id: FromPath[str]
) -> Response[Any]:
    """Redeem a coupon for them."""

    async def deed(conn: Connection, actor: Actor, known: UUID, given: Form) -> None:
        if not given.fields.get("code"):
            raise Invalid("say which code", "code")
        await subscribing.redeem(conn, actor, known, given.fields["code"][:40])

    return await done(request, pool, bus, actor, driver_id, "drivers:write", deed, "coupons")


HANDLERS: Sequence[Any] = [
    driver_money,
    set_method,
    open_wallet,
    adjust_wallet,
    refund_wallet,
    subscribe,
    change_subscription,
    redeem,
]
