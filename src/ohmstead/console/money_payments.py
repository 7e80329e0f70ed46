"""What was paid, and how? The list of payments, and one with all that was done for it and told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, get_args
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.accounts.lists import service as lists
from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.payments import queries as payments
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import Payment, Purpose, RefundOrder, ReleaseOrder
from ohmstead.billing.refunds import service as refunds
from ohmstead.console.exports import table_response, whole
from ohmstead.console.forms import decimal_in, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.console.money_words import (
    ENTRY_KINDS,
    OPERATIONS,
    PURPOSES,
    customer_of,
    failure_text,
    who,
)
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.core.money import minor_units
from ohmstead.reports.money import queries as books
from ohmstead.reports.takings import queries
from ohmstead.reports.takings.model import PaymentPage
from ohmstead.reports.takings.queries import MOST_COUNTED, SHOWS, PaymentWanted
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

PAGE: Final = 50
EXPORTED: Final = 50_000
CHIPS: Final = {
    "all": N_("All"),
    "waiting": N_("Being paid"),
    "held": N_("Held"),
    "captured": N_("Paid"),
    "back": N_("Given back"),
    "released": N_("Let go"),
    "failed": N_("Failed"),
}
# How a state looks: tone, icon, word.
LOOKS: Final = {
    "created": ("working", "hand", N_("Being paid")),
    "authorizing": ("working", "hand", N_("Being paid")),
    "held": ("working", "kept", N_("Held")),
    "capturing": ("working", "working", N_("Being taken")),
    "captured": ("ok", "ok", N_("Paid")),
    "releasing": ("working", "working", N_("Being let go")),
    "released": ("off", "off", N_("Let go")),
    "failed": ("failed", "failed", N_("Failed")),
}
# Where a payment is looked at with its provider.
PLACES: Final = {"stripe": "https://dashboard.stripe.com/payments/"}
_PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)


# ------------------------------------------------------------------------------------------------------------ the list


@get("/payments")
async def payment_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list, newest first; what is filtered and the page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "payments:read")
        wanted, error = _wanted(view)
        number = _number(view)
        found = PaymentPage(rows=[], sums=[], is_counted=True)
        if not error:
            found = await queries.list_payments(conn, actor.party_id, wanted, limit=PAGE, offset=(number - 1) * PAGE)
        customers = [row.customer for row in found.rows] + [wanted.customer or ""]
        names = await customer_names(conn, actor, customers)
        hidden = await lists.hidden_columns(conn, actor, "payments")
        providers = await queries.list_providers(conn, actor.party_id)
    n_found = min(found.n_found, MOST_COUNTED)
    return page(
        request,
        "money/payments.html",
        hidden=hidden,
        found=found,
        wanted=wanted,
        show="back" if wanted.is_given_back else wanted.show,
        error=error,
        chips=CHIPS,
        looks=LOOKS,
        purposes=PURPOSES,
        providers=providers,
        customer=lambda code: customer_of(code, names, actor),
        failure_text=failure_text,
        number=number,
        n_found=n_found,
        n_pages=max(1, -(-n_found // PAGE)),
        first=(number - 1) * PAGE + 1,
        headline=_headline(found, view),
        prices=prices,
    )


@get(["/payments.csv", "/payments.xlsx"])
async def payments_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "payments:read")
        wanted, error = _wanted(view)
        found: list[Payment] = []
        if not error:
            found = (await queries.list_payments(conn, actor.party_id, wanted, limit=EXPORTED + 1)).rows
    whole(found, EXPORTED)
    columns = (
        "payment_id", "created_at", "state", "purpose", "provider", "customer", "email", "currency", "amount",
        "captured", "refunded", "disputed", "failure", "session_id", "cdr_id", "station_id", "description",
    )  # fmt: skip

    def cells(one: Payment) -> list[Any]:
        values = [getattr(one, name) for name in columns]
        return [str(value) if isinstance(value, UUID) else value for value in values]

    return await table_response(request, columns, (cells(one) for one in found))


def _wanted(view: View) -> tuple[PaymentWanted, str]:
    query, error = view.query, ""
    days: list[date | None] = []
    for name in ("from", "to"):
        try:
            days.append(date.fromisoformat(query[name]) if query[name] else None)
        except ValueError:
            error = _("give days as 2026-03-31")
            days.append(None)
    text, purpose, show = query["q"].strip()[:100], query["purpose"], query["show"]
    return PaymentWanted(
        show=show if show in SHOWS else "all",
        is_given_back=show == "back",
        text=text if text and text.isprintable() else None,
        purpose=purpose if purpose in _PURPOSES else None,
        provider=query["provider"][:40] or None,
        customer=query["customer"][:80] or None,
        first=days[0],
        last=days[1],
    ), error


def _number(view: View) -> int:
    text = view.query["page"]
    return min(max(int(text), 1), 2000) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _headline(found: PaymentPage, view: View) -> str:
    if not found.sums:
        return _("No payment fits.") if any(view.query.values()) else _("Nobody has paid anything yet.")
    if not found.is_counted:
        return _("More than %(n)s payments.", n=figures.number(MOST_COUNTED))
    paid = ", ".join(prices.amount(one.captured - one.given_back, one.currency) for one in found.sums)
    return n_("%(n)s payment, %(sum)s kept.", "%(n)s payments, %(sum)s kept.", found.n_found, sum=paid)


# --------------------------------------------------------------------------------------------------------- one payment


@get("/payments/{payment_id:str}")
async def payment_page(request: PageRequest, pool: PoolIn, actor: ActorIn, payment_id: FromPath[str]) -> Response[str]:
    """One of them: how it stands, what was done for it, and what may be done."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "payments:read")
        return await _page(request, conn, actor, uuid_of(payment_id, "payment"), {}, {})


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    payment_id: UUID,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
    error: str = "",
) -> Response[str]:
    payment = await payments.get_payment(conn, actor.party_id, payment_id)
    events = await queries.list_events(conn, actor.party_id, payment_id, payment.currency)
    refs = await queries.find_refs(conn, actor.party_id, payment_id)
    names = await customer_names(conn, actor, [payment.customer])
    people = await books.names_of_actors(conn, actor.party_id, [one.by for one in events])
    asked_back = sum(
        (one.amount or Decimal(0) for one in events if one.kind == "refund" and one.state == "waiting"), Decimal(0)
    )
    left = payment.captured - payment.refunded - payment.disputed - asked_back
    billed = await _standing(conn, actor, payment)
    refused = await service.refused_of(conn, actor.party_id, payment_id) if billed is not None else Decimal(0)
    may_write = may(actor, "payments:write")
    place = PLACES.get(payment.provider)
    return page(
        request,
        "money/payment.html",
        status=422 if errors else status,
        payment=payment,
        look=LOOKS[payment.state],
        events=events,
        refs=refs,
        documents=await queries.documents_of(conn, actor.party_id, payment_id),
        outside=f"{place}{refs.provider_ref}" if place and refs.provider_ref else None,
        customer=customer_of(payment.customer, names, actor),
        who=lambda code: who(code, people),
        purposes=PURPOSES,
        operations=OPERATIONS,
        entry_kinds=ENTRY_KINDS,
        failure_text=failure_text,
        left=left,
        billed=billed,
        refused=refused,
        may_reduce=may(actor, "billing:write"),
        asked_back=asked_back,
        may_refund=may_write and payment.state == "captured" and left > 0,
        may_release=may_write
        and payment.state in ("created", "authorizing", "held")
        and (payment.session_id is None or payment.state != "held"),
        step=format(Decimal(1).scaleb(-minor_units(payment.currency)), "f"),
        given={"reason": "", "amount": "", **given},
        errors=errors,
        error=error,
        prices=prices,
    )


async def _standing(conn: Connection, actor: Actor, payment: Payment) -> Cdr | None:
    """The CDR that it pays, if that counts."""
    if payment.purpose != "session" or payment.cdr_id is None:
        return None
    cdr = await cdrs.get_cdr(conn, actor.party_id, payment.cdr_id)
    return cdr if cdr.credited_by is None and cdr.total > 0 else None


@post("/payments/{payment_id:str}/refund", status_code=200, opt={"needs_proof": True})
async def refund_payment(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, payment_id: FromPath[str]
) -> Response[Any]:
    """Give all or a part of it back; the provider is asked at once. What a session was billed is reduced by it."""
    allow(actor, "payments:write")
    given = await form_of(request)
    known = uuid_of(payment_id, "payment")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "payments:read")
        await payments.get_payment(conn, actor.party_id, known)
        try:
            wanted = RefundOrder(reason=given.fields.get("reason", ""), amount=decimal_in(given, "amount"))
            async with conn.transaction():
                order = msgspec.convert(wanted, RefundOrder, from_attributes=True)
                await refunds.refund(conn, actor, known, order)
        except (msgspec.ValidationError, Invalid) as fault:
            return await _page(request, conn, actor, known, given.fields, faults_of(fault, ("amount", "reason")))
        except (Conflict, Refused) as fault:
            return await _page(request, conn, actor, known, given.fields, {}, status=409, error=fault.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/payments/{known}?done=refund", status_code=303)


@post("/payments/{payment_id:str}/release", status_code=200)
async def release_payment(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, payment_id: FromPath[str]
) -> Response[Any]:
    """Let a hold go with which nothing has begun, or close a page on which nobody has paid."""
    allow(actor, "payments:write")
    given = await form_of(request)
    known = uuid_of(payment_id, "payment")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "payments:read")
        await payments.get_payment(conn, actor.party_id, known)
        try:
            async with conn.transaction():
                order = ReleaseOrder(reason=given.fields.get("reason", ""))
                await service.release_by_person(conn, actor, known, order)
        except Invalid as fault:
            return await _page(request, conn, actor, known, given.fields, faults_of(fault, ("reason",)))
        except (Conflict, Refused) as fault:
            return await _page(request, conn, actor, known, given.fields, {}, status=409, error=fault.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/payments/{known}?done=release", status_code=303)


HANDLERS: Sequence[Any] = [payment_list, payments_table, payment_page, refund_payment, release_payment]
