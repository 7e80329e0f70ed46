"""Certification cases of group B (boot and reset), as far as they are the CSMS's: on the wire and kept."""

from datetime import UTC, datetime, timedelta

import pytest

from ohmstead.stations.orders import RemoteStart, Reset, SetVariables, Trigger
from tests.conformance.judged import Charge, asked, kinds_of, row_of, signals_of, status_of
from tests.stories.listener import nothing, silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_profiles import gives, held_by, night
from tests.stories.wire import Error


def status2(station: Station, status: str = "Available", evse_number: int = 1) -> Payload:
    return {
        "timestamp": station.at.isoformat(),
        "connectorStatus": status,
        "evseId": evse_number,
        "connectorId": 1,
    }


async def is_refused(station: Station, action: str, payload: Payload) -> None:
    answer = await station.wire.call(action, payload)
    assert isinstance(answer, Error), f"{action} was answered with {answer}"
    assert answer.code == "SecurityError"


async def is_adopted(network: Network, station: Station) -> None:
    await network.pool.execute("update station set registration = 'accepted' where station_id = $1", station.station_id)
    await network.house.bus.publish("ohmstead.station.changed", {"station_id": station.station_id})


# ------------------------------------------------------------------------------------------------------- cold boot


async def test_tc_b_01_a_station_of_the_register_boots_and_is_kept_as_it_introduced_itself(
    network: Network, version2: str
) -> None:
    station = await network.station(version2, boots=False)
    await station.connects()
    before = datetime.now(UTC)
    answer = await station.says("BootNotification", station.boot_payload("PowerUp"))
    assert answer["status"] == "Accepted"
    assert answer["interval"] > 0
    assert answer["currentTime"].endswith("Z")
    told = datetime.fromisoformat(answer["currentTime"])
    assert abs(told - before) < timedelta(seconds=5)
    row = await row_of(network, station)
    assert (row.vendor, row.model, row.serial_number, row.firmware_version) == ("Vendor", "Model", "SN-1", "1.0")
    assert row.booted_at >= before - timedelta(seconds=1)
    assert row.ocpp_version == version2
    await station.tells_status(1, "available")
    assert await status_of(network, station) == "available"
    assert "currentTime" in await station.says("Heartbeat", {})


async def test_tc_b_02_a_pending_station_is_configured_first_and_accepted_when_it_is_adopted(
    network: Network, version2: str
) -> None:
    station = await network.station(version2, boots=False, registration="pending")
    station.wire.after = nothing
    assert await station.boots() == "Pending"
    station.answers["SetVariables"] = lambda payload: {
        "setVariableResult": [
            {"attributeStatus": "Accepted", "component": one["component"], "variable": one["variable"]}
            for one in payload["setVariableData"]
        ]
    }
    command = await network.orders(station, SetVariables(values={"OCPPCommCtrlr.HeartbeatInterval": "60"}))
    assert command.status == "accepted"
    assert asked(station)[0][0] == "SetVariables"
    refused = await network.orders(station, RemoteStart(token_uid="TAG1"))
    assert (refused.status, refused.error_code) == ("failed", "refused")
    assert [action for action, _ in asked(station)] == ["SetVariables"]
    await is_adopted(network, station)
    assert await station.hears("TriggerMessage") == {"requestedMessage": "BootNotification"}
    assert await station.boots("Triggered") == "Accepted"
    assert (await row_of(network, station)).registration == "accepted"
    await station.tells_status(1, "available")
    assert await status_of(network, station) == "available"


@pytest.mark.parametrize("registration", ["pending", "rejected"])
async def test_tc_b_30_who_is_not_accepted_gets_a_security_error_and_nothing_of_it_is_kept(
    network: Network, version2: str, registration: str
) -> None:
    await network.token("TAG1")
    station = await network.station(version2, boots=False, registration=registration)
    await station.connects()
    await is_refused(station, "StatusNotification", status2(station))
    answer = await station.says("BootNotification", station.boot_payload("PowerUp"))
    assert answer["status"] == registration.capitalize()
    assert answer["interval"] > 0
    await is_refused(station, "StatusNotification", status2(station))
    await is_refused(station, "Heartbeat", {})
    await is_refused(station, "Authorize", {"idToken": {"idToken": "TAG1", "type": "ISO14443"}})
    charge = Charge(station)
    await is_refused(station, "TransactionEvent", charge.event("Started", "Authorized", uid="TAG1", wh=1_000))
    assert await network.sessions_of(station) == []
    assert await status_of(network, station) in (None, "unknown")


async def test_tc_b_31_a_pending_station_may_say_what_it_was_triggered_to_say(network: Network, version2: str) -> None:
    station = await network.station(version2, boots=False, registration="pending")
    station.wire.after = nothing
    assert await station.boots() == "Pending"
    await is_refused(station, "StatusNotification", status2(station))
    command = await network.orders(station, Trigger(message="StatusNotification", evse_number=1, connector_number=1))
    assert command.status == "accepted"
    wanted = {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}
    assert asked(station) == [("TriggerMessage", wanted)]
    assert await station.says("StatusNotification", status2(station, "Occupied")) == {}
    assert await status_of(network, station) == "occupied"
    await is_refused(station, "Heartbeat", {})
    boot = await network.orders(station, Trigger(message="BootNotification"))
    assert boot.status == "accepted"
    assert await station.boots("Triggered") == "Pending"


async def test_tc_b_31_a_rejected_station_is_not_triggered(network: Network, version2: str) -> None:
    station = await network.station(version2, boots=False, registration="rejected")
    assert await station.boots() == "Rejected"
    command = await network.orders(station, Trigger(message="BootNotification"))
    assert (command.status, command.error_code) == ("failed", "refused")
    assert asked(station) == []


# ----------------------------------------------------------------------------------------------------------- reset


async def reboots(network: Network, station: Station, reason: str = "RemoteReset") -> None:
    """The station restarts after a reset, and says so."""
    await station.loses_power()
    await network.is_connected(station, False)
    before = (await row_of(network, station)).booted_at
    assert await station.boots(reason) == "Accepted"
    row = await row_of(network, station)
    assert row.booted_at > before
    await station.tells_status(1, "available")
    assert await status_of(network, station) == "available"


async def charging(network: Network, station: Station, evse_number: int = 1) -> Charge:
    """A car that charges at an EVSE."""
    await network.token(f"TAG{evse_number}")
    charge = Charge(station, f"tx-{evse_number}", evse_number)
    await charge.tells("Started", "Authorized", uid=f"TAG{evse_number}", wh=1_000)
    await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=2_000)
    return charge


async def test_tc_b_20_a_free_station_is_reset_when_idle_and_boots_again(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, Reset(how="on_idle"))
    assert asked(station) == [("Reset", {"type": "OnIdle"})]
    assert (command.status, command.action, command.answer) == ("accepted", "Reset", {"status": "Accepted"})
    await reboots(network, station)


async def test_tc_b_21_a_reset_when_idle_waits_for_the_session(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    charge = await charging(network, station)
    station.answers["Reset"] = {"status": "Scheduled"}
    command = await network.orders(station, Reset(how="on_idle"))
    assert asked(station) == [("Reset", {"type": "OnIdle"})]
    assert (command.status, command.answer) == ("accepted", {"status": "Scheduled"})
    assert (await network.session_of(station)).status == "active"
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=4_000)
    await reboots(network, station, "ScheduledReset")
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", "ev_disconnected", 3_000)


async def test_tc_b_22_an_immediate_reset_ends_the_session_and_its_energy_counts(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    charge = await charging(network, station)
    command = await network.orders(station, Reset(how="hard"))
    assert asked(station) == [("Reset", {"type": "Immediate"})]
    assert command.status == "accepted"
    await charge.tells("Ended", "ResetCommand", reason="ImmediateReset", wh=2_500)
    await reboots(network, station)
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", "immediate_reset", 1_500)


async def test_tc_b_25_an_evse_is_reset_alone(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, Reset(how="on_idle", evse_number=1))
    assert asked(station) == [("Reset", {"type": "OnIdle", "evseId": 1})]
    assert (command.status, command.parameters["evse_number"]) == ("accepted", 1)
    booted_at = (await row_of(network, station)).booted_at
    for told, kept in (("Unavailable", "unavailable"), ("Available", "available")):
        await station.says("StatusNotification", status2(station, told))
        assert await status_of(network, station) == kept
    assert (await row_of(network, station)).booted_at == booted_at
    await network.is_connected(station)


async def test_tc_b_26_a_reset_of_an_evse_waits_for_its_session_and_leaves_the_other_alone(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    await network.outlets(station, 2)
    first, second = await charging(network, station, 1), await charging(network, station, 2)
    station.answers["Reset"] = {"status": "Scheduled"}
    command = await network.orders(station, Reset(how="on_idle", evse_number=1))
    assert asked(station) == [("Reset", {"type": "OnIdle", "evseId": 1})]
    assert (command.status, command.answer) == ("accepted", {"status": "Scheduled"})
    await first.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=3_000)
    await second.tells("Updated", "MeterValuePeriodic", state="Charging", wh=4_000)
    told = {s.transaction_id: (s.status, s.energy_wh) for s in await network.sessions_of(station)}
    assert told == {"tx-1": ("completed", 2_000), "tx-2": ("active", 3_000)}


async def test_tc_b_27_an_immediate_reset_of_an_evse_ends_its_session_alone(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await network.outlets(station, 2)
    first, _ = await charging(network, station, 1), await charging(network, station, 2)
    command = await network.orders(station, Reset(how="hard", evse_number=1))
    assert asked(station) == [("Reset", {"type": "Immediate", "evseId": 1})]
    assert command.status == "accepted"
    await first.tells("Ended", "ResetCommand", reason="ImmediateReset", wh=3_000)
    told = {s.transaction_id: (s.status, s.stop_reason) for s in await network.sessions_of(station)}
    assert told == {"tx-1": ("completed", "immediate_reset"), "tx-2": ("active", None)}


async def test_tc_b_103_and_e_113_a_session_goes_on_after_a_reset_that_resumes(network: Network) -> None:
    station = await silent_station(network, "2.1")
    charge = await charging(network, station)
    command = await network.orders(station, Reset(how="resume"))
    assert asked(station) == [("Reset", {"type": "ImmediateAndResume"})]
    assert command.status == "accepted"
    await charge.tells("Updated", "ResetCommand", state="SuspendedEVSE", wh=2_500)
    await reboots(network, station)
    await charge.tells("Updated", "TxResumed", state="Charging", wh=2_500)
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=5_000)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.anomalies) == ("completed", 4_000, [])
    assert "suspended_evse" in await kinds_of(network, session)


async def test_tc_b_104_a_free_station_takes_a_reset_that_resumes(network: Network) -> None:
    station = await silent_station(network, "2.1")
    command = await network.orders(station, Reset(how="resume"))
    assert asked(station) == [("Reset", {"type": "ImmediateAndResume"})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})
    await reboots(network, station)


async def test_tc_b_20_a_station_that_refuses_a_reset_is_believed(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    station.answers["Reset"] = {"status": "Rejected", "statusInfo": {"reasonCode": "Busy"}}
    command = await network.orders(station, Reset(how="on_idle"))
    assert (command.status, command.error_text) == ("rejected", "Rejected (Busy)")
    await network.is_connected(station)
    assert await signals_of(network, station) == []


async def test_tc_b_116_and_e_117_a_session_resumes_with_its_profile(network: Network) -> None:
    station = await silent_station(network, "2.1")
    charge = await charging(network, station)
    held, _ = await gives(network, station, night(purpose="session", transaction_id=charge.tx))
    command = await network.orders(station, Reset(how="resume"))
    assert (asked(station)[-1], command.status) == (("Reset", {"type": "ImmediateAndResume"}), "accepted")
    await charge.tells("Updated", "ResetCommand", state="SuspendedEVSE", wh=2_500)
    await reboots(network, station)
    await charge.tells("Updated", "TxResumed", state="Charging", wh=2_500)
    # The station has kept it over the restart, as it had to: nobody gives it again, and we know that it holds.
    assert [action for action, _ in asked(station)].count("SetChargingProfile") == 1
    assert [(h.profile.profile_id, h.status) for h in await held_by(network, station)] == [
        (held.profile.profile_id, "held")
    ]
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=5_000)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.anomalies) == ("completed", 4_000, [])
    await network.until(lambda: none_held(network, station), "the session's profile is over")


async def none_held(network: Network, station: Station) -> bool:
    return not [h for h in await held_by(network, station) if h.status == "held"]
