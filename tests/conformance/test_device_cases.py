"""Certification cases of the device model (B), local lists (D) and reports and monitors (N), as far as they are the
CSMS's: each on the wire, by the official schema, and in what was kept. Monitors are named by their use case.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.ocpp.rpc import Version
from ohmstead.stations.commands import GetVariables, Raw, SetVariables
from ohmstead.stations.device import queries
from tests.conformance.test_message_types_match_official_schemas import judge
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_device import AT, event, has, history, inventory, report_of
from tests.stories.test_local_lists import Holder, holding, kinds, lists_are_on, new_card
from tests.stories.test_templates import asked, is_done


def heard(station: Station, action: str) -> Payload:
    """The only such message the station was sent; valid by the schema of its version."""
    [payload] = asked(station, action)
    exact = json.loads(json.dumps(payload), parse_float=Decimal)
    assert [error.message for error in judge(Version(station.version), action, False).iter_errors(exact)] == []
    return payload


async def kept(network: Network, station: Station) -> dict[str, str | None]:
    async with network.pool.acquire() as conn:
        found = await queries.list_known(conn, network.party_id, station.station_id)
    return {f"{one.component}.{one.variable}": one.value for one in found}


# ----------------------------------------------------------------------------------------------------- B: variables


@pytest.mark.parametrize("names", [("A",), ("A", "B")], ids=["tc_b_06", "tc_b_07"])
async def test_variables_are_read(network: Network, version2: str, names: tuple[str, ...]) -> None:
    station = await silent_station(network, version2)
    has(station, {"A": "1", "B": "2"})
    command = await network.orders(station, GetVariables(names=tuple(f"C.{name}" for name in names)))
    assert command.status == "accepted"
    assert [one["variable"]["name"] for one in heard(station, "GetVariables")["getVariableData"]] == list(names)
    assert await kept(network, station) == {f"C.{name}": {"A": "1", "B": "2"}[name] for name in names}


@pytest.mark.parametrize("names", [("A",), ("A", "B")], ids=["tc_b_09", "tc_b_10"])
async def test_variables_are_set(network: Network, version2: str, names: tuple[str, ...]) -> None:
    station = await silent_station(network, version2)
    values = {"A": "1", "B": "2"}
    has(station, values)
    order = SetVariables(values={f"C.{name}": "9" for name in names})
    assert (await network.orders(station, order)).status == "accepted"
    sent = heard(station, "SetVariables")["setVariableData"]
    assert [(one["variable"]["name"], one["attributeValue"]) for one in sent] == [(name, "9") for name in names]
    assert [(c.variable, c.new_value, c.caused_by) for c in await history(network, station)] == [
        (name, "9", "operator:story") for name in sorted(names)
    ]


async def test_tc_b_09_a_variable_that_is_refused_keeps_its_value(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    has(station, {"A": "1"})
    await network.orders(station, GetVariables(names=("C.A",)))
    has(station, {"A": "1"}, answer="Rejected")
    command = await network.orders(station, SetVariables(values={"C.A": "9"}))
    assert (command.status, command.error_text) == ("rejected", "C.A: Rejected")
    assert await kept(network, station) == {"C.A": "1"}
    assert await history(network, station) == []


@pytest.mark.parametrize(
    "base", ["ConfigurationInventory", "FullInventory", "SummaryInventory"], ids=["tc_b_12", "tc_b_13", "tc_b_14"]
)
async def test_a_base_report_is_asked_for_and_put_together(network: Network, version2: str, base: str) -> None:
    station = await silent_station(network, version2)
    order = Raw(action="GetBaseReport", payload={"requestId": 7, "reportBase": base})
    assert (await network.orders(station, order)).status == "accepted"
    assert heard(station, "GetBaseReport")["reportBase"] == base
    for seq_no in (1, 0):
        assert await station.says("NotifyReport", inventory(seq_no, 1)) == {}
    report = await report_of(network, station)
    assert (report.is_complete, report.n_items, report.request_id) == (True, 2, 7)
    assert (await kept(network, station))["EVSE@1.V1"] in ("1", "9")


async def test_tc_b_18_a_custom_report_that_is_empty_is_told(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    station.answers["GetReport"] = {"status": "EmptyResultSet"}
    order = Raw(action="GetReport", payload={"requestId": 8, "componentCriteria": ["Problem"]})
    command = await network.orders(station, order)
    assert (command.status, command.error_text) == ("rejected", "EmptyResultSet")
    assert heard(station, "GetReport")["requestId"] == 8


# --------------------------------------------------------------------------------------------------- D: local lists


async def test_tc_d_01_a_list_is_sent_whole(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    sent = heard(station, "SendLocalList")
    assert (sent["updateType"], holder.uids) == ("Full", {"CARD"})
    async with network.pool.acquire() as conn:
        held = await queries.local_list(conn, network.party_id, station.station_id)
    assert (held.version, held.uids) == (holder.version, ["CARD"])


async def test_tc_d_02_and_d_03_a_list_is_added_to_and_taken_from(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    await network.token("STAYS")
    await network.token("GOES")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    await network.pool.execute(
        "update token set status = 'blocked' where party_id = $1 and uid = 'GOES'", network.party_id
    )
    await new_card(network, "COMES")

    async def is_right() -> bool:
        return holder.uids == {"STAYS", "COMES"}

    await network.until(is_right, "the list is as it should be")
    sent = asked(station, "SendLocalList")[-1]
    assert sent["updateType"] == "Differential"
    # What is to be removed carries no information.
    infos = {
        (one.get("idTag") or one["idToken"]["idToken"]): "idTagInfo" in one or "idTokenInfo" in one
        for one in sent["localAuthorizationList"]
    }
    assert infos == {"COMES": True, "GOES": False}


async def test_tc_d_04_a_list_of_nothing_empties_the_stations(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    holder.version, holder.uids = 3, {"STRAY"}
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    assert (kinds(station), holder.uids) == (["Full"], set())
    sent = heard(station, "SendLocalList")
    assert sent.get("localAuthorizationList", []) == []
    assert version == "1.6" or "localAuthorizationList" not in sent


async def test_tc_d_08_the_version_is_asked_for_before_anything_is_sent(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, _ = await holding(network, version)
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    actions = [action for _, action, _ in station.wire.heard if "LocalList" in action]
    assert actions[:2] == ["GetLocalListVersion", "SendLocalList"]
    assert {str(payload) for payload in asked(station, "GetLocalListVersion")} == {"{}"}


@pytest.mark.parametrize("status", ["Failed", "VersionMismatch"])
async def test_tc_d_09_a_list_that_was_refused_is_not_thought_to_be_held(
    network: Network, version: str, status: str
) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    holder.refuses = status
    await network.token("CARD")
    await station.boots()

    async def was_refused() -> bool:
        found = "select detail->>'answer' from audit_entry where party_id = $1 and action = 'station.local_list_sent'"
        return bool(await network.pool.fetchval(found, network.party_id) == status)

    await network.until(was_refused, "the refusal is written down")
    async with network.pool.acquire() as conn:
        held = await queries.local_list(conn, network.party_id, station.station_id)
    assert held.version in (None, holder.version)
    assert isinstance(holder, Holder)


# --------------------------------------------------------------------------------------- N: monitors, events, reports


async def test_n02_a_monitoring_report_is_put_together(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    order = Raw(action="GetMonitoringReport", payload={"requestId": 3, "monitoringCriteria": ["ThresholdMonitoring"]})
    assert (await network.orders(station, order)).status == "accepted"
    assert heard(station, "GetMonitoringReport")["monitoringCriteria"] == ["ThresholdMonitoring"]
    more: dict[str, Any] = {"eventNotificationType": "CustomMonitor"} if version2 == "2.1" else {}
    for seq_no in (1, 0):
        monitor = {"id": seq_no + 1, "transaction": True, "value": 7, "type": "Delta", "severity": 4, **more}
        data = {"component": {"name": "C"}, "variable": {"name": "V"}, "variableMonitoring": [monitor]}
        payload = {"requestId": 3, "seqNo": seq_no, "generatedAt": AT, "tbc": seq_no == 0, "monitor": [data]}
        assert await station.says("NotifyMonitoringReport", payload) == {}
    assert (await report_of(network, station)).is_complete
    async with network.pool.acquire() as conn:
        found = await queries.list_monitors(conn, network.party_id, station.station_id)
    assert [(m.monitor_id, m.kind, m.is_transaction_only) for m in found] == [(1, "delta", True), (2, "delta", True)]


async def test_n07_an_alert_is_kept_with_its_monitor(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    told = event(5, "81", variableMonitoringId=4, eventNotificationType="CustomMonitor")
    assert await station.says("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [told]}) == {}
    async with network.pool.acquire() as conn:
        [found] = await queries.list_events(conn, network.party_id, station.station_id)
    assert (found.trigger, found.monitor_id, found.value, found.component) == ("alerting", 4, "81", "EVSE@1")


async def test_tc_n_27_customer_information_is_asked_for_and_read_in_order(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    payload = {"requestId": 9, "report": True, "clear": False, "customerIdentifier": "C-1"}
    assert (await network.orders(station, Raw(action="CustomerInformation", payload=payload))).status == "accepted"
    assert heard(station, "CustomerInformation") == payload
    for seq_no, text in ((1, "twice"), (0, "charged ")):
        part = {"data": text, "seqNo": seq_no, "generatedAt": AT, "requestId": 9, "tbc": seq_no == 0}
        assert await station.says("NotifyCustomerInformation", part) == {}
    found = await report_of(network, station)
    assert (found.is_complete, found.text) == (True, "charged twice")


async def test_tc_n_28_customer_information_that_is_refused_is_told(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    station.answers["CustomerInformation"] = {"status": "Invalid"}
    payload = {"requestId": 9, "report": False, "clear": False, "customerIdentifier": "C-1"}
    command = await network.orders(station, Raw(action="CustomerInformation", payload=payload))
    assert (command.status, command.error_text) == ("rejected", "Invalid")
    async with network.pool.acquire() as conn:
        assert await queries.list_reports(conn, network.party_id, station.station_id) == []
