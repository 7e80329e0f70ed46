"""What a report of revenue consists of. Amounts in major units, days and hours on the wall of the location."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.reports.usage.periods import Comparison, Step, UsagePeriod


class Earned(Struct, frozen=True, kw_only=True):
    """What sessions that began in a span were billed: charges less credits."""

    n_cdrs: Annotated[int, Meta(description="Sessions that are billed.")] = 0
    before_taxes: Annotated[Decimal, Meta(description="What they brought in, without taxes.")] = Decimal(0)
    total: Annotated[Decimal, Meta(description="With taxes.")] = Decimal(0)


class EarnedBar(Struct, frozen=True, kw_only=True):
    """One step of a report's span."""

    begins: Annotated[str, Meta(description="The step's start on the wall: a date, or a date and an hour.")]
    earned: Earned


class EarnedPlace(Struct, frozen=True, kw_only=True):
    """A location, or a station of the location that the report is about."""

    location_id: UUID | None
    station_id: str | None
    name: str
    earned: Earned
    compared: Earned | None


class RevenueIn(Struct, frozen=True, kw_only=True):
    """The revenue in one currency."""

    currency: str
    earned: Earned
    compared: Earned | None
    bars: list[EarnedBar]
    compared_bars: list[EarnedBar]
    places: Annotated[
        list[EarnedPlace],
        Meta(description="Locations of the network, or stations of the location; most revenue first."),
    ]


class Revenue(Struct, frozen=True, kw_only=True):
    """What the sessions of a network, a location or a station brought in, by the day on which they began."""

    period: Annotated[UsagePeriod, Meta(description="What was asked for.")]
    until: Annotated[date, Meta(description="The last day that has come.")]
    compared_with: Annotated[UsagePeriod | None, Meta(description="What it is compared with.")]
    comparison: Comparison
    location_id: UUID | None
    station_id: str | None
    time_zone: Annotated[str, Meta(description="The zone of the location, or the network's.")]
    step: Step
    currencies: Annotated[
        list[RevenueIn], Meta(description="Each currency in which anything was billed, most CDRs first.")
    ]
