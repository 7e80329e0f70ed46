"""Cars share a station: no plan passes what others leave, and a plan still does by departure what can be done."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.smartcharging import plan as plans
from ohmstead.smartcharging import sharing
from ohmstead.smartcharging.model import Electric, Needs
from ohmstead.smartcharging.profiles import limit_at
from ohmstead.stations.features import Features
from ohmstead.stations.orders import Period, Schedule

NOW = datetime(2026, 6, 1, 22, tzinfo=UTC)
AC = Electric(n_phases=3, max_power_w=Decimal(22_000))
watts = st.decimals(0, 25_000, places=0)
steps = st.lists(st.tuples(st.integers(1, 40_000), st.one_of(st.none(), watts)), max_size=4).map(
    lambda found: sharing._joined({0: Decimal(9000), **dict(found)})
)
needs = st.builds(
    Needs,
    is_dc=st.just(False),
    energy_wh=st.decimals(1, 80_000, places=0),
    departs_at=st.integers(60, 20 * 3600).map(lambda s: NOW + timedelta(seconds=s)),
    min_current_a=st.sampled_from((Decimal(0), Decimal(6))),
    max_current_a=st.decimals(6, 32, places=0),
)
shapes = st.sampled_from(("flat", "late"))
units = st.sampled_from((frozenset({"A"}), frozenset({"W"})))
EVERY = range(0, 90_000, 500)


def in_watts(schedule: Schedule) -> tuple[Period, ...]:
    return sharing.steps_of(schedule, AC, NOW, NOW)


def energy_wh(allowed: Sequence[Period], until_s: int) -> Decimal:
    """Of steps in W, none of which is None."""
    bare = Schedule(rate_unit="W", periods=tuple(allowed))
    return plans.energy_wh(bare, AC, until_s)


@given(st.lists(needs, min_size=1, max_size=5), watts, steps, shapes, units)
def test_cars_that_are_planned_one_after_the_other_never_pass_the_station(
    cars: list[Needs], most: Decimal, outside: tuple[Period, ...], shape: plans.Shape, unit: frozenset[str]
) -> None:
    whole = [sharing.steady(most), outside]
    taken: list[tuple[Period, ...]] = []
    for car in cars:
        room = sharing.ceiling([], whole, taken)
        made = plans.plan(car, AC, Features(rate_units=unit), NOW, shape=shape, ceiling=room)
        assert made is not None
        taken.append(in_watts(made))
    limits = sharing.tightest(whole)
    instants = {*EVERY, *(p.start_s for one in (limits, *taken) for p in one)}
    for at_s in instants:
        limit = limit_at(limits, at_s)
        assert limit is None or sum(limit_at(one, at_s) or 0 for one in taken) <= limit


@given(needs, steps, shapes)
def test_what_can_be_had_by_departure_is_there(car: Needs, outside: tuple[Period, ...], shape: plans.Shape) -> None:
    made = plans.plan(car, AC, Features(rate_units=frozenset({"W"})), NOW, shape=shape, ceiling=outside)
    greedy = plans.plan(
        Needs(is_dc=False, min_current_a=car.min_current_a, max_current_a=car.max_current_a),
        AC,
        Features(rate_units=frozenset({"W"})),
        NOW,
        ceiling=outside,
    )
    assert made is not None
    assert greedy is not None
    assert car.energy_wh is not None
    assert car.departs_at is not None
    time_s = int((car.departs_at - NOW).total_seconds())
    most = plans.energy_wh(greedy, AC, int(time_s * (1 - plans.SPARE)))
    # What is rounded down to whole seconds and watts.
    slack = Decimal(10)
    assert energy_wh(in_watts(made), time_s) >= min(car.energy_wh, most) - slack
    assert all(period.limit == 0 or period.limit >= (car.min_current_a or 0) * 690 for period in made.periods)


@given(needs, steps, st.integers(1, 3), shapes)
def test_few_periods_are_never_more_than_many(
    car: Needs, outside: tuple[Period, ...], most: int, shape: plans.Shape
) -> None:
    able = Features(rate_units=frozenset({"W"}), most_periods=most)
    made = plans.plan(car, AC, able, NOW, shape=shape, ceiling=outside)
    assert made is not None
    assert len(made.periods) <= most
    for at_s in EVERY:
        limit = limit_at(outside, at_s)
        assert limit is None or (limit_at(made.periods, at_s) or 0) <= limit


def test_a_schedule_goes_on_from_now_and_limits_nothing_outside_itself() -> None:
    told = Schedule(
        rate_unit="A",
        periods=(Period(start_s=0, limit=Decimal(16)), Period(start_s=3600, limit=Decimal(10), n_phases=1)),
        starts_at=NOW - timedelta(minutes=30),
        duration_s=7200,
    )
    found = [(p.start_s, p.limit) for p in sharing.steps_of(told, AC, NOW, NOW)]
    assert found == [(0, 11_040), (1800, 2300), (5400, None)]
    later = sharing.steps_of(told, AC, NOW, NOW - timedelta(hours=1))
    assert [(p.start_s, p.limit) for p in later][:2] == [(0, None), (1800, 11_040)]


def test_a_car_that_nothing_limits_leaves_nothing() -> None:
    free = sharing.steady(None)
    assert sharing.room(sharing.steady(Decimal(11_000)), [free])[0].limit == 0
    assert sharing.room(free, [sharing.steady(Decimal(11_000))])[0].limit is None
