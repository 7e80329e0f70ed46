"""Passes: addresses that open one charge to whoever holds them, without an account. Pure.

A pass names a payment, a remote start or a session, and is signed with the installation's key; nothing is kept of it.
Whoever has it sees that charge and may end it, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from msgspec import Struct

What: TypeAlias = Literal["payment", "command", "session"]

_LETTERS = {name: name[:1].encode() for name in get_args(What)}
_NAMES: dict[bytes, What] = {letter: name for name, letter in _LETTERS.items()}
_LENGTH = 1 + 16 + 16


class Pass(Struct, frozen=True):
    """What a pass opens."""

    what: What
    id: UUID


def write(secret: bytes, what: What, known: UUID) -> str:
    """The pass of a payment, a remote start or a session."""
    content = _LETTERS[what] + known.bytes
    return base64.urlsafe_b64encode(content + _sign(secret, content)).decode()


def read(secret: bytes, text: str) -> Pass | None:
    """What a pass opens; None for what is none of ours."""
    try:
        raw = base64.b64decode(text[:100].encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
    # In its one form only: what decodes to the same is no other address of it.
    if (
        len(raw) != _LENGTH
        or base64.urlsafe_b64encode(raw).decode() != text
        or not hmac.compare_digest(_sign(secret, raw[:17]), raw[17:])
    ):
        return None
    what = _NAMES.get(raw[:1])
    return Pass(what, UUID(bytes=raw[1:17])) if what is not None else None


def path_of(secret: bytes, what: What, known: UUID) -> str:
    """The page that a pass opens, without the installation's address before it."""
    return f"/drive/s/{write(secret, what, known)}"


def _sign(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, b"ohmstead driver pass v1\0" + content, hashlib.sha256)[:16]
