"""What a report makes of a session."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest

from ohmstead.sessions import lifecycle
from ohmstead.sessions.lifecycle import TABLE, add_seq_no, credible, has_gap, has_seq_no
from ohmstead.sessions.model import ReportKind, Status
from tests.rules.charges import (
    ACCEPTED,
    NOON,
    RECEIVED,
    Kept,
    begin,
    card,
    end,
    minutes,
    report,
    sample,
    told,
)


def ordinary() -> list[Any]:
    return [
        report("started", minutes(0), 0, token=card(), samples=(begin(minutes(0), 1_000),)),
        report("updated", minutes(1), 1, charging_state="charging"),
        report("updated", minutes(15), 2, samples=(sample(minutes(15), 3_000),)),
        report("ended", minutes(30), 3, stop_reason="ev_disconnected", samples=(end(minutes(30), 5_000),)),
    ]


def test_every_status_knows_what_every_report_does() -> None:
    statuses = [None, *get_args(Status)]
    missing = [(status, kind) for status in statuses for kind in get_args(ReportKind) if (status, kind) not in TABLE]
    assert missing == [(None, "metered")]


def test_meter_values_alone_open_no_session() -> None:
    with pytest.raises(KeyError):
        lifecycle.apply(None, report("metered", NOON))


@pytest.mark.parametrize("status", ["completed", "invalid"])
@pytest.mark.parametrize("kind", get_args(ReportKind))
def test_what_is_over_stays_over(status: Status, kind: ReportKind) -> None:
    kept = told(ordinary())
    assert kept.session is not None
    kept.session.status = status
    change = kept.take(report(kind, minutes(90), 4))
    assert change.session.status == status


def test_an_ordinary_charge_is_pending_active_and_completed() -> None:
    kept = Kept()
    seen = [kept.take(item, ACCEPTED if item.token else None).session.status for item in ordinary()]
    assert seen == ["active", "active", "active", "completed"]
    assert [change.facts for change in kept.changes] == [["SessionStarted"], [], [], ["SessionEnded"]]
    session = kept.settled()
    assert (session.started_at, session.ended_at) == (minutes(0), minutes(30))
    assert (session.energy_wh, session.charging_state, session.stop_reason) == (4_000, "idle", "ev_disconnected")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "pending"),
        ({"charging_state": "connected"}, "pending"),
        ({"charging_state": "charging"}, "active"),
        ({"token": card()}, "active"),
    ],
    ids=["nothing", "plugged", "charging", "card"],
)
def test_a_transaction_becomes_a_session_by_leave_or_energy(fields: dict[str, Any], status: Status) -> None:
    kept = told([report("started", NOON, 0, **fields)])
    assert kept.session is not None
    assert kept.session.status == status


def test_energy_makes_a_session_of_a_transaction_without_leave() -> None:
    items = [
        report("started", NOON, 0, samples=(begin(NOON, 1_000),)),
        report("updated", minutes(5), 1, samples=(sample(minutes(5), 1_100),)),
    ]
    kept = told(items)
    assert [change.session.status for change in kept.changes] == ["pending", "active"]


def test_the_change_leaves_the_session_it_was_given_untouched() -> None:
    kept = told(ordinary()[:1])
    before = kept.session
    assert before is not None
    was = (before.status, list(before.seen_seq_nos), before.last_event_at, before.energy_wh)
    for item in ordinary()[1:]:
        lifecycle.apply(before, item)
    assert (before.status, list(before.seen_seq_nos), before.last_event_at, before.energy_wh) == was


def test_a_repeat_is_recognised_and_changes_nothing() -> None:
    kept = told(ordinary())
    assert kept.session is not None
    for item in ordinary():
        before = kept.session
        change = kept.take(item, ACCEPTED if item.token else None)
        assert change.is_duplicate
        assert change.session == before
        assert (change.facts, change.events) == ([], [])


def test_an_end_with_messages_missing_is_closing_until_they_came() -> None:
    items = ordinary()
    kept = told([items[0], items[3]])
    assert kept.session is not None
    assert (kept.session.status, kept.changes[-1].facts) == ("closing", ["SessionGapFound"])
    kept.take(items[2])
    assert kept.session.status == "closing"
    kept.take(items[1])
    assert kept.session.status == "completed"
    assert kept.changes[-1].facts == ["SessionEnded"]


def test_giving_up_completes_with_what_there_is_and_says_so() -> None:
    items = ordinary()
    kept = told([items[0], items[3]])
    assert kept.session is not None
    change = lifecycle.give_up_waiting(kept.session, RECEIVED)
    assert (change.session.status, change.session.anomalies) == ("completed", ["messages_missing"])
    assert (change.session.ended_at, change.facts) == (minutes(30), ["SessionEnded"])


def test_giving_up_on_a_session_without_an_end_takes_the_last_that_was_heard() -> None:
    kept = told(ordinary()[:3])
    assert kept.session is not None
    change = lifecycle.give_up_waiting(kept.session, RECEIVED)
    assert (change.session.ended_at, change.session.stop_reason) == (minutes(15), "unknown")


def test_a_superseded_session_ends_at_the_last_that_was_heard_and_its_real_end_still_counts() -> None:
    kept = told(ordinary()[:3])
    assert kept.session is not None
    kept.session = lifecycle.supersede(kept.session, minutes(60), RECEIVED).session
    assert (kept.session.status, kept.session.ended_at) == ("completed", minutes(15))
    change = kept.take(ordinary()[3])
    assert (change.session.ended_at, change.session.anomalies) == (minutes(30), [])
    assert change.facts == ["SessionChanged"]


def test_a_superseded_session_does_not_outlast_the_one_that_came_after_it() -> None:
    kept = told(ordinary()[:3])
    assert kept.session is not None
    change = lifecycle.supersede(kept.session, minutes(10), RECEIVED)
    assert change.session.ended_at == minutes(10)


@pytest.mark.parametrize(
    ("at", "believed"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(2000, 1, 1, tzinfo=UTC), False),
        (datetime(2015, 1, 1, tzinfo=UTC), True),
        (RECEIVED, True),
        (RECEIVED + timedelta(hours=2), True),
        (RECEIVED + timedelta(hours=25), False),
        (datetime(2099, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_clock_is_believed_within_reason(at: datetime, believed: bool) -> None:
    assert credible(at, RECEIVED) is believed


def test_a_start_by_a_clock_that_is_not_set_is_dated_when_it_was_received() -> None:
    kept = told([report("started", datetime(1970, 1, 1, tzinfo=UTC), 0)])
    assert kept.session is not None
    assert (kept.session.started_at, kept.session.anomalies) == (RECEIVED, ["clock_wrong"])


def test_an_end_before_the_start_is_no_negative_duration() -> None:
    kept = told([report("started", minutes(60)), report("ended", minutes(30))])
    assert kept.session is not None
    assert kept.session.ended_at == kept.session.started_at == minutes(60)
    assert "clock_wrong" in kept.session.anomalies


@pytest.mark.parametrize(
    ("seen", "gap"),
    [([], False), ([0, 7], False), ([3, 9], False), ([0, 1, 3, 3], True), ([0, 0, 2, 2, 4, 4], True)],
)
def test_a_gap_is_a_number_missing_between_the_first_and_the_last(seen: list[int], gap: bool) -> None:
    kept = told(ordinary()[:1])
    assert kept.session is not None
    kept.session.seen_seq_nos = seen
    assert has_gap(kept.session) is gap


def test_a_transaction_without_its_start_has_a_gap_whatever_its_numbers() -> None:
    kept = told(ordinary()[1:])
    assert kept.session is not None
    assert (has_gap(kept.session), kept.session.status) == (True, "closing")


def test_sequence_numbers_need_not_begin_at_zero() -> None:
    shifted = [report(item.kind, item.at, (item.seq_no or 0) + 41, samples=item.samples) for item in ordinary()]
    kept = told(shifted)
    assert kept.session is not None
    assert (kept.session.status, kept.session.seen_seq_nos) == ("completed", [41, 44])


@pytest.mark.parametrize(
    ("ranges", "number", "expected"),
    [
        ([], 5, [5, 5]),
        ([0, 3], 4, [0, 4]),
        ([0, 3], 2, [0, 3]),
        ([0, 3], 5, [0, 3, 5, 5]),
        ([0, 3, 5, 5], 4, [0, 5]),
        ([2, 3], 1, [1, 3]),
        ([4, 4], 0, [0, 0, 4, 4]),
        ([0, 0, 2, 2, 4, 4], 3, [0, 0, 2, 4]),
    ],
)
def test_numbers_are_remembered_as_ranges(ranges: list[int], number: int, expected: list[int]) -> None:
    assert add_seq_no(ranges, number) == expected
    assert has_seq_no(expected, number)


def test_the_first_accepted_card_is_the_sessions_card() -> None:
    kept = Kept()
    kept.take(report("started", NOON, 0, token=card("BAD")), _refused("BAD"))
    kept.take(report("updated", minutes(1), 1, token=card("TAG1")), ACCEPTED)
    kept.take(report("updated", minutes(2), 2, token=card("BAD")), _refused("BAD"))
    assert kept.session is not None
    assert (kept.session.token_uid, kept.session.authorization_status) == ("TAG1", "accepted")


def _refused(uid: str) -> Any:
    return msgspec.structs.replace(ACCEPTED, uid=uid, status="blocked", token_id=None)


def test_the_card_that_stops_is_not_the_card_that_started() -> None:
    items = ordinary()
    items[3].token, items[3].is_stop_token = card("TAG2"), True
    kept = told(items)
    assert kept.session is not None
    assert (kept.session.token_uid, kept.session.stop_token_uid) == ("TAG1", "TAG2")


def test_an_orphan_of_1_6_is_invalid_and_says_that_its_start_is_missing() -> None:
    kept = told([report("ended", NOON, transaction_id="-1", samples=(end(NOON, 5_000),))])
    assert kept.session is not None
    assert (kept.session.status, kept.session.is_orphan) == ("invalid", True)
    assert (kept.session.anomalies, kept.changes[0].facts) == (["start_missing"], ["OrphanRecorded"])
