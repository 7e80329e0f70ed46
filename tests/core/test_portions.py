"""Items shared out to messages: nothing is lost, nothing turned round, and no message is too long."""

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.core.portions import portions


@given(st.lists(st.integers(1, 30)), st.none() | st.integers(1, 5), st.none() | st.integers(1, 60))
def test_every_item_is_in_one_portion_and_none_is_too_long(
    sizes: list[int], most_items: int | None, most_bytes: int | None
) -> None:
    found = portions(sizes, most_items, most_bytes, lambda size: size)
    assert [size for portion in found for size in portion] == sizes
    assert all(found)
    for portion in found:
        assert most_items is None or len(portion) <= most_items
        assert most_bytes is None or sum(portion) <= most_bytes or len(portion) == 1
    for first, second in zip(found, found[1:], strict=False):
        is_full = len(first) == most_items or (most_bytes is not None and sum(first) + second[0] > most_bytes)
        assert is_full, "a portion ends only where the next item does not fit"


def test_without_limits_all_go_together() -> None:
    assert portions("abc", None) == [["a", "b", "c"]]
    assert portions("", None) == []
