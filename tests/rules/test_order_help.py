"""What an order is made of is told for every kind, and a beginning has what the kind needs."""

import msgspec
import pytest

from ohmstead.console import order_help
from ohmstead.core.validation import in_words
from ohmstead.stations import orders


@pytest.mark.parametrize("kind", sorted(orders.KINDS))
def test_every_kind_has_a_sentence_fields_and_a_beginning_with_what_it_needs(kind: str) -> None:
    assert order_help.called(kind) in order_help.CALLED
    assert order_help.about(kind)
    assert "`" not in order_help.about(kind)
    text = order_help.beginning(kind)
    assert order_help.kind_in(text) == kind
    begun = msgspec.json.decode(text)
    needed = {field.name for field in order_help.fields(kind) if field.is_needed and "." not in field.name}
    assert set(begun) == {"kind", *needed}
    # Only emptiness may be wrong with it: no field is missing, unknown, or of another kind.
    said = ""
    try:
        msgspec.convert(begun, orders.Order)
    except msgspec.ValidationError as error:
        said = str(error)
    assert "missing" not in said
    assert "unknown" not in said


def test_fields_of_parts_are_named_as_errors_name_them() -> None:
    found = {field.name: field for field in order_help.fields("set_profile")}
    assert found["profile.schedules[].rate_unit"].takes == "A | W"
    assert found["profile.schedules[].periods[].start_s"].is_needed
    assert not found["profile.valid_from"].is_needed
    assert found["evse_number"].about == "An EVSE from 1; 0 is the station as a whole."


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": 1}', '{"kind": "no_such"}', "[" * 100_000, "\ud800"])
def test_what_names_no_kind_has_none(text: str) -> None:
    assert order_help.kind_in(text) is None


def test_a_picked_kind_brings_its_beginning_and_an_unknown_one_nothing() -> None:
    assert '"reset"' in order_help.picked({"pick": "reset", "order": "typed"})["order"]
    assert order_help.picked({"pick": "../../etc", "order": "typed"})["order"] == "typed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Expected int, got str", "is to be a whole number"),
        ("Expected int >= 1", "at least 1"),
        ("Expected str of length >= 1", "may not be empty"),
        ("Expected str of length <= 120", "at most 120 characters"),
        ("Expected array of length <= 4", "at most 4 items"),
        ("anything else", "anything else"),
    ],
)
def test_what_does_not_fit_is_said_in_words(text: str, words: str) -> None:
    assert in_words(text) == words
