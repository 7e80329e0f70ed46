"""Addresses under which anybody who was sent one reads a document. Pure.

A token holds the document, until when it is good (0: for ever), and a seal over both, made with a key that is derived
from the installation's secret. Whoever has it reads this document and nothing else; nobody can make or guess one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

PATH: Final = "/documents/"
_FORM: Final = ">16sQ"
_SEAL_BYTES: Final = 20
_LENGTH: Final = struct.calcsize(_FORM) + _SEAL_BYTES


def link_of(secret: bytes, invoice_id: UUID, expires_at: datetime | None = None) -> str:
    """The path of a document's page: `/documents/<token>`. `secret`: the installation's."""
    until = int(expires_at.timestamp()) if expires_at is not None else 0
    said = struct.pack(_FORM, invoice_id.bytes, until)
    return PATH + base64.urlsafe_b64encode(said + _seal(secret, said)).decode().rstrip("=")


def document_of(secret: bytes, token: str, now: datetime) -> UUID | None:
    """Whose document a token opens; None where it was not made here, or is good no longer."""
    if len(token) > 2 * _LENGTH:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    if len(raw) != _LENGTH:
        return None
    said, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(secret, said)):
        return None
    document, until = struct.unpack(_FORM, said)
    if until and now.astimezone(UTC).timestamp() >= until:
        return None
    return UUID(bytes=document)


def _seal(secret: bytes, said: bytes) -> bytes:
    key = hmac.digest(secret, b"ohmstead documents", hashlib.sha256)
    return hmac.digest(key, said, hashlib.sha256)[:_SEAL_BYTES]
