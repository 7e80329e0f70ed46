"""Charging profiles: what a station can hold, amperes and watts, and what profiles add up to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise

import msgspec

from ohmstead.smartcharging.model import Electric, HeldProfile, Limits
from ohmstead.stations.charging_orders import Profile, RateUnit, Schedule, SchedulePeriod

STEP = Decimal("0.1")  # 1.6 writes limits with at most one decimal, and no station needs more
_DAY_S = {"daily": 86_400, "weekly": 604_800}


def faults(profile: Profile, evse_number: int, limits: Limits, held: Sequence[HeldProfile]) -> list[str]:
    """Everything that keeps a station from taking a profile, as `field: rule`. Empty: send it."""
    found = [*_place_faults(profile, evse_number, limits), *_kind_faults(profile, limits)]
    for n, schedule in enumerate(profile.schedules):
        found += [f"schedules[{n}].{fault}" for fault in _schedule_faults(schedule, profile, limits)]
    if limits.max_stack_level is not None and profile.stack_level > limits.max_stack_level:
        found.append(f"stack_level: the station takes at most {limits.max_stack_level}")
    others = [h for h in held if h.status in ("held", "sent") and h.profile.profile_id != profile.profile_id]
    if limits.max_profiles is not None and len(others) >= limits.max_profiles:
        found.append(f"profile_id: the station holds {len(others)} profiles and takes {limits.max_profiles}")
    if limits.ocpp_version != "1.6":
        found += _rival_faults(profile, evse_number, others)
    return found


def _place_faults(profile: Profile, evse_number: int, limits: Limits) -> Iterable[str]:
    if evse_number > 0 and limits.evse_numbers and evse_number not in limits.evse_numbers:
        yield f"evse_number: the station has no EVSE {evse_number}"
    match profile.purpose:
        case "station_max" | "local_generation" if evse_number != 0:
            yield "evse_number: 0 for this purpose, it is for the whole station"
        case "tx" if evse_number == 0:
            yield "evse_number: the transaction's, for this purpose"
        case "external_constraints":
            yield "purpose: for the station's own energy manager to set"
        case "priority" | "local_generation" if limits.ocpp_version != "2.1":
            yield "purpose: OCPP 2.1 only"
    if profile.purpose == "tx" and not profile.transaction_id:
        yield "transaction_id: needed for this purpose"
    if profile.purpose != "tx" and profile.transaction_id:
        yield "transaction_id: for purpose tx only"


def _kind_faults(profile: Profile, limits: Limits) -> Iterable[str]:
    if profile.kind == "relative" and profile.purpose == "station_max":
        yield "kind: a limit of the whole station has nothing to be relative to"
    if profile.kind == "recurring" and profile.recurrency is None:
        yield "recurrency: needed for this kind"
    if profile.kind != "recurring" and profile.recurrency is not None:
        yield "recurrency: for kind recurring only"
    if profile.kind == "dynamic":
        if limits.ocpp_version != "2.1" or limits.supports_dynamic is False:
            yield "kind: the station takes no dynamic profiles"
        if len(profile.schedules) != 1 or len(profile.schedules[0].periods) != 1:
            yield "schedules: one schedule of one period, for this kind"
    if limits.ocpp_version == "1.6" and len(profile.schedules) != 1:
        yield "schedules: OCPP 1.6 takes one"
    if profile.valid_from and profile.valid_until and profile.valid_until <= profile.valid_from:
        yield "valid_until: must be after valid_from"


def _schedule_faults(schedule: Schedule, profile: Profile, limits: Limits) -> Iterable[str]:
    if limits.rate_units is not None and schedule.rate_unit not in limits.rate_units:
        yield f"rate_unit: the station takes {' and '.join(sorted(limits.rate_units))}"
    if limits.max_periods is not None and len(schedule.periods) > limits.max_periods:
        yield f"periods: the station takes at most {limits.max_periods}"
    if profile.kind in ("absolute", "recurring") and schedule.starts_at is None:
        yield "starts_at: needed for this kind"
    if profile.kind in ("relative", "dynamic") and schedule.starts_at is not None:
        yield "starts_at: not for this kind"
    starts = [p.start_s for p in schedule.periods]
    if starts[0] != 0:
        yield "periods[0].start_s: the first begins at 0"
    if any(later <= earlier for earlier, later in pairwise(starts)):
        yield "periods: each begins after the one before"
    if schedule.duration_s is not None and starts[-1] >= schedule.duration_s:
        yield "duration_s: the last period begins after the end"
    if profile.recurrency is not None and (schedule.duration_s or 0) > _DAY_S[profile.recurrency]:
        yield f"duration_s: longer than it recurs ({_DAY_S[profile.recurrency]} s)"
    for n, period in enumerate(schedule.periods):
        for fault in _period_faults(period, limits):
            yield f"periods[{n}].{fault}"


def _period_faults(period: SchedulePeriod, limits: Limits) -> Iterable[str]:
    if period.limit is not None and period.limit < 0:
        yield "limit: not below 0"
    if period.limit is None and limits.ocpp_version != "2.1":
        yield "limit: needed"
    if limits.ocpp_version == "1.6" and period.limit is not None and period.limit % STEP:
        yield "limit: OCPP 1.6 takes one decimal"
    if period.phase_to_use is not None and period.number_phases != 1:
        yield "phase_to_use: with number_phases 1 only"
    if (period.discharge_limit is not None or period.setpoint is not None) and limits.ocpp_version != "2.1":
        yield "discharge_limit: OCPP 2.1 only"
    if period.discharge_limit is not None and period.discharge_limit > 0:
        yield "discharge_limit: not above 0"


def _rival_faults(profile: Profile, evse_number: int, others: Sequence[HeldProfile]) -> Iterable[str]:
    """2.x refuses a second profile of one purpose and level at one EVSE at one time, where 1.6 replaces the first."""
    for other in others:
        one = other.profile
        if (one.purpose, one.stack_level, other.evse_number) != (profile.purpose, profile.stack_level, evse_number):
            continue
        if one.transaction_id == profile.transaction_id and _overlap(one, profile):
            yield f"stack_level: profile {one.profile_id} has this purpose and level there already"


def _overlap(one: Profile, other: Profile) -> bool:
    begins_before_end = one.valid_until is None or other.valid_from is None or other.valid_from < one.valid_until
    ends_after_begin = other.valid_until is None or one.valid_from is None or one.valid_from < other.valid_until
    return begins_before_end and ends_after_begin


# ------------------------------------------------------------------------------------------ amperes and watts


def to_watts(limit_a: Decimal, electric: Electric, number_phases: int | None = None) -> Decimal:
    """Amperes per phase → watts, exact."""
    return limit_a * electric.voltage_v * _phases(electric, number_phases)


def to_amperes(limit_w: Decimal, electric: Electric, number_phases: int | None = None) -> Decimal:
    """Watts → amperes per phase, down to a tenth: never more than was allowed."""
    return (limit_w / (electric.voltage_v * _phases(electric, number_phases))).quantize(STEP, ROUND_DOWN)


def _phases(electric: Electric, number_phases: int | None) -> int:
    return 1 if electric.is_dc else number_phases or electric.n_phases


def in_unit(profile: Profile, unit: RateUnit, electric: Electric) -> Profile:
    """The same profile in another unit; schedules that have it already stay as they are."""
    return msgspec.structs.replace(
        profile, schedules=tuple(_schedule_in_unit(s, unit, electric) for s in profile.schedules)
    )


def _schedule_in_unit(schedule: Schedule, unit: RateUnit, electric: Electric) -> Schedule:
    if schedule.rate_unit == unit:
        return schedule

    def convert(value: Decimal | None, number_phases: int | None) -> Decimal | None:
        if value is None:
            return None
        return to_watts(value, electric, number_phases) if unit == "W" else to_amperes(value, electric, number_phases)

    return msgspec.structs.replace(
        schedule,
        rate_unit=unit,
        min_rate=convert(schedule.min_rate, None),
        periods=tuple(
            msgspec.structs.replace(
                p,
                limit=convert(p.limit, p.number_phases),
                discharge_limit=convert(p.discharge_limit, p.number_phases),
                setpoint=convert(p.setpoint, p.number_phases),
            )
            for p in schedule.periods
        ),
    )


# ------------------------------------------------------------------------------------------ what they add up to


def expected(
    held: Sequence[HeldProfile],
    evse_number: int,
    electric: Electric,
    starts_at: datetime,
    duration_s: int,
    *,
    transaction_id: str | None = None,
    transaction_at: datetime | None = None,
) -> tuple[SchedulePeriod, ...]:
    """The limit in W that held profiles allow an EVSE, step by step; None where nothing limits it.

    Of each purpose the highest stack level that says something counts; the transaction's own profile stands instead of
    the default one; and the whole station's limit stands above both.
    """
    mine = [h for h in held if h.status == "held" and h.evse_number in (0, evse_number)]
    instants = {0}
    for one in mine:
        instants |= _changes(one.profile, starts_at, duration_s, transaction_at)
    periods: list[SchedulePeriod] = []
    for start_s in sorted(instants):
        at = starts_at + timedelta(seconds=start_s)
        limit_w = _limit_w(mine, electric, at, transaction_id, transaction_at)
        if not periods or periods[-1].limit != limit_w:
            periods.append(SchedulePeriod(start_s=start_s, limit=limit_w))
    return tuple(periods)


def _limit_w(
    held: Sequence[HeldProfile],
    electric: Electric,
    at: datetime,
    transaction_id: str | None,
    transaction_at: datetime | None,
) -> Decimal | None:
    by_purpose: dict[str, tuple[int, Decimal]] = {}
    for one in held:
        profile = one.profile
        if profile.purpose == "tx" and profile.transaction_id != transaction_id:
            continue
        value = _value_at(profile, electric, at, transaction_at)
        if value is None:
            continue
        best = by_purpose.get(profile.purpose)
        if best is None or profile.stack_level > best[0]:
            by_purpose[profile.purpose] = (profile.stack_level, value)
    if "tx" in by_purpose:
        by_purpose.pop("tx_default", None)
    return min((value for _, value in by_purpose.values()), default=None)


def _value_at(profile: Profile, electric: Electric, at: datetime, transaction_at: datetime | None) -> Decimal | None:
    if (profile.valid_from and at < profile.valid_from) or (profile.valid_until and at >= profile.valid_until):
        return None
    schedule = profile.schedules[0]
    begins = _begins(profile, schedule, at, transaction_at)
    if begins is None or at < begins:
        return None
    passed_s = (at - begins) / timedelta(seconds=1)
    if schedule.duration_s is not None and passed_s >= schedule.duration_s:
        return None
    period = [p for p in schedule.periods if p.start_s <= passed_s][-1]
    if period.limit is None:
        return None
    return period.limit if schedule.rate_unit == "W" else to_watts(period.limit, electric, period.number_phases)


def _begins(profile: Profile, schedule: Schedule, at: datetime, transaction_at: datetime | None) -> datetime | None:
    """When the schedule that counts at `at` began."""
    if profile.kind == "relative":
        return transaction_at
    if profile.kind == "dynamic" or schedule.starts_at is None:
        return profile.valid_from or at
    if profile.recurrency is None or at < schedule.starts_at:
        return schedule.starts_at
    every = timedelta(seconds=_DAY_S[profile.recurrency])
    return schedule.starts_at + (at - schedule.starts_at) // every * every


def _changes(profile: Profile, starts_at: datetime, duration_s: int, transaction_at: datetime | None) -> set[int]:
    """Seconds after `starts_at` at which the profile may say something else."""
    ends_at = starts_at + timedelta(seconds=duration_s)
    found = {at for at in (profile.valid_from, profile.valid_until) if at is not None}
    schedule = profile.schedules[0]
    offsets = [p.start_s for p in schedule.periods] + ([schedule.duration_s] if schedule.duration_s else [])
    begins = _begins(profile, schedule, starts_at, transaction_at)
    while begins is not None and begins < ends_at:
        found |= {begins + timedelta(seconds=offset) for offset in offsets}
        begins = begins + timedelta(seconds=_DAY_S[profile.recurrency]) if profile.recurrency else None
    return {int((at - starts_at) / timedelta(seconds=1)) for at in found if starts_at < at < ends_at}


def limit_at(periods: Sequence[SchedulePeriod], at_s: int) -> Decimal | None:
    """The limit of a list of periods at a second."""
    before = [p for p in periods if p.start_s <= at_s]
    return before[-1].limit if before else None


def differences(
    ours: Sequence[SchedulePeriod], theirs: Sequence[SchedulePeriod], duration_s: int, tolerance: Decimal = Decimal(50)
) -> list[tuple[int, Decimal | None, Decimal | None]]:
    """Where a station's composite schedule allows something else than we expect: second, our limit, its limit, in W.

    Where nothing of ours limits it, the station's own maximum is as good as any.
    """
    found: list[tuple[int, Decimal | None, Decimal | None]] = []
    for at_s in sorted({p.start_s for p in (*ours, *theirs) if p.start_s < duration_s}):
        our, their = limit_at(ours, at_s), limit_at(theirs, at_s)
        if our is None or (their is not None and abs(our - their) <= tolerance):
            continue
        if their is not None and their < our:
            continue  # it allows less, since something there limits it further
        found.append((at_s, our, their))
    return found
