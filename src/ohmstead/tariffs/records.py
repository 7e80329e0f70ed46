"""Tariffs as they are kept: versions, assignments, series of prices; and why one applies somewhere."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.tariffs.model import SeriesName, Tariff

Level: TypeAlias = Literal["connector", "station", "location", "party"]
LEVELS: tuple[Level, ...] = ("connector", "station", "location", "party")

TariffName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100, description="As operators call it.")]
GroupUid: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=255, description="Only for tokens of this group; whatever its case.")
]
StationName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=48)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]


class TariffDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tariff to be published: its name and rules."""

    name: TariffName
    tariff: Tariff


class KeptTariff(Struct, frozen=True, kw_only=True):
    """A tariff in its newest version."""

    tariff_id: UUID
    party_id: UUID
    name: str
    version: Annotated[int, Meta(description="The newest; it is the ETag.")]
    tariff: Tariff
    n_assignments: Annotated[int, Meta(description="In force now.")]
    created_at: datetime
    updated_at: datetime


class TariffVersion(Struct, frozen=True, kw_only=True):
    """The rules of a tariff as they were published once."""

    tariff_id: UUID
    version: int
    tariff: Tariff
    published_at: datetime
    published_by: str


class NewTariffAssignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a tariff shall apply: at one place, or nowhere in particular (the whole party)."""

    tariff_id: UUID
    location_id: UUID | None = None
    station_id: StationName | None = None
    evse_number: Annotated[Number | None, Meta(description="Of the station; null: all of it.")] = None
    connector_number: Annotated[Number | None, Meta(description="Of the EVSE; null: all of it.")] = None
    group_uid: GroupUid | None = None

    @property
    def level(self) -> Level:
        """How narrow its place is."""
        if self.evse_number is not None:
            return "connector"
        return "station" if self.station_id is not None else "location" if self.location_id is not None else "party"


class TariffAssignment(Struct, frozen=True, kw_only=True):
    """A tariff that applies somewhere."""

    assignment_id: UUID
    tariff_id: UUID
    tariff_name: str
    level: Level
    location_id: UUID | None
    station_id: str | None
    evse_number: int | None
    connector_number: int | None
    group_uid: str | None
    assigned_at: datetime
    assigned_by: str
    ended_at: datetime | None
    ended_by: str | None


class Place(Struct, frozen=True, kw_only=True):
    """Where and for whom a tariff is wanted. `is_ad_hoc`: paid on the spot, without a contract."""

    party_id: UUID
    station_id: str
    at: datetime
    location_id: UUID | None = None
    evse_number: int | None = None
    connector_number: int | None = None
    group_uid: str | None = None
    is_ad_hoc: bool = False


class ConsideredTariff(Struct, frozen=True, kw_only=True):
    """An assignment that reaches the place, in the order of precedence, and what became of it."""

    assignment_id: UUID
    tariff_id: UUID
    tariff_name: str
    version: int
    level: Level
    group_uid: str | None
    verdict: Annotated[
        Literal["applies", "outranked", "not_yet", "no_longer", "other_kind"],
        Meta(description="not_yet, no_longer: by the tariff's own dates; other_kind: its type is for other sessions."),
    ]
    reason: Annotated[str, Meta(description="In words.")]


class ApplicableTariff(Struct, frozen=True, kw_only=True):
    """Which tariff applies somewhere, and why."""

    station_id: str
    at: datetime
    time_zone: str
    applies: Annotated[ConsideredTariff | None, Meta(description="null: no tariff applies, so nothing is charged for.")]
    tariff: Tariff | None
    considered: list[ConsideredTariff]


class SeriesPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a kWh costs on a market in an interval, before factor and adder."""

    starts_at: Annotated[datetime, Meta(tz=True)]
    ends_at: Annotated[datetime, Meta(tz=True)]
    price_kwh: Annotated[Decimal, Meta(description="Per kWh (exchanges tell it per MWh); may be negative.")]


class NewPriceSeries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series of market prices to be."""

    name: SeriesName
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217; stays.")]


class SeriesPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices to be written into a series; the same start again replaces what was there."""

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
    prices: Annotated[list[SeriesPrice], Meta(min_length=1, max_length=5000)]


class PriceSeries(Struct, frozen=True, kw_only=True):
    """A series with its prices of some days."""

    name: str
    currency: str
    updated_at: datetime
    prices: list[SeriesPrice]


def tariff_of(content: Any) -> Tariff:
    """The rules as they were kept."""
    return msgspec.convert(content, Tariff)
