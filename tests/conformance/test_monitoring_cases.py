"""Certification cases of monitoring, customers' data, network profiles and security events, as plain commands: on the wire
and on the row. What becomes of reports in the rooms that keep them has its tests there.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.accounts import access
from ohmstead.stations import orders as o
from ohmstead.stations.device import local_lists, queries, store
from tests.conformance.judged import asked, signals_of
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station, instant

HEARTBEAT = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
OFFLINE = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}
NAMES = ("OCPPCommCtrlr.HeartbeatInterval", "OCPPCommCtrlr.OfflineThreshold")


def reads(value: str) -> Any:
    """A station that has every variable, all with this value."""
    return lambda payload: {
        "getVariableResult": [
            {**one, "attributeStatus": "Accepted", "attributeValue": value} for one in payload["getVariableData"]
        ]
    }


async def test_tc_b_08_no_more_are_read_at_once_than_the_station_takes(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    limit = {
        "component": {"name": "DeviceDataCtrlr"},
        "variable": {"name": "ItemsPerMessage", "instance": "GetVariables"},
        "variableAttribute": [{"value": "1"}],
    }
    report = {"requestId": 1, "generatedAt": instant(station.at), "seqNo": 0, "reportData": [limit]}
    assert await station.says("NotifyReport", report) == {}
    station.answers["GetVariables"] = reads("60")
    command = await network.orders(station, o.GetVariables(names=NAMES))
    assert asked(station) == [("GetVariables", {"getVariableData": [one]}) for one in (HEARTBEAT, OFFLINE)]
    assert command.status == "accepted"


@pytest.mark.parametrize(
    ("word", "status"),
    [pytest.param("Accepted", "accepted", id="tc_b_42"), pytest.param("Failed", "rejected", id="tc_b_44")],
)
async def test_tc_b_42_and_44_a_network_profile_is_set_or_the_failure_kept(
    network: Network, version2: str, word: str, status: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["SetNetworkProfile"] = {"status": word}
    order = o.SetNetworkProfile(slot=1, url="wss://csms.example/ocpp", security_profile=2, ocpp_version="2.0")
    command = await network.orders(station, order)
    data = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example/ocpp",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Wired0",
    }
    assert asked(station) == [("SetNetworkProfile", {"configurationSlot": 1, "connectionData": data})]
    assert (command.status, command.answer) == (status, {"status": word})


async def is_nowhere(network: Network, station: Station, *secrets: str) -> None:
    """Neither on the row of an order nor in the message log."""

    async def is_logged() -> bool:
        return bool(
            await network.pool.fetchval(
                "select count(*) from ocpp_message where station_id = $1 and direction = 'out'", station.station_id
            )
        )

    await network.until(is_logged, "the message is logged")
    rows = await network.rows("select parameters, answer from command where station_id = $1", station.station_id)
    rows += await network.rows("select payload, answer from ocpp_message where station_id = $1", station.station_id)
    assert [secret for secret in secrets if secret in str(rows)] == []


async def test_tc_b_100_a_network_profile_carries_identity_and_password(network: Network) -> None:
    station = await silent_station(network, "2.1")
    order = o.SetNetworkProfile(
        slot=2,
        url="wss://csms.example/ocpp",
        security_profile=2,
        interface="any",
        identity="ANOTHER-NAME",
        password="a-password-of-its-own",
    )
    command = await network.orders(station, order)
    data = {
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://csms.example/ocpp",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Any",
        "identity": "ANOTHER-NAME",
        "basicAuthPassword": "a-password-of-its-own",
    }
    assert asked(station) == [("SetNetworkProfile", {"configurationSlot": 2, "connectionData": data})]
    assert command.status == "accepted"
    await is_nowhere(network, station, "a-password-of-its-own")


@pytest.mark.parametrize("refused", [None, "SecurityProfile"])
async def test_tc_b_105_a_network_profile_is_set_by_variables(network: Network, refused: str | None) -> None:
    station = await silent_station(network, "2.1")
    values = {
        "OcppCsmsUrl": "wss://csms.example/ocpp",
        "OcppInterface": "Any",
        "OcppTransport": "JSON",
        "MessageTimeout": "30",
        "SecurityProfile": "2",
        "Identity": "ANOTHER-NAME",
        "BasicAuthPassword": "a-password-of-its-own",
        "VpnKey": "a-key-of-its-own",
    }
    station.answers["SetVariables"] = lambda payload: {
        "setVariableResult": [
            {
                "attributeStatus": "Rejected" if one["variable"]["name"] == refused else "Accepted",
                "component": one["component"],
                "variable": one["variable"],
            }
            for one in payload["setVariableData"]
        ]
    }
    order = o.SetVariables(values={f"NetworkConfiguration[2].{name}": value for name, value in values.items()})
    command = await network.orders(station, order)
    component = {"name": "NetworkConfiguration", "instance": "2"}
    data = [
        {"component": component, "variable": {"name": name}, "attributeValue": value} for name, value in values.items()
    ]
    [(action, payload)] = asked(station)
    sent = sorted(payload["setVariableData"], key=lambda one: list(values).index(one["variable"]["name"]))
    assert (action, sent) == ("SetVariables", data)
    assert command.status == ("accepted" if refused is None else "rejected")
    rows = await network.rows(
        "select variable, value from station_variable where station_id = $1 and component = $2",
        station.station_id,
        "NetworkConfiguration[2]",
    )
    kept = {name: value for name, value in values.items() if name not in (refused, "BasicAuthPassword", "VpnKey")}
    assert {row.variable: row.value for row in rows} == kept
    await is_nowhere(network, station, "a-password-of-its-own", "a-key-of-its-own")


# ------------------------------------------------------------------------------------------------------ monitoring


@pytest.mark.parametrize(
    ("names", "criteria", "wanted"),
    [
        pytest.param((), ("threshold",), {"monitoringCriteria": ["ThresholdMonitoring"]}, id="tc_n_01"),
        pytest.param(NAMES[:1], (), {"componentVariable": [HEARTBEAT]}, id="tc_n_02"),
        pytest.param(
            NAMES[:1],
            ("delta",),
            {"componentVariable": [HEARTBEAT], "monitoringCriteria": ["DeltaMonitoring"]},
            id="tc_n_03",
        ),
        pytest.param((), (), {}, id="tc_n_47"),
        pytest.param(
            NAMES,
            ("periodic",),
            {"componentVariable": [HEARTBEAT, OFFLINE], "monitoringCriteria": ["PeriodicMonitoring"]},
            id="tc_n_60",
        ),
    ],
)
async def test_tc_n_01_and_02_and_03_and_47_and_60_a_report_of_monitors_is_asked_for(
    network: Network, version2: str, names: tuple[str, ...], criteria: Any, wanted: Payload
) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, o.MonitoringReport(names=names, criteria=criteria))
    number = command.parameters["request_id"]
    assert asked(station) == [("GetMonitoringReport", {"requestId": number, **wanted})]
    assert command.status == "accepted"
    told = {"requestId": number, "seqNo": 0, "generatedAt": instant(station.at)}
    assert await station.says("NotifyMonitoringReport", told) == {}


async def test_tc_n_05_the_monitoring_base_is_set(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, o.SetMonitoringBase(what="hard_wired"))
    assert asked(station) == [("SetMonitoringBase", {"monitoringBase": "HardWiredOnly"})]
    assert (command.status, command.answer) == ("accepted", {"status": "Accepted"})


@pytest.mark.parametrize(
    ("word", "status"),
    [pytest.param("Accepted", "accepted", id="tc_n_16"), pytest.param("Rejected", "rejected", id="tc_n_17")],
)
async def test_tc_n_16_and_17_the_monitoring_level_is_set_or_the_refusal_kept(
    network: Network, version2: str, word: str, status: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["SetMonitoringLevel"] = {"status": word}
    command = await network.orders(station, o.SetMonitoringLevel(severity=4))
    assert asked(station) == [("SetMonitoringLevel", {"severity": 4})]
    assert (command.status, command.answer) == (status, {"status": word})


def monitored(payload: Payload) -> Payload:
    """The answer of a station that takes every monitor."""
    return {
        "setMonitoringResult": [
            {"id": n, "status": "Accepted"} | {key: one[key] for key in ("type", "severity", "component", "variable")}
            for n, one in enumerate(payload["setMonitoringData"])
        ]
    }


ABOVE = {**HEARTBEAT, "value": 100, "type": "UpperThreshold", "severity": 3}
EVERY = {**OFFLINE, "value": 60, "type": "Periodic", "severity": 8}


@pytest.mark.parametrize(
    ("wanted"),
    [
        pytest.param([ABOVE], id="tc_n_08"),
        pytest.param([ABOVE, EVERY], id="tc_n_09"),
        pytest.param([EVERY], id="tc_n_24"),
    ],
)
async def test_tc_n_08_and_09_and_24_monitors_are_set_and_kept(
    network: Network, version2: str, wanted: list[Payload]
) -> None:
    station = await silent_station(network, version2)
    station.answers["SetVariableMonitoring"] = monitored
    known = {
        "UpperThreshold": o.Monitor(name=NAMES[0], type="above", value=Decimal(100), severity=3),
        "Periodic": o.Monitor(name=NAMES[1], type="periodic", value=Decimal(60), severity=8),
    }
    command = await network.orders(station, o.SetMonitors(monitors=tuple(known[one["type"]] for one in wanted)))
    assert asked(station) == [("SetVariableMonitoring", {"setMonitoringData": wanted})]
    assert command.status == "accepted"
    kept = {
        "UpperThreshold": (NAMES[0], "upper_threshold", Decimal(100), 3, "custom_monitor"),
        "Periodic": (NAMES[1], "periodic", Decimal(60), 8, "custom_monitor"),
    }
    assert await monitors_of(network, station) == {n: kept[one["type"]] for n, one in enumerate(wanted)}


async def monitors_of(network: Network, station: Station) -> dict[int, tuple[str, str, Decimal, int, str | None]]:
    """As kept, by their ids."""
    async with network.pool.acquire() as conn:
        found = await queries.list_monitors(conn, network.party_id, station.station_id)
    return {
        one.monitor_id: (f"{one.component}.{one.variable}", one.kind, one.value, one.severity, one.event_kind)
        for one in found
    }


async def test_n04_a_monitor_is_kept_as_the_station_took_it_whatever_the_order_of_its_answer(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)

    def answer(payload: Payload) -> Payload:
        results = [
            {
                "status": "Accepted",
                "id": 40 + n,
                **{k: one[k] for k in ("type", "severity", "component", "variable")},
            }
            for n, one in enumerate(payload["setMonitoringData"])
        ]
        results[1] = {**results[1], "status": "Rejected"}
        del results[1]["id"]
        return {"setMonitoringResult": results[::-1]}

    station.answers["SetVariableMonitoring"] = answer
    wanted = (
        o.Monitor(name=NAMES[0], type="above", value=Decimal(100), severity=3),
        o.Monitor(name=NAMES[0], type="below", value=Decimal(10), severity=3),
        o.Monitor(name=NAMES[1], type="delta", value=Decimal("0.5"), severity=7, is_in_session_only=True),
    )
    command = await network.orders(station, o.SetMonitors(monitors=wanted))
    assert (command.status, command.error_text) == ("rejected", f"{NAMES[0]}: Rejected")
    assert await monitors_of(network, station) == {
        40: (NAMES[0], "upper_threshold", Decimal(100), 3, "custom_monitor"),
        42: (NAMES[1], "delta", Decimal("0.5"), 7, "custom_monitor"),
    }
    await network.orders(station, o.SetMonitoringBase(what="all"))
    assert set(await monitors_of(network, station)) == {40, 42}
    await network.orders(station, o.SetMonitoringBase(what="factory"))
    assert await monitors_of(network, station) == {}


async def has_monitors(network: Network, station: Station, *ids: int) -> None:
    """The station reports monitors of these ids."""
    watching = [
        {"id": n, "transaction": False, "value": 100.0, "type": "UpperThreshold", "severity": 3}
        | ({"eventNotificationType": "PreconfiguredMonitor"} if station.version == "2.1" else {})
        for n in ids
    ]
    told = {
        "requestId": 1,
        "seqNo": 0,
        "generatedAt": instant(station.at),
        "monitor": [{**HEARTBEAT, "variableMonitoring": watching}],
    }
    assert await station.says("NotifyMonitoringReport", told) == {}


async def test_tc_n_18_monitors_are_cleared_in_parts_as_the_station_takes_them(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    limit = {
        "component": {"name": "MonitoringCtrlr"},
        "variable": {"name": "ItemsPerMessage", "instance": "ClearVariableMonitoring"},
        "variableAttribute": [{"value": "2"}],
    }
    report = {"requestId": 1, "generatedAt": instant(station.at), "seqNo": 0, "reportData": [limit]}
    assert await station.says("NotifyReport", report) == {}
    await has_monitors(network, station, 1, 2, 3, 4)
    station.answers["ClearVariableMonitoring"] = lambda payload: {
        "clearMonitoringResult": [{"id": n, "status": "NotFound" if n == 3 else "Accepted"} for n in payload["id"]]
    }
    command = await network.orders(station, o.ClearMonitors(monitor_ids=(1, 2, 3)))
    assert asked(station) == [("ClearVariableMonitoring", {"id": [1, 2]}), ("ClearVariableMonitoring", {"id": [3]})]
    assert command.answer == {
        "clearMonitoringResult": [
            {"id": 1, "status": "Accepted"},
            {"id": 2, "status": "Accepted"},
            {"id": 3, "status": "NotFound"},
        ]
    }
    assert set(await monitors_of(network, station)) == {4}, "what the station has no more is not listed"


async def test_tc_n_44_a_monitor_that_cannot_be_cleared_is_told_and_stays(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await has_monitors(network, station, 9)
    station.answers["ClearVariableMonitoring"] = {"clearMonitoringResult": [{"id": 9, "status": "Rejected"}]}
    command = await network.orders(station, o.ClearMonitors(monitor_ids=(9,)))
    assert asked(station) == [("ClearVariableMonitoring", {"id": [9]})]
    assert (command.status, command.error_text) == ("rejected", "9: Rejected")
    assert set(await monitors_of(network, station)) == {9}


# ---------------------------------------------------------------------------------------------------------- events


def event(event_id: int, station: Station, value: str, kind: str, trigger: str, **more: Any) -> Payload:
    """What a station tells of a variable."""
    data = {
        "eventId": event_id,
        "timestamp": instant(station.at),
        "trigger": trigger,
        "actualValue": value,
        "eventNotificationType": kind,
        **HEARTBEAT,
        **more,
    }
    return {"generatedAt": instant(station.at), "seqNo": 0, "eventData": [data]}


async def events_of(network: Network, station: Station) -> list[tuple[Any, ...]]:
    """As kept, oldest first: number, value, kind, trigger, monitor, is it over."""
    async with network.pool.acquire() as conn:
        found = await queries.list_events(conn, network.party_id, station.station_id)
    return [(e.event_id, e.value, e.kind, e.trigger, e.monitor_id, e.is_cleared) for e in found[::-1]]


async def value_of(network: Network, station: Station, name: str = "HeartbeatInterval") -> list[str | None]:
    rows = await network.rows(
        "select value from station_variable where station_id = $1 and variable = $2", station.station_id, name
    )
    return [row.value for row in rows]


async def test_tc_n_21_an_event_of_a_built_in_monitor_is_kept_and_tells_the_value(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    told = event(1, station, "400", "HardWiredMonitor", "Alerting", variableMonitoringId=77)
    for _ in range(2):
        assert await station.says("NotifyEvent", told) == {}
    assert await events_of(network, station) == [(1, "400", "hard_wired_monitor", "alerting", 77, False)]
    assert await value_of(network, station) == ["400"]


async def test_tc_n_48_an_event_of_a_variable_that_cannot_be_read_tells_no_value(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    for mutability in (None, "WriteOnly"):
        attribute = {"mutability": mutability} if mutability else {}
        report = {**HEARTBEAT, "variableAttribute": [{**attribute, "value": "300"} if not mutability else attribute]}
        if mutability:
            told = {"requestId": 1, "generatedAt": instant(station.at), "seqNo": 0, "reportData": [report]}
            assert await station.says("NotifyReport", told) == {}
        assert await station.says("NotifyEvent", event(1, station, "", "CustomMonitor", "Delta")) == {}
        assert await value_of(network, station) == ([None] if mutability else [])
        station.passes("1m")
    assert [(value, trigger) for _, value, _, trigger, _, _ in await events_of(network, station)] == [("", "delta")] * 2
    readable = {**HEARTBEAT, "variableAttribute": [{"mutability": "ReadWrite", "value": "300"}]}
    told = {"requestId": 2, "generatedAt": instant(station.at), "seqNo": 0, "reportData": [readable]}
    assert await station.says("NotifyReport", told) == {}
    assert await station.says("NotifyEvent", event(3, station, "", "CustomMonitor", "Delta")) == {}
    assert await value_of(network, station) == [""], "of one that can be read it is a value"


async def test_tc_n_49_a_threshold_event_is_over_once_the_station_says_so_after_a_restart(
    network: Network, version2: str
) -> None:
    station = await silent_station(network, version2)
    alert = event(1, station, "400", "CustomMonitor", "Alerting", variableMonitoringId=3)
    assert await station.says("NotifyEvent", alert) == {}
    station.passes("5m")
    await station.boots()
    over = event(1, station, "60", "CustomMonitor", "Alerting", variableMonitoringId=3, cleared=True)
    assert await station.says("NotifyEvent", over) == {}
    # Its numbers begin again with a restart: it is another event all the same.
    assert await events_of(network, station) == [
        (1, "400", "custom_monitor", "alerting", 3, False),
        (1, "60", "custom_monitor", "alerting", 3, True),
    ]
    assert await value_of(network, station) == ["60"]


async def test_tc_n_50_periodic_events_are_kept_one_by_one(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    for n, value in enumerate(("60", "61", "61")):
        station.passes("1m")
        told = event(n, station, value, "CustomMonitor", "Periodic", variableMonitoringId=5)
        assert await station.says("NotifyEvent", told) == {}
    assert await events_of(network, station) == [
        (n, value, "custom_monitor", "periodic", 5, False) for n, value in enumerate(("60", "61", "61"))
    ]
    assert await value_of(network, station) == ["61"]


# ---------------------------------------------------------------------------------------------- customer's data


@pytest.mark.parametrize(
    ("given", "wanted", "word", "data"),
    [
        pytest.param({}, {"report": True, "clear": False}, "Accepted", "a charge", id="tc_n_27"),
        pytest.param({}, {"report": True, "clear": False}, "Accepted", "", id="tc_n_28"),
        pytest.param({}, {"report": True, "clear": False}, "Rejected", None, id="tc_n_29"),
        pytest.param({"is_cleared": True}, {"report": True, "clear": True}, "Accepted", "a charge", id="tc_n_30"),
        pytest.param({"is_cleared": True}, {"report": True, "clear": True}, "Accepted", "", id="tc_n_31"),
        pytest.param(
            {"is_cleared": True, "is_reported": False},
            {"report": False, "clear": True},
            "Accepted",
            None,
            id="tc_n_32",
        ),
    ],
)
async def test_tc_n_27_to_32_what_a_station_keeps_of_a_customer_is_told_or_forgotten(
    network: Network, version2: str, given: dict[str, Any], wanted: Payload, word: str, data: str | None
) -> None:
    station = await silent_station(network, version2)
    station.answers["CustomerInformation"] = {"status": word}
    command = await network.orders(station, o.CustomerInformation(token=o.TokenRef(uid="TAG1"), **given))
    number = command.parameters["request_id"]
    token = {"idToken": "TAG1", "type": "ISO14443"}
    assert asked(station) == [("CustomerInformation", {"requestId": number, "idToken": token, **wanted})]
    assert (command.status, command.answer) == (word.lower(), {"status": word})
    if data is None:
        return
    told = {"requestId": number, "seqNo": 0, "generatedAt": instant(station.at), "data": data}
    assert await station.says("NotifyCustomerInformation", told) == {}


async def test_tc_n_46_a_customer_who_is_forgotten_is_taken_off_the_local_list(network: Network, version2: str) -> None:
    async with network.pool.acquire() as conn, conn.transaction():
        await local_lists.send_lists(conn, access.system(network.party_id), is_on=True)
    await network.token("TAG1")
    await network.token("TAG2")
    station = await silent_station(network, version2)
    held = {"versionNumber": 0}

    def taken(payload: Payload) -> Payload:
        held["versionNumber"] = payload["versionNumber"]
        return {"status": "Accepted"}

    station.answers |= {"GetLocalListVersion": lambda _: dict(held), "SendLocalList": taken}

    async def listed() -> set[str]:
        async with network.pool.acquire() as conn:
            return set((await queries.local_list(conn, network.party_id, station.station_id)).uids)

    async def is_listed(*uids: str) -> None:
        async def look() -> bool:
            return await listed() == set(uids)

        await network.until(look, f"the list has {uids}")

    await is_listed("TAG1", "TAG2")
    refused = o.CustomerInformation(token=o.TokenRef(uid="tag1"), is_cleared=True, is_reported=False)
    station.answers["CustomerInformation"] = {"status": "Rejected"}
    assert (await network.orders(station, refused)).status == "rejected"
    station.answers["CustomerInformation"] = {"status": "Accepted"}
    assert (await network.orders(station, refused)).status == "accepted"
    await is_listed("TAG2")
    [(_, update)] = [call for call in asked(station) if call[0] == "SendLocalList"][1:]
    assert update == {
        "versionNumber": 2,
        "updateType": "Differential",
        "localAuthorizationList": [{"idToken": {"idToken": "TAG1", "type": "ISO14443"}}],
    }
    async with network.pool.acquire() as conn, conn.transaction():
        await conn.execute("update token set updated_at = now() where party_id = $1 and uid = 'TAG1'", network.party_id)
        await store.ask(conn, "local_list", [station.station_id], datetime.now(UTC))
    await is_listed("TAG1", "TAG2")


async def test_tc_n_62_a_customer_is_named_by_an_identifier(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    command = await network.orders(station, o.CustomerInformation(customer_id="C-1", is_cleared=True))
    wanted = {
        "requestId": command.parameters["request_id"],
        "report": True,
        "clear": True,
        "customerIdentifier": "C-1",
    }
    assert asked(station) == [("CustomerInformation", wanted)]
    assert command.status == "accepted"


async def test_tc_n_63_a_customer_is_named_by_a_certificate(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    named = o.CertificateRef(issuer_name_hash="aa", issuer_key_hash="bb", serial_number="01")
    command = await network.orders(station, o.CustomerInformation(certificate=named, is_cleared=True))
    [(action, payload)] = asked(station)
    assert (action, payload["customerCertificate"]) == (
        "CustomerInformation",
        {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "01"},
    )
    assert command.status == "accepted"


# -------------------------------------------------------------------------------------------------- security events


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ("StartupOfTheDevice", "station_startup_of_the_device"),
        ("InvalidTLSVersion", "station_invalid_tls_version"),
        ("MaintenanceLoginFailed", "station_maintenance_login_failed"),
    ],
)
async def test_a04_a_security_event_is_a_signal_with_the_stations_time(
    network: Network, version: str, event: str, kept: str
) -> None:
    station = await silent_station(network, version)
    told = {"type": event, "timestamp": instant(station.at), "techInfo": "as it happened"}
    for _ in range(2):
        assert await station.says("SecurityEventNotification", told) == {}
    assert set(await signals_of(network, station)) == {kept}
    [signal, *_] = await network.rows(
        "select at, party_id, detail from security_signal where station_id = $1", station.station_id
    )
    assert (signal.at, signal.party_id, signal.detail) == (
        station.at,
        network.party_id,
        {"tech_info": "as it happened"},
    )
