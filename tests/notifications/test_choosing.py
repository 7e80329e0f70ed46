"""Which messages become of an order: channels, quiet hours, and why not. Pure."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.notifications.choosing import Quiet, Reach, choose, is_quiet, loud_again
from ohmstead.notifications.kinds import CHOOSABLE, KINDS
from ohmstead.notifications.schedule import PAUSES_S, next_at

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    BERLIN,
    ZoneInfo("UTC"),
    ZoneInfo("America/St_Johns"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Kathmandu"),
]
NOON = datetime(2026, 3, 2, 11, tzinfo=UTC)
EVERYWHERE = Reach(email="a@example.com", phone="+43 1 234567", devices=("d1", "d2"))
NIGHT = Quiet(22 * 60, 7 * 60, BERLIN)


def over(kind: str, reach: Reach, now: datetime = NOON) -> list[tuple[str, str]]:
    return [(one.channel, one.dropped or one.target) for one in choose(KINDS[kind], reach, now)]


@pytest.mark.parametrize(
    ("kind", "reach", "expected"),
    [
        ("charging_started", EVERYWHERE, [("push", "d1"), ("push", "d2")]),
        ("charging_started", Reach(email="a@example.com"), [("push", "no_address")]),
        ("charging_complete", Reach(email="a@example.com"), [("email", "")]),
        ("charging_complete", EVERYWHERE, [("push", "d1"), ("push", "d2")]),
        ("idle_fee", EVERYWHERE, [("push", "d1"), ("push", "d2"), ("email", "")]),
        ("idle_fee", Reach(phone="+431"), [("sms", "")]),
        ("idle_fee", Reach(), [("push", "no_address")]),
        ("receipt_issued", Reach(phone="+431"), [("email", "no_address")]),
        # What they chose counts, and nothing instead of it.
        ("charging_complete", Reach(email="a@example.com", chosen={"charging_complete": []}), []),
        (
            "charging_complete",
            Reach(email="a@example.com", chosen={"charging_complete": ["sms"]}),
            [("sms", "no_address")],
        ),
        ("charging_complete", Reach(email="a@b.example", chosen={"charging_complete": ["email"]}), [("email", "")]),
        # Nobody is without these.
        ("sign_in_code", Reach(email="a@example.com", chosen={"sign_in_code": []}), [("email", "")]),
        ("debt_opened", Reach(email="a@example.com", chosen={"debt_opened": []}), [("email", "")]),
        # A guest, and an address that is not a driver's yet.
        ("charging_started", Reach(email="a@example.com", is_guest=True), [("email", "")]),
        ("charging_started", Reach(phone="+431", is_guest=True), [("sms", "")]),
        ("payment_held", Reach(email="a@example.com", is_guest=True), []),
        ("email_confirmation", Reach(email="new@example.com", is_written_to=True), [("email", "")]),
    ],
)
def test_a_message_goes_where_it_is_wanted_and_can(kind: str, reach: Reach, expected: list[tuple[str, str]]) -> None:
    assert over(kind, reach) == expected


@pytest.mark.parametrize(
    ("at", "loud"),
    [
        ("2026-03-02T21:59", "2026-03-02T21:59"),
        ("2026-03-02T22:00", "2026-03-03T07:00"),
        ("2026-03-02T03:30", "2026-03-02T07:00"),
        ("2026-03-02T06:59", "2026-03-02T07:00"),
        ("2026-03-02T07:00", "2026-03-02T07:00"),
        # The nights of 23 and of 25 hours.
        ("2026-03-28T23:00", "2026-03-29T07:00"),
        ("2026-10-24T23:00", "2026-10-25T07:00"),
    ],
)
def test_quiet_hours_end_when_the_wall_says_so(at: str, loud: str) -> None:
    def wall(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)

    assert loud_again(NIGHT, wall(at)) == wall(loud)


def test_quiet_hours_that_end_within_the_skipped_hour_end_with_the_jump() -> None:
    quiet = Quiet(23 * 60, 2 * 60 + 30, BERLIN)
    before = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30 on the wall, an hour before the jump to 03:00
    assert loud_again(quiet, before) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


@given(
    st.sampled_from(ZONES),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_after_quiet_hours_it_is_loud_and_was_quiet_all_the_time_before(
    zone: ZoneInfo, begin: int, end: int, naive: datetime
) -> None:
    at, quiet = naive.replace(tzinfo=UTC, second=0, microsecond=0), Quiet(begin, end, zone)
    loud = loud_again(quiet, at)
    assert not is_quiet(quiet, loud)
    assert at <= loud <= at + timedelta(hours=25)
    for minutes in range(0, int((loud - at).total_seconds() // 60), 7):
        assert is_quiet(quiet, at + timedelta(minutes=minutes))
    if loud > at:
        assert is_quiet(quiet, loud - timedelta(minutes=1))


def test_what_is_urgent_is_told_at_night_and_what_is_not_waits_or_is_dropped() -> None:
    reach = Reach(email="a@example.com", devices=("d",), quiet=NIGHT)
    midnight = datetime(2026, 3, 2, 23, tzinfo=UTC)
    (urgent,) = [one for one in choose(KINDS["stopped_early"], reach, midnight) if one.channel == "push"]
    assert urgent.next_at == midnight
    (waits,) = choose(KINDS["receipt_issued"], reach, midnight)
    assert (waits.next_at, waits.dropped) == (datetime(2026, 3, 3, 6, tzinfo=UTC), None)
    (useless,) = choose(KINDS["nearly_full"], reach, midnight)
    assert useless.dropped == "quiet_hours"


@given(st.sampled_from(sorted(KINDS)), st.booleans(), st.booleans(), st.integers(0, 12))
def test_each_target_gets_at_most_one_message(kind: str, has_mail: bool, has_phone: bool, n_devices: int) -> None:
    reach = Reach(
        email="a@example.com" if has_mail else None,
        phone="+431" if has_phone else None,
        devices=[f"d{n}" for n in range(n_devices)],
    )
    planned = choose(KINDS[kind], reach, NOON)
    assert len({(one.channel, one.target) for one in planned}) == len(planned)
    assert planned  # wanted by default: it is at least in the log
    assert all(one.expires_at > one.next_at or one.dropped for one in planned)


def test_every_kind_that_can_be_turned_off_is_about_drivers() -> None:
    assert {kind.theme for kind in CHOOSABLE} == {"charging", "places", "money"}


def test_attempts_come_later_and_later_and_end() -> None:
    late = NOON + timedelta(days=9)
    waits = [next_at(n, 0.5, NOON, late) for n in range(1, len(PAUSES_S) + 1)]
    assert all(one is not None for one in waits)
    assert waits == sorted(waits, key=lambda at: at or NOON)
    assert next_at(len(PAUSES_S) + 1, 0.5, NOON, late) is None
    assert next_at(5, 0.5, NOON, NOON + timedelta(minutes=1)) is None


def test_what_happened_long_ago_is_told_as_far_as_it_is_of_use_and_the_log_says_why_not() -> None:
    def told(since: datetime | None, reach: Reach = EVERYWHERE) -> set[tuple[str | None, datetime]]:
        return {(one.dropped, one.expires_at) for one in choose(KINDS["stopped_early"], reach, NOON, since)}

    hours = timedelta(hours=1)
    assert told(None) == {(None, NOON + 6 * hours)}
    assert told(NOON - 5 * hours) == {(None, NOON + hours)}
    assert told(NOON - 6 * hours) == {("too_late", NOON)}
    # A clock that is ahead makes nothing last longer.
    assert told(NOON + 9 * hours) == {(None, NOON + 6 * hours)}
    assert told(NOON - 6 * hours, Reach()) == {("no_address", NOON)}
