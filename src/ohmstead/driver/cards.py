"""With what do I charge at a station? A driver's charge cards, and the PIN for keypads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts import access
from ohmstead.accounts.access import TooManyAttempts
from ohmstead.billing.paying import service as paying
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, told
from ohmstead.driver.frame import (
    BusIn,
    PageRequest,
    PoolIn,
    address_of,
    attempts_of,
    drawn,
    driver_of,
    form_of,
    uuid_of,
)
from ohmstead.driver.starting import APP_LABEL
from ohmstead.drivers import pins
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.tokens import queries as tokens
from ohmstead.tokens.queries import TokenFilter, TokenView
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.service import TokenChange

# How long ago a card may have begun a session for its number to say that it is in somebody's hand.
SHOWN_WITHIN: Final = timedelta(minutes=10)
_KINDS: Final = {
    "ISO14443": N_("Charge card"),
    "ISO15693": N_("Charge card"),
    "eMAID": N_("Plug & Charge"),
    "EVCCID": N_("Recognised car"),
    "MacAddress": N_("Recognised car"),
    "VIN": N_("Recognised car"),
    "Central": N_("Card in the app"),
}
_NOT_YOURS: Final = (
    "we cannot tell that this card is yours: begin a charge with it at one of our stations, then come back here within"
    " ten minutes; a card that somebody holds already is only given to you by the network"
)


@get("/me/cards")
async def cards(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """The cards one holds, and whether there is a PIN."""
    return await _page(request, pool, driver_of(request))


async def _page(
    request: PageRequest, pool: Pool, who: SignedInDriver, *, status: int = 200, error: str = "", pin: str = ""
) -> Response[Any]:
    async with pool.acquire() as conn:
        held = await tokens.list_tokens(conn, who.party_id, TokenFilter(driver=who.driver_id), "label", limit=100)
        has_pin = await pins.find_pin(conn, who.party_id, who.driver_id)
    shown = [one for one in held if one.type != pins.KIND and not (one.type == "Central" and one.label == APP_LABEL)]
    return drawn(
        request,
        "cards.html",
        status=status,
        cards=shown,
        kinds=_KINDS,
        has_pin=has_pin,
        pin=pin,
        error=error,
        done=str(request.query_params.get("done", "")),
    )


async def _own(conn: Connection, who: SignedInDriver, text: str) -> TokenView:
    """Raises NotFound for a card of anybody else's."""
    token = await tokens.find_token(conn, who.party_id, uuid_of(text, "card"))
    if token is None or token.driver_id != who.driver_id:
        raise NotFound(_("There is no such card."))
    return token


@post("/me/cards", status_code=200)
async def add_card(request: PageRequest, pool: PoolIn, bus: BusIn) -> Response[Any]:
    """A card by its number: given only to who has just charged with it, and only one that nobody holds."""
    who, given = driver_of(request), await form_of(request)
    uid = "".join(given.get("number", "").split())[:255]
    try:
        attempts_of(request).check(address_of(request))
        if not uid or not uid.isascii() or not uid.isprintable():
            raise Invalid("type the number that stands on the card", field="number")
        async with pool.acquire() as conn, conn.transaction():
            since = clock.now() - SHOWN_WITHIN
            claimed = await register.claim_token(conn, access.system(who.party_id), uid, who.driver_id, since)
            if claimed is None:
                raise Refused(_NOT_YOURS)
    except (Invalid, Refused, TooManyAttempts) as error:
        attempts_of(request).failed(address_of(request))
        return await _page(request, pool, who, status=409, error=told(error))
    await bus.publish(NUDGE, {})
    return Redirect("/drive/me/cards?done=added", status_code=303)


@post("/me/cards/{card:str}/name", status_code=200)
async def name_card(request: PageRequest, pool: PoolIn, card: FromPath[str]) -> Response[Any]:
    """What one calls it."""
    who, given = driver_of(request), await form_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            token = await _own(conn, who, card)
            change = TokenChange(label=given.get("label", "")[:100])
            await register.change_token(conn, who.actor, token.token_id, change)
    except (Invalid, Conflict) as error:
        return await _page(request, pool, who, status=422, error=told(error))
    return Redirect("/drive/me/cards?done=named", status_code=303)


@post("/me/cards/{card:str}/lost", status_code=200)
async def lose_card(request: PageRequest, pool: PoolIn, bus: BusIn, card: FromPath[str]) -> Response[Any]:
    """Lost: it begins nothing any more, at once. Whoever finds it again asks the network."""
    who = driver_of(request)
    async with pool.acquire() as conn, conn.transaction():
        token = await _own(conn, who, card)
        await register.set_status(conn, who.actor, token.token_id, "blocked")
    await bus.publish(NUDGE, {})
    return Redirect("/drive/me/cards?done=lost", status_code=303)


@post("/me/pin", status_code=200)
async def new_pin(request: PageRequest, pool: PoolIn, bus: BusIn) -> Response[Any]:
    """A new PIN, shown this once; or none any more."""
    who, given = driver_of(request), await form_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            if given.get("do") == "remove":
                await pins.remove_pin(conn, who.actor, who.driver_id)
                made = None
            else:
                method = await paying.method_of(conn, who.party_id, driver_id=who.driver_id)
                if method.kind == "refused":
                    raise Refused("something is still to be paid before you get a PIN")
                made = await pins.reset_pin(conn, who.actor, who.driver_id)
    except (Refused, Conflict, NotFound) as error:
        return await _page(request, pool, who, status=409, error=told(error))
    await bus.publish(NUDGE, {})
    return await _page(request, pool, who, pin=made.pin if made is not None else "")


HANDLERS: Sequence[Any] = [cards, add_card, name_card, lose_card, new_pin]
