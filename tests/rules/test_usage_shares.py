"""What a session gives to each hour, and the spans of days that reports are about."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.reports.usage import periods
from ohmstead.reports.usage.periods import UsagePeriod
from ohmstead.reports.usage.shares import Counted, Share, Stretch, shares

VIENNA, KOLKATA = ZoneInfo("Europe/Vienna"), ZoneInfo("Asia/Kolkata")
ZONES = [VIENNA, KOLKATA, ZoneInfo("UTC"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("America/St_Johns")]
instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@st.composite
def sessions(draw: st.DrawFn) -> Counted:
    begin = draw(instants)
    spans = draw(st.lists(st.integers(0, 30_000), max_size=5))
    at, stretches = begin, []
    for span in spans:
        energy = draw(st.decimals(0, 50_000, places=2))
        stretches.append(Stretch(at, at + timedelta(seconds=span), energy))
        at += timedelta(seconds=span)
    at += timedelta(seconds=draw(st.integers(0, 90_000)))
    total = sum((s.energy_wh for s in stretches), Decimal(0)) if stretches else draw(st.decimals(0, 90_000, places=1))
    zone = draw(st.sampled_from(ZONES))
    return Counted(
        started_at=begin, ended_at=at, energy_wh=total, charging_s=sum(spans), zone=zone, stretches=stretches
    )


@given(sessions())
def test_nothing_is_lost_and_every_second_is_in_its_hour(session: Counted) -> None:
    found = shares(session)
    took_s = (session.ended_at - session.started_at).total_seconds()
    assert sum(s.delivered_wh for s in found) == sum(s.energy_wh for s in found) == session.energy_wh
    assert sum(s.plug_s for s in found) == sum(s.duration_s for s in found) == round(took_s)
    assert [s.n_sessions for s in found] == [1] + [0] * (len(found) - 1)
    assert len({s.hour_at for s in found}) == len(found)
    for share in found:
        assert share.plug_s >= 0
        assert share.delivered_wh >= 0
        local = share.hour_at.astimezone(session.zone)
        assert local.replace(tzinfo=None) == share.wall_at or session.zone.key.endswith("Lord_Howe")
    # Independently: look at the wall every minute and a half.
    seen: Counter[datetime] = Counter()
    steps = int(took_s // 90)
    for n in range(steps):
        local = (session.started_at + timedelta(seconds=90 * n + 45)).astimezone(session.zone)
        seen[local.replace(minute=0, second=0, microsecond=0, tzinfo=None, fold=0)] += 90
    by_wall: Counter[datetime] = Counter()
    for share in found:
        by_wall[share.wall_at] += share.plug_s
    for wall, expected in seen.items():
        assert abs(by_wall[wall] - expected) <= 270, wall


def session_from(begin: str, end: str, wh: int, zone: ZoneInfo = VIENNA) -> list[Share]:
    return shares(
        Counted(
            started_at=datetime.fromisoformat(begin),
            ended_at=datetime.fromisoformat(end),
            energy_wh=Decimal(wh),
            charging_s=0,
            zone=zone,
        )
    )


def test_the_two_equal_hours_of_autumn_stay_two() -> None:
    found = session_from("2026-10-25T00:30:00+00:00", "2026-10-25T02:30:00+00:00", 8000)
    assert [(s.hour_at.hour, s.wall_at.hour, s.plug_s, s.delivered_wh) for s in found] == [
        (0, 2, 1800, 2000),
        (1, 2, 3600, 4000),
        (2, 3, 1800, 2000),
    ]


def test_where_the_clock_stands_half_an_hour_off_hours_begin_at_half_past() -> None:
    found = session_from("2026-03-01T18:00:00+00:00", "2026-03-01T19:00:00+00:00", 1000, KOLKATA)
    assert [(s.wall_at.isoformat(), s.plug_s) for s in found] == [
        ("2026-03-01T23:00:00", 1800),
        ("2026-03-02T00:00:00", 1800),
    ]


def test_a_session_from_a_wrong_clock_is_no_half_million_hours() -> None:
    found = session_from("1970-01-01T00:00:00+00:00", "2026-03-01T00:00:00+00:00", 5000)
    assert len(found) == 31 * 24
    assert sum(s.delivered_wh for s in found) == 5000
    assert found[0].duration_s > 50 * 365 * 86400


@pytest.mark.parametrize(
    ("kind", "first", "last", "before", "year"),
    [
        ("day", "2026-03-11", "2026-03-11", "2026-03-10", "2025-03-12"),
        ("week", "2026-03-09", "2026-03-15", "2026-03-02", "2025-03-10"),
        ("month", "2026-03-01", "2026-03-31", "2026-02-01", "2025-03-01"),
        ("year", "2026-01-01", "2026-12-31", "2025-01-01", "2025-01-01"),
    ],
)
def test_periods_of_the_calendar(kind: periods.Kind, first: str, last: str, before: str, year: str) -> None:
    period = periods.of_kind(kind, date(2026, 3, 11))
    assert (str(period.first), str(period.last)) == (first, last)
    assert str(periods.before(period).first) == before
    assert str(periods.a_year_before(period).first) == year
    assert periods.after(periods.before(period)) == period
    assert periods.recognised(periods.between(period.first, period.last)) == period


def test_a_month_that_is_not_over_is_compared_with_as_many_days() -> None:
    march = periods.of_kind("month", date(2026, 3, 1))
    assert periods.compared(march, "before", date(2026, 3, 11)) == UsagePeriod(
        "month", date(2026, 2, 1), date(2026, 2, 11)
    )
    assert periods.compared(march, "before", date(2026, 3, 30)) == UsagePeriod(
        "month", date(2026, 2, 1), date(2026, 2, 28)
    )
    assert periods.compared(march, "before", date(2026, 5, 1)) == UsagePeriod(
        "month", date(2026, 2, 1), date(2026, 2, 28)
    )
    assert periods.compared(march, "none", date(2026, 5, 1)) is None
    leap = periods.between(date(2024, 2, 29), date(2024, 2, 29))
    assert periods.a_year_before(leap).first == date(2023, 2, 28)


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        (date(2026, 3, 2), date(2026, 3, 1), "ends before it begins"),
        (date(1999, 1, 1), date(1999, 1, 2), "must lie between"),
        (date(2010, 1, 1), date(2026, 1, 1), "longer than"),
    ],
)
def test_spans_that_are_none_are_refused(first: date, last: date, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        periods.between(first, last)
