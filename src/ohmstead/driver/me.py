"""What do you know of me? A driver's own data: name, ways to sign in, cars, export and erasure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, languages, told
from ohmstead.doorway import LANGUAGE_COOKIE
from ohmstead.driver import exporting, words
from ohmstead.driver.door import json_of
from ohmstead.driver.frame import (
    BusIn,
    PageRequest,
    PoolIn,
    SettingsIn,
    drawn,
    driver_cookie,
    driver_of,
    form_of,
    uuid_of,
)
from ohmstead.drivers import pins
from ohmstead.drivers import queries as drivers_read
from ohmstead.drivers import service as drivers
from ohmstead.drivers.garage import queries as garage_read
from ohmstead.drivers.garage import service as garage
from ohmstead.drivers.garage.model import NewCar
from ohmstead.drivers.model import DriverChange
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.signin import queries as signin_read
from ohmstead.drivers.signin import service as signin
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.notifications import service as notifications
from ohmstead.sessions.erasing import service as erasing

_DONE = {
    "saved": N_("Saved."),
    "phone": N_("Your number is confirmed."),
    "key": N_("Passkey added: it signs you in without a code."),
    "removed": N_("Removed."),
    "out": N_("Signed out there."),
}


@get("/me")
async def me(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """Everything of one's own, each a page away."""
    who = driver_of(request)
    async with pool.acquire() as conn:
        driver = await drivers_read.get_driver(conn, who.party_id, who.driver_id)
    return drawn(request, "me.html", found=driver)


# ------------------------------------------------------------------------------------------------------------ profile


@get("/me/profile")
async def profile(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """Name, phone, language; passkeys; and where one is signed in."""
    return await _profile(request, pool, driver_of(request))


async def _profile(
    request: PageRequest,
    pool: Pool,
    who: SignedInDriver,
    *,
    status: int = 200,
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[Any]:
    async with pool.acquire() as conn:
        driver = await drivers_read.get_driver(conn, who.party_id, who.driver_id)
        keys = await signin_read.list_passkeys(conn, who.party_id, who.driver_id)
        browsers = await signin_read.list_browsers(conn, who.party_id, who.driver_id)
    return drawn(
        request,
        "profile.html",
        status=status,
        found=driver,
        given=given or {"name": driver.name, "phone": driver.phone or "", "language": driver.language or ""},
        errors=errors or {},
        keys=keys,
        browsers=browsers,
        here=who.session_id,
        origin=request.app.state.sign_in_desk.party.origin,
        notice=_DONE.get(str(request.query_params.get("done", "")), ""),
        is_new=request.query_params.get("new") == "1" or (given or {}).get("new") == "1",
    )


@post("/me/profile", status_code=200)
async def change_profile(request: PageRequest, pool: PoolIn, settings: SettingsIn, bus: BusIn) -> Response[Any]:
    """Change name, phone and language. Where SMS are sent, another number is confirmed next."""
    who, given = driver_of(request), await form_of(request)
    wanted = given.get("language", "")
    try:
        change = DriverChange(
            name=given.get("name", "")[:200],
            phone=_phone(given.get("phone", "")),
            language=wanted if wanted in languages() else None,
        )
        async with pool.acquire() as conn, conn.transaction():
            made = await drivers.change_driver(conn, who.actor, who.driver_id, change)
    except Invalid as error:
        return await _profile(request, pool, who, status=422, given=given, errors={error.field or "name": told(error)})
    await bus.publish(NUDGE, {})
    # A new number is confirmed first; who has just come goes on to what there is to do.
    is_new_number = made.phone is not None and made.phone_confirmed_at is None and made.phone != who.unconfirmed_phone
    on = "/drive/home" if given.get("new") == "1" else "/drive/me/profile?done=saved"
    if is_new_number and settings.sms_url is not None:
        on = "/drive/me/phone"
    answer = Redirect(on, status_code=303)
    if wanted in languages():
        answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=365 * 86400, path="/", samesite="lax")
    return answer


def _phone(text: str) -> str | None:
    """Raises Invalid."""
    if not text:
        return None
    if not 3 <= len(text) <= 30 or set(text) - set("+0123456789 ()/.-"):
        raise Invalid("is to be digits, best with the country: +43 1 234567", field="phone")
    return text


@post("/me/passkeys/options", status_code=200)
async def passkey_options(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """What the browser is to make."""
    who = driver_of(request)
    async with pool.acquire() as conn:
        return Response(await signin.ask_to_add_passkey(conn, request.app.state.sign_in_desk, who))


@post("/me/passkeys", status_code=200)
async def add_passkey(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """The browser's answer."""
    who, answer = driver_of(request), await json_of(request)
    name, credential = answer.get("name"), answer.get("credential")
    if not isinstance(name, str) or not isinstance(credential, dict):
        raise Invalid("this is not what the page's script sends", "body")
    async with pool.acquire() as conn, conn.transaction():
        await signin.add_passkey(conn, request.app.state.sign_in_desk, who, name[:100], credential)
    return Response({})


@post("/me/passkeys/{passkey:str}/remove", status_code=200)
async def remove_passkey(request: PageRequest, pool: PoolIn, passkey: FromPath[str]) -> Response[Any]:
    """It opens nothing any more."""
    who = driver_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await signin.remove_passkey(conn, who, uuid_of(passkey, "passkey"))
    return Redirect("/drive/me/profile?done=removed", status_code=303)


@post("/me/browsers/{browser:str}/end", status_code=200)
async def end_browser(request: PageRequest, pool: PoolIn, browser: FromPath[str]) -> Response[Any]:
    """Sign out somewhere else."""
    who = driver_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await signin.end_browser(conn, who, uuid_of(browser, "browser"))
        await notifications.forget_ended_browsers(conn, who.party_id, who.driver_id)
    return Redirect("/drive/me/profile?done=out", status_code=303)


# --------------------------------------------------------------------------------------------------------------- cars


@get("/me/cars")
async def cars(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """One's cars: what plug they take, what they use."""
    return await _cars(request, pool, driver_of(request))


async def _cars(
    request: PageRequest,
    pool: Pool,
    who: SignedInDriver,
    *,
    status: int = 200,
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[Any]:
    async with pool.acquire() as conn:
        found = await garage_read.list_cars(conn, who.party_id, who.driver_id)
    return drawn(
        request,
        "cars.html",
        status=status,
        cars=found,
        kinds=words.KINDS,
        standard=words.standard,
        given={"name": "", "plug": "", "used": "", **(given or {})},
        errors=errors or {},
        notice=_DONE.get(str(request.query_params.get("done", "")), ""),
    )


@post("/me/cars", status_code=200)
async def add_car(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """One more car."""
    who, given = driver_of(request), await form_of(request)
    try:
        async with pool.acquire() as conn, conn.transaction():
            await garage.add_car(conn, who, _car(given))
    except (Invalid, Refused) as error:
        field = {"wh_per_km": "used"}.get(error.field, error.field) if isinstance(error, Invalid) else "name"
        return await _cars(request, pool, who, status=422, given=given, errors={field or "name": told(error)})
    return Redirect("/drive/me/cars?done=saved", status_code=303)


@post("/me/cars/{car:str}/remove", status_code=200)
async def remove_car(request: PageRequest, pool: PoolIn, car: FromPath[str]) -> Response[Any]:
    """Sold."""
    who = driver_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await garage.remove_car(conn, who, uuid_of(car, "car"))
    return Redirect("/drive/me/cars?done=removed", status_code=303)


def _car(given: dict[str, str]) -> NewCar:
    """Raises Invalid."""
    used = given.get("used", "").replace(",", ".")
    try:
        # Typed as people say it: kWh for 100 km.
        wh_per_km = Decimal(used[:10]) * 10 if used else None
    except InvalidOperation:
        raise Invalid("is to be a number, as 17.5", field="wh_per_km") from None
    kind = words.KINDS.get(given.get("plug", ""))
    return NewCar(name=given.get("name", "")[:100], standard=kind[1] if kind else None, wh_per_km=wh_per_km)


# ------------------------------------------------------------------------------------------------------ data, erasure


@get("/me/data")
async def data(request: PageRequest) -> Response[Any]:
    """What is known, to take along; and how to be forgotten."""
    driver_of(request)
    return drawn(request, "data.html", error="", is_fresh=_is_fresh(driver_of(request)))


@get("/me/data/export")
async def export(request: PageRequest, pool: PoolIn) -> Response[bytes]:
    """All of it: JSON and CSV in a ZIP."""
    who = driver_of(request)
    async with pool.acquire() as conn:
        known = await exporting.gather(conn, who)
    content = await asyncio.to_thread(exporting.packed, known)
    headers = {"Content-Disposition": 'attachment; filename="charging-data.zip"'}
    return Response(content, media_type="application/zip", headers=headers)


@post("/me/data/erase", status_code=200)
async def erase(request: PageRequest, pool: PoolIn, settings: SettingsIn, bus: BusIn) -> Response[Any]:
    """Forget this driver. What the law makes us keep stays under a pseudonym; who was signed in is so no longer."""
    who, given = driver_of(request), await form_of(request)
    try:
        if given.get("sure") != "yes":
            raise Refused("tick the box to say that you are sure")
        if not _is_fresh(who):
            raise Refused("sign in anew first, so that nobody else does this with your phone")
        async with pool.acquire() as conn, conn.transaction():
            await _erase(conn, who)
    except (Refused, Conflict) as error:
        return drawn(request, "data.html", status=409, error=told(error), is_fresh=_is_fresh(who))
    await bus.publish(NUDGE, {})
    request.scope["state"].pop("driver", None)
    request.scope["state"].pop("view", None)
    answer = drawn(request, "erased.html", headers={"Clear-Site-Data": '"cache", "storage"'})
    answer.set_cookie(driver_cookie(settings, "", 0))
    return answer


async def _erase(conn: Connection, who: SignedInDriver) -> None:
    if await pins.find_pin(conn, who.party_id, who.driver_id) is not None:
        await pins.remove_pin(conn, who.actor, who.driver_id)
    await signin.forget(conn, who.party_id, who.driver_id)
    await phones.forget(conn, who.party_id, who.driver_id)
    await garage.forget(conn, who.party_id, who.driver_id)
    await erasing.erase_driver(conn, who.actor, who.driver_id)


def _is_fresh(who: SignedInDriver) -> bool:
    return clock.now() - who.proved_at <= signin.PROOF_FRESH_FOR


HANDLERS: Sequence[Any] = [
    me,
    profile,
    change_profile,
    passkey_options,
    add_passkey,
    remove_passkey,
    end_browser,
    cars,
    add_car,
    remove_car,
    data,
    export,
    erase,
]
