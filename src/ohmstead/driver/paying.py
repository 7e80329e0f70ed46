"""Off to where somebody pays, and back: of cards we see nothing, the provider's page takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.parties import service as parties
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import NewAdHoc, Payment
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, ExternalFailure, NotFound
from ohmstead.core.language import N_, _, told
from ohmstead.driver import ways
from ohmstead.driver.frame import (
    PageRequest,
    PoolIn,
    SettingsIn,
    charging_cookie,
    charging_of,
    drawn,
    language_of,
    secret_of,
)
from ohmstead.drivers import passes
from ohmstead.drivers.signin import service as signin
from ohmstead.reports.driving import queries
from ohmstead.reports.plugs.model import PlugPage
from ohmstead.settings import Settings
from ohmstead.ui.pricetags import money


async def begin(
    request: PageRequest, pool: Pool, settings: Settings, plug: PlugPage, given: dict[str, str], leave: str
) -> Response[Any]:
    """A guest wants to charge: to the provider's page. Raises Invalid, Refused, Conflict, ExternalFailure."""
    email = signin.address_of(given["email"]) if given.get("email") else None
    begun = await payments.begin_ad_hoc(
        pool,
        ways.providers_of(request),
        NewAdHoc(
            party_id=plug.party_id,
            station_id=plug.station_id,
            evse_number=plug.evse_number,
            return_url=f"{settings.console_url}/drive/back/{{payment_id}}",
            email=email,
            language=language_of(request),
            web_payment_id=UUID(leave) if leave else None,
        ),
    )
    kept = charging_cookie(settings, passes.write(secret_of(request), "payment", begun.payment_id))
    answer = leads_to(request, settings, begun.url)
    answer.set_cookie(kept)
    return answer


def leads_to(request: PageRequest, settings: Settings, url: str) -> Response[Any]:
    """To a page of the provider's. A form may lead to our own addresses only: to others a page of ours leads on."""
    if url.startswith((settings.console_url + "/", "/")) and not url.startswith("//"):
        return Redirect(url, status_code=303)
    return drawn(request, "away.html", url=url)


@get("/back/{payment:str}")
async def back(request: PageRequest, pool: PoolIn, payment: FromPath[str]) -> Response[Any]:
    """Back from the provider, in the browser that left: what became of it is asked for, not believed."""
    text = charging_of(request)
    held = passes.read(secret_of(request), text) if text else None
    if held is None or held.what != "payment" or str(held.id) != payment:
        return drawn(request, "lost.html", status=404)
    async with pool.acquire() as conn:
        party_id = await queries.find_party_of_payment(conn, held.id)
    if party_id is None:
        raise NotFound(_("There is no such payment."))
    await payments.refresh(pool, ways.providers_of(request), party_id, held.id)
    return Redirect(f"/drive/s/{text}", status_code=303)


@get("/s/{text:str}/pay")
async def pay_again(request: PageRequest, pool: PoolIn, settings: SettingsIn, text: FromPath[str]) -> Response[Any]:
    """Back to the page where it is paid, for who closed it."""
    held = passes.read(secret_of(request), text)
    if held is None or held.what != "payment":
        raise NotFound(_("There is no such payment."))
    async with pool.acquire() as conn:
        party_id = await queries.find_party_of_payment(conn, held.id)
    if party_id is None:
        raise NotFound(_("There is no such payment."))
    address = f"{settings.console_url}/drive/back/{held.id}"
    try:
        found = await payments.checkout(pool, ways.providers_of(request), party_id, held.id, address)
    except Conflict:
        return Redirect(f"/drive/s/{text}", status_code=303)
    answer = leads_to(request, settings, found.url)
    answer.set_cookie(charging_cookie(settings, text))
    return answer


# ------------------------------------------------------------------------------------------------- what was asked for

# For what drivers are asked, in their words.
_ASKED: Final = {"top_up": N_("for your wallet"), "debt": N_("what was still to be paid")}


async def _asked(request: PageRequest, pool: Pool, text: str) -> Payment:
    """The payment of a pass, the provider asked. Raises NotFound, for a guest's hold as well: that has its charge's page."""
    held = passes.read(secret_of(request), text)
    party_id = None
    if held is not None and held.what == "payment":
        async with pool.acquire() as conn:
            party_id = await queries.find_party_of_payment(conn, held.id)
    if held is None or party_id is None:
        raise NotFound(_("There is no such payment."))
    found = await payments.refresh(pool, ways.providers_of(request), party_id, held.id)
    if found.purpose not in _ASKED or found.method_id is not None:
        raise NotFound(_("There is no such payment."))
    return found


async def _due_page(
    request: PageRequest, pool: Pool, text: str, asked: Payment, *, status: int = 200, error: str = ""
) -> Response[Any]:
    async with pool.acquire() as conn:
        party = await parties.get_party(conn, asked.party_id)
    state = {"created": "open", "authorizing": "open", "captured": "paid"}.get(asked.state, "over")
    return drawn(
        request,
        "due.html",
        status=status,
        text=text,
        state=state,
        amount=money(asked.amount, asked.currency),
        what=_ASKED[asked.purpose],
        network=party.name,
        error=error,
    )


@get("/s/{text:str}/due")
async def due(request: PageRequest, pool: PoolIn, text: FromPath[str]) -> Response[Any]:
    """What somebody was asked for, until it is paid; back from the provider one comes here, too."""
    return await _due_page(request, pool, text, await _asked(request, pool, text))


@post("/s/{text:str}/due", status_code=200)
async def pay_due(request: PageRequest, pool: PoolIn, settings: SettingsIn, text: FromPath[str]) -> Response[Any]:
    """Off to where it is paid."""
    asked = await _asked(request, pool, text)
    address = f"{settings.console_url}/drive/s/{text}/due"
    try:
        found = await payments.checkout(pool, ways.providers_of(request), asked.party_id, asked.payment_id, address)
    except Conflict:
        return Redirect(f"/drive/s/{text}/due", status_code=303)
    except ExternalFailure as failure:
        return await _due_page(request, pool, text, asked, status=502, error=told(failure))
    return leads_to(request, settings, found.url)


HANDLERS: Sequence[Any] = [back, pay_again, due, pay_due]
