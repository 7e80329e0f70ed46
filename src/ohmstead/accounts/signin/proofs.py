"""Small notes that we give out and take back once: challenges, half-done sign-ins, states of providers.

Nothing is kept of a note until it comes back, so nobody can fill a table by asking; a used one is remembered until it
would be over anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from ohmstead.core.errors import ExternalFailure, Refused

_NONCE: Final = 12


class _Sealed(Struct, array_like=True):
    until: datetime
    content: Any


class Note(Struct, frozen=True):
    """A note that came back: what was written on it, and what marks it as used."""

    content: Any
    digest: bytes
    until: datetime


class Seals:
    """Makes and opens notes and secrets under keys derived from the installation's secret key."""

    def __init__(self, secret: bytes) -> None:
        self._notes = AESGCM(_derived(secret, b"ohmstead sign-in notes v1"))
        self._kept = AESGCM(_derived(secret, b"ohmstead sign-in secrets v1"))
        self._code_key = _derived(secret, b"ohmstead recovery codes v1")

    def note(self, purpose: str, content: Any, now: datetime, good_for_s: float) -> bytes:
        """A note for one purpose. Whoever holds it can neither read nor change it."""
        nonce = os.urandom(_NONCE)
        plain = msgspec.msgpack.encode(_Sealed(now + timedelta(seconds=good_for_s), content))
        return nonce + self._notes.encrypt(nonce, plain, purpose.encode())

    def note_text(self, purpose: str, content: Any, now: datetime, good_for_s: float) -> str:
        """The same, for addresses and forms."""
        return base64.urlsafe_b64encode(self.note(purpose, content, now, good_for_s)).decode().rstrip("=")

    def open(self, purpose: str, note: bytes | str, now: datetime) -> Note:
        """Raises Refused for a note that is not ours, is for another purpose, or is over."""
        raw = note if isinstance(note, bytes) else _bytes(note)
        try:
            plain = self._notes.decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode())
            sealed = msgspec.msgpack.decode(plain, type=_Sealed)
        except (InvalidTag, ValueError, msgspec.MsgspecError):
            raise Refused("this was not begun here: begin again") from None
        if sealed.until.astimezone(UTC) <= now:
            raise Refused("this took too long: begin again")
        return Note(sealed.content, hashlib.sha256(raw).digest(), sealed.until)

    def keep(self, secret: bytes, owner: bytes) -> bytes:
        """Encrypt a secret that must be read again; under another owner it does not open."""
        nonce = os.urandom(_NONCE)
        return nonce + self._kept.encrypt(nonce, secret, owner)

    def read(self, kept: bytes, owner: bytes) -> bytes:
        """Raises ExternalFailure when it was kept under another secret key."""
        try:
            return self._kept.decrypt(kept[:_NONCE], kept[_NONCE:], owner)
        except (InvalidTag, ValueError):
            text = "a code secret cannot be read: it was kept under another OHMSTEAD_SECRET_KEY"
            raise ExternalFailure(text, permanent=True) from None

    def code_hash(self, code: str, owner: bytes) -> bytes:
        """What is kept of a recovery code: worthless without the secret key."""
        return hmac.digest(self._code_key, owner + code.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(secret)


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text[:2000] + "=" * (-len(text[:2000]) % 4))
    except (binascii.Error, ValueError):
        return b""
