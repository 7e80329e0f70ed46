"""What templates want, and how far a station is from it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.stations.device import drift
from ohmstead.stations.device.drift import Desired, Refusal, Rule, Subject
from ohmstead.stations.device.tree import Known

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PARTY, PLACE = UUID(int=1), UUID(int=2)
STATION = Subject(
    station_id="ST-1",
    party_id=PARTY,
    generation="2.x",
    location_id=PLACE,
    location="Harbour",
    vendor="Example Power",
    model="EP-150",
    firmware="1.4.2",
)


def rule(n: int, variables: dict[str, str], **conditions: Any) -> Rule:
    given: dict[str, Any] = {"generation": "2.x", **conditions}
    return Rule(template_id=UUID(int=n), name=f"T{n}", variables=variables, **given)


@pytest.mark.parametrize(
    ("conditions", "fits"),
    [
        ({}, True),
        ({"generation": "1.6"}, False),
        ({"vendor": "example *"}, True),
        ({"vendor": "Other"}, False),
        ({"model": "EP-1?0", "firmware": "1.4.*"}, True),
        ({"firmware": "1.5*"}, False),
        ({"location_id": PLACE}, True),
        ({"location_id": UUID(int=9)}, False),
        ({"station_ids": ["ST-2", "ST-1"]}, True),
        ({"station_ids": []}, False),
    ],
)
def test_all_conditions_of_a_template_must_fit(conditions: dict[str, Any], fits: bool) -> None:
    assert drift.applies(rule(1, {}, **conditions), STATION) is fits


def test_the_higher_priority_wins_variable_by_variable_and_says_over_whom() -> None:
    rules = [
        rule(1, {"C.A": "1", "C.B": "1"}, priority=1),
        rule(2, {"C.A": "2", "C.B": "1.0"}, priority=5),
        rule(3, {"C.A": "3"}, priority=9, vendor="Other"),
    ]
    wanted = drift.desired_for(rules, STATION)
    assert (wanted["C.A"].value, wanted["C.A"].template, wanted["C.A"].over) == ("2", "T2", ("T1",))
    assert (wanted["C.B"].template, wanted["C.B"].over) == ("T2", ())


@given(st.permutations([rule(1, {"C.A": "1"}), rule(2, {"C.A": "2"}), rule(3, {"C.A": "3"}, priority=-1)]))
def test_the_order_in_which_templates_are_looked_at_changes_nothing(rules: list[Rule]) -> None:
    assert drift.desired_for(rules, STATION)["C.A"].value == "1"


def test_values_are_filled_with_what_is_known_of_the_station() -> None:
    wanted = drift.desired_for([rule(1, {"C.A": "{station_id} at {location} {other}"})], STATION)
    assert wanted["C.A"].value == "ST-1 at Harbour {other}"
    assert drift.unknown_placeholders("{station_id} {other}") == ["other"]


@pytest.mark.parametrize(
    ("one", "other", "data_type", "same"),
    [
        ("true", "True", None, True),
        ("true", "1", None, False),
        ("true", "1", "boolean", True),
        ("60", "60.0", None, True),
        ("60", "060", None, True),
        ("60", "60.0", "string", False),
        ("A,B", "B, A", None, True),
        ("A,B", "B,A", "SequenceList", False),
        ("A,B", "A, B", "SequenceList", True),
        ("A", "A", "MemberList", True),
        ("A,B", "A", None, False),
        ("secret", "Secret", None, False),
        (" x ", "x", None, True),
        ("", "", None, True),
        ("1e5", "100000", None, False),
        (None, "1", None, False),
    ],
)
def test_two_texts_say_the_same(one: str | None, other: str | None, data_type: str | None, same: bool) -> None:
    assert drift.is_same(one, other, data_type) is same
    assert drift.is_same(other, one, data_type) is same


def wish(name: str, value: str) -> dict[str, Desired]:
    return {name: Desired(name=name, value=value, template_id=UUID(int=1), template="T1")}


def told(value: str | None, **traits: Any) -> dict[tuple[str, str], Known]:
    return {("C", "A"): Known(component="C", variable="A", value=value, updated_at=NOW, **traits)}


@pytest.mark.parametrize(
    ("known", "refused", "state"),
    [
        (told("5"), None, "same"),
        (told("4"), None, "differs"),
        (told("4", is_read_only=True), None, "read_only"),
        (told("4", pending_value="5"), None, "waits_for_restart"),
        (told("5", pending_value="4"), None, "same"),
        ({}, None, "unknown"),
        (told("4"), "5", "refused"),
        (told("5"), "5", "same"),
        (told("4"), "6", "differs"),
        (told(None), None, "differs"),
    ],
)
def test_the_state_of_a_variable(known: dict[tuple[str, str], Known], refused: str | None, state: str) -> None:
    refusals = {"C.A": Refusal(value=refused, reason="Rejected", retry_at=NOW)} if refused else {}
    [found] = drift.drift(wish("C.A", "5"), known, refusals, "2.x")
    assert found.state == state
    assert found.reason == ("Rejected" if state == "refused" else None)


def test_a_refused_value_is_tried_again_only_when_its_time_has_come() -> None:
    refusals = {"C.A": Refusal(value="5", reason="Rejected", retry_at=NOW)}
    found = drift.drift(wish("C.A", "5"), told("4"), refusals, "2.x")
    assert drift.to_set(found, NOW - timedelta(seconds=1)) == []
    assert drift.to_set(found, NOW) == found


def test_a_station_that_goes_on_refusing_is_left_alone_for_longer_and_longer_up_to_a_day() -> None:
    waits = [drift.retry_after_s(tries) for tries in range(1, 40)]
    assert waits[:3] == [600, 1200, 2400]
    assert waits == sorted(waits)
    assert waits[-1] == 86_400
