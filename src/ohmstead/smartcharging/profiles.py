"""Charging profiles: what a station can hold, amperes and watts, and what profiles add up to. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import msgspec

from ohmstead.smartcharging.model import Electric, HeldProfile
from ohmstead.stations import rules
from ohmstead.stations.features import Features
from ohmstead.stations.orders import ChargingProfile, Limits, Period, Schedule, SetProfile
from ohmstead.stations.orders.form import RateUnit
from ohmstead.stations.profile_rules import RECURS_S, Fault

STEP = Decimal("0.1")  # 1.6 writes limits with at most one decimal, and no station needs more


def faults(order: SetProfile, features: Features, held: Sequence[HeldProfile], now: datetime) -> list[Fault]:
    """Everything that keeps a station from taking a profile: fields and rules. None: send it.

    What the order and the station tell is judged where every order is (stations.rules); here what others it holds.
    """
    found = list(rules.faults(order, features, now))
    profile = order.profile
    others = [h for h in held if h.status in ("held", "sent") and h.profile.profile_id != profile.profile_id]
    if features.most_profiles is not None and len(others) >= features.most_profiles:
        rule = f"the station holds {len(others)} profiles and takes {features.most_profiles}"
        found.append(("profile.profile_id", rule))
    if features.version != "1.6":
        found += _rival_faults(profile, order.evse_number, others)
    return found


def _rival_faults(profile: ChargingProfile, evse_number: int, others: Sequence[HeldProfile]) -> Iterator[Fault]:
    """2.x refuses a second profile of one purpose and level at one EVSE at one time, where 1.6 replaces the first."""
    for other in others:
        one = other.profile
        if (one.purpose, one.stack_level, other.evse_number) != (profile.purpose, profile.stack_level, evse_number):
            continue
        if one.transaction_id == profile.transaction_id and _overlap(one, profile):
            yield "profile.stack_level", f"profile {one.profile_id} has this purpose and level there already"


def _overlap(one: ChargingProfile, other: ChargingProfile) -> bool:
    begins_before_end = one.valid_until is None or other.valid_from is None or other.valid_from < one.valid_until
    ends_after_begin = other.valid_until is None or one.valid_from is None or one.valid_from < other.valid_until
    return begins_before_end and ends_after_begin


# ------------------------------------------------------------------------------------------ amperes and watts


def to_watts(limit_a: Decimal, electric: Electric, n_phases: int | None = None) -> Decimal:
    """Amperes per phase → watts, exact."""
    return limit_a * electric.voltage_v * _phases(electric, n_phases)


def to_amperes(limit_w: Decimal, electric: Electric, n_phases: int | None = None) -> Decimal:
    """Watts → amperes per phase, down to a tenth: never more than was allowed."""
    return (limit_w / (electric.voltage_v * _phases(electric, n_phases))).quantize(STEP, ROUND_DOWN)


def _phases(electric: Electric, n_phases: int | None) -> int:
    return 1 if electric.is_dc else n_phases or electric.n_phases


def in_unit(profile: ChargingProfile, unit: RateUnit, electric: Electric) -> ChargingProfile:
    """The same profile in another unit; schedules that have it already stay as they are, and those that cannot be said in
    another one: with limits for single phases, or for a state of charge.
    """
    return msgspec.structs.replace(
        profile, schedules=tuple(_schedule_in_unit(s, unit, electric) for s in profile.schedules)
    )


def _schedule_in_unit(schedule: Schedule, unit: RateUnit, electric: Electric) -> Schedule:
    if schedule.rate_unit == unit or _is_by_phase(schedule):
        return schedule

    def convert(value: Decimal | None, n_phases: int | None) -> Decimal | None:
        if value is None:
            return None
        return to_watts(value, electric, n_phases) if unit == "W" else to_amperes(value, electric, n_phases)

    return msgspec.structs.replace(
        schedule,
        rate_unit=unit,
        min_rate=convert(schedule.min_rate, None),
        periods=tuple(
            msgspec.structs.replace(
                p,
                limit=convert(p.limit, p.n_phases),
                discharge_limit=convert(p.discharge_limit, p.n_phases),
                setpoint=convert(p.setpoint, p.n_phases),
            )
            for p in schedule.periods
        ),
    )


def limits_of(profile: ChargingProfile) -> Limits:
    """What a dynamic profile says now."""
    present = profile.schedules[0].periods[0]
    return Limits(**{name: getattr(present, name) for name in Limits.__struct_fields__})


def updated(profile: ChargingProfile, limits: Limits, at: datetime | None) -> ChargingProfile:
    """A dynamic profile with other values in its one period; what `limits` does not give stays (2.1 K28)."""
    [schedule] = profile.schedules
    given = {name: value for name in Limits.__struct_fields__ if (value := getattr(limits, name)) is not None}
    periods = tuple(msgspec.structs.replace(p, **given) for p in schedule.periods)
    return msgspec.structs.replace(
        profile, schedules=(msgspec.structs.replace(schedule, periods=periods),), updated_at=at
    )


def _is_by_phase(schedule: Schedule) -> bool:
    return schedule.limit_at_soc is not None or any(
        value is not None and name.endswith(("_l2", "_l3", "_reactive"))
        for period in schedule.periods
        for name, value in msgspec.structs.asdict(period).items()
    )


def as_taken(profile: ChargingProfile, features: Features, electric: Electric) -> ChargingProfile:
    """A profile as a station takes it: in its unit, where it takes only one.

    Direct current has no voltage that could be known beforehand: there it stays as it is.
    """
    if len(features.rate_units) != 1 or electric.is_dc:
        return profile
    return in_unit(profile, "W" if "W" in features.rate_units else "A", electric)


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
) -> tuple[Period, ...]:
    """The limit in W that held profiles allow an EVSE, step by step; None where nothing limits it.

    Of each purpose the highest stack level that says something counts; the transaction's own profile stands instead of
    the default one; and the whole station's limit stands above both.
    """
    mine = [h for h in held if h.status == "held" and h.evse_number in (0, evse_number)]
    instants = {0}
    for one in mine:
        instants |= _changes(one.profile, starts_at, duration_s, transaction_at)
    periods: list[Period] = []
    for start_s in sorted(instants):
        at = starts_at + timedelta(seconds=start_s)
        limit_w = _limit_w(mine, electric, at, transaction_id, transaction_at)
        if not periods or periods[-1].limit != limit_w:
            periods.append(Period(start_s=start_s, limit=limit_w))
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
        if profile.purpose == "session" and profile.transaction_id != transaction_id:
            continue
        value = _value_at(profile, electric, at, transaction_at)
        if value is None:
            continue
        best = by_purpose.get(profile.purpose)
        if best is None or profile.stack_level > best[0]:
            by_purpose[profile.purpose] = (profile.stack_level, value)
    if "session" in by_purpose:
        by_purpose.pop("session_default", None)
    return min((value for _, value in by_purpose.values()), default=None)


def _value_at(
    profile: ChargingProfile, electric: Electric, at: datetime, transaction_at: datetime | None
) -> Decimal | None:
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
    return period.limit if schedule.rate_unit == "W" else to_watts(period.limit, electric, period.n_phases)


def _begins(
    profile: ChargingProfile, schedule: Schedule, at: datetime, transaction_at: datetime | None
) -> datetime | None:
    """When the schedule that counts at `at` began."""
    if profile.timing == "relative":
        return transaction_at
    if profile.timing == "dynamic" or schedule.starts_at is None:
        return profile.valid_from or at
    if profile.recurs is None or at < schedule.starts_at:
        return schedule.starts_at
    every = timedelta(seconds=RECURS_S[profile.recurs])
    return schedule.starts_at + (at - schedule.starts_at) // every * every


def _changes(
    profile: ChargingProfile, starts_at: datetime, duration_s: int, transaction_at: datetime | None
) -> set[int]:
    """Seconds after `starts_at` at which the profile may say something else."""
    ends_at = starts_at + timedelta(seconds=duration_s)
    found = {at for at in (profile.valid_from, profile.valid_until) if at is not None}
    schedule = profile.schedules[0]
    offsets = [p.start_s for p in schedule.periods] + ([schedule.duration_s] if schedule.duration_s else [])
    begins = _begins(profile, schedule, starts_at, transaction_at)
    while begins is not None and begins < ends_at:
        found |= {begins + timedelta(seconds=offset) for offset in offsets}
        begins = begins + timedelta(seconds=RECURS_S[profile.recurs]) if profile.recurs else None
    # Upwards: at the second before, the profile says what it said all along.
    return {math.ceil((at - starts_at) / timedelta(seconds=1)) for at in found if starts_at < at < ends_at}


def limit_at(periods: Sequence[Period], at_s: int) -> Decimal | None:
    """The limit of a list of periods at a second."""
    before = [p for p in periods if p.start_s <= at_s]
    return before[-1].limit if before else None


def differences(
    ours: Sequence[Period], theirs: Sequence[Period], duration_s: int, tolerance: Decimal = Decimal(50)
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
