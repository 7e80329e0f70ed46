"""How far a station's clock is off, by what it told."""

from datetime import UTC, datetime, timedelta

from ohmstead.stations.device.timekeeping import instant_in, is_off, offset

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(seconds: float) -> tuple[datetime, datetime]:
    return NOW - timedelta(seconds=seconds), NOW


def test_a_station_that_tells_no_time_is_not_called_wrong() -> None:
    assert offset([]) is None
    assert not is_off(None)


def test_what_was_kept_while_offline_does_not_make_a_clock_slow() -> None:
    assert offset([ago(7200), ago(3600), ago(2)]) == timedelta(seconds=-2)


def test_a_clock_is_off_by_more_than_a_minute_either_way() -> None:
    assert not is_off(offset([ago(60)]))
    assert is_off(offset([ago(61), ago(300)]))
    assert is_off(offset([ago(-90)]))


def test_times_are_read_as_stations_write_them() -> None:
    assert instant_in("2026-03-01T12:00:00Z") == NOW
    assert instant_in("2026-03-01T12:00:00") == NOW
    assert instant_in("2026-03-01T13:00:00+01:00") == NOW
    assert instant_in("soon") is None
    assert instant_in(None) is None
