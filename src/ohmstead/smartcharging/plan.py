"""A plan for one car: the energy that it asked for by its departure, within what it, its outlet and its station can. Pure.

What the station leaves for the car comes from outside (sharing.ceiling): here it is a limit like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal, TypeAlias

import msgspec

from ohmstead.smartcharging.model import Electric, Needs
from ohmstead.smartcharging.profiles import STEP, to_amperes, to_watts
from ohmstead.stations.features import Features
from ohmstead.stations.orders import Period, Schedule
from ohmstead.stations.orders.form import RateUnit

Shape: TypeAlias = Literal["flat", "late"]
HOUR_S = 3600
DAY_S = 86_400
SPARE = Decimal("0.1")  # of the time is kept in hand: cars take less than they are offered, and drivers come early
_WHOLE = Decimal(1)


class _Span(msgspec.Struct, frozen=True):
    """A stretch of time with what may be drawn in it, in the schedule's unit. The last one has no end."""

    start_s: int
    end_s: int | None
    cap: Decimal


def plan(
    needs: Needs,
    electric: Electric,
    features: Features,
    now: datetime,
    *,
    shape: Shape = "flat",
    ceiling: Sequence[Period] = (),
) -> Schedule | None:
    """A schedule that begins at `now`; None when the car and the outlet have nothing in common.

    flat: as little power as does it in time; late: the car's minimum first, then all that goes. Without a departure, or
    when there is no time to lose, everything from the beginning. `ceiling`: steps in W that are never passed; where
    they leave less than the car's minimum, it waits.
    """
    unit = _unit(electric, features)
    floor, cap = _bounds(needs, electric, unit)
    if cap <= 0 or floor > cap:
        return None
    spans = _spans(ceiling, electric, unit, floor, cap)
    most = min(n for n in (features.most_periods, needs.max_periods, 1024) if n is not None)
    chosen = _chosen(needs, electric, unit, now, "flat" if most < 2 else shape, spans, floor)
    periods = tuple(_period(start_s, limit, electric) for start_s, limit in _fewer(_steps(chosen), most))
    return Schedule(rate_unit=unit, periods=periods, starts_at=now)


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
    return _up(floor_w, electric, unit), _down(cap_w, electric, unit)


def _spans(ceiling: Sequence[Period], electric: Electric, unit: RateUnit, floor: Decimal, cap: Decimal) -> list[_Span]:
    """The car's own bounds under the ceiling. Less than its minimum is nothing to a car."""
    spans: list[_Span] = []
    steps = [step for step in ceiling if step.start_s >= 0] or [Period(start_s=0)]
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        allowed = cap if step.limit is None else min(cap, _down(step.limit, electric, unit))
        end_s = following.start_s if following is not None else None
        spans.append(_Span(step.start_s, end_s, allowed if allowed >= floor else Decimal(0)))
    return spans


def _chosen(
    needs: Needs,
    electric: Electric,
    unit: RateUnit,
    now: datetime,
    shape: Shape,
    spans: Sequence[_Span],
    floor: Decimal,
) -> list[_Span]:
    """How much of each span is used."""
    if needs.energy_wh is None or needs.departs_at is None:
        return list(spans)
    left_s = (needs.departs_at - now) // timedelta(seconds=1)
    if left_s <= 0 or needs.energy_wh <= 0:
        return list(spans)
    time_s = Decimal(left_s) * (1 - SPARE)
    wanted = needs.energy_wh * HOUR_S / _watts(_WHOLE, electric, unit, None)  # unit × seconds
    if wanted >= sum(span.cap * _lasts(span, time_s) for span in spans):
        return list(spans)
    if shape == "late":
        return _late(wanted, spans, floor, time_s)
    rate = max(_flat_rate(wanted, spans, time_s), floor)
    rate = rate.quantize(_WHOLE if unit == "W" else STEP, ROUND_UP)
    # Whoever is still there when the plan is over may have all that goes.
    before = _until(spans, left_s)
    return [_Span(s.start_s, s.end_s, min(rate, s.cap)) for s in before] + _after(spans, left_s)


def _flat_rate(wanted: Decimal, spans: Sequence[_Span], time_s: Decimal) -> Decimal:
    """The least rate that, cut off by every span's cap, comes to what is wanted in time."""
    lasting = sorted((span.cap, _lasts(span, time_s)) for span in spans)
    below, open_s = Decimal(0), sum(lasts for _, lasts in lasting)
    for cap, lasts in lasting:
        if open_s > 0 and below + cap * open_s >= wanted:
            return (wanted - below) / open_s
        below += cap * lasts
        open_s -= lasts
    return max(cap for cap, _ in lasting)


def _late(wanted: Decimal, spans: Sequence[_Span], floor: Decimal, time_s: Decimal) -> list[_Span]:
    """The minimum until it is just early enough for all that goes."""
    missing = wanted - sum(min(floor, span.cap) * _lasts(span, time_s) for span in spans)
    begins_s = time_s
    for span in reversed(spans):
        gain, lasts = span.cap - min(floor, span.cap), _lasts(span, time_s)
        if missing <= 0:
            break
        used_s = min(missing / gain, lasts) if gain > 0 else lasts
        missing -= gain * used_s
        if lasts > 0:
            begins_s = min(Decimal(span.end_s), time_s) - used_s if span.end_s is not None else time_s - used_s
    at_s = int(begins_s.to_integral_value(ROUND_DOWN))
    early = [_Span(s.start_s, s.end_s, min(floor, s.cap)) for s in _until(spans, at_s)]
    return early + _after(spans, at_s)


def _lasts(span: _Span, time_s: Decimal) -> Decimal:
    """How much of a span lies before `time_s`."""
    ends_s = time_s if span.end_s is None else min(Decimal(span.end_s), time_s)
    return max(ends_s - span.start_s, Decimal(0))


def _until(spans: Sequence[_Span], at_s: int) -> list[_Span]:
    return [_Span(s.start_s, at_s if s.end_s is None else min(s.end_s, at_s), s.cap) for s in spans if s.start_s < at_s]


def _after(spans: Sequence[_Span], at_s: int) -> list[_Span]:
    return [_Span(max(s.start_s, at_s), s.end_s, s.cap) for s in spans if s.end_s is None or s.end_s > at_s]


def _steps(spans: Sequence[_Span]) -> list[tuple[int, Decimal]]:
    steps: list[tuple[int, Decimal]] = []
    for span in spans:
        if not steps or steps[-1][1] != span.cap:
            steps.append((span.start_s, span.cap))
    return steps


def _fewer(steps: list[tuple[int, Decimal]], most: int) -> list[tuple[int, Decimal]]:
    """At most so many steps: neighbours become the lower of the two, those first that lose least by it."""
    while len(steps) > most:
        ends = [*(start_s for start_s, _ in steps[1:]), steps[-1][0] + DAY_S]

        def lost(n: int, steps: list[tuple[int, Decimal]] = steps, ends: list[int] = ends) -> Decimal:
            higher = n if steps[n][1] > steps[n + 1][1] else n + 1
            return abs(steps[n][1] - steps[n + 1][1]) * (ends[higher] - steps[higher][0])

        n = min(range(len(steps) - 1), key=lost)
        joined = (steps[n][0], min(steps[n][1], steps[n + 1][1]))
        steps = [*steps[:n], joined, *steps[n + 2 :]]
    return steps


def _up(watts: Decimal, electric: Electric, unit: RateUnit) -> Decimal:
    if unit == "W":
        return watts.quantize(_WHOLE, ROUND_UP)
    amperes = to_amperes(watts, electric)
    return amperes if to_watts(amperes, electric) >= watts else amperes + STEP


def _down(watts: Decimal, electric: Electric, unit: RateUnit) -> Decimal:
    return watts.quantize(_WHOLE, ROUND_DOWN) if unit == "W" else to_amperes(watts, electric)


def _watts(limit: Decimal, electric: Electric, unit: RateUnit, n_phases: int | None) -> Decimal:
    return limit if unit == "W" else to_watts(limit, electric, n_phases)


def _period(start_s: int, limit: Decimal, electric: Electric) -> Period:
    n_phases = electric.n_phases if not electric.is_dc and electric.n_phases != 3 else None
    return Period(start_s=start_s, limit=limit, n_phases=n_phases)
