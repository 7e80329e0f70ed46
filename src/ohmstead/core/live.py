"""What happens now, for many listeners of this process: one subscription per party, whatever the listeners make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.core import metrics
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.log import logger

log = logger("ohmstead.live")

News: TypeAlias = Mapping[str, Any]


class Listener(Protocol):
    """One client, with a bounded queue of its own."""

    @property
    def view(self) -> Callable[[News], News | None]:
        """What listeners of its sort make of an event; done once for all that have the same. None: they do not want it."""
        ...

    def tell(self, news: News) -> None:
        """Never waits: what a client does when it reads too slowly is its own affair."""
        ...


class LiveNews:
    """All listeners of this process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: dict[UUID, set[Listener]] = {}
        self._stops: dict[UUID, Callable[[], Awaitable[None]]] = {}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def count(self, sort: type) -> int:
        """How many listeners of a sort there are."""
        return sum(isinstance(one, sort) for listeners in self._listeners.values() for one in listeners)

    def is_heard(self, party_id: UUID) -> bool:
        """Does anybody here listen to a party's news?"""
        return party_id in self._listeners

    async def join(self, party_id: UUID, listener: Listener) -> None:
        """Hear a party's news from now on."""
        async with self._lock:
            listeners = self._listeners.setdefault(party_id, set())
            if listener not in listeners:
                listeners.add(listener)
                metrics.live_clients.inc()
            if party_id not in self._stops:
                self._stops[party_id] = await self._bus.listen(
                    LIVE + party_id.hex, lambda _subject, data: self.heard(party_id, data)
                )

    def leave(self, party_id: UUID, listener: Listener) -> None:
        """Hear no more. No await in here: it is called by streams that are being cancelled."""
        listeners = self._listeners.get(party_id, set())
        if listener in listeners:
            listeners.discard(listener)
            metrics.live_clients.dec()
        if not listeners:
            task = asyncio.create_task(self._end(party_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end(self, party_id: UUID) -> None:
        async with self._lock:
            if not self._listeners.get(party_id) and (stop := self._stops.pop(party_id, None)) is not None:
                self._listeners.pop(party_id, None)
                await stop()

    async def heard(self, party_id: UUID, data: bytes) -> None:
        """News of a party as they travel: a list of events. What cannot be read disturbs nobody."""
        try:
            events = msgspec.json.decode(data)
        except msgspec.DecodeError:
            log.warning("live_news_unreadable", size=len(data))
            return
        listeners = tuple(self._listeners.get(party_id, ()))
        for event in events if isinstance(events, list) else []:
            if not isinstance(event, dict):
                continue
            seen: dict[Callable[[News], News | None], News | None] = {}
            for listener in listeners:
                view = listener.view
                if view not in seen:
                    seen[view] = view(event)
                if (news := seen[view]) is not None:
                    listener.tell(news)
