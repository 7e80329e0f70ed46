"""Station secrets: what is made, what is kept, what is accepted, and what a check costs."""

import asyncio
import threading

import pytest
from argon2.exceptions import VerifyMismatchError

from ohmstead.core.errors import Invalid
from ohmstead.stations import credentials
from ohmstead.stations.credentials import Busy, SecretKeeper, check_chosen, key_of, new_secret

PEPPER = b"p" * 32
HEX_KEY = "00ff3a5c7e9b1d2f4a6c8e0b1d3f5a7c9e0b2d4f"


class CountingHasher:
    """Stands in for argon2: plain, and counts. `gate` holds checks back until it is opened."""

    def __init__(self) -> None:
        self.checks = 0
        self.gate = threading.Event()
        self.gate.set()

    def hash(self, password: bytes, /) -> str:
        return "$argon2id$" + password.hex()

    def verify(self, hash: str, password: bytes, /) -> bool:  # noqa: A002
        self.gate.wait(10)
        self.checks += 1
        if hash != "$argon2id$" + password.hex():
            raise VerifyMismatchError
        return True


def test_a_new_secret_suits_every_version() -> None:
    made = {new_secret() for _ in range(200)}
    assert len(made) == 200
    for secret in made:
        assert len(bytes.fromhex(secret)) == 20
        assert len(secret) == 40
        assert secret == secret.lower()
        check_chosen(secret)


@pytest.mark.parametrize("is_generated", [True, False])
async def test_a_hex_key_is_accepted_in_every_spelling(is_generated: bool) -> None:
    keeper = SecretKeeper(CountingHasher())
    for configured in (HEX_KEY, HEX_KEY.upper()):
        stored = await keeper.hash_secret(configured, PEPPER, is_generated=is_generated)
        for presented in (HEX_KEY.encode(), HEX_KEY.upper().encode(), bytes.fromhex(HEX_KEY)):
            assert await keeper.verify(stored, presented, PEPPER)


@pytest.mark.parametrize("is_generated", [True, False])
@pytest.mark.parametrize(
    "presented",
    [
        b"",
        b"\0",
        HEX_KEY.encode()[:-1],
        HEX_KEY.encode() + b"0",
        bytes.fromhex(HEX_KEY)[:-1],
        bytes.fromhex(HEX_KEY) + b"\0",
        b"\xff" * 20,
        HEX_KEY.encode() + b"\n",
        b"a" * 100_000,
    ],
)
async def test_anything_else_is_refused(is_generated: bool, presented: bytes) -> None:
    keeper = SecretKeeper(CountingHasher())
    stored = await keeper.hash_secret(HEX_KEY, PEPPER, is_generated=is_generated)
    assert not await keeper.verify(stored, presented, PEPPER)


async def test_a_text_password_is_compared_with_its_case() -> None:
    keeper = SecretKeeper(CountingHasher())
    stored = await keeper.hash_secret("correct:Horse-battery", PEPPER, is_generated=False)
    assert await keeper.verify(stored, b"correct:Horse-battery", PEPPER)
    assert not await keeper.verify(stored, b"correct:horse-battery", PEPPER)


@pytest.mark.parametrize("digits", [30, 33, 42])
def test_only_a_whole_key_of_16_to_20_bytes_is_read_as_digits(digits: int) -> None:
    text = b"a" * digits
    assert key_of(text) == text


def test_every_length_of_a_1_6_key_is_read_as_digits() -> None:
    for length in range(16, 21):
        key = bytes(range(200, 200 + length))
        assert key_of(key.hex().encode()) == key
        assert key_of(key) == key


@pytest.mark.parametrize(
    ("presented", "is_random"),
    [
        (HEX_KEY.encode(), True),
        (HEX_KEY.upper().encode(), True),
        (bytes.fromhex(HEX_KEY), True),
        (b"sunny-meadow-lane-17", False),
        ("sünny".encode("latin-1"), False),
        (b"", False),
        (b"0123456789", False),
    ],
)
def test_a_machines_key_is_told_from_a_persons_choice(presented: bytes, is_random: bool) -> None:
    assert credentials.looks_random(presented) is is_random


async def test_real_argon2_hashes_are_made_and_checked() -> None:
    stored = await credentials.hash_secret("sunny-meadow-lane-17", PEPPER, is_generated=False)
    assert stored.startswith("$argon2id$")
    assert await credentials.verify(stored, b"sunny-meadow-lane-17", PEPPER)
    assert not await credentials.verify(stored, b"sunny-meadow-lane-18", PEPPER)
    assert not credentials.is_generated(stored)


async def test_a_stored_hash_shows_nothing_of_the_secret_and_never_repeats() -> None:
    one = await credentials.hash_secret(HEX_KEY, PEPPER, is_generated=True)
    two = await credentials.hash_secret(HEX_KEY, PEPPER, is_generated=True)
    assert one != two
    assert one.startswith("k1$")
    assert HEX_KEY not in one
    assert credentials.is_generated(one)


@pytest.mark.parametrize("is_generated", [True, False])
async def test_a_stolen_table_is_useless_without_the_installations_key(is_generated: bool) -> None:
    keeper = SecretKeeper(CountingHasher())
    stored = await keeper.hash_secret(HEX_KEY, PEPPER, is_generated=is_generated)
    assert not await keeper.verify(stored, HEX_KEY.encode(), b"q" * 32)


@pytest.mark.parametrize("stored", [None, "", "plain", "k1", "k1$", "k1$$", "k2$aa$bb", "k1$a$b$c", "$argon2id$broken"])
@pytest.mark.parametrize("presented", [b"", b"plain", b"\0" * 20, HEX_KEY.encode()])
async def test_no_hash_or_a_broken_one_lets_nobody_in(stored: str | None, presented: bytes) -> None:
    assert not await credentials.verify(stored, presented, PEPPER)


async def test_a_generated_secret_never_touches_the_slow_hash() -> None:
    hasher = CountingHasher()
    keeper = SecretKeeper(hasher)
    stored = await keeper.hash_secret(HEX_KEY, PEPPER, is_generated=True)
    for _ in range(1000):
        assert await keeper.verify(stored, HEX_KEY.encode(), PEPPER)
        assert not await keeper.verify(stored, b"wrong", PEPPER)
        assert not await keeper.verify(None, b"wrong", PEPPER)
    assert hasher.checks == 0


async def test_a_reconnect_storm_with_chosen_passwords_hashes_each_station_once() -> None:
    hasher = CountingHasher()
    keeper = SecretKeeper(hasher)
    passwords = [f"password-of-station-{n}" for n in range(20)]
    stored = [await keeper.hash_secret(p, PEPPER, is_generated=False) for p in passwords]
    for _ in range(50):
        for kept, password in zip(stored, passwords, strict=True):
            assert await keeper.verify(kept, password.encode(), PEPPER)
    assert hasher.checks == 20


async def test_a_failed_check_is_never_remembered() -> None:
    hasher = CountingHasher()
    keeper = SecretKeeper(hasher)
    stored = await keeper.hash_secret("sunny-meadow-lane-17", PEPPER, is_generated=False)
    for _ in range(3):
        assert not await keeper.verify(stored, b"sunny-meadow-lane-18", PEPPER)
    assert hasher.checks == 3


async def test_a_remembered_success_ends_with_the_stored_hash() -> None:
    keeper = SecretKeeper(CountingHasher())
    old = await keeper.hash_secret("sunny-meadow-lane-17", PEPPER, is_generated=False)
    assert await keeper.verify(old, b"sunny-meadow-lane-17", PEPPER)
    new = await keeper.hash_secret("rainy-meadow-lane-17", PEPPER, is_generated=False)
    assert not await keeper.verify(new, b"sunny-meadow-lane-17", PEPPER)


async def test_the_memory_of_successes_is_bounded() -> None:
    hasher = CountingHasher()
    keeper = SecretKeeper(hasher, remembered=2)
    stored = {p: await keeper.hash_secret(p, PEPPER, is_generated=False) for p in ("one", "two", "three")}
    for password in ("one", "two", "three", "three", "two", "one"):
        assert await keeper.verify(stored[password], password.encode(), PEPPER)
    assert hasher.checks == 4  # `one` had been dropped


async def test_slow_checks_neither_hold_up_the_loop_nor_pile_up_without_bound() -> None:
    hasher = CountingHasher()
    keeper = SecretKeeper(hasher, threads=1, waiting=3)
    stored = await keeper.hash_secret("sunny-meadow-lane-17", PEPPER, is_generated=False)
    keyed = await keeper.hash_secret(HEX_KEY, PEPPER, is_generated=True)
    hasher.gate.clear()
    waiting = [asyncio.create_task(keeper.verify(stored, b"guess %d" % n, PEPPER)) for n in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await keeper.verify(stored, b"one too many", PEPPER)
    assert await keeper.verify(keyed, HEX_KEY.encode(), PEPPER)
    waiting[3].cancel()
    hasher.gate.set()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert done[:3] == [False, False, False]
    for _ in range(100):  # the work of the one that hung up ends too, and gives its place back
        if hasher.checks == 4:
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)
    assert await keeper.verify(stored, b"sunny-meadow-lane-17", PEPPER)


@pytest.mark.parametrize(
    "chosen",
    [
        "sunny-meadow-lane-17",
        "a b c d e f g h i",
        "0123456789abcdef0123456789abcdef",
        "x:y=z|*_-+@.{}~!",
        "Ab1" * 5 + "zq",
    ],
)
def test_good_passwords_pass(chosen: str) -> None:
    check_chosen(chosen, "CP-1")


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("", "16 to 40"),
        ("short", "16 to 40"),
        ("fifteen-letters", "16 to 40"),
        ("abcdefgh" * 5 + "i", "16 to 40"),
        ("sünny-meadow-lane", "printable ASCII"),
        ("sunny meadow\tlane", "printable ASCII"),
        ("sunny-meadow\x00lane-1", "printable ASCII"),
        (" sunny-meadow-lane", "printable ASCII"),
        ("sunny-meadow-lane\n", "printable ASCII"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("1212121212121212", "repeats"),
        ("Station-Main-Street-7", "identity"),
    ],
)
def test_bad_passwords_are_refused_with_the_rule_but_without_the_password(chosen: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        check_chosen(chosen, "station-main-street-7")
    assert caught.value.field == "password"
    assert not chosen or chosen not in str(caught.value) + str(caught.value.detail)
