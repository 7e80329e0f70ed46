"""Certification cases of OCPP 1.6 for a central system: core profile. On the wire and kept."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ohmstead.stations.orders import (
    ClearCache,
    GetVariables,
    RemoteStart,
    RemoteStop,
    Reset,
    SetVariables,
    Unlock,
)
from tests.conformance.judged import asked, records_of, row_of, status_of
from tests.stories.listener import silent_station
from tests.stories.messages import start16, stop16, values16
from tests.stories.network import Network
from tests.stories.station import Payload, Station


async def free(network: Network, name: str = "ST-1") -> Station:
    """A station that does what the case says, and nothing by itself; and a card."""
    await network.token("TAG1")
    return await silent_station(network, "1.6", name)


async def tells(station: Station, status: str, error: str = "NoError") -> None:
    station.passes("1m")
    told = {"connectorId": 1, "errorCode": error, "status": status, "timestamp": station.at.isoformat()}
    assert await station.says("StatusNotification", told) == {}


async def authorizes(station: Station, uid: str = "TAG1") -> str:
    return (await station.authorizes(uid))[0]


async def starts(station: Station, meter: int = 1_000, uid: str = "TAG1") -> tuple[int, str]:
    """StartTransaction; its number, and what is said of the token."""
    station.passes("1m")
    answer = await station.says("StartTransaction", start16(station.at, meter, uid=uid))
    return int(answer["transactionId"]), str(answer["idTagInfo"]["status"])


async def stops(station: Station, number: int, meter: int, reason: str, uid: str | None = None) -> Payload:
    station.passes("30m")
    shown = {} if uid is None else {"idTag": uid}
    return await station.says("StopTransaction", stop16(number, station.at, meter, reason=reason, **shown))


async def charging(station: Station) -> int:
    """A car that charges; the number of its transaction."""
    number, said = await starts(station)
    assert (number > 0, said) == (True, "Accepted")
    await tells(station, "Charging")
    return number


async def is_over(network: Network, station: Station, reason: str, energy_wh: int) -> SimpleNamespace:
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", reason, energy_wh)
    assert (session.token_uid, session.authorization_status) == ("TAG1", "accepted")
    return session


async def test_tc_001_a_station_boots_cold(network: Network) -> None:
    station = await network.station("1.6", boots=False)
    await station.connects()
    before = datetime.now(UTC)
    answer = await station.says("BootNotification", station.boot_payload("PowerUp"))
    assert (answer["status"], answer["interval"] > 0) == ("Accepted", True)
    assert abs(datetime.fromisoformat(answer["currentTime"]) - before) < timedelta(seconds=5)
    for connector in (0, 1):
        told = {"connectorId": connector, "errorCode": "NoError", "status": "Available"}
        assert await station.says("StatusNotification", told) == {}
        [kept] = await network.rows(
            "select status from status_change where station_id = $1 and evse_number = $2", station.station_id, connector
        )
        assert kept.status == "available"
    assert "currentTime" in await station.says("Heartbeat", {})
    row = await row_of(network, station)
    assert (row.vendor, row.model, row.serial_number, row.ocpp_version) == ("Vendor", "Model", "SN-1", "1.6")
    assert row.booted_at >= before - timedelta(seconds=1)


async def test_tc_003_first_the_plug_then_the_card(network: Network) -> None:
    station = await free(network)
    await tells(station, "Preparing")
    assert await status_of(network, station) == "preparing"
    assert await authorizes(station) == "Accepted"
    number = await charging(station)
    assert await status_of(network, station) == "charging"
    station.passes("15m")
    assert await station.says("MeterValues", values16(station.at, transaction_id=number, wh=3_000)) == {}
    assert (await network.session_of(station)).energy_wh == 2_000
    answer = await stops(station, number, 4_000, "Local", "TAG1")
    assert answer["idTagInfo"]["status"] == "Accepted"
    await is_over(network, station, "local", 3_000)
    await tells(station, "Finishing")
    assert await status_of(network, station) == "finishing"


async def test_tc_004_1_first_the_card_then_the_plug(network: Network) -> None:
    station = await free(network)
    assert await authorizes(station) == "Accepted"
    assert await network.sessions_of(station) == []
    await tells(station, "Preparing")
    number = await charging(station)
    await stops(station, number, 2_000, "Local", "TAG1")
    await is_over(network, station, "local", 1_000)


async def test_tc_004_2_a_card_without_a_plug_comes_to_nothing(network: Network) -> None:
    station = await free(network)
    assert await authorizes(station) == "Accepted"
    await tells(station, "Preparing")
    station.passes("1m")
    await tells(station, "Available")
    assert await network.sessions_of(station) == []
    assert await status_of(network, station) == "available"
    assert (await starts(station))[1] == "Accepted"


async def test_tc_005_1_a_plug_pulled_at_the_car_ends_the_session(network: Network) -> None:
    station = await free(network)
    number = await charging(station)
    await tells(station, "SuspendedEV")
    assert (await network.session_of(station)).charging_state == "suspended_ev"
    assert await stops(station, number, 3_500, "EVDisconnected") == {}
    await is_over(network, station, "ev_disconnected", 2_500)
    await tells(station, "Available")
    assert await status_of(network, station) == "available"


async def test_tc_007_a_card_from_the_cache_is_checked_at_the_start(network: Network) -> None:
    station = await free(network)
    await tells(station, "Preparing")
    number = await charging(station)
    assert [action for _, action, _ in station.wire.said].count("Authorize") == 0
    await stops(station, number, 1_500, "Local", "TAG1")
    await is_over(network, station, "local", 500)


@pytest.mark.parametrize("is_plugged_in", [pytest.param(True, id="tc_010"), pytest.param(False, id="tc_011_1")])
async def test_tc_010_and_011_1_a_session_is_started_from_afar(network: Network, is_plugged_in: bool) -> None:
    station = await free(network)
    if is_plugged_in:
        await tells(station, "Preparing")
    command = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    assert asked(station) == [("RemoteStartTransaction", {"idTag": "TAG1", "connectorId": 1})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    assert await network.sessions_of(station) == []
    assert await authorizes(station) == "Accepted"
    if not is_plugged_in:
        await tells(station, "Preparing")
    station.at = datetime.now(UTC)
    number = await charging(station)
    session = await network.session_of(station)
    assert (session.status, session.transaction_id, session.token_uid) == ("active", str(number), "TAG1")
    await network.until(lambda: _names(network, command, session), "the command names its session")


async def _names(network: Network, command: Any, session: SimpleNamespace) -> bool:
    found = await network.pool.fetchval("select session_id from command where command_id = $1", command.command_id)
    return bool(found == session.session_id)


async def test_tc_011_2_a_remote_start_without_a_plug_comes_to_nothing(network: Network) -> None:
    station = await free(network)
    command = await network.orders(station, RemoteStart(token_uid="TAG1", evse_number=1))
    assert command.status == "accepted"
    assert await authorizes(station) == "Accepted"
    await tells(station, "Preparing")
    await tells(station, "Available")
    assert await network.sessions_of(station) == []
    assert await status_of(network, station) == "available"


async def test_tc_012_a_session_is_stopped_from_afar(network: Network) -> None:
    station = await free(network)
    number = await charging(station)
    command = await network.orders(station, RemoteStop(transaction_id=str(number)))
    assert asked(station) == [("RemoteStopTransaction", {"transactionId": number})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    assert (await network.session_of(station)).status == "active"
    assert await stops(station, number, 3_000, "Remote") == {}
    await is_over(network, station, "remote", 2_000)


@pytest.mark.parametrize(
    ("how", "told", "reason", "kept"),
    [
        pytest.param("hard", "Hard", "HardReset", "hard_reset", id="tc_013"),
        pytest.param("soft", "Soft", "SoftReset", "soft_reset", id="tc_014"),
    ],
)
async def test_tc_013_and_014_a_station_is_reset_and_its_session_ends_with_what_it_took(
    network: Network, how: Any, told: str, reason: str, kept: str
) -> None:
    station = await free(network)
    number = await charging(station)
    command = await network.orders(station, Reset(how=how))
    assert asked(station) == [("Reset", {"type": told})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    assert await stops(station, number, 1_800, reason) == {}
    await station.loses_power()
    await network.is_connected(station, False)
    before = (await row_of(network, station)).booted_at
    assert await station.boots() == "Accepted"
    assert (await row_of(network, station)).booted_at > before
    await is_over(network, station, kept, 800)
    await tells(station, "Available")
    assert await status_of(network, station) == "available"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        pytest.param("Unlocked", "accepted", id="tc_017_1"),
        pytest.param("NotSupported", "rejected", id="tc_017_2_and_031"),
        pytest.param("UnlockFailed", "rejected", id="tc_030"),
    ],
)
async def test_tc_017_1_and_017_2_and_030_and_031_a_connector_is_unlocked_or_the_reason_kept(
    network: Network, word: str, status: str
) -> None:
    station = await free(network)
    station.answers["UnlockConnector"] = {"status": word}
    command = await network.orders(station, Unlock(evse_number=1))
    assert asked(station) == [("UnlockConnector", {"connectorId": 1})]
    assert (command.status, command.answer) == (status, {"status": word})
    assert command.error_text == (None if status == "accepted" else word)


async def test_tc_018_1_unlocking_while_a_car_charges_ends_its_session(network: Network) -> None:
    station = await free(network)
    number = await charging(station)
    command = await network.orders(station, Unlock(evse_number=1))
    assert (command.status, asked(station)) == ("accepted", [("UnlockConnector", {"connectorId": 1})])
    await tells(station, "Finishing")
    assert await stops(station, number, 2_200, "UnlockCommand") == {}
    await is_over(network, station, "unlock_command", 1_200)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        pytest.param((), {}, id="tc_019_1"),
        pytest.param(("SupportedFeatureProfiles",), {"key": ["SupportedFeatureProfiles"]}, id="tc_019_2"),
    ],
)
async def test_tc_019_1_and_019_2_keys_are_read_and_kept(
    network: Network, names: tuple[str, ...], wanted: Payload
) -> None:
    station = await free(network)
    key = {"key": "SupportedFeatureProfiles", "readonly": True, "value": "Core,RemoteTrigger"}
    station.answers["GetConfiguration"] = {"configurationKey": [key], "unknownKey": []}
    command = await network.orders(station, GetVariables(names=names))
    assert asked(station) == [("GetConfiguration", wanted)]
    assert command.status == "accepted"
    assert await variables(network, station) == {"SupportedFeatureProfiles": ("Core,RemoteTrigger", True)}


async def variables(network: Network, station: Station) -> dict[str, tuple[str, bool | None]]:
    rows = await network.rows("select * from station_variable where station_id = $1", station.station_id)
    return {row.variable: (row.value, row.is_read_only) for row in rows}


@pytest.mark.parametrize(
    ("word", "status", "kept"),
    [
        pytest.param("Accepted", "accepted", {"MeterValueSampleInterval": ("60", None)}, id="tc_021"),
        pytest.param("NotSupported", "rejected", {}, id="tc_040_1"),
        pytest.param("Rejected", "rejected", {}, id="tc_040_2"),
    ],
)
async def test_tc_021_and_040_1_and_040_2_a_key_is_set_or_the_refusal_kept(
    network: Network, word: str, status: str, kept: dict[str, tuple[str, bool | None]]
) -> None:
    station = await free(network)
    station.answers["ChangeConfiguration"] = {"status": word}
    command = await network.orders(station, SetVariables(values={"MeterValueSampleInterval": "60"}))
    assert asked(station) == [("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "60"})]
    assert command.status == status
    assert command.answer == {"status": word}
    assert command.error_text == (None if status == "accepted" else word)
    assert await variables(network, station) == kept


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        pytest.param(None, "Invalid", id="tc_023_1"),
        pytest.param({"valid_until": datetime(2020, 1, 1, tzinfo=UTC)}, "Expired", id="tc_023_2"),
        pytest.param({"status": "blocked"}, "Blocked", id="tc_023_3"),
    ],
)
async def test_tc_023_1_and_023_2_and_023_3_a_card_that_may_not_charge_is_told_so(
    network: Network, limits: dict[str, Any] | None, told: str
) -> None:
    if limits is not None:
        await network.token("TAG1", **limits)
    station = await silent_station(network, "1.6")
    await tells(station, "Preparing")
    assert await authorizes(station) == told
    assert await network.sessions_of(station) == []


async def test_tc_024_a_lock_that_fails_is_a_fault_of_the_connector(network: Network) -> None:
    station = await free(network)
    await tells(station, "Preparing")
    assert await authorizes(station) == "Accepted"
    await tells(station, "Faulted", "ConnectorLockFailure")
    [row] = await network.rows(
        "select status, error_code from connector where station_id = $1 and evse_number = 1", station.station_id
    )
    assert (row.status, row.error_code) == ("faulted", "connector_lock_failure")
    assert await network.sessions_of(station) == []


@pytest.mark.parametrize(
    ("order", "action", "wanted"),
    [
        pytest.param(
            RemoteStart(token_uid="TAG1", evse_number=1),
            "RemoteStartTransaction",
            {"idTag": "TAG1", "connectorId": 1},
            id="tc_026",
        ),
        pytest.param(RemoteStop(transaction_id="77"), "RemoteStopTransaction", {"transactionId": 77}, id="tc_028"),
    ],
)
async def test_tc_026_and_028_a_remote_start_or_stop_that_is_refused_is_told(
    network: Network, order: Any, action: str, wanted: Payload
) -> None:
    station = await free(network)
    station.answers[action] = {"status": "Rejected"}
    command = await network.orders(station, order)
    assert asked(station) == [(action, wanted)]
    assert (command.status, command.error_text, command.answer) == ("rejected", "Rejected", {"status": "Rejected"})
    assert await network.sessions_of(station) == []


async def test_tc_032_1_a_session_that_a_power_failure_ended_is_told_after_the_boot(network: Network) -> None:
    station = await free(network)
    number = await charging(station)
    station.passes("20m")
    failed_at = station.at
    await station.loses_power()
    await network.is_connected(station, False)
    station.passes("2h")
    assert await station.boots() == "Accepted"
    told = stop16(number, failed_at, 4_000, reason="PowerLoss")
    assert await station.says("StopTransaction", told) == {}
    session = await is_over(network, station, "power_loss", 3_000)
    assert session.ended_at == failed_at


@pytest.mark.parametrize(
    ("limits", "told", "kept", "reason"),
    [
        pytest.param({}, "Accepted", "accepted", "Local", id="tc_037_1"),
        pytest.param({"status": "blocked"}, "Blocked", "blocked", "DeAuthorized", id="tc_037_3"),
    ],
)
async def test_tc_037_1_and_037_3_a_start_from_offline_is_taken_with_its_own_time_and_its_card_is_checked(
    network: Network, limits: dict[str, Any], told: str, kept: str, reason: str
) -> None:
    await network.token("TAG1", **limits)
    station = await silent_station(network, "1.6")
    await station.goes_offline()
    began_at = station.at
    station.passes("10m")
    await station.comes_back()
    answer = await station.says("StartTransaction", start16(began_at, 1_000))
    number = answer["transactionId"]
    assert (number > 0, answer["idTagInfo"]["status"]) == (True, told)
    session = await network.session_of(station)
    assert (session.started_at, session.authorization_status) == (began_at, kept)
    assert session.status == ("active" if kept == "accepted" else "pending")
    await stops(station, number, 1_400, reason)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 400)
    assert session.stop_reason == ("local" if kept == "accepted" else "deauthorized")


async def test_tc_039_a_whole_session_from_offline_is_taken_with_its_own_times(network: Network) -> None:
    station = await free(network)
    await station.goes_offline()
    began_at = station.at
    station.passes("1h")
    ended_at = station.at
    station.passes("3h")
    await station.comes_back()
    answer = await station.says("StartTransaction", start16(began_at, 1_000))
    assert answer["idTagInfo"]["status"] == "Accepted"
    told = stop16(answer["transactionId"], ended_at, 8_000, idTag="TAG1", reason="Local")
    assert (await station.says("StopTransaction", told))["idTagInfo"]["status"] == "Accepted"
    session = await is_over(network, station, "local", 7_000)
    assert (session.started_at, session.ended_at) == (began_at, ended_at)


@pytest.mark.parametrize(("word", "status"), [("Accepted", "accepted"), ("Rejected", "rejected")])
async def test_tc_061_the_cache_is_cleared_or_the_refusal_kept(network: Network, word: str, status: str) -> None:
    station = await free(network)
    station.answers["ClearCache"] = {"status": word}
    command = await network.orders(station, ClearCache())
    assert asked(station) == [("ClearCache", {})]
    assert (command.status, command.answer) == (status, {"status": word})


async def test_tc_064_data_of_a_vendor_nobody_registered_is_refused_and_kept(network: Network) -> None:
    station = await free(network)
    told = {"vendorId": "org.example.nobody", "messageId": "M1", "data": "{}"}
    answer = await station.says("DataTransfer", told)
    assert answer["status"] in ("UnknownVendorId", "UnknownMessageId", "Rejected")
    assert await records_of(network, station, "DataTransfer") == [told]
