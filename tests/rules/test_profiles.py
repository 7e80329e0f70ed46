"""Charging profiles: what stations can hold, amperes and watts, what profiles add up to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.smartcharging import profiles
from ohmstead.smartcharging.model import Electric, HeldProfile
from ohmstead.stations.features import Features
from ohmstead.stations.orders import ChargingProfile, Period, Schedule, SetProfile
from ohmstead.stations.orders.charging import PowerPoint

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AC = Electric(n_phases=3, max_power_w=Decimal(22_000))


def profile(*limits: tuple[int, int | str], unit: str = "W", **given: Any) -> ChargingProfile:
    schedule = {name: given.pop(name) for name in ("starts_at", "duration_s") if name in given}
    timing = given.get("timing", "absolute")
    if timing in ("absolute", "recurring"):
        schedule.setdefault("starts_at", NOON)
    periods = tuple(Period(start_s=s, limit=Decimal(v)) for s, v in limits or ((0, 11_000),))
    whole = {"profile_id": 1, "purpose": "session_default", "timing": "absolute", **given}
    return ChargingProfile(schedules=(Schedule(rate_unit=unit, periods=periods, **schedule),), **whole)  # type: ignore[arg-type]


def held(one: ChargingProfile, evse_number: int = 1, status: Any = "held") -> HeldProfile:
    return HeldProfile(
        station_id="ST-1",
        evse_number=evse_number,
        status=status,
        source="CSO",
        profile=one,
        set_by="test",
        set_at=NOON,
    )


ABLE = Features(
    version="2.0.1",
    most_stack_level=5,
    rate_units=frozenset({"W", "A"}),
    most_periods=3,
    most_profiles=2,
    outlets={1: (), 2: ()},
)


def faults(one: ChargingProfile, evse_number: int, able: Features, others: Sequence[HeldProfile]) -> list[str]:
    order = SetProfile(evse_number=evse_number, profile=one)
    return [field for field, _ in profiles.faults(order, able, others, NOON)]


def test_one_that_fits_has_no_faults() -> None:
    assert faults(profile(), 1, ABLE, []) == []
    assert faults(profile(purpose="session", transaction_id="t"), 1, ABLE, []) == []
    assert faults(profile(purpose="station_max"), 0, ABLE, []) == []
    assert faults(profile(timing="relative"), 1, ABLE, []) == []
    assert faults(profile(timing="recurring", recurs="daily"), 0, ABLE, []) == []
    assert faults(profile(), 1, Features(), []) == []


@pytest.mark.parametrize(
    ("wrong", "evse_number", "field"),
    [
        (profile(stack_level=6), 1, "profile.stack_level"),
        (profile((0, 1), (60, 2), (120, 3), (180, 4)), 1, "profile.schedules.0.periods"),
        (profile((60, 1)), 1, "profile.schedules.0.periods.0.start_s"),
        (profile((0, 1), (60, 2), (60, 3)), 1, "profile.schedules.0.periods.2.start_s"),
        (profile((0, 1), (60, 2), duration_s=60), 1, "profile.schedules.0.periods.1.start_s"),
        (profile((0, -1)), 1, "profile.schedules.0.periods.0.limit"),
        (profile(), 3, "evse_number"),
        (profile(purpose="station_max"), 1, "evse_number"),
        (profile(purpose="station_max", timing="relative"), 0, "profile.timing"),
        (profile(purpose="session"), 1, "profile.transaction_id"),
        (profile(purpose="session", transaction_id="t"), 0, "evse_number"),
        (profile(transaction_id="t"), 1, "profile.transaction_id"),
        (profile(purpose="external"), 0, "profile.purpose"),
        (profile(purpose="priority_charging"), 1, "profile.purpose"),
        (profile(timing="recurring"), 1, "profile.recurs"),
        (profile(recurs="daily"), 1, "profile.recurs"),
        (profile(timing="recurring", recurs="daily", duration_s=86_401), 1, "profile.schedules.0.duration_s"),
        (profile(timing="dynamic"), 1, "profile.timing"),
        (profile(starts_at=None), 1, "profile.schedules.0.starts_at"),
        (profile(timing="relative", starts_at=NOON), 1, "profile.schedules.0.starts_at"),
        (profile(valid_from=NOON, valid_until=NOON), 1, "profile.valid_until"),
    ],
)
def test_one_that_the_station_would_refuse_is_refused_before(
    wrong: ChargingProfile, evse_number: int, field: str
) -> None:
    assert faults(wrong, evse_number, ABLE, []) == [field]


def test_a_station_that_takes_watts_only_is_not_sent_amperes() -> None:
    watts_only = msgspec.structs.replace(ABLE, rate_units=frozenset({"W"}))
    assert faults(profile((0, 16), unit="A"), 1, watts_only, []) == ["profile.schedules.0.rate_unit"]
    converted = profiles.in_unit(profile((0, 16), unit="A"), "W", AC)
    assert faults(converted, 1, watts_only, []) == []
    assert converted.schedules[0].periods[0].limit == 11_040


def in_mode(operation: str | None, **values: Any) -> ChargingProfile:
    one = profile()
    period = Period(start_s=0, operation=operation, **values)  # type: ignore[arg-type]
    return msgspec.structs.replace(one, schedules=(msgspec.structs.replace(one.schedules[0], periods=(period,)),))


CURVE = (PowerPoint(at=Decimal(50), power_w=Decimal(0)),)
ZERO, SOME = Decimal(0), Decimal(5000)


@pytest.mark.parametrize(
    ("operation", "values", "field"),
    [
        (None, {}, "limit"),
        (None, {"setpoint": SOME}, None),
        ("charging_only", {"limit": ZERO}, None),
        ("charging_only", {}, "limit"),
        ("charging_only", {"limit": SOME, "discharge_limit": -SOME}, "discharge_limit"),
        ("charging_only", {"limit": SOME, "setpoint": SOME}, "setpoint"),
        ("central_setpoint", {"setpoint": ZERO}, None),
        ("central_setpoint", {"limit": SOME}, "setpoint"),
        ("central_frequency", {"limit": SOME}, "setpoint"),
        ("central_frequency", {"setpoint": SOME, "power_over_signal": CURVE}, None),
        ("central_frequency", {"setpoint": SOME, "power_over_frequency": CURVE}, "power_over_frequency"),
        ("local_frequency", {"power_over_frequency": CURVE}, None),
        ("local_frequency", {}, "power_over_frequency"),
        ("external_setpoint", {"limit": SOME, "discharge_limit": -SOME}, None),
        ("external_setpoint", {"setpoint": SOME}, "setpoint"),
        ("external_limits", {}, None),
        ("local_load_balancing", {"setpoint": -SOME}, "setpoint"),
        ("local_load_balancing", {"power_over_signal": CURVE}, "power_over_signal"),
        ("idle", {}, None),
    ],
)
def test_a_mode_of_operation_has_what_it_lives_by(operation: str | None, values: dict[str, Any], field: str) -> None:
    expected = [] if field is None else [f"profile.schedules.0.periods.0.{field}"]
    assert faults(in_mode(operation, **values), 1, Features(version="2.1"), []) == expected


@pytest.mark.parametrize(
    ("wrong", "evse_number", "field"),
    [
        (in_mode("central_setpoint", setpoint=SOME), 1, None),
        (msgspec.structs.replace(in_mode("idle"), purpose="station_max"), 0, "periods.0.operation"),
        (msgspec.structs.replace(in_mode("idle"), purpose="local_generation"), 0, "periods.0.operation"),
        (msgspec.structs.replace(in_mode("external_limits"), purpose="local_generation"), 0, None),
        (profile(purpose="priority_charging", duration_s=60), 1, "duration_s"),
    ],
)
def test_a_purpose_leaves_room_for_some_modes_and_no_end(wrong: ChargingProfile, evse_number: int, field: str) -> None:
    expected = [] if field is None else [f"profile.schedules.0.{field}"]
    assert faults(wrong, evse_number, Features(version="2.1"), []) == expected


def test_only_sessions_begin_at_random() -> None:
    late = profile(purpose="station_max")
    late = msgspec.structs.replace(late, schedules=(msgspec.structs.replace(late.schedules[0], random_delay_s=60),))
    assert faults(late, 0, Features(version="2.1"), []) == ["profile.schedules.0.random_delay_s"]


def test_1_6_takes_one_schedule_one_decimal_and_no_new_purposes() -> None:
    old = msgspec.structs.replace(ABLE, version="1.6")
    assert faults(profile((0, "16.1"), unit="A"), 1, old, []) == []
    assert faults(profile((0, "16.15"), unit="A"), 1, old, []) == ["profile.schedules.0.periods.0.limit"]
    assert faults(profile(purpose="local_generation"), 0, old, []) == ["profile.purpose"]


def test_no_more_than_the_station_has_room_for() -> None:
    full = [held(profile(profile_id=n, stack_level=n)) for n in (2, 3)]
    assert faults(profile(), 1, ABLE, full) == ["profile.profile_id"]
    assert faults(profile(profile_id=2, stack_level=2), 1, ABLE, full) == []
    gone = [held(h.profile, status="cleared") for h in full]
    assert faults(profile(), 1, ABLE, gone) == []


def test_two_of_one_purpose_and_level_are_rivals_in_2_x_unless_their_times_are_apart() -> None:
    first = held(profile(profile_id=2, valid_until=NOON))
    assert faults(profile(), 1, ABLE, [first]) == ["profile.stack_level"]
    assert faults(profile(valid_from=NOON), 1, ABLE, [first]) == []
    assert faults(profile(), 2, ABLE, [first]) == []
    assert faults(profile(), 1, msgspec.structs.replace(ABLE, version="1.6"), [first]) == []


# ------------------------------------------------------------------------------------------ amperes and watts

amperes = st.decimals(0, 500, places=1)
electrics = st.builds(
    Electric,
    is_dc=st.booleans(),
    n_phases=st.sampled_from((1, 2, 3)),
    voltage_v=st.sampled_from((Decimal(230), Decimal(400))),
)


@given(amperes, electrics)
def test_amperes_come_back_from_watts_as_they_were(limit: Decimal, electric: Electric) -> None:
    assert profiles.to_amperes(profiles.to_watts(limit, electric), electric) == limit


@given(st.decimals(0, 500_000, places=0), electrics)
def test_watts_become_at_most_as_many_and_less_than_a_step_is_lost(limit: Decimal, electric: Electric) -> None:
    back = profiles.to_watts(profiles.to_amperes(limit, electric), electric)
    assert back <= limit < back + profiles.to_watts(profiles.STEP, electric)


def test_a_period_on_one_phase_counts_as_one() -> None:
    one_phase = ChargingProfile(
        profile_id=1,
        purpose="session_default",
        timing="relative",
        schedules=(Schedule(rate_unit="A", periods=(Period(start_s=0, limit=Decimal(16), n_phases=1),)),),
    )
    assert profiles.in_unit(one_phase, "W", AC).schedules[0].periods[0].limit == 3680


# ------------------------------------------------------------------------------------------ what they add up to


def steps(*found: HeldProfile, duration_s: int = 7200, **given: Any) -> list[tuple[int, Decimal | None]]:
    return [(p.start_s, p.limit) for p in profiles.expected(found, 1, AC, NOON, duration_s, **given)]


def test_the_highest_level_of_a_purpose_counts() -> None:
    low, high = profile((0, 11_000)), profile((0, 6000), profile_id=2, stack_level=1, duration_s=3600)
    assert steps(held(low), held(high)) == [(0, 6000), (3600, 11_000)]


def test_the_transactions_own_profile_stands_instead_of_the_default_and_the_stations_above_both() -> None:
    default = profile((0, 4000))
    own = profile((0, 11_000), (1800, 7000), profile_id=2, purpose="session", transaction_id="t")
    station = profile((0, 9000), profile_id=3, purpose="station_max")
    assert steps(held(default), held(own), transaction_id="t") == [(0, 11_000), (1800, 7000)]
    assert steps(held(default), held(own), transaction_id="other") == [(0, 4000)]
    assert steps(held(default), held(own), held(station, 0), transaction_id="t") == [(0, 9000), (1800, 7000)]


def test_a_day_later_a_daily_profile_says_the_same() -> None:
    night = profile(
        (0, 3000), timing="recurring", recurs="daily", starts_at=NOON - timedelta(days=3, hours=1), duration_s=7200
    )
    assert steps(held(night), duration_s=86_400) == [(0, 3000), (3600, None), (82_800, 3000)]


def test_a_relative_one_begins_with_the_transaction() -> None:
    ramp = profile((0, 2000), (1800, 8000), timing="relative")
    assert steps(held(ramp), transaction_at=NOON - timedelta(minutes=10)) == [(0, 2000), (1200, 8000)]
    assert steps(held(ramp)) == [(0, None)]


def test_what_is_not_held_or_elsewhere_does_not_count() -> None:
    assert steps(held(profile(), status="refused"), held(profile(profile_id=2), 2)) == [(0, None)]


def test_a_station_that_allows_more_than_it_was_told_is_found() -> None:
    ours = profiles.expected([held(profile((0, 6000), (3600, 9000)))], 1, AC, NOON, 7200)
    same = (Period(start_s=0, limit=Decimal(6000)), Period(start_s=3600, limit=Decimal(9000)))
    less = (Period(start_s=0, limit=Decimal(3000)),)
    more = (Period(start_s=0, limit=Decimal(22_000)),)
    assert profiles.differences(ours, same, 7200) == []
    assert profiles.differences(ours, less, 7200) == []
    assert profiles.differences(ours, more, 7200) == [(0, 6000, 22_000), (3600, 9000, 22_000)]


def test_a_step_is_seen_though_one_looks_from_between_two_seconds() -> None:
    found = profiles.expected([held(profile((0, 9000), (600, 4000)))], 1, AC, NOON + timedelta(milliseconds=400), 3600)
    assert [(p.start_s, p.limit) for p in found] == [(0, 9000), (600, 4000)]


def test_limits_of_single_phases_are_not_converted_and_direct_current_is_not_either() -> None:
    one = profile((0, 16), unit="A")
    able = Features(rate_units=frozenset({"W"}))
    assert profiles.as_taken(one, able, AC).schedules[0].periods[0].limit == 11_040
    assert profiles.as_taken(one, able, Electric(is_dc=True)) == one
    uneven = Schedule(
        rate_unit="A", starts_at=NOON, periods=(Period(start_s=0, limit=Decimal(16), limit_l2=Decimal(8)),)
    )
    apart = msgspec.structs.replace(one, schedules=(uneven,))
    assert profiles.as_taken(apart, able, AC) == apart
