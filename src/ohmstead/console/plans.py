"""What can drivers subscribe to? Plans with their subscribers, and coupons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.plans import queries
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import NewCoupon, NewPlan, Plan, PlanChange
from ohmstead.console.forms import Form, day_in, decimal_in, faults_of, form_of, whole_in
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.ui import prices
from ohmstead.ui.templating import page

MOST: Final = 500
STATUSES: Final = {"offered": N_("Offered"), "closed": N_("Closed")}
FIELDS: Final = {
    "name": N_("Name"),
    "label": N_("Label"),
    "description": N_("Description"),
    "monthly_fee": N_("Fee per month"),
    "tax": N_("VAT in percent"),
    "tax_included": N_("The fee has its taxes in it"),
    "included_kwh": N_("kWh in the fee"),
    "from_on": N_("Offered from"),
    "until_on": N_("Offered before"),
    "status": N_("State"),
}
COUPON_FIELDS: Final = ("code", "coupon_label", "most_drivers", "sessions_each", "valid_until")


@get("/plans")
async def plan_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Plans and coupons."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        return await _list(request, conn, actor, {}, {})


async def _list(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    error: str = "",
) -> Response[str]:
    found = await queries.list_plans(conn, actor.party_id, limit=MOST)
    coupons = await queries.list_coupons(conn, actor.party_id, limit=MOST)
    n = sum(one.n_subscribers for one in found)
    headline = _("There is no plan yet.")
    if found:
        said = n_("%(n)s plan", "%(n)s plans", len(found)), n_("%(n)s subscriber", "%(n)s subscribers", n)
        headline = f"{', '.join(said)}."
    return page(
        request,
        "money/plans.html",
        status=422 if errors else 409 if error else 200,
        found=found,
        coupons=coupons,
        statuses=STATUSES,
        headline=headline,
        given={**dict.fromkeys(COUPON_FIELDS, ""), **given},
        errors=errors,
        error=error,
        may_write=may(actor, "billing:write"),
        prices=prices,
    )


@get("/plans/{plan_id:str}")
async def plan_page(request: PageRequest, pool: PoolIn, actor: ActorIn, plan_id: FromPath[str]) -> Response[str]:
    """What it costs, what is in it, and who has it."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        plan = await queries.get_plan(conn, actor.party_id, uuid_of(plan_id, "plan"))
        held = await queries.list_subscriptions(conn, actor.party_id, plan_id=plan.plan_id, limit=200)
        names = await customer_names(conn, actor, [f"driver:{one.driver_id}" for one in held])
    return page(
        request,
        "money/plan.html",
        plan=plan,
        held=held,
        names=names,
        statuses=STATUSES,
        may_write=may(actor, "billing:write"),
        sees_drivers=may(actor, "drivers:read"),
        prices=prices,
    )


@get("/plans/new")
async def new_plan(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """An empty form."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
    return _form(request, {"tax_included": "yes", "status": "offered"}, {})


@post("/plans/new", status_code=200)
async def add_plan(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Create one, or show what does not fit."""
    allow(actor, "billing:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        try:
            values = _values(given)
            values.pop("status")
            async with conn.transaction():
                made = await plans.create_plan(conn, actor, msgspec.convert(values, NewPlan))
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, _faults(error))
        except Conflict as error:
            return _form(request, given.fields, {"label": error.text})
    await bus.publish(NUDGE, {})
    return Redirect(f"/plans/{made.plan_id}", status_code=303)


@get("/plans/{plan_id:str}/edit")
async def edit_plan(request: PageRequest, pool: PoolIn, actor: ActorIn, plan_id: FromPath[str]) -> Response[str]:
    """The form with what it is."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        plan = await queries.get_plan(conn, actor.party_id, uuid_of(plan_id, "plan"))
    return _form(request, _shown(plan), {}, plan)


@post("/plans/{plan_id:str}/edit", status_code=200)
async def change_plan(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, plan_id: FromPath[str]
) -> Response[Any]:
    """Change it. Where somebody else did meanwhile, both versions are shown and nothing typed is lost."""
    allow(actor, "billing:write")
    given, known = await form_of(request), uuid_of(plan_id, "plan")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:write")
        before = await queries.get_plan(conn, actor.party_id, known)
        try:
            values = _values(given)
            values.pop("label")
            async with conn.transaction():
                await plans.change_plan(conn, actor, known, msgspec.convert(values, PlanChange), given.version)
        except (msgspec.ValidationError, Invalid) as error:
            return _form(request, given.fields, _faults(error), before)
        except Conflict:
            now = await queries.get_plan(conn, actor.party_id, known)
            return _form(request, {**given.fields, "label": now.label}, {}, now, theirs=_shown(now))
    await bus.publish(NUDGE, {})
    return Redirect(f"/plans/{known}", status_code=303)


def _faults(error: msgspec.ValidationError | Invalid) -> dict[str, str]:
    """At the form's fields: it has one for the taxes."""
    found = faults_of(error, (*FIELDS, "taxes"))
    return {"tax" if name == "taxes" else name: text for name, text in found.items()}


def _form(
    request: PageRequest,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    plan: Plan | None = None,
    theirs: Mapping[str, str] | None = None,
) -> Response[str]:
    differing = [name for name in FIELDS if theirs and theirs[name] != given.get(name, "")]
    return page(
        request,
        "money/plan_form.html",
        status=409 if theirs else 422 if errors else 200,
        given={**dict.fromkeys(FIELDS, ""), **given},
        errors=errors,
        plan=plan,
        theirs=theirs,
        differing=differing,
        labels=FIELDS,
        statuses=STATUSES,
    )


def _shown(plan: Plan) -> dict[str, str]:
    return {
        "name": plan.name,
        "label": plan.label,
        "description": plan.description,
        "monthly_fee": f"{plan.monthly_fee:f}",
        "tax": f"{plan.taxes[0].percentage:f}" if plan.taxes else "",
        "tax_included": "yes" if plan.tax_included else "",
        "included_kwh": f"{plan.included_kwh:f}",
        "from_on": str(plan.from_on or ""),
        "until_on": str(plan.until_on or ""),
        "status": plan.status,
    }


def _values(given: Form) -> dict[str, Any]:
    tax = decimal_in(given, "tax")
    fee = decimal_in(given, "monthly_fee")
    if fee is None:
        raise Invalid("say how much; 0 where nothing is asked", "monthly_fee")
    return {
        "name": given.fields.get("name", ""),
        "label": given.fields.get("label", ""),
        "description": given.fields.get("description", ""),
        "monthly_fee": fee,
        "taxes": [{"name": "VAT", "percentage": tax}] if tax is not None else [],
        "tax_included": given.fields.get("tax_included") == "yes",
        "included_kwh": decimal_in(given, "included_kwh") or 0,
        "from_on": day_in(given, "from_on"),
        "until_on": day_in(given, "until_on"),
        "status": given.fields.get("status") or "offered",
    }


# ------------------------------------------------------------------------------------------------------------- coupons


@post("/plans/coupons", status_code=200)
async def add_coupon(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """A code that drivers redeem."""
    allow(actor, "billing:write")
    given = await form_of(request)
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        try:
            until = day_in(given, "valid_until")
            raw: dict[str, Any] = {
                "code": given.fields.get("code", ""),
                "label": given.fields.get("coupon_label", ""),
                "most_drivers": whole_in(given, "most_drivers"),
                "sessions_each": whole_in(given, "sessions_each"),
                "valid_until": datetime.combine(until, time(0), UTC) if until else None,
            }
            async with conn.transaction():
                await plans.create_coupon(conn, actor, msgspec.convert(raw, NewCoupon))
        except (msgspec.ValidationError, Invalid) as error:
            found = faults_of(error, (*COUPON_FIELDS, "label"))
            told = {"coupon_label" if name == "label" else name: text for name, text in found.items()}
            return await _list(request, conn, actor, given.fields, told)
        except Conflict as error:
            return await _list(request, conn, actor, given.fields, {"code": error.text})
    await bus.publish(NUDGE, {})
    return Redirect("/plans#coupons", status_code=303)


@post("/plans/coupons/{coupon_id:str}/stop", status_code=200)
async def stop_coupon(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, coupon_id: FromPath[str]
) -> Response[Any]:
    """It counts for no session that begins from now on."""
    allow(actor, "billing:write")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        try:
            async with conn.transaction():
                await plans.stop_coupon(conn, actor, uuid_of(coupon_id, "coupon"))
        except Conflict as error:
            return await _list(request, conn, actor, {}, {}, error=error.text)
    await bus.publish(NUDGE, {})
    return Redirect("/plans#coupons", status_code=303)


HANDLERS: Sequence[Any] = [
    plan_list,
    plan_page,
    new_plan,
    add_plan,
    edit_plan,
    change_plan,
    add_coupon,
    stop_coupon,
]
