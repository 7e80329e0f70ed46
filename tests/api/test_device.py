"""The device model, templates, quirks and local lists through the API."""

from typing import Any

import pytest

from tests.api.door import Visitor, problem
from tests.stories.listener import silent_station
from tests.stories.test_device import AT, event, has, inventory
from tests.stories.test_templates import is_done

RULES = {
    "name": "Rules",
    "generation": "2.x",
    "variables": {"OCPPCommCtrlr.HeartbeatInterval": "60"},
    "vendor": "Vend*",
}


async def test_a_device_is_read_as_a_tree_and_searched(api: Visitor) -> None:
    station = await silent_station(api.network, "2.0.1")
    for seq_no in (1, 0):
        await station.says("NotifyReport", inventory(seq_no, 1))
    path = f"/stations/{station.station_id}"
    [node] = (await api.gets(f"{path}/device"))["items"]
    assert (node["component"], node["evse_number"]) == ("EVSE@1", 1)
    assert [variable["name"] for variable in node["variables"]] == ["V0", "V1"]
    assert (node["variables"][0]["max_limit"], node["variables"][0]["values_list"]) == (9.5, ["1", "2"])
    [node] = (await api.gets(f"{path}/device", q="evse@1.v1"))["items"]
    assert [variable["path"] for variable in node["variables"]] == ["EVSE@1.V1"]
    [report] = (await api.gets(f"{path}/reports"))["items"]
    assert (report["is_complete"], report["n_items"], report["items"]) == (True, 2, [])
    whole = await api.gets(f"{path}/reports/NotifyReport/7")
    assert [item["variable"]["name"] for item in whole["items"]] == ["V0", "V1"]
    for wrong in ("NotifyReport/8", "NotifyReport/x", "NotifyReport/99999999999999999999", "Other/7"):
        problem(await api.client.get(f"{path}/reports/{wrong}"), 404, "not-found")


async def test_a_devices_history_comes_in_pages_and_as_a_table(api: Visitor) -> None:
    station = await silent_station(api.network, "1.6")
    values = {"HeartbeatInterval": "0"}
    has(station, values)
    path = f"/stations/{station.station_id}"
    for value in ("1", "2", "3"):
        order = {"kind": "set_variables", "values": {"HeartbeatInterval": value}}
        assert (await api.posts(f"{path}/commands", order))["status"] == "accepted"
    found = await api.all_of(f"{path}/device/history", limit=2)
    assert [change["new_value"] for change in found] == ["3", "2", "1"]
    assert {change["caused_by"].partition(":")[0] for change in found} == {"key"}
    answer = await api.client.get(f"{path}/device/history", params={"format": "csv"})
    assert answer.text.splitlines()[0].startswith("at,component,variable")
    assert len(answer.text.splitlines()) == 4


async def test_events_and_monitors_of_a_device_are_listed(api: Visitor) -> None:
    station = await silent_station(api.network, "2.1")
    for n in range(3):
        payload = {"generatedAt": AT, "seqNo": n, "eventData": [event(n, str(n), f"2026-01-01T00:0{n}:00Z")]}
        await station.says("NotifyEvent", payload)
    found = await api.all_of(f"/stations/{station.station_id}/device/events", limit=2)
    assert [one["value"] for one in found] == ["2", "1", "0"]
    assert (await api.gets(f"/stations/{station.station_id}/monitors"))["items"] == []


async def test_a_template_is_created_read_changed_and_deleted(api: Visitor) -> None:
    made = await api.client.post("/templates", json=RULES)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    template = made.json()
    path = f"/templates/{template['template_id']}"
    assert made.headers["location"] == f"/api/v1{path}"
    assert await api.gets(path) == template
    changed = await api.patches(path, {"priority": 3, "vendor": None}, if_match='"1"')
    assert (changed["priority"], changed["vendor"], changed["version"]) == (3, None, 2)
    problem(await api.client.patch(path, json={"priority": 1}, headers={"If-Match": '"1"'}), 412, "stale")
    problem(await api.client.post("/templates", json=RULES), 409)
    assert [item["name"] for item in await api.all_of("/templates")] == ["Rules"]
    assert (await api.client.delete(path)).status_code == 204
    problem(await api.client.get(path), 404, "not-found")
    entries = await api.network.rows(
        "select action from audit_entry where party_id = $1 and object like 'template/%' order by entry_id",
        api.network.party_id,
    )
    assert [entry.action for entry in entries] == ["template.created", "template.changed", "template.deleted"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variables": {"HeartbeatInterval": "60"}}, "write Component.Variable"),
        ({"variables": {"SecurityCtrlr.BasicAuthPassword": "x"}}, "passwords are never the same"),
        ({"generation": "1.6", "variables": {"authorizationkey": "x"}}, "passwords are never the same"),
        ({"variables": {"A.B": "{colour}"}}, "{colour} stands for nothing"),
        ({"generation": "1.6", "variables": {"K" * 51: "x"}}, "at most 50 characters"),
        ({"location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"}, "no such location"),
        ({"variables": {}}, "variables"),
        ({"generation": "3"}, "generation"),
        ({"name": ""}, "name"),
    ],
)
async def test_a_template_that_cannot_be_carried_out_is_refused(
    api: Visitor, change: dict[str, Any], words: str
) -> None:
    document = problem(await api.client.post("/templates", json={**RULES, **change}), 422, "invalid")
    assert words in document["detail"]
    assert (await api.gets("/templates"))["items"] == []


async def test_drift_is_told_and_a_station_is_brought_to_what_is_wanted_when_asked(api: Visitor) -> None:
    station = await silent_station(api.network, "2.0.1")
    values = {"HeartbeatInterval": "300"}
    has(station, values)
    path = f"/stations/{station.station_id}"
    await api.patches(path, {"takes_templates": False})
    template = await api.posts("/templates", RULES)
    await is_done(api.network, station, "nothing")
    order = {"kind": "get_variables", "names": ["OCPPCommCtrlr.HeartbeatInterval"]}
    await api.posts(f"{path}/commands", order)
    drift = await api.gets(f"{path}/drift")
    assert (drift["takes_templates"], drift["templates"]) == (False, ["Rules"])
    [item] = drift["items"]
    assert (item["state"], item["desired"], item["actual"]) == ("differs", "60", "300")
    await api.patches(path, {"takes_templates": True})
    await is_done(api.network, station, "same")
    assert values["HeartbeatInterval"] == "60"
    values["HeartbeatInterval"] = "5"
    await api.posts(f"{path}/reconcile", expect=202)

    async def is_right() -> bool:
        return values["HeartbeatInterval"] == "60"

    await api.network.until(is_right, "it is set again")
    await is_done(api.network, station, "same")
    fitting = await api.gets(f"/templates/{template['template_id']}/stations")
    assert fitting == {"items": [{"station_id": station.station_id, "n_off": 0}], "total": 1}
    duties = {duty["duty"]: duty["result"] for duty in (await api.gets(f"{path}/duties"))["items"]}
    assert duties["templates"] == "same"


async def test_quirks_are_listed_and_told_of_a_station(api: Visitor) -> None:
    known = await api.gets("/quirks")
    assert known["faults"] == []
    assert all(profile["source"].startswith("https://") for profile in known["items"])
    station = await silent_station(api.network, "1.6")
    path = f"/stations/{station.station_id}/quirks"
    assert (await api.gets(path))["profiles"] == []
    payload = {
        "chargePointVendor": "ABB",
        "chargePointModel": "CDT_TACW22::NET_WIFI",
        "firmwareVersion": "TAC3Z9119006710273::V1.8.21",
    }
    await station.says("BootNotification", payload)
    found = await api.gets(path)
    assert [profile["name"] for profile in found["profiles"]] == ["ABB Terra AC, firmware 1.8"]
    assert found["effects"]["highest_stack_level"] == 0


async def test_local_lists_are_switched_on_for_all_and_off_for_one(api: Visitor) -> None:
    station = await silent_station(api.network, "2.0.1")
    path = f"/stations/{station.station_id}"
    await api.network.token("CARD")
    assert await api.gets("/local-lists") == {"is_sent": False}
    assert not (await api.gets(f"{path}/local-list"))["is_sent"]
    assert await api.patches("/local-lists", {"is_sent": True}) == {"is_sent": True}
    await is_done(api.network, station, "sent", "local_list")
    held = await api.gets(f"{path}/local-list")
    assert (held["is_sent"], held["uids"], held["n_entries"]) == (True, ["CARD"], 1)
    await api.posts(f"{path}/local-list", expect=202)
    assert not (await api.patches(path, {"takes_local_list": False}))["takes_local_list"]
    assert not (await api.gets(f"{path}/local-list"))["is_sent"]


async def test_a_new_password_over_the_wire_is_for_stations_in_service_that_use_one(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("A"), "security_profile": 1})
    await api.posts(f"/stations/{api.name('A')}/secret/renew", expect=202)
    assert (await api.gets(f"/stations/{api.name('A')}"))["onboarding"] == "set_password"
    await api.posts("/stations", {"station_id": api.name("B"), "security_profile": 3})
    problem(await api.client.post(f"/stations/{api.name('B')}/secret/renew"), 422, "invalid")
    await api.posts(f"/stations/{api.name('A')}/reject")
    problem(await api.client.post(f"/stations/{api.name('A')}/secret/renew"), 409, "refused")
