"""What pricing answers: a cost that can be checked by hand, line by line."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from ohmstead.tariffs.model import Label, TariffTax

CostKind: TypeAlias = Literal[
    "ENERGY",
    "TIME",
    "PARKING_TIME",
    "FLAT",
    "IDLE",
    "RESERVATION",
    "RESERVATION_FEE",
    "IDLE_CAP",
    "DAY_CAP",
    "ADJUSTMENT",
    "MAX_PRICE",
    "MIN_PRICE",
]


class Payer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What surcharges and discounts look at in whoever pays."""

    groups: Annotated[list[Label], Meta(max_length=100)] = []
    plans: Annotated[list[Label], Meta(max_length=100)] = []
    coupons: Annotated[list[Label], Meta(max_length=100)] = []


class CostPart(Struct, frozen=True, kw_only=True):
    """What one price of a market gave to a line."""

    from_at: datetime
    to_at: datetime
    quantity: Annotated[Decimal, Meta(description="kWh.")]
    unit_price: Decimal
    is_told: Annotated[bool, Meta(description="false: the series told no price, so the tariff's own counts.")]


class CostLine(Struct, frozen=True, kw_only=True):
    """A line: quantity × price, by which rule, when. A cap's or discount's line has an amount only."""

    kind: CostKind
    rule: Annotated[str, Meta(description="Which rule, in words.")]
    amount: Annotated[Decimal, Meta(description="Half up to the currency's minor unit, in the tariff's kind of price.")]
    taxes: list[TariffTax]
    element: Annotated[int | None, Meta(description="Which element of the tariff, from 1; null: none.")] = None
    quantity: Annotated[Decimal | None, Meta(description="What is billed: kWh, seconds, or a number.")] = None
    measured: Annotated[Decimal | None, Meta(description="The quantity before `step_size`.")] = None
    unit: Annotated[Literal["kWh", "s", "1"] | None, Meta(description="Of the quantity.")] = None
    unit_price: Annotated[Decimal | None, Meta(description="Of a market: the mean, cut to 6 decimals.")] = None
    price_per: Literal["kWh", "h", "min", "1"] | None = None
    exact: Annotated[Decimal | None, Meta(description="The amount before rounding, to 12 decimals.")] = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    parts: list[CostPart] = []


class CostTax(Struct, frozen=True, kw_only=True):
    """What is due of one tax: its percentage of the base, half up."""

    name: str
    percentage: Decimal
    base: Decimal
    amount: Decimal


class CostBreakdown(Struct, frozen=True, kw_only=True):
    """What a session costs. The lines add up to `before_taxes`, or to `total` where prices include taxes."""

    currency: str
    before_taxes: Decimal
    taxes: list[CostTax]
    total: Annotated[Decimal, Meta(description="With taxes: what is paid.")]
    includes_taxes: Annotated[bool, Meta(description="Whether the amounts of lines have their taxes in them.")]
    lines: list[CostLine]
