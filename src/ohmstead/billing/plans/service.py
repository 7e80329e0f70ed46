"""Plans are offered, subscribed, charged each month and cancelled; coupons are redeemed. The edge opens the transaction.

A fee is charged ahead: for the rest of the month when a subscription begins, then each month on its first day. What was
charged is not given back: a subscription that is cancelled ends with what is paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, Posting, exact_minor, gathered, receivable, revenue, tax
from ohmstead.billing.paying import setup
from ohmstead.billing.plans import queries, store
from ohmstead.billing.plans.model import (
    Coupon,
    NewCoupon,
    NewPlan,
    Plan,
    PlanChange,
    RedeemedCoupon,
    Subscription,
)
from ohmstead.billing.plans.reckoning import Fee, due_months, fee_of
from ohmstead.billing.plans.store import Running
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.texts import checked

_MOST_FEE, _MOST_KWH = Decimal(100_000), Decimal(1_000_000)
_TEXTS = ("name", "label", "description")


async def create_plan(conn: Connection, actor: Actor, given: NewPlan) -> Plan:
    """Raises Invalid, Conflict where a plan has the label."""
    values = msgspec.structs.asdict(given)
    books = await store.books_of(conn, actor.party_id)
    values["currency"] = given.currency or books["currency"]
    values = _tidy(values, values["currency"])
    plan_id = new_id()
    if not await store.insert_plan(conn, actor.party_id, plan_id, values):
        raise Conflict(f"there is a plan with the label {given.label}", code="taken")
    await accounts.audit(conn, actor, "plan.created", f"plan/{plan_id}", {"name": values["name"]})
    return await queries.get_plan(conn, actor.party_id, plan_id)


async def change_plan(
    conn: Connection, actor: Actor, plan_id: UUID, given: PlanChange, if_version: int | None = None
) -> Plan:
    """What was charged stays. Raises NotFound, Invalid, Conflict when not in the version `if_version`."""
    before = await queries.get_plan(conn, actor.party_id, plan_id)
    values = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    values = _tidy(values, before.currency, before)
    if not await store.update_plan(conn, actor.party_id, plan_id, values, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    await accounts.audit(conn, actor, "plan.changed", f"plan/{plan_id}", {"fields": sorted(values)})
    return await queries.get_plan(conn, actor.party_id, plan_id)


async def subscribe(conn: Connection, actor: Actor, driver_id: UUID, plan_id: UUID) -> Subscription:
    """A driver has a plan from now on; what is left of this month is charged at once.

    Raises NotFound, Refused where it is not offered, Conflict where they have it.
    """
    await ledger.hold(conn, actor.party_id)
    if not await store.is_driver(conn, actor.party_id, driver_id):
        raise NotFound(f"no driver {driver_id}")
    plan = await queries.get_plan(conn, actor.party_id, plan_id)
    now = clock.now()
    books = await store.books_of(conn, actor.party_id)
    today = ledger.day_of(now, books["time_zone"])
    if not is_offered(plan, today):
        raise Refused("this plan is not offered", code="not_offered")
    await setup.ensure(conn, actor.party_id)
    subscription_id = new_id()
    if not await store.insert_subscription(conn, actor.party_id, subscription_id, plan_id, driver_id, today, now):
        raise Conflict("the driver has this plan", code="taken")
    await accounts.audit(
        conn, actor, "plan.subscribed", f"driver/{driver_id}", {"plan_id": str(plan_id), "plan": plan.name}
    )
    await _tell(conn, actor.party_id, "PlanStarted", subscription_id, plan_id, driver_id)
    await charge_due(conn, actor.party_id, [driver_id])
    return await queries.get_subscription(conn, actor.party_id, subscription_id)


async def cancel(conn: Connection, actor: Actor, subscription_id: UUID) -> Subscription:
    """It ends when what was charged is over: with this month. Raises NotFound, Conflict when it ends already."""
    await ledger.hold(conn, actor.party_id)
    found = await queries.get_subscription(conn, actor.party_id, subscription_id)
    if found.ends_on is not None or found.ended_at is not None:
        raise Conflict("it ends already", code="ended")
    await store.set_end(conn, actor.party_id, subscription_id, found.charged_until)
    await accounts.audit(
        conn,
        actor,
        "plan.cancelled",
        f"driver/{found.driver_id}",
        {"plan_id": str(found.plan_id), "ends_on": found.charged_until.isoformat()},
    )
    return await queries.get_subscription(conn, actor.party_id, subscription_id)


async def keep(conn: Connection, actor: Actor, subscription_id: UUID) -> Subscription:
    """Cancelled by mistake: it goes on. Raises NotFound, Conflict when it is over."""
    await ledger.hold(conn, actor.party_id)
    found = await queries.get_subscription(conn, actor.party_id, subscription_id)
    if found.ended_at is not None or found.ends_on is None:
        raise Conflict("it is over, or was not cancelled", code="ended")
    await store.set_end(conn, actor.party_id, subscription_id, None)
    await accounts.audit(conn, actor, "plan.kept", f"driver/{found.driver_id}", {"plan_id": str(found.plan_id)})
    return await queries.get_subscription(conn, actor.party_id, subscription_id)


def is_offered(plan: Plan, on: date) -> bool:
    """May it be subscribed on that day?"""
    if plan.status != "offered" or (plan.from_on is not None and on < plan.from_on):
        return False
    return plan.until_on is None or on < plan.until_on


async def charge_all(pool: Pool) -> int:
    """Timer: months that have begun are charged, subscriptions that are over end; returns how many parties had some."""
    now = clock.now()
    async with pool.acquire() as conn:
        parties = await store.list_due_parties(conn, now)
    for party_id, _ in parties:
        async with pool.acquire() as conn, conn.transaction():
            await charge_due(conn, party_id)
    return len(parties)


async def charge_due(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID] | None = None) -> None:
    """All months up to today that were not charged yet, with their entries in the books; what is over ends.

    Each month is charged once, however often this is done: it holds the books, and goes on from where it was.
    """
    await ledger.hold(conn, party_id)
    now = clock.now()
    books = await store.books_of(conn, party_id)
    today = ledger.day_of(now, books["time_zone"])
    for one in await store.hold_running(conn, party_id, today, driver_ids):
        for from_on, until_on in due_months(one.charged_until, one.ends_on, today):
            await _charge(conn, one, _fee(one, from_on, until_on), books["country_code"], now)
        if one.ends_on is not None and one.ends_on <= today:
            await store.end(conn, party_id, one.subscription_id, now)
            await _tell(conn, party_id, "PlanEnded", one.subscription_id, one.plan_id, one.driver_id)


async def end_of_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """Whoever is erased has no plan any more, and is charged for none."""
    await store.end_of_driver(conn, party_id, driver_id, clock.now())


def _fee(one: Running, from_on: date, until_on: date) -> Fee:
    return fee_of(
        from_on=from_on,
        until_on=until_on,
        monthly_fee=one.monthly_fee,
        included_wh=one.included_wh,
        taxes=one.taxes,
        tax_included=one.tax_included,
        currency=one.currency,
    )


async def _charge(conn: Connection, one: Running, fee: Fee, country: str, at: datetime) -> None:
    plan_charge_id = new_id()
    await store.insert_charge(conn, one.party_id, plan_charge_id, one, fee, country, at)
    if not fee.total:
        return
    customer, currency = f"driver:{one.driver_id}", fee.currency
    postings = [
        Posting(receivable(customer, currency), fee.total),
        Posting(revenue("flat", currency), -fee.before_taxes),
        *(Posting(tax(country, one.name, one.percentage, currency), -one.amount) for one in fee.taxes),
    ]
    entry = Entry(
        key=f"plan_fee:{one.subscription_id}:{fee.from_on.isoformat()}",
        kind="plan_fee",
        text=f"{one.name}, {fee.from_on.isoformat()}",
        wanted_on=fee.from_on,
        postings=gathered(postings),
    )
    await ledger.post_all(conn, one.party_id, "system", [entry])
    payload = {
        "plan_charge_id": str(plan_charge_id),
        "subscription_id": str(one.subscription_id),
        "plan_id": str(one.plan_id),
        "driver_id": str(one.driver_id),
        "from_on": fee.from_on.isoformat(),
        "until_on": fee.until_on.isoformat(),
        "currency": currency,
        "total": format(fee.total, "f"),
    }
    await record(conn, [Event("PlanCharged", f"driver/{one.driver_id}", payload, party_id=one.party_id)])


async def _tell(
    conn: Connection, party_id: UUID, kind: str, subscription_id: UUID, plan_id: UUID, driver_id: UUID
) -> None:
    payload = {"subscription_id": str(subscription_id), "plan_id": str(plan_id), "driver_id": str(driver_id)}
    await record(conn, [Event(kind, f"driver/{driver_id}", payload, party_id=party_id)])


# ------------------------------------------------------------------------------------------------------------ coupons


async def create_coupon(conn: Connection, actor: Actor, given: NewCoupon) -> Coupon:
    """Raises Invalid, Conflict where there is one of that code."""
    values = msgspec.structs.asdict(given)
    values["label"] = checked(given.label, "label")
    if given.valid_from is not None and given.valid_until is not None and given.valid_from >= given.valid_until:
        raise Invalid("ends before it begins", field="valid_until")
    coupon_id = new_id()
    if not await store.insert_coupon(conn, actor.party_id, coupon_id, values):
        raise Conflict("there is a coupon with this code", code="taken")
    await accounts.audit(conn, actor, "coupon.created", f"coupon/{coupon_id}", {"label": values["label"]})
    return await queries.get_coupon(conn, actor.party_id, coupon_id)


async def stop_coupon(conn: Connection, actor: Actor, coupon_id: UUID) -> Coupon:
    """It counts for no session that begins from now on. Raises NotFound, Conflict when it was stopped."""
    await queries.get_coupon(conn, actor.party_id, coupon_id)
    if not await store.stop_coupon(conn, actor.party_id, coupon_id):
        raise Conflict("it was stopped already", code="stopped")
    await accounts.audit(conn, actor, "coupon.stopped", f"coupon/{coupon_id}")
    return await queries.get_coupon(conn, actor.party_id, coupon_id)


async def redeem(conn: Connection, actor: Actor, driver_id: UUID, code: str) -> list[RedeemedCoupon]:
    """A driver has a coupon from now on. Raises NotFound for no code that is good, Refused where all are gone, Conflict."""
    now = clock.now()
    if not await store.is_driver(conn, actor.party_id, driver_id):
        raise NotFound(f"no driver {driver_id}")
    await setup.ensure(conn, actor.party_id)
    row = await store.hold_coupon(conn, actor.party_id, code.strip())
    if row is None or row["status"] != "active" or not _counts(row["valid_from"], row["valid_until"], now):
        raise NotFound("no such coupon")
    if row["most_drivers"] is not None and row["n_redeemed"] >= row["most_drivers"]:
        raise Refused("all of these coupons are redeemed", code="used_up")
    if not await store.insert_redemption(conn, actor.party_id, row["coupon_id"], driver_id, now):
        raise Conflict("the driver has redeemed it", code="taken")
    await accounts.audit(conn, actor, "coupon.redeemed", f"driver/{driver_id}", {"coupon_id": str(row["coupon_id"])})
    return await queries.list_redeemed(conn, actor.party_id, driver_id, now)


def _counts(valid_from: datetime | None, valid_until: datetime | None, at: datetime) -> bool:
    return (valid_from is None or valid_from <= at) and (valid_until is None or at < valid_until)


def _tidy(values: dict[str, Any], currency: str, before: Plan | None = None) -> dict[str, Any]:
    for name in _TEXTS:
        if name in values:
            values[name] = checked(values[name], name)
            if not values[name] and name != "description":
                raise Invalid("may not be empty", field=name)
    for name, most in (("monthly_fee", _MOST_FEE), ("included_kwh", _MOST_KWH)):
        if name in values and not 0 <= values[name] <= most:
            raise Invalid(f"from 0 to {most}", field=name)
    if "monthly_fee" in values:
        try:
            exact_minor(values["monthly_fee"], currency)
        except Invalid as error:
            raise Invalid(error.text, field="monthly_fee") from error
    for tax_ in values.get("taxes", ()):
        if not 0 <= tax_.percentage <= 100 or tax_.percentage != round(tax_.percentage, 4):
            raise Invalid("from 0 to 100, with at most 4 decimals", field="taxes")
    if "included_kwh" in values:
        wh: Decimal = values.pop("included_kwh") * 1000
        if wh != int(wh):
            raise Invalid("at most 3 decimals", field="included_kwh")
        values["included_wh"] = int(wh)
    from_on = values.get("from_on", before.from_on if before else None)
    until_on = values.get("until_on", before.until_on if before else None)
    if from_on is not None and until_on is not None and from_on >= until_on:
        raise Invalid("ends before it begins", field="until_on")
    return values
