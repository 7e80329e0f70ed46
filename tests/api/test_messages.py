"""The message log through the API."""

import csv
import io
import json
from typing import Any

import pytest

from tests.api.door import Visitor, problem
from tests.stories.station import Station


async def talk(api: Visitor) -> Station:
    """A station that booted, sent three heartbeats and something unknown."""
    station = await api.network.station("2.0.1", "TALK")
    for _ in range(3):
        await station.says("Heartbeat", {})
    await station.wire.call("Authorize", {"idToken": {}})

    async def is_logged() -> bool:
        return len(await api.all_of(f"/stations/{station.station_id}/messages")) == 5

    await api.network.until(is_logged, "all is logged")
    return station


async def test_every_exchange_is_one_entry_with_its_answer(api: Visitor) -> None:
    station = await talk(api)
    items = (await api.gets(f"/stations/{station.station_id}/messages"))["items"]
    assert [item["action"] for item in items] == [
        "Authorize",
        "Heartbeat",
        "Heartbeat",
        "Heartbeat",
        "BootNotification",
    ]
    boot = items[-1]
    assert (boot["direction"], boot["answer_kind"]) == ("in", "result")
    assert json.loads(boot["answer"])["status"] == "Accepted"
    assert boot["message_id"] == station.wire.said[0][0]
    assert boot["latency_us"] >= 0
    assert items[0]["answer_kind"] == "error"


async def test_filters_find_messages(api: Visitor) -> None:
    station = await talk(api)
    path = f"/stations/{station.station_id}/messages"
    boot = (await api.gets(path, action="BootNotification"))["items"][0]
    queries: list[tuple[dict[str, Any], int]] = [
        ({"action": "Heartbeat"}, 3),
        ({"direction": "out"}, 0),
        ({"errors": "true"}, 1),
        ({"errors": "false"}, 4),
        ({"to": boot["received_at"]}, 0),
        ({"from": boot["received_at"]}, 5),
        ({"q": "powerup"}, 1),
        ({"q": boot["message_id"]}, 1),
        ({"q": "100%"}, 0),
    ]
    for query, n in queries:
        assert len((await api.gets(path, **query))["items"]) == n, query


async def test_one_message_is_told_in_plain_words_beside_the_one_before(api: Visitor) -> None:
    station = await talk(api)
    path = f"/stations/{station.station_id}/messages"
    boot = (await api.gets(path, action="BootNotification"))["items"][0]
    told = await api.gets(f"{path}/{boot['message_id']}", at=boot["received_at"])
    assert told["message"] == boot
    assert told["previous"] is None
    reason = next(one for one in told["explanation"]["request"] if one["path"] == "reason")
    assert (reason["value"], reason["means"]) == ("PowerUp", "the power came on")
    newest = (await api.gets(path, action="Heartbeat"))["items"][0]
    assert (await api.gets(f"{path}/{newest['message_id']}"))["changes"] == []
    problem(await api.client.get(f"{path}/nobody-sent-this"), 404, "not-found")
    (reset,) = (await api.gets("/ocpp/actions", version="1.6", action="Reset"))["items"]
    assert reset["request"][0]["values"] == {"Hard": "at once", "Soft": "properly, transactions are ended first"}
    asked = {"version": "1.6", "action": "Reset"}
    german = await api.client.get("/ocpp/actions", params=asked, headers={"Accept-Language": "de"})
    assert german.json()["items"] == [reset]
    assert len((await api.gets("/ocpp/actions"))["items"]) > 85
    problem(await api.client.get("/ocpp/actions", params={"version": "1.6", "action": "Nonsense"}), 404, "not-found")
    assert (await api.gets(path, slower_than_ms=60_000))["items"] == []


async def test_a_day_is_told(api: Visitor) -> None:
    station = await talk(api)
    path = f"/stations/{station.station_id}/day"
    day = await api.gets(path)
    assert sum(one["n"] for one in day["messages"]) == 5
    assert sum(one["n_failed"] for one in day["messages"]) == 1
    assert [one["is_connected"] for one in day["connections"]] == [True]
    async with api.front.visitor(api.network, "stations:read") as reader:
        assert (await reader.gets(path))["messages"] == []
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    assert problem(await api.client.get(path, params=span), 400, "bad-request")["field"] == "to"


async def test_the_log_is_exported(api: Visitor) -> None:
    station = await talk(api)
    path = f"/stations/{station.station_id}/messages"
    lines = (await api.client.get(path, headers={"Accept": "application/x-ndjson"})).text.splitlines()
    assert [json.loads(line)["action"] for line in lines][-1] == "BootNotification"
    rows = list(csv.DictReader(io.StringIO((await api.client.get(path, params={"format": "csv"})).text)))
    assert len(rows) == 5
    assert json.loads(rows[-1]["payload"])["reason"] == "PowerUp"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"direction": "up"}, "direction"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"errors": "maybe"}, "errors"),
        ({"limit": "501"}, "limit"),
        ({"format": "xlsx"}, "format"),
        ({"since": "2026-01-01T00:00:00Z"}, "since"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(api: Visitor, query: dict[str, str], field: str) -> None:
    await api.posts("/stations", {"station_id": api.name("QUIET")})
    answer = await api.client.get(f"/stations/{api.name('QUIET')}/messages", params=query)
    assert problem(answer, 400, "bad-request")["field"] == field
