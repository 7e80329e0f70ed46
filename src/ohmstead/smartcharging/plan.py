"""A plan for one car: the energy that it asked for by its departure, within what it and its outlet can. Pure.

It looks at nobody else: sharing power between cars is the load management's.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal, TypeAlias

from ohmstead.smartcharging.model import Electric, Needs
from ohmstead.smartcharging.profiles import STEP, to_amperes, to_watts
from ohmstead.stations.features import Features
from ohmstead.stations.orders import Period, Schedule
from ohmstead.stations.orders.form import RateUnit

Shape: TypeAlias = Literal["flat", "late"]
HOUR_S = 3600
SPARE = Decimal("0.1")  # of the time is kept in hand: cars take less than they are offered, and drivers come early
_WHOLE = Decimal(1)


def plan(
    needs: Needs, electric: Electric, features: Features, now: datetime, *, shape: Shape = "flat"
) -> Schedule | None:
    """A schedule that begins at `now`; None when the car and the outlet have nothing in common.

    flat: as little power as does it in time; late: the car's minimum first, then all that goes. Without a departure, or
    when there is no time to lose, everything from the beginning.
    """
    unit = _unit(electric, features)
    floor, cap = _bounds(needs, electric, unit)
    if cap <= 0 or floor > cap:
        return None
    periods = _periods(needs, electric, features, now, shape, unit, floor, cap)
    return Schedule(rate_unit=unit, periods=tuple(periods), starts_at=now)


def energy_wh(schedule: Schedule, electric: Electric, until_s: Decimal | int) -> Decimal:
    """What a schedule allows in its first `until_s` seconds."""
    total = Decimal(0)
    for period, following in zip(schedule.periods, [*schedule.periods[1:], None], strict=True):
        ends_s = min(Decimal(following.start_s) if following is not None else Decimal(until_s), Decimal(until_s))
        if period.limit is not None and ends_s > period.start_s:
            total += _watts(period.limit, electric, schedule.rate_unit, period.n_phases) * (ends_s - period.start_s)
    return total / HOUR_S


def _unit(electric: Electric, features: Features) -> RateUnit:
    """Watts for direct current, and wherever the station takes them."""
    if features.rate_units == frozenset({"A"}):
        return "A"
    return "W" if electric.is_dc or features.rate_units else "A"


def _bounds(needs: Needs, electric: Electric, unit: RateUnit) -> tuple[Decimal, Decimal]:
    """The least and the most that may be allowed, in the schedule's unit."""
    most_w = [w for w in (needs.max_power_w, electric.max_power_w) if w is not None]
    if needs.max_current_a is not None:
        most_w.append(to_watts(needs.max_current_a, electric))
    cap_w = min(most_w, default=to_watts(Decimal(16), electric))
    floor_w = max(
        needs.min_power_w or Decimal(0),
        to_watts(needs.min_current_a, electric) if needs.min_current_a is not None else Decimal(0),
    )
    if unit == "W":
        return floor_w.quantize(_WHOLE, ROUND_UP), cap_w.quantize(_WHOLE, ROUND_DOWN)
    return _amperes_up(floor_w, electric), to_amperes(cap_w, electric)


def _periods(
    needs: Needs,
    electric: Electric,
    features: Features,
    now: datetime,
    shape: Shape,
    unit: RateUnit,
    floor: Decimal,
    cap: Decimal,
) -> list[Period]:
    everything = [_period(0, cap, electric)]
    if needs.energy_wh is None or needs.departs_at is None:
        return everything
    left_s = Decimal((needs.departs_at - now) // timedelta(seconds=1))
    if left_s <= 0 or needs.energy_wh <= 0:
        return everything
    time_s = left_s * (1 - SPARE)
    cap_w = _watts(cap, electric, unit, None)
    needed_w = needs.energy_wh * HOUR_S / time_s
    n_periods = min(n for n in (features.most_periods, needs.max_periods, 1024) if n is not None)
    if needed_w >= cap_w or n_periods < 2:
        return everything if needed_w >= cap_w else [_period(0, _rate(needed_w, electric, unit, floor, cap), electric)]
    if shape == "late":
        return _late(needs.energy_wh, electric, unit, floor, cap, time_s)
    rate = _rate(needed_w, electric, unit, floor, cap)
    # Whoever is still there when the plan is over may have all that goes.
    return [_period(0, rate, electric), _period(int(left_s), cap, electric)]


def _late(
    wanted_wh: Decimal, electric: Electric, unit: RateUnit, floor: Decimal, cap: Decimal, time_s: Decimal
) -> list[Period]:
    """The minimum until it is just early enough for all that goes."""
    low_w, high_w = _watts(floor, electric, unit, None), _watts(cap, electric, unit, None)
    if low_w >= high_w:
        return [_period(0, cap, electric)]
    full_s = (wanted_wh * HOUR_S - low_w * time_s) / (high_w - low_w)
    begins_s = int((time_s - max(full_s, Decimal(0))).to_integral_value(ROUND_DOWN))
    if begins_s <= 0:
        return [_period(0, cap, electric)]
    return [_period(0, floor, electric), _period(begins_s, cap, electric)]


def _rate(needed_w: Decimal, electric: Electric, unit: RateUnit, floor: Decimal, cap: Decimal) -> Decimal:
    needed = needed_w.quantize(_WHOLE, ROUND_UP) if unit == "W" else _amperes_up(needed_w, electric)
    return min(max(needed, floor), cap)


def _amperes_up(watts: Decimal, electric: Electric) -> Decimal:
    amperes = to_amperes(watts, electric)
    return amperes if to_watts(amperes, electric) >= watts else amperes + STEP


def _watts(limit: Decimal, electric: Electric, unit: RateUnit, n_phases: int | None) -> Decimal:
    return limit if unit == "W" else to_watts(limit, electric, n_phases)


def _period(start_s: int, limit: Decimal, electric: Electric) -> Period:
    n_phases = electric.n_phases if not electric.is_dc and electric.n_phases != 3 else None
    return Period(start_s=start_s, limit=limit, n_phases=n_phases)
