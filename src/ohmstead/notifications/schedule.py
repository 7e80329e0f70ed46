"""When a message that was not taken is tried again, and when it is given up. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

# Grey lists want five to ten minutes; whoever is away for longer than a day is away.
PAUSES_S: Final = (5, 30, 120, 360, 900, 1800, 3600, 7200, 14_400, 28_800)
JITTER: Final = 0.2


def next_at(n_tries: int, chance: float, now: datetime, expires_at: datetime) -> datetime | None:
    """The next attempt after `n_tries` that failed; None: there is none. `chance`, from 0 to 1, spreads it by ±20 %."""
    if n_tries > len(PAUSES_S):
        return None
    at = now + timedelta(seconds=PAUSES_S[n_tries - 1] * (1 - JITTER + 2 * JITTER * chance))
    return at if at < expires_at else None
