"""One-time passwords in QR codes: RFC 6238's own numbers, and OCPP's letters over them."""

import string
from uuid import UUID

import pytest

from ohmstead.sessions.payments import totp

SEED = "12345678901234567890123456789012"  # RFC 6238, appendix B: 32 bytes for SHA-256


@pytest.mark.parametrize(
    ("seconds", "digits", "letters"),
    [
        (59, "46119246", "IWCgmIbo"),
        (1111111109, "68084774", "vVjCc4ve"),
        (1234567890, "91819424", "5XdAqzBW"),
        (2000000000, "90698825", "M1HbN2D2"),
        (20000000000, "77737706", "KtnMZx62"),
    ],
)
def test_counter_and_hmac_are_those_of_rfc_6238(seconds: int, digits: str, letters: str) -> None:
    step = totp.step_at(seconds, 30)
    found = totp.digest(SEED, step)
    offset = found[-1] & 15
    number = int.from_bytes(found[offset : offset + 4], "big") & 0x7FFF_FFFF
    assert f"{number % 10**8:08}" == digits
    assert totp.password(SEED, step, 8) == letters


def test_a_password_is_as_long_as_wanted_and_begins_alike() -> None:
    long = totp.password(SEED, 1, 32)
    assert len(long) == 32
    assert set(long) <= set(string.ascii_letters + string.digits)
    assert long.startswith(totp.password(SEED, 1, 6))


def test_a_password_is_found_among_neighbours_only() -> None:
    shown = totp.password(SEED, 1000, 8)
    assert totp.find_step(SEED, shown, range(999, 1002), 8) == 1000
    assert totp.find_step(SEED, shown, range(1001, 1004), 8) is None
    assert totp.find_step(SEED, shown[:-1], range(999, 1002), 8) is None
    assert totp.find_step(SEED, "ñ" * 8, range(999, 1002), 8) is None


def test_every_station_has_a_secret_of_its_own_and_another_one_each_time() -> None:
    given = [(b"a" * 32, "ST-1", UUID(int=1)), (b"b" * 32, "ST-1", UUID(int=1)), (b"a" * 32, "ST-2", UUID(int=1))]
    secrets = {totp.secret_of(*one) for one in [*given, (b"a" * 32, "ST-1", UUID(int=2))]}
    assert len(secrets) == 4
    assert all(len(secret) == 64 for secret in secrets)
