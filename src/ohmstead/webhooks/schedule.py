"""When a request that was not taken is made again, and when it is given up. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

# Soon at first, since most receivers are back within minutes; about three days in all.
PAUSES_S: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 72_000, 86_400)
JITTER: Final = 0.2
GIVES_UP_AFTER: Final = timedelta(days=3)
LONGEST_ASKED_S: Final = 86_400.0


def pause_s(n_tries: int, chance: float, asked_s: float | None = None) -> float | None:
    """Seconds until the next request after `n_tries` that failed; None: no further one.

    `chance`, from 0 to 1, spreads it by ±20 %, so that receivers that come back are not all met at once. `asked_s` is
    what the receiver asked for (Retry-After): heeded up to a day, and never makes it sooner.
    """
    if n_tries > len(PAUSES_S):
        return None
    own = PAUSES_S[n_tries - 1] * (1 - JITTER + 2 * JITTER * chance)
    return max(own, min(asked_s or 0.0, LONGEST_ASKED_S))


def is_hopeless(failing_since: datetime | None, now: datetime) -> bool:
    """Nothing was taken for so long that the webhook is switched off."""
    return failing_since is not None and now - failing_since >= GIVES_UP_AFTER


def retry_after_s(header: str | None) -> float | None:
    """Seconds of a Retry-After header; a date, or nonsense, counts as none."""
    if header is None or not header.strip().isdecimal() or len(header) > 9:
        return None
    return float(header)
