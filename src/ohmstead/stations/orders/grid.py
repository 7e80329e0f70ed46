"""Orders about how a station behaves towards the grid (distributed energy resources), OCPP 2.1."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from ohmstead.stations.orders.form import Count, Instant, OrderForm, Part, RequestId

ControlId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=36)]
ControlType: TypeAlias = Literal[
    "enter_service",
    "frequency_droop",
    "frequency_watt",
    "fixed_power_factor_absorb",
    "fixed_power_factor_inject",
    "fixed_var",
    "gradients",
    "high_frequency_must_trip",
    "high_frequency_may_trip",
    "high_voltage_must_trip",
    "high_voltage_cease",
    "high_voltage_may_trip",
    "max_discharge",
    "low_frequency_must_trip",
    "low_voltage_must_trip",
    "low_voltage_cease",
    "low_voltage_may_trip",
    "power_monitoring_must_trip",
    "volt_var",
    "volt_watt",
    "watt_power_factor",
    "watt_var",
]
Unit: TypeAlias = Literal[
    "none", "percent_max_w", "percent_max_var", "percent_available_w", "percent_available_var", "percent_voltage"
]


class Timed(Part, frozen=True, kw_only=True):
    """What all controls have: of several the lowest `priority` number counts; for `duration_s` from `starts_at`."""

    priority: Count = 0
    starts_at: Instant | None = None
    duration_s: Decimal | None = None


class Point(Part, frozen=True, kw_only=True):
    """A point of a curve."""

    x: Decimal
    y: Decimal


class Hysteresis(Part, frozen=True, kw_only=True):
    """How a curve is left again."""

    high: Decimal | None = None
    low: Decimal | None = None
    delay_s: Decimal | None = None
    gradient: Decimal | None = None


class ReactivePower(Part, frozen=True, kw_only=True):
    """The reference voltage of a volt-var curve."""

    reference_percent: Decimal | None = None
    is_autonomous: bool | None = None
    time_constant_s: Decimal | None = None


class VoltageTrip(Part, frozen=True, kw_only=True):
    """The ten-minute mean at which it trips, and what flows meanwhile."""

    mean_percent: Decimal | None = None
    mean_trip_delay_s: Decimal | None = None
    power_while_ceased: Literal["active", "reactive"] | None = None


class Curve(Timed, frozen=True, kw_only=True):
    """A curve, as most controls are."""

    points: Annotated[tuple[Point, ...], Meta(min_length=1, max_length=10)]
    y_unit: Unit = "none"
    response_time_s: Decimal | None = None
    hysteresis: Hysteresis | None = None
    reactive_power: ReactivePower | None = None
    voltage_trip: VoltageTrip | None = None


class EnterService(Part, frozen=True, kw_only=True):
    """Under which voltages (%) and frequencies (Hz) the station may go back to the grid."""

    priority: Count = 0
    high_voltage_percent: Decimal
    low_voltage_percent: Decimal
    high_frequency_hz: Decimal
    low_frequency_hz: Decimal
    delay_s: Decimal | None = None
    random_delay_s: Decimal | None = None
    ramp_s: Decimal | None = None


class FixedPowerFactor(Timed, frozen=True, kw_only=True):
    """A constant power factor."""

    displacement: Decimal
    is_excited: bool


class FixedVar(Timed, frozen=True, kw_only=True):
    """A constant reactive power."""

    setpoint: Decimal
    unit: Unit = "percent_max_var"


class FrequencyDroop(Timed, frozen=True, kw_only=True):
    """Power that falls or rises with the frequency; droops are per unit."""

    over_frequency_hz: Decimal
    under_frequency_hz: Decimal
    over_droop: Decimal
    under_droop: Decimal
    response_time_s: Decimal


class Gradients(Part, frozen=True, kw_only=True):
    """How fast power may change, % a second."""

    priority: Count = 0
    gradient_percent: Decimal
    soft_gradient_percent: Decimal


class MaxDischarge(Timed, frozen=True, kw_only=True):
    """The most that may flow back, % of the rated power."""

    percent: Decimal | None = None
    power_monitoring: Curve | None = None


class SetDerControl(OrderForm, tag="set_der_control", frozen=True, kw_only=True):
    """Set a control, by default or for a time. The part that `type` asks for is given, and no other."""

    control_id: ControlId
    type: ControlType
    is_default: bool = False
    curve: Curve | None = None
    enter_service: EnterService | None = None
    power_factor: FixedPowerFactor | None = None
    fixed_var: FixedVar | None = None
    frequency_droop: FrequencyDroop | None = None
    gradients: Gradients | None = None
    max_discharge: MaxDischarge | None = None


class GetDerControls(OrderForm, tag="get_der_controls", frozen=True, kw_only=True):
    """Ask for controls: one by its id, or those of a type; they come in reports with `request_id`."""

    control_id: ControlId | None = None
    type: ControlType | None = None
    is_default: bool | None = None
    request_id: RequestId | None = None


class ClearDerControls(OrderForm, tag="clear_der_controls", frozen=True, kw_only=True):
    """Take controls away: one by its id, or those of a type, or all default (or all other) ones."""

    is_default: bool = False
    control_id: ControlId | None = None
    type: ControlType | None = None
