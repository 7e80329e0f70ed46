"""Plans, subscriptions and coupons as pages, invoices and the API read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.billing.plans.model import Coupon, Plan, PlanCharge, RedeemedCoupon, Subscription
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound

_PLAN = """
select p.plan_id, p.party_id, p.name, p.label, p.description, p.currency, p.monthly_fee, p.taxes, p.tax_included,
       round(p.included_wh / 1000.0, 3) as included_kwh, p.from_on, p.until_on, p.status, p.version, p.created_at, p.updated_at,
       (select count(*) from subscription s where s.plan_id = p.plan_id and s.ended_at is null) as n_subscribers
from plan p
"""
_SUBSCRIPTION = """
select s.subscription_id, s.party_id, s.plan_id, p.name as plan_name, p.label, s.driver_id, s.started_on, s.ends_on,
       s.started_at, s.ended_at, s.charged_until, s.version
from subscription s join plan p using (plan_id)
"""
_COUPON = """
select c.coupon_id, c.party_id, c.code, c.label, c.most_drivers, c.sessions_each, c.valid_from, c.valid_until, c.status,
       c.version, c.created_at, (select count(*) from coupon_redemption r where r.coupon_id = c.coupon_id) as n_redeemed
from coupon c
"""


def _plan(row: Any) -> Plan:
    return msgspec.convert(dict(row), Plan)


async def list_plans(
    conn: Connection, party_id: UUID, *, on: date | None = None, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[Plan]:
    """By name; `on`: those that may be subscribed on that day only."""
    where = Conditions()
    where.add("p.party_id = {}", party_id)
    if on is not None:
        where.add(
            "p.status = 'offered' and coalesce(p.from_on <= {}, true) and coalesce(p.until_on > {}, true)", on, on
        )
    if after:
        where.add("(lower(p.name), p.plan_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"{_PLAN} where {where.sql} order by lower(p.name), p.plan_id limit {where.parameter(limit)}", *where.values
    )
    return [_plan(row) for row in rows]


async def get_plan(conn: Connection, party_id: UUID, plan_id: UUID) -> Plan:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_PLAN} where p.party_id = $1 and p.plan_id = $2", party_id, plan_id)
    if row is None:
        raise NotFound(f"no plan {plan_id}")
    return _plan(row)


async def list_subscriptions(
    conn: Connection,
    party_id: UUID,
    *,
    driver_id: UUID | None = None,
    plan_id: UUID | None = None,
    is_running: bool | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Subscription]:
    """Latest first."""
    where = Conditions()
    where.add("s.party_id = {}", party_id)
    where.add_given("s.driver_id = {}", driver_id)
    where.add_given("s.plan_id = {}", plan_id)
    where.add_given("(s.ended_at is null) = {}", is_running)
    if before:
        where.add("(s.started_at, s.subscription_id) < ({}, {})", *before)
    rows = await conn.fetch(
        f"{_SUBSCRIPTION} where {where.sql} order by s.started_at desc, s.subscription_id desc"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [Subscription(**row) for row in rows]


async def get_subscription(conn: Connection, party_id: UUID, subscription_id: UUID) -> Subscription:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"{_SUBSCRIPTION} where s.party_id = $1 and s.subscription_id = $2", party_id, subscription_id
    )
    if row is None:
        raise NotFound(f"no subscription {subscription_id}")
    return Subscription(**row)


async def list_charges(
    conn: Connection,
    party_id: UUID,
    *,
    driver_id: UUID | None = None,
    since: date | None = None,
    until: date | None = None,
    plan_charge_ids: Sequence[UUID] | None = None,
    after: tuple[date, UUID, UUID] | None = None,
    limit: int = 1000,
) -> list[PlanCharge]:
    """Fees whose months begin from `since` on and before `until`, by month and driver."""
    where = Conditions()
    where.add("c.party_id = {}", party_id)
    where.add_given("c.driver_id = {}", driver_id)
    where.add_given("c.from_on >= {}", since)
    where.add_given("c.from_on < {}", until)
    where.add_given("c.plan_charge_id = any ({})", list(plan_charge_ids) if plan_charge_ids is not None else None)
    if after:
        where.add("(c.from_on, c.driver_id, c.plan_charge_id) > ({}, {}, {})", *after)
    rows = await conn.fetch(
        "select c.plan_charge_id, c.party_id, c.subscription_id, c.plan_id, c.driver_id, c.plan_name, c.from_on, c.until_on,"
        " c.currency, c.before_taxes, c.taxes, c.total, round(c.included_wh / 1000.0, 3) as included_kwh, c.country,"
        " c.created_at, round(coalesce((select sum(u.energy_wh) from included_use u"
        " where u.plan_charge_id = c.plan_charge_id), 0) / 1000, 6) as used_kwh from plan_charge c"
        f" where {where.sql} order by c.from_on, c.driver_id, c.plan_charge_id limit {where.parameter(limit)}",
        *where.values,
    )
    return [msgspec.convert(dict(row), PlanCharge) for row in rows]


async def list_coupons(
    conn: Connection, party_id: UUID, *, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[Coupon]:
    """By code; `after` is (code in small letters, id) of the last one of the page before."""
    rows = await conn.fetch(
        f"{_COUPON} where c.party_id = $1 and ($2::text is null or (c.code_key, c.coupon_id) > ($2, $3::uuid))"
        " order by c.code_key, c.coupon_id limit $4",
        party_id,
        after[0] if after else None,
        after[1] if after else None,
        limit,
    )
    return [Coupon(**row) for row in rows]


async def get_coupon(conn: Connection, party_id: UUID, coupon_id: UUID) -> Coupon:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_COUPON} where c.party_id = $1 and c.coupon_id = $2", party_id, coupon_id)
    if row is None:
        raise NotFound(f"no coupon {coupon_id}")
    return Coupon(**row)


# A session takes a coupon with it when it begins; one that is not billed gives it back.
_LEFT = """
select r.driver_id, c.coupon_id, c.code, c.label, r.redeemed_at, c.valid_until, c.sessions_each - coalesce((
         select count(*) from session_cover v where v.driver_id = r.driver_id and c.code_key = any (v.coupons)
         and v.coupons <> '{}' and not exists (select from unbillable_session u where u.session_id = v.session_id)), 0)
       as sessions_left
from coupon_redemption r join coupon c using (coupon_id)
"""


async def list_redeemed(conn: Connection, party_id: UUID, driver_id: UUID, at: datetime) -> list[RedeemedCoupon]:
    """The coupons of a driver that count now."""
    rows = await conn.fetch(
        f"select coupon_id, code, label, redeemed_at, valid_until, sessions_left from ({_LEFT} where r.party_id = $1"
        " and r.driver_id = $2 and c.status = 'active' and coalesce(c.valid_from <= $3, true)"
        " and coalesce(c.valid_until > $3, true)) x where coalesce(sessions_left > 0, true) order by redeemed_at",
        party_id,
        driver_id,
        at,
    )
    return [RedeemedCoupon(**row) for row in rows]


# whole party: asked about drivers by their ids, for prices only
async def list_terms(
    conn: Connection, party_id: UUID, drivers: Sequence[tuple[UUID, datetime]]
) -> list[tuple[list[str], list[str]]]:
    """For each (driver, instant): the labels of plans they had then, and the codes of coupons they could use."""
    rows = await conn.fetch(
        "select a.n, (select coalesce(array_agg(distinct p.label), '{}') from subscription s join plan p using (plan_id)"
        "   where s.party_id = $1 and s.driver_id = a.driver_id and s.started_at <= a.at"
        "   and coalesce(s.ended_at > a.at, true)"
        "   and coalesce(s.ends_on > (a.at at time zone y.time_zone)::date, true)) as plans,"
        f" (select coalesce(array_agg(lower(x.code)), '{{}}') from ({_LEFT} where r.party_id = $1"
        "   and r.driver_id = a.driver_id and r.redeemed_at <= a.at and c.status = 'active'"
        "   and coalesce(c.valid_from <= a.at, true) and coalesce(c.valid_until > a.at, true)) x"
        "   where coalesce(x.sessions_left > 0, true)) as coupons"
        " from unnest($2::uuid[], $3::timestamptz[]) with ordinality as a (driver_id, at, n)"
        " join party y on y.party_id = $1 order by a.n",
        party_id,
        [driver_id for driver_id, _ in drivers],
        [at for _, at in drivers],
    )
    return [(list(row["plans"]), list(row["coupons"])) for row in rows]


async def labels_of(conn: Connection, party_id: UUID, codes: Sequence[str]) -> dict[str, str]:
    """The label of each coupon by its code in small letters."""
    rows = await conn.fetch(
        "select code_key, label from coupon where party_id = $1 and code_key = any ($2)", party_id, list(codes)
    )
    return {row["code_key"]: row["label"] for row in rows}
