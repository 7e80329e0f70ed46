"""Signatures of requests, as Standard Webhooks has them (https://www.standardwebhooks.com, symmetric, `v1`). Pure.

Signed is `id.timestamp.body`, by HMAC-SHA256 with the bytes that the secret's text holds in base64. While a secret is
being replaced both sign, and a receiver that knows one of them is content.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32


def secret_text(secret: bytes) -> str:
    """A secret as people copy it."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_of(text: str) -> bytes:
    """The other way round. Raises ValueError."""
    return base64.b64decode(text.removeprefix(PREFIX), validate=True)


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, with spaces between."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets
    )


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """What a request carries besides its body; `timestamp` in seconds since 1970, of this attempt."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secrets, message_id, timestamp, body),
    }
