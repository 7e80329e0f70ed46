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

from ohmstead.stations.files.model import Carrier, FileJob

Direction: TypeAlias = Literal["fetch", "send"]
PATH = "/files/"
_SEAL_BYTES = 16
_FORM = ">16sBQ"
_DIRECTIONS: dict[int, Direction] = {1: "fetch", 2: "send"}


class FtpSide(Struct, frozen=True):
    """Where stations reach us by FTP: a name, and the ports as far as they are open (`tls_port`: encrypted at once)."""

    host: str
    port: int | None
    tls_port: int | None


class Claim(Struct, frozen=True):
    """What a token says, as long as nobody looked at its seal."""

    job_id: UUID
    direction: Direction
    expires_at: datetime
    seal: bytes


class Links:
    """Makes and checks addresses. `url`: where stations reach the web process; `secret`: the installation's; `ftp`: where
    they reach us by FTP, if at all. What is good there is not good here: FTP passes the network in the clear.
    """

    def __init__(self, url: str, secret: bytes, ftp: FtpSide | None = None) -> None:
        self._url = url.rstrip("/")
        self._key = hmac.digest(secret, b"ohmstead stations' files", hashlib.sha256)
        self._ftp_key = hmac.digest(secret, b"ohmstead stations' files by FTP", hashlib.sha256)
        self._ftp: dict[Carrier, str] = {}
        if ftp is not None:
            host = f"[{ftp.host}]" if ":" in ftp.host else ftp.host
            ports: tuple[tuple[Carrier, int | None], ...] = (("ftp", ftp.port), ("ftps", ftp.tls_port))
            self._ftp = {carrier: f"{host}:{port}" for carrier, port in ports if port is not None}

    @property
    def carriers(self) -> frozenset[Carrier]:
        """How stations can reach us."""
        return frozenset(("http", *self._ftp))

    @property
    def is_encrypted(self) -> bool:
        """Is it HTTPS?"""
        return self._url.startswith("https:")

    def address(
        self,
        job_id: UUID,
        station_id: str,
        direction: Direction,
        name: str,
        expires_at: datetime,
        carrier: Carrier = "http",
    ) -> str:
        """The whole address. What is fetched has its name at the end, which some stations look at."""
        if carrier != "http":
            body = _body(job_id, direction, expires_at)
            password = _text(self._seal(body, station_id, name, self._ftp_key))
            return f"{carrier}://{_text(body)}:{password}@{self._ftp[carrier]}/{quote(name)}"
        token = self.token(job_id, station_id, direction, name, expires_at)
        return f"{self._url}{PATH}{token}" + (f"/{quote(name)}" if direction == "fetch" else "")

    def token(self, job_id: UUID, station_id: str, direction: Direction, name: str, expires_at: datetime) -> str:
        """The token alone."""
        body = _body(job_id, direction, expires_at)
        return _text(body + self._seal(body, station_id, name, self._key))

    def is_genuine(self, claim: Claim, station_id: str, name: str) -> bool:
        """Did we make the token, for this station and this file?"""
        body = _body(claim.job_id, claim.direction, claim.expires_at)
        return hmac.compare_digest(claim.seal, self._seal(body, station_id, name, self._key))

    def is_genuine_ftp(self, claim: Claim, station_id: str, name: str) -> bool:
        """The same for credentials of FTP."""
        body = _body(claim.job_id, claim.direction, claim.expires_at)
        return hmac.compare_digest(claim.seal, self._seal(body, station_id, name, self._ftp_key))

    @property
    def ours(self) -> tuple[str, ...]:
        """How every address of ours begins, credentials left out."""
        return (self._url + PATH, *(f"{carrier}://{place}/" for carrier, place in self._ftp.items()))

    def _seal(self, body: bytes, station_id: str, name: str, key: bytes) -> bytes:
        text = b"\0".join((station_id.encode(), name.encode()))
        return hmac.digest(key, body + text, hashlib.sha256)[:_SEAL_BYTES]


def _body(job_id: UUID, direction: Direction, expires_at: datetime) -> bytes:
    number = next(n for n, d in _DIRECTIONS.items() if d == direction)
    return struct.pack(_FORM, job_id.bytes, number, int(expires_at.timestamp()))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def ftp_claim(user: str, password: str) -> Claim | None:
    """Read credentials of FTP without believing them."""
    if max(len(user), len(password)) > 100 or not (user + password).isascii():
        return None
    try:
        raw = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (user, password)]
    except (binascii.Error, ValueError):
        return None
    return claim_of(_text(raw[0] + raw[1])) if [_text(part) for part in raw] == [user, password] else None


def why_over(claim: Claim, job: FileJob, at: datetime) -> Literal["expired", "superseded"] | None:
    """Why a claim that was genuine is good no longer; None while it is."""
    if at >= claim.expires_at:
        return "expired"
    if job.status == "superseded" and job.sha256 is None:
        return "superseded"
    return None


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
