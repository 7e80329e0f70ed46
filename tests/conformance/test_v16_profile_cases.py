"""Certification cases of OCPP 1.6 for a central system: local list, reservation, trigger, security: as plain commands.

What a room of its own does with lists and reservations has its tests there; here the words on the wire and the row.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ohmstead.stations.orders import (
    CancelReservation,
    GetLocalListVersion,
    ListedToken,
    Reserve,
    SendLocalList,
    TokenRef,
    Trigger,
)
from tests.conformance.judged import asked, signals_of, status_of
from tests.stories.listener import silent_station
from tests.stories.messages import start16, stop16
from tests.stories.network import Network
from tests.stories.station import Payload, instant
from tests.stories.wire import Error

EXPIRES = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)


# ------------------------------------------------------------------------------------------------------ local list


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        pytest.param(-1, "rejected", "keeps no local list", id="tc_042_1"),
        pytest.param(0, "accepted", None, id="tc_042_2"),
    ],
)
async def test_tc_042_1_and_042_2_the_local_lists_version_is_asked_for(
    network: Network, version: int, status: str, text: str | None
) -> None:
    station = await silent_station(network, "1.6")
    station.answers["GetLocalListVersion"] = {"listVersion": version}
    command = await network.orders(station, GetLocalListVersion())
    assert asked(station) == [("GetLocalListVersion", {})]
    assert (command.status, command.error_text, command.answer) == (status, text, {"listVersion": version})


FULL = {
    "listVersion": 7,
    "updateType": "Full",
    "localAuthorizationList": [
        {"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}},
        {"idTag": "TAG2", "idTagInfo": {"status": "Blocked"}},
    ],
}
DIFFERENTIAL = {
    "listVersion": 8,
    "updateType": "Differential",
    "localAuthorizationList": [{"idTag": "TAG3", "idTagInfo": {"status": "Accepted"}}, {"idTag": "TAG1"}],
}


@pytest.mark.parametrize(
    ("order", "wanted", "word", "status"),
    [
        pytest.param("full", FULL, "NotSupported", "rejected", id="tc_043_1"),
        pytest.param("full", FULL, "Failed", "rejected", id="tc_043_3"),
        pytest.param("full", FULL, "Accepted", "accepted", id="tc_043_4"),
        pytest.param("differential", DIFFERENTIAL, "Accepted", "accepted", id="tc_043_5"),
    ],
)
async def test_tc_043_1_and_043_3_and_043_4_and_043_5_a_local_list_is_sent_whole_or_its_changes(
    network: Network, order: str, wanted: Payload, word: str, status: str
) -> None:
    station = await silent_station(network, "1.6")
    station.answers["SendLocalList"] = {"status": word}
    full = SendLocalList(
        version=7,
        update="full",
        entries=(ListedToken(uid="TAG1", status="accepted"), ListedToken(uid="TAG2", status="blocked")),
    )
    changes = SendLocalList(
        version=8,
        update="differential",
        entries=(ListedToken(uid="TAG3", status="accepted"), ListedToken(uid="TAG1", status=None)),
    )
    command = await network.orders(station, full if order == "full" else changes)
    assert asked(station) == [("SendLocalList", wanted)]
    assert (command.status, command.answer) == (status, {"status": word})
    assert command.error_text == (None if status == "accepted" else word)


# ----------------------------------------------------------------------------------------------------- reservation


def reserve(evse_number: int | None = 1, group: str | None = None) -> Reserve:
    return Reserve(
        token=TokenRef(uid="TAG1"),
        expires_at=EXPIRES,
        evse_number=evse_number,
        reservation_id=41,
        group=TokenRef(uid=group) if group else None,
    )


@pytest.mark.parametrize(
    ("evse_number", "group", "uid"),
    [
        pytest.param(1, None, "TAG1", id="tc_046"),
        pytest.param(None, None, "TAG1", id="tc_049"),
        pytest.param(1, "FAMILY", "TAG2", id="tc_053"),
    ],
)
async def test_tc_046_and_049_and_053_a_reservation_is_used_by_whom_it_was_made_for(
    network: Network, evse_number: int | None, group: str | None, uid: str
) -> None:
    for card in ("TAG1", "TAG2"):
        await network.token(card, group_uid=group)
    station = await silent_station(network, "1.6")
    command = await network.orders(station, reserve(evse_number, group))
    wanted = {
        "connectorId": evse_number or 0,
        "expiryDate": instant(EXPIRES),
        "idTag": "TAG1",
        "reservationId": 41,
        **({"parentIdTag": group} if group else {}),
    }
    assert asked(station) == [("ReserveNow", wanted)]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    told = {"connectorId": 1, "errorCode": "NoError", "status": "Reserved"}
    assert await station.says("StatusNotification", told) == {}
    assert await status_of(network, station) == "reserved"
    status, told_group = await station.authorizes(uid)
    assert (status, told_group) == ("Accepted", group)
    answer = await station.says("StartTransaction", start16(station.at, 1_000, uid=uid) | {"reservationId": 41})
    assert answer["idTagInfo"]["status"] == "Accepted"
    station.passes("30m")
    await station.says("StopTransaction", stop16(answer["transactionId"], station.at, 2_000, idTag=uid))
    session = await network.session_of(station)
    assert (session.status, session.reservation_id, session.token_uid) == ("completed", 41, uid)


async def test_tc_047_a_reservation_that_nobody_used_leaves_the_connector_free(network: Network) -> None:
    station = await silent_station(network, "1.6")
    assert (await network.orders(station, reserve())).status == "accepted"
    for told in ("Reserved", "Available"):
        payload = {"connectorId": 1, "errorCode": "NoError", "status": told}
        assert await station.says("StatusNotification", payload) == {}
        assert await status_of(network, station) == told.lower()
    assert await network.sessions_of(station) == []


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("Faulted", id="tc_048_1"),
        pytest.param("Occupied", id="tc_048_2"),
        pytest.param("Unavailable", id="tc_048_3"),
        pytest.param("Rejected", id="tc_048_4"),
    ],
)
async def test_tc_048_1_and_048_2_and_048_3_and_048_4_a_reservation_that_is_refused_is_told_with_the_reason(
    network: Network, word: str
) -> None:
    station = await silent_station(network, "1.6")
    station.answers["ReserveNow"] = {"status": word}
    command = await network.orders(station, reserve())
    assert [action for action, _ in asked(station)] == ["ReserveNow"]
    assert (command.status, command.error_text, command.answer) == ("rejected", word, {"status": word})


@pytest.mark.parametrize(
    ("word", "status"),
    [pytest.param("Accepted", "accepted", id="tc_051"), pytest.param("Rejected", "rejected", id="tc_052")],
)
async def test_tc_051_and_052_a_reservation_is_cancelled_or_the_refusal_kept(
    network: Network, word: str, status: str
) -> None:
    station = await silent_station(network, "1.6")
    station.answers["CancelReservation"] = {"status": word}
    command = await network.orders(station, CancelReservation(reservation_id=41))
    assert asked(station) == [("CancelReservation", {"reservationId": 41})]
    assert (command.status, command.answer) == (status, {"status": word})


# --------------------------------------------------------------------------------------------------------- trigger

MESSAGES: dict[str, Payload] = {
    "BootNotification": {"chargePointVendor": "Vendor", "chargePointModel": "Model"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {},
    "MeterValues": {
        "connectorId": 1,
        "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": "5"}]}],
    },
    "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
}


@pytest.mark.parametrize("message", sorted(MESSAGES))
async def test_tc_054_every_message_of_the_core_comes_on_request(network: Network, message: str) -> None:
    station = await silent_station(network, "1.6")
    part: dict[str, Any] = {"evse_number": 1} if message in ("MeterValues", "StatusNotification") else {}
    command = await network.orders(station, Trigger(message=message, **part))
    wanted = {"requestedMessage": message, **({"connectorId": 1} if part else {})}
    assert asked(station) == [("TriggerMessage", wanted)]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    answer = await station.wire.call(message, MESSAGES[message])
    assert not isinstance(answer, Error)
    [logged] = await network.rows(
        "select * from ocpp_message where station_id = $1 and action = $2 and direction = 'in'"
        " order by received_at desc limit 1",
        station.station_id,
        message,
    )
    assert (logged.answer_kind, logged.error_code) == ("result", None)


@pytest.mark.parametrize("word", ["Rejected", "NotImplemented"])
async def test_tc_055_a_trigger_that_is_refused_is_told(network: Network, word: str) -> None:
    station = await silent_station(network, "1.6")
    station.answers["TriggerMessage"] = {"status": word}
    command = await network.orders(station, Trigger(message="MeterValues", evse_number=1))
    assert asked(station) == [("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 1})]
    assert (command.status, command.error_text) == ("rejected", word)


# -------------------------------------------------------------------------------------------------------- security


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        pytest.param("InvalidChargePointCertificate", "station_invalid_charge_point_certificate", id="tc_077"),
        pytest.param("InvalidCentralSystemCertificate", "station_invalid_central_system_certificate", id="tc_078"),
    ],
)
async def test_tc_077_and_078_a_security_event_of_the_station_is_a_signal(
    network: Network, event: str, kept: str
) -> None:
    station = await silent_station(network, "1.6")
    told = {"type": event, "timestamp": instant(station.at), "techInfo": "chain incomplete"}
    assert await station.says("SecurityEventNotification", told) == {}
    assert await signals_of(network, station) == [kept]
    [signal] = await network.rows(
        "select at, party_id, detail from security_signal where station_id = $1", station.station_id
    )
    assert (signal.at, signal.party_id, signal.detail) == (
        station.at,
        network.party_id,
        {"tech_info": "chain incomplete"},
    )
