"""Plans, subscriptions and coupons in PostgreSQL, on the write side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.billing.plans.reckoning import Fee
from ohmstead.core.db import Connection, Row
from ohmstead.tariffs.model import TariffTax

_PLAN = frozenset(
    {"name", "label", "description", "currency", "monthly_fee", "taxes", "tax_included", "included_wh", "from_on"}
    | {"until_on", "status"}
)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if beyond := set(values) - _PLAN:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    return values


async def books_of(conn: Connection, party_id: UUID) -> Row:
    """The party's currency, time zone and country."""
    row = await conn.fetchrow("select currency, time_zone, country_code from party where party_id = $1", party_id)
    assert row is not None
    return row


async def insert_plan(conn: Connection, party_id: UUID, plan_id: UUID, values: dict[str, Any]) -> bool:
    """False when there is a plan of that label."""
    names = "".join(f", {name}" for name in _checked(values))
    places = "".join(f", ${n}" for n in range(3, 3 + len(values)))
    row = await conn.fetchrow(
        f"insert into plan (plan_id, party_id{names}) values ($1, $2{places}) on conflict do nothing returning 1",
        plan_id,
        party_id,
        *values.values(),
    )
    return row is not None


async def update_plan(
    conn: Connection, party_id: UUID, plan_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there in that version."""
    assignments = "".join(f"{name} = ${n}, " for n, name in enumerate(_checked(values), start=4))
    row = await conn.fetchrow(
        f"update plan set {assignments} version = version + 1, updated_at = now()"
        " where party_id = $1 and plan_id = $2 and ($3::integer is null or version = $3) returning 1",
        party_id,
        plan_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def insert_subscription(
    conn: Connection, party_id: UUID, subscription_id: UUID, plan_id: UUID, driver_id: UUID, on: date, at: datetime
) -> bool:
    """False when the driver has that plan. Nothing of it is charged yet."""
    row = await conn.fetchrow(
        "insert into subscription (subscription_id, party_id, plan_id, driver_id, started_on, started_at, charged_until)"
        " values ($1, $2, $3, $4, $5, $6, $5) on conflict do nothing returning 1",
        subscription_id,
        party_id,
        plan_id,
        driver_id,
        on,
        at,
    )
    return row is not None


async def is_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> bool:
    """Somebody of the party's who is not erased."""
    found = await conn.fetchval(
        "select exists (select from driver where party_id = $1 and driver_id = $2 and status <> 'erased')",
        party_id,
        driver_id,
    )
    return bool(found)


async def set_end(conn: Connection, party_id: UUID, subscription_id: UUID, ends_on: date | None) -> None:
    await conn.execute(
        "update subscription set ends_on = $3, version = version + 1 where party_id = $1 and subscription_id = $2",
        party_id,
        subscription_id,
        ends_on,
    )


class Running(Struct, frozen=True, kw_only=True):
    """A subscription that is to be charged, with what its plan costs now."""

    subscription_id: UUID
    party_id: UUID
    plan_id: UUID
    driver_id: UUID
    started_on: date
    started_at: datetime
    ends_on: date | None
    charged_until: date
    name: str
    label: str
    currency: str
    monthly_fee: Decimal
    taxes: list[TariffTax]
    tax_included: bool
    included_wh: int


_RUNNING = """
select s.subscription_id, s.party_id, s.plan_id, s.driver_id, s.started_on, s.started_at, s.ends_on, s.charged_until, p.name,
       p.label, p.currency, p.monthly_fee, p.taxes, p.tax_included, p.included_wh
  from subscription s join plan p using (plan_id) where s.party_id = $1 and s.ended_at is null
   and (s.charged_until <= $2 or s.ends_on <= $2) and ($3::uuid[] is null or s.driver_id = any ($3))
 order by s.subscription_id
"""


async def hold_running(
    conn: Connection, party_id: UUID, on: date, driver_ids: Sequence[UUID] | None = None
) -> list[Running]:
    """Those of which days up to `on` are not charged, or that are over by then; nobody else charges them meanwhile."""
    rows = await conn.fetch(
        f"{_RUNNING} for update of s", party_id, on, list(driver_ids) if driver_ids is not None else None
    )
    return [msgspec.convert(dict(row), Running) for row in rows]


async def list_running(conn: Connection, party_id: UUID, on: date, driver_ids: Sequence[UUID]) -> list[Running]:
    """The same, of some drivers, held by nobody."""
    rows = await conn.fetch(_RUNNING, party_id, on, list(driver_ids))
    return [msgspec.convert(dict(row), Running) for row in rows]


# any party: the worker charges for everybody
async def list_due_parties(conn: Connection, at: datetime) -> list[tuple[UUID, str]]:
    """(party, time zone) of those with subscriptions to be charged or ended by now, somewhere on earth."""
    rows = await conn.fetch(
        "select distinct p.party_id, p.time_zone from subscription s join party p using (party_id) where s.ended_at is null"
        " and least(s.charged_until, s.ends_on) <= ($1::timestamptz at time zone 'UTC')::date + 1",
        at,
    )
    return [(row["party_id"], row["time_zone"]) for row in rows]


async def insert_charge(
    conn: Connection, party_id: UUID, plan_charge_id: UUID, of: Running, fee: Fee, country: str, at: datetime
) -> None:
    await conn.execute(
        "insert into plan_charge (plan_charge_id, party_id, subscription_id, plan_id, driver_id, plan_name, from_on, until_on,"
        " currency, before_taxes, taxes, total, included_wh, country, created_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        plan_charge_id,
        party_id,
        of.subscription_id,
        of.plan_id,
        of.driver_id,
        of.name,
        fee.from_on,
        fee.until_on,
        fee.currency,
        fee.before_taxes,
        fee.taxes,
        fee.total,
        fee.included_wh,
        country,
        at,
    )
    await conn.execute(
        "update subscription set charged_until = $3 where party_id = $1 and subscription_id = $2",
        party_id,
        of.subscription_id,
        fee.until_on,
    )


async def end(conn: Connection, party_id: UUID, subscription_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update subscription set ended_at = $3 where party_id = $1 and subscription_id = $2",
        party_id,
        subscription_id,
        at,
    )


async def end_of_driver(conn: Connection, party_id: UUID, driver_id: UUID, at: datetime) -> None:
    """Whoever is erased has no plan any more."""
    await conn.execute(
        "update subscription set ended_at = $3, ends_on = greatest(started_on + 1, ($3::timestamptz)::date)"
        " where party_id = $1 and driver_id = $2 and ended_at is null",
        party_id,
        driver_id,
        at,
    )


async def has_included(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> bool:
    """Has any of these drivers, or had any, a plan with energy in its fee?"""
    found = await conn.fetchval(
        "select exists (select from subscription s join plan p using (plan_id) where s.party_id = $1"
        " and s.driver_id = any ($2) and (p.included_wh > 0 or exists (select from plan_charge c"
        " where c.subscription_id = s.subscription_id and c.included_wh > 0)))",
        party_id,
        list(driver_ids),
    )
    return bool(found)


async def list_included(
    conn: Connection, party_id: UUID, driver_ids: Sequence[UUID], session_ids: Sequence[UUID]
) -> list[Row]:
    """Months' fees of drivers with energy in them, what is left of it, and what each of some sessions has of it already.

    By driver and month, the earliest subscription first.
    """
    return list(
        await conn.fetch(
            "select c.plan_charge_id, c.subscription_id, c.driver_id, c.plan_name, c.from_on, c.until_on,"
            " c.included_wh, s.started_at,"
            " c.included_wh - coalesce((select sum(u.energy_wh) from included_use u where u.plan_charge_id ="
            " c.plan_charge_id), 0) as left_wh,"
            " (select jsonb_object_agg(u.session_id, u.energy_wh::text) from included_use u where u.plan_charge_id ="
            " c.plan_charge_id and u.session_id = any ($3)) as own"
            " from plan_charge c join subscription s using (subscription_id)"
            " where c.party_id = $1 and c.driver_id = any ($2) and c.included_wh > 0"
            " order by c.from_on, s.started_at, c.plan_charge_id",
            party_id,
            list(driver_ids),
            list(session_ids),
        )
    )


async def drop_uses(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> None:
    await conn.execute(
        "delete from included_use where party_id = $1 and session_id = any ($2)", party_id, list(session_ids)
    )


async def insert_uses(conn: Connection, party_id: UUID, rows: Sequence[tuple[UUID, UUID, Decimal]]) -> None:
    """(charge, session, Wh)."""
    await conn.execute(
        "insert into included_use (plan_charge_id, session_id, party_id, energy_wh)"
        " select u.plan_charge_id, u.session_id, $1, u.energy_wh"
        " from unnest($2::uuid[], $3::uuid[], $4::numeric[]) as u (plan_charge_id, session_id, energy_wh)",
        party_id,
        *[list(column) for column in zip(*rows, strict=True)],
    )


async def insert_coupon(conn: Connection, party_id: UUID, coupon_id: UUID, values: dict[str, Any]) -> bool:
    """False when there is one of that code."""
    row = await conn.fetchrow(
        "insert into coupon (coupon_id, party_id, code, label, most_drivers, sessions_each, valid_from, valid_until)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning 1",
        coupon_id,
        party_id,
        values["code"],
        values["label"],
        values["most_drivers"],
        values["sessions_each"],
        values["valid_from"],
        values["valid_until"],
    )
    return row is not None


async def stop_coupon(conn: Connection, party_id: UUID, coupon_id: UUID) -> bool:
    row = await conn.fetchrow(
        "update coupon set status = 'stopped', version = version + 1 where party_id = $1 and coupon_id = $2"
        " and status = 'active' returning 1",
        party_id,
        coupon_id,
    )
    return row is not None


async def hold_coupon(conn: Connection, party_id: UUID, code: str) -> Row | None:
    """Nobody else redeems it until the transaction ends."""
    row: Row | None = await conn.fetchrow(
        "select coupon_id, most_drivers, valid_from, valid_until, status, (select count(*) from coupon_redemption r"
        " where r.coupon_id = c.coupon_id) as n_redeemed from coupon c where party_id = $1 and code_key = lower($2)"
        " for update of c",
        party_id,
        code,
    )
    return row


async def insert_redemption(conn: Connection, party_id: UUID, coupon_id: UUID, driver_id: UUID, at: datetime) -> bool:
    """False when the driver has redeemed it."""
    row = await conn.fetchrow(
        "insert into coupon_redemption (coupon_id, driver_id, party_id, redeemed_at) values ($1, $2, $3, $4)"
        " on conflict do nothing returning 1",
        coupon_id,
        driver_id,
        party_id,
        at,
    )
    return row is not None
