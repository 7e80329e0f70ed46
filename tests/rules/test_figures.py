"""Numbers, spans and charts as people read them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ohmstead.ui import charts, figures

NOON = datetime(2026, 3, 11, 11, 0, tzinfo=UTC)
VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("wh", "text"),
    [
        (0, "0 kWh"),
        (1, "0.001 kWh"),
        (9870, "9.870 kWh"),
        (Decimal("27840"), "27.84 kWh"),
        (99_996, "100.0 kWh"),
        (513_700, "513.7 kWh"),
        (1_284_000, "1,284 kWh"),
        (145_400_000, "145.4 MWh"),
        (None, "– kWh"),
    ],
)
def test_energy_shows_the_digits_that_matter(wh: int | Decimal | None, text: str) -> None:
    assert " ".join(figures.energy(wh)) == text


@pytest.mark.parametrize(
    ("watts", "text"),
    [
        (0, "0 kW"),
        (3, "0 kW"),
        (3700, "3.70 kW"),
        (138_400, "138.4 kW"),
        (1_157_000, "1,157 kW"),
        (41_200_000, "41.20 MW"),
    ],
)
def test_power_keeps_to_kilowatts_until_it_is_many(watts: int, text: str) -> None:
    assert " ".join(figures.power(watts)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (40, "40 s"),
        (34 * 60, "34 min"),
        (9900, "2 h 45 min"),
        (7200, "2 h"),
        (273_600, "3 d 4 h"),
        (4e6, "46 d"),
    ],
)
def test_spans_show_their_two_largest_units(seconds: float, text: str) -> None:
    assert figures.span(seconds) == text


def test_a_time_today_needs_no_day() -> None:
    def short(at: datetime) -> str:
        return figures.clock(at, VIENNA, "short", NOON)

    assert short(NOON) == "12:00"
    assert short(NOON - timedelta(days=1)) == "10 Mar 12:00"
    assert short(NOON - timedelta(days=400)) == "04 Feb 2025 12:00"


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (3.2, 4), (94.9, 100), (100, 100), (101, 150), (0.93, 1.0), (6.8, 8)]
)
def test_an_axis_ends_on_a_round_number_above_the_value(value: float, top: float) -> None:
    found, step = charts.nice_top(value)
    assert found == pytest.approx(top)
    assert (found / step) == pytest.approx(round(found / step))


def test_times_on_an_axis_are_round_on_the_wall_of_its_zone() -> None:
    axis = charts.Axis(NOON.timestamp(), (NOON + timedelta(hours=24)).timestamp(), 0, 240)
    ticks = charts.time_ticks(axis, VIENNA, 8)
    assert [tick.text for tick in ticks] == [
        "12:00",
        "15:00",
        "18:00",
        "21:00",
        "00:00",
        "03:00",
        "06:00",
        "09:00",
        "12:00",
    ]
    assert [tick.text for tick in ticks if tick.is_day] == ["00:00"]


def test_the_day_of_summer_time_has_no_hour_that_does_not_exist() -> None:
    begin = datetime(2026, 3, 29, tzinfo=VIENNA)
    axis = charts.Axis(begin.timestamp(), (begin + timedelta(hours=6)).timestamp(), 0, 230)
    texts = [tick.text for tick in charts.time_ticks(axis, VIENNA, 8)]
    assert texts[:2] == ["00:00", "01:00"]
    places = [tick.at for tick in charts.time_ticks(axis, VIENNA, 8)]
    assert places == sorted(places)


def test_thinning_keeps_peaks_and_dips() -> None:
    points = [(float(x), 50.0) for x in range(10_000)]
    points[4321] = (4321.0, 99.0)
    points[7000] = (7000.0, 1.0)
    kept = charts.thinned(points, 100)
    assert len(kept) <= 104
    assert points[4321] in kept
    assert points[7000] in kept
    assert [x for x, _ in kept] == sorted(x for x, _ in kept)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (753, "753 B"),
        (2615, "2.6 kB"),
        (1 << 20, "1.0 MB"),
        (999_960, "1.0 MB"),
        (48_234_496, "48.2 MB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes_are_said_with_two_digits_that_matter(n_bytes: int | None, text: str) -> None:
    assert figures.size(n_bytes) == text
