"""While a station's profile is being raised both are good; the higher one, once shown, is the one that counts."""

from typing import Any

import pytest

from ohmstead.ocpp.security import Admission, Handshake, Refusal
from tests.rules.test_identity import RIGHT, WRONG, certificate, decided, station


def handshake(**claims: Any) -> Handshake:
    return Handshake(identity="CP-1", **claims)


async def told(next_profile: int | None, **claims: Any) -> tuple[int, bool] | str:
    found = await decided(handshake(**claims), await station(1, next_profile=next_profile))
    return (found.security_profile, found.is_raised) if isinstance(found, Admission) else found.reason


async def test_it_still_comes_as_before() -> None:
    assert await told(3, credentials=RIGHT) == (1, False)
    assert await told(2, credentials=RIGHT) == (1, False)


async def test_it_comes_with_what_it_was_asked_to_take() -> None:
    assert await told(3, is_tls=True, certificate=certificate()) == (3, True)
    assert await told(2, is_tls=True, credentials=RIGHT) == (2, True)


async def test_a_stronger_line_alone_raises_nothing() -> None:
    assert await told(None, is_tls=True, credentials=RIGHT) == (2, False)
    assert await told(3, is_tls=True, credentials=RIGHT) == (2, False)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"credentials": WRONG}, "password_wrong"),
        ({"is_tls": True, "certificate": certificate(common_name="CP-2")}, "credentials_missing"),
        ({"is_tls": True, "certificate": certificate(problem="revoked")}, "credentials_missing"),
        ({"certificate": certificate()}, "credentials_missing"),
        ({}, "credentials_missing"),
    ],
)
async def test_neither_is_no_admission(claims: dict[str, Any], reason: str) -> None:
    assert await told(3, **claims) == reason


async def test_once_it_is_raised_the_old_one_is_refused() -> None:
    for profile, claims in ((3, {"is_tls": True, "credentials": RIGHT}), (2, {"credentials": RIGHT})):
        assert isinstance(await decided(handshake(**claims), await station(profile)), Refusal)
