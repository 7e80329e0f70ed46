"""The one place that reads the time, so that tests can hold it still."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

_source: Callable[[], datetime] = lambda: datetime.now(UTC)  # noqa: E731  (replaced by `set_source`)


def now() -> datetime:
    """The present instant, aware, UTC."""
    return _source()


def set_source(source: Callable[[], datetime] | None) -> None:
    """Replace the clock (tests); None gives the real one back."""
    global _source  # noqa: PLW0603
    _source = source if source is not None else lambda: datetime.now(UTC)
