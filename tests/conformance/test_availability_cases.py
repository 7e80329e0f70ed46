"""Certification cases of groups G (availability) and P (data transfer): on the wire and kept."""

from typing import Any

import pytest

from ohmstead.stations.orders import SetAvailability
from tests.conformance.judged import Charge, asked, records_of, status_of
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant

WHOLE: tuple[dict[str, Any], Payload] = ({}, {})
EVSE: tuple[dict[str, Any], Payload] = ({"evse_number": 1}, {"evse": {"id": 1}})
CONNECTOR: tuple[dict[str, Any], Payload] = (
    {"evse_number": 1, "connector_number": 1},
    {"evse": {"id": 1, "connectorId": 1}},
)


async def tells(station: Station, status: str) -> None:
    station.passes("1m")
    told = {"timestamp": instant(station.at), "connectorStatus": status, "evseId": 1, "connectorId": 1}
    assert await station.says("StatusNotification", told) == {}


async def changes(
    network: Network, version: str, part: tuple[dict[str, Any], Payload], *, is_operative: bool, answer: str
) -> Station:
    """The order in the words of the version, its answer, and the status that follows."""
    station = await silent_station(network, version)
    before = "Unavailable" if is_operative else "Available"
    await tells(station, before)
    assert await status_of(network, station) == before.lower()
    station.answers["ChangeAvailability"] = {"status": answer}
    named, on_the_wire = part
    command = await network.orders(station, SetAvailability(is_operative=is_operative, **named))
    wanted = "Operative" if is_operative else "Inoperative"
    assert asked(station) == [("ChangeAvailability", {"operationalStatus": wanted, **on_the_wire})]
    assert (command.status, command.answer) == ("accepted", {"status": answer})
    return station


async def test_tc_g_01_a_connectors_status_is_kept_with_the_stations_time(network: Network, version2: str) -> None:
    station = await network.station(version2)
    for told in ("Available", "Occupied", "Reserved", "Unavailable", "Faulted"):
        await tells(station, told)
        assert await status_of(network, station) == told.lower()
    rows = await network.rows(
        "select status, at from status_change where station_id = $1 and evse_number = 1 order by at",
        station.station_id,
    )
    assert [row.status for row in rows] == ["available", "occupied", "reserved", "unavailable", "faulted"]
    assert rows[-1].at == station.at


@pytest.mark.parametrize(
    ("part", "is_operative"),
    [
        pytest.param(EVSE, False, id="tc_g_03"),
        pytest.param(EVSE, True, id="tc_g_04"),
        pytest.param(WHOLE, False, id="tc_g_05"),
        pytest.param(WHOLE, True, id="tc_g_06"),
        pytest.param(CONNECTOR, False, id="tc_g_07"),
        pytest.param(CONNECTOR, True, id="tc_g_08"),
    ],
)
async def test_tc_g_03_to_08_a_part_goes_out_of_service_and_comes_back(
    network: Network, version2: str, part: tuple[dict[str, Any], Payload], is_operative: bool
) -> None:
    station = await changes(network, version2, part, is_operative=is_operative, answer="Accepted")
    after = "Available" if is_operative else "Unavailable"
    await tells(station, after)
    assert await status_of(network, station) == after.lower()


@pytest.mark.parametrize(
    "part",
    [pytest.param(EVSE, id="tc_g_11"), pytest.param(WHOLE, id="tc_g_14"), pytest.param(CONNECTOR, id="tc_g_17")],
)
async def test_tc_g_11_and_14_and_17_who_charges_may_finish_before_the_part_goes_out_of_service(
    network: Network, version2: str, part: tuple[dict[str, Any], Payload]
) -> None:
    station = await changes(network, version2, part, is_operative=False, answer="Scheduled")
    await network.token("TAG1")
    charge = Charge(station)
    await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000)
    await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=3_000)
    assert (await network.session_of(station)).status == "active"
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=5_000)
    await tells(station, "Unavailable")
    assert await status_of(network, station) == "unavailable"
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 4_000)


async def test_tc_g_03_a_part_that_refuses_stays_as_it_was(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await tells(station, "Available")
    station.answers["ChangeAvailability"] = {"status": "Rejected"}
    command = await network.orders(station, SetAvailability(is_operative=False, evse_number=1))
    assert (command.status, command.error_text) == ("rejected", "Rejected")
    assert await status_of(network, station) == "available"


async def test_tc_g_20_a_lock_that_fails_is_kept(network: Network, version2: str) -> None:
    station = await network.station(version2)
    event = {
        "generatedAt": instant(station.at),
        "seqNo": 0,
        "eventData": [
            {
                "eventId": 1,
                "timestamp": instant(station.at),
                "trigger": "Alerting",
                "actualValue": "true",
                "eventNotificationType": "HardWiredMonitor",
                "component": {"name": "ConnectorPlugRetentionLock", "evse": {"id": 1, "connectorId": 1}},
                "variable": {"name": "Problem"},
            }
        ],
    }
    assert await station.says("NotifyEvent", event) == {}
    [kept] = await network.rows(
        "select payload from ocpp_message where station_id = $1 and action = 'NotifyEvent'", station.station_id
    )
    assert "ConnectorPlugRetentionLock" in kept.payload


# --------------------------------------------------------------------------------------------------- data transfer


@pytest.mark.parametrize("vendor", ["org.example.nobody", "com.example", "x" * 255])
async def test_tc_p_02_data_of_a_vendor_nobody_registered_is_refused_and_kept(
    network: Network, version2: str, vendor: str
) -> None:
    station = await network.station(version2)
    told = {"vendorId": vendor, "messageId": "M1", "data": {"some": ["thing", 1]}}
    answer = await station.says("DataTransfer", told)
    assert answer["status"] in ("UnknownVendorId", "UnknownMessageId", "Rejected")
    assert await records_of(network, station, "DataTransfer") == [told]


async def test_tc_p_03_data_of_the_vendors_own_inside_a_message_do_no_harm_and_are_kept(
    network: Network, version2: str
) -> None:
    station = await network.station(version2)
    await network.token("TAG1")
    custom = {"vendorId": "org.example.nobody", "colour": "green", "nested": {"n": [1, 2]}}
    answer = await station.says(
        "Authorize", {"idToken": {"idToken": "TAG1", "type": "ISO14443", "customData": custom}, "customData": custom}
    )
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert "currentTime" in await station.says("Heartbeat", {"customData": custom})
    charge = Charge(station)
    await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000, customData=custom)
    await charge.tells("Ended", "StopAuthorized", uid="TAG1", wh=2_000, info={"customData": custom})
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 1_000)
    kept = await network.rows(
        "select payload from ocpp_message where station_id = $1 and payload like '%green%'", station.station_id
    )
    assert len(kept) == 4
