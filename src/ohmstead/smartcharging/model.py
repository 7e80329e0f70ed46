"""Smart charging: profiles that stations hold, limits that others set, and what cars ask for."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.stations.orders import ChargingProfile, Period, Schedule
from ohmstead.stations.orders.charging import EnergyTransfer
from ohmstead.stations.orders.form import RateUnit

ProfileStatus: TypeAlias = Literal["sent", "held", "refused", "cleared", "unknown"]
NeedsStatus: TypeAlias = Literal["received", "planned", "refused", "impossible", "superseded", "free", "rejected"]
NeedsAnswer: TypeAlias = Literal["accepted", "refused", "processing", "free"]


# ------------------------------------------------------------------------------------ what stations report


class ProfilesReport(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a report of profiles; `is_last`: nothing follows."""

    station_id: str
    request_id: int
    evse_number: int
    source: str
    profiles: tuple[ChargingProfile, ...]
    is_last: bool
    at: datetime


class LimitReport(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else limits the station, or an EVSE; `is_cleared`: no longer."""

    station_id: str
    evse_number: int
    source: str
    at: datetime
    is_cleared: bool = False
    is_grid_critical: bool | None = None
    is_local_generation: bool | None = None
    schedules: tuple[Schedule, ...] = ()


class CompositeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a station would deliver, all its profiles taken together."""

    station_id: str
    evse_number: int
    rate_unit: RateUnit
    starts_at: datetime
    duration_s: int
    periods: tuple[Period, ...]


class Needs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a car wants (ISO 15118): so much energy by departure, within what it can take. Per phase: currents, voltage.

    `max_periods`: how many steps of a schedule the car takes. `max_discharge_w`: how much it would give
    back. `control`: in dynamic control the car follows a setpoint instead of a schedule of its own (ISO 15118-20).
    `wishes`: the rest of what it said, as it said it.
    """

    is_dc: bool
    n_phases: int = 1
    energy_wh: Decimal | None = None
    departs_at: datetime | None = None
    min_current_a: Decimal | None = None
    max_current_a: Decimal | None = None
    voltage_v: Decimal | None = None
    min_power_w: Decimal | None = None
    max_power_w: Decimal | None = None
    max_periods: int | None = None
    max_discharge_w: Decimal | None = None
    is_bidirectional: bool = False
    way: EnergyTransfer | None = None
    control: Literal["scheduled", "dynamic"] = "scheduled"
    wishes: dict[str, Any] = {}


class NeedsReport(msgspec.Struct, frozen=True, kw_only=True):
    """A car's needs, as a station passed them on."""

    station_id: str
    party_id: UUID
    evse_number: int
    at: datetime
    needs: Needs


class EvScheduleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The schedule that a car chose, its periods counted from `at`. `selected_schedule_id`: out of which of ours."""

    station_id: str
    evse_number: int
    at: datetime
    schedule: Schedule
    selected_schedule_id: int | None = None
    is_tolerance_accepted: bool | None = None


class PriorityReport(msgspec.Struct, frozen=True, kw_only=True):
    """A driver asked for priority at the station, or gave it up."""

    station_id: str
    transaction_id: str
    is_active: bool
    at: datetime


class UpdatePull(msgspec.Struct, frozen=True, kw_only=True):
    """A station asks for the present values of a dynamic profile."""

    station_id: str
    profile_id: int


CarReport: TypeAlias = NeedsReport | EvScheduleReport
SmartReport: TypeAlias = ProfilesReport | LimitReport | PriorityReport | UpdatePull


# ------------------------------------------------------------------------------------ what we keep


class Electric(msgspec.Struct, frozen=True, kw_only=True):
    """How an outlet is wired: what lets amperes and watts meet. `max_power_w` None: nobody told."""

    is_dc: bool = False
    n_phases: int = 3
    voltage_v: Decimal = Decimal(230)
    max_power_w: Decimal | None = None


class HeldProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile at a station, as far as we know."""

    station_id: str
    evse_number: int
    status: ProfileStatus
    source: str
    profile: ChargingProfile
    set_by: str
    set_at: datetime
    confirmed_at: datetime | None = None
    detail: str | None = None


class Composite(msgspec.Struct, frozen=True, kw_only=True):
    """A composite schedule, when the station was last asked."""

    evse_number: int
    rate_unit: RateUnit
    starts_at: datetime
    duration_s: int
    periods: tuple[Period, ...]
    received_at: datetime


class HeldLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that somebody else set."""

    evse_number: int
    source: str
    since: datetime
    is_grid_critical: bool | None
    is_local_generation: bool | None
    schedules: tuple[Schedule, ...]


class KeptNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """A car's needs and what became of them."""

    needs_id: UUID
    evse_number: int
    received_at: datetime
    needs: Needs
    status: NeedsStatus
    detail: str | None
    transaction_id: str | None
    profile_id: int | None
    ev_schedule: Schedule | None
    ev_schedule_at: datetime | None
    selected_schedule_id: int | None
    is_tolerance_accepted: bool | None
    n_rejected: int
