"""/plans, /subscriptions, /plan-charges and /coupons: what drivers subscribe to, and codes for other prices."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct, field

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.billing.plans import queries
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import (
    Coupon,
    CouponCode,
    NewCoupon,
    NewPlan,
    NewSubscription,
    Plan,
    PlanChange,
    PlanCharge,
    RedeemedCoupon,
    Subscription,
)
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.drivers import queries as drivers

PLANS = Keyset(item=Plan, type=tuple[str, UUID], of=lambda plan: (plan.name.lower(), plan.plan_id))
SUBSCRIPTIONS = Keyset(
    item=Subscription, type=tuple[datetime, UUID], of=lambda one: (one.started_at, one.subscription_id)
)
CHARGES = Keyset(
    item=PlanCharge, type=tuple[date, UUID, UUID], of=lambda one: (one.from_on, one.driver_id, one.plan_charge_id)
)
COUPONS = Keyset(item=Coupon, type=tuple[str, UUID], of=lambda coupon: (coupon.code.lower(), coupon.coupon_id))


class SubscriptionQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of subscriptions."""

    driver: Annotated[UUID | None, Meta(description="Of this driver.")] = None
    plan: Annotated[UUID | None, Meta(description="Of this plan.")] = None
    running: Annotated[bool | None, Meta(description="true: those that are not over.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class ChargeQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of months that were charged."""

    driver: Annotated[UUID | None, Meta(description="Of this driver.")] = None
    since: Annotated[date | None, Meta(description="Whose days begin on or after this one.")] = field(
        default=None, name="from"
    )
    until: Annotated[date | None, Meta(description="Whose days begin before this one.")] = field(
        default=None, name="to"
    )
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class RedeemedCoupons(Struct, frozen=True, kw_only=True):
    """The coupons of a driver that count now."""

    items: list[RedeemedCoupon]


@get("/plans", opt=operation("billing:read"))
async def list_plans(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[Plan]]:
    """List plans by name."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Plan]:
        return await queries.list_plans(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, PLANS, fetch, filters)


@post("/plans", status_code=201, opt=operation("billing:write", errors=(409,)))
async def create_plan(pool: ThePool, actor: TheActor, given: NamedDependency[NewPlan]) -> Response[Plan]:
    """Offer a plan: a fee each month, energy that is in it, and other prices where tariffs name its label."""
    async with pool.acquire() as conn, conn.transaction():
        plan = await plans.create_plan(conn, actor, given)
    return answer(plan, status=201, version=plan.version, headers={"Location": f"/api/v1/plans/{plan.plan_id}"})


@get("/plans/{plan_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_plan(pool: ThePool, actor: TheActor, plan_id: FromPath[UUID]) -> Response[Plan]:
    """Read a plan."""
    async with pool.acquire() as conn:
        plan = await queries.get_plan(conn, actor.party_id, plan_id)
    return answer(plan, version=plan.version)


@patch("/plans/{plan_id:uuid}", opt=operation("billing:write", errors=(404, 409), takes_if_match=True))
async def change_plan(
    request: ApiRequest, pool: ThePool, actor: TheActor, plan_id: FromPath[UUID], given: NamedDependency[PlanChange]
) -> Response[Plan]:
    """Change a plan, or close it. Fee and energy count from the next month that is charged."""
    async with pool.acquire() as conn, conn.transaction():
        plan = await plans.change_plan(conn, actor, plan_id, given, expected_version(request))
    return answer(plan, version=plan.version)


@get("/subscriptions", opt=operation("billing:read", exports=(CSV, NDJSON)))
async def list_subscriptions(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[SubscriptionQuery]
) -> Response[Page[Subscription]]:
    """List who has which plan, the latest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Subscription]:
        return await queries.list_subscriptions(
            conn,
            actor.party_id,
            driver_id=filters.driver,
            plan_id=filters.plan,
            is_running=filters.running,
            before=after,
            limit=limit,
        )

    return await listed(request, pool, SUBSCRIPTIONS, fetch, filters, name="subscriptions")


@post("/drivers/{driver_id:uuid}/subscriptions", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def subscribe_driver(
    pool: ThePool, bus: TheBus, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[NewSubscription]
) -> Response[Subscription]:
    """Subscribe a driver to a plan from now on. What is left of this month is charged at once."""
    async with pool.acquire() as conn, conn.transaction():
        made = await plans.subscribe(conn, actor, driver_id, given.plan_id)
    await bus.publish(NUDGE, {})
    where = {"Location": f"/api/v1/subscriptions/{made.subscription_id}"}
    return answer(made, status=201, version=made.version, headers=where)


@get("/subscriptions/{subscription_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_subscription(pool: ThePool, actor: TheActor, subscription_id: FromPath[UUID]) -> Response[Subscription]:
    """Read a subscription."""
    async with pool.acquire() as conn:
        found = await queries.get_subscription(conn, actor.party_id, subscription_id)
    return answer(found, version=found.version)


@post(
    "/subscriptions/{subscription_id:uuid}/cancel", status_code=200, opt=operation("billing:write", errors=(404, 409))
)
async def cancel_subscription(
    pool: ThePool, bus: TheBus, actor: TheActor, subscription_id: FromPath[UUID]
) -> Response[Subscription]:
    """Cancel a subscription: it ends with what was charged, nothing is given back."""
    async with pool.acquire() as conn, conn.transaction():
        found = await plans.cancel(conn, actor, subscription_id)
    await bus.publish(NUDGE, {})
    return answer(found, version=found.version)


@post("/subscriptions/{subscription_id:uuid}/keep", status_code=200, opt=operation("billing:write", errors=(404, 409)))
async def keep_subscription(pool: ThePool, actor: TheActor, subscription_id: FromPath[UUID]) -> Response[Subscription]:
    """Let a subscription that was cancelled go on."""
    async with pool.acquire() as conn, conn.transaction():
        found = await plans.keep(conn, actor, subscription_id)
    return answer(found, version=found.version)


@get("/plan-charges", opt=operation("billing:read", exports=(CSV, NDJSON)))
async def list_plan_charges(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[ChargeQuery]
) -> Response[Page[PlanCharge]]:
    """List fees of months that were charged, and what sessions took of the energy in them, the earliest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[PlanCharge]:
        return await queries.list_charges(
            conn,
            actor.party_id,
            driver_id=filters.driver,
            since=filters.since,
            until=filters.until,
            after=after,
            limit=limit,
        )

    return await listed(request, pool, CHARGES, fetch, filters, name="plan-charges")


@get("/coupons", opt=operation("billing:read"))
async def list_coupons(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[Coupon]]:
    """List coupons by code."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Coupon]:
        return await queries.list_coupons(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, COUPONS, fetch, filters)


@post("/coupons", status_code=201, opt=operation("billing:write", errors=(409,)))
async def create_coupon(pool: ThePool, actor: TheActor, given: NamedDependency[NewCoupon]) -> Response[Coupon]:
    """Make a coupon: a code that drivers redeem, and other prices where tariffs name its label."""
    async with pool.acquire() as conn, conn.transaction():
        coupon = await plans.create_coupon(conn, actor, given)
    where = {"Location": f"/api/v1/coupons/{coupon.coupon_id}"}
    return answer(coupon, status=201, version=coupon.version, headers=where)


@get("/coupons/{coupon_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_coupon(pool: ThePool, actor: TheActor, coupon_id: FromPath[UUID]) -> Response[Coupon]:
    """Read a coupon."""
    async with pool.acquire() as conn:
        coupon = await queries.get_coupon(conn, actor.party_id, coupon_id)
    return answer(coupon, version=coupon.version)


@post("/coupons/{coupon_id:uuid}/stop", status_code=200, opt=operation("billing:write", errors=(404, 409)))
async def stop_coupon(pool: ThePool, actor: TheActor, coupon_id: FromPath[UUID]) -> Response[Coupon]:
    """Stop a coupon: it counts for no session that begins from now on."""
    async with pool.acquire() as conn, conn.transaction():
        coupon = await plans.stop_coupon(conn, actor, coupon_id)
    return answer(coupon, version=coupon.version)


@get("/drivers/{driver_id:uuid}/coupons", opt=operation("drivers:read", errors=(404,)))
async def list_driver_coupons(pool: ThePool, actor: TheActor, driver_id: FromPath[UUID]) -> Response[RedeemedCoupons]:
    """List the coupons that a driver has redeemed and that count now."""
    async with pool.acquire() as conn:
        await drivers.get_driver(conn, actor.party_id, driver_id)
        found = await queries.list_redeemed(conn, actor.party_id, driver_id, clock.now())
    return answer(RedeemedCoupons(items=found))


@post("/drivers/{driver_id:uuid}/coupons", status_code=201, opt=operation("drivers:write", errors=(404, 409)))
async def redeem_coupon(
    pool: ThePool, actor: TheActor, driver_id: FromPath[UUID], given: NamedDependency[CouponCode]
) -> Response[RedeemedCoupons]:
    """Redeem a code for a driver."""
    async with pool.acquire() as conn, conn.transaction():
        found = await plans.redeem(conn, actor, driver_id, given.code)
    return answer(RedeemedCoupons(items=found), status=201)


HANDLERS = [
    list_plans,
    create_plan,
    get_plan,
    change_plan,
    list_subscriptions,
    subscribe_driver,
    get_subscription,
    cancel_subscription,
    keep_subscription,
    list_plan_charges,
    list_coupons,
    create_coupon,
    get_coupon,
    stop_coupon,
    list_driver_coupons,
    redeem_coupon,
]
