"""Charging profiles: what stations can hold, amperes and watts, what profiles add up to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.smartcharging import profiles
from ohmstead.smartcharging.model import Electric, HeldProfile, Limits
from ohmstead.stations.charging_orders import Profile, Schedule, SchedulePeriod

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AC = Electric(n_phases=3, max_power_w=Decimal(22_000))


def profile(*limits: tuple[int, int | str], unit: str = "W", **given: Any) -> Profile:
    schedule = {name: given.pop(name) for name in ("starts_at", "duration_s") if name in given}
    kind = given.get("kind", "absolute")
    if kind in ("absolute", "recurring"):
        schedule.setdefault("starts_at", NOON)
    periods = tuple(SchedulePeriod(start_s=s, limit=Decimal(v)) for s, v in limits or ((0, 11_000),))
    whole = {"profile_id": 1, "purpose": "tx_default", "kind": "absolute", **given}
    return Profile(schedules=(Schedule(rate_unit=unit, periods=periods, **schedule),), **whole)  # type: ignore[arg-type]


def held(one: Profile, evse_number: int = 1, status: Any = "held") -> HeldProfile:
    return HeldProfile(
        station_id="ST-1",
        evse_number=evse_number,
        status=status,
        source="CSO",
        profile=one,
        set_by="test",
        set_at=NOON,
    )


def fields(found: list[str]) -> list[str]:
    return [fault.partition(":")[0] for fault in found]


LIMITS = Limits(
    ocpp_version="2.0.1",
    max_stack_level=5,
    rate_units=frozenset({"W", "A"}),
    max_periods=3,
    max_profiles=2,
    evse_numbers=frozenset({1, 2}),
)


def test_one_that_fits_has_no_faults() -> None:
    assert profiles.faults(profile(), 1, LIMITS, []) == []
    assert profiles.faults(profile(purpose="tx", transaction_id="t"), 1, LIMITS, []) == []
    assert profiles.faults(profile(purpose="station_max"), 0, LIMITS, []) == []
    assert profiles.faults(profile(kind="relative"), 1, LIMITS, []) == []
    assert profiles.faults(profile(kind="recurring", recurrency="daily"), 0, LIMITS, []) == []
    assert profiles.faults(profile(), 1, Limits(), []) == []


@pytest.mark.parametrize(
    ("wrong", "evse_number", "field"),
    [
        (profile(stack_level=6), 1, "stack_level"),
        (profile((0, 1), (60, 2), (120, 3), (180, 4)), 1, "schedules[0].periods"),
        (profile((60, 1)), 1, "schedules[0].periods[0].start_s"),
        (profile((0, 1), (60, 2), (60, 3)), 1, "schedules[0].periods"),
        (profile((0, 1), (60, 2), duration_s=60), 1, "schedules[0].duration_s"),
        (profile((0, -1)), 1, "schedules[0].periods[0].limit"),
        (profile(), 3, "evse_number"),
        (profile(purpose="station_max"), 1, "evse_number"),
        (profile(purpose="station_max", kind="relative"), 0, "kind"),
        (profile(purpose="tx"), 1, "transaction_id"),
        (profile(purpose="tx", transaction_id="t"), 0, "evse_number"),
        (profile(transaction_id="t"), 1, "transaction_id"),
        (profile(purpose="external_constraints"), 0, "purpose"),
        (profile(purpose="priority"), 1, "purpose"),
        (profile(kind="recurring"), 1, "recurrency"),
        (profile(recurrency="daily"), 1, "recurrency"),
        (profile(kind="recurring", recurrency="daily", duration_s=86_401), 1, "schedules[0].duration_s"),
        (profile(kind="dynamic"), 1, "kind"),
        (profile(starts_at=None), 1, "schedules[0].starts_at"),
        (profile(kind="relative", starts_at=NOON), 1, "schedules[0].starts_at"),
        (profile(valid_from=NOON, valid_until=NOON), 1, "valid_until"),
    ],
)
def test_one_that_the_station_would_refuse_is_refused_before(wrong: Profile, evse_number: int, field: str) -> None:
    assert fields(profiles.faults(wrong, evse_number, LIMITS, [])) == [field]


def test_a_station_that_takes_watts_only_is_not_sent_amperes() -> None:
    watts_only = msgspec.structs.replace(LIMITS, rate_units=frozenset({"W"}))
    assert fields(profiles.faults(profile((0, 16), unit="A"), 1, watts_only, [])) == ["schedules[0].rate_unit"]
    converted = profiles.in_unit(profile((0, 16), unit="A"), "W", AC)
    assert profiles.faults(converted, 1, watts_only, []) == []
    assert converted.schedules[0].periods[0].limit == 11_040


def test_1_6_takes_one_schedule_one_decimal_and_no_new_purposes() -> None:
    old = msgspec.structs.replace(LIMITS, ocpp_version="1.6")
    assert profiles.faults(profile((0, "16.1"), unit="A"), 1, old, []) == []
    assert fields(profiles.faults(profile((0, "16.15"), unit="A"), 1, old, [])) == ["schedules[0].periods[0].limit"]
    assert fields(profiles.faults(profile(purpose="local_generation"), 0, old, [])) == ["purpose"]


def test_no_more_than_the_station_has_room_for() -> None:
    full = [held(profile(profile_id=n, stack_level=n)) for n in (2, 3)]
    assert fields(profiles.faults(profile(), 1, LIMITS, full)) == ["profile_id"]
    assert profiles.faults(profile(profile_id=2, stack_level=2), 1, LIMITS, full) == []
    gone = [held(h.profile, status="cleared") for h in full]
    assert profiles.faults(profile(), 1, LIMITS, gone) == []


def test_two_of_one_purpose_and_level_are_rivals_in_2_x_unless_their_times_are_apart() -> None:
    first = held(profile(profile_id=2, valid_until=NOON))
    assert fields(profiles.faults(profile(), 1, LIMITS, [first])) == ["stack_level"]
    assert profiles.faults(profile(valid_from=NOON), 1, LIMITS, [first]) == []
    assert profiles.faults(profile(), 2, LIMITS, [first]) == []
    assert profiles.faults(profile(), 1, msgspec.structs.replace(LIMITS, ocpp_version="1.6"), [first]) == []


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
    one_phase = Profile(
        profile_id=1,
        purpose="tx_default",
        kind="relative",
        schedules=(Schedule(rate_unit="A", periods=(SchedulePeriod(start_s=0, limit=Decimal(16), number_phases=1),)),),
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
    own = profile((0, 11_000), (1800, 7000), profile_id=2, purpose="tx", transaction_id="t")
    station = profile((0, 9000), profile_id=3, purpose="station_max")
    assert steps(held(default), held(own), transaction_id="t") == [(0, 11_000), (1800, 7000)]
    assert steps(held(default), held(own), transaction_id="other") == [(0, 4000)]
    assert steps(held(default), held(own), held(station, 0), transaction_id="t") == [(0, 9000), (1800, 7000)]


def test_a_day_later_a_daily_profile_says_the_same() -> None:
    night = profile(
        (0, 3000), kind="recurring", recurrency="daily", starts_at=NOON - timedelta(days=3, hours=1), duration_s=7200
    )
    assert steps(held(night), duration_s=86_400) == [(0, 3000), (3600, None), (82_800, 3000)]


def test_a_relative_one_begins_with_the_transaction() -> None:
    ramp = profile((0, 2000), (1800, 8000), kind="relative")
    assert steps(held(ramp), transaction_at=NOON - timedelta(minutes=10)) == [(0, 2000), (1200, 8000)]
    assert steps(held(ramp)) == [(0, None)]


def test_what_is_not_held_or_elsewhere_does_not_count() -> None:
    assert steps(held(profile(), status="refused"), held(profile(profile_id=2), 2)) == [(0, None)]


def test_a_station_that_allows_more_than_it_was_told_is_found() -> None:
    ours = profiles.expected([held(profile((0, 6000), (3600, 9000)))], 1, AC, NOON, 7200)
    same = (SchedulePeriod(start_s=0, limit=Decimal(6000)), SchedulePeriod(start_s=3600, limit=Decimal(9000)))
    less = (SchedulePeriod(start_s=0, limit=Decimal(3000)),)
    more = (SchedulePeriod(start_s=0, limit=Decimal(22_000)),)
    assert profiles.differences(ours, same, 7200) == []
    assert profiles.differences(ours, less, 7200) == []
    assert profiles.differences(ours, more, 7200) == [(0, 6000, 22_000), (3600, 9000, 22_000)]
