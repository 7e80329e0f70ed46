"""Reservations: what becomes of them, whatever comes in whatever order; and that no outlet has two."""

from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.errors import Invalid
from ohmstead.reservations import lifecycle
from ohmstead.reservations.model import OPEN, Happening, NewReservation, Reservation, Status

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
statuses = st.sampled_from(get_args(Status))
happenings = st.sampled_from(get_args(Happening))
instants = st.datetimes(datetime(2026, 6, 1, 10), datetime(2026, 6, 1, 16), timezones=st.just(UTC))


def reservation(**given: object) -> Reservation:
    fields: dict[str, object] = {
        "reservation_id": uuid4(),
        "party_id": uuid4(),
        "number": 1,
        "station_id": "ST-1",
        "evse_number": 1,
        "location_id": None,
        "scope": "evse",
        "connector_type": None,
        "token_uid": "HOLDER",
        "token_type": "ISO14443",
        "group_uid": None,
        "priority": 0,
        "from_at": NOON,
        "until_at": NOON + timedelta(hours=1),
        "status": "active",
        "reason": None,
        "is_held": True,
        "tell_at": NOON,
        "told_at": None,
        "session_id": None,
        "requested_by": "test",
        "version": 1,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Reservation(**{**fields, **given})  # type: ignore[arg-type]


@given(statuses, happenings, instants)
def test_what_is_over_stays_over_unless_the_car_came_after_all(
    status: Status, happening: Happening, at: datetime
) -> None:
    after = lifecycle.after(status, happening, NOON, NOON + timedelta(hours=1), at)
    if status not in OPEN:
        assert after == status or (happening == "used" and after == "used")
    assert lifecycle.after(after, happening, NOON, NOON + timedelta(hours=1), at) == after or status in OPEN


@given(st.lists(st.tuples(happenings, instants), max_size=8))
def test_a_used_one_is_used_for_ever(found: list[tuple[Happening, datetime]]) -> None:
    status: Status = "used"
    for happening, at in found:
        status = lifecycle.after(status, happening, NOON, NOON + timedelta(hours=1), at)
        status = lifecycle.as_time_passes(status, NOON, NOON + timedelta(hours=1), at)
    assert status == "used"


@given(st.lists(st.tuples(happenings, instants), max_size=8))
def test_after_its_end_nothing_is_open(found: list[tuple[Happening, datetime]]) -> None:
    status: Status = "requested"
    end = NOON + timedelta(hours=1)
    for happening, at in found:
        status = lifecycle.after(status, happening, NOON, end, at)
    assert lifecycle.as_time_passes(status, NOON, end, end) not in OPEN


def test_the_clock_begins_and_ends_it() -> None:
    end = NOON + timedelta(hours=1)
    assert lifecycle.as_time_passes("accepted", NOON, end, NOON - timedelta(seconds=1)) == "accepted"
    assert lifecycle.as_time_passes("accepted", NOON, end, NOON) == "active"
    assert lifecycle.as_time_passes("active", NOON, end, end) == "no_show"
    assert lifecycle.as_time_passes("requested", NOON, end, end) == "expired"


def test_a_station_that_ends_it_early_blames_nobody() -> None:
    end = NOON + timedelta(hours=1)
    assert lifecycle.after("active", "ran_out", NOON, end, NOON + timedelta(minutes=5)) == "expired"
    assert lifecycle.after("active", "ran_out", NOON, end, end) == "no_show"
    assert lifecycle.after("active", "unused", NOON, end, NOON + timedelta(minutes=5)) == "no_show"


@pytest.mark.parametrize(
    ("from_at", "until_at", "field"),
    [
        (NOON - timedelta(hours=1), NOON + timedelta(hours=1), "from_at"),
        (None, NOON, "until_at"),
        (NOON + timedelta(hours=2), NOON + timedelta(hours=1), "until_at"),
        (None, NOON + timedelta(days=30), "until_at"),
        (NOON + timedelta(days=400), NOON + timedelta(days=401), "from_at"),
    ],
)
def test_times_that_nobody_can_reserve(from_at: datetime | None, until_at: datetime, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        lifecycle.span(NewReservation(token_uid="T", from_at=from_at, until_at=until_at), NOON)
    assert caught.value.field == field


def test_a_place_is_a_station_or_a_location() -> None:
    for wrong in ({}, {"station_id": "A", "location_id": uuid4()}, {"location_id": uuid4(), "evse_number": 1}):
        with pytest.raises(Invalid):
            lifecycle.check_place(NewReservation(token_uid="T", until_at=NOON, **wrong))  # type: ignore[arg-type]


def test_who_may_take_an_outlet() -> None:
    one = reservation(group_uid="FAMILY")
    two = reservation(evse_number=2, token_uid="OTHER")
    anywhere = reservation(scope="station", evse_number=2, token_uid="OTHER")
    assert lifecycle.is_refused([one], 2, 1, "STRANGER", None)
    assert not lifecycle.is_refused([one], 2, 2, "STRANGER", None)
    assert not lifecycle.is_refused([one], 2, None, "STRANGER", None)
    assert lifecycle.is_refused([one], 1, None, "STRANGER", None)
    assert lifecycle.is_refused([one, two], 2, None, "STRANGER", "THEIRS")
    assert not lifecycle.is_refused([one, two], 2, 1, "holder", None)
    assert not lifecycle.is_refused([one, two], 2, 1, "WIFE", "family")
    # One's own reservation elsewhere is no right to the outlet of somebody else.
    assert lifecycle.is_refused([one, two], 2, 2, "HOLDER", None)
    # An outlet kept anywhere at the station is any: all are taken only when as many are kept as there are.
    assert not lifecycle.is_refused([anywhere], 2, 2, "STRANGER", None)
    assert lifecycle.is_refused([one, anywhere], 2, 2, "STRANGER", None)


def test_only_what_has_not_begun_yields_and_only_to_a_higher_one() -> None:
    later = reservation(status="requested", from_at=NOON + timedelta(minutes=1), priority=3)
    assert lifecycle.yields(later, 4, NOON)
    assert not lifecycle.yields(later, 3, NOON)
    assert not lifecycle.yields(later, 4, NOON + timedelta(minutes=1))
    assert not lifecycle.yields(reservation(status="active", priority=0), 9, NOON - timedelta(hours=1))
