"""Lists in pages: nothing twice, nothing missed, whatever comes in meanwhile."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ohmstead.core.ids import new_id
from tests.api.door import Visitor, problem


async def insert_session(api: Visitor, station_id: str, started_at: datetime, n: int) -> None:
    await api.network.pool.execute(
        "insert into session (session_id, party_id, station_id, transaction_id, ocpp_version, status, started_at,"
        " last_event_at, first_received_at, updated_at) values ($1, $2, $3, $4, '1.6', 'completed', $5, $5, $5, $5)",
        new_id(),
        api.network.party_id,
        station_id,
        str(n),
        started_at,
    )


async def test_pages_of_sessions_stay_whole_while_sessions_come_in(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("ST")})
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    # Five begin at each instant: pages must not end only between instants.
    for n in range(40):
        await insert_session(api, api.name("ST"), noon + timedelta(minutes=n // 5), n)
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    for n in range(100, 200):
        page = await api.gets("/sessions", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next_cursor"]
        await insert_session(api, api.name("ST"), noon + timedelta(hours=1), n)
        if cursor is None:
            break
    numbers = [int(session["transaction_id"]) for session in seen]
    assert len(numbers) == len(set(numbers))
    assert sorted(number for number in numbers if number < 100) == list(range(40))
    starts = [session["started_at"] for session in seen]
    assert starts == sorted(starts, reverse=True)


async def test_pages_of_stations_stay_whole_while_stations_come_in(api: Visitor) -> None:
    rows = "".join(f"{api.name(f'M{n:02d}')}\n" for n in range(20))
    await api.sends_table("/stations/bulk", "station_id\n" + rows)
    seen: list[str] = []
    cursor: str | None = None
    for n in range(50):
        page = await api.gets("/stations", limit=4, **({"cursor": cursor} if cursor else {}))
        seen += [station["station_id"] for station in page["items"]]
        cursor = page["next_cursor"]
        await api.posts("/stations", {"station_id": api.name(f"A{n:02d}")})
        if cursor is None:
            break
    assert seen == [api.name(f"M{n:02d}") for n in range(20)]


async def test_the_link_header_leads_to_the_next_page_with_the_same_filters(api: Visitor) -> None:
    await api.sends_table("/tokens/bulk", "uid,label\n" + "".join(f"T{n},keep\n" for n in range(5)) + "X,other\n")
    url: str | None = "/api/v1/tokens?q=keep&limit=2"
    uids: list[str] = []
    while url is not None:
        answer = await api.client.get(api.front.url + url)
        uids += [token["uid"] for token in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url")
    assert uids == ["T0", "T1", "T2", "T3", "T4"]


async def test_the_last_page_says_so(api: Visitor) -> None:
    await api.sends_table("/tokens/bulk", "uid\nA\nB\n")
    answer = await api.client.get("/tokens", params={"limit": 2})
    assert answer.json()["next_cursor"] is None
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/sessions", "/stations", "/tokens", "/locations", "/commands", "/audit-log", "/events/outbox"]
)
async def test_a_cursor_that_is_not_ours_is_refused(api: Visitor, path: str) -> None:
    forged = [
        b"[]",
        b'{"a":1}',
        b"7",
        b'["x","y","z"]',
        b'["2026-03-02T12:00:00Z", "no id"]',
        b"\xff\xfe",
        b'"a\\u0000b"',
    ]
    for cursor in ["!", "ä", "%00", *(base64.urlsafe_b64encode(data).decode() for data in forged)]:
        answer = await api.client.get(path, params={"cursor": cursor})
        assert answer.status_code in (200, 400), (cursor, answer.text)
        if answer.status_code == 400:
            assert problem(answer, 400, "bad-request")["field"] == "cursor"
    problem(await api.client.get(path, params={"cursor": "!"}), 400, "bad-request")
    problem(await api.client.get(path, params={"cursor": "x" * 1001}), 400, "bad-request")


@pytest.mark.parametrize("limit", ["0", "-1", "501", "ten", "", "1e3"])
async def test_a_page_has_from_1_to_500_items(api: Visitor, limit: str) -> None:
    assert problem(await api.client.get("/stations", params={"limit": limit}), 400)["field"] == "limit"
