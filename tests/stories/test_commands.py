"""Orders go through the real desk, over the bus, to the gateway that holds the station, and their fate is kept."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from ohmstead.core.errors import NotFound
from ohmstead.stations.commands import (
    GetVariables,
    Order,
    Raw,
    RemoteStart,
    RemoteStop,
    Reset,
    SetAvailability,
    SetVariables,
    TransactionStatus,
    Trigger,
    Unlock,
    expire,
)
from tests.stories.listener import nothing, silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.wire import SILENCE, Error

# order, what a 1.6 station hears, what a 2.x station hears (None: it cannot be said)
Heard = tuple[str, Payload] | None
ORDERS: list[tuple[Order, Heard, Heard]] = [
    (
        RemoteStart(token_uid="TAG1", evse_number=2),
        ("RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 2}),
        ("RequestStartTransaction", {"idToken": {"idToken": "TAG1", "type": "ISO14443"}, "evseId": 2}),
    ),
    (
        RemoteStart(token_uid="TAG1"),
        ("RemoteStartTransaction", {"idTag": "TAG1"}),
        ("RequestStartTransaction", {"idToken": {"idToken": "TAG1", "type": "ISO14443"}}),
    ),
    (
        RemoteStop(transaction_id="12345"),
        ("RemoteStopTransaction", {"transactionId": 12345}),
        ("RequestStopTransaction", {"transactionId": "12345"}),
    ),
    (Reset(how="soft"), ("Reset", {"type": "Soft"}), ("Reset", {"type": "OnIdle"})),
    (Reset(how="hard"), ("Reset", {"type": "Hard"}), ("Reset", {"type": "Immediate"})),
    (Reset(how="on_idle", evse_number=1), None, ("Reset", {"type": "OnIdle", "evseId": 1})),
    (
        Unlock(evse_number=2),
        ("UnlockConnector", {"connectorId": 2}),
        ("UnlockConnector", {"evseId": 2, "connectorId": 1}),
    ),
    (
        SetAvailability(is_operative=False),
        ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ("ChangeAvailability", {"operationalStatus": "Inoperative"}),
    ),
    (
        SetAvailability(is_operative=True, evse_number=1),
        ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
        ("ChangeAvailability", {"operationalStatus": "Operative", "evse": {"id": 1}}),
    ),
    (
        Trigger(message="StatusNotification", evse_number=1),
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1}),
        ("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": {"id": 1}}),
    ),
    (
        Trigger(message="Heartbeat"),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
    ),
    (TransactionStatus(transaction_id="tx-1"), None, ("GetTransactionStatus", {"transactionId": "tx-1"})),
    (Raw(action="ClearCache", payload={}), ("ClearCache", {}), ("ClearCache", {})),
]


def _name(order: Order) -> str:
    return type(order).__name__


def without_id(payload: Payload) -> Payload:
    return {name: value for name, value in payload.items() if name != "remoteStartId"}


@pytest.mark.parametrize("order_16_2", ORDERS, ids=[_name(order) for order, _, _ in ORDERS])
async def test_an_order_is_said_as_the_version_says_it(
    network: Network, version: str, order_16_2: tuple[Order, Heard, Heard]
) -> None:
    order, in_16, in_2 = order_16_2
    station = await silent_station(network, version)
    await network.outlets(station, 2)
    command = await network.orders(station, order)
    expected = in_16 if version == "1.6" else in_2
    if expected is None:
        assert (command.status, command.error_code) == ("failed", "refused")
        assert station.wire.heard == []
        return
    [(message_id, action, payload)] = station.wire.heard
    assert (action, without_id(payload)) == expected
    assert (command.status, command.action, command.message_id) == ("accepted", action, message_id)
    assert command.answer == station.usual_answers.get(action, {"status": "Accepted"})
    assert command.requested_by == "operator:story"
    assert command.sent_at is not None
    assert command.answered_at is not None


@pytest.mark.parametrize("order_16_2", ORDERS, ids=[_name(order) for order, _, _ in ORDERS])
async def test_a_station_may_say_no(network: Network, version: str, order_16_2: tuple[Order, Heard, Heard]) -> None:
    order, in_16, in_2 = order_16_2
    expected = in_16 if version == "1.6" else in_2
    if expected is None or isinstance(order, TransactionStatus):
        return
    station = await silent_station(network, version)
    await network.outlets(station, 2)
    no = "UnlockFailed" if isinstance(order, Unlock) else "Rejected"
    station.answers[expected[0]] = {"status": no}
    command = await network.orders(station, order)
    assert (command.status, command.error_text, command.answer) == ("rejected", no, {"status": no})


@pytest.mark.parametrize("status", ["Scheduled", "Accepted"])
async def test_an_availability_change_that_waits_for_a_session_is_accepted(
    network: Network, version: str, status: str
) -> None:
    station = await silent_station(network, version)
    station.answers["ChangeAvailability"] = {"status": status}
    assert (await network.orders(station, SetAvailability(is_operative=False))).status == "accepted"


# ------------------------------------------------------------------------------------------ configuration


async def test_variables_of_1_6_are_read_and_kept_and_unknown_keys_are_no_harm(network: Network) -> None:
    station = await silent_station(network, "1.6")
    station.answers["GetConfiguration"] = {
        "configurationKey": [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "AuthorizationKey", "readonly": False},
        ],
        "unknownKey": ["NoSuchKey"],
    }
    command = await network.orders(station, GetVariables(names=("HeartbeatInterval", "NoSuchKey")))
    assert command.status == "accepted"
    assert station.wire.heard[0][1:] == ("GetConfiguration", {"key": ["HeartbeatInterval", "NoSuchKey"]})
    kept = await _variables(network, station)
    assert kept["", "HeartbeatInterval"] == ("300", False)
    assert {key for _, key in kept} <= {"HeartbeatInterval", "AuthorizationKey"}


async def test_everything_can_be_read_at_once(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    assert (await network.orders(station, GetVariables())).status == "accepted"
    _, action, payload = station.wire.heard[0]
    if version == "1.6":
        assert (action, payload) == ("GetConfiguration", {})
    else:
        assert (action, payload["reportBase"]) == ("GetBaseReport", "FullInventory")


async def test_variables_of_2_x_are_read_and_kept(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)

    def answer(payload: Payload) -> Payload:
        results = []
        for asked in payload["getVariableData"]:
            is_known = asked["variable"]["name"] == "HeartbeatInterval"
            status = {"attributeStatus": "Accepted", "attributeValue": "300"}
            results.append({**asked, **(status if is_known else {"attributeStatus": "UnknownVariable"})})
        return {"getVariableResult": results}

    station.answers["GetVariables"] = answer
    names = ("OCPPCommCtrlr.HeartbeatInterval", "Connector[a]@1.2.Nonsense[b]")
    assert (await network.orders(station, GetVariables(names=names))).status == "accepted"
    assert station.wire.heard[0][2] == {
        "getVariableData": [
            {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}},
            {
                "component": {"name": "Connector", "instance": "a", "evse": {"id": 1, "connectorId": 2}},
                "variable": {"name": "Nonsense", "instance": "b"},
            },
        ]
    }
    assert await _variables(network, station) == {("OCPPCommCtrlr", "HeartbeatInterval"): ("300", None)}
    refused = await network.orders(station, GetVariables(names=("OCPPCommCtrlr.Other",)))
    assert (refused.status, refused.error_text) == ("rejected", "UnknownVariable")


async def test_no_more_variables_are_asked_for_at_once_than_the_station_takes(network: Network, version2: str) -> None:
    """34: ItemsPerMessage, as the station reported it."""
    station = await silent_station(network, version2)
    limits = [
        {
            "component": {"name": "DeviceDataCtrlr"},
            "variable": {"name": "ItemsPerMessage", "instance": action},
            "variableAttribute": [{"value": "2"}],
        }
        for action in ("GetVariables", "SetVariables")
    ]
    report = {"requestId": 1, "generatedAt": "2026-01-01T00:00:00Z", "seqNo": 0, "reportData": limits}
    await station.says("NotifyReport", report)
    for action, data, result in (
        ("GetVariables", "getVariableData", "getVariableResult"),
        ("SetVariables", "setVariableData", "setVariableResult"),
    ):
        station.answers[action] = lambda payload, data=data, result=result: {
            result: [
                {"attributeStatus": "Accepted", "component": one["component"], "variable": one["variable"]}
                | ({"attributeValue": "x"} if data == "getVariableData" else {})
                for one in payload[data]
            ]
        }
    names = tuple(f"Component.V{n}" for n in range(5))
    assert (await network.orders(station, GetVariables(names=names))).status == "accepted"
    assert (await network.orders(station, SetVariables(values=dict.fromkeys(names, "x")))).status == "accepted"
    sizes = [(action, len(next(iter(payload.values())))) for _, action, payload in station.wire.heard]
    assert sizes == [("GetVariables", n) for n in (2, 2, 1)] + [("SetVariables", n) for n in (2, 2, 1)]
    kept = await _variables(network, station)
    assert {kept["Component", f"V{n}"] for n in range(5)} == {("x", None)}


async def test_chunks_of_a_report_that_come_in_any_order_are_all_kept(network: Network, version2: str) -> None:
    """34: NotifyReport out of order."""
    station = await silent_station(network, version2)
    for seq_no in (2, 0, 1):
        data = {
            "component": {"name": "EVSE", "evse": {"id": 1}},
            "variable": {"name": f"V{seq_no}"},
            "variableAttribute": [{"value": str(seq_no), "mutability": "ReadOnly"}],
        }
        report = {
            "requestId": 1,
            "generatedAt": "2026-01-01T00:00:00Z",
            "seqNo": seq_no,
            "tbc": seq_no < 2,
            "reportData": [data],
        }
        await station.says("NotifyReport", report)
    assert await _variables(network, station) == {("EVSE@1", f"V{n}"): (str(n), True) for n in range(3)}


async def test_variables_are_set_and_kept_but_for_passwords(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    if version == "1.6":
        values = {"HeartbeatInterval": "60", "AuthorizationKey": "0011223344556677"}
        kept = {("", "HeartbeatInterval"): ("60", None)}
        heard = [{"key": name, "value": value} for name, value in values.items()]
    else:
        values = {"OCPPCommCtrlr.HeartbeatInterval": "60", "SecurityCtrlr.BasicAuthPassword": "0011223344556677"}
        kept = {("OCPPCommCtrlr", "HeartbeatInterval"): ("60", None)}
        station.answers["SetVariables"] = lambda payload: {
            "setVariableResult": [
                {"attributeStatus": "Accepted", "component": one["component"], "variable": one["variable"]}
                for one in payload["setVariableData"]
            ]
        }
        heard = [
            {
                "setVariableData": [
                    {
                        "attributeValue": value,
                        "component": {"name": name.split(".")[0]},
                        "variable": {"name": name.split(".")[1]},
                    }
                    for name, value in values.items()
                ]
            }
        ]
    assert (await network.orders(station, SetVariables(values=values))).status == "accepted"
    said = [payload for _, _, payload in station.wire.heard]
    if version == "1.6":
        assert sorted(said, key=str) == sorted(heard, key=str)
    else:
        [asked] = said
        assert sorted(asked["setVariableData"], key=str) == sorted(heard[0]["setVariableData"], key=str)
    assert await _variables(network, station) == kept


async def test_of_several_keys_the_first_that_is_refused_ends_the_order(network: Network) -> None:
    station = await silent_station(network, "1.6")
    station.answers["ChangeConfiguration"] = lambda payload: {
        "status": "NotSupported" if payload["key"] == "B" else "Accepted"
    }
    command = await network.orders(station, SetVariables(values={"A": "1", "B": "2", "C": "3"}))
    assert command.status == "rejected"
    assert command.error_text == "B: NotSupported; message 2 of 3; those after it were not sent"
    assert [payload["key"] for _, _, payload in station.wire.heard] == ["A", "B"]


async def _variables(network: Network, station: Station) -> dict[tuple[str, str], tuple[str | None, bool | None]]:
    found = await network.rows("select * from station_variable where station_id = $1", station.station_id)
    return {(v.component, v.variable): (v.value, v.is_read_only) for v in found}


# ------------------------------------------------------------------------------------------ no answer, odd answer


async def test_an_error_is_told_with_the_stations_own_words(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = Error("NotSupported", "no such thing")
    command = await network.orders(station, Reset())
    assert (command.status, command.error_code, command.error_text) == ("failed", "NotSupported", "no such thing")


async def test_a_station_that_does_not_answer_times_out_and_its_late_answer_still_counts(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = SILENCE
    command = await network.orders(station, Reset(), timeout_s=0.5)
    assert (command.status, command.answered_at) == ("timed_out", None)
    [(message_id, _, _)] = station.wire.heard
    await station.wire.send([3, message_id, {"status": "Accepted"}])
    row = await _fate(network, command.command_id, lambda row: row.status == "accepted")
    assert row.answer == {"status": "Accepted"}
    assert row.answered_at is not None
    # It said so once; a second answer to the same message is nothing.
    await station.wire.send([3, message_id, {"status": "Rejected"}])
    await station.says("Heartbeat", {})
    assert (await _fate(network, command.command_id)).status == "accepted"


async def test_an_answer_that_comes_after_a_reconnect_still_counts(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = SILENCE
    command = await network.orders(station, Reset(), timeout_s=0.5)
    [(message_id, _, _)] = station.wire.heard
    await station.goes_offline()
    await station.comes_back()
    await station.wire.send([3, message_id, {"status": "Accepted"}])
    await _fate(network, command.command_id, lambda row: row.status == "accepted")


async def test_a_late_error_is_recorded_too(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = SILENCE
    command = await network.orders(station, Reset(), timeout_s=0.5)
    await station.wire.send([4, station.wire.heard[0][0], "InternalError", "broken", {}])
    row = await _fate(network, command.command_id, lambda row: row.status == "failed")
    assert (row.error_code, row.error_text) == ("InternalError", "broken")


async def test_variables_in_a_late_answer_are_kept(network: Network) -> None:
    station = await silent_station(network, "1.6")
    station.answers["GetConfiguration"] = SILENCE
    command = await network.orders(station, GetVariables(names=("A",)), timeout_s=0.5)
    answer = {"configurationKey": [{"key": "A", "readonly": True, "value": "1"}]}
    await station.wire.send([3, station.wire.heard[0][0], answer])
    await _fate(network, command.command_id, lambda row: row.status == "accepted")
    assert await _variables(network, station) == {("", "A"): ("1", True)}


async def test_an_answer_to_nothing_is_ignored(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await station.wire.send([3, "nobody-asked", {"status": "Accepted"}])
    assert "currentTime" in await station.says("Heartbeat", {})


async def test_one_station_cannot_answer_for_another(network: Network, version: str) -> None:
    asked, other = await silent_station(network, version, "ST-1"), await silent_station(network, version, "ST-2")
    asked.answers["Reset"] = SILENCE
    command = await network.orders(asked, Reset(), timeout_s=0.5)
    await other.wire.send([3, asked.wire.heard[0][0], {"status": "Accepted"}])
    await other.says("Heartbeat", {})
    assert (await _fate(network, command.command_id)).status == "timed_out"


async def test_an_answer_that_does_not_fit_its_schema_is_kept_and_called_what_it_is(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = {"status": "Perhaps"}
    command = await network.orders(station, Reset())
    assert (command.status, command.answer) == ("failed", {"status": "Perhaps"})
    assert command.error_code == "PropertyConstraintViolation"
    assert "schema" in str(command.error_text)


async def test_an_unreadable_answer_does_not_leave_the_command_waiting(network: Network, version: str) -> None:
    station = await silent_station(network, version)

    async def mumbles(_payload: Payload) -> Any:
        await station.wire.send_text(f'[3,"{station.wire.heard[-1][0]}",null]')
        return SILENCE

    station.answers["Reset"] = mumbles
    command = await network.orders(station, Reset(), timeout_s=3)
    assert command.status == "failed"
    assert "currentTime" in await station.says("Heartbeat", {})


async def test_a_connection_lost_in_the_middle_is_told_at_once(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = SILENCE
    sending = asyncio.create_task(network.orders(station, Reset(), timeout_s=8))
    await station.hears("Reset")
    await station.loses_power()
    command = await asyncio.wait_for(sending, 4)
    assert (command.status, command.error_code) == ("failed", "connection_lost")


# ------------------------------------------------------------------------------------------ not here


async def test_an_order_to_a_station_that_is_away_is_refused_at_once(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await station.goes_offline()
    await network.is_connected(station, False)
    async with asyncio.timeout(10):
        command = await network.orders(station, Reset(), timeout_s=30)
    assert command.status == "offline"
    await station.comes_back()
    await station.says("Heartbeat", {})
    assert station.wire.heard == []


async def test_an_order_may_wait_for_the_station_and_goes_out_when_it_returns(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await station.goes_offline()
    await network.is_connected(station, False)
    first = await network.orders(station, SetAvailability(is_operative=False), queue_for_s=60)
    second = await network.orders(station, SetAvailability(is_operative=True), queue_for_s=60)
    assert (first.status, second.status) == ("queued", "queued")
    await station.comes_back()
    await _fate(network, second.command_id, lambda row: row.status == "accepted")
    assert (await _fate(network, first.command_id)).status == "accepted"
    assert [payload for _, _, payload in station.wire.heard] == [
        ORDERS[7][1 if version == "1.6" else 2][1],  # type: ignore[index]
        {"connectorId": 0, "type": "Operative"} if version == "1.6" else {"operationalStatus": "Operative"},
    ]


async def test_an_order_that_waited_too_long_is_not_sent_any_more(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    await station.goes_offline()
    await network.is_connected(station, False)
    command = await network.orders(station, Reset(), queue_for_s=0.2)
    assert command.status == "queued"
    await asyncio.sleep(0.25)
    await station.comes_back()
    await station.says("Heartbeat", {})
    assert station.wire.heard == []
    async with network.pool.acquire() as conn:
        await expire(conn, datetime.now(UTC))
    assert (await _fate(network, command.command_id)).status == "expired"


async def test_an_order_whose_gateway_died_over_it_does_not_wait_for_ever(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = SILENCE
    sending = asyncio.create_task(network.orders(station, Reset(), timeout_s=60))
    await station.hears("Reset")
    [message_id] = [message_id for message_id, _, _ in station.wire.heard]
    command_id = await network.pool.fetchval(
        "select command_id from command where station_id = $1 and status = 'sent'", station.station_id
    )
    sending.cancel()
    async with network.pool.acquire() as conn:
        assert command_id not in await expire(conn, datetime.now(UTC) + timedelta(minutes=10))
        assert command_id in await expire(conn, datetime.now(UTC) + timedelta(minutes=20))
    assert (await _fate(network, command_id)).status == "timed_out"
    await station.wire.send([3, message_id, {"status": "Accepted"}])
    await _fate(network, command_id, lambda row: row.status == "accepted")


async def test_a_station_that_is_not_accepted_yet_is_configured_and_starts_nothing(
    network: Network, version: str
) -> None:
    station = await network.station(version, boots=False, registration="pending")
    station.wire.after = nothing
    assert await station.boots() == "Pending"
    for order in (RemoteStart(token_uid="TAG1"), RemoteStop(transaction_id="1")):
        command = await network.orders(station, order)
        assert (command.status, command.error_code) == ("failed", "refused")
    assert station.wire.heard == []
    assert (await network.orders(station, GetVariables())).status == "accepted"
    assert (await network.orders(station, Trigger(message="BootNotification"))).status == "accepted"


async def test_a_rejected_station_is_left_alone(network: Network, version: str) -> None:
    station = await network.station(version, boots=False, registration="rejected")
    assert await station.boots() == "Rejected"
    command = await network.orders(station, GetVariables())
    assert (command.status, command.error_code) == ("failed", "refused")
    assert station.wire.heard == []


async def test_a_card_too_long_for_1_6_is_refused_with_the_reason(network: Network) -> None:
    station = await silent_station(network, "1.6")
    command = await network.orders(station, RemoteStart(token_uid="X" * 21))
    assert (command.status, command.error_code) == ("failed", "refused")
    assert "20" in str(command.error_text)


async def test_nobody_orders_another_partys_station(network: Network) -> None:
    station = await silent_station(network, "1.6")
    stranger = await Network(network.house).found()
    with pytest.raises(NotFound):
        await stranger.orders(station, Reset())
    assert station.wire.heard == []


async def test_orders_to_one_station_go_out_one_after_the_other(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    going_on: list[int] = []
    most = 0

    async def slowly(_payload: Payload) -> Payload:
        nonlocal most
        going_on.append(1)
        most = max(most, len(going_on))
        await asyncio.sleep(0.02)
        going_on.pop()
        return {"status": "Accepted"}

    station.answers["Reset"] = slowly
    commands = await asyncio.gather(*(network.orders(station, Reset()) for _ in range(5)))
    assert [command.status for command in commands] == ["accepted"] * 5
    assert most == 1


async def test_a_stations_call_does_not_wait_behind_ours(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["Reset"] = SILENCE
    sending = asyncio.create_task(network.orders(station, Reset(), timeout_s=3))
    await station.hears("Reset")
    async with asyncio.timeout(2.5):
        await station.says("Heartbeat", {})
    assert not sending.done()
    assert (await sending).status == "timed_out"


# ------------------------------------------------------------------------------------------ the log


async def test_each_exchange_is_in_the_message_log_with_its_answer(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    command = await network.orders(station, Reset())

    async def logged() -> list[SimpleNamespace]:
        return await network.rows(
            "select * from ocpp_message where station_id = $1 and direction = 'out'", station.station_id
        )

    await network.until(logged, "the exchange is logged")
    [exchange] = await logged()
    assert (exchange.action, exchange.message_id, exchange.answer_kind) == ("Reset", command.message_id, "result")
    assert exchange.answer == '{"status":"Accepted"}'
    assert 0 <= exchange.latency_us < timedelta(seconds=5) / timedelta(microseconds=1)


async def _fate(
    network: Network, command_id: UUID, is_so: Callable[[SimpleNamespace], bool] = lambda _row: True
) -> SimpleNamespace:
    async def look() -> bool:
        [row] = await network.rows("select * from command where command_id = $1", command_id)
        return is_so(row)

    await network.until(look, "the command is as expected")
    [row] = await network.rows("select * from command where command_id = $1", command_id)
    return row
