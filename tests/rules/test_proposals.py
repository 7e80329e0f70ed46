"""Orders wait to be confirmed: once, not for long, and only what is an order."""

import pytest

from ohmstead.core.errors import Invalid, NotFound
from ohmstead.remote.proposals import GOOD_FOR_S, MOST_WAITING, Proposals


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_is_good_once() -> None:
    waiting = Proposals(Clock())
    made = waiting.add("A", {"kind": "reset", "how": "soft"})
    assert waiting.take(made.token) == made
    with pytest.raises(NotFound, match="Propose anew"):
        waiting.take(made.token)


def test_a_token_is_not_good_for_long() -> None:
    clock = Clock()
    waiting = Proposals(clock)
    made = waiting.add("A", {"kind": "clear_cache"})
    clock.now_s += GOOD_FOR_S + 1
    with pytest.raises(NotFound):
        waiting.take(made.token)


def test_of_too_many_the_oldest_are_dropped() -> None:
    waiting = Proposals(Clock())
    made = [waiting.add("A", {"kind": "clear_cache"}) for _ in range(MOST_WAITING + 1)]
    with pytest.raises(NotFound):
        waiting.take(made[0].token)
    assert waiting.take(made[1].token) == made[1]


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({}, "kind"),
        ({"kind": "explode"}, "explode"),
        ({"kind": "reset", "how": "gently"}, "gently"),
        ({"kind": "reset", "evse": 1}, "knows no evse"),
        ({"kind": "remote_start"}, "token_uid"),
        ({"kind": "unlock", "evse_number": "1"}, "int"),
    ],
)
def test_what_is_no_order_waits_for_nobody(order: dict[str, object], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        Proposals(Clock()).add("A", order)
