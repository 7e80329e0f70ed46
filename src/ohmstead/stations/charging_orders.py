"""Orders about reservations, charging profiles and costs: part of the neutral set in stations.orders."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

RateUnit: TypeAlias = Literal["A", "W"]
ProfilePurpose: TypeAlias = Literal[
    "station_max", "tx_default", "tx", "external_constraints", "priority", "local_generation"
]
ProfileKind: TypeAlias = Literal["absolute", "recurring", "relative", "dynamic"]
Number: TypeAlias = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of an order."""


class SchedulePeriod(_Part, frozen=True, kw_only=True):
    """From `start_s` seconds after the schedule's begin: at most `limit`, in the schedule's unit.

    `discharge_limit` (0 or less) and `setpoint` are OCPP 2.1's, and so is a period without `limit`.
    """

    start_s: Number
    limit: Decimal | None = None
    number_phases: Annotated[int, Meta(ge=1, le=3)] | None = None
    phase_to_use: Annotated[int, Meta(ge=1, le=3)] | None = None
    discharge_limit: Decimal | None = None
    setpoint: Decimal | None = None
    operation_mode: str | None = None


class Schedule(_Part, frozen=True, kw_only=True):
    """Limits over time. `starts_at` is for absolute and recurring profiles."""

    rate_unit: RateUnit
    periods: Annotated[tuple[SchedulePeriod, ...], Meta(min_length=1, max_length=1024)]
    schedule_id: Number = 1
    starts_at: Instant | None = None
    duration_s: Number | None = None
    min_rate: Decimal | None = None


class Profile(_Part, frozen=True, kw_only=True):
    """A charging profile. `transaction_id` is the station's own, for purpose tx. Only 2.x takes more than one schedule."""

    profile_id: Number
    purpose: ProfilePurpose
    kind: ProfileKind
    stack_level: Number = 0
    schedules: Annotated[tuple[Schedule, ...], Meta(min_length=1, max_length=3)]
    recurrency: Literal["daily", "weekly"] | None = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    transaction_id: str | None = None
    update_interval_s: Number | None = None


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a station; the tag is the command's `kind`."""


class ReserveNow(_Order, tag="reserve_now", tag_field="kind", frozen=True, kw_only=True):
    """Keep an outlet free for a token or its group until `expires_at`. Without `evse_number` the station chooses."""

    number: Number
    expires_at: Instant
    token_uid: str
    token_type: str = "ISO14443"  # noqa: S105  (a kind of card, not a secret)
    group_uid: str | None = None
    evse_number: int | None = None
    connector_type: str | None = None


class CancelReservation(_Order, tag="cancel_reservation", tag_field="kind", frozen=True, kw_only=True):
    """Let a reserved outlet go."""

    number: Number


class SetChargingProfile(_Order, tag="set_charging_profile", tag_field="kind", frozen=True, kw_only=True):
    """Give a profile to an EVSE; 0 is the whole station (with purpose tx_default: each of its EVSEs)."""

    evse_number: Number
    profile: Profile


class ClearChargingProfiles(_Order, tag="clear_charging_profiles", tag_field="kind", frozen=True, kw_only=True):
    """Take a profile away by its id, or all that match; nothing given: all."""

    profile_id: Number | None = None
    evse_number: Number | None = None
    purpose: ProfilePurpose | None = None
    stack_level: Number | None = None


class GetChargingProfiles(_Order, tag="get_charging_profiles", tag_field="kind", frozen=True, kw_only=True):
    """2.x: report the profiles that match; they arrive afterwards under `request_id`."""

    request_id: Number
    evse_number: Number | None = None
    purpose: ProfilePurpose | None = None
    stack_level: Number | None = None
    profile_ids: tuple[Number, ...] = ()
    sources: tuple[str, ...] = ()


class GetCompositeSchedule(_Order, tag="get_composite_schedule", tag_field="kind", frozen=True, kw_only=True):
    """What the station would deliver in the next `duration_s` seconds, all profiles taken together."""

    evse_number: Number
    duration_s: Annotated[int, Meta(ge=1, le=31_536_000)]
    rate_unit: RateUnit | None = None


class UpdateDynamicSchedule(_Order, tag="update_dynamic_schedule", tag_field="kind", frozen=True, kw_only=True):
    """2.1: new values for a dynamic profile, at once."""

    profile_id: Number
    limit: Decimal | None = None
    discharge_limit: Decimal | None = None
    setpoint: Decimal | None = None


class UsePriorityCharging(_Order, tag="use_priority_charging", tag_field="kind", frozen=True, kw_only=True):
    """2.1: switch a transaction to the station's priority profile, or back."""

    transaction_id: str
    is_active: bool


class CostUpdated(_Order, tag="cost_updated", tag_field="kind", frozen=True, kw_only=True):
    """Show what a transaction costs so far; with `is_final` the bill.

    2.x takes the total alone; 1.6 stations with California pricing (`org.openchargealliance.costmsg`) take the rest
    too. `price_text` is a sentence for the driver, said with SetUserPrice before the first cost.
    """

    transaction_id: str
    total_cost: Decimal
    is_final: bool = False
    meter_wh: int | None = None
    state: Literal["Charging", "Idle"] = "Charging"
    at: Instant | None = None
    price_kwh: Decimal | None = None
    price_text: str | None = None
    token_uid: str | None = None


ChargingOrder: TypeAlias = (
    ReserveNow
    | CancelReservation
    | SetChargingProfile
    | ClearChargingProfiles
    | GetChargingProfiles
    | GetCompositeSchedule
    | UpdateDynamicSchedule
    | UsePriorityCharging
    | CostUpdated
)
