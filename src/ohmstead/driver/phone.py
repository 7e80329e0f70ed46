"""Is this number yours? Messages go there by SMS once a code that was sent to it was typed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response, get, post
from litestar.response import Redirect

from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.signin.desk import SignInDesk
from ohmstead.core.db import Pool
from ohmstead.core.errors import Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import told
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
)
from ohmstead.drivers import queries as drivers
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.signin import codes
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.notifications import confirming

_MINUTES: Final = int(codes.GOOD_FOR.total_seconds() // 60)


@get("/me/phone")
async def phone_page(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """Send a code, or type in the one that was sent."""
    return await _page(request, pool, driver_of(request))


async def _page(
    request: PageRequest, pool: Pool, who: SignedInDriver, *, status: int = 200, error: str = ""
) -> Response[Any]:
    async with pool.acquire() as conn:
        driver = await drivers.get_driver(conn, who.party_id, who.driver_id)
        sent = await phones.find_sent(conn, who.party_id, who.driver_id, driver.phone) if driver.phone else None
    return drawn(
        request,
        "phone.html",
        status=status,
        phone=driver.phone,
        is_confirmed=driver.phone_confirmed_at is not None,
        sent=sent,
        minutes=_MINUTES,
        error=error,
    )


@post("/me/phone/code", status_code=200)
async def send_code(request: PageRequest, pool: PoolIn, settings: SettingsIn, bus: BusIn) -> Response[Any]:
    """A code to the number that is known."""
    who, desk = driver_of(request), _desk(request)
    try:
        attempts_of(request).check(address_of(request))
        async with pool.acquire() as conn, conn.transaction():
            await confirming.send_phone_code(
                conn,
                desk.seals,
                who.party_id,
                who.driver_id,
                has_sms=settings.sms_url is not None,
                address=address_of(request),
                language=language_of(request),
            )
    except (Refused, TooManyAttempts) as error:
        status = 429 if isinstance(error, TooManyAttempts) else 409
        return await _page(request, pool, who, status=status, error=told(error))
    await bus.publish(NUDGE, {})
    return Redirect("/drive/me/phone", status_code=303)


@post("/me/phone", status_code=200)
async def confirm(request: PageRequest, pool: PoolIn, bus: BusIn) -> Response[Any]:
    """The code from the message."""
    who, given, desk = driver_of(request), await form_of(request), _desk(request)
    try:
        attempts_of(request).check(address_of(request))
        async with pool.acquire() as conn, conn.transaction():
            is_right = await phones.try_code(conn, desk.seals, who.actor, who.driver_id, given.get("code", ""))
        if not is_right:
            raise Refused(phones.WRONG)
    except (Refused, TooManyAttempts) as error:
        attempts_of(request).failed(address_of(request))
        status = 429 if isinstance(error, TooManyAttempts) else 403
        return await _page(request, pool, who, status=status, error=told(error))
    await bus.publish(NUDGE, {})
    return Redirect("/drive/me/profile?done=phone", status_code=303)


def _desk(request: PageRequest) -> SignInDesk:
    found: SignInDesk = request.app.state.sign_in_desk
    return found


HANDLERS: Sequence[Any] = [phone_page, send_code, confirm]
