"""What a station tells of itself is kept, with its history: who changed what, and when that became known."""

from typing import Any
from uuid import UUID

import pytest

from ohmstead.stations import service as stations
from ohmstead.stations.commands import GetVariables, SetVariables
from ohmstead.stations.device import queries
from ohmstead.stations.device.queries import ChangeFilter, ReportView, VariableChange
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station

AT = "2026-01-01T00:00:00Z"


async def history(network: Network, station: Station, **wanted: Any) -> list[VariableChange]:
    """Oldest first."""
    async with network.pool.acquire() as conn:
        found = await queries.list_changes(conn, network.party_id, station.station_id, ChangeFilter(**wanted))
    return found[::-1]


def spoken(version: str, name: str) -> str:
    return name if version == "1.6" else f"OCPPCommCtrlr.{name}"


def has(station: Station, values: dict[str, str], *, answer: str = "Accepted") -> None:
    """The station answers questions about these values, and takes new ones (or answers `answer`)."""

    def told(payload: Payload) -> Payload:
        results = []
        for asked in payload["getVariableData"]:
            value = values.get(asked["variable"]["name"])
            status = "Accepted" if value is not None else "UnknownVariable"
            results.append({**asked, "attributeStatus": status} | ({"attributeValue": value} if value else {}))
        return {"getVariableResult": results}

    def taken(payload: Payload) -> Payload:
        results = []
        for wanted in payload["setVariableData"]:
            if answer == "Accepted":
                values[wanted["variable"]["name"]] = wanted["attributeValue"]
            results.append(
                {"attributeStatus": answer, "component": wanted["component"], "variable": wanted["variable"]}
            )
        return {"setVariableResult": results}

    def changed(payload: Payload) -> Payload:
        if answer == "Accepted":
            values[payload["key"]] = payload["value"]
        return {"status": answer}

    station.answers["GetVariables"] = told
    station.answers["SetVariables"] = taken
    station.answers["ChangeConfiguration"] = changed
    station.answers["GetConfiguration"] = lambda payload: {
        "configurationKey": [
            {"key": key, "readonly": False, "value": value}
            for key, value in values.items()
            if key in payload.get("key", values)
        ]
    }


async def test_every_change_is_remembered_with_who_caused_it(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    values = {"HeartbeatInterval": "300"}
    has(station, values)
    name = spoken(version, "HeartbeatInterval")
    await network.orders(station, GetVariables(names=(name,)))
    assert await history(network, station) == []  # that it is known now is no change
    command = await network.orders(station, SetVariables(values={name: "60"}))
    await network.orders(station, GetVariables(names=(name,)))
    values["HeartbeatInterval"] = "90"  # somebody on site
    await network.orders(station, GetVariables(names=(name,)))
    found = await history(network, station)
    assert [(c.old_value, c.new_value, c.source, c.caused_by, c.command_id) for c in found] == [
        ("300", "60", "set", "operator:story", command.command_id),
        ("60", "90", "read", "station", None),
    ]
    assert [c.new_value for c in await history(network, station, caused_by="station")] == ["90"]
    assert len(await history(network, station, q="heartbeat")) == 2
    assert await history(network, station, q="nothing") == []


async def test_a_value_that_needs_a_restart_counts_once_it_is_in_force(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    values = {"HeartbeatInterval": "300"}
    has(station, values, answer="RebootRequired")
    name = spoken(version, "HeartbeatInterval")
    await network.orders(station, GetVariables(names=(name,)))
    command = await network.orders(station, SetVariables(values={name: "60"}))
    assert command.status == "accepted"
    await network.orders(station, GetVariables(names=(name,)))
    [row] = await network.rows("select * from station_variable where station_id = $1", station.station_id)
    assert (row.value, row.pending_value, row.pending_by) == ("300", "60", "operator:story")
    assert await history(network, station) == []
    values["HeartbeatInterval"] = "60"
    await station.boots()
    await network.orders(station, GetVariables(names=(name,)))
    [change] = await history(network, station)
    assert (change.new_value, change.caused_by, change.command_id) == ("60", "operator:story", command.command_id)
    [row] = await network.rows("select * from station_variable where station_id = $1", station.station_id)
    assert (row.value, row.pending_value) == ("60", None)


async def test_a_value_that_did_not_come_into_force_by_a_restart_is_awaited_no_longer(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    has(station, {"HeartbeatInterval": "300"}, answer="RebootRequired")
    name = spoken(version, "HeartbeatInterval")
    await network.orders(station, SetVariables(values={name: "60"}))
    await station.boots()
    await network.orders(station, GetVariables(names=(name,)))
    [row] = await network.rows("select * from station_variable where station_id = $1", station.station_id)
    assert (row.value, row.pending_value) == ("300", None)


async def test_passwords_leave_no_trace(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    secret = "0011223344556677"
    names = {"1.6": ["AuthorizationKey", "authorizationkey"]}.get(version, ["SecurityCtrlr.BasicAuthPassword"])
    has(station, {name.rpartition(".")[2]: secret for name in names})
    for name in names:
        await network.orders(station, SetVariables(values={name: secret}))
        await network.orders(station, GetVariables(names=(name,)))
    for table in ("station_variable", "variable_change"):
        assert await network.rows(f"select * from {table} where station_id = $1", station.station_id) == []


# ------------------------------------------------------------------------------------------ 2.x: reports, events


def inventory(seq_no: int, last: int, request_id: int = 7) -> Payload:
    data = {
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": f"V{seq_no}"},
        "variableAttribute": [
            {"type": "Actual", "value": str(seq_no), "mutability": "ReadWrite"},
            {"type": "MaxSet", "value": "9"},
        ],
        "variableCharacteristics": {
            "dataType": "integer",
            "unit": "s",
            "minLimit": 0,
            "maxLimit": 9.5,
            "valuesList": "1, 2",
            "supportsMonitoring": True,
        },
    }
    return {
        "requestId": request_id,
        "generatedAt": AT,
        "seqNo": seq_no,
        "tbc": seq_no < last,
        "reportData": [data],
    }


async def report_of(network: Network, station: Station) -> ReportView:
    async with network.pool.acquire() as conn:
        [listed] = await queries.list_reports(conn, network.party_id, station.station_id)
        return await queries.get_report(conn, network.party_id, station.station_id, listed.kind, listed.request_id)


async def test_a_report_is_complete_once_its_last_missing_part_has_come(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await station.says("NotifyReport", inventory(3, 3))
    await station.says("NotifyReport", inventory(0, 3))
    await station.says("NotifyReport", inventory(0, 3))
    found = await report_of(network, station)
    assert (found.is_complete, found.missing, found.n_parts) == (False, [1, 2], 2)
    await station.says("NotifyReport", inventory(2, 3))
    assert (await report_of(network, station)).missing == [1]
    await station.says("NotifyReport", inventory(1, 3))
    found = await report_of(network, station)
    assert (found.is_complete, found.missing) == (True, [])
    assert [item["variable"]["name"] for item in found.items] == ["V0", "V1", "V2", "V3"]


async def test_a_request_id_that_comes_again_later_is_another_report(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    for seq_no in (0, 1):
        await station.says("NotifyReport", inventory(seq_no, 1))
    await network.pool.execute(
        "update report_chunk set received_at = received_at - interval '1 hour' where station_id = $1",
        station.station_id,
    )
    await station.says("NotifyReport", inventory(0, 2))
    found = await report_of(network, station)
    assert (found.is_complete, found.n_parts) == (False, 1)


async def test_the_tree_knows_what_may_be_written_where(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await station.says("NotifyReport", inventory(0, 0))
    async with network.pool.acquire() as conn:
        [node] = await queries.device_tree(conn, network.party_id, station.station_id)
        assert await queries.device_tree(conn, network.party_id, station.station_id, "absent") == []
    assert (node.name, node.evse_number) == ("EVSE", 1)
    [variable] = node.variables
    assert (variable.data_type, variable.unit, variable.min_limit, variable.max_limit) == ("integer", "s", 0, 9.5)
    assert (variable.values_list, variable.supports_monitoring) == (["1", "2"], True)
    assert [(a.attribute, a.value, a.mutability) for a in variable.attributes] == [
        ("Actual", "0", "ReadWrite"),
        ("MaxSet", "9", None),
    ]


async def test_monitors_of_a_station_are_listed_worst_first(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    for seq_no, severity in ((1, 2), (0, 5)):
        monitor = {"id": seq_no, "transaction": False, "value": 80.5, "type": "UpperThreshold", "severity": severity}
        if version2 == "2.1":
            monitor["eventNotificationType"] = "CustomMonitor"
        await station.says(
            "NotifyMonitoringReport",
            {
                "requestId": 3,
                "seqNo": seq_no,
                "generatedAt": AT,
                "tbc": seq_no == 0,
                "monitor": [
                    {
                        "component": {"name": "EVSE", "evse": {"id": 1}},
                        "variable": {"name": "Temperature"},
                        "variableMonitoring": [monitor],
                    }
                ],
            },
        )
    async with network.pool.acquire() as conn:
        found = await queries.list_monitors(conn, network.party_id, station.station_id)
    assert [(m.monitor_id, m.kind, m.value, m.severity) for m in found] == [
        (1, "upper_threshold", 80.5, 2),
        (0, "upper_threshold", 80.5, 5),
    ]
    assert (await report_of(network, station)).is_complete


def event(event_id: int, value: str, at: str = AT, **more: Any) -> Payload:
    return {
        "eventId": event_id,
        "timestamp": at,
        "trigger": "Alerting",
        "actualValue": value,
        "eventNotificationType": "CustomMonitor",
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Temperature"},
        **more,
    }


async def test_events_are_kept_once_and_tell_values(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await station.says("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [event(1, "70")]})
    both = [
        event(3, "75", "2026-01-01T00:02:00Z", cleared=True),
        event(2, "81", "2026-01-01T00:01:00Z", variableMonitoringId=4, techInfo="hot")
        | ({"severity": 2} if version2 == "2.1" else {}),
    ]
    for seq_no in (1, 2):
        await station.says("NotifyEvent", {"generatedAt": AT, "seqNo": seq_no, "eventData": both})
    async with network.pool.acquire() as conn:
        found = await queries.list_events(conn, network.party_id, station.station_id)
    assert [(e.event_id, e.value, e.is_cleared, e.monitor_id) for e in found] == [
        (3, "75", True, None),
        (2, "81", False, 4),
        (1, "70", False, None),
    ]
    assert found[1].tech_info == "hot"
    assert found[1].severity == (2 if version2 == "2.1" else None)
    changes = [(c.old_value, c.new_value, c.source) for c in await history(network, station)]
    assert changes[:2] == [("70", "81", "event"), ("81", "75", "event")]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
async def test_customer_information_in_parts_reads_as_one_text(
    network: Network, version2: str, order: tuple[int, ...]
) -> None:
    station = await silent_station(network, version2)
    words = ["Ada ", "charged ", "twice."]
    for seq_no in order:
        payload = {"data": words[seq_no], "seqNo": seq_no, "generatedAt": AT, "requestId": 9, "tbc": seq_no < 2}
        await station.says("NotifyCustomerInformation", payload)
    found = await report_of(network, station)
    assert (found.is_complete, found.text) == (True, "Ada charged twice.")


async def test_security_signals_are_forgotten_after_their_time(network: Network) -> None:
    await network.pool.execute(
        "insert into security_signal (at, party_id, kind) select now() - make_interval(days => n), $1, 'clock_off'"
        " from unnest(array[0, 364, 366, 400]) n",
        network.party_id,
    )
    assert await stations.forget_signals(network.pool, 365, at_once=1) == 2
    left = await network.rows("select 1 from security_signal where party_id = $1", network.party_id)
    assert len(left) == 2


async def test_what_was_reported_long_ago_is_forgotten_and_what_was_learnt_from_it_stays(network: Network) -> None:
    station = await silent_station(network, "2.0.1")
    await station.says("NotifyReport", inventory(0, 0))
    await network.pool.execute(
        "with old as (update station_record set received_at = received_at - interval '91 days' where station_id = $1)"
        " update report_chunk set received_at = received_at - interval '91 days' where station_id = $1",
        station.station_id,
    )
    fresh = {"data": "Ada.", "seqNo": 0, "generatedAt": AT, "requestId": 9}
    await station.says("NotifyCustomerInformation", fresh)
    assert await stations.forget_records(network.pool, 90, at_once=1) >= 2
    assert await stations.forget_records(network.pool, 90) == 0
    async with network.pool.acquire() as conn:
        (left,) = await queries.list_reports(conn, network.party_id, station.station_id)
        assert left.kind == "NotifyCustomerInformation"
        assert await queries.device_tree(conn, network.party_id, station.station_id) != []


async def test_messages_on_the_display_are_listed(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)

    def message(number: int) -> Payload:
        return {"id": number, "priority": "NormalCycle", "message": {"format": "UTF8", "content": f"M{number}"}}

    await station.says("NotifyDisplayMessages", {"requestId": 5, "tbc": True, "messageInfo": [message(1), message(2)]})
    assert not (await report_of(network, station)).is_complete
    await station.says("NotifyDisplayMessages", {"requestId": 5, "messageInfo": [message(3)]})
    found = await report_of(network, station)
    assert found.is_complete
    assert [item["id"] for item in found.items] == [1, 2, 3]


async def test_another_party_sees_nothing_of_a_device(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await station.says("NotifyReport", inventory(0, 0))
    stranger = UUID(int=5)
    async with network.pool.acquire() as conn:
        assert await queries.device_tree(conn, stranger, station.station_id) == []
        assert await queries.list_reports(conn, stranger, station.station_id) == []
        assert await queries.list_changes(conn, stranger, station.station_id, ChangeFilter()) == []
