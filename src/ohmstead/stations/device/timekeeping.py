"""How far a station's clock is off, by the times it put on what it told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

TOLERATED = timedelta(minutes=1)


def offset(samples: Sequence[tuple[datetime, datetime]]) -> timedelta | None:
    """The station's clock less ours; `samples` are (its time, ours). None: it told no time.

    What was kept while it was offline is told late and looks old; of everything told, the freshest counts.
    """
    return min((theirs - ours for theirs, ours in samples), key=abs, default=None)


def is_off(found: timedelta | None) -> bool:
    """By more than is tolerated?"""
    return found is not None and abs(found) > TOLERATED


def instant_in(text: str | None) -> datetime | None:
    """A date-time as stations write it; None for what is none."""
    try:
        at = datetime.fromisoformat((text or "").strip().replace("z", "Z"))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
