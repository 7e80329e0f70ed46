"""Safe limits: what a station may give a car when nobody says anything else. OCPP's TxDefaultProfile (1.6 §3.13, 2.x K01)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ohmstead.stations.orders.form import RateUnit

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Pattern: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=100, description="With `*` and `?`, whatever its case; null fits all.")
]
Priority: TypeAlias = Annotated[
    int, Meta(ge=-1000, le=1000, description="Of several that fit an EVSE, the higher one wins.")
]
StationIds: TypeAlias = Annotated[
    list[Annotated[str, Meta(max_length=48)]], Meta(max_length=10_000, description="Only these; null: whatever fits.")
]
OneEvse: TypeAlias = Annotated[int, Meta(ge=1, le=1000, description="Only this EVSE; null: every one.")]
LimitValue: TypeAlias = Annotated[
    Decimal,
    Meta(description="A per phase, or W; at least 0. Less than 6 A lets no car charge with alternating current."),
]
DefaultState: TypeAlias = Literal["same", "missing", "differs", "refused", "unknown"]


class NewSafeLimit(Struct, kw_only=True, forbid_unknown_fields=True):
    """A safe limit to be. All of its conditions must fit."""

    name: Name
    limit: LimitValue
    rate_unit: RateUnit
    priority: Priority = 0
    vendor: Pattern | None = None
    model: Pattern | None = None
    firmware: Pattern | None = None
    location_id: UUID | None = None
    station_ids: StationIds | None = None
    evse_number: OneEvse | None = None
    is_enabled: bool = True


class SafeLimitChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a safe limit; what is left out stays."""

    name: Name | UnsetType = UNSET
    limit: LimitValue | UnsetType = UNSET
    rate_unit: RateUnit | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    vendor: Pattern | None | UnsetType = UNSET
    model: Pattern | None | UnsetType = UNSET
    firmware: Pattern | None | UnsetType = UNSET
    location_id: UUID | None | UnsetType = UNSET
    station_ids: StationIds | None | UnsetType = UNSET
    evse_number: OneEvse | None | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


class SafeLimit(Struct, frozen=True, kw_only=True):
    """A safe limit as it is kept."""

    safe_limit_id: UUID
    name: str
    limit: Decimal
    rate_unit: RateUnit
    priority: int
    vendor: str | None
    model: str | None
    firmware: str | None
    location_id: UUID | None
    station_ids: list[str] | None
    evse_number: int | None
    is_enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime


class Held(Struct, frozen=True, kw_only=True):
    """What a station is to keep at an EVSE (0: every one), and whether it does."""

    evse_number: int
    safe_limit_id: UUID | None
    name: Annotated[str | None, Meta(description="Of the safe limit; null: none wants what the station has.")]
    limit: Decimal | None
    rate_unit: RateUnit | None
    state: Annotated[DefaultState, Meta(description="missing: not given yet; unknown: the station did not answer.")]
    profile_id: int | None = None
    detail: str | None = None


class Subject(Struct, frozen=True, kw_only=True):
    """What safe limits look at in a station."""

    station_id: str
    party_id: UUID
    vendor: str
    model: str
    firmware: str
    location_id: UUID | None
    booted_at: datetime | None
    has_reported: bool  # all its profiles, since it connected
