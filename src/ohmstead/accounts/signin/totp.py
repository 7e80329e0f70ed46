"""Time-based one-time passwords (RFC 6238, on RFC 4226). Pure: the caller says what time it is."""

from __future__ import annotations

import base64
import hmac
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
DIGITS: Final = 6
# A phone's clock may be one step off, either way (RFC 6238 §5.2).
DRIFT_STEPS: Final = 1


def code_at(secret: bytes, step: int, digits: int = DIGITS, digest: str = "sha1") -> str:
    """The code of one step of 30 s since 1970 (RFC 4226 §5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8), digest)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, unix_s: float, last_step: int) -> int | None:
    """The step that `code` belongs to, of those within the drift and after `last_step`; None when of none.

    A code counts once: the caller keeps the step, and later codes must be of later steps (RFC 6238 §5.2).
    """
    given = "".join(code.split())
    if len(given) != DIGITS or not given.isascii() or not given.isdigit():
        return None
    now = int(unix_s) // STEP_S
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        # All are compared, in the same time each.
        if hmac.compare_digest(code_at(secret, step), given) and step > last_step:
            found = step
    return found


def text_of(secret: bytes) -> str:
    """The secret as people type it into an app: base32 without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def address_of(secret: bytes, account: str, issuer: str) -> str:
    """The `otpauth:` address that a QR code carries."""
    label = quote(f"{issuer}:{account}", safe=":@")
    return (
        f"otpauth://totp/{label}?secret={text_of(secret)}&issuer={quote(issuer)}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_S}"
    )
