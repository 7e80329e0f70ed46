"""Certification cases of group F (remote control): start, stop, unlock, trigger: on the wire and kept."""

from typing import Any

import pytest

from ohmstead.stations.orders import Command, RemoteStart, RemoteStop, Trigger, Unlock
from tests.conformance.judged import Charge, asked, status_of
from tests.stories.listener import silent_station
from tests.stories.messages import REGISTER, sampled2, value2
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant

START = {"idToken": {"idToken": "TAG1", "type": "ISO14443"}, "evseId": 1}


async def remotely(network: Network, station: Station) -> tuple[Command, int]:
    """A remote start as it went over the wire, and its number."""
    command = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    [(action, payload)] = asked(station)
    number = payload.pop("remoteStartId")
    assert (action, payload) == ("RequestStartTransaction", START)
    payload["remoteStartId"] = number
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    assert (command.parameters["remote_start_id"], command.session_id) == (number, None)
    return command, number


async def led_to(network: Network, station: Station, command: Command, number: int) -> None:
    """The session that began is the command's."""
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.remote_start_id) == ("active", "TAG1", number)
    await network.until(lambda: _names(network, command, session.session_id), "the command names its session")


async def _names(network: Network, command: Command, session_id: object) -> bool:
    found = await network.pool.fetchval("select session_id from command where command_id = $1", command.command_id)
    return bool(found == session_id)


async def prepared(network: Network, version: str) -> Station:
    await network.token("TAG1")
    return await silent_station(network, version)


async def test_tc_f_01_a_car_that_is_plugged_in_is_started_from_afar(network: Network, version2: str) -> None:
    station = await prepared(network, version2)
    await station.tells_status(1, "occupied")
    charge = Charge(station)
    assert await charge.tells("Started", "CablePluggedIn", state="EVConnected", wh=1_000) == {}
    assert (await network.session_of(station)).status == "pending"
    station.answers["RequestStartTransaction"] = {"status": "Accepted", "transactionId": "tx-1"}
    command = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    number = asked(station)[0][1]["remoteStartId"]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted", "transactionId": "tx-1"})
    answer = await charge.tells("Updated", "RemoteStart", uid="TAG1", info={"remoteStartId": number})
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=3_000) == {}
    await led_to(network, station, command, number)
    assert (await network.session_of(station)).energy_wh == 2_000


@pytest.mark.parametrize("authorizes", [pytest.param(True, id="tc_f_02"), pytest.param(False, id="tc_f_03")])
async def test_tc_f_02_and_03_a_remote_start_waits_for_the_car_and_its_token_is_asked_for_or_not(
    network: Network, version2: str, authorizes: bool
) -> None:
    station = await prepared(network, version2)
    command, number = await remotely(network, station)
    assert await network.sessions_of(station) == []
    if authorizes:
        assert (await station.authorizes("TAG1"))[0] == "Accepted"
    charge = Charge(station)
    answer = await charge.tells("Started", "RemoteStart", uid="TAG1", info={"remoteStartId": number}, wh=1_000)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert await charge.tells("Updated", "CablePluggedIn", state="EVConnected") == {}
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=1_000) == {}
    await led_to(network, station, command, number)


async def test_tc_f_04_a_remote_start_without_a_car_times_out_and_frees_the_card(
    network: Network, version2: str
) -> None:
    station = await prepared(network, version2)
    _, number = await remotely(network, station)
    charge = Charge(station)
    await charge.tells("Started", "RemoteStart", uid="TAG1", info={"remoteStartId": number})
    assert await charge.tells("Ended", "EVConnectTimeout", reason="Timeout") == {}
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", "timeout", 0)
    again = Charge(station, "tx-2")
    answer = await again.tells("Started", "Authorized", uid="TAG1", wh=1_000)
    assert answer["idTokenInfo"]["status"] == "Accepted"


@pytest.mark.parametrize("order", [RemoteStart(token_uid="TAG1", evse_number=1), RemoteStop(transaction_id="tx-1")])
async def test_tc_f_01_and_e_21_a_refusal_is_kept_with_its_reason(network: Network, version2: str, order: Any) -> None:
    station = await prepared(network, version2)
    refusal = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
    station.answers["RequestStartTransaction"] = station.answers["RequestStopTransaction"] = refusal
    command = await network.orders(station, order)
    assert (command.status, command.error_text) == ("rejected", "Rejected (TxNotFound)")
    assert command.answer == refusal
    assert await network.sessions_of(station) == []


async def test_tc_f_06_a_connector_is_unlocked(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, Unlock(evse_number=1))
    assert asked(station) == [("UnlockConnector", {"evseId": 1, "connectorId": 1})]
    assert (command.status, command.answer) == ("accepted", {"status": "Unlocked"})
    for word in ("UnlockFailed", "OngoingAuthorizedTransaction", "UnknownConnector"):
        station.answers["UnlockConnector"] = {"status": word}
        refused = await network.orders(station, Unlock(evse_number=1))
        assert (refused.status, refused.error_text) == ("rejected", word)


# --------------------------------------------------------------------------------------------------------- trigger


async def triggers(network: Network, station: Station, message: str, evse_number: int | None = None) -> None:
    station.wire.heard.clear()
    order = Trigger(message=message, evse_number=evse_number)
    command = await network.orders(station, order)
    part = {} if evse_number is None else {"evse": {"id": evse_number}}
    assert asked(station) == [("TriggerMessage", {"requestedMessage": message, **part})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})


@pytest.mark.parametrize("evse_numbers", [pytest.param((1,), id="tc_f_11"), pytest.param((1, 2), id="tc_f_12")])
async def test_tc_f_11_and_12_meter_values_are_sent_on_request(
    network: Network, version2: str, evse_numbers: tuple[int, ...]
) -> None:
    station = await silent_station(network, version2)
    await network.outlets(station, 2)
    await triggers(network, station, "MeterValues", 1 if evse_numbers == (1,) else None)
    for number in evse_numbers:
        value = sampled2(1_000 * number, context="Trigger", measurand=REGISTER)
        told = {"evseId": number, "meterValue": [value2(station.at, value)]}
        assert await station.says("MeterValues", told) == {}
    kept = await network.rows(
        "select evse_number, context, energy_wh from loose_sample where station_id = $1 order by 1", station.station_id
    )
    assert [(k.evse_number, k.context, k.energy_wh) for k in kept] == [
        (number, "Trigger", 1_000 * number) for number in evse_numbers
    ]


@pytest.mark.parametrize("evse_numbers", [pytest.param((1,), id="tc_f_13"), pytest.param((1, 2), id="tc_f_14")])
async def test_tc_f_13_and_14_transactions_are_told_on_request(
    network: Network, version2: str, evse_numbers: tuple[int, ...]
) -> None:
    station = await silent_station(network, version2)
    await network.outlets(station, 2)
    charges = {}
    for number in (1, 2):
        await network.token(f"TAG{number}")
        charges[number] = Charge(station, f"tx-{number}", number)
        await charges[number].tells("Started", "Authorized", uid=f"TAG{number}", wh=1_000)
    await triggers(network, station, "TransactionEvent", 1 if evse_numbers == (1,) else None)
    for number in evse_numbers:
        value = sampled2(2_000, context="Trigger", measurand=REGISTER)
        assert await charges[number].tells("Updated", "Trigger", value, state="Charging") == {}
    told = {s.transaction_id: (s.status, s.energy_wh) for s in await network.sessions_of(station)}
    assert told == {f"tx-{n}": ("active", 1_000 if n in evse_numbers else 0) for n in (1, 2)}


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        pytest.param("LogStatusNotification", {"status": "Idle"}, id="tc_f_15"),
        pytest.param("FirmwareStatusNotification", {"status": "Idle"}, id="tc_f_18"),
    ],
)
async def test_tc_f_15_and_18_an_idle_station_says_so_on_request(
    network: Network, version2: str, message: str, payload: Payload
) -> None:
    station = await silent_station(network, version2)
    await triggers(network, station, message)
    assert await station.says(message, payload) == {}
    logged = await network.rows(
        "select payload from ocpp_message where station_id = $1 and action = $2", station.station_id, message
    )
    assert [row.payload for row in logged] == ['{"status":"Idle"}']


async def test_tc_f_20_a_heartbeat_comes_on_request(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await triggers(network, station, "Heartbeat")
    answer = await station.says("Heartbeat", {})
    assert answer["currentTime"].endswith("Z")


@pytest.mark.parametrize("status", [pytest.param("Available", id="tc_f_23"), pytest.param("Occupied", id="tc_f_24")])
async def test_tc_f_23_and_24_a_connectors_status_is_told_on_request(
    network: Network, version2: str, status: str
) -> None:
    station = await silent_station(network, version2)
    order = Trigger(message="StatusNotification", evse_number=1, connector_number=1)
    command = await network.orders(station, order)
    wanted = {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}
    assert (command.status, asked(station)) == ("accepted", [("TriggerMessage", wanted)])
    told = {"timestamp": instant(station.at), "connectorStatus": status, "evseId": 1, "connectorId": 1}
    assert await station.says("StatusNotification", told) == {}
    assert await status_of(network, station) == status.lower()


@pytest.mark.parametrize("word", ["NotImplemented", "Rejected"])
async def test_tc_f_27_a_trigger_that_the_station_does_not_know_is_told(
    network: Network, version2: str, word: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["TriggerMessage"] = {"status": word}
    command = await network.orders(station, Trigger(message="LogStatusNotification"))
    assert asked(station) == [("TriggerMessage", {"requestedMessage": "LogStatusNotification"})]
    assert (command.status, command.error_text) == ("rejected", word)


async def test_tc_f_100_a_vendor_may_have_triggers_of_its_own(network: Network) -> None:
    station = await silent_station(network, "2.1")
    command = await network.orders(station, Trigger(custom="org.example.selfTest"))
    wanted = {"requestedMessage": "CustomTrigger", "customTrigger": "org.example.selfTest"}
    assert asked(station) == [("TriggerMessage", wanted)]
    assert command.status == "accepted"
    older = await silent_station(network, "2.0.1", "ST-2")
    refused = await network.orders(older, Trigger(custom="org.example.selfTest"))
    assert (refused.status, refused.error_code, asked(older)) == ("failed", "refused", [])
