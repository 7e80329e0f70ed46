"""The audit log's chain: whatever is done to it afterwards is found, and it is said where."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ohmstead.accounts.audit.chain import NOTHING, Head, Link, anchor_of, check, content, hash_of
from ohmstead.accounts.audit.changes import BLOTTED, MOST_CHARACTERS, changed


def chain(n: int) -> tuple[list[Link], Head]:
    links, last = [], NOTHING
    for number in range(1, n + 1):
        link = Link(
            entry_id=100 + number,
            number=number,
            party_id="p",
            at="2026-03-02T08:00:00.000000Z",
            actor="system",
            action="station.changed",
            object=f"station/CS-{number}",
            detail='{"n": 1}',
            changes="{}",
            remote_address=None,
            previous_hash=last,
            hash=None,
        )
        last = hash_of(last, content(link))
        links.append(replace(link, hash=last))
    return links, Head(number=n, hash=last)


def relinked(links: list[Link], fresh: Link, after: int) -> list[Link]:
    """`fresh` put in after entry `after` with a hash that fits it, all later ones counted on."""
    fresh = replace(fresh, number=after + 1, previous_hash=links[after - 1].hash)
    assert fresh.previous_hash is not None
    fresh = replace(fresh, hash=hash_of(fresh.previous_hash, content(fresh)))
    return [*links[:after], fresh, *(replace(one, number=(one.number or 0) + 1) for one in links[after:])]


def closed_up(links: list[Link]) -> list[Link]:
    return [replace(one, number=(one.number or 0) - 1) for one in links]


def swapped(links: list[Link], a: int, b: int) -> list[Link]:
    one, other = links[a - 1], links[b - 1]
    found = list(links)
    found[a - 1], found[b - 1] = replace(other, number=a), replace(one, number=b)
    return found


def test_an_untouched_chain_is_whole() -> None:
    links, head = chain(50)
    assert check(links, head) == []
    assert check([], Head()) == []
    assert check(links, head, {7: links[6].hash or b"", 50: head.hash}) == []


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (lambda c: [*c[:4], replace(c[4], actor="key:x"), *c[5:]], [("altered", 5, 5)]),
        (lambda c: [*c[:4], replace(c[4], detail='{"n": 2}'), *c[5:]], [("altered", 5, 5)]),
        (lambda c: [*c[:4], replace(c[4], changes='{"a": {}}'), *c[5:]], [("altered", 5, 5)]),
        (lambda c: [*c[:4], replace(c[4], remote_address="192.0.2.1"), *c[5:]], [("altered", 5, 5)]),
        (lambda c: [*c[:4], replace(c[4], at="2026-03-02T09:00:00.000000Z"), *c[5:]], [("altered", 5, 5)]),
        (lambda c: [*c[:3], *c[6:]], [("deleted", 4, 6)]),
        (lambda c: c[2:], [("deleted", 1, 2)]),
        (lambda c: c[:-2], [("deleted", 11, 12)]),
        (lambda c: [*c[:4], *closed_up(c[5:])], [("deleted", 5, 5), ("deleted", 12, 12)]),
        (lambda c: relinked(c, replace(c[4], entry_id=999, actor="key:x"), 4), [("inserted", 5, 5)]),
        (lambda c: swapped(c, 5, 6), [("reordered", 5, 5), ("reordered", 6, 6), ("reordered", 7, 7)]),
        (lambda c: [*c, replace(c[4], number=None, hash=None, previous_hash=None)], [("unlinked", 0, 0)]),
    ],
)  # fmt: skip
def test_what_was_done_to_it_is_told_with_the_place(
    done: Callable[[list[Link]], list[Link]], told: list[tuple[str, int, int]]
) -> None:
    links, head = chain(12)
    found = [(fault.what, fault.first, fault.last) for fault in check(done(links), head)]
    assert found == told


def test_a_chain_that_was_linked_anew_shows_by_a_hash_noted_elsewhere() -> None:
    links, head = chain(12)
    forged, forged_head = chain(12)
    forged = [replace(one, actor="key:x") for one in forged]
    last, anew = NOTHING, []
    for one in forged:
        one = replace(one, previous_hash=last, hash=hash_of(last, content(one)))
        last = one.hash or b""
        anew.append(one)
    assert check(anew, Head(number=12, hash=last)) == []
    assert [f.what for f in check(anew, Head(number=12, hash=last), {12: head.hash})] == ["anchor"]
    assert [f.text for f in check(links, head, {99: head.hash})] == ["there is no entry 99, whose hash was noted"]
    assert forged_head == head


@given(st.integers(2, 30), st.data())
def test_no_entry_is_changed_dropped_or_moved_unseen(n: int, data: st.DataObject) -> None:
    links, head = chain(n)
    i = data.draw(st.integers(0, n - 1))
    how = data.draw(st.sampled_from(["drop", "change", "move"]))
    if how == "drop":
        touched = links[:i] + links[i + 1 :]
    elif how == "change":
        touched = [*links[:i], replace(links[i], object="station/other"), *links[i + 1 :]]
    else:
        j = data.draw(st.integers(0, n - 1).filter(lambda j: j != i))
        touched = swapped(links, i + 1, j + 1)
    assert check(touched, head)


def test_an_anchor_is_read_as_it_is_printed() -> None:
    assert anchor_of(f"12:{NOTHING.hex()}") == (12, NOTHING)
    for bad in ("", "12", "x:00", f"0:{NOTHING.hex()}", "12:abcd", f"-1:{NOTHING.hex()}"):
        with pytest.raises(ValueError):
            anchor_of(bad)


def test_changes_are_fields_that_differ_and_no_secret_is_among_them() -> None:
    before = {"name": "A", "priority": 1, "password": "old", "same": [1], "nested": {"secret_hash": "x"}}
    after = {"name": "B", "priority": 1, "password": "new", "same": [1], "nested": {"secret_hash": "y"}, "more": None}
    assert changed(before, after) == {
        "name": {"before": "A", "after": "B"},
        "password": {"before": BLOTTED, "after": BLOTTED},
        "nested": {"before": {"secret_hash": BLOTTED}, "after": {"secret_hash": BLOTTED}},
    }
    assert changed({"has_secret": False}, {"has_secret": True}) == {"has_secret": {"before": False, "after": True}}
    cut = changed({"text": ""}, {"text": "x" * 5000})["text"]["after"]
    assert cut.endswith("… (5000 characters)")
    assert len(cut) < MOST_CHARACTERS + 30
