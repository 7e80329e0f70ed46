"""What somebody who sees some locations only may hear of, while they listen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Pool
from ohmstead.core.events import Event
from ohmstead.core.live import News
from ohmstead.reports.reach import queries

# Stations come and go by ways that nobody announces, too.
GOOD_FOR_S = 10.0


class Audience:
    """Whoever listens with this scope. One for each listener: it remembers the stations."""

    def __init__(self, pool: Pool, scope: Scope) -> None:
        self._pool = pool
        self._scope = scope
        self._stations: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    @property
    def hears_all(self) -> bool:
        """Everything of the party is theirs to hear."""
        return self._scope.locations is None

    async def admits(self, news: News) -> bool:
        """May they hear these live news? What changes a station may have moved it, so it is looked up anew."""
        if self.hears_all:
            return True
        await self._refresh(is_needed=news.get("kind") == "station")
        return news.get("station_id") in self._stations

    async def admitted(self, events: list[Event]) -> list[Event]:
        """Those of some durable events that are of stations and locations within the scope."""
        if self.hears_all:
            return events
        await self._refresh(is_needed=True)
        return [event for event in events if self._is_within(event.subject, event.payload)]

    def _is_within(self, subject: str, payload: Mapping[str, Any]) -> bool:
        kind, _, thing = subject.partition("/")
        if kind == "location":
            return self._scope.holds(UUID(thing))
        return (thing if kind == "station" else payload.get("station_id")) in self._stations

    async def _refresh(self, *, is_needed: bool) -> None:
        if not is_needed and time.monotonic() - self._read_at < GOOD_FOR_S:
            return
        async with self._pool.acquire() as conn:
            self._stations = await queries.list_station_ids(conn, self._scope)
        self._read_at = time.monotonic()
