"""What a charging profile must fulfil before it is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

from ohmstead.stations import orders as o
from ohmstead.stations.features import Features

Fault: TypeAlias = tuple[str, str]
"""Field, as a dotted path, and the rule that it breaks."""

MOST_SCHEDULES = 3
MOST_PERIODS = 1024
RECURS_S = {"daily": 86_400, "weekly": 604_800}
_STEP = Decimal("0.1")
# Modes of operation (2.1): what each must be given, who may set what flows, and for which purposes it is none.
_NEEDED_IN_MODE = {
    "charging_only": "limit",
    "central_setpoint": "setpoint",
    "central_frequency": "setpoint",
    "local_frequency": "power_over_frequency",
}
_MODES_OF_PURPOSE = {
    "station_max": ("charging_only",),
    "priority_charging": ("charging_only",),
    "local_generation": ("charging_only", "external_limits"),
}
_CURVES = {
    "power_over_frequency": ("local_frequency",),
    "power_over_signal": ("central_frequency", "local_frequency"),
}
_NEW_PURPOSES = ("priority_charging", "local_generation")


def profile_faults(profile: o.ChargingProfile, field: str = "profile") -> Iterator[Fault]:
    """What is wrong with a profile wherever it goes."""
    if profile.stack_level < 0:
        yield f"{field}.stack_level", "is not negative"
    if profile.purpose == "external":
        yield f"{field}.purpose", "limits from outside are reported by stations, not set (K01.FR.22)"
    if profile.purpose == "station_max" and profile.timing == "relative":
        yield f"{field}.timing", "a limit of the whole station is not relative to a session (K01.FR.38)"
    if (profile.timing == "recurring") != (profile.recurs is not None):
        yield f"{field}.recurs", "daily or weekly, for recurring profiles and only for those"
    if profile.valid_from is not None and profile.valid_until is not None and profile.valid_from >= profile.valid_until:
        yield f"{field}.valid_until", "is later than valid_from"
    if not 1 <= len(profile.schedules) <= MOST_SCHEDULES:
        yield f"{field}.schedules", f"1 to {MOST_SCHEDULES}"
    if profile.timing == "dynamic" and (len(profile.schedules) != 1 or len(profile.schedules[0].periods) != 1):
        yield f"{field}.schedules", "a dynamic profile has one schedule of one period"
    for n, schedule in enumerate(profile.schedules):
        where = f"{field}.schedules.{n}"
        yield from _schedule_faults(schedule, profile.timing, where)
        if profile.recurs is not None and (schedule.duration_s or 0) > RECURS_S[profile.recurs]:
            yield f"{where}.duration_s", f"is longer than it recurs ({RECURS_S[profile.recurs]} s)"
        yield from _purpose_faults(schedule, profile.purpose, where)


def _purpose_faults(schedule: o.Schedule, purpose: str, field: str) -> Iterator[Fault]:
    """What a purpose leaves no room for (2.1)."""
    if schedule.random_delay_s and purpose not in ("session", "session_default"):
        yield f"{field}.random_delay_s", "belongs to profiles for sessions alone"
    if purpose == "priority_charging" and schedule.duration_s is not None:
        yield f"{field}.duration_s", "priority lasts until it is given up"
    for n, period in enumerate(schedule.periods):
        modes = _MODES_OF_PURPOSE.get(purpose)
        if modes is not None and period.operation is not None and period.operation not in modes:
            yield f"{field}.periods.{n}.operation", f"{' or '.join(modes)} for {purpose}"


def _schedule_faults(schedule: o.Schedule, timing: str, field: str) -> Iterator[Fault]:
    if timing in ("absolute", "recurring") and schedule.starts_at is None:
        yield f"{field}.starts_at", f"is needed in {timing} profiles (K01.FR.40)"
    if timing == "dynamic" and schedule.starts_at is not None:
        yield f"{field}.starts_at", "a dynamic profile holds from when it is set"
    if timing == "relative" and schedule.starts_at is not None:
        yield f"{field}.starts_at", "a relative profile starts with the session (K01.FR.41)"
    if schedule.duration_s is not None and schedule.duration_s < 1:
        yield f"{field}.duration_s", "is at least 1"
    if schedule.min_rate is not None and schedule.min_rate < 0:
        yield f"{field}.min_rate", "is not negative"
    if not 1 <= len(schedule.periods) <= MOST_PERIODS:
        yield f"{field}.periods", f"1 to {MOST_PERIODS}"
    for n, period in enumerate(schedule.periods):
        where = f"{field}.periods.{n}"
        if n == 0 and period.start_s != 0:
            yield f"{where}.start_s", "the first period starts at 0 (K01.FR.31)"
        if n > 0 and period.start_s <= schedule.periods[n - 1].start_s:
            yield f"{where}.start_s", "periods are in the order of their starts (K01.FR.35)"
        if schedule.duration_s is not None and period.start_s >= schedule.duration_s > 0:
            yield f"{where}.start_s", "is before the schedule's end"
        yield from _period_faults(period, where)


def _period_faults(period: o.Period, field: str) -> Iterator[Fault]:
    yield from _sign_faults(period, field)
    if period.n_phases is not None and not 1 <= period.n_phases <= 3:
        yield f"{field}.n_phases", "1 to 3"
    if period.phase_to_use is not None and (period.n_phases != 1 or not 1 <= period.phase_to_use <= 3):
        yield f"{field}.phase_to_use", "1 to 3, where n_phases is 1 (K01.FR.19)"
    yield from _mode_faults(period, field)


def _mode_faults(period: o.Period, field: str) -> Iterator[Fault]:
    """Whether a period has what its mode of operation lives by, and nothing that it has no use for."""
    mode = period.operation or "charging_only"
    if period.operation is None:
        if all(value is None for value in (period.limit, period.setpoint, period.discharge_limit)):
            yield f"{field}.limit", "is needed"
    elif (needed := _NEEDED_IN_MODE.get(mode)) is not None and getattr(period, needed) in (None, ()):
        yield f"{field}.{needed}", f"is needed in mode {mode}"
    if period.operation == "charging_only" and period.discharge_limit:
        yield f"{field}.discharge_limit", "nothing flows back in mode charging_only"
    if period.operation is not None and period.setpoint is not None and not mode.startswith("central_"):
        yield f"{field}.setpoint", f"is not ours to give in mode {mode}"
    for curve, modes in _CURVES.items():
        if getattr(period, curve) and mode not in modes:
            yield f"{field}.{curve}", f"counts in mode {' or '.join(modes)} alone"


def _sign_faults(limits: o.Limits, field: str) -> Iterator[Fault]:
    for name in ("limit", "limit_l2", "limit_l3"):
        value = getattr(limits, name)
        if value is not None and value < 0:
            yield f"{field}.{name}", "is not negative"
    for name in ("discharge_limit", "discharge_limit_l2", "discharge_limit_l3"):
        value = getattr(limits, name)
        if value is not None and value > 0:
            yield f"{field}.{name}", "is not positive: discharging is negative"


def update_faults(limits: o.Limits) -> Iterator[Fault]:
    """What is wrong with new limits for a dynamic profile."""
    if all(getattr(limits, name) is None for name in limits.__struct_fields__):
        yield "limits", "none is given"
    yield from _sign_faults(limits, "limits")


def profile_faults_at(profile: o.ChargingProfile, features: Features, field: str = "profile") -> Iterator[Fault]:
    """What this station cannot hold, as far as it told."""
    most = features.most_stack_level
    if most is not None and profile.stack_level > most:
        yield f"{field}.stack_level", f"this station knows levels up to {most}"
    least = features.least_stack_level
    if least is not None and profile.stack_level < least:
        yield f"{field}.stack_level", f"this make of station takes levels from {least} on"
    yield from _version_faults(profile, features, field)
    for n, schedule in enumerate(profile.schedules):
        where = f"{field}.schedules.{n}"
        if features.rate_units and schedule.rate_unit not in features.rate_units:
            yield f"{where}.rate_unit", f"this station reckons in {' and '.join(sorted(features.rate_units))}"
        if features.most_periods is not None and len(schedule.periods) > features.most_periods:
            yield (
                f"{where}.periods",
                f"{len(schedule.periods)} periods, and this station takes {features.most_periods}",
            )


def _version_faults(profile: o.ChargingProfile, features: Features, field: str) -> Iterator[Fault]:
    version = features.version
    if version in (None, "2.1"):
        if profile.timing == "dynamic" and features.supports_dynamic is False:
            yield f"{field}.timing", "this station takes no dynamic profiles"
        return
    if profile.purpose in _NEW_PURPOSES:
        yield f"{field}.purpose", f"OCPP {version} has no charging profiles for {profile.purpose.replace('_', ' ')}"
    if profile.timing == "dynamic":
        yield f"{field}.timing", f"OCPP {version} has no dynamic charging profiles"
    if version == "1.6" and len(profile.schedules) != 1:
        yield f"{field}.schedules", "OCPP 1.6 takes one schedule in a profile"
    for n, schedule in enumerate(profile.schedules):
        for k, period in enumerate(schedule.periods):
            where = f"{field}.schedules.{n}.periods.{k}"
            if period.limit is None:
                yield f"{where}.limit", f"is needed in OCPP {version}"
            elif version == "1.6" and period.limit % _STEP:
                yield f"{where}.limit", "OCPP 1.6 takes one decimal"
            for name in ("discharge_limit", "setpoint"):
                if getattr(period, name) is not None:
                    yield f"{where}.{name}", f"OCPP {version} has none"
