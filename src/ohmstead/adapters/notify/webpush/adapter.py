"""Web push (RFC 8030, 8291, 8292). Implements notifications.ports.Carrier.

Browsers tell us where their push service is; so it is asked at public addresses only, as webhooks are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import ValidationError
from webpush import WebPush, WebPushSubscription  # type: ignore[import-untyped]
from webpush.types import WebPushKeys  # type: ignore[import-untyped]

from ohmstead.adapters.webhooks.adapter import NotPublic, PublicResolver
from ohmstead.core.errors import ExternalFailure
from ohmstead.notifications.ports import Gone, Letter
from ohmstead.notifications.service import PushKey
from ohmstead.webhooks import addresses

TIMEOUT_S = 15.0
MOST_BYTES = 2048
_LONGEST_S = 12 * 3600
_MOST_TEXT = 600

KeySource = Callable[[], Awaitable[PushKey]]


class PushCarrier:
    """`key`: gives the installation's key; `contact`: an e-mail address that push services may write to; `allowed_hosts`:
    push services that may be private or speak plain HTTP (`host:port`).
    """

    def __init__(self, key: KeySource, contact: str, allowed_hosts: Collection[str] = ()) -> None:
        self._key = key
        self._contact = contact
        self._allowed = frozenset(host.rstrip(".").lower() for host in allowed_hosts)
        self._push: WebPush | None = None

    async def carry(self, letter: Letter) -> str:
        """Raises ExternalFailure, and Gone when the browser took its subscription back."""
        to = letter.subscription
        if to is None:
            raise Gone("no subscription")
        if (reason := addresses.why_not(to.endpoint, self._allowed)) is not None:
            raise Gone(f"not sent: {reason}")
        if self._push is None:
            self._push = _push_of(await self._key(), self._contact)
        try:
            keys = WebPushKeys(auth=to.auth, p256dh=to.p256dh)
            made = await asyncio.to_thread(
                self._push.get,
                payload_of(letter),
                WebPushSubscription(endpoint=to.endpoint, keys=keys),
                ttl=min(letter.useful_s, _LONGEST_S),
            )
        except (ValidationError, ValueError) as error:
            raise Gone(f"the subscription makes no sense: {type(error).__name__}") from error
        headers = {
            "Authorization": made.headers["authorization"],
            "Content-Encoding": made.headers["content-encoding"],
            "Content-Type": "application/octet-stream",
            "TTL": str(min(letter.useful_s, _LONGEST_S)),
            "Urgency": "high" if letter.is_urgent else "normal",
            "Topic": letter.notification_id.hex,
        }
        return await self._post(to.endpoint, made.encrypted, headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> str:
        host = urlsplit(url).hostname or ""
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                    trust_env=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    connector=aiohttp.TCPConnector(resolver=PublicResolver(self._allowed), use_dns_cache=False),
                    auto_decompress=False,
                ) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                said = (await response.content.read(MOST_BYTES)).decode(errors="replace")
                status = response.status
        except TimeoutError as error:
            raise ExternalFailure(f"{host} did not answer within {TIMEOUT_S:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error.__cause__, NotPublic) or isinstance(error, NotPublic):
                raise Gone(f"not sent: {host} is not public") from error
            raise ExternalFailure(f"{host}: {type(error).__name__}") from error
        return _judged(status, said)


def _judged(status: int, said: str) -> str:
    text = f"{status} {said}".strip()[:500]
    if 200 <= status < 300:
        return text
    if status in (404, 410):
        raise Gone(text)
    # 413: too long; 400, 401, 403: key or subscription are not what it takes. None gets better by itself.
    raise ExternalFailure(text, permanent=status in (400, 401, 403, 413))


def payload_of(letter: Letter) -> bytes:
    """What the service worker shows: title, text, where a tap leads, and what takes the place of what."""
    return msgspec.json.encode(
        {
            "title": letter.subject[:_MOST_TEXT],
            "body": letter.brief[:_MOST_TEXT],
            "url": letter.link,
            "kind": letter.kind,
            "tag": str(letter.notification_id),
            "language": letter.language,
        }
    )


def _push_of(key: PushKey, contact: str) -> WebPush:
    private = load_pem_private_key(key.private_pem, None)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return WebPush(private_key=key.private_pem, public_key=public, subscriber=contact)
