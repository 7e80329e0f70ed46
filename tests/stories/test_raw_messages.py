"""Any message of a version can be sent to a station as it stands, if its schema allows it, and its answer is understood."""

import pytest

from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16
from ohmstead.stations.commands import Raw
from tests.stories.least_payload import least
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload


def outbound_actions(version: str) -> list[str]:
    types = v16 if version == "1.6" else v2
    return sorted(types.TO_STATION & schemas.actions(Version(version)))


async def test_every_message_to_a_station_can_be_sent_raw_and_arrives_as_given(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    actions = outbound_actions(version)
    assert len(actions) == {"1.6": 26, "2.0.1": 40, "2.1": 55}[version]
    for action in actions:
        payload, answer = least(version, action), least(version, action, is_response=True)
        station.answers[action] = answer
        station.wire.heard.clear()
        command = await network.orders(station, Raw(action=action, payload=payload))
        assert [(name, said) for _, name, said in station.wire.heard] == [(action, payload)], command
        assert command.answer == answer, action
        assert command.status in ("accepted", "rejected"), f"{action}: {command.status} {command.error_text}"
        if answer.get("status") == "Accepted" or "status" not in answer:
            assert command.status == "accepted", action


@pytest.mark.parametrize(
    ("action", "payload", "why"),
    [
        ("Reset", {"type": "Sometimes"}, "type: is none of the values allowed"),
        ("Reset", {}, "type: required"),
        ("Reset", {"type": "Immediate", "volume": 11}, "unknown fields volume"),
        ("NoSuchThing", {}, "has no action NoSuchThing"),
        ("BootNotification", least("2.0.1", "BootNotification"), "goes the other way"),
        ("__proto__", {}, "has no action"),
    ],
)
async def test_a_raw_message_that_breaks_its_schema_never_leaves(
    network: Network, version2: str, action: str, payload: Payload, why: str
) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, Raw(action=action, payload=payload))
    assert (command.status, command.error_code) == ("failed", "schema")
    assert why in str(command.error_text)
    await station.says("Heartbeat", {})
    assert station.wire.heard == []


async def test_a_2_x_profile_is_not_sent_to_a_1_6_station(network: Network) -> None:
    station = await silent_station(network, "1.6")
    profile = least("2.1", "SetChargingProfile")
    command = await network.orders(station, Raw(action="SetChargingProfile", payload=profile))
    assert (command.status, command.error_code) == ("failed", "schema")
    for action in ("GetVariables", "SetDefaultTariff"):
        command = await network.orders(station, Raw(action=action, payload=least("2.1", action)))
        assert (command.status, command.error_code) == ("failed", "schema")
    assert station.wire.heard == []


async def test_what_only_2_1_knows_is_not_sent_to_a_2_0_1_station(network: Network) -> None:
    station = await silent_station(network, "2.0.1")
    tariff = await network.orders(station, Raw(action="ClearTariffs", payload={}))
    assert (tariff.status, tariff.error_code) == ("failed", "schema")
    reset = await network.orders(station, Raw(action="Reset", payload={"type": "ImmediateAndResume"}))
    assert (reset.status, reset.error_code) == ("failed", "schema")
    assert station.wire.heard == []


async def test_a_profile_that_the_station_refuses_is_not_called_a_success(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    station.answers["SetChargingProfile"] = {"status": "Rejected"}
    profile = least(version, "SetChargingProfile")
    command = await network.orders(station, Raw(action="SetChargingProfile", payload=profile))
    assert (command.status, command.error_text) == ("rejected", "Rejected")


@pytest.mark.parametrize(
    ("action", "said", "status"),
    [
        ("GetLog", "AcceptedCanceled", "accepted"),
        ("DataTransfer", "UnknownVendorId", "rejected"),
        ("SendLocalList", "VersionMismatch", "rejected"),
        ("GetCompositeSchedule", "Rejected", "rejected"),
    ],
)
async def test_the_word_of_an_answer_is_understood(
    network: Network, version: str, action: str, said: str, status: str
) -> None:
    station = await silent_station(network, version)
    station.answers[action] = {"status": said}
    command = await network.orders(station, Raw(action=action, payload=least(version, action)))
    assert command.status == status
