"""Where a request comes from, and what the browser is told to keep."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from ohmstead.doorway import client_address, cookie_name, security_headers, session_cookie
from ohmstead.settings import Settings

DIRECT = Settings(data_dir=Path("unused"))
PROXIED = Settings(data_dir=Path("unused"), trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


def scope(peer: str | None, forwarded: str | None = None) -> Any:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    return {"type": "http", "client": None if peer is None else (peer, 1234), "headers": headers}


@pytest.mark.parametrize(
    ("settings", "peer", "forwarded", "expected"),
    [
        (DIRECT, "203.0.113.1", None, "203.0.113.1"),
        (DIRECT, "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        (DIRECT, None, None, "unknown"),
        (PROXIED, "10.1.2.3", "198.51.100.1", "198.51.100.1"),
        (PROXIED, "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        (PROXIED, "10.1.2.3", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (PROXIED, "10.1.2.3", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        (PROXIED, "10.1.2.3", "10.4.4.4, 10.9.9.9", "10.4.4.4"),
        (PROXIED, "10.1.2.3", "<script>", "10.1.2.3"),
        (PROXIED, "10.1.2.3", "198.51.100.1, nonsense", "10.1.2.3"),
        (PROXIED, "10.1.2.3", "", "10.1.2.3"),
        (PROXIED, "fd00::1", "2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_forwarded_address_is_believed_from_trusted_proxies_only(
    settings: Settings, peer: str | None, forwarded: str | None, expected: str
) -> None:
    assert client_address(scope(peer, forwarded), settings) == expected


def test_behind_https_the_cookie_is_tied_to_the_host_and_the_channel() -> None:
    secure = Settings(data_dir=Path("unused"), public_url="https://charge.example")
    cookie = session_cookie(secure, "value", 60)
    assert (cookie_name(secure), cookie.secure, cookie.httponly) == ("__Host-ohmstead", True, True)
    assert b"strict-transport-security" in dict(security_headers(secure))
    assert (cookie_name(DIRECT), session_cookie(DIRECT, "value", 60).secure) == ("ohmstead", False)
    assert b"strict-transport-security" not in dict(security_headers(DIRECT))


@pytest.mark.parametrize(
    ("tile_url", "origin"),
    [
        (None, None),
        ("https://tiles.example/{z}/{x}/{y}.png?key=1", "https://tiles.example"),
        ("https://{s}.tiles.example/{z}/{x}/{y}.png", "https://*.tiles.example"),
        ("https://tiles.example; script-src *", "https://tiles.example"),
        ("javascript:alert(1)", None),
    ],
)
def test_only_the_maps_tiles_come_from_elsewhere(tile_url: str | None, origin: str | None) -> None:
    policy = dict(security_headers(Settings(data_dir=Path("unused"), tile_url=tile_url)))[
        b"content-security-policy"
    ].decode()
    images = next(part for part in policy.split(";") if part.strip().startswith("img-src"))
    assert images.split()[1:] == ["'self'", "data:", "blob:", *([origin] if origin else [])]
    assert policy.count("script-src") == 1
