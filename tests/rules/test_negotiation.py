"""What a car chose is within its limits or not; what stands is cut to what it can; whether energy may flow back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.smartcharging import negotiation, transfer
from ohmstead.smartcharging.model import Electric, EvScheduleReport, HeldProfile, Needs
from ohmstead.stations.orders import ChargingProfile, Period, Schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
AC = Electric(n_phases=3, max_power_w=Decimal(22_000))
BOTH_WAYS = Needs(is_dc=False, is_bidirectional=True, way="ac_bidirectional", max_discharge_w=Decimal(5000))


def period(start_s: int = 0, **values: Any) -> Period:
    exact = {name: Decimal(v) if isinstance(v, int) else v for name, v in values.items()}
    return Period(start_s=start_s, **exact)


def held(*periods: Period, unit: Any = "W", schedule: dict[str, Any] | None = None, **fields: Any) -> HeldProfile:
    whole: dict[str, Any] = {
        "profile_id": 1,
        "purpose": "session",
        "timing": "absolute",
        "transaction_id": "t",
        **fields,
    }
    one = Schedule(rate_unit=unit, periods=periods, starts_at=NOON, **(schedule or {}))
    profile = ChargingProfile(schedules=(one,), **whole)
    return HeldProfile(
        station_id="ST-1", evse_number=1, status="held", source="CSO", profile=profile, set_by="test", set_at=NOON
    )


def chosen(*periods: Period, unit: Any = "W", after_s: int = 60, **fields: Any) -> EvScheduleReport:
    schedule = Schedule(rate_unit=unit, periods=periods, duration_s=7200)
    at = NOON + timedelta(seconds=after_s)
    return EvScheduleReport(station_id="ST-1", evse_number=1, at=at, schedule=schedule, **fields)


def excess(wanted: EvScheduleReport, *profiles: HeldProfile) -> tuple[int, int, int] | None:
    found = negotiation.excess(wanted, profiles, AC, "t", NOON)
    return None if found is None else (found.at_s, int(found.wanted_w), int(found.allowed_w))


def test_a_car_may_choose_up_to_what_all_profiles_allow() -> None:
    steps = held(period(limit=11_000), period(3600, limit=4000))
    assert excess(chosen(period(limit=11_000), period(3540, limit=4000)), steps) is None
    # Seconds count from the car's own beginning, a minute later.
    assert excess(chosen(period(limit=11_000)), steps) == (3540, 11_000, 4000)
    station_max = held(period(limit=8000), purpose="station_max", transaction_id=None, profile_id=2)
    assert excess(chosen(period(limit=11_000)), steps, station_max) == (0, 11_000, 8000)
    assert excess(chosen(period(limit=22_000))) is None


def test_a_profile_that_is_on_its_way_anew_binds_and_one_that_was_never_held_does_not() -> None:
    on_its_way = msgspec.structs.replace(held(period(limit=4000)), status="sent")
    assert excess(chosen(period(limit=11_000)), on_its_way) is None
    again = msgspec.structs.replace(on_its_way, confirmed_at=NOON)
    assert excess(chosen(period(limit=11_000)), again) == (0, 11_000, 4000)
    refused = msgspec.structs.replace(again, status="refused")
    assert excess(chosen(period(limit=11_000)), refused) is None


def test_amperes_and_phases_are_watts() -> None:
    limit = held(period(limit=16), unit="A")
    assert excess(chosen(period(limit=11_040)), limit) is None
    assert excess(chosen(period(limit=17), unit="A"), limit) == (0, 11_730, 11_040)
    assert excess(chosen(period(limit=48, n_phases=1), unit="A"), limit) is None
    assert excess(chosen(period(limit=4000, limit_l2=4000, limit_l3=4000)), limit) == (0, 12_000, 11_040)
    assert excess(chosen(period(limit=16, limit_l2=16, limit_l3=17), unit="A"), limit) == (0, 11_270, 11_040)


def test_a_setpoint_bounds_what_is_taken_and_giving_back_leaves_nothing_to_take() -> None:
    assert excess(chosen(period(limit=5000)), held(period(setpoint=3000))) == (0, 5000, 3000)
    assert excess(chosen(period(limit=500)), held(period(setpoint=-3000))) == (0, 500, 0)
    assert excess(chosen(period(limit=5000)), held(period(operation="external_limits"))) is None


def test_a_promised_tolerance_counts_and_a_little_is_rounding() -> None:
    wide = held(period(limit=8000), schedule={"power_tolerance_w": Decimal(500)})
    assert excess(chosen(period(limit=8050)), wide) is None
    assert excess(chosen(period(limit=8400)), wide) == (0, 8400, 8000)
    assert excess(chosen(period(limit=8400), is_tolerance_accepted=True), wide) is None


watts = st.integers(-20_000, 20_000).map(Decimal)


@given(
    st.lists(watts, min_size=1, max_size=4), watts.map(abs), watts.map(abs), st.sampled_from(("A", "W")), st.booleans()
)
def test_nothing_renewed_is_more_than_the_car_takes_or_gives(
    setpoints: list[Decimal], takes_w: Decimal, gives_w: Decimal, unit: Any, may_flow_back: bool
) -> None:
    periods = [
        period(60 * n, setpoint=v, limit=abs(v), discharge_limit=-abs(v), setpoint_l2=v if n % 2 else None)
        for n, v in enumerate(setpoints)
    ]
    needs = Needs(is_dc=False, is_bidirectional=True, max_power_w=takes_w, max_discharge_w=gives_w)
    before = held(*periods, unit=unit).profile
    after = negotiation.renewed(before, needs, AC, may_flow_back=may_flow_back)
    per_unit = 1 if unit == "W" else 3 * 230
    for old, new in zip(before.schedules[0].periods, after.schedules[0].periods, strict=True):
        for name in ("limit", "discharge_limit", "setpoint", "setpoint_l2"):
            was, is_now = getattr(old, name), getattr(new, name)
            if was is None:
                assert is_now is None
                continue
            assert is_now * per_unit <= takes_w
            assert is_now * per_unit >= (-gives_w if may_flow_back else 0)
            assert abs(is_now) <= abs(was)
            assert is_now * was >= 0
    roomy = Needs(is_dc=False, is_bidirectional=True, max_power_w=Decimal(10**8), max_discharge_w=Decimal(10**8))
    assert negotiation.renewed(before, roomy, AC, may_flow_back=True) == before


def test_a_plan_for_a_car_that_follows_us_is_what_it_begins_with() -> None:
    plan = held(period(limit=6), period(3600, limit=16), schedule={"duration_s": 7200}).profile
    now = negotiation.dynamic(plan)
    [schedule] = now.schedules
    assert (now.timing, schedule.starts_at, schedule.duration_s, schedule.periods) == (
        "dynamic",
        None,
        None,
        (period(limit=6),),
    )
    assert [p.operation for p in negotiation.charging_only(plan).schedules[0].periods] == ["charging_only"] * 2


@pytest.mark.parametrize(
    ("needs", "may_discharge", "ways", "answer", "flows_back"),
    [
        (Needs(is_dc=False, way="ac_three_phase"), None, None, "accepted", False),
        (BOTH_WAYS, None, None, "processing", False),
        (BOTH_WAYS, False, None, "refused", False),
        (BOTH_WAYS, True, None, "accepted", True),
        (BOTH_WAYS, False, ("ac_bidirectional",), "accepted", True),
        (BOTH_WAYS, True, ("ac_three_phase",), "refused", False),
        (Needs(is_dc=True, way="dc"), True, ("ac_three_phase",), "refused", False),
        (Needs(is_dc=False, control="dynamic"), True, None, "free", False),
        (Needs(is_dc=False, control="dynamic", departs_at=NOON), True, None, "accepted", False),
        (Needs(is_dc=False, control="dynamic", energy_wh=Decimal(1)), True, None, "accepted", False),
        (Needs(is_dc=False), True, None, "accepted", False),
    ],
)
def test_what_a_car_is_answered(needs: Needs, may_discharge: Any, ways: Any, answer: str, flows_back: bool) -> None:
    permission = transfer.Permission(may_discharge=may_discharge, ways=ways)
    found, reason = transfer.answer(needs, permission)
    assert (found, (reason is not None)) == (answer, answer == "refused")
    assert transfer.may_flow_back(needs, permission) is flows_back
