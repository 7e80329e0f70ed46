"""Plans that drivers subscribe to, and coupons that they redeem."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.tariffs.model import Label, TariffTax
from ohmstead.tariffs.pricing import CostTax

PlanName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Fee: TypeAlias = Annotated[Decimal, Meta(description="Each month; exact in its currency.")]
Included: TypeAlias = Annotated[Decimal, Meta(description="kWh that are in the fee of a month; at most 3 decimals.")]
FeeTaxes: TypeAlias = Annotated[list[TariffTax], Meta(max_length=5)]
Code: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{3,39}$(?!\n)",
        description="What drivers type; compared without regard to case.",
    ),
]


class Plan(Struct, frozen=True, kw_only=True):
    """A fee each month, energy that is in it, and member prices by its label."""

    plan_id: UUID
    party_id: UUID
    name: str
    label: Annotated[str, Meta(description="Adjustments of tariffs name it under `plans`.")]
    description: str
    currency: str
    monthly_fee: Decimal
    taxes: list[TariffTax]
    tax_included: Annotated[bool, Meta(description="Whether the fee has its taxes in it.")]
    included_kwh: Decimal
    from_on: Annotated[date | None, Meta(description="May be subscribed from this day.")]
    until_on: Annotated[date | None, Meta(description="May be subscribed before this day.")]
    status: Annotated[Literal["offered", "closed"], Meta(description="closed: nobody new; who has it keeps it.")]
    n_subscribers: int
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class NewPlan(Struct, kw_only=True, forbid_unknown_fields=True):
    """A plan to be."""

    name: PlanName
    label: Label
    monthly_fee: Fee
    description: Annotated[str, Meta(max_length=1000)] = ""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="null: the party's.")] | None = None
    taxes: FeeTaxes = []
    tax_included: bool = True
    included_kwh: Included = Decimal(0)
    from_on: date | None = None
    until_on: date | None = None


class PlanChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a plan; what is left out stays. Fees and energy count from the next month that is charged."""

    name: PlanName | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    monthly_fee: Fee | UnsetType = UNSET
    taxes: FeeTaxes | UnsetType = UNSET
    tax_included: bool | UnsetType = UNSET
    included_kwh: Included | UnsetType = UNSET
    from_on: date | None | UnsetType = UNSET
    until_on: date | None | UnsetType = UNSET
    status: Literal["offered", "closed"] | UnsetType = UNSET


class Subscription(Struct, frozen=True, kw_only=True):
    """A driver has a plan."""

    subscription_id: UUID
    party_id: UUID
    plan_id: UUID
    plan_name: str
    label: str
    driver_id: UUID
    started_on: date
    ends_on: Annotated[date | None, Meta(description="The first day without it; null: it goes on.")]
    started_at: datetime
    ended_at: datetime | None
    charged_until: Annotated[date, Meta(description="The fee was charged for all days before this one.")]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]


class NewSubscription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which plan."""

    plan_id: UUID


class PlanCharge(Struct, frozen=True, kw_only=True):
    """The fee of one month of a subscription."""

    plan_charge_id: UUID
    party_id: UUID
    subscription_id: UUID
    plan_id: UUID
    driver_id: UUID
    plan_name: str
    from_on: date
    until_on: Annotated[date, Meta(description="The first day after.")]
    currency: str
    before_taxes: Decimal
    taxes: list[CostTax]
    total: Decimal
    included_kwh: Decimal
    used_kwh: Annotated[Decimal, Meta(description="What sessions took of it.")]
    country: Annotated[str, Meta(description="Whose taxes are due.")]
    created_at: datetime


class Coupon(Struct, frozen=True, kw_only=True):
    """A code for other prices."""

    coupon_id: UUID
    party_id: UUID
    code: str
    label: Annotated[str, Meta(description="Adjustments of tariffs name it under `coupons`.")]
    most_drivers: Annotated[int | None, Meta(description="So many may redeem it; null: any number.")]
    sessions_each: Annotated[int | None, Meta(description="For so many sessions of each; null: until it is over.")]
    valid_from: datetime | None
    valid_until: datetime | None
    status: Literal["active", "stopped"]
    n_redeemed: int
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime


class NewCoupon(Struct, kw_only=True, forbid_unknown_fields=True):
    """A coupon to be."""

    code: Code
    label: Label
    most_drivers: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    sessions_each: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    valid_from: Annotated[datetime, Meta(tz=True)] | None = None
    valid_until: Annotated[datetime, Meta(tz=True)] | None = None


class RedeemedCoupon(Struct, frozen=True, kw_only=True):
    """A coupon that a driver has."""

    coupon_id: UUID
    code: str
    label: str
    redeemed_at: datetime
    valid_until: datetime | None
    sessions_left: Annotated[int | None, Meta(description="null: any number, until it is over.")]


class CouponCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a driver typed."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]
