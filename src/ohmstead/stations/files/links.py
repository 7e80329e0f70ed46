"""Addresses under which one station fetches or sends one file, for a while. Pure.

The token holds the job, the direction and the end of its validity, and a seal over these, the station and the file's
name, made with a key derived from the installation's secret. Whoever has an address can use it, and for nothing else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from datetime import UTC, datetime
from typing import Literal, TypeAlias
from urllib.parse import quote
from uuid import UUID

from msgspec import Struct

Direction: TypeAlias = Literal["fetch", "send"]
PATH = "/files/"
_SEAL_BYTES = 16
_FORM = ">16sBQ"
_DIRECTIONS: dict[int, Direction] = {1: "fetch", 2: "send"}


class Claim(Struct, frozen=True):
    """What a token says, as long as nobody looked at its seal."""

    job_id: UUID
    direction: Direction
    expires_at: datetime
    seal: bytes


class Links:
    """Makes and checks addresses. `url`: where stations reach the web process; `secret`: the installation's."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._url = url.rstrip("/")
        self._key = hmac.digest(secret, b"ohmstead stations' files", hashlib.sha256)

    def address(self, job_id: UUID, station_id: str, direction: Direction, name: str, expires_at: datetime) -> str:
        """The whole address. What is fetched has its name at the end, which some stations look at."""
        token = self.token(job_id, station_id, direction, name, expires_at)
        return f"{self._url}{PATH}{token}" + (f"/{quote(name)}" if direction == "fetch" else "")

    def token(self, job_id: UUID, station_id: str, direction: Direction, name: str, expires_at: datetime) -> str:
        """The token alone."""
        number = next(n for n, d in _DIRECTIONS.items() if d == direction)
        body = struct.pack(_FORM, job_id.bytes, number, int(expires_at.timestamp()))
        return base64.urlsafe_b64encode(body + self._seal(body, station_id, name)).decode().rstrip("=")

    def is_genuine(self, claim: Claim, station_id: str, name: str) -> bool:
        """Did we make the token, for this station and this file?"""
        number = next(n for n, d in _DIRECTIONS.items() if d == claim.direction)
        body = struct.pack(_FORM, claim.job_id.bytes, number, int(claim.expires_at.timestamp()))
        return hmac.compare_digest(claim.seal, self._seal(body, station_id, name))

    @property
    def ours(self) -> str:
        """How every address of ours begins."""
        return self._url + PATH

    def _seal(self, body: bytes, station_id: str, name: str) -> bytes:
        text = b"\0".join((station_id.encode(), name.encode()))
        return hmac.digest(self._key, body + text, hashlib.sha256)[:_SEAL_BYTES]


def claim_of(token: str) -> Claim | None:
    """Read a token without believing it."""
    if len(token) > 200 or not token.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        job, number, until = struct.unpack(_FORM, raw[:-_SEAL_BYTES])
        expires_at = datetime.fromtimestamp(until, UTC)
    except (binascii.Error, ValueError, struct.error, OverflowError, OSError):
        return None
    # Letters after the last full byte, and others that the decoder skips, would be further spellings of one token.
    if number not in _DIRECTIONS or base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
        return None
    return Claim(UUID(bytes=job), _DIRECTIONS[number], expires_at, raw[-_SEAL_BYTES:])
