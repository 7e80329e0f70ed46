"""Cases of what OCPP 2.1 added, as far as nothing but words and records are asked of the CSMS: tariffs in the station,
limits that the station sets, grid controls, battery swap, streams, web payment: on the wire and kept."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.stations import orders as o
from ohmstead.stations.device import queries
from ohmstead.stations.orders import drivers, grid
from tests.conformance.judged import Charge, asked, records_of
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant

NIGHT = o.StationTariff(
    tariff_id="NIGHT",
    currency="EUR",
    energy=o.Prices(
        prices=(
            drivers.Price(price=Decimal("0.25"), conditions=drivers.Conditions(from_time="22:00", until_time="06:00")),
            drivers.Price(price=Decimal("0.5")),
        )
    ),
)
NIGHT_ON_THE_WIRE = {
    "tariffId": "NIGHT",
    "currency": "EUR",
    "energy": {
        "prices": [
            {"priceKwh": 0.25, "conditions": {"startTimeOfDay": "22:00", "endTimeOfDay": "06:00"}},
            {"priceKwh": 0.5},
        ]
    },
}


async def charging(network: Network) -> tuple[Station, Charge]:
    await network.token("TAG1")
    station = await silent_station(network, "2.1")
    charge = Charge(station)
    await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000)
    return station, charge


async def logged(network: Network, station: Station, action: str) -> list[str]:
    rows = await network.rows(
        "select payload from ocpp_message where station_id = $1 and action = $2 order by received_at",
        station.station_id,
        action,
    )
    return [row.payload for row in rows]


# ------------------------------------------------------------------------------------------ tariffs in the station


@pytest.mark.parametrize(
    ("word", "status"),
    [
        pytest.param("Accepted", "accepted", id="tc_i_101"),
        pytest.param("TooManyElements", "rejected", id="tc_i_102"),
        pytest.param("ConditionNotSupported", "rejected", id="tc_i_105"),
        pytest.param("Rejected", "rejected", id="tc_i_106"),
    ],
)
async def test_tc_i_101_and_102_and_105_and_106_a_default_tariff_is_set_or_the_reason_kept(
    network: Network, word: str, status: str
) -> None:
    station = await silent_station(network, "2.1")
    station.answers["SetDefaultTariff"] = {"status": word}
    command = await network.orders(station, o.SetDefaultTariff(tariff=NIGHT))
    assert asked(station) == [("SetDefaultTariff", {"evseId": 0, "tariff": NIGHT_ON_THE_WIRE})]
    assert (command.status, command.answer) == (status, {"status": word})
    assert command.error_text == (None if status == "accepted" else word)


async def test_tc_i_110_default_tariffs_are_taken_away(network: Network) -> None:
    station = await silent_station(network, "2.1")
    station.answers["ClearTariffs"] = {"clearTariffsResult": [{"tariffId": "NIGHT", "status": "Accepted"}]}
    command = await network.orders(station, o.ClearTariffs())
    assert asked(station) == [("ClearTariffs", {})]
    assert command.status == "accepted"
    station.answers["ClearTariffs"] = {"clearTariffsResult": [{"tariffId": "DAY", "status": "NoTariff"}]}
    refused = await network.orders(station, o.ClearTariffs(tariff_ids=("DAY",)))
    assert asked(station)[-1] == ("ClearTariffs", {"tariffIds": ["DAY"]})
    assert (refused.status, refused.error_text) == ("rejected", "DAY: NoTariff")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        pytest.param("TooManyElements", "rejected", id="tc_i_113"),
        pytest.param("ConditionNotSupported", "rejected", id="tc_i_114"),
        pytest.param("Accepted", "accepted", id="tc_i_115"),
    ],
)
async def test_tc_i_113_and_114_and_115_a_sessions_tariff_is_changed_or_the_reason_kept(
    network: Network, word: str, status: str
) -> None:
    station, _ = await charging(network)
    station.answers["ChangeTransactionTariff"] = {"status": word}
    command = await network.orders(station, o.ChangeSessionTariff(transaction_id="tx-1", tariff=NIGHT))
    assert asked(station) == [("ChangeTransactionTariff", {"transactionId": "tx-1", "tariff": NIGHT_ON_THE_WIRE})]
    assert (command.status, command.answer) == (status, {"status": word})


# --------------------------------------------------------------------------------------- limits the station sets


@pytest.mark.parametrize(
    ("limit", "trigger"),
    [
        pytest.param({"maxEnergy": 3000.0}, "EnergyLimitReached", id="tc_e_106"),
        pytest.param({"maxTime": 1800}, "TimeLimitReached", id="tc_e_107"),
    ],
)
async def test_tc_e_106_and_107_a_limit_that_the_station_sets_ends_the_session_at_what_was_delivered(
    network: Network, limit: Payload, trigger: str
) -> None:
    station, charge = await charging(network)
    assert await charge.tells("Updated", "LimitSet", state="Charging", info={"transactionLimit": limit}) == {}
    assert await charge.tells("Updated", trigger, state="SuspendedEVSE", wh=4_000) == {}
    session = await network.session_of(station)
    assert (session.status, session.charging_state, session.energy_wh) == ("active", "suspended_evse", 3_000)
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=4_000)
    session = await network.session_of(station)
    assert (session.status, session.energy_wh, session.anomalies) == ("completed", 3_000, [])
    assert any("transactionLimit" in payload for payload in await logged(network, station, "TransactionEvent"))


# ------------------------------------------------------------------------------------------------ grid and batteries


async def test_tc_r_107_grid_controls_are_set_asked_for_and_taken_away(network: Network) -> None:
    station = await silent_station(network, "2.1")
    order = o.SetDerControl(control_id="c1", type="fixed_var", fixed_var=grid.FixedVar(setpoint=Decimal("-20")))
    assert (await network.orders(station, order)).status == "accepted"
    action, payload = asked(station)[-1]
    assert (action, payload["controlId"], payload["controlType"]) == ("SetDERControl", "c1", "FixedVar")
    assert payload["fixedVar"]["setpoint"] == -20
    question = await network.orders(station, o.GetDerControls(control_id="c1"))
    number = question.parameters["request_id"]
    assert asked(station)[-1] == ("GetDERControl", {"requestId": number, "controlId": "c1"})
    told = {"requestId": number, "fixedVar": [{"id": "c1", "isSuperseded": False, "isDefault": False,
            "fixedVar": {"priority": 0, "setpoint": -20.0, "unit": "PctMaxW"}}]}  # fmt: skip
    assert await station.says("ReportDERControl", told) == {}
    assert await records_of(network, station, "ReportDERControl") == [told]
    station.answers["ClearDERControl"] = {"status": "NotFound"}
    gone = await network.orders(station, o.ClearDerControls(control_id="c1"))
    assert asked(station)[-1] == ("ClearDERControl", {"isDefault": False, "controlId": "c1"})
    assert gone.answer == {"status": "NotFound"}


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("NotifyDERAlarm", {"controlType": "FreqDroop", "timestamp": "2026-01-01T00:00:00Z", "alarmEnded": False}),
        ("NotifyDERStartStop", {"controlId": "c1", "started": True, "timestamp": "2026-01-01T00:00:00Z"}),
    ],
)
async def test_tc_r_108_a_grid_event_is_answered_and_kept(network: Network, action: str, told: Payload) -> None:
    station = await silent_station(network, "2.1")
    assert await station.says(action, told) == {}
    assert await records_of(network, station, action) == [told]


async def test_tc_q_120_a_call_on_the_frequency_reserve_is_passed_on(network: Network) -> None:
    station = await silent_station(network, "2.1")
    at = datetime.now(UTC).replace(microsecond=0)
    command = await network.orders(station, o.SignalFrequencyReserve(at=at, signal=-50))
    assert asked(station) == [("AFRRSignal", {"timestamp": instant(at), "signal": -50})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})


@pytest.mark.parametrize(
    ("word", "status"),
    [pytest.param("Rejected", "rejected", id="tc_s_102"), pytest.param("Accepted", "accepted", id="tc_s_103")],
)
async def test_tc_s_102_and_103_a_battery_swap_is_asked_for_and_told(network: Network, word: str, status: str) -> None:
    station = await silent_station(network, "2.1")
    station.answers["RequestBatterySwap"] = {"status": word}
    command = await network.orders(station, o.RequestBatterySwap(token=o.TokenRef(uid="TAG1")))
    number = command.parameters["request_id"]
    token = {"idToken": "TAG1", "type": "ISO14443"}
    assert asked(station) == [("RequestBatterySwap", {"requestId": number, "idToken": token})]
    assert (command.status, command.answer) == (status, {"status": word})
    if status == "rejected":
        return
    battery = {"evseId": 1, "serialNumber": "B-1", "soC": 20, "soH": 95}
    events: list[Payload] = [
        {"requestId": number, "idToken": token, "eventType": kind, "batteryData": [battery]}
        for kind in ("BatteryIn", "BatteryOut")
    ]
    for event in events:
        assert await station.says("BatterySwap", event) == {}
    kept = await records_of(network, station, "BatterySwap")
    assert sorted(kept, key=lambda one: str(one["eventType"])) == events


# ------------------------------------------------------------------------------------------------- streams, payment


async def test_n11_and_n13_a_stream_of_events_is_opened_and_its_events_are_kept_without_an_answer(
    network: Network,
) -> None:
    """N11, N13: NotifyPeriodicEventStream is a SEND."""
    station = await silent_station(network, "2.1")
    stream = {"id": 7, "variableMonitoringId": 3, "params": {"interval": 2, "values": 1}}
    answer = await station.says("OpenPeriodicEventStream", {"constantStreamData": stream})
    assert answer == {"status": "Accepted"}
    told = {"id": 7, "pending": 0, "basetime": "2026-01-01T00:00:00Z", "data": [{"t": 0.5, "v": "230"}]}
    await station.wire.send([6, "s1", "NotifyPeriodicEventStream", told])
    assert await station.says("ClosePeriodicEventStream", {"id": 7}) == {}

    async def is_kept() -> bool:
        return await records_of(network, station, "NotifyPeriodicEventStream") == [told]

    await network.until(is_kept, "the stream's event is kept")
    answers = [frame for is_ours, frame in station.wire.trace if not is_ours and frame[1] == "s1"]
    assert answers == []


CURRENT = "Connector@1.1.ACCurrent"
DELIVERED = {"component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}}, "variable": {"name": "ACCurrent"}}


def watches(payload: Payload) -> Payload:
    """The answer of a station that takes every monitor, and numbers them from 11."""
    return {
        "setMonitoringResult": [
            {"id": n, "status": "Accepted"} | {key: one[key] for key in ("type", "severity", "component", "variable")}
            for n, one in enumerate(payload["setMonitoringData"], 11)
        ]
    }


@pytest.mark.parametrize(
    ("type_", "word"), [("target_delta", "TargetDelta"), ("target_delta_relative", "TargetDeltaRelative")]
)
async def test_tc_n_104_a_monitor_of_the_target_is_set_reported_and_triggers(
    network: Network, type_: Any, word: str
) -> None:
    station = await silent_station(network, "2.1")
    station.answers["SetVariableMonitoring"] = watches
    monitor = o.Monitor(name=CURRENT, type=type_, value=Decimal("2.5"), severity=6)
    assert (await network.orders(station, o.SetMonitors(monitors=(monitor,)))).status == "accepted"
    wanted = {**DELIVERED, "value": 2.5, "type": word, "severity": 6}
    assert asked(station) == [("SetVariableMonitoring", {"setMonitoringData": [wanted]})]
    kind = {"TargetDelta": "target_delta", "TargetDeltaRelative": "target_delta_relative"}[word]
    assert await monitors_of(network, station) == [(11, kind, Decimal("2.5"), 6)]
    question = await network.orders(station, o.MonitoringReport(criteria=("delta",)))
    number = question.parameters["request_id"]
    watching = {"id": 11, "transaction": False, "value": 3.0, "type": word, "severity": 6,
                "eventNotificationType": "CustomMonitor"}  # fmt: skip
    told = {"requestId": number, "seqNo": 0, "generatedAt": instant(station.at),
            "monitor": [{**DELIVERED, "variableMonitoring": [watching]}]}  # fmt: skip
    assert await station.says("NotifyMonitoringReport", told) == {}
    assert await monitors_of(network, station) == [(11, kind, Decimal(3), 6)]
    event = {"eventId": 1, "timestamp": instant(station.at), "trigger": "Delta", "actualValue": "12", "severity": 6,
             "eventNotificationType": "CustomMonitor", "variableMonitoringId": 11, **DELIVERED}  # fmt: skip
    assert (
        await station.says("NotifyEvent", {"generatedAt": instant(station.at), "seqNo": 0, "eventData": [event]}) == {}
    )
    rows = await network.rows("select * from device_event where station_id = $1", station.station_id)
    assert [(e.monitor_id, e.trigger, e.value, e.severity) for e in rows] == [(11, "delta", "12", 6)]


async def monitors_of(network: Network, station: Station) -> list[tuple[int, str, Decimal, int]]:
    async with network.pool.acquire() as conn:
        found = await queries.list_monitors(conn, network.party_id, station.station_id)
    return [(one.monitor_id, one.kind, one.value, one.severity) for one in found]


async def test_tc_n_105_and_107_a_frequent_monitor_sends_a_stream_that_is_read_and_adjusted(network: Network) -> None:
    station = await silent_station(network, "2.1")
    station.answers["SetVariableMonitoring"] = watches
    monitor = o.Monitor(name=CURRENT, type="periodic", value=Decimal(1), stream=o.Stream(interval_s=10, n_values=10))
    assert (await network.orders(station, o.SetMonitors(monitors=(monitor,)))).status == "accepted"
    wanted = {**DELIVERED, "value": 1, "type": "Periodic", "severity": 5,
              "periodicEventStream": {"interval": 10, "values": 10}}  # fmt: skip
    assert asked(station) == [("SetVariableMonitoring", {"setMonitoringData": [wanted]})]
    assert await monitors_of(network, station) == [(11, "periodic", Decimal(1), 5)]
    stream = {"id": 3, "variableMonitoringId": 11, "params": {"interval": 10, "values": 10}}
    assert await station.says("OpenPeriodicEventStream", {"constantStreamData": stream}) == {"status": "Accepted"}
    station.answers["GetPeriodicEventStream"] = {"constantStreamData": [stream]}
    read = await network.orders(station, o.GetEventStreams())
    assert asked(station)[-1] == ("GetPeriodicEventStream", {})
    assert (read.status, read.answer) == ("accepted", {"constantStreamData": [stream]})
    station.answers["GetPeriodicEventStream"] = {}
    assert (await network.orders(station, o.GetEventStreams())).status == "accepted", "there is none"
    adjusted = await network.orders(station, o.AdjustEventStream(stream_id=3, stream=o.Stream(interval_s=60)))
    assert asked(station)[-1] == ("AdjustPeriodicEventStream", {"id": 3, "params": {"interval": 60}})
    assert adjusted.status == "accepted"


@pytest.mark.parametrize("evse_number", [0, 1])
async def test_c25_a_station_learns_that_somebody_pays_by_web(network: Network, evse_number: int) -> None:
    station = await silent_station(network, "2.1")
    station.answers["NotifyWebPaymentStarted"] = {}
    order: Any = o.AnnounceWebPayment(evse_number=evse_number, timeout_s=60)
    command = await network.orders(station, order)
    assert asked(station) == [("NotifyWebPaymentStarted", {"evseId": evse_number, "timeout": 60})]
    assert (command.status, command.answer) == ("accepted", {})


async def test_c20_a_settlement_is_answered_and_kept(network: Network) -> None:
    station = await silent_station(network, "2.1")
    told = {
        "pspRef": "PSP-1",
        "status": "Settled",
        "settlementAmount": 12.5,
        "settlementTime": "2026-01-01T00:00:00Z",
        "transactionId": "tx-1",
    }
    await station.says("NotifySettlement", told)
    assert await records_of(network, station, "NotifySettlement") == [told]
