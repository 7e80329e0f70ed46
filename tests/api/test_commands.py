"""Orders to stations that are really connected, and raw OCPP to them."""

import asyncio
import json
from typing import Any

import pytest

from tests.api.door import Visitor, problem
from tests.stories.network import VERSIONS
from tests.stories.wire import SILENCE, Error


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_order_is_carried_out_and_remembered(api: Visitor, version: str) -> None:
    station = await api.network.station(version)
    command = await api.posts(f"/stations/{station.station_id}/commands", {"kind": "reset", "how": "soft"}, expect=200)
    assert (command["status"], command["kind"], command["answer"]) == ("accepted", "reset", {"status": "Accepted"})
    assert command["requested_by"].startswith("key:")
    assert await api.gets(f"/commands/{command['command_id']}") == command
    assert (await api.gets("/commands", station=station.station_id))["items"] == [command]
    await station.hears("Reset")


async def test_a_refusal_of_the_station_is_an_answer(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    station.answers["UnlockConnector"] = {"status": "UnlockFailed"}
    command = await api.posts(f"/stations/{station.station_id}/commands", {"kind": "unlock", "evse_number": 1})
    assert command["status"] == "rejected"


async def test_a_station_that_is_away_is_told_about_at_once_or_gets_it_later(api: Visitor) -> None:
    station = await api.network.station("2.0.1", boots=False)
    path = f"/stations/{station.station_id}/commands"
    assert (await api.posts(path, {"kind": "reset"}))["status"] == "offline"
    queued = await api.posts(f"{path}?queue_for=60", {"kind": "reset"})
    assert queued["status"] == "queued"
    unwanted = await api.posts(f"{path}?queue_for=60", {"kind": "clear_cache"})
    cancel = f"/commands/{unwanted['command_id']}/cancel"
    assert (await api.posts(cancel, {}))["status"] == "cancelled"
    problem(await api.client.post(cancel), 409, "conflict")
    await station.boots()
    await station.hears("Reset")

    async def is_done() -> bool:
        return bool((await api.gets(f"/commands/{queued['command_id']}"))["status"] == "accepted")

    await api.network.until(is_done, "the queued command is carried out")
    assert "ClearCache" not in {name for _, name, _ in station.wire.heard}


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"kind": "explode"},
        {"kind": "reset", "how": "gently"},
        {"kind": "reset", "evse": 1},
        {"kind": "remote_start"},
        {"kind": "unlock", "evse_number": "1"},
        {"kind": "set_variables", "values": ["a"]},
        [],
        "reset",
    ],
)
async def test_what_is_no_order_is_refused(api: Visitor, order: Any) -> None:
    station = await api.network.station("2.0.1", boots=False)
    answer = await api.client.post(f"/stations/{station.station_id}/commands", json=order)
    problem(answer, 422, "invalid")
    assert (await api.gets("/commands"))["items"] == []


@pytest.mark.parametrize(("version", "action"), [("1.6", "ClearCache"), ("2.0.1", "ClearCache"), ("2.1", "ClearCache")])
async def test_raw_ocpp_waits_for_the_stations_answer(api: Visitor, version: str, action: str) -> None:
    station = await api.network.station(version)
    answer = await api.posts(f"/stations/{station.station_id}/ocpp/{action}", expect=200)
    assert (answer["action"], answer["answer"]) == (action, {"status": "Accepted"})
    assert await station.hears(action) == {}
    assert (await api.gets(f"/commands/{answer['command_id']}"))["kind"] == "raw"


async def test_raw_ocpp_to_a_station_that_is_away_is_a_conflict(api: Visitor) -> None:
    station = await api.network.station("2.0.1", boots=False)
    answer = await api.client.post(f"/stations/{station.station_id}/ocpp/ClearCache", json={})
    assert problem(answer, 409, "station-offline")["command_id"]


async def test_raw_ocpp_that_breaks_its_schema_names_the_fields_and_never_leaves(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    path = f"/stations/{station.station_id}/ocpp/Reset"
    document = problem(await api.client.post(path, json={"type": "Sometime", "extra": 1}), 422, "invalid")
    assert any("type" in error["field"] for error in document["errors"])
    assert any("extra" in error["error"] for error in document["errors"])
    unknown = await api.client.post(f"/stations/{station.station_id}/ocpp/MakeCoffee", json={})
    assert "MakeCoffee" in problem(unknown, 422, "invalid")["detail"]
    problem(await api.client.post(f"/stations/{station.station_id}/ocpp/Re-set", json={}), 422, "invalid")
    assert [action for _, action, _ in station.wire.heard if action == "Reset"] == []


async def test_a_callerror_of_the_station_is_told_with_its_code(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    station.answers["ClearCache"] = Error("NotImplemented", "no cache here")
    answer = await api.client.post(f"/stations/{station.station_id}/ocpp/ClearCache", json={})
    document = problem(answer, 502, "station-error")
    assert document["code"] == "NotImplemented"
    assert "no cache here" in document["detail"]


async def test_a_silent_station_times_out_and_a_late_answer_is_recorded(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    station.answers["ClearCache"] = SILENCE
    answer = await api.client.post(f"/stations/{station.station_id}/ocpp/ClearCache", params={"timeout": 1}, json={})
    document = problem(answer, 504, "station-timeout")
    message_id = station.wire.heard[-1][0]
    await station.wire.send([3, message_id, {"status": "Accepted"}])

    async def is_recorded() -> bool:
        return bool((await api.gets(f"/commands/{document['command_id']}"))["status"] == "accepted")

    await api.network.until(is_recorded, "the late answer is recorded")


@pytest.mark.parametrize("timeout", ["0", "121", "soon", "-1", "nan", "inf"])
async def test_waiting_has_bounds(api: Visitor, timeout: str) -> None:
    station = await api.network.station("2.0.1", boots=False)
    answer = await api.client.post(
        f"/stations/{station.station_id}/ocpp/ClearCache", params={"timeout": timeout}, json={}
    )
    assert problem(answer, 400, "bad-request")["field"] == "timeout"


async def test_raw_ocpp_takes_a_scope_of_its_own(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    async with api.front.visitor(api.network, "commands:send") as dispatcher:
        raw = {"kind": "raw", "action": "ClearCache", "payload": {}}
        problem(await dispatcher.client.post(f"/stations/{station.station_id}/commands", json=raw), 403, "not-allowed")
        problem(await dispatcher.client.post(f"/stations/{station.station_id}/ocpp/ClearCache", json={}), 403)
        await dispatcher.posts(f"/stations/{station.station_id}/commands", {"kind": "reset"})
        assert (await dispatcher.gets("/me"))["actions"] == ["commands:send"]


async def test_station_passwords_are_blotted_out_of_commands_and_messages(api: Visitor) -> None:
    station = await api.network.station("1.6", "PW")
    secret = "8f0e1d2c3b4a59687766"
    payload = {"key": "AuthorizationKey", "value": secret}
    sent = await api.posts(f"/stations/{station.station_id}/ocpp/ChangeConfiguration", payload)
    assert await station.hears("ChangeConfiguration") == payload
    order = {"kind": "set_variables", "values": {"AuthorizationKey": secret}}
    shown = await api.posts(f"/stations/{station.station_id}/commands", order)
    assert shown["parameters"]["values"]["AuthorizationKey"] != secret

    async def is_logged() -> bool:
        items = (await api.gets(f"/stations/{station.station_id}/messages", action="ChangeConfiguration"))["items"]
        return len(items) == 2

    await api.network.until(is_logged, "the messages are logged")
    for path in ("/commands", f"/commands/{sent['command_id']}", f"/stations/{station.station_id}/messages"):
        assert secret not in (await api.client.get(path)).text
    found = await api.gets(f"/stations/{station.station_id}/messages", action="ChangeConfiguration")
    assert json.loads(found["items"][0]["payload"])["key"] == "AuthorizationKey"


async def test_many_orders_at_once_to_one_station_all_get_their_answers(api: Visitor) -> None:
    station = await api.network.station("2.0.1")
    path = f"/stations/{station.station_id}/ocpp/ClearCache"
    answers = await asyncio.gather(*(api.client.post(path, json={}) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["command_id"] for answer in answers}) == 10
