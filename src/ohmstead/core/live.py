"""What happens now, for many listeners of this process: one subscription per party, whatever the listeners make of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_hex
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.core import metrics
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.log import logger

log = logger("ohmstead.live")

News: TypeAlias = Mapping[str, Any]

LINGER_S = 60.0
MOST_KEPT = 300


class Listener(Protocol):
    """One client, with a bounded queue of its own."""

    @property
    def view(self) -> Callable[[News], News | None]:
        """What listeners of its sort make of an event; done once for all that have the same. None: they do not want it."""
        ...

    def tell(self, news: News) -> None:
        """Never waits: what a client does when it reads too slowly is its own affair."""
        ...


class _Hearing:
    """A subscription: how many events it brought, and the latest of them."""

    def __init__(self) -> None:
        self.name = token_hex(4)
        self.n = 0
        self.latest: deque[News] = deque(maxlen=MOST_KEPT)
        self.used_at = 0.0

    def add(self, event: News) -> None:
        self.n += 1
        self.latest.append(event)


class LiveNews:
    """All listeners of this process.

    A page is read first and listens a moment later. So that it misses nothing in between, it takes its `position` before it
    reads and asks for what it `missed` when it listens; a subscription stays for `linger_s` seconds after its last use.
    """

    def __init__(self, bus: Bus, linger_s: float = LINGER_S) -> None:
        self._bus = bus
        self._linger_s = linger_s
        self._listeners: dict[UUID, set[Listener]] = {}
        self._stops: dict[UUID, Callable[[], Awaitable[None]]] = {}
        self._hearings: dict[UUID, _Hearing] = {}
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def count(self, sort: type, party_id: UUID | None = None) -> int:
        """How many listeners of a sort there are: to a party's news, or to anybody's."""
        heard = self._listeners.values() if party_id is None else [self._listeners.get(party_id, set())]
        return sum(isinstance(one, sort) for listeners in heard for one in listeners)

    def is_heard(self, party_id: UUID) -> bool:
        """Does anybody here listen to a party's news?"""
        return party_id in self._listeners

    async def position(self, party_id: UUID) -> str:
        """Where a party's news are now, to be told to `missed` later; "" while the bus is away."""
        if not self._bus.is_connected:
            return ""
        async with self._lock:
            await self._subscribe(party_id)
            hearing = self._hearings[party_id]
        self._linger(party_id)
        return f"{hearing.name}-{hearing.n}"

    def missed(self, party_id: UUID, position: str) -> list[News] | None:
        """What a party's news were since a position; None: that is not known (any more, or in this process)."""
        hearing = self._hearings.get(party_id)
        name, _, n = position[:40].rpartition("-")
        if hearing is None or name != hearing.name or not n.isdecimal():
            return None
        n_missed, latest = hearing.n - int(n), list(hearing.latest)
        return latest[len(latest) - n_missed :] if 0 <= n_missed <= len(latest) else None

    async def join(self, party_id: UUID, listener: Listener) -> None:
        """Hear a party's news from now on."""
        async with self._lock:
            listeners = self._listeners.setdefault(party_id, set())
            if listener not in listeners:
                listeners.add(listener)
                metrics.live_clients.inc()
            await self._subscribe(party_id)

    def leave(self, party_id: UUID, listener: Listener) -> None:
        """Hear no more. No await in here: it is called by streams that are being cancelled."""
        listeners = self._listeners.get(party_id, set())
        if listener in listeners:
            listeners.discard(listener)
            metrics.live_clients.dec()
        if not listeners:
            self._listeners.pop(party_id, None)
            self._linger(party_id)

    async def _subscribe(self, party_id: UUID) -> None:
        if party_id in self._stops:
            return
        self._hearings[party_id] = _Hearing()
        self._stops[party_id] = await self._bus.listen(
            LIVE + party_id.hex, lambda _subject, data: self.heard(party_id, data)
        )

    def _linger(self, party_id: UUID) -> None:
        """Whom nobody listens to is let go some time after this."""
        hearing, loop = self._hearings.get(party_id), asyncio.get_running_loop()
        if hearing is None or party_id in self._listeners:
            return
        hearing.used_at = at = loop.time()
        loop.call_later(self._linger_s, self._let_go, party_id, at)

    def _let_go(self, party_id: UUID, at: float) -> None:
        hearing = self._hearings.get(party_id)
        if hearing is None or hearing.used_at > at or party_id in self._listeners:
            return
        task = asyncio.create_task(self._end(party_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, party_id: UUID) -> None:
        async with self._lock:
            if not self._listeners.get(party_id) and (stop := self._stops.pop(party_id, None)) is not None:
                self._hearings.pop(party_id, None)
                await stop()

    async def heard(self, party_id: UUID, data: bytes) -> None:
        """News of a party as they travel: a list of events. What cannot be read disturbs nobody."""
        try:
            events = msgspec.json.decode(data)
        except msgspec.DecodeError:
            log.warning("live_news_unreadable", size=len(data))
            return
        listeners, hearing = tuple(self._listeners.get(party_id, ())), self._hearings.get(party_id)
        for event in events if isinstance(events, list) else []:
            if not isinstance(event, dict):
                continue
            if hearing is not None:
                hearing.add(event)
            seen: dict[Callable[[News], News | None], News | None] = {}
            for listener in listeners:
                view = listener.view
                if view not in seen:
                    seen[view] = view(event)
                if (news := seen[view]) is not None:
                    listener.tell(news)
