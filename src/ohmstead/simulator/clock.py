"""A station's own clock, which may be wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = timedelta(0)


def iso(at: datetime) -> str:
    """An instant as OCPP writes it: UTC, milliseconds, `Z`."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parse_instant(text: str | None) -> datetime | None:
    """An instant from the CSMS; None for nothing or for text that is none. Without an offset it counts as UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class StationClock:
    """`now()` is what the station believes. True time comes from `source`; the rest is the station's error.

    `is_lost`: the battery of the clock is empty, it starts at 1970 and is right only after `synchronise`.
    """

    __slots__ = ("_offset", "_source", "is_lost")

    def __init__(self, source: Callable[[], datetime], offset_s: float = 0.0, *, is_lost: bool = False) -> None:
        self._source = source
        self._offset = EPOCH - source() if is_lost else timedelta(seconds=offset_s)
        self.is_lost = is_lost

    def now(self) -> datetime:
        """The station's time."""
        return self._source() + self._offset if self._offset else self._source()

    def true_now(self) -> datetime:
        """The time of the world around the station."""
        return self._source()

    def synchronise(self) -> None:
        """A lost clock takes the CSMS's time. A clock that is merely wrong stays wrong: such stations exist."""
        if self.is_lost:
            self.is_lost, self._offset = False, _ZERO
