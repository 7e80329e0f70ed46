"""Codes of a few digits that are sent somewhere and typed in: how long they are, how long they are good, how often one may
ask and guess. The same for mailboxes and telephone numbers.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.signin.proofs import Seals

GOOD_FOR: Final = timedelta(minutes=10)
AGAIN_AFTER: Final = timedelta(seconds=30)
MOST_PER_HOUR: Final = 6
MOST_PER_ADDRESS: Final = 40
MOST_WRONG: Final = 5
DIGITS: Final = 6
# After so many wrong guesses within a day codes are so long: to send none would shut out whose mailbox or number it is.
GUESSED_AT: Final = 20
LONG_DIGITS: Final = 8


class SentBefore(Struct, frozen=True, kw_only=True):
    """Codes that were asked for in the last hour: for the same receiver (each way of telling who that is), and from the same
    address. `last_at`: when the receiver's last one was, whenever that was.
    """

    n_received: Sequence[int]
    n_from_address: int
    last_at: datetime | None


def check_often(before: SentBefore, now: datetime) -> None:
    """May one more be sent? Raises TooManyAttempts."""
    if before.last_at is not None and now - before.last_at < AGAIN_AFTER:
        wait_s = int((before.last_at + AGAIN_AFTER - now).total_seconds()) + 1
        raise TooManyAttempts(f"a code was sent a moment ago: ask again in {wait_s} s", retry_after_s=wait_s)
    if max(before.n_received) >= MOST_PER_HOUR or before.n_from_address >= MOST_PER_ADDRESS:
        raise TooManyAttempts("too many codes were asked for: try again in an hour", retry_after_s=3600)


def draw(n_wrong: int) -> str:
    """A new code. `n_wrong`: how many guesses at the receiver's codes were wrong within a day."""
    digits = DIGITS if n_wrong < GUESSED_AT else LONG_DIGITS
    return f"{secrets.randbelow(10**digits):0{digits}d}"


def is_over(now: datetime, *, expires_at: datetime, used_at: datetime | None, n_wrong: int) -> bool:
    """Whether a code opens nothing any more."""
    return used_at is not None or expires_at <= now or n_wrong >= MOST_WRONG


def is_right(seals: Seals, code_id: UUID, code_hash: bytes, typed: str) -> bool:
    """Whether what was typed is the code, whatever stands between its digits."""
    given = "".join(one for one in typed[:40] if one.isascii() and one.isdigit())
    return hmac.compare_digest(seals.code_hash(given, code_id.bytes), code_hash)
