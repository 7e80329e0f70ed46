"""The live stream of the console: news from NATS, told to every open page in the page's own terms.

What happens within a third of a second is told together, worded once for all pages that show the same in the same
language: hundreds of open pages cost little more than one. A page's queue is bounded; one that cannot follow is told to
load everything anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from litestar import get
from litestar.params import FromQuery
from litestar.response import Stream

from ohmstead.accounts.admission import Admission
from ohmstead.accounts.scope import Scope
from ohmstead.console import feed
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow
from ohmstead.core import clock, language, metrics
from ohmstead.core.db import Pool
from ohmstead.core.live import LiveNews, News
from ohmstead.core.log import logger
from ohmstead.doorway import WITHIN
from ohmstead.reports.reach.audience import Audience
from ohmstead.ui import figures, prices

log = logger("ohmstead.live")

QUEUE_LENGTH = 64
WINDOW_S = 0.3
MOST_LINES = 10
BEAT_S = 5.0
AGAIN_MS = 2000


class OpenPage:
    """One open page: its language, and the pieces of its stream that it has not been sent yet."""

    def __init__(self, spoken: str = language.ENGLISH) -> None:
        self.language = spoken
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LENGTH)

    def tell(self, piece: bytes) -> None:
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            piece = RESYNC
        self.queue.put_nowait(piece)


class Channel:
    """What a sort of pages is told: those of a party, or of some of its locations (`audience`), in one language; and of
    a station's messages, where `station_id` names one.
    """

    def __init__(
        self,
        station_id: str | None = None,
        audience: Audience | None = None,
        window_s: float = WINDOW_S,
        spoken: str = language.ENGLISH,
    ) -> None:
        self.station_id = station_id
        # Who hears all shares the work with the others; for the rest the event stays beside what is made of it.
        self.view = _view(spoken, keeps_event=audience is not None)
        self.pages: set[OpenPage] = set()
        self._audience = audience
        self._window_s = window_s
        self._gathered: list[News] = []
        self._told_at = 0.0
        self._is_open = False
        self._sifting: asyncio.Task[list[News]] | None = None

    def seen(self, events: Sequence[News]) -> list[News]:
        """What its pages make of events."""
        made = [news for event in events if (news := self.view(event)) is not None]
        return [news for news in made if news.get("only") in (None, self.station_id)]

    def tell(self, news: News) -> None:
        """At once after a time of silence, otherwise together with what else comes until the window is over."""
        if news.get("only") not in (None, self.station_id):
            return
        self._gathered.append(news)
        if not self._is_open:
            self._open_window()

    def _open_window(self) -> None:
        self._is_open = True
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._told_at + self._window_s - loop.time()), self._close_window)

    def _close_window(self) -> None:
        self._told_at = asyncio.get_running_loop().time()
        gathered, self._gathered = self._gathered, []
        if self._audience is None:
            self._is_open = False
            self._tell_pages(worded(gathered))
        else:
            # The window stays open meanwhile: what comes is told after what came before.
            self._sifting = asyncio.create_task(_admitted(self._audience, gathered))
            self._sifting.add_done_callback(self._sifted)

    def _sifted(self, sifting: asyncio.Task[list[News]]) -> None:
        self._is_open = False
        if sifting.cancelled():
            return
        if (error := sifting.exception()) is not None:
            log.warning("live_news_not_sifted", exc_info=error)
            self._tell_pages(RESYNC)
        elif admitted := sifting.result():
            self._tell_pages(worded(admitted))
        if self._gathered:
            self._open_window()

    def _tell_pages(self, piece: bytes) -> None:
        for page in self.pages:
            page.tell(piece)


async def _admitted(audience: Audience, gathered: Sequence[News]) -> list[News]:
    return [news for news in gathered if await audience.admits(news["of"])]


class Channels:
    """The open pages of this process."""

    def __init__(self, hub: LiveNews, pool: Pool) -> None:
        self._hub = hub
        self._pool = pool
        self._channels: dict[tuple[Scope, str | None, str], Channel] = {}

    async def join(self, scope: Scope, station_id: str | None, page: OpenPage, since: str | None = None) -> None:
        """The page hears of everything within its scope from now on, and of what happened since the position at which it was
        read; where that is not known any more it is told to load everything anew.
        """
        key = (scope, station_id, page.language)
        channel = self._channels.get(key)
        if channel is None:
            audience = None if scope.locations is None else Audience(self._pool, scope)
            channel = self._channels[key] = Channel(station_id, audience, spoken=page.language)
        else:
            metrics.live_clients.inc()
        channel.pages.add(page)
        # For every page: one that comes while the first one's subscription is being made waits for it, too.
        await self._hub.join(scope.party_id, channel)
        if since is None:
            return
        missed = self._hub.missed(scope.party_id, since)
        seen = None if missed is None else channel.seen(missed)
        if seen is None or (seen and scope.locations is not None):
            page.tell(RESYNC)  # which of them are within its locations is not worth a question
        elif seen:
            page.tell(worded(seen))

    def leave(self, scope: Scope, station_id: str | None, page: OpenPage) -> None:
        """Hear no more. No await in here: it is called by streams that are being cancelled."""
        channel = self._channels.get((scope, station_id, page.language))
        if channel is None or page not in channel.pages:
            return
        channel.pages.discard(page)
        if channel.pages:
            metrics.live_clients.dec()
        else:
            del self._channels[scope, station_id, page.language]
            self._hub.leave(scope.party_id, channel)


def worded(gathered: Sequence[News]) -> bytes:
    """Several news as the piece of a stream."""
    return b"".join(_event("news", news) for news in together(gathered))


def together(gathered: Sequence[News]) -> list[dict[str, Any]]:
    """Several news as one: the last text of each place, every name that was touched once; and the latest lines."""
    whole: dict[str, Any] = {}
    touched: dict[str, None] = {}
    lines: list[dict[str, Any]] = []
    for news in gathered:
        touched |= dict.fromkeys(news.get("touch", ()))
        for name in ("set", "width"):
            if name in news:
                whole.setdefault(name, {}).update(news[name])
        if "only" in news:
            whole["only"] = news["only"]
        if "line" in news:
            lines.append({"at": news["at"], "touch": [], "line": news["line"]})
        whole["at"] = news["at"]
    return [{**whole, "touch": list(touched)}, *lines[-MOST_LINES:]]


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


RESYNC = _event("news", {"resync": True})


def news_of(event: News) -> dict[str, Any] | None:
    """An event as pages need it, in the language of this task: texts to set in place, places to fetch anew, and a line for
    the feed.

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
    elif kind == "cost":
        news["touch"] = []
        news["set"] = _cost_place(event)
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


@cache
def _view(spoken: str, *, keeps_event: bool) -> Callable[[News], News | None]:
    """What pages of a language make of an event. One function for all of them: whoever has the same shares its work."""

    def view(event: News) -> News | None:
        # News come in the task of whoever listened first: its language means nothing here.
        with language.speaking(spoken):
            news = news_of(event)
        return {**news, "of": event} if news is not None and keeps_event else news

    return view


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


def _cost_place(event: News) -> dict[str, str]:
    total, currency = feed.decimal(event.get("total")), event.get("currency")
    if total is None or not isinstance(currency, str):
        return {}
    return {f"session/{event.get('session_id')}/cost": prices.amount(total, currency)}


@get("/live", media_type="text/event-stream", opt=WITHIN)
async def live(
    request: PageRequest,
    pool: PoolIn,
    actor: ActorIn,
    bus: BusIn,
    station: FromQuery[str | None] = None,
    since: FromQuery[str | None] = None,
) -> Stream:
    """The stream a page holds open: what happened `since` it was read, and what happens. A `beat` every five seconds lets it
    tell silence from a lost server. It ends within seconds once the session is over, or sees something else.
    """
    allow(actor, "events:read")
    channels: Channels = request.app.state.live_channels
    page, admission = OpenPage(language.spoken()), Admission(pool, actor)

    async def stream() -> AsyncIterator[bytes]:
        try:
            await channels.join(actor.scope, station, page, since)
            yield f"retry: {AGAIN_MS}\nevent: beat\ndata: {clock.now().isoformat()}\n\n".encode()
            while True:
                try:
                    async with asyncio.timeout(BEAT_S):
                        piece = await page.queue.get()
                except TimeoutError:
                    piece = _event("beat", {"at": clock.now().isoformat(), "is_whole": bus.is_connected})
                if not await admission.holds():
                    return
                yield piece
        finally:
            channels.leave(actor.scope, station, page)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(stream(), media_type="text/event-stream", headers=headers)
