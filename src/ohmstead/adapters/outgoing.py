"""HTTP to the outside world: a deadline, a bounded body, no redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Set
from urllib.parse import urlsplit

import aiohttp
import msgspec

from ohmstead.core.errors import ExternalFailure


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    media_type: str
    body: bytes
    retry_after: str | None = None


def check_allowed(url: str, hosts: Set[str], setting: str) -> None:
    """`hosts`: as `host` (its usual port) or `host:port`. Raises ExternalFailure for an address that may not be asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ExternalFailure("not an address", permanent=True) from None
    host = (parts.hostname or "").lower()
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    if usual is None or parts.username is not None or parts.password is not None or not url.isascii():
        raise ExternalFailure("only plain http:// and https:// addresses are asked", permanent=True)
    names = {f"{host}:{port}"} if port is not None and port != usual else {host, f"{host}:{usual}"}
    if not names & hosts:
        raise ExternalFailure(f"{host} is not among {setting}", permanent=True)


async def get(url: str, *, headers: Mapping[str, str], deadline_s: float, most_bytes: int) -> Answer:
    """As `post`, without a body."""
    return await send("GET", url, headers=headers, deadline_s=deadline_s, most_bytes=most_bytes)


async def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    deadline_s: float,
    most_bytes: int,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request with a body. Raises as `send` does."""
    return await send("POST", url, body, headers=headers, deadline_s=deadline_s, most_bytes=most_bytes, tls=tls)


async def send(
    method: str,
    url: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str],
    deadline_s: float,
    most_bytes: int,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request. Raises ExternalFailure when no whole answer came within the deadline, or more than `most_bytes`."""
    timeout = aiohttp.ClientTimeout(total=deadline_s)
    try:
        # Requests are rare and go to few places: no connection is worth keeping.
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method, url, data=body, headers=headers, allow_redirects=False, ssl=tls or True
            ) as response,
        ):
            received = bytearray()
            async for piece in response.content.iter_any():
                received += piece
                if len(received) > most_bytes:
                    raise ExternalFailure(f"the answer has more than {most_bytes} bytes", permanent=True)
            return Answer(response.status, response.content_type, bytes(received), response.headers.get("Retry-After"))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ExternalFailure(f"no answer: {type(error).__name__}") from error
    except TimeoutError as error:
        raise ExternalFailure(f"no answer within {deadline_s:g} s") from error
