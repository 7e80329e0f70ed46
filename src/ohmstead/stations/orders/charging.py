"""Orders about sessions and power: start, stop, charging profiles, priority, energy both ways."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from ohmstead.stations.orders.form import (
    Count,
    EvseNumber,
    Instant,
    Number,
    OrderForm,
    Outlet,
    Part,
    RateUnit,
    RequestId,
    TransactionId,
    Uid,
    Whole,
)

Purpose: TypeAlias = Literal[
    "station_max", "external", "session_default", "session", "priority_charging", "local_generation"
]
EnergyTransfer: TypeAlias = Literal[
    "ac_single_phase",
    "ac_two_phase",
    "ac_three_phase",
    "dc",
    "ac_bidirectional",
    "ac_bidirectional_grid",
    "ac_grid",
    "dc_bidirectional",
    "dc_automated",
    "dc_automated_bidirectional",
    "wireless",
]


class PowerPoint(Part, frozen=True, kw_only=True):
    """A point of a curve of power over frequency (Hz) or over a signal; W."""

    at: Decimal
    power_w: Decimal


class Limits(Part, frozen=True, kw_only=True):
    """What may flow or shall flow, in the schedule's unit; per phase where phases differ. Discharging is negative."""

    limit: Decimal | None = None
    limit_l2: Decimal | None = None
    limit_l3: Decimal | None = None
    discharge_limit: Decimal | None = None
    discharge_limit_l2: Decimal | None = None
    discharge_limit_l3: Decimal | None = None
    setpoint: Decimal | None = None
    setpoint_l2: Decimal | None = None
    setpoint_l3: Decimal | None = None
    setpoint_reactive: Decimal | None = None
    setpoint_reactive_l2: Decimal | None = None
    setpoint_reactive_l3: Decimal | None = None


class Period(Limits, frozen=True, kw_only=True):
    """From `start_s` after the schedule's begin until the next period."""

    start_s: int
    n_phases: int | None = None
    phase_to_use: int | None = None
    is_preconditioning: bool | None = None
    is_evse_asleep: bool | None = None
    baseline_w: Decimal | None = None
    operation: (
        Literal[
            "idle",
            "charging_only",
            "central_setpoint",
            "external_setpoint",
            "external_limits",
            "central_frequency",
            "local_frequency",
            "local_load_balancing",
        ]
        | None
    ) = None
    power_over_frequency: tuple[PowerPoint, ...] = ()
    power_over_signal: tuple[PowerPoint, ...] = ()


class LimitAtSoc(Part, frozen=True, kw_only=True):
    """A limit from a state of charge on."""

    soc_percent: Annotated[int, Meta(ge=0, le=100)]
    limit: Decimal


class Schedule(Part, frozen=True, kw_only=True):
    """Limits over time, in A per phase or in W. `schedule_id` is chosen when left out."""

    rate_unit: RateUnit
    periods: tuple[Period, ...]
    schedule_id: Whole | None = None
    starts_at: Instant | None = None
    duration_s: int | None = None
    min_rate: Decimal | None = None
    limit_at_soc: LimitAtSoc | None = None
    power_tolerance_w: Decimal | None = None
    is_local_time: bool | None = None
    random_delay_s: Count | None = None


class ChargingProfile(Part, frozen=True, kw_only=True):
    """Limits with a purpose. Of several that hold at once the highest stack level of each purpose counts."""

    profile_id: Whole
    stack_level: int = 0
    purpose: Purpose
    timing: Literal["absolute", "recurring", "relative", "dynamic"]
    schedules: tuple[Schedule, ...]
    recurs: Literal["daily", "weekly"] | None = None
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    transaction_id: TransactionId | None = None
    offline_for_s: Count | None = None
    is_invalid_after_offline: bool | None = None
    update_interval_s: Count | None = None
    updated_at: Instant | None = None


class SessionLimit(Part, frozen=True, kw_only=True):
    """Where a session ends at the latest (2.1 E16): by cost in the station's currency, by energy in Wh, by time in
    seconds, by the car's state of charge in percent.
    """

    max_cost: Decimal | None = None
    max_energy_wh: Decimal | None = None
    max_time_s: Count | None = None
    max_soc_percent: Annotated[int, Meta(ge=0, le=100)] | None = None


class RemoteStart(OrderForm, tag="remote_start", frozen=True, kw_only=True):
    """Begin charging for a token. Without `evse_number` the station chooses.

    `remote_start_id` ties the session to this order (2.x); it is chosen when left out. `profile` holds for the session.
    `limit` (2.1) is told to the station when the session begins (F07).
    """

    token_uid: Uid
    token_type: Annotated[str, Meta(min_length=1, max_length=20)] = "ISO14443"  # noqa: S105  (a kind of card)
    evse_number: EvseNumber | None = None
    connector_number: EvseNumber | None = None
    group_uid: Uid | None = None
    group_type: Annotated[str, Meta(min_length=1, max_length=20)] = "Central"
    profile: ChargingProfile | None = None
    limit: SessionLimit | None = None
    remote_start_id: RequestId | None = None


class RemoteStop(OrderForm, tag="remote_stop", frozen=True, kw_only=True):
    """End a session by the station's transaction id."""

    transaction_id: Annotated[str, Meta(min_length=1, max_length=255)]


class TransactionStatus(OrderForm, tag="transaction_status", frozen=True, kw_only=True):
    """2.x: is the transaction going on, and are messages about it still queued (E14)?"""

    transaction_id: TransactionId | None = None


class SetProfile(OrderForm, tag="set_profile", frozen=True, kw_only=True):
    """Put a charging profile into a station, or replace the one of its id."""

    evse_number: Outlet
    profile: ChargingProfile


class ClearProfiles(OrderForm, tag="clear_profiles", frozen=True, kw_only=True):
    """Take charging profiles away: one by its id, or all that fit; nothing given: all."""

    profile_id: Whole | None = None
    evse_number: Outlet | None = None
    purpose: Purpose | None = None
    stack_level: Count | None = None


class GetProfiles(OrderForm, tag="get_profiles", frozen=True, kw_only=True):
    """Ask for the charging profiles that fit; they come in reports with `request_id`."""

    evse_number: Outlet | None = None
    purpose: Purpose | None = None
    stack_level: Count | None = None
    profile_ids: tuple[Whole, ...] = ()
    sources: Annotated[tuple[Annotated[str, Meta(max_length=20)], ...], Meta(max_length=4)] = ()
    request_id: RequestId | None = None


class CompositeSchedule(OrderForm, tag="composite_schedule", frozen=True, kw_only=True):
    """Ask what limits will hold over the next `duration_s` seconds, all profiles together."""

    evse_number: Outlet
    duration_s: Number
    rate_unit: RateUnit | None = None


class UpdateSchedule(OrderForm, tag="update_schedule", frozen=True, kw_only=True):
    """2.1: new limits for the period in force of a dynamic profile."""

    profile_id: Whole
    limits: Limits


class UsePriorityCharging(OrderForm, tag="use_priority_charging", frozen=True, kw_only=True):
    """2.1: charge one session as fast as its priority profile allows, or stop doing so."""

    transaction_id: TransactionId
    is_active: bool


class SignalFrequencyReserve(OrderForm, tag="signal_frequency_reserve", frozen=True, kw_only=True):
    """2.1: the grid's present call on frequency reserves (aFRR), which profiles turn into power."""

    at: Instant
    signal: Whole


class AllowEnergyTransfer(OrderForm, tag="allow_energy_transfer", frozen=True, kw_only=True):
    """2.1: the ways in which energy may flow in a session."""

    transaction_id: TransactionId
    ways: Annotated[tuple[EnergyTransfer, ...], Meta(min_length=1)]
