"""What shall I be told, and how? Kinds of messages by channel, quiet hours, a limit; and this phone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, cast

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from ohmstead.accounts import service as accounts
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.language import told
from ohmstead.core.money import Money
from ohmstead.core.validation import fault_of
from ohmstead.driver.door import json_of
from ohmstead.driver.frame import PageRequest, PoolIn, drawn, driver_of, form_of, secret_of, uuid_of
from ohmstead.drivers.signin.model import SignedInDriver
from ohmstead.notifications import queries as notices
from ohmstead.notifications import service as notifications
from ohmstead.notifications.kinds import KINDS, THEMES
from ohmstead.notifications.model import CHANNELS, Channel, NewSubscription, PreferencesChange
from ohmstead.sessions.covers import service as covers


@get("/me/alerts")
async def alerts(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """All kinds that one can choose about, as they are now."""
    return await _page(request, pool, driver_of(request))


async def _page(
    request: PageRequest,
    pool: Pool,
    who: SignedInDriver,
    *,
    status: int = 200,
    given: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
    ticked: dict[str, list[Channel]] | None = None,
) -> Response[Any]:
    """`ticked`: what was chosen and could not be saved."""
    async with pool.acquire() as conn, conn.transaction():
        found = await notifications.get_preferences(conn, who.party_id, who.driver_id)
        key = await notifications.vapid_public_key(conn, secret_of(request))
        waiting = await notices.list_watches(conn, who.party_id, who.driver_id, clock.now())
        limit = await covers.get_price_limit(conn, who.party_id, who.driver_id)
        currency = limit.currency if limit is not None else await _currency(conn, who)
    known = {
        "amount": format(limit.rounded().amount, "f") if limit is not None else "",
        "quiet_from": _clock(found.quiet_from_minute),
        "quiet_until": _clock(found.quiet_until_minute),
    }
    names = {site.location_id: site.name for site in await request.app.state.places.sites()}
    themes = [
        (title, [KINDS[name] for name in found.channels if KINDS[name].theme == theme])
        for theme, title in THEMES.items()
        if theme != "operators"
    ]
    return drawn(
        request,
        "alerts.html",
        status=status,
        themes=[(title, kinds) for title, kinds in themes if kinds],
        channels=_channels(request),
        chosen=ticked if ticked is not None else found.channels,
        given=known | (given or {}),
        errors=errors or {},
        currency=currency,
        has_limit=limit is not None,
        push_key=key,
        watches=waiting,
        names=names,
        is_saved=request.query_params.get("done") == "saved",
    )


def _channels(request: PageRequest) -> list[Channel]:
    """Those over which this installation can tell anything."""
    settings = request.app.state.settings
    missing = {"email": settings.smtp_url is None, "sms": settings.sms_url is None}
    return [channel for channel in CHANNELS if not missing.get(channel)]


def _clock(minute: int | None) -> str:
    return "" if minute is None else f"{minute // 60:02d}:{minute % 60:02d}"


def _minute(text: str, field: str) -> int | None:
    """Raises Invalid."""
    if not text:
        return None
    hours, _sign, minutes = text.partition(":")
    is_time = text.isascii() and hours.isdigit() and minutes.isdigit() and len(text) <= 5
    if not is_time or int(hours) > 23 or int(minutes) > 59:
        raise Invalid("is to be a time, as 22:00", field=field)
    return int(hours) * 60 + int(minutes)


@post("/me/alerts", status_code=200)
async def change_alerts(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """All of the form at once: a box that is not ticked is off; what there is no box for stays."""
    who, given = driver_of(request), await form_of(request)
    shown, chosen = _channels(request), dict[str, list[Channel]]()
    ticked = {name for name in await request.form() if name.startswith("on:")}
    try:
        async with pool.acquire() as conn, conn.transaction():
            before = await notifications.get_preferences(conn, who.party_id, who.driver_id)
            chosen = {
                kind: [one for one in CHANNELS if (f"on:{kind}:{one}" in ticked if one in shown else one in known)]
                for kind, known in before.channels.items()
            }
            change = PreferencesChange(
                channels=chosen,
                quiet_from_minute=_minute(given.get("quiet_from", ""), "quiet_from"),
                quiet_until_minute=_minute(given.get("quiet_until", ""), "quiet_until"),
            )
            await notifications.set_preferences(conn, who.party_id, who.driver_id, change)
    except (Invalid, Conflict) as error:
        field = error.field.replace("_minute", "") if isinstance(error, Invalid) else ""
        typed = {name: given.get(name, "")[:5] for name in ("quiet_from", "quiet_until")}
        errors = {field or "quiet_from": told(error)}
        return await _page(request, pool, who, status=422, given=typed, errors=errors, ticked=chosen)
    return Redirect("/drive/me/alerts?done=saved", status_code=303)


async def _currency(conn: Connection, who: SignedInDriver) -> str:
    return (await accounts.get_party(conn, who.party_id)).currency


@post("/me/alerts/limit", status_code=200)
async def limit_price(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """What a charge may cost at most; left empty: whatever it does. It holds for charges that go on, too."""
    who, given = driver_of(request), await form_of(request)
    typed = given.get("amount", "")[:20]
    try:
        async with pool.acquire() as conn, conn.transaction():
            before = await covers.get_price_limit(conn, who.party_id, who.driver_id)
            currency = before.currency if before is not None else await _currency(conn, who)
            wanted = _amount(typed, currency)
            if wanted is not None or before is not None:
                await covers.set_price_limit(conn, who.party_id, who.driver_id, wanted)
    except Invalid as error:
        return await _page(request, pool, who, status=422, given={"amount": typed}, errors={"amount": told(error)})
    return Redirect("/drive/me/alerts?done=saved", status_code=303)


def _amount(text: str, currency: str) -> Money | None:
    """Raises Invalid."""
    if not text:
        return None
    try:
        return Money(Decimal(text.replace(",", ".")), currency)
    except (InvalidOperation, ValueError):
        raise Invalid("is to be an amount, as 15 or 12.50", field="amount") from None


@post("/me/alerts/watches", status_code=200)
async def stop_waiting(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """Not to be told of a free plug any more."""
    who, given = driver_of(request), await form_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await notifications.unwatch_plug(conn, who.party_id, who.driver_id, uuid_of(given.get("watch", ""), "watch"))
    return Redirect("/drive/me/alerts?done=saved", status_code=303)


@post("/me/push", status_code=200)
async def subscribe(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """This browser takes messages from now on. Raises Invalid."""
    who, told_ = driver_of(request), await json_of(request)
    keys = told_.get("keys") if isinstance(told_.get("keys"), dict) else {}
    try:
        wanted = msgspec.convert(
            {
                "endpoint": told_.get("endpoint"),
                "p256dh": cast(dict[str, Any], keys).get("p256dh"),
                "auth": cast(dict[str, Any], keys).get("auth"),
                "device": (request.headers.get("user-agent") or "")[:200],
            },
            NewSubscription,
        )
    except msgspec.ValidationError as error:
        field, text = fault_of(error)
        raise Invalid(text, field) from error
    async with pool.acquire() as conn, conn.transaction():
        await notifications.subscribe_push(conn, who.party_id, who.driver_id, wanted, who.session_id)
    return Response({})


@post("/me/push/end", status_code=200)
async def unsubscribe(request: PageRequest, pool: PoolIn) -> Response[Any]:
    """It takes none any more."""
    who, told_ = driver_of(request), await json_of(request)
    async with pool.acquire() as conn, conn.transaction():
        await notifications.unsubscribe_push(conn, who.party_id, who.driver_id, str(told_.get("endpoint", ""))[:2000])
    return Response({})


HANDLERS: Sequence[Any] = [alerts, change_alerts, limit_price, stop_waiting, subscribe, unsubscribe]
