"""One-time passwords in the QR codes that stations show (OCPP 2.1 C25, TOTPVersion `v1`): pure.

Counter and HMAC are those of RFC 6238 with SHA-256, over the secret as it is written. Where that truncates to digits,
`v1` takes a letter or digit for each byte from the dynamic offset on (RFC 4226 §5.3), going round at the end.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from uuid import UUID

VERSION = "v1"
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def step_at(seconds: float, validity_s: int) -> int:
    """The time step that a Unix time falls into."""
    return int(seconds) // validity_s


def digest(secret: str, step: int) -> bytes:
    """RFC 4226's HMAC of a counter, with SHA-256."""
    return hmac.digest(secret.encode(), step.to_bytes(8, "big"), hashlib.sha256)


def password(secret: str, step: int, length: int) -> str:
    """The password of a time step."""
    found = digest(secret, step)
    offset = found[-1] & 0x0F
    return "".join(LETTERS[found[(offset + n) % len(found)] % len(LETTERS)] for n in range(length))


def find_step(secret: str, shown: str, steps: Iterable[int], length: int) -> int | None:
    """Which of the steps a password is of. All are looked at, in constant time each."""
    found = None
    for step in steps:
        if hmac.compare_digest(password(secret, step, length).encode(), shown.encode()):
            found = step
    return found


def secret_of(pepper: bytes, station_id: str, generation: UUID) -> str:
    """A station's shared secret: 256 bits as hexadecimal text, out of the installation's key."""
    text = b"ohmstead web payment v1\0" + station_id.encode() + b"\0" + generation.bytes
    return hmac.digest(pepper, text, hashlib.sha256).hex()
