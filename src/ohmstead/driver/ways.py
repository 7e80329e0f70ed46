"""How may one pay at a plug? What is offered to whoever looks, and what their prices depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import PayingMethod
from ohmstead.billing.payments import adhoc
from ohmstead.billing.payments.ports import PaymentProvider, Providers
from ohmstead.billing.plans import queries as plans
from ohmstead.billing.wallets import service as wallets
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.core.language import N_, _
from ohmstead.driver import story
from ohmstead.driver.frame import PageRequest
from ohmstead.driver.pricing import PlugPrice, PricedFor
from ohmstead.drivers import queries as drivers
from ohmstead.drivers.passes import Pass
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.reports.plugs.model import PlugPage
from ohmstead.tariffs.pricing import Payer
from ohmstead.ui.prices import PAYABLE_BY
from ohmstead.ui.pricetags import money


class Way(Struct, frozen=True, kw_only=True):
    """A way of paying. `kind`: account pays as the driver is set up, guest by card, free not at all."""

    kind: Literal["account", "guest", "free"]
    value: str
    name: str
    about: str
    icon: str
    button: str
    promise: str
    detail: str = ""


class Offer(Struct, frozen=True, kw_only=True):
    """The ways there are, and what keeps a signed-in driver from paying their own way."""

    ways: list[Way]
    hint: str = ""
    hint_path: str = ""


# With what drivers pay, in their words.
METHODS = {
    "wallet": (N_("My wallet"), "wallet"),
    "card": (N_("My card"), "card"),
    "company": (N_("My company"), "person"),
    "invoice": (N_("On account"), "receipt"),
    "partner": (N_("My contract"), "receipt"),
    "free": (N_("Free for you"), "ok"),
}


def providers_of(request: PageRequest) -> Providers:
    """Who takes payments here; perhaps nobody."""
    found: Providers = request.app.state.payment_providers
    return found


async def payer_of(conn: Connection, who: SignedInDriver | None) -> PricedFor | None:
    """A signed-in driver's group, plans and coupons; None for anybody else."""
    if who is None:
        return None
    driver = await drivers.get_driver(conn, who.party_id, who.driver_id)
    group = driver.group_uid
    ((labels, codes),) = await plans.list_terms(conn, who.party_id, [(who.driver_id, clock.now())])
    coupons = await plans.labels_of(conn, who.party_id, codes) if codes else {}
    payer = Payer(groups=[group] if group else [], plans=labels, coupons=list(coupons.values()))
    return PricedFor(payer=payer, group_uid=group)


async def offered(
    conn: Connection, request: PageRequest, plug: PlugPage, price: PlugPrice, who: SignedInDriver | None
) -> Offer:
    """What may be chosen, the likeliest first."""
    if who is not None:
        own = await _account(conn, plug, price, who)
        guest = [] if price.tag.is_free else await _guest(conn, request, plug, price)
        return Offer(ways=[*own.ways, *guest], hint=own.hint, hint_path=own.hint_path)
    if price.tag.is_free:
        return Offer(ways=[_free()] if plug.access == "public" else [])
    return Offer(ways=await _guest(conn, request, plug, price))


def _free() -> Way:
    return Way(
        kind="free",
        value="free",
        name=_("Free"),
        about="",
        icon="ok",
        button=_("Start charging"),
        promise=_("Nothing is due. Plug in before or after."),
    )


async def _account(conn: Connection, plug: PlugPage, price: PlugPrice, who: SignedInDriver) -> Offer:
    if who.status != "active":
        return Offer(ways=[], hint=_("Your account is blocked. Call for help."))
    method = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
    if method.kind not in METHODS:
        return Offer(
            ways=[], hint=_("Something is still to be paid before you charge again."), hint_path="/drive/me/money"
        )
    about = method.name
    if method.kind == "wallet" and not price.tag.is_free:
        wallet = await wallets.find_wallet(conn, who.party_id, who.driver_id)
        least = (await paying.policy_of(conn, who.party_id)).least_credit
        if wallet is None or wallet.available < least:
            text = _("Your wallet is empty: top it up, or store a card.")
            return Offer(ways=[], hint=text, hint_path="/drive/me/money")
        about = _("%(amount)s to spend", amount=money(wallet.available, wallet.currency))
    name, icon = METHODS[method.kind]
    return Offer(
        ways=[
            Way(
                kind="account",
                value="account",
                name=_(name),
                about=about,
                icon=icon,
                button=_("Start charging"),
                promise=_promise(method),
            )
        ]
    )


def _promise(method: PayingMethod) -> str:
    if method.kind == "wallet":
        return _("Paid from your wallet when it is over. Plug in before or after.")
    if method.kind == "card":
        return _("Taken from your card when it is over. Plug in before or after.")
    return _("Plug in before or after.")


async def _guest(conn: Connection, request: PageRequest, plug: PlugPage, price: PlugPrice) -> list[Way]:
    setting = await adhoc.get_setting(conn, plug.party_id)
    provider = providers_of(request).find(setting.provider)
    if provider is None or plug.access == "private":
        return []
    try:
        hold = await adhoc.hold_at(conn, plug.party_id, plug.station_id, plug.evse_number)
    except (Refused, NotFound, Invalid):
        return []
    amount = money(hold.amount, hold.currency)
    return [
        Way(
            kind="guest",
            value="guest",
            name=_("Bank card or phone"),
            about=_("in the sandbox: no money moves") if provider.capabilities.is_test else _methods(provider),
            icon="card",
            button=_("Hold %(amount)s and start", amount=amount),
            promise=_("You pay only what you use; the rest is let go. Plug in before or after."),
            detail=_("By card, %(amount)s is held first.", amount=amount),
        )
    ]


class Purse(Struct, frozen=True, kw_only=True):
    """How a driver pays, in a line. `owes`: something is to be paid before they charge again."""

    name: str
    about: str
    owes: bool


async def purse_of(conn: Connection, who: SignedInDriver) -> Purse:
    """For the driver's first page."""
    method = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
    if method.kind not in METHODS:
        return Purse(name=_("Something is still to be paid"), about="", owes=True)
    about = method.name
    if method.kind == "wallet":
        wallet = await wallets.find_wallet(conn, who.party_id, who.driver_id)
        if wallet is not None:
            about = _("%(amount)s to spend", amount=money(wallet.available, wallet.currency))
    return Purse(name=_(METHODS[method.kind][0]), about=about, owes=False)


def _methods(provider: PaymentProvider) -> str:
    told = [_(PAYABLE_BY[one]) for one in provider.capabilities.methods if one in PAYABLE_BY]
    return ", ".join(told) or _("no account needed")


async def session_of(conn: Connection, held: Pass) -> UUID | None:
    """The session behind a pass, as far as there is one."""
    return await story.session_id_of(conn, held)


def button_of(ways: Sequence[Way]) -> str:
    """What the button of the first way says."""
    return ways[0].button if ways else ""


def promise_of(ways: Sequence[Way], is_plugged: bool) -> str:
    """What is said under it."""
    if is_plugged and ways:
        return _("Your car is plugged in: it begins as soon as this is done.")
    return ways[0].promise if ways else ""


def detail_of(ways: Sequence[Way]) -> str:
    """What is to be known of the first way before it is chosen."""
    return ways[0].detail if ways else ""
