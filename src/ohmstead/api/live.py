"""A client of the live stream: which events it wants, and a bounded queue of them."""

import asyncio

from ohmstead.core.live import News

QUEUE_SIZE = 500
MOST_LISTENERS = 600
# No party's programs shut those of others out.
MOST_OF_PARTY = 200


def _as_it_is(event: News) -> News | None:
    return event if isinstance(event.get("kind"), str) else None


class Listener:
    """One client. `lost` is set when it reads too slowly to be served."""

    def __init__(self, kinds: frozenset[str] | None, stations: frozenset[str] | None) -> None:
        self.view = _as_it_is
        self._kinds = kinds
        self._stations = stations
        self.queue: asyncio.Queue[News] = asyncio.Queue(QUEUE_SIZE)
        self.lost = False

    def tell(self, event: News) -> None:
        """Put an event into the queue when it is wanted; a full queue ends the service."""
        if self.lost or (self._kinds is not None and event.get("kind") not in self._kinds):
            return
        if self._stations is not None and event.get("station_id") not in self._stations:
            return
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.lost = True
