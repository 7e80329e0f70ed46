"""What pricing takes of a session adds up to what the session delivered, wherever its meter was read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.sessions.model import ChargingPeriod
from ohmstead.sessions.pricing.pieces import stretches_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_energy_flows_when_the_register_says_so_not_evenly_over_the_period() -> None:
    period = ChargingPeriod(START, START + 60 * MINUTE, "charging", Decimal(12_000))
    points = [(START, Decimal(0)), (START + 10 * MINUTE, Decimal(9_000)), (START + 60 * MINUTE, Decimal(12_000))]
    found = stretches_of([period], points)
    assert [(one.ended_at - one.started_at, one.energy_wh) for one in found] == [
        (10 * MINUTE, Decimal(9_000)),
        (50 * MINUTE, Decimal(3_000)),
    ]


def test_a_current_holds_until_the_next_one() -> None:
    period = ChargingPeriod(START, START + 30 * MINUTE, "charging", Decimal(300))
    currents = [(START + 10 * MINUTE, Decimal(16)), (START + 20 * MINUTE, Decimal(48))]
    found = stretches_of([period], [], currents)
    assert [one.current_a for one in found] == [None, Decimal(16), Decimal(48)]
    assert [one.energy_wh for one in found] == [Decimal(100)] * 3


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 40_000)), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(-100, 20_000), st.integers(0, 9_000)), max_size=12),
)
def test_pieces_add_up_to_their_periods_also_where_the_register_disagrees(
    lengths: list[tuple[int, int]], readings: list[tuple[int, int]]
) -> None:
    periods, at = [], START
    for seconds, energy in lengths:
        periods.append(ChargingPeriod(at, at + timedelta(seconds=seconds), "charging", Decimal(energy)))
        at = periods[-1].ended_at
    total, points = Decimal(0), []
    for second, step in sorted(dict(readings).items()):
        total += step
        points.append((START + timedelta(seconds=second), total))
    found = stretches_of(periods, points)
    for period in periods:
        inside = [one for one in found if period.started_at <= one.started_at < period.ended_at]
        assert sum((one.energy_wh for one in inside), Decimal(0)) == period.energy_wh
        assert all(one.energy_wh >= 0 for one in inside)
        assert (inside[0].started_at, inside[-1].ended_at) == (period.started_at, period.ended_at)
