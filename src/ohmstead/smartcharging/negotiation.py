"""A car answers our limits with a schedule of its own: is it within them; and what we offer when it asks anew. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from ohmstead.smartcharging import profiles
from ohmstead.smartcharging.model import Electric, EvScheduleReport, HeldProfile, Needs
from ohmstead.stations.orders import ChargingProfile, Period, Schedule
from ohmstead.stations.orders.form import RateUnit

TOLERANCE_W = Decimal(50)  # cars round to whole amperes or tens of watts
HORIZON_S = 86_400  # a schedule without an end is looked at for a day
_OF_ALL = ("limit", "discharge_limit", "setpoint")
_OF_A_PHASE = tuple(f"{name}_{phase}" for name in _OF_ALL for phase in ("l2", "l3"))
MOST_REJECTED = 3  # a car that keeps choosing too much is not asked for ever


class Excess(msgspec.Struct, frozen=True, kw_only=True):
    """The first second of a car's schedule at which it wants more than it may have; W."""

    at_s: int
    wanted_w: Decimal
    allowed_w: Decimal


def excess(
    chosen: EvScheduleReport,
    held: Sequence[HeldProfile],
    electric: Electric,
    transaction_id: str | None,
    transaction_at: datetime | None,
) -> Excess | None:
    """Where a car's schedule passes what all profiles at its outlet allow together; None: nowhere (K15).

    A profile that the station held and that is on its way anew counts as it will stand."""
    duration_s = min(chosen.schedule.duration_s or HORIZON_S, HORIZON_S)
    ours = [_judged_by(one, chosen.selected_schedule_id) for one in held]
    allowed = profiles.expected(
        ours,
        chosen.evse_number,
        electric,
        chosen.at,
        duration_s,
        transaction_id=transaction_id,
        transaction_at=transaction_at,
    )
    tolerance_w = max(TOLERANCE_W, _tolerance_w(ours, chosen, transaction_id))
    wanted = chosen.schedule.periods
    for at_s in sorted({p.start_s for p in (*wanted, *allowed) if 0 <= p.start_s < duration_s}):
        wanted_w = _wanted_w(wanted, at_s, chosen.schedule.rate_unit, electric)
        allowed_w = profiles.limit_at(allowed, at_s)
        if wanted_w is not None and allowed_w is not None and wanted_w > allowed_w + tolerance_w:
            return Excess(at_s=at_s, wanted_w=wanted_w, allowed_w=allowed_w)
    return None


def _judged_by(held: HeldProfile, selected_id: int | None) -> HeldProfile:
    """The profile with the schedule that the car chose out of it first; a setpoint is a limit for what is taken."""
    schedules = held.profile.schedules
    if held.profile.purpose == "session" and selected_id is not None:
        numbered = {s.schedule_id if s.schedule_id is not None else n: s for n, s in enumerate(schedules, 1)}
        schedules = (numbered.get(selected_id, schedules[0]),)
    first = msgspec.structs.replace(
        schedules[0],
        periods=tuple(msgspec.structs.replace(p, limit=_most(p)) for p in schedules[0].periods),
    )
    counts = "held" if held.status == "sent" and held.confirmed_at is not None else held.status
    return msgspec.structs.replace(
        held, status=counts, profile=msgspec.structs.replace(held.profile, schedules=(first,))
    )


def _most(period: Period) -> Decimal | None:
    """What a car may take in a period: its limit, or, without one, no more than its setpoint."""
    if period.limit is not None or period.setpoint is None:
        return period.limit
    return max(period.setpoint, Decimal(0))


def _tolerance_w(held: Sequence[HeldProfile], chosen: EvScheduleReport, transaction_id: str | None) -> Decimal:
    """How far from its profile a car may be that promised to keep to the profile's power tolerance."""
    if not chosen.is_tolerance_accepted:
        return Decimal(0)
    told = [h.profile.schedules[0].power_tolerance_w for h in held if h.profile.transaction_id == transaction_id]
    return max((one for one in told if one is not None), default=Decimal(0))


def _wanted_w(periods: Sequence[Period], at_s: int, unit: RateUnit, electric: Electric) -> Decimal | None:
    before = [p for p in periods if p.start_s <= at_s]
    if not before or before[-1].limit is None:
        return None
    period = before[-1]
    of_phases = [v for v in (period.limit, period.limit_l2, period.limit_l3) if v is not None]
    if unit == "W":
        return sum(of_phases, Decimal(0))
    if len(of_phases) > 1:
        return sum((profiles.to_watts(v, electric, 1) for v in of_phases), Decimal(0))
    return profiles.to_watts(of_phases[0], electric, period.n_phases)


# ------------------------------------------------------------------------------------------ what it is offered anew


def renewed(profile: ChargingProfile, needs: Needs, electric: Electric, *, may_flow_back: bool) -> ChargingProfile:
    """A profile that somebody decided on for this session, for a car that asks anew: the decision stands, but nothing
    in it is more than the car can take by what it told now, or give back, if it may."""
    takes_w = [w for w in (needs.max_power_w,) if w is not None]
    if needs.max_current_a is not None:
        takes_w.append(profiles.to_watts(needs.max_current_a, electric))
    gives_w = needs.max_discharge_w if may_flow_back else Decimal(0)
    return msgspec.structs.replace(
        profile,
        schedules=tuple(
            _within(schedule, min(takes_w, default=None), gives_w, electric) for schedule in profile.schedules
        ),
    )


def _within(schedule: Schedule, takes_w: Decimal | None, gives_w: Decimal | None, electric: Electric) -> Schedule:
    def clipped(period: Period) -> Period:
        # Watts of a period are those of all phases, unless it has values for single ones.
        n = 3 if any(getattr(period, name) is not None for name in _OF_A_PHASE) and schedule.rate_unit == "W" else 1
        values = {name: getattr(period, name) for name in (*_OF_ALL, *_OF_A_PHASE)}
        most = None if takes_w is None else _in_unit(takes_w, schedule.rate_unit, electric, period.n_phases) / n
        least = None if gives_w is None else -_in_unit(gives_w, schedule.rate_unit, electric, period.n_phases) / n
        return msgspec.structs.replace(period, **{name: _between(least, v, most) for name, v in values.items()})

    return msgspec.structs.replace(schedule, periods=tuple(clipped(p) for p in schedule.periods))


def _between(least: Decimal | None, value: Decimal | None, most: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    value = value if most is None else min(value, most)
    return value if least is None else max(value, least)


def _in_unit(watts: Decimal, unit: RateUnit, electric: Electric, n_phases: int | None) -> Decimal:
    return watts if unit == "W" else profiles.to_amperes(watts, electric, n_phases)


def charging_only(profile: ChargingProfile) -> ChargingProfile:
    """The plan for a car that could give energy back: it says that none is to flow that way."""
    return _each_period(profile, operation="charging_only")


def dynamic(profile: ChargingProfile) -> ChargingProfile:
    """A plan for a car that follows us from moment to moment: what the plan begins with, until it is told otherwise
    (K19)."""
    [schedule] = profile.schedules
    present = msgspec.structs.replace(schedule, starts_at=None, duration_s=None, periods=schedule.periods[:1])
    return msgspec.structs.replace(profile, timing="dynamic", schedules=(present,))


def _each_period(profile: ChargingProfile, **fields: object) -> ChargingProfile:
    schedules = tuple(
        msgspec.structs.replace(s, periods=tuple(msgspec.structs.replace(p, **fields) for p in s.periods))
        for s in profile.schedules
    )
    return msgspec.structs.replace(profile, schedules=schedules)
