"""Addresses by which a driver turns mails off without signing in: signed, so that nobody does it for another. Pure.

They do not expire: a mail may be read a year later, and all that one can do with it is to get fewer mails.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final
from uuid import UUID

from msgspec import Struct

_LABEL: Final = b"ohmstead unsubscribe v1"
_MAC_BYTES: Final = 16
PATH: Final = "/unsubscribe/"


class Unsubscription(Struct, frozen=True):
    """Whose mails of which kind."""

    party_id: UUID
    driver_id: UUID
    kind: str


def token_of(secret: bytes, wanted: Unsubscription) -> str:
    """What stands in the address."""
    said = wanted.party_id.bytes + wanted.driver_id.bytes + wanted.kind.encode()
    return base64.urlsafe_b64encode(_mac(secret, said) + said).rstrip(b"=").decode()


def read(secret: bytes, token: str) -> Unsubscription | None:
    """None for what we did not sign."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    mac, said = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if len(said) < 33 or not hmac.compare_digest(mac, _mac(secret, said)):
        return None
    return Unsubscription(UUID(bytes=said[:16]), UUID(bytes=said[16:32]), said[32:].decode(errors="replace"))


def url_of(base_url: str, secret: bytes, wanted: Unsubscription) -> str:
    """The whole address."""
    return f"{base_url}{PATH}{token_of(secret, wanted)}"


def _mac(secret: bytes, said: bytes) -> bytes:
    key = hmac.digest(secret, _LABEL, hashlib.sha256)
    return hmac.digest(key, said, hashlib.sha256)[:_MAC_BYTES]
