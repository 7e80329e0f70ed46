"""Certification cases of group E (transactions): how they start, go on, end, and are asked about."""

from types import SimpleNamespace

import pytest

from ohmstead.stations.orders import RemoteStop, TransactionStatus
from tests.conformance.judged import Charge, asked, kinds_of, status_of
from tests.stories.listener import silent_station
from tests.stories.messages import REGISTER, sampled2
from tests.stories.network import Network
from tests.stories.station import Payload, Station

SIGNED = {
    "signedMeterData": "c2lnbmVk",
    "signingMethod": "ECDSA-secp256r1-SHA256",
    "encodingMethod": "OCMF",
    "publicKey": "cHVibGlj",
}


def said_yes(answer: Payload) -> bool:
    return bool(answer["idTokenInfo"]["status"] == "Accepted")


async def ready(network: Network, version: str) -> tuple[Station, Charge]:
    """A free station, a card, and a transaction that has not begun."""
    await network.token("TAG1")
    station = await silent_station(network, version)
    await station.tells_status(1, "available")
    return station, Charge(station)


async def under_way(network: Network, version: str) -> tuple[Station, Charge]:
    """A car that charges."""
    station, charge = await ready(network, version)
    await station.tells_status(1, "occupied")
    assert said_yes(await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000))
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=1_000) == {}
    return station, charge


async def is_active(network: Network, station: Station) -> SimpleNamespace:
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.authorization_status) == ("active", "TAG1", "accepted")
    assert (session.evse_number, session.connector_number) == (1, 1)
    return session


async def is_over(network: Network, station: Station, reason: str, energy_wh: int) -> SimpleNamespace:
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", reason, energy_wh)
    assert (session.ended_at, session.anomalies) == (station.at, [])
    return session


# ------------------------------------------------------------------------------------------- how transactions start


async def test_tc_e_01_a_transaction_may_start_with_the_power_path_closed(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert (await station.authorizes("TAG1"))[0] == "Accepted"
    await station.tells_status(1, "occupied")
    answer = await charge.tells("Started", "ChargingStateChanged", state="SuspendedEVSE", uid="TAG1", wh=1_000)
    assert said_yes(answer)
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging") == {}
    session = await is_active(network, station)
    assert session.charging_state == "charging"
    assert {"started", "suspended_evse", "charging"} <= set(await kinds_of(network, session))


async def test_tc_e_02_a_transaction_may_start_with_the_energy(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert (await station.authorizes("TAG1"))[0] == "Accepted"
    answer = await charge.tells("Started", "ChargingStateChanged", state="Charging", uid="TAG1", wh=1_000)
    assert said_yes(answer)
    session = await is_active(network, station)
    assert (session.charging_state, session.register_start_wh) == ("charging", 1_000)


async def test_tc_e_03_first_the_cable_then_the_card(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    await station.tells_status(1, "occupied")
    assert await charge.tells("Started", "CablePluggedIn", state="EVConnected", wh=1_000) == {}
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.charging_state) == ("pending", None, "connected")
    assert (await station.authorizes("TAG1"))[0] == "Accepted"
    assert said_yes(await charge.tells("Updated", "Authorized", state="EVConnected", uid="TAG1"))
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging") == {}
    await is_active(network, station)
    assert await status_of(network, station) == "occupied"


async def test_tc_e_04_first_the_card_then_the_cable(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert (await station.authorizes("TAG1"))[0] == "Accepted"
    assert said_yes(await charge.tells("Started", "Authorized", uid="TAG1", evse={}))
    assert (await network.session_of(station)).evse_number is None
    await station.tells_status(1, "occupied")
    assert await charge.tells("Updated", "CablePluggedIn", state="EVConnected", wh=1_000) == {}
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging") == {}
    await is_active(network, station)


async def test_tc_e_09_a_transaction_may_start_with_the_cable_and_wait_for_a_card(
    network: Network, version2: str
) -> None:
    station, charge = await ready(network, version2)
    assert await charge.tells("Started", "CablePluggedIn", state="EVConnected", wh=1_000) == {}
    session = await network.session_of(station)
    assert (session.status, session.authorization_status, session.charging_state) == ("pending", None, "connected")
    assert (session.started_at, session.evse_number, session.anomalies) == (station.at, 1, [])
    assert "started" in await kinds_of(network, session)


async def test_tc_e_10_a_transaction_may_start_with_the_card(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert (await station.authorizes("TAG1"))[0] == "Accepted"
    assert said_yes(await charge.tells("Started", "Authorized", uid="TAG1"))
    session = await is_active(network, station)
    assert (session.started_at, session.token_type) == (station.at, "ISO14443")


async def test_tc_e_11_a_transaction_may_start_with_a_signed_value(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert (await station.authorizes("TAG1"))[0] == "Accepted"
    value = sampled2(1_000, context="Transaction.Begin", measurand=REGISTER, signedMeterValue=SIGNED)
    assert said_yes(await charge.tells("Started", "SignedDataReceived", value, uid="TAG1"))
    session = await is_active(network, station)
    kept = await network.rows("select data from signed_reading where session_id = $1", session.session_id)
    assert [row.data for row in kept] == [b"c2lnbmVk"]


async def test_tc_e_12_a_transaction_may_start_when_a_car_is_seen(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert await charge.tells("Started", "EVDetected") == {}
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.energy_wh) == ("pending", None, 0)
    assert (await network.events_of(session))[0].detail == {"trigger": "ev_detected"}


async def test_tc_e_38_a_car_that_is_not_ready_is_the_drivers_own_pause(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert said_yes(await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000))
    assert await charge.tells("Updated", "CablePluggedIn", state="EVConnected") == {}
    assert await charge.tells("Updated", "ChargingStateChanged", state="SuspendedEV") == {}
    session = await is_active(network, station)
    assert (session.charging_state, session.energy_wh) == ("suspended_ev", 0)


# --------------------------------------------------------------------------------------------- how transactions end


@pytest.mark.parametrize(
    ("trigger", "reason", "kept", "is_card_shown"),
    [
        pytest.param("StopAuthorized", "Local", "local", True, id="tc_e_07"),
        pytest.param("ChargingStateChanged", "Local", "local", False, id="tc_e_08"),
        pytest.param("EVCommunicationLost", "EVDisconnected", "ev_disconnected", False, id="tc_e_14"),
        pytest.param("StopAuthorized", None, "local", True, id="tc_e_15"),
        pytest.param("EVDeparted", "Local", "local", False, id="tc_e_19"),
        pytest.param("ChargingStateChanged", "StoppedByEV", "stopped_by_ev", False, id="tc_e_22"),
    ],
)
async def test_tc_e_07_and_08_and_14_and_15_and_19_and_22_a_transaction_ends_for_its_own_reason(
    network: Network, version2: str, trigger: str, reason: str | None, kept: str, is_card_shown: bool
) -> None:
    station, charge = await under_way(network, version2)
    assert await charge.tells("Updated", "ChargingStateChanged", state="EVConnected", wh=4_000) == {}
    shown: Payload = {"uid": "TAG1"} if is_card_shown else {}
    answer = await charge.tells("Ended", trigger, reason=reason, wh=4_000, **shown)
    assert said_yes(answer) if is_card_shown else answer == {}
    session = await is_over(network, station, kept, 3_000)
    assert session.stop_token_uid == ("TAG1" if is_card_shown else None)
    await station.tells_status(1, "available")
    assert await status_of(network, station) == "available"


async def test_tc_e_16_a_token_that_is_refused_ends_the_transaction_and_its_energy_counts(
    network: Network, version2: str
) -> None:
    station, charge = await ready(network, version2)
    answer = await charge.tells("Started", "Authorized", uid="NOBODY", wh=1_000)
    assert answer["idTokenInfo"]["status"] in ("Invalid", "Unknown")
    assert await charge.tells("Ended", "Deauthorized", reason="DeAuthorized", wh=1_050) == {}
    session = await is_over(network, station, "deauthorized", 50)
    assert (session.token_uid, session.authorization_status) == ("NOBODY", "unknown")


async def test_tc_e_17_and_20_a_cable_pulled_at_the_car_ends_the_transaction(network: Network, version2: str) -> None:
    station, charge = await under_way(network, version2)
    assert await charge.tells("Updated", "EVCommunicationLost", state="SuspendedEV", wh=3_000) == {}
    assert (await network.session_of(station)).status == "active"
    assert await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=3_000) == {}
    await is_over(network, station, "ev_disconnected", 2_000)


async def test_tc_e_21_an_operator_ends_the_transaction(network: Network, version2: str) -> None:
    station, charge = await under_way(network, version2)
    command = await network.orders(station, RemoteStop(transaction_id="tx-1"))
    assert asked(station) == [("RequestStopTransaction", {"transactionId": "tx-1"})]
    assert (command.status, command.requested_by) == ("accepted", "operator:story")
    assert (await network.session_of(station)).status == "active"
    assert await charge.tells("Updated", "RemoteStop", state="EVConnected", wh=3_000) == {}
    assert await charge.tells("Ended", "EVCommunicationLost", reason="Remote", wh=3_000) == {}
    await is_over(network, station, "remote", 2_000)


async def test_tc_e_26_a_cable_pulled_at_the_car_may_only_interrupt(network: Network, version2: str) -> None:
    station, charge = await under_way(network, version2)
    assert await charge.tells("Updated", "EVCommunicationLost", state="Idle", wh=2_000) == {}
    session = await network.session_of(station)
    assert (session.status, session.charging_state) == ("active", "idle")
    assert await charge.tells("Updated", "CablePluggedIn", state="EVConnected", wh=2_000) == {}
    assert await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=3_000) == {}
    session = await is_active(network, station)
    assert (session.charging_state, session.energy_wh) == ("charging", 2_000)


async def test_tc_e_39_a_card_without_a_car_times_out(network: Network, version2: str) -> None:
    station, charge = await ready(network, version2)
    assert said_yes(await charge.tells("Started", "Authorized", uid="TAG1"))
    assert await charge.tells("Ended", "EVConnectTimeout", reason="Timeout") == {}
    session = await network.session_of(station)
    assert (session.status, session.stop_reason, session.energy_wh) == ("completed", "timeout", 0)
    # The card is free again.
    again = Charge(station, "tx-2")
    assert said_yes(await again.tells("Started", "Authorized", uid="TAG1", wh=1_000))


# ---------------------------------------------------------------------------------------- asking about transactions


async def asks(network: Network, station: Station, transaction_id: str | None, answer: Payload) -> None:
    """The operator's question, on the wire and as kept."""
    station.answers["GetTransactionStatus"] = answer
    command = await network.orders(station, TransactionStatus(transaction_id=transaction_id))
    wanted = {} if transaction_id is None else {"transactionId": transaction_id}
    assert asked(station)[-1] == ("GetTransactionStatus", wanted)
    assert (command.status, command.answer) == ("accepted", answer)


@pytest.mark.parametrize("is_queued", [pytest.param(True, id="tc_e_29"), pytest.param(False, id="tc_e_30")])
async def test_tc_e_29_and_30_a_transaction_that_goes_on_stays_open(
    network: Network, version2: str, is_queued: bool
) -> None:
    station, charge = await under_way(network, version2)
    queued = [
        charge.event("Updated", "MeterValuePeriodic", state="Charging", wh=wh, offline=True) for wh in (2_000, 3_000)
    ]
    await asks(network, station, "tx-1", {"ongoingIndicator": True, "messagesInQueue": is_queued})
    assert (await network.session_of(station)).status == "active"
    if is_queued:
        for payload in queued:
            assert await station.says("TransactionEvent", payload) == {}
        assert (await network.session_of(station)).energy_wh == 2_000
    else:
        assert (await network.session_of(station)).energy_wh == 0
    assert (await is_active(network, station)).charging_state == "charging"


async def test_tc_e_31_ended_comes_first_and_the_missing_updates_are_kept(network: Network, version2: str) -> None:
    station, charge = await under_way(network, version2)
    station.answers["GetTransactionStatus"] = {"ongoingIndicator": False, "messagesInQueue": True}
    queued = [
        charge.event("Updated", "MeterValuePeriodic", state="Charging", wh=wh, offline=True) for wh in (2_000, 3_000)
    ]
    assert await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=4_000) == {}
    ended_at = station.at
    assert (await network.session_of(station)).status == "closing"
    assert await station.hears("GetTransactionStatus") == {"transactionId": "tx-1"}
    await network.until(lambda: answered(network, station), "the answer is noted")
    assert (await network.session_of(station)).status == "closing"
    for payload in reversed(queued):
        assert await station.says("TransactionEvent", payload) == {}
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.ended_at) == ("completed", 3_000, ended_at)
    assert (session.seen_seq_nos, session.anomalies) == ([0, 4], [])
    registers = [s.energy_wh for s in await network.samples_of(session) if s.context == "Sample.Periodic"]
    assert registers == [1_000, 2_000, 3_000]


async def answered(network: Network, station: Station) -> bool:
    found = await network.pool.fetchval(
        "select answer from command where station_id = $1 and requested_by = 'system:gaps' and answered_at is not null",
        station.station_id,
    )
    return found is not None


@pytest.mark.parametrize("is_queued", [pytest.param(True, id="tc_e_33"), pytest.param(False, id="tc_e_34")])
async def test_tc_e_33_and_34_a_station_is_asked_whether_it_holds_anything_back(
    network: Network, version2: str, is_queued: bool
) -> None:
    station, charge = await under_way(network, version2)
    await asks(network, station, None, {"messagesInQueue": is_queued})
    # Whatever the answer, it is about no transaction in particular: none ends by it.
    await is_active(network, station)
    assert await charge.tells("Ended", "StopAuthorized", reason="Local", uid="TAG1", wh=2_000) != {}
    await is_over(network, station, "local", 1_000)


async def test_tc_e_53_every_transaction_counts_its_messages_from_0(network: Network, version2: str) -> None:
    station, _ = await ready(network, version2)
    for n in (1, 2, 3):
        charge = Charge(station, f"tx-{n}")
        assert said_yes(await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000 * n))
        assert said_yes(await charge.tells("Ended", "StopAuthorized", uid="TAG1", wh=1_000 * n + 500))
    sessions = await network.sessions_of(station)
    assert [(s.transaction_id, s.status, s.energy_wh) for s in sessions] == [
        (f"tx-{n}", "completed", 500) for n in (1, 2, 3)
    ]
    assert [(s.seen_seq_nos, s.anomalies) for s in sessions] == [([0, 1], [])] * 3
    # The count may also begin elsewhere: a start is not a gap.
    later = Charge(station, "tx-9")
    later.seq_no = 40
    assert said_yes(await later.tells("Started", "Authorized", uid="TAG1", wh=9_000))
    assert said_yes(await later.tells("Ended", "StopAuthorized", uid="TAG1", wh=9_100))
    assert (await network.sessions_of(station))[-1].status == "completed"
