"""The live stream of the console: news from NATS, told to every open page in the page's own terms.

A page's queue is bounded; one that cannot follow is told to load everything anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import get
from litestar.params import FromQuery
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from ohmstead.console import feed
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow
from ohmstead.core import clock
from ohmstead.core.live import LiveNews, News
from ohmstead.doorway import WITHIN
from ohmstead.reports.reach.audience import Audience
from ohmstead.ui import figures

QUEUE_LENGTH = 256
BEAT_S = 5.0
AGAIN_MS = 2000
RESYNC: News = {"resync": True}


class Listener:
    """One open page. `station_id`: whose messages it wants to hear of. `is_whole`: it hears of the whole party."""

    def __init__(self, station_id: str | None, *, is_whole: bool = True) -> None:
        self.station_id = station_id
        # Who hears all shares the work with the others; for the rest the event stays beside what is made of it.
        self.view = news_of if is_whole else _with_event
        self.queue: asyncio.Queue[News] = asyncio.Queue(QUEUE_LENGTH)

    def tell(self, news: News) -> None:
        if news.get("only") not in (None, self.station_id):
            return
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            news = RESYNC
        self.queue.put_nowait(news)


def news_of(event: News) -> dict[str, Any] | None:
    """An event as pages need it: texts to set in place, places to fetch anew, and a line for the feed.

    `set`: place → text; `touch`: what changed, by name; `only`: the station whose page alone wants it.
    """
    station_id, kind = event.get("station_id"), event.get("kind")
    if kind == "bulk_command":
        return {"at": event.get("at"), "touch": [f"bulk:{event.get('bulk_id')}"]}
    if not isinstance(station_id, str):
        return None
    news: dict[str, Any] = {"at": event.get("at"), "touch": [f"station:{station_id}"]}
    if kind == "message":
        return {"at": event.get("at"), "touch": [f"messages:{station_id}"], "only": station_id}
    if kind == "session":
        session_id = event.get("session_id")
        news["touch"] = [f"session:{session_id}"]
        news["set"], news["width"] = _session_places(event)
        if event.get("what") != "updated":
            news["touch"] += [f"station:{station_id}", "network", "sessions"]
        else:
            news["touch"].append("power")
    elif kind in ("connection", "connector", "station"):
        news["touch"] += ["network", "stations"]
    elif kind == "command":
        news["touch"] = [f"commands:{station_id}"]
    else:
        return None
    line = feed.of_news(event)
    if line is not None:
        news["line"] = {
            "at": line.at.isoformat(),
            "tone": line.tone,
            "icon": line.icon,
            "station": line.station_id,
            "text": line.text,
            "path": line.path,
            "note": line.note,
        }
    return news


def _with_event(event: News) -> dict[str, Any] | None:
    news = news_of(event)
    return None if news is None else {**news, "of": event}


def _session_places(event: News) -> tuple[dict[str, str], dict[str, float]]:
    prefix = f"session/{event.get('session_id')}/"
    places: dict[str, str] = {}
    widths: dict[str, float] = {}
    for name, form in (("power", figures.power), ("energy", figures.energy)):
        value = feed.decimal(event.get({"power": "power_w", "energy": "energy_wh"}[name]))
        if value is not None:
            places[prefix + name], places[prefix + name + "_unit"] = form(value)
    soc = feed.decimal(event.get("soc_percent"))
    if soc is not None:
        places[prefix + "soc"] = figures.percent(soc)
        widths[prefix + "soc"] = min(max(float(soc), 0.0), 100.0)
    return places, widths


@get("/live", opt=WITHIN)
async def live(
    request: PageRequest, pool: PoolIn, actor: ActorIn, bus: BusIn, station: FromQuery[str | None] = None
) -> ServerSentEvent:
    """The stream a page holds open. A `beat` every five seconds lets it tell silence from a lost server."""
    allow(actor, "events:read")
    hub: LiveNews = request.app.state.live_news
    audience = Audience(pool, actor.scope)
    listener = Listener(station, is_whole=audience.hears_all)

    async def stream() -> AsyncIterator[ServerSentEventMessage]:
        try:
            await hub.join(actor.party_id, listener)
            yield ServerSentEventMessage(data=clock.now().isoformat(), event="beat", retry=AGAIN_MS)
            while True:
                try:
                    async with asyncio.timeout(BEAT_S):
                        news = await listener.queue.get()
                except TimeoutError:
                    beat = {"at": clock.now().isoformat(), "is_whole": bus.is_connected}
                    yield ServerSentEventMessage(data=msgspec.json.encode(beat).decode(), event="beat")
                    continue
                event = news.get("of")
                if event is not None and not await audience.admits(event):
                    continue
                told = {name: value for name, value in news.items() if name != "of"}
                yield ServerSentEventMessage(data=msgspec.json.encode(told).decode(), event="news")
        finally:
            hub.leave(actor.party_id, listener)

    return ServerSentEvent(stream())
