"""How do I pay? A driver's way of paying, wallet, stored cards, plans, and what is still owed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.parties import service as parties
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import NewPayingMethod
from ohmstead.billing.payments import queries as payments_read
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import NewPayment
from ohmstead.billing.payments.queries import DebtFilter
from ohmstead.billing.plans import queries as plans_read
from ohmstead.billing.plans import service as plans
from ohmstead.billing.wallets import queries as entries
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets import topping
from ohmstead.billing.wallets.model import AutoTopUp
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_secret
from ohmstead.core.language import N_, _, told
from ohmstead.core.money import Money
from ohmstead.driver import ways
from ohmstead.driver.finding import zone_of
from ohmstead.driver.frame import (
    BusIn,
    PageRequest,
    PoolIn,
    SettingsIn,
    address_of,
    attempts_of,
    drawn,
    driver_of,
    form_of,
    language_of,
    uuid_of,
)
from ohmstead.driver.paying import leads_to
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.reports.plugs import queries as plugs
from ohmstead.ui import prices
from ohmstead.ui.pricetags import money

# No month that was charged ahead is longer.
_MONTH = timedelta(days=31)
AMOUNTS = (Decimal(20), Decimal(50), Decimal(100))
# Kinds of entries in a wallet, in the driver's words.
ENTRIES = {
    "top_up": N_("Topped up"),
    "payment_captured": N_("Topped up"),
    "wallet_payment": N_("Paid"),
    "wallet_credit": N_("Given back"),
    "wallet_adjustment": N_("Adjusted"),
    "payment_refund": N_("Paid back to your card"),
}


@get("/me/money")
async def money_page(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """All of it on one page: what there is, what is owed, with what is paid."""
    return await _page(request, pool, driver_of(request))


async def _page(
    request: PageRequest,
    pool: PoolIn,
    who: SignedInDriver,
    *,
    status: int = 200,
    error: str = "",
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[Any]:
    now, done = clock.now(), str(request.query_params.get("done", ""))
    async with pool.acquire() as conn:
        wallet = await wallets.find_wallet(conn, who.party_id, who.driver_id)
        cards = await payments.list_methods(conn, who.party_id, who.driver_id)
        debts = await payments_read.list_debts(
            conn, who.party_id, DebtFilter(customer=f"driver:{who.driver_id}", is_open=True)
        )
        moved = await entries.list_entries(conn, who.party_id, who.driver_id, limit=20)
        running = await plans_read.list_subscriptions(conn, who.party_id, driver_id=who.driver_id, is_running=True)
        on = now.astimezone(zone_of(await plugs.zone_of_party(conn, who.party_id))).date()
        months = await plans_read.list_charges(conn, who.party_id, driver_id=who.driver_id, since=on - _MONTH)
        coupons = await plans_read.list_redeemed(conn, who.party_id, who.driver_id, now)
        offered = [
            one
            for one in await plans_read.list_plans(conn, who.party_id, on=on)
            if all(one.plan_id != mine.plan_id for mine in running)
        ]
        method = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
        setting = await payments.get_setting(conn, who.party_id)
        currency = wallet.currency if wallet is not None else (await parties.get_party(conn, who.party_id)).currency
    provider = ways.providers_of(request).find(setting.provider)
    return drawn(
        request,
        "money.html",
        status=status,
        error=error,
        notice=_NOTICES.get(done, ""),
        tone="attention" if done in _NOTHING_DONE else "ok",
        wallet=wallet,
        cards=cards,
        debts=debts,
        entries=moved,
        entry_words=ENTRIES,
        plans=running,
        included={one.subscription_id: one for one in months if one.from_on <= on < one.until_on and one.included_kwh},
        offered=offered,
        coupons=coupons,
        given={"code": "", **(given or {})},
        errors=errors or {},
        method=method,
        method_words=ways.METHODS,
        amounts=AMOUNTS,
        currency=currency,
        can_pay=provider is not None,
        can_store=provider is not None and provider.capabilities.can_store,
        is_test=provider is not None and provider.capabilities.is_test,
        money=money,
        plain=prices.plain,
    )


_NOTICES = {
    "topped": N_("Thank you. As soon as the payment is confirmed, it is in your wallet."),
    "settled": N_("Thank you. It is paid."),
    "open": N_("No payment is confirmed yet. As soon as one is, you see it here."),
    "unpaid": N_("Nothing was paid."),
    "stored": N_("Your card is stored."),
    "not_stored": N_("The card was not stored."),
    "removed": N_("The card is removed."),
    "chosen": N_("That is how you pay from now on."),
    "back": N_("The money is on its way back to where it came from."),
    "plan": N_("The plan is yours from now on."),
    "plan_ends": N_("The plan ends with what is paid for."),
    "coupon": N_("The coupon is yours: your prices have it in them."),
    "auto": N_("Saved."),
}

_NOTHING_DONE = ("open", "unpaid", "not_stored")


def _done(what: str) -> Redirect:
    return Redirect(f"/drive/me/money?done={what}", status_code=303)


def _amount(text: str, currency: str) -> Money:
    """What was typed. Raises Invalid."""
    try:
        return Money(Decimal(text.replace(",", ".").strip()[:20]), currency)
    except (InvalidOperation, ValueError):
        raise Invalid("is to be an amount", field="amount") from None


@post("/me/money/top-up", status_code=200)
async def top_up(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """Ask for money for the wallet, and off to where it is paid."""
    who, given = driver_of(request), await form_of(request)
    providers = ways.providers_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            wallet = await wallets.open_wallet(conn, who.actor, who.driver_id)
            amount = _amount(given.get("amount", ""), wallet.currency)
            asked = await topping.top_up(
                conn,
                who.actor,
                who.driver_id,
                amount,
                providers,
                email=who.email,
                language=language_of(request),
                key=new_secret(16),
            )
        found = await payments.checkout(
            pool,
            providers,
            who.party_id,
            asked.payment_id,
            f"{settings.console_url}/drive/me/money/back/{{payment_id}}",
        )
    except (Invalid, Refused, Conflict, ExternalFailure) as error:
        return await _page(request, pool, who, status=422, error=told(error))
    return leads_to(request, settings, found.url)


@get("/me/money/back/{payment:str}")
async def paid(request: PageRequest, pool: PoolIn, payment: FromPath[str]) -> Response[Any]:
    """Back from the provider: what became of it is asked for."""
    who, known = driver_of(request), uuid_of(payment, "payment")
    async with pool.acquire() as conn:
        found = await payments_read.get_payment(conn, who.party_id, known)
    if found.customer != f"driver:{who.driver_id}":
        raise NotFound(_("There is no such payment."))
    now = await payments.refresh(pool, ways.providers_of(request), who.party_id, known)
    if now.state == "captured":
        return _done("settled" if now.purpose == "debt" else "topped")
    return _done("open" if now.state in ("created", "authorizing", "capturing") else "unpaid")


@post("/me/money/debts/{debt:str}", status_code=200)
async def settle(request: PageRequest, pool: PoolIn, settings: SettingsIn, debt: FromPath[str]) -> Response[Any]:
    """Pay what is owed; then charging goes on."""
    who, debt_id = driver_of(request), uuid_of(debt, "debt")
    providers = ways.providers_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            owed = await payments_read.get_debt(conn, who.party_id, debt_id)
            if owed.customer != f"driver:{who.driver_id}":
                raise NotFound(_("There is no such debt."))
            asked = await payments.order(
                conn,
                who.party_id,
                NewPayment(
                    purpose="debt",
                    customer=owed.customer,
                    amount=Money(owed.amount, owed.currency),
                    description=_("What was still to be paid"),
                    email=who.email,
                    language=language_of(request),
                    session_id=owed.session_id,
                    debt_id=debt_id,
                ),
                providers,
            )
        found = await payments.checkout(
            pool,
            providers,
            who.party_id,
            asked.payment_id,
            f"{settings.console_url}/drive/me/money/back/{{payment_id}}",
        )
    except (Invalid, Refused, Conflict, ExternalFailure) as error:
        return await _page(request, pool, who, status=409, error=told(error))
    return leads_to(request, settings, found.url)


@post("/me/money/refund", status_code=200)
async def refund(request: PageRequest, pool: PoolIn, bus: BusIn) -> Response[Any]:
    """What is free in the wallet goes back to where it came from."""
    who = driver_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await topping.refund_balance(conn, who.actor, who.driver_id, "asked for by the driver")
    except (Invalid, Refused, NotFound) as error:
        return await _page(request, pool, who, status=409, error=told(error))
    await bus.publish(NUDGE, {})
    return _done("back")


@post("/me/money/auto", status_code=200)
async def auto_top_up(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """Top up by itself, or no more."""
    who, given = driver_of(request), await form_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            wallet = await wallets.open_wallet(conn, who.actor, who.driver_id)
            wanted = None
            if given.get("on") == "1":
                cards = await payments.list_methods(conn, who.party_id, who.driver_id)
                card = next((one for one in cards if str(one.method_id) == given.get("card")), None)
                if card is None:
                    raise Invalid("store a card first", field="card")
                wanted = AutoTopUp(
                    below=_amount(given.get("below", ""), wallet.currency).amount,
                    amount=_amount(given.get("amount", ""), wallet.currency).amount,
                    method_id=card.method_id,
                )
            await wallets.set_auto_top_up(conn, who.actor, who.driver_id, wanted)
    except (Invalid, Refused, NotFound, Conflict) as error:
        return await _page(request, pool, who, status=422, error=told(error))
    return _done("auto")


# ------------------------------------------------------------------------------------------------------ stored cards


@post("/me/money/cards", status_code=200)
async def store_card(request: PageRequest, pool: PoolIn, settings: SettingsIn) -> Response[Any]:
    """Off to where the provider stores a card; its number is never ours."""
    who = driver_of(request)
    address = f"{settings.console_url}/drive/me/money/stored/{{setup_id}}"
    try:
        made = await payments.store_method(
            pool, ways.providers_of(request), who.party_id, who.driver_id, address, email=who.email
        )
    except (Refused, ExternalFailure) as error:
        return await _page(request, pool, who, status=409, error=told(error))
    return leads_to(request, settings, made.url or "/drive/me/money")


@get("/me/money/stored/{setup:str}")
async def card_stored(request: PageRequest, pool: PoolIn, setup: FromPath[str]) -> Response[Any]:
    """Back from there. The first card that is stored is how one pays from then on."""
    who, setup_id = driver_of(request), uuid_of(setup, "setup")
    async with pool.acquire() as conn:
        known = await payments_read.get_setup(conn, who.party_id, setup_id)
    if known.driver_id != who.driver_id:
        raise NotFound(_("There is no such card."))
    done = await payments.refresh_setup(pool, ways.providers_of(request), who.party_id, setup_id)
    if done.state != "done" or done.method_id is None:
        return _done("not_stored")
    async with pool.acquire() as conn, conn.transaction():
        cards = await payments.list_methods(conn, who.party_id, who.driver_id)
        method = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
        if len(cards) == 1 and method.kind in ("wallet", "invoice") and not await _has_money(conn, who):
            await _pay_by_card(conn, who, done.method_id)
    return _done("stored")


async def _has_money(conn: Connection, who: SignedInDriver) -> bool:
    wallet = await wallets.find_wallet(conn, who.party_id, who.driver_id)
    return wallet is not None and wallet.balance > 0


async def _pay_by_card(conn: Connection, who: SignedInDriver, method_id: UUID) -> None:
    given = NewPayingMethod(kind="card", method_id=method_id)
    await paying.set_method(conn, who.actor, given, driver_id=who.driver_id)


@post("/me/money/method", status_code=200)
async def choose(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """With what to pay from now on: the wallet, or a stored card. What others pay, they decide."""
    who, given = driver_of(request), await form_of(request)
    wanted = given.get("method", "")
    try:
        async with pool.acquire() as conn, conn.transaction():
            before = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
            if before.source == "company":
                raise Refused("your company pays: it decides")
            if wanted == "wallet":
                await paying.set_method(conn, who.actor, NewPayingMethod(kind="wallet"), driver_id=who.driver_id)
            else:
                card = uuid_of(wanted, "card")
                await payments.set_default_method(conn, who.party_id, who.driver_id, card)
                await _pay_by_card(conn, who, card)
    except (Invalid, Refused, NotFound) as error:
        return await _page(request, pool, who, status=422, error=told(error))
    return _done("chosen")


@post("/me/money/cards/{card:str}/remove", status_code=200)
async def remove_card(request: PageRequest, pool: PoolIn, card: FromPath[str]) -> Response[Any]:
    """Not to be used any more. Whoever paid with it pays from the wallet then."""
    who, method_id = driver_of(request), uuid_of(card, "card")
    async with pool.acquire() as conn, conn.transaction():
        method = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
        if method.kind == "card" and method.ref == str(method_id):
            await paying.set_method(conn, who.actor, NewPayingMethod(kind="wallet"), driver_id=who.driver_id)
    await payments.forget_method(pool, ways.providers_of(request), who.party_id, who.driver_id, method_id)
    return _done("removed")


# --------------------------------------------------------------------------------------------------------------- plans


@post("/me/money/plans/{plan:str}", status_code=200)
async def subscribe(request: PageRequest, pool: PoolIn, bus: BusIn, plan: FromPath[str]) -> Response[Any]:
    """Have a plan from now on."""
    who = driver_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await plans.subscribe(conn, who.actor, who.driver_id, uuid_of(plan, "plan"))
    except (Invalid, Refused, Conflict) as error:
        return await _page(request, pool, who, status=409, error=told(error))
    await bus.publish(NUDGE, {})
    return _done("plan")


@post("/me/money/subscriptions/{subscription:str}/cancel", status_code=200)
async def cancel(request: PageRequest, pool: PoolIn, subscription: FromPath[str]) -> Response[Any]:
    """It ends when what was paid for is over."""
    who, known = driver_of(request), uuid_of(subscription, "plan")
    try:
        async with pool.acquire() as conn, conn.transaction():
            found = await plans_read.get_subscription(conn, who.party_id, known)
            if found.driver_id != who.driver_id:
                raise NotFound(_("There is no such plan."))
            await plans.cancel(conn, who.actor, known)
    except Conflict as error:
        return await _page(request, pool, who, status=409, error=told(error))
    return _done("plan_ends")


@post("/me/money/coupons", status_code=200)
async def redeem(request: PageRequest, pool: PoolIn, bus: BusIn) -> Response[Any]:
    """A code for other prices. Wrong ones are counted by address: nobody tries one after the other."""
    who, given = driver_of(request), await form_of(request)
    code, status, said = given.get("code", "")[:40], 422, ""
    try:
        attempts_of(request).check(address_of(request))
        async with pool.acquire() as conn, conn.transaction():
            await plans.redeem(conn, who.actor, who.driver_id, code)
    except (NotFound, TooManyAttempts) as error:
        attempts_of(request).failed(address_of(request))
        said = _("There is no such coupon, or it is over.") if isinstance(error, NotFound) else told(error)
        status = 422 if isinstance(error, NotFound) else 429
    except Conflict:
        said = _("You have this coupon already.")
    except Refused as error:
        said = told(error)
    if said:
        return await _page(request, pool, who, status=status, given={"code": code}, errors={"code": said})
    await bus.publish(NUDGE, {})
    return _done("coupon")


HANDLERS: Sequence[Any] = [
    money_page,
    top_up,
    paid,
    settle,
    refund,
    auto_top_up,
    store_card,
    card_stored,
    choose,
    remove_card,
    subscribe,
    cancel,
    redeem,
]
