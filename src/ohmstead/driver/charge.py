"""How far is a charge, what does it cost, and how do I end it? The page that a pass opens, from paying to the receipt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Stream
from msgspec import Struct

from ohmstead.billing.invoices import links
from ohmstead.core import clock, language
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import NotFound
from ohmstead.core.language import N_, _
from ohmstead.core.live import LiveNews, News
from ohmstead.driver import story
from ohmstead.driver.frame import DeskIn, PageRequest, PoolIn, charging_cookie, charging_of, drawn, secret_of
from ohmstead.driver.story import Story
from ohmstead.drivers import passes
from ohmstead.drivers.passes import Pass
from ohmstead.stations.orders import RemoteStop
from ohmstead.ui.templating import ENVIRONMENT

BEAT_S = 5.0
MOST_OFTEN_S = 1.0
AGAIN_MS = 3000
_STOP_WITHIN_S = 20.0


@get("/s/{text:str}")
async def charge_page(request: PageRequest, pool: PoolIn, text: FromPath[str]) -> Response[Any]:
    """One charge, wherever it stands."""
    async with pool.acquire() as conn:
        found = await _story(conn, request, text)
    return _drawn(request, text, found)


@get("/s/{text:str}/now")
async def charge_now(request: PageRequest, pool: PoolIn, text: FromPath[str]) -> Response[Any]:
    """The part of the page that changes, for pages that cannot hold a stream."""
    async with pool.acquire() as conn:
        found = await _story(conn, request, text)
    return Response(_piece(request, text, found), media_type="application/json")


@get("/s/{text:str}/live", media_type="text/event-stream")
async def charge_live(request: PageRequest, pool: PoolIn, text: FromPath[str]) -> Stream:
    """The same part again whenever something happens, at most once a second; between, a beat."""
    async with pool.acquire() as conn:
        found = await _story(conn, request, text)
    news: LiveNews = request.app.state.live_news
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(
        _pieces(request, pool, news, text, found, language.spoken()), media_type="text/event-stream", headers=headers
    )


@get("/s/{text:str}/stop")
async def ask_to_stop(request: PageRequest, pool: PoolIn, text: FromPath[str]) -> Response[Any]:
    """Sure? For browsers without scripts."""
    async with pool.acquire() as conn:
        found = await _story(conn, request, text)
    if found.phase != "charging":
        return Redirect(f"/drive/s/{text}", status_code=303)
    return drawn(request, "stop.html", zone=found.time_zone, help_phone=found.help_phone, story=found, text=text)


@post("/s/{text:str}/stop", status_code=200)
async def stop(request: PageRequest, pool: PoolIn, desk: DeskIn, text: FromPath[str]) -> Response[Any]:
    """End it. Whoever holds the pass may; the station's word for it is on the page that follows."""
    async with pool.acquire() as conn:
        found = await _story(conn, request, text)
    charge = found.charge
    if charge is None or not charge.is_open:
        return Redirect(f"/drive/s/{text}", status_code=303)
    command = await desk.send(
        RemoteStop(transaction_id=charge.transaction_id),
        party_id=charge.party_id,
        station_id=charge.station_id,
        requested_by=f"pass:{charge.session_id}",
        timeout_s=_STOP_WITHIN_S,
    )
    if command.status in ("accepted", "sent", "sending"):
        return Redirect(f"/drive/s/{text}?why=stopping", status_code=303)
    return Redirect(f"/drive/s/{text}?why=not_stopped", status_code=303)


# ----------------------------------------------------------------------------------------------------------- drawing


class Notice(Struct, frozen=True):
    """What just came of something."""

    tone: str
    icon: str
    text: str


_NOTICES = {
    "stopping": Notice("working", "hand", N_("The station ends it now.")),
    "not_stopped": Notice(
        "failed",
        "failed",
        N_("The station did not end it. Press stop at the station or in your car, or call for help."),
    ),
}


async def _story(conn: Connection, request: PageRequest, text: str) -> Story:
    held = passes.read(secret_of(request), text)
    found = await story.find(conn, held) if held is not None else None
    if found is None:
        raise NotFound(_("This address opens no charge. Look whether all of it was copied."))
    return found


def _drawn(request: PageRequest, text: str, found: Story) -> Response[Any]:
    notice = _NOTICES.get(str(request.query_params.get("why", ""))) if found.phase == "charging" else None
    answer = drawn(
        request,
        "charge.html",
        zone=found.time_zone,
        help_phone=found.help_phone,
        story=found,
        text=text,
        receipt=links.link_of(secret_of(request), found.invoice_id) if found.invoice_id else "",
        credit_note=links.link_of(secret_of(request), found.credit_note_id) if found.credit_note_id else "",
        notice=Notice(notice.tone, notice.icon, _(notice.text)) if notice is not None else None,
    )
    settings = request.app.state.settings
    if found.is_over and charging_of(request) == text:
        answer.set_cookie(charging_cookie(settings, ""))
    elif not found.is_over and charging_of(request) != text:
        answer.set_cookie(charging_cookie(settings, text))
    return answer


def _piece(request: PageRequest, text: str, found: Story) -> bytes:
    state = request.scope["state"]
    state["party_zone"] = found.time_zone
    state.pop("view", None)
    html = ENVIRONMENT.get_template("drive/now.html").render(request=request, story=found, text=text)
    told = {"html": html, "phase": found.phase, "title": found.title, "at": clock.now(), "over": found.is_over}
    return msgspec.json.encode(told)


# ---------------------------------------------------------------------------------------------------------- the stream


class _Ear:
    """One page's ear: wakes it when its station's sessions tell something."""

    def __init__(self, station_id: str) -> None:
        self.woken = asyncio.Event()
        self._station_id = station_id
        self.view: Callable[[News], News | None] = self._wanted

    def _wanted(self, event: News) -> News | None:
        is_ours = event.get("station_id") == self._station_id and event.get("kind") in (
            "session",
            "connection",
            "connector",
        )
        return event if is_ours else None

    def tell(self, news: News) -> None:
        self.woken.set()


async def _pieces(
    request: PageRequest, pool: Pool, news: LiveNews, text: str, found: Story, spoken: str
) -> AsyncIterator[bytes]:
    ear, held = _Ear(found.station_id), passes.read(secret_of(request), text)
    assert held is not None
    await news.join(found.party_id, ear)
    last = b""
    try:
        yield f"retry: {AGAIN_MS}\n\n".encode()
        while True:
            piece, is_over = await _worded(request, pool, held, text, spoken)
            unstamped = piece.partition(b'"at":')[0]
            if unstamped != last:
                last = unstamped
                yield b"event: now\ndata: " + piece + b"\n\n"
            else:
                yield f"event: beat\ndata: {clock.now().isoformat()}\n\n".encode()
            if is_over:
                return
            await asyncio.sleep(MOST_OFTEN_S)
            try:
                async with asyncio.timeout(BEAT_S - MOST_OFTEN_S):
                    await ear.woken.wait()
            except TimeoutError:
                pass
            ear.woken.clear()
    finally:
        news.leave(found.party_id, ear)


async def _worded(request: PageRequest, pool: Pool, held: Pass, text: str, spoken: str) -> tuple[bytes, bool]:
    with language.speaking(spoken):
        async with pool.acquire() as conn:
            found = await story.find(conn, held)
        assert found is not None
        return _piece(request, text, found), found.is_over


HANDLERS: Sequence[Any] = [charge_page, charge_now, charge_live, ask_to_stop, stop]
