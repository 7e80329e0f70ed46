"""What happens: the live stream, and the durable list."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ohmstead.accounts.access import ROLES
from ohmstead.api.live import MOST_OF_PARTY, QUEUE_SIZE, Listener
from ohmstead.core.events import Event, record
from ohmstead.facts import catalogue
from tests.api.door import Visitor, problem

SLOW = {"token_id": "x", "uid": "x", "by": "system"}


@contextlib.asynccontextmanager
async def listening(api: Visitor, **query: Any) -> AsyncIterator["Ear"]:
    async with api.client.stream("GET", "/events", params=query) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        ear = Ear(answer.aiter_lines())
        assert await ear.line() == "retry: 3000"
        await api.front.house.bus.flush()
        yield ear


class Ear:
    """One end of a stream."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def line(self) -> str:
        async with asyncio.timeout(10):
            return await anext(self._lines)

    async def event(self) -> dict[str, Any]:
        """The next event, by its data."""
        name = ""
        while True:
            line = await self.line()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                event: dict[str, Any] = json.loads(line.removeprefix("data: "))
                assert event.get("kind", name) == name
                return event


async def test_the_stream_tells_what_stations_do(api: Visitor) -> None:
    async with listening(api, kind="connection") as ear:
        station = await api.network.station("2.0.1", "LIVE")
        event = await ear.event()
        assert (event["station_id"], event["is_connected"]) == (station.station_id, True)


async def test_the_stream_can_be_narrowed_to_stations(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("A")})
    await api.posts("/stations", {"station_id": api.name("B")})
    async with listening(api, station=api.name("B")) as ear:
        await api.patches(f"/stations/{api.name('A')}", {"name": "x"})
        await api.patches(f"/stations/{api.name('B')}", {"name": "x"})
        event = await ear.event()
        assert (event["station_id"], event["what"]) == (api.name("B"), "changed")


async def test_nobody_hears_of_another_party(api: Visitor, stranger: Visitor) -> None:
    async with listening(stranger) as ear:
        await api.posts("/stations", {"station_id": api.name("MINE")})
        await stranger.posts("/stations", {"station_id": stranger.name("THEIRS")})
        assert (await ear.event())["station_id"] == stranger.name("THEIRS")


async def test_a_key_that_is_revoked_hears_nothing_more(api: Visitor) -> None:
    made = await api.posts("/api-keys", {"name": "Ear", "scopes": ["events:read"]})
    async with httpx.AsyncClient(
        base_url=api.front.url + "/api/v1", headers={"Authorization": f"Bearer {made['secret']}"}, timeout=30
    ) as client:
        async with client.stream("GET", "/events") as answer:
            assert answer.status_code == 200
            assert (await api.client.delete(f"/api-keys/{made['key']['api_key_id']}")).status_code == 204
            async with asyncio.timeout(30):
                told = [line async for line in answer.aiter_lines() if line.startswith("event:")]
        assert told == []
        problem(await client.get("/events"), 401, "not-signed-in")


async def test_the_many_listeners_of_one_party_shut_no_other_out(api: Visitor, stranger: Visitor) -> None:
    news, party_id = api.front.app.state.live_news, stranger.network.party_id
    many = [Listener(None, None) for _ in range(MOST_OF_PARTY)]
    try:
        for one in many:
            await news.join(party_id, one)
        problem(await stranger.client.get("/events"), 503, "unavailable")
        async with listening(api, kind="station") as ear:
            await api.posts("/stations", {"station_id": api.name("HEARD")})
            assert (await ear.event())["station_id"] == api.name("HEARD")
    finally:
        for one in many:
            news.leave(party_id, one)


async def test_a_stream_that_ended_is_listened_for_no_longer(api: Visitor) -> None:
    before = await n_listening(api)
    async with listening(api):
        assert await n_listening(api) == before + 1

    async def is_gone() -> bool:
        return await n_listening(api) == before

    await api.network.until(is_gone, "the listener is gone")


async def n_listening(api: Visitor) -> float:
    async with api.front.nobody() as nobody:
        text = (await nobody.get("/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("ohmstead_live_clients ")]
    return float(line.split()[1])


def test_a_listener_that_reads_too_slowly_is_given_up() -> None:
    listener = Listener(None, None)
    for n in range(QUEUE_SIZE):
        listener.tell({"kind": "station", "n": n})
    was_lost = listener.lost
    listener.tell({"kind": "station"})
    assert (was_lost, listener.lost) == (False, True)
    assert listener.queue.qsize() == QUEUE_SIZE


async def test_an_unknown_kind_is_refused(api: Visitor) -> None:
    problem(await api.client.get("/events", params={"kind": "weather"}), 400, "bad-request")


async def test_durable_events_are_read_from_a_cursor_on(api: Visitor) -> None:
    place = (await api.gets("/events/outbox", start="now"))["next_cursor"]
    for n in range(5):
        await api.posts("/stations", {"station_id": api.name(f"S{n}")})
    await is_past(api)
    read: list[str] = []
    while True:
        page = await api.gets("/events/outbox", cursor=place, limit=2)
        read += [event["subject"] for event in page["items"]]
        place = page["next_cursor"]
        if not page["items"]:
            break
    assert read == [f"station/{api.name(f'S{n}')}" for n in range(5)]
    await api.posts("/stations", {"station_id": api.name("LATER")})
    await is_past(api)
    (event,) = (await api.gets("/events/outbox", cursor=place))["items"]
    assert (event["kind"], event["payload"]["station_id"]) == ("StationCreated", api.name("LATER"))


@pytest.mark.parametrize("role", ["technician", "read_only", "finance"])
async def test_nobody_hears_of_money_cards_and_drivers_who_may_not_read_of_them(api: Visitor, role: str) -> None:
    await api.posts("/stations", {"station_id": api.name("A")})
    await api.posts("/tokens", {"uid": "T1"})
    await api.posts("/drivers", {"name": "Ada"})
    locked, held = catalogue.named("PeriodLocked").example, catalogue.named("PaymentHeld").example
    async with api.network.pool.acquire() as conn, conn.transaction():
        party_id = api.network.party_id
        await record(conn, [Event("PeriodLocked", f"ledger/{locked['month']}", locked, party_id)])
        await record(conn, [Event("PaymentHeld", f"payment/{held['payment_id']}", held, party_id)])
    await is_past(api)
    takes = {
        "StationCreated": "events:read",
        "TokenCreated": "tokens:read",
        "DriverCreated": "drivers:read",
        "PeriodLocked": "billing:read",
        "PaymentHeld": "payments:read",
    }
    may_hear = {kind for kind, action in takes.items() if action in ROLES[role]}
    assert {one["kind"] for one in (await api.gets("/events/outbox"))["items"]} == set(takes)
    async with api.front.visitor(api.network, *ROLES[role]) as lesser:
        assert {one["kind"] for one in (await lesser.gets("/events/outbox"))["items"]} == may_hear
        for kind in takes:
            answer = await lesser.client.get("/events/outbox", params={"kind": kind})
            assert answer.status_code == (200 if kind in may_hear else 403), kind


async def test_the_same_cursor_gives_the_same_events(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("A")})
    await api.posts("/tokens", {"uid": "T1"})
    await is_past(api)
    first = await api.gets("/events/outbox", limit=1)
    again = [await api.gets("/events/outbox", cursor=first["next_cursor"], limit=1) for _ in range(2)]
    assert again[0] == again[1]
    assert [event["kind"] for event in first["items"] + again[0]["items"]] == ["StationCreated", "TokenCreated"]
    only = await api.gets("/events/outbox", kind="TokenCreated")
    assert [event["kind"] for event in only["items"]] == ["TokenCreated"]


async def test_a_cursor_from_before_a_restore_is_refused_not_silent_for_ever(api: Visitor) -> None:
    far = base64.urlsafe_b64encode(b"[9000000000,0,0]").decode().rstrip("=")
    answer = await api.client.get("/events/outbox", params={"cursor": far})
    assert "before the database was restored" in problem(answer, 409, "conflict")["detail"]


async def test_an_event_that_commits_late_is_not_skipped(api: Visitor) -> None:
    pool, party_id = api.network.pool, api.network.party_id
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await record(slow, [Event("TokenCreated", "token/1", SLOW, party_id)])
        async with pool.acquire() as quick, quick.transaction():
            await record(quick, [Event("TokenDeleted", "token/2", SLOW, party_id)])
        page = await api.gets("/events/outbox")
        assert page["items"] == []
        await transaction.commit()
    await is_past(api)
    page = await api.gets("/events/outbox", cursor=page["next_cursor"])
    assert [event["kind"] for event in page["items"]] == ["TokenCreated", "TokenDeleted"]


async def is_past(api: Visitor) -> None:
    """Until no transaction holds the horizon back: other people of the house write, too."""
    now = await api.network.pool.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")

    async def look() -> bool:
        horizon = await api.network.pool.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return bool(horizon >= now)

    await api.network.until(look, "everything has ended")
