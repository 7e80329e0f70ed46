"""Identifiers that sort by when they were made, and secrets that nobody guesses."""

import time
from uuid import RFC_4122

from ohmstead.core.ids import new_id, new_secret


def test_ids_are_uuids_of_version_7_that_carry_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= (made.int >> 80) <= after + 1


def test_ids_of_one_process_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_cannot_be_guessed_from_their_neighbours() -> None:
    tails = {new_id().int & (1 << 62) - 1 for _ in range(1_000)}
    assert len(tails) == 1_000


def test_secrets_are_long_different_and_fit_into_a_url() -> None:
    made = {new_secret() for _ in range(1_000)}
    assert len(made) == 1_000
    assert all(len(one) == 32 and one.replace("-", "").replace("_", "").isalnum() for one in made)
    assert len(new_secret(48)) == 64
