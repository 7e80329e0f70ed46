"""May this token charge, here, now? A pure decision, by table."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from ohmstead.tokens.authorization import Unregistered, decide
from ohmstead.tokens.model import Authorization, AuthorizationRequest, Token

PARTY, HERE, ELSEWHERE = UUID(int=1), UUID(int=10), UUID(int=11)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
MONDAY, FRIDAY, SUNDAY = 1, 1 << 4, 1 << 6


def token(**limits: Any) -> Token:
    return Token(token_id=UUID(int=5), party_id=PARTY, uid="TAG1", type="ISO14443", **limits)


def request(at: datetime = NOON, **fields: Any) -> AuthorizationRequest:
    return AuthorizationRequest(party_id=PARTY, uid="tag1", type="ISO14443", at=at, location_id=HERE, **fields)


def status(limits: dict[str, Any], asked: AuthorizationRequest | None = None, n_open: int = 0) -> str:
    return decide(asked or request(), token(**limits), n_open).status


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, "accepted"),
        ({"status": "blocked"}, "blocked"),
        ({"valid_until": NOON}, "expired"),
        ({"valid_until": datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)}, "accepted"),
        ({"valid_from": NOON}, "accepted"),
        ({"valid_from": datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)}, "not_at_this_time"),
        ({"location_ids": (HERE, ELSEWHERE)}, "accepted"),
        ({"location_ids": (ELSEWHERE,)}, "not_at_this_location"),
        ({"location_ids": ()}, "not_at_this_location"),
        ({"weekdays": MONDAY}, "accepted"),
        ({"weekdays": FRIDAY}, "not_at_this_time"),
        ({"weekdays": 0}, "not_at_this_time"),
        # What is worst is said first.
        ({"status": "blocked", "valid_until": NOON, "location_ids": ()}, "blocked"),
        ({"valid_until": NOON, "location_ids": ()}, "expired"),
    ],
)
def test_a_token_and_its_limits(limits: dict[str, Any], expected: str) -> None:
    assert status(limits) == expected


def test_the_answer_carries_what_others_need() -> None:
    known = token(group_uid="FAMILY", valid_until=datetime(2027, 1, 1, tzinfo=UTC))
    assert decide(request(), known, 0) == Authorization(
        status="accepted",
        uid="TAG1",
        type="ISO14443",
        token_id=UUID(int=5),
        group_uid="FAMILY",
        valid_until=datetime(2027, 1, 1, tzinfo=UTC),
    )


def test_a_station_without_a_location_is_at_none_of_the_tokens_locations() -> None:
    asked = AuthorizationRequest(party_id=PARTY, uid="tag1", type=None, at=NOON)
    assert decide(asked, token(location_ids=(HERE,)), 0).status == "not_at_this_location"
    assert decide(asked, token(), 0).status == "accepted"


@pytest.mark.parametrize(
    ("policy", "kind", "expected"),
    [
        ("accept", "NoAuthorization", "accepted"),
        ("reject", "NoAuthorization", "unknown"),
        ("accept", "ISO14443", "unknown"),
        ("accept", "Central", "unknown"),
        ("accept", None, "unknown"),
    ],
)
def test_nobodys_token_is_unknown_unless_the_station_asks_for_no_leave_and_the_policy_says_so(
    policy: Any, kind: str | None, expected: str
) -> None:
    asked = AuthorizationRequest(party_id=PARTY, uid="", type=kind, at=NOON)
    assert decide(asked, None, 0, unregistered=Unregistered(no_authorization=policy)).status == expected


@pytest.mark.parametrize(
    ("most", "n_open", "is_start", "expected"),
    [
        (1, 0, True, "accepted"),
        (1, 1, True, "concurrent"),
        (2, 1, True, "accepted"),
        (2, 2, True, "concurrent"),
        (2, 3, True, "concurrent"),
        (None, 99, True, "accepted"),
        (1, 1, False, "accepted"),
    ],
)
def test_as_many_sessions_at_once_as_the_token_may_hold(
    most: int | None, n_open: int, is_start: bool, expected: str
) -> None:
    assert status({"max_sessions": most}, request(is_start=is_start), n_open) == expected


@pytest.mark.parametrize(
    ("limits", "is_start", "expected"),
    [
        ({}, False, "accepted"),
        ({}, True, "not_at_this_location"),
        ({"location_ids": (ELSEWHERE,), "weekdays": FRIDAY}, False, "accepted"),
        ({"status": "blocked"}, False, "blocked"),
        ({"valid_until": NOON}, False, "expired"),
    ],
)
def test_a_master_pass_stops_anywhere_at_any_time_and_starts_nowhere(
    limits: dict[str, Any], is_start: bool, expected: str
) -> None:
    assert status({"is_master": True, **limits}, request(is_start=is_start)) == expected


# ------------------------------------------------------------------------------------------ hours

NIGHT = {"from_minute": 22 * 60, "until_minute": 6 * 60}
DAY = {"from_minute": 8 * 60, "until_minute": 18 * 60}


@pytest.mark.parametrize(
    ("limits", "day", "clock", "allowed"),
    [
        (DAY, 2, "07:59", False),
        (DAY, 2, "08:00", True),
        (DAY, 2, "17:59", True),
        (DAY, 2, "18:00", False),
        ({"from_minute": 8 * 60}, 2, "23:59", True),
        ({"from_minute": 8 * 60}, 2, "07:59", False),
        ({"until_minute": 1440}, 2, "23:59", True),
        ({"until_minute": 8 * 60}, 2, "00:00", True),
        ({"until_minute": 8 * 60}, 2, "08:00", False),
        (NIGHT, 2, "21:59", False),
        (NIGHT, 2, "22:00", True),
        (NIGHT, 3, "00:00", True),
        (NIGHT, 3, "05:59", True),
        (NIGHT, 3, "06:00", False),
        (NIGHT, 3, "12:00", False),
        # The small hours belong to the evening on which the night began.
        (NIGHT | {"weekdays": MONDAY}, 2, "23:00", True),
        (NIGHT | {"weekdays": MONDAY}, 3, "05:00", True),
        (NIGHT | {"weekdays": MONDAY}, 2, "05:00", False),
        (NIGHT | {"weekdays": MONDAY}, 3, "23:00", False),
        (NIGHT | {"weekdays": SUNDAY}, 2, "05:00", True),
        ({"weekdays": MONDAY}, 2, "00:00", True),
        ({"weekdays": MONDAY}, 3, "00:00", False),
    ],
)
def test_hours_of_the_day_and_days_of_the_week(limits: dict[str, Any], day: int, clock: str, allowed: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    at = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
    assert status(limits, request(at)) == ("accepted" if allowed else "not_at_this_time")


@pytest.mark.parametrize(
    ("local", "fold", "allowed"),
    [
        # Vienna, spring: 02:00 to 03:00 does not exist on 29 March 2026; autumn: it comes twice on 25 October.
        (datetime(2026, 3, 29, 1, 59), 0, False),
        (datetime(2026, 3, 29, 3, 0), 0, True),
        (datetime(2026, 3, 29, 3, 59), 0, True),
        (datetime(2026, 3, 29, 4, 0), 0, False),
        (datetime(2026, 10, 25, 2, 0), 0, True),
        (datetime(2026, 10, 25, 2, 59), 1, True),
        (datetime(2026, 10, 25, 1, 59), 0, False),
        (datetime(2026, 10, 25, 4, 0), 0, False),
    ],
)
def test_the_hours_are_the_locations_own_also_when_its_clocks_change(local: datetime, fold: int, allowed: bool) -> None:
    at = local.replace(tzinfo=ZoneInfo("Europe/Vienna"), fold=fold).astimezone(UTC)
    hours = {"from_minute": 2 * 60, "until_minute": 4 * 60}
    expected = "accepted" if allowed else "not_at_this_time"
    assert status(hours, request(at, time_zone="Europe/Vienna")) == expected


def test_the_day_of_the_week_is_the_locations_too() -> None:
    late_on_sunday_in_vienna = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
    already_monday_in_vienna = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    vienna = {"time_zone": "Europe/Vienna"}
    assert status({"weekdays": MONDAY}, request(late_on_sunday_in_vienna, **vienna)) == "not_at_this_time"
    assert status({"weekdays": MONDAY}, request(already_monday_in_vienna, **vienna)) == "accepted"


@pytest.mark.parametrize("zone", ["", "Nowhere/Nothing", "../../etc/passwd"])
def test_a_time_zone_nobody_knows_means_utc(zone: str) -> None:
    assert status(DAY, request(NOON, time_zone=zone)) == "accepted"


# ------------------------------------------------------------------------------------------ stopping
