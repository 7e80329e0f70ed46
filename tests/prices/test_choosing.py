"""Which tariff applies is decided by an order that anybody can see."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.tariffs.choosing import Candidate, choose
from ohmstead.tariffs.records import Place
from tests.prices.test_checking import tariff

AT = datetime(2026, 6, 1, tzinfo=UTC)
PARTY = UUID(int=1)


def candidate(n: int, level: Any, group: str | None = None, *, one: bool = False, **rules: Any) -> Candidate:
    at = AT - timedelta(days=100 - n)
    return Candidate(UUID(int=n), UUID(int=n), f"T{n}", 1, tariff(**rules), level, one, group, at)


def place(**values: Any) -> Place:
    return Place(party_id=PARTY, station_id="S", at=AT, **values)


@given(st.permutations(range(7)))
def test_the_narrower_place_comes_first_and_at_one_place_the_group(order: list[int]) -> None:
    candidates = [
        candidate(1, "connector", one=True),
        candidate(2, "connector"),
        candidate(3, "station", "fleet"),
        candidate(4, "station"),
        candidate(5, "location"),
        candidate(6, "party", "fleet"),
        candidate(7, "party"),
    ]
    chosen, considered = choose(place(), [candidates[n] for n in order])
    assert chosen == candidates[0]
    assert [one.tariff_name for one in considered] == [f"T{n}" for n in range(1, 8)]
    assert [one.verdict for one in considered] == ["applies", *["outranked"] * 6]
    assert considered[3].reason == "connector comes before station"


def test_the_one_assigned_last_wins_among_equals_and_says_so() -> None:
    chosen, considered = choose(place(), [candidate(1, "station"), candidate(2, "station")])
    assert chosen is not None
    assert chosen.tariff_name == "T2"
    assert considered[1].reason == "another one was assigned later to the same place"


def test_a_tariff_that_ends_gives_way_at_its_very_end() -> None:
    old = candidate(2, "station", end_date_time=AT)
    new = candidate(1, "station", start_date_time=AT)
    chosen, considered = choose(place(), [old, new])
    assert chosen == new
    assert [one.verdict for one in considered] == ["no_longer", "applies"]
    before = Place(party_id=PARTY, station_id="S", at=AT - timedelta(microseconds=1))
    assert choose(before, [old, new])[0] == old


def test_types_are_for_their_sessions_only() -> None:
    found = [candidate(1, "party", type="REGULAR"), candidate(2, "party", type="AD_HOC_PAYMENT")]
    assert choose(place(), found)[0] == found[0]
    assert choose(place(is_ad_hoc=True), found)[0] == found[1]
    assert choose(place(), [candidate(3, "party", type="PROFILE_GREEN")])[0] is None
