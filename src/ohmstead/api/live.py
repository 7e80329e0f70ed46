"""What happens now, for many listeners: one subscription per party, a bounded queue per listener."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core import metrics
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.log import logger

log = logger("ohmstead.live")

QUEUE_SIZE = 500
MOST_LISTENERS = 200


class Listener:
    """One client. `lost` is set when it reads too slowly to be served."""

    def __init__(self, kinds: frozenset[str] | None, stations: frozenset[str] | None) -> None:
        self._kinds = kinds
        self._stations = stations
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE_SIZE)
        self.lost = False

    def tell(self, event: dict[str, Any]) -> None:
        """Put an event into the queue when it is wanted; a full queue ends the service."""
        if self.lost or (self._kinds is not None and event.get("kind") not in self._kinds):
            return
        if self._stations is not None and event.get("station_id") not in self._stations:
            return
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.lost = True


class LiveNews:
    """All listeners of this process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: dict[UUID, set[Listener]] = {}
        self._stops: dict[UUID, Callable[[], Awaitable[None]]] = {}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def n_listeners(self) -> int:
        return sum(len(listeners) for listeners in self._listeners.values())

    async def join(self, party_id: UUID, listener: Listener) -> None:
        """Hear a party's news from now on."""
        async with self._lock:
            self._listeners.setdefault(party_id, set()).add(listener)
            metrics.live_clients.inc()
            if party_id not in self._stops:
                self._stops[party_id] = await self._bus.listen(
                    LIVE + party_id.hex, lambda _subject, data: self._heard(party_id, data)
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

    async def _heard(self, party_id: UUID, data: bytes) -> None:
        try:
            events = msgspec.json.decode(data, type=list[dict[str, Any]])
        except msgspec.DecodeError:
            log.warning("live_news_unreadable", size=len(data))
            return
        for listener in self._listeners.get(party_id, ()):
            for event in events:
                listener.tell(event)
