"""Certification cases of group O (display messages): on the wire and kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ohmstead.stations.orders import ClearDisplayMessage, GetDisplayMessages, SetDisplayMessage, Text
from tests.conformance.judged import Charge, asked
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant

LATER = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
WORDS = Text(content="Closed on Sunday", language="en")
SAID = {"format": "UTF8", "content": "Closed on Sunday", "language": "en"}


async def shows(network: Network, station: Station, wanted: Payload, **given: Any) -> None:
    """A text is sent as it must be, and taken."""
    command = await network.orders(station, SetDisplayMessage(message_id=5, text=WORDS, **given))
    assert asked(station)[-1] == (
        "SetDisplayMessage",
        {"message": {"id": 5, "priority": "NormalCycle", "message": SAID, **wanted}},
    )
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})


async def test_tc_o_01_a_text_is_shown(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await shows(network, station, {})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({"priority": "always_in_front"}, {"priority": "AlwaysFront"}, id="tc_o_12"),
        pytest.param({"from_at": LATER}, {"startDateTime": instant(LATER)}, id="tc_o_13"),
        pytest.param({"until_at": LATER}, {"endDateTime": instant(LATER)}, id="tc_o_14"),
        pytest.param({"while_state": "charging"}, {"state": "Charging"}, id="tc_o_25"),
    ],
)
async def test_tc_o_12_and_13_and_14_and_25_a_text_is_replaced_and_has_its_time_and_state(
    network: Network, version2: str, given: dict[str, Any], wanted: Payload
) -> None:
    station = await silent_station(network, version2)
    await shows(network, station, {})
    await shows(network, station, wanted, **given)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({}, {}, id="tc_o_06"),
        pytest.param({"from_at": LATER}, {"startDateTime": instant(LATER)}, id="tc_o_27"),
        pytest.param({"until_at": LATER}, {"endDateTime": instant(LATER)}, id="tc_o_28"),
    ],
)
async def test_tc_o_06_and_27_and_28_a_text_belongs_to_a_session(
    network: Network, version2: str, given: dict[str, Any], wanted: Payload
) -> None:
    await network.token("TAG1")
    station = await silent_station(network, version2)
    await Charge(station).tells("Started", "Authorized", uid="TAG1", wh=1_000)
    session = await network.session_of(station)
    await shows(network, station, {"transactionId": "tx-1", **wanted}, transaction_id=session.transaction_id, **given)


@pytest.mark.parametrize(
    ("word", "given"),
    [
        pytest.param("UnknownTransaction", {"transaction_id": "tx-9"}, id="tc_o_10"),
        pytest.param("NotSupportedPriority", {"priority": "always_in_front"}, id="tc_o_17"),
        pytest.param("NotSupportedState", {"while_state": "unavailable"}, id="tc_o_18"),
        pytest.param("NotSupportedMessageFormat", {}, id="tc_o_19"),
        pytest.param("Rejected", {}, id="tc_o_26"),
    ],
)
async def test_tc_o_10_and_17_and_18_and_19_and_26_a_text_that_is_refused_is_told_with_the_reason(
    network: Network, version2: str, word: str, given: dict[str, Any]
) -> None:
    station = await silent_station(network, version2)
    station.answers["SetDisplayMessage"] = {"status": word}
    command = await network.orders(station, SetDisplayMessage(message_id=5, text=WORDS, **given))
    assert [action for action, _ in asked(station)] == ["SetDisplayMessage"]
    assert (command.status, command.error_text, command.answer) == ("rejected", word, {"status": word})


async def test_tc_o_100_a_language_that_is_not_supported_is_told(network: Network) -> None:
    station = await silent_station(network, "2.1")
    station.answers["SetDisplayMessage"] = {"status": "LanguageNotSupported"}
    texts = (Text(content="Sonntags zu", language="de"),)
    command = await network.orders(station, SetDisplayMessage(message_id=5, text=WORDS, texts=texts))
    [(_, payload)] = asked(station)
    assert payload["message"]["messageExtra"] == [{"format": "UTF8", "content": "Sonntags zu", "language": "de"}]
    assert (command.status, command.error_text) == ("rejected", "LanguageNotSupported")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({}, {}, id="tc_o_02"),
        pytest.param({"message_ids": (5,)}, {"id": [5]}, id="tc_o_07"),
        pytest.param({"priority": "normal"}, {"priority": "NormalCycle"}, id="tc_o_08"),
        pytest.param({"while_state": "charging"}, {"state": "Charging"}, id="tc_o_09"),
    ],
)
async def test_tc_o_02_and_07_and_08_and_09_texts_are_asked_for_and_what_comes_is_kept(
    network: Network, version2: str, given: dict[str, Any], wanted: Payload
) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, GetDisplayMessages(**given))
    number = command.parameters["request_id"]
    assert asked(station) == [("GetDisplayMessages", {"requestId": number, **wanted})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    shown = {"id": 5, "priority": "NormalCycle", "message": SAID}
    told = {"requestId": number, "messageInfo": [shown]}
    assert await station.says("NotifyDisplayMessages", told) == {}
    logged = await network.rows(
        "select payload from ocpp_message where station_id = $1 and action = 'NotifyDisplayMessages'",
        station.station_id,
    )
    assert len(logged) == 1
    assert "Closed on Sunday" in logged[0].payload


@pytest.mark.parametrize("given", [pytest.param({}, id="tc_o_03"), pytest.param({"message_ids": (99,)}, id="tc_o_11")])
async def test_tc_o_03_and_11_a_display_without_such_texts_is_no_failure(
    network: Network, version2: str, given: dict[str, Any]
) -> None:
    station = await silent_station(network, version2)
    station.answers["GetDisplayMessages"] = {"status": "Unknown"}
    command = await network.orders(station, GetDisplayMessages(**given))
    assert (command.status, command.answer) == ("accepted", {"status": "Unknown"})
    assert command.error_text == "Unknown"


@pytest.mark.parametrize(
    ("word", "status"),
    [pytest.param("Accepted", "accepted", id="tc_o_04"), pytest.param("Unknown", "rejected", id="tc_o_05")],
)
async def test_tc_o_04_and_05_a_text_is_taken_off_or_was_not_there(
    network: Network, version2: str, word: str, status: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["ClearDisplayMessage"] = {"status": word}
    command = await network.orders(station, ClearDisplayMessage(message_id=5))
    assert asked(station) == [("ClearDisplayMessage", {"id": 5})]
    assert (command.status, command.answer) == (status, {"status": word})
