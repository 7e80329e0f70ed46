"""A plan delivers what the car asked for by its departure, and never passes a limit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from ohmstead.smartcharging import plan as plans
from ohmstead.smartcharging.model import Electric, Needs
from ohmstead.smartcharging.profiles import to_amperes, to_watts
from ohmstead.stations.features import Features
from ohmstead.stations.orders import Schedule

NOW = datetime(2026, 6, 1, 22, tzinfo=UTC)
AC = Electric(n_phases=3, max_power_w=Decimal(11_000))
DC = Electric(is_dc=True, n_phases=1, voltage_v=Decimal(400), max_power_w=Decimal(150_000))
units = st.sampled_from((frozenset(), frozenset({"A"}), frozenset({"W"}), frozenset({"A", "W"})))
limits = st.builds(Features, rate_units=units, most_periods=st.one_of(st.none(), st.integers(1, 5)))
needs = st.builds(
    Needs,
    is_dc=st.just(False),
    energy_wh=st.decimals(1, 80_000, places=0),
    departs_at=st.integers(60, 20 * 3600).map(lambda s: NOW + timedelta(seconds=s)),
    min_current_a=st.decimals(0, 6, places=0),
    max_current_a=st.decimals(6, 32, places=0),
    max_periods=st.one_of(st.none(), st.integers(1, 16)),
)


def watts(schedule: Schedule, electric: Electric) -> list[Decimal]:
    return [
        p.limit if schedule.rate_unit == "W" else to_watts(p.limit, electric, p.n_phases)
        for p in schedule.periods
        if p.limit is not None
    ]


@given(needs, limits, st.sampled_from(("flat", "late")))
def test_no_limit_is_passed(wanted: Needs, able: Features, shape: plans.Shape) -> None:
    made = plans.plan(wanted, AC, able, NOW, shape=shape)
    assert made is not None
    assert wanted.max_current_a is not None
    assert wanted.min_current_a is not None
    most = min(Decimal(11_000), to_watts(wanted.max_current_a, AC))
    least = to_watts(wanted.min_current_a, AC)
    assert all(least <= w <= most for w in watts(made, AC))
    assert not able.rate_units or made.rate_unit in able.rate_units
    assert len(made.periods) <= min(able.most_periods or 1024, wanted.max_periods or 1024)
    starts = [p.start_s for p in made.periods]
    assert starts[0] == 0
    assert starts == sorted(set(starts))


@given(needs, limits, st.sampled_from(("flat", "late")))
def test_the_energy_is_there_at_departure_if_it_can_be(wanted: Needs, able: Features, shape: plans.Shape) -> None:
    made = plans.plan(wanted, AC, able, NOW, shape=shape)
    assert made is not None
    assert wanted.energy_wh is not None
    assert wanted.departs_at is not None
    time_s = int((wanted.departs_at - NOW).total_seconds())
    assert wanted.max_current_a is not None
    most_w = min(Decimal(11_000), to_watts(wanted.max_current_a, AC))
    if made.rate_unit == "A":
        most_w = to_watts(to_amperes(most_w, AC), AC)
    assert plans.energy_wh(made, AC, time_s) >= min(wanted.energy_wh, most_w * time_s / 3600)


@given(needs)
def test_a_car_in_no_hurry_is_charged_gently(wanted: Needs) -> None:
    assert wanted.energy_wh is not None
    assert wanted.departs_at is not None
    hours = Decimal((wanted.departs_at - NOW).total_seconds()) / 3600
    mean_w = wanted.energy_wh / hours
    assert wanted.max_current_a is not None
    cap = min(Decimal(11_000), to_watts(wanted.max_current_a, AC))
    assume(wanted.max_periods != 1 and mean_w < cap / 2)
    made = plans.plan(wanted, AC, Features(rate_units=frozenset({"W"})), NOW)
    assert made is not None
    least = to_watts(wanted.min_current_a or Decimal(0), AC)
    assert watts(made, AC)[0] <= max(least, mean_w * Decimal("1.2") + 1)


def test_late_waits_as_long_as_it_can() -> None:
    wanted = Needs(
        is_dc=False, energy_wh=Decimal(11_000), departs_at=NOW + timedelta(hours=10), max_current_a=Decimal(32)
    )
    made = plans.plan(wanted, AC, Features(rate_units=frozenset({"W"})), NOW, shape="late")
    assert made is not None
    assert [(p.start_s, p.limit) for p in made.periods] == [(0, 0), (8 * 3600, 11_000)]


def test_without_a_departure_everything_goes() -> None:
    made = plans.plan(Needs(is_dc=False, energy_wh=Decimal(20_000), max_current_a=Decimal(10)), AC, Features(), NOW)
    assert made is not None
    assert (made.rate_unit, [(p.start_s, p.limit) for p in made.periods]) == ("A", [(0, 10)])


def test_direct_current_is_planned_in_watts_within_current_and_power() -> None:
    wanted = Needs(is_dc=True, max_current_a=Decimal(300), voltage_v=Decimal(400), max_power_w=Decimal(100_000))
    made = plans.plan(wanted, DC, Features(), NOW)
    assert made is not None
    assert (made.rate_unit, made.periods[0].limit) == ("W", 100_000)


def test_a_car_that_needs_more_than_the_outlet_has_gets_no_plan() -> None:
    assert plans.plan(Needs(is_dc=False, min_current_a=Decimal(32)), AC, Features(), NOW) is None
