"""Contract ids: one form for all ways to write them, and a check digit that finds slips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.tokens.emaid import check_digit, normalised, of_tag, parse_emaid

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UIDS = st.text(DIGITS, min_size=14, max_size=14)


@pytest.mark.parametrize(
    ("written", "uid", "digit"),
    [
        ("NL-TNM-000122045-U", "NLTNM000122045", "U"),
        ("NL-TNM-C00122045-K", "NLTNMC00122045", "K"),
        ("DE83DUIEN83QGZD", "DE83DUIEN83QGZ", "D"),
        ("de-83d-uien83zgq-m", "DE83DUIEN83ZGQ", "M"),
        ("NLTNMC00122045", "NLTNMC00122045", None),
    ],
)
def test_a_contract_id_is_read_however_it_is_written(written: str, uid: str, digit: str | None) -> None:
    found = parse_emaid(written)
    assert found is not None
    assert (found.uid, found.check) == (uid, digit)
    assert found.is_consistent
    assert normalised(written) == uid


@pytest.mark.parametrize("text", ["", "NL-TNM-C0012204", "N1-TNM-C00122045", "NL_TNM_C00122045", "NL-TNM-C00122045-K1"])
def test_what_is_no_contract_id_stays_as_it_is(text: str) -> None:
    assert parse_emaid(text) is None
    assert normalised(text) == text


def test_a_wrong_check_digit_is_no_other_contract() -> None:
    assert normalised("NL-TNM-C00122045-X") == "NL-TNM-C00122045-X"


@given(UIDS, st.integers(0, 13), st.sampled_from(DIGITS))
def test_one_wrong_character_is_found(uid: str, place: int, other: str) -> None:
    slip = uid[:place] + other + uid[place + 1 :]
    assert (check_digit(slip) == check_digit(uid)) == (slip == uid)


@given(UIDS, st.integers(0, 12))
def test_two_neighbours_swapped_are_found(uid: str, place: int) -> None:
    swapped = uid[:place] + uid[place + 1] + uid[place] + uid[place + 2 :]
    assert (check_digit(swapped) == check_digit(uid)) == (swapped == uid)


@pytest.mark.parametrize(
    ("tag", "uid"),
    [
        ("NL-TNM-C00122045-K", "NLTNMC00122045"),
        ("nltnmc00122045k", "NLTNMC00122045"),
        ("aabbccdd112233", "aabbccdd112233"),  # seven bytes of a card
        ("AABBCCDD11223344", "AABBCCDD11223344"),
        ("VID:0A1B2C3D4E5F", "VID:0A1B2C3D4E5F"),
    ],
)
def test_a_1_6_tag_is_a_contract_when_it_says_so(tag: str, uid: str) -> None:
    assert of_tag(tag) == uid
