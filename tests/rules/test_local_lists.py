"""Local lists: whatever a station holds, the messages bring it to what it should hold."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.ocpp.v2.outbound import calls_for
from ohmstead.stations.device.lists import FRAME_BYTES, after, chosen, updates
from ohmstead.stations.orders import ListedToken


def entry(uid: str, **more: Any) -> ListedToken:
    return ListedToken(uid=uid, type=more.pop("type", None) or "ISO14443", **more)


def by_uid(*entries: ListedToken) -> dict[str, ListedToken]:
    return {one.uid.lower(): one for one in entries}


LISTS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([None, "G1", "G2"])).map(
    lambda groups: {uid: entry(uid, group_uid=group) for uid, group in groups.items()}
)


@given(LISTS | st.none(), LISTS, st.integers(0, 50), st.none() | st.integers(1, 4))
def test_the_messages_lead_from_what_is_held_to_what_is_wanted(
    held: dict[str, ListedToken] | None, wanted: dict[str, ListedToken], version: int, most: int | None
) -> None:
    found = updates(held, version, wanted, most)
    now = dict(held) if held is not None else {"stale": entry("stale")}
    for n, update in enumerate(found, 1):
        assert update.version == version + n
        assert most is None or len(update.entries) <= most
        assert update.update == "full" or held is not None or n > 1
        now = after(now, update)
    assert now == wanted
    assert (held == wanted) is (found == [])


@pytest.mark.parametrize("held", [None, by_uid(entry("OLD-1"), entry("OLD-2"))])
def test_no_message_is_longer_than_the_station_takes(held: dict[str, ListedToken] | None) -> None:
    wanted = by_uid(
        *(entry(f"CARD-{n}", group_uid="G" * 30, expires_at=datetime(2030, 1, 1, tzinfo=UTC)) for n in range(9))
    )
    found = updates(held, 1, wanted, None, 1000 - FRAME_BYTES)
    assert len(found) > 1
    for update in found:
        [call] = calls_for(update, "ST")
        assert len(call.payload) <= 1000
    assert len(updates(held, 1, wanted, None, None)) == 1


def test_only_what_changed_travels() -> None:
    held = by_uid(entry("A"), entry("B"), entry("C"))
    [update] = updates(held, 7, by_uid(entry("A"), entry("B", group_uid="G"), entry("D")), None)
    assert (update.update, update.version) == ("differential", 8)
    assert {(one.uid, one.status) for one in update.entries} == {("B", "accepted"), ("D", "accepted"), ("C", None)}


@pytest.mark.parametrize(("generation", "uids"), [("1.6", ["SHORT", "CAR"]), ("2.x", ["SHORT", "X" * 21, "CAR"])])
def test_tokens_that_a_version_cannot_name_are_left_out(generation: str, uids: list[str]) -> None:
    tokens = [
        entry("SHORT"),
        entry("X" * 21),
        entry("CAR", type="MacAddress", group_uid="G" * 37),
        entry("any", type="NoAuthorization"),
    ]
    found = chosen(tokens, generation, None).entries.values()
    assert [one.uid for one in found] == uids
    assert {one.group_uid for one in found} == {None}, "a group that it cannot name costs only the group"


def test_a_station_without_room_gets_the_first_ones_and_it_is_told() -> None:
    found = chosen([entry("A"), entry("B"), entry("C")], "1.6", 2)
    assert (list(found.entries), found.n_left_out) == (["a", "b"], 1)
