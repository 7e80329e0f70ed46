"""Webhooks over HTTP: to public addresses, and to private ones that the operator named. Implements ports.Poster."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

import ohmstead
from ohmstead.core.errors import ExternalFailure
from ohmstead.webhooks import addresses
from ohmstead.webhooks.ports import Answered

MOST_BYTES = 8 * 1024


class NotPublic(OSError):
    """A name leads to where nobody may be led."""


class PublicResolver(AbstractResolver):
    """Finds a host's addresses, and gives only those to which requests may go.

    The request goes to exactly what was looked at: a name that means something else a moment later gains nothing.
    """

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._allowed = allowed_hosts
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if addresses.is_allowed(host, port, self._allowed):
            return found
        hidden = [one["host"] for one in found if not addresses.is_public(one["host"])]
        if hidden:
            raise NotPublic(
                f"{host} leads to {hidden[0]}, which is not public; OHMSTEAD_WEBHOOK_HOSTS does not name it"
            )
        return found

    async def close(self) -> None:
        await self._inner.close()


class HttpPoster:
    """`timeout_s` for all of it; of the answer the first 8 KiB are read, and no more."""

    def __init__(self, allowed_hosts: Collection[str], timeout_s: float) -> None:
        self._allowed = frozenset(host.rstrip(".").lower() for host in allowed_hosts)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        if (reason := addresses.why_not(url, self._allowed)) is not None:
            raise ExternalFailure(f"not sent: {reason}")
        sent = {
            **headers,
            "Content-Type": "application/json",
            "User-Agent": f"Ohmstead-Webhooks/{ohmstead.__version__}",
        }
        try:
            # A connection for each request: none is kept that another party's request could come over.
            async with (
                aiohttp.ClientSession(
                    timeout=self._timeout,
                    trust_env=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    connector=aiohttp.TCPConnector(resolver=PublicResolver(self._allowed), use_dns_cache=False),
                    auto_decompress=False,
                ) as session,
                session.post(url, data=body, headers=sent, allow_redirects=False) as response,
            ):
                text = await _beginning(response)
                return Answered(status_code=response.status, text=text, retry_after=response.headers.get("Retry-After"))
        except TimeoutError as error:
            raise ExternalFailure(f"no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExternalFailure(_in_words(error, urlsplit(url).hostname or "")) from error


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """What it says first; the status alone decides, so an answer without end or that breaks off is an answer."""
    received = bytearray()
    try:
        async for piece in response.content.iter_any():
            received += piece
            if len(received) >= MOST_BYTES:
                break
    except (aiohttp.ClientError, TimeoutError):
        pass
    return bytes(received[:MOST_BYTES]).decode(errors="replace")


def _in_words(error: Exception, host: str) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotPublic):
            return f"not sent: {cause}"
        cause = cause.__cause__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"{host} was not found"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the certificate of {host} is not good: {error.certificate_error}"[:300]
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{host} cannot be reached: {error.os_error.strerror or error.os_error}"[:300]
    return f"no answer: {type(error).__name__}"
