"""Who takes payments here, and how much is held?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from litestar import Response, get, post
from litestar.response import Redirect

from ohmstead.accounts.access import ADMIN, Actor
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import PaymentSetting
from ohmstead.billing.payments.ports import Providers
from ohmstead.console.forms import decimal_in, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, opened
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.ui.prices import PAYABLE_BY
from ohmstead.ui.templating import page

HOLD_FIELDS: Final = ("provider", "hold_ac", "hold_dc")


@get("/settings/payments")
async def payment_settings(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Providers with their state, and holds."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
        return await _page(request, conn, actor, {}, {})


async def _page(
    request: PageRequest, conn: Connection, actor: Actor, given: Mapping[str, str], errors: Mapping[str, str]
) -> Response[str]:
    providers: Providers = request.app.state.payment_providers
    setting = await payments.get_setting(conn, actor.party_id)
    held = {name: f"{value:f}" if (value := getattr(setting, name)) is not None else "" for name in HOLD_FIELDS[1:]}
    return page(
        request,
        "money/payment_settings.html",
        status=422 if errors else 200,
        providers=[one for name in providers.names if (one := providers.find(name)) is not None],
        given={"provider": setting.provider or "", **held, **given},
        errors=errors,
        payable_by=PAYABLE_BY,
    )


@post("/settings/payments", status_code=200)
async def set_holds(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Through whom guests pay, and how much is held of them."""
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ADMIN)
        try:
            setting = PaymentSetting(
                provider=given.fields.get("provider") or None,
                hold_ac=decimal_in(given, "hold_ac"),
                hold_dc=decimal_in(given, "hold_dc"),
            )
            async with conn.transaction():
                await payments.set_setting(conn, actor, request.app.state.payment_providers, setting)
        except (Invalid, Refused) as error:
            fault = error if isinstance(error, Invalid) else Invalid(error.text, "provider")
            return await _page(request, conn, actor, given.fields, faults_of(fault, HOLD_FIELDS))
    await bus.publish(NUDGE, {})
    return Redirect("/settings/payments?done=yes", status_code=303)


HANDLERS: Sequence[Any] = [payment_settings, set_holds]
