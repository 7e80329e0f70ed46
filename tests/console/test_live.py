"""The live stream: news reach open pages of their own network only, and a page that cannot follow starts anew."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from ohmstead.accounts.scope import Scope
from ohmstead.console.live import QUEUE_LENGTH, RESYNC, WINDOW_S, Channel, Channels, OpenPage, news_of
from ohmstead.core import language
from ohmstead.core.bus import LIVE, Bus
from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.core.live import MOST_KEPT, LiveNews
from ohmstead.doorway import LANGUAGE_COOKIE
from tests.console.visitor import Visitor

AT = "2026-03-11T13:30:00+00:00"


@asynccontextmanager
async def stream(visitor: Visitor, query: str = "") -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of an open page, after the first beat."""

    async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
        name = ""
        async for line in lines:
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:") and name != "beat":
                yield name, json.loads(line[5:])

    async with visitor.client.stream("GET", f"/live{query}", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        async for line in lines:
            if line.startswith("data:"):
                break
        yield events(lines)


async def next_with(events: AsyncIterator[tuple[str, Any]], key: str) -> dict[str, Any]:
    async with asyncio.timeout(8):
        async for _, news in events:
            if key in news:
                return dict(news)
    raise AssertionError("the stream ended")


async def test_a_charge_is_told_to_the_open_page_in_its_own_words(visitor: Visitor) -> None:
    network = visitor.network
    await network.token("CARD")
    station = await network.station("1.6", hours_ago=0)
    async with stream(visitor) as events:
        await station.plugs_in()
        await station.presents("CARD")
        began = await next_with(events, "line")
        while "session began" not in began["line"]["text"]:
            began = await next_with(events, "line")
        assert began["line"]["text"] == "1 session began with CARD"
        assert began["line"]["station"] == station.station_id
        await station.delivers(wh=2_750, over="15m")
        updated = await next_with(events, "set")
        while not any(name.endswith("/energy") and text == "2.750" for name, text in updated["set"].items()):
            updated = await next_with(events, "set")
        session = await network.pool.fetchval(
            "select session_id from session where station_id = $1", station.station_id
        )
        assert updated["set"][f"session/{session}/power"] == "11.0"
        assert f"session:{session}" in updated["touch"]


async def test_messages_are_told_only_to_the_page_of_their_station(visitor: Visitor) -> None:
    one = await visitor.network.station("1.6", "ONE")
    two = await visitor.network.station("1.6", "TWO")
    async with stream(visitor, f"?station={two.station_id}") as events:
        await one.says("Heartbeat", {})
        await two.says("Heartbeat", {})
        news = await next_with(events, "only")
        assert news["only"] == two.station_id


async def test_strangers_hear_nothing(visitor: Visitor, stranger: Visitor) -> None:
    theirs = await stranger.network.station("1.6", "THEIRS")
    mine = await visitor.network.station("1.6", "MINE", boots=False)
    async with stream(visitor) as events:
        await theirs.says("Heartbeat", {})
        await theirs.leaves()
        await mine.boots()
        news = await next_with(events, "touch")
        assert theirs.station_id not in json.dumps(news)
        assert mine.station_id in json.dumps(news)
    await mine.leaves()


async def test_what_happens_between_the_reading_of_a_page_and_its_listening_is_told(visitor: Visitor) -> None:
    network = visitor.network
    await network.token("CARD")
    station, other = await network.station("1.6", hours_ago=0), await network.station("1.6", "OTHER")
    page = await visitor.client.get(f"/stations/{station.station_id}")
    (since,) = re.findall(r'data-live-since="([0-9a-f]+-[0-9]+)"', page.text)
    hub = visitor.front.app.state.live_news
    await station.plugs_in()
    await station.presents("CARD")
    await other.says("Heartbeat", {})

    async def has_heard() -> bool:
        kinds = [(event["kind"], event.get("what")) for event in hub.missed(network.party_id, since)]
        return ("session", "started") in kinds and kinds[-1][0] == "message"

    await network.until(has_heard, "the news of the charge are here")
    async with stream(visitor, f"?station={station.station_id}&since={since}") as events:
        news = await next_with(events, "touch")
        assert {f"station:{station.station_id}", "sessions", f"messages:{station.station_id}"} <= set(news["touch"])
        assert f"messages:{other.station_id}" not in news["touch"]
        assert "session began" in (await next_with(events, "line"))["line"]["text"]
    since = await hub.position(network.party_id)
    async with stream(visitor, f"?since={since}") as events:
        await other.leaves()
        news = await next_with(events, "touch")
        assert f"station:{other.station_id}" in news["touch"]
        assert f"station:{station.station_id}" not in news["touch"]


async def test_a_page_whose_position_nobody_knows_loads_everything_anew(visitor: Visitor) -> None:
    async with stream(visitor, "?since=0badc0de-0") as events:
        assert await next_with(events, "resync") == {"resync": True}


async def test_news_since_a_position_are_exact_or_unknown(nats_url: str) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus), uuid4()
    try:
        assert hub.missed(party_id, "") is None
        first = await hub.position(party_id)
        assert hub.missed(party_id, first) == []
        await hub.heard(party_id, json.dumps([{"n": 0}, 7, {"n": 1}]).encode())
        then = await hub.position(party_id)
        await hub.heard(party_id, json.dumps([{"n": n} for n in range(2, MOST_KEPT)]).encode())
        assert hub.missed(party_id, first) == [{"n": n} for n in range(MOST_KEPT)]
        await hub.heard(party_id, json.dumps([{"n": MOST_KEPT}]).encode())
        assert hub.missed(party_id, first) is None
        assert hub.missed(party_id, then) == [{"n": n} for n in range(2, MOST_KEPT + 1)]
        assert hub.missed(uuid4(), then) is None
        name = then.partition("-")[0]
        for wrong in (
            "",
            "-",
            name,
            f"{name}-",
            f"{name}--1",
            f"{name}-²",
            f"{name}-{10**9}",
            "x" * 99,
            f"{name}-9" * 99,
        ):
            assert hub.missed(party_id, wrong) is None
    finally:
        await bus.close()


async def test_a_subscription_stays_a_while_after_its_last_use(nats_url: str) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus, linger_s=0), uuid4()
    try:
        channel = Channel(window_s=0)
        await hub.join(party_id, channel)
        position = await hub.position(party_id)
        await asyncio.sleep(0.05)
        assert hub.missed(party_id, position) == [], "somebody listens"
        hub.leave(party_id, channel)
        async with asyncio.timeout(5):
            while hub.missed(party_id, position) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await hub.position(party_id) != position
    finally:
        await bus.close()


async def test_a_page_of_whoever_is_out_hears_nothing_more(visitor: Visitor) -> None:
    async with stream(visitor) as events:
        await visitor.sends("/sign-out", expect=303)
        async with asyncio.timeout(30):
            assert [news async for news in events] == []


async def test_a_page_that_left_is_forgotten(visitor: Visitor) -> None:
    hub = visitor.front.app.state.live_news
    async with stream(visitor):
        assert hub.is_heard(visitor.network.party_id)

    async def is_forgotten() -> bool:
        return not hub.is_heard(visitor.network.party_id)

    await visitor.network.until(is_forgotten, "the page is forgotten")


async def test_a_slow_page_is_told_to_start_anew_and_holds_nobody_up(nats_url: str) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus), uuid4()
    channel, slow, quick = Channel(window_s=0), OpenPage(), OpenPage()
    channel.pages |= {slow, quick}
    await hub.join(party_id, channel)
    for n in range(3 * QUEUE_LENGTH):
        event = {"kind": "connection", "at": AT, "station_id": f"ST{n}", "is_connected": True}
        await hub.heard(party_id, json.dumps([event]).encode())
        async with asyncio.timeout(5):
            assert f"station:ST{n}".encode() in await quick.queue.get()
    told = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
    assert RESYNC in told
    assert len(told) <= QUEUE_LENGTH
    await bus.close()


async def test_what_happens_together_is_told_once_with_the_last_word_of_each_place(nats_url: str, db: Pool) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus), uuid4()
    scope = Scope(party_id)
    channels, page, other = Channels(hub, db), OpenPage(), OpenPage()
    await channels.join(scope, None, page)
    await channels.join(scope, "ST", other)
    update = {"kind": "session", "what": "updated", "station_id": "ST", "session_id": "S", "at": AT}
    events = [{**update, "energy_wh": str(n)} for n in range(1000, 5001, 1000)]
    events += [{"kind": "connection", "at": AT, "station_id": f"N{n}", "is_connected": True} for n in range(12)]
    events += [{"kind": "message", "at": AT, "station_id": "ST"}, {"kind": "message", "at": AT, "station_id": "N1"}]
    await hub.heard(party_id, json.dumps(events).encode())
    async with asyncio.timeout(5):
        mine, theirs = await page.queue.get(), await other.queue.get()
    first, *lines = [json.loads(line[5:]) for line in mine.decode().splitlines() if line.startswith("data:")]
    assert first["set"]["session/S/energy"] == "5.000"
    assert first["touch"].count("session:S") == 1
    assert {"station:N0", "station:N11", "network", "power"} <= set(first["touch"])
    assert "only" not in first
    assert not any("messages" in name for name in first["touch"])
    assert [line["line"]["station"] for line in lines] == [f"N{n}" for n in range(2, 12)]
    assert b'"messages:ST"' in theirs
    assert b'"messages:N1"' not in theirs
    assert page.queue.empty()
    channels.leave(scope, None, page)
    assert hub.is_heard(party_id)
    channels.leave(scope, "ST", other)
    await bus.close()


@pytest.mark.parametrize("first", ["de", "en"])
async def test_pages_of_two_languages_hear_the_same_change_each_in_its_own(nats_url: str, db: Pool, first: str) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus), uuid4()
    scope, channels = Scope(party_id), Channels(hub, db)
    german, english = OpenPage("de"), OpenPage("en")
    pages = {"de": german, "en": english}
    # News are heard in the task of whoever came first: its language must not become that of the others.
    with language.speaking(first):
        await channels.join(scope, None, pages.pop(first))
    for page in pages.values():
        await channels.join(scope, None, page)
    update = {"kind": "session", "station_id": "ST", "session_id": "S", "evse_number": 1, "at": AT}
    events = [
        {**update, "what": "updated", "energy_wh": "1284400", "power_w": "138400"},
        {**update, "what": "started", "started_at": AT, "token_uid": "CARD"},
        {**update, "kind": "connector", "status": "faulted", "error_code": "GroundFailure"},
    ]
    with language.speaking(first):
        await bus.publish(LIVE + party_id.hex, events)
    async with asyncio.timeout(5):
        in_german, in_english = (await german.queue.get()).decode(), (await english.queue.get()).decode()
    for told, energy, power, began, fault in (
        (
            in_english,
            "1,284",
            "138.4",
            "1 session began with CARD",
            "1 out of order: The ground-fault breaker has tripped.",
        ),
        (
            in_german,
            "1.284",
            "138,4",
            "EVSE 1: Ladevorgang begonnen mit CARD",
            "EVSE 1: gestört: Der Fehlerstromschutz hat ausgelöst.",
        ),
    ):
        first_news, *lines = [json.loads(line[5:]) for line in told.splitlines() if line.startswith("data:")]
        assert first_news["set"] == {
            "session/S/power": power,
            "session/S/power_unit": "kW",
            "session/S/energy": energy,
            "session/S/energy_unit": "kWh",
        }
        assert [line["line"]["text"] for line in lines] == [began, fault]
    channels.leave(scope, None, german)
    assert hub.is_heard(party_id)
    channels.leave(scope, None, english)
    await bus.close()


async def test_news_are_worded_once_for_all_pages_of_a_language(nats_url: str, db: Pool) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus), uuid4()
    scope, channels = Scope(party_id), Channels(hub, db)
    pages = {code: [OpenPage(code) for _ in range(500)] for code in ("de", "en")}
    for page in (*pages["de"], *pages["en"]):
        await channels.join(scope, None, page)
    assert hub.count(Channel) == 2
    event = {"kind": "connection", "at": AT, "station_id": "ST", "is_connected": False}
    await hub.heard(party_id, json.dumps([event]).encode())
    async with asyncio.timeout(5):
        # The very same piece, not an equal one.
        pieces = {code: {id(await page.queue.get()) for page in some} for code, some in pages.items()}
    assert {code: len(some) for code, some in pieces.items()} == {"de": 1, "en": 1}
    # Pages of stations share what the event was made into, too.
    assert Channel("ONE", spoken="de").view is Channel("TWO", spoken="de").view
    assert Channel(spoken="de").view is not Channel(spoken="en").view
    for page in (*pages["de"], *pages["en"]):
        channels.leave(scope, None, page)
    assert not hub.count(Channel)
    await bus.close()


async def test_an_open_page_is_told_in_the_language_that_it_was_opened_in(visitor: Visitor) -> None:
    visitor.client.cookies.set(LANGUAGE_COOKIE, "de")
    station = await visitor.network.station("1.6", hours_ago=0, boots=False)
    async with stream(visitor) as events:
        await station.boots()
        told = await next_with(events, "line")
        while "OCPP" not in told["line"]["text"]:
            told = await next_with(events, "line")
        assert told["line"]["text"] == "verbunden mit OCPP 1.6"
    await station.leaves()


async def test_who_sees_some_locations_is_told_of_their_stations_only_and_in_order(visitor: Visitor) -> None:
    pool, party_id = visitor.network.pool, visitor.network.party_id
    place = new_id()
    await pool.execute(
        "insert into location (location_id, party_id, name, time_zone) values ($1, $2, 'Mine', 'UTC')", place, party_id
    )
    mine, other = (f"{name}-{place.hex[-8:]}" for name in ("MINE", "OTHER"))
    for station_id, at in ((mine, place), (other, None)):
        await pool.execute(
            "insert into station (station_id, party_id, location_id) values ($1, $2, $3)", station_id, party_id, at
        )
    hub: LiveNews = visitor.front.app.state.live_news
    channels, page, twin, whole = Channels(hub, pool), OpenPage(), OpenPage(), OpenPage()
    scopes = ((Scope(party_id, (place,)), page), (Scope(party_id, (place,)), twin), (Scope(party_id), whole))
    for scope, one in scopes:
        await channels.join(scope, None, one)
    for n in range(3):
        update = {"kind": "session", "what": "updated", "at": AT, "energy_wh": f"{n + 1}000"}
        news = [{**update, "station_id": s, "session_id": f"at-{s}"} for s in (mine, other)]
        await hub.heard(party_id, json.dumps(news).encode())
        async with asyncio.timeout(5):
            told, again, all_told = await page.queue.get(), await twin.queue.get(), await whole.queue.get()
        assert told == again
        assert f'"session/at-{mine}/energy":"{n + 1}.000"'.encode() in told
        assert other.encode() not in told
        assert other.encode() in all_told
    await hub.heard(party_id, json.dumps([{"kind": "bulk_command", "bulk_id": "B", "at": AT}]).encode())
    await hub.heard(party_id, json.dumps([{"kind": "connection", "at": AT, "station_id": other}]).encode())
    async with asyncio.timeout(5):
        assert b"bulk:B" in await whole.queue.get()
    await asyncio.sleep(2 * WINDOW_S)
    assert page.queue.empty()
    for scope, one in scopes:
        channels.leave(scope, None, one)


async def test_news_that_cannot_be_read_disturb_nobody(nats_url: str) -> None:
    bus = await Bus.connect(nats_url, "live-test")
    hub, party_id = LiveNews(bus), uuid4()
    channel, page = Channel(window_s=0), OpenPage()
    channel.pages.add(page)
    await hub.join(party_id, channel)
    for data in (b"{", b"null", b'"x"', b"[1, null, {}]", b'[{"kind": "session", "station_id": 7}]'):
        await hub.heard(party_id, data)
    good = {"kind": "connection", "at": AT, "station_id": "ST", "is_connected": True}
    await hub.heard(party_id, json.dumps([good]).encode())
    async with asyncio.timeout(5):
        assert b"station:ST" in await page.queue.get()
    assert page.queue.empty()
    await bus.close()


def test_only_what_changes_a_page_is_told() -> None:
    assert news_of({"kind": "weather", "station_id": "ST"}) is None
    update = {"kind": "session", "what": "updated", "station_id": "ST", "session_id": "S", "at": AT}
    news = news_of({**update, "power_w": "138400", "soc_percent": "101", "energy_wh": "NaN"})
    assert news is not None
    assert news["set"] == {"session/S/power": "138.4", "session/S/power_unit": "kW", "session/S/soc": "101 %"}
    assert news["width"] == {"session/S/soc": 100.0}
    assert "line" not in news
    assert datetime.fromisoformat(AT).tzinfo == UTC


async def test_what_a_session_costs_so_far_is_told_to_open_pages(visitor: Visitor) -> None:
    session_id = uuid4()
    async with stream(visitor) as events:
        news = {
            "kind": "cost",
            "at": AT,
            "station_id": "S",
            "session_id": session_id,
            "total": "3.40",
            "currency": "EUR",
        }
        await visitor.network.house.bus.publish(LIVE + visitor.network.party_id.hex, [news])
        heard = await next_with(events, "set")
    assert heard["set"] == {f"session/{session_id}/cost": "3.40 EUR"}
