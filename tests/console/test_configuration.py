"""How is a station set up, and is that how it should be? The configuration page and the templates."""

from datetime import datetime

import httpx

from tests.api.door import Front
from tests.console.town import Town
from tests.console.visitor import Visitor, sign_in
from tests.rules.test_signed import SigningMeter
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.test_device import AT, has, inventory
from tests.stories.test_templates import is_done

FORM = {
    "name": "Site rules",
    "generation": "1.6",
    "priority": "5",
    "vendor": "Vend*",
    "variables": "HeartbeatInterval = 60\n\nMeterValuesSampledData = A,B",
    "is_enabled": "yes",
}


async def test_a_template_is_made_in_a_form_and_carried_out(visitor: Visitor) -> None:
    station = await silent_station(visitor.network, "1.6")
    values = {"HeartbeatInterval": "300", "MeterValuesSampledData": "B,A"}
    has(station, values)
    assert (await visitor.opens("/templates")).heading == "No template yet."
    made = await visitor.client.post("/templates/new", data={"csrf_token": visitor.csrf_token, **FORM})
    assert made.status_code == 303
    await is_done(visitor.network, station, "same")
    assert values["HeartbeatInterval"] == "60"
    page = await visitor.opens(made.headers["location"])
    assert page.heading == "Site rules: 1 station, all as wanted."
    [area] = page.all("textarea")
    assert area.text.strip() == "HeartbeatInterval = 60\nMeterValuesSampledData = A,B"
    listed = await visitor.opens("/templates")
    assert listed.heading == "1 template, and all is as they want it."
    assert "Site rules OCPP 1.6, Vend* 5 2 1 –" in listed.rows()[0]
    shown = await visitor.opens(f"/stations/{station.station_id}/configuration")
    assert "As its templates want it" in shown.text
    assert "300 60 template Site rules" in shown.text
    await visitor.sends(made.headers["location"], **{**FORM, "name": "Other", "is_enabled": ""}, expect=303)
    assert "switched off" in (await visitor.opens("/templates")).text
    await visitor.sends(made.headers["location"], do="delete", expect=303)
    assert (await visitor.opens("/templates")).rows()[0].startswith("Nothing is set by itself.")


async def test_what_is_wrong_with_a_template_stands_beside_its_field(visitor: Visitor) -> None:
    page = await visitor.sends("/templates/new", **{**FORM, "variables": "HeartbeatInterval 60"}, expect=422)
    assert "one setting in each line, as name = value" in page.text
    [area] = page.all("textarea")
    assert area.text.strip() == "HeartbeatInterval 60"
    page = await visitor.sends("/templates/new", **{**FORM, "variables": "AuthorizationKey = x"}, expect=422)
    assert "passwords are never the same for several stations" in page.text
    page = await visitor.sends("/templates/new", **{**FORM, "priority": "many"}, expect=422)
    assert "is to be a whole number" in page.text
    await visitor.sends("/templates/new", **FORM, expect=303)
    page = await visitor.sends("/templates/new", **FORM, expect=422)
    assert "there is a template Site rules already" in page.text


async def test_what_is_not_as_wanted_is_marked_and_can_be_left_alone(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST", vendor="Vendor", model="Model")
    await visitor.network.pool.execute(
        "insert into station_variable (station_id, variable, value) values ($1, 'HeartbeatInterval', '300')", station
    )
    await visitor.sends("/templates/new", **FORM, expect=303)
    page = await visitor.opens(f"/stations/{station}/configuration")
    assert page.heading == "1 setting as it last reported them. 2 are not as wanted."
    assert "HeartbeatInterval 300 60 Differs" in page.rows()[0]
    assert "wanted: 60" in page.text
    assert (await visitor.opens("/templates")).heading == "1 template. 1 station is not as wanted."
    path = f"/stations/{station}/configuration"
    await visitor.sends(path, do="opt-out", expect=303)
    assert "Templates do not change this station" in (await visitor.opens(path)).text
    await visitor.sends(path, do="opt-in", expect=303)
    await visitor.sends(path, do="reconcile", expect=303)
    [asked] = await visitor.network.rows(
        "select action from audit_entry where object = $1 and action = 'station.reconcile'", f"station/{station}"
    )
    assert asked.action == "station.reconcile"


async def test_a_2_x_device_is_a_tree_with_limits_monitors_and_reports(visitor: Visitor) -> None:
    station = await silent_station(visitor.network, "2.0.1")
    await station.says("NotifyReport", inventory(0, 2))
    monitor = {"id": 4, "transaction": False, "value": 80, "type": "UpperThreshold", "severity": 2}
    await station.says(
        "NotifyMonitoringReport",
        {
            "requestId": 3,
            "seqNo": 0,
            "generatedAt": AT,
            "monitor": [
                {
                    "component": {"name": "EVSE", "evse": {"id": 1}},
                    "variable": {"name": "Temperature"},
                    "variableMonitoring": [monitor],
                }
            ],
        },
    )
    page = await visitor.opens(f"/stations/{station.station_id}/configuration")
    assert page.rows()[0] == "EVSE EVSE 1"
    assert page.rows()[1].startswith("V0 0 s integer 1, 2 set V0")
    assert page.rows()[2].startswith("V0 MaxSet 9")
    assert "EVSE@1.Temperature upper threshold 80 2 4" in page.text
    assert "Report 7 NotifyReport: incomplete, 1 message" in page.text
    assert "Report 3 NotifyMonitoringReport: complete, 1 message" in page.text


async def test_the_quirks_of_a_make_are_told_with_their_source(noon: datetime, visitor: Visitor) -> None:
    facts = {"vendor": "ABB", "model": "CDT_TACW22::NET_WIFI", "firmware_version": "TAC::V1.8.21"}
    station = await Town(visitor.network, noon).station("ST", **facts)
    page = await visitor.opens(f"/stations/{station}/configuration")
    assert "takes no charging profile above level 0" in page.text
    assert "https://github.com/evcc-io/evcc/issues/15493" in [a.attributes["href"] for a in page.all("a")]


async def test_a_station_is_adopted_with_a_password_of_its_own(noon: datetime, visitor: Visitor) -> None:
    station = await Town(visitor.network, noon).station("NEW", registration="pending")
    await visitor.sends(f"/stations/{station}/adopt", security_profile="1", own_password="yes", expect=303)
    [row] = await visitor.network.rows("select registration, onboarding from station where station_id = $1", station)
    assert (row.registration, row.onboarding) == ("pending", "set_password")


async def test_strangers_and_readers_change_no_configuration(
    front: Front, noon: datetime, visitor: Visitor, stranger: Visitor, network: Network
) -> None:
    station = await Town(visitor.network, noon).station("ST")
    made = await visitor.client.post("/templates/new", data={"csrf_token": visitor.csrf_token, **FORM})
    path = made.headers["location"]
    await stranger.opens(path, expect=404)
    await stranger.sends(path, **FORM, expect=404)
    await stranger.sends(f"/stations/{station}/configuration", do="reconcile", expect=404)
    assert (await stranger.opens("/templates")).heading == "No template yet."
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
        reader = await sign_in(front, network, client, role="read_only")
        await reader.opens(path)
        await reader.opens("/templates/new", expect=403)
        await reader.sends(path, **FORM, expect=403)
        await reader.sends(f"/stations/{station}/configuration", do="opt-out", expect=403)


async def test_keys_of_meters_are_pinned_replaced_and_removed(
    noon: datetime, visitor: Visitor, stranger: Visitor
) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("SIGNS")
    path = f"/stations/{station}/configuration"
    assert "None is known." in (await visitor.opens(path)).text
    keys, one, other = f"/stations/{station}/meter-keys", SigningMeter(), SigningMeter()
    for field, wrong in (("public_key", "nonsense"), ("public_key", ""), ("evse_number", "x"), ("evse_number", "")):
        page = await visitor.sends(keys, expect=422, **({"public_key": one.key, "evse_number": "1"} | {field: wrong}))
        assert [e.attributes["id"] for e in page.all("span", role="alert")] == [f"{field}-error"], (field, wrong)
    await visitor.sends(keys, public_key=one.key, evse_number="1", serial="M-1", expect=303)
    again = await visitor.sends(keys, public_key=one.key, evse_number="1", expect=422)
    assert "pinned there already" in again.text
    await visitor.sends(keys, public_key=other.key, evse_number="1", expect=303)
    page = await visitor.opens(path)
    assert one.key[-16:] in page.text
    assert other.key[-16:] in page.text
    assert len([e for e in page.all("form") if e.attributes.get("action", "").endswith("/meter-keys/remove")]) == 1
    for visit, expected in ((stranger, 404), (visitor, 303), (visitor, 404)):
        await visit.sends(f"{keys}/remove", evse_number="1", expect=expected)
    await stranger.sends(keys, public_key=one.key, evse_number="1", expect=404)
    pinned = await visitor.network.pool.fetchval(
        "select count(*) from meter_key where station_id = $1 and until_at is null", station
    )
    assert pinned == 0


async def test_which_sessions_wait_for_what_their_meter_signed_is_set(visitor: Visitor) -> None:
    page = await visitor.opens("/settings/invoices")
    assert [e.attributes["value"] for e in page.all("input", name="doubt")] == ["never", "failed", "missing"]
    for doubt, expected in (("always", 422), ("missing", 303)):
        await visitor.sends("/settings/invoices/signed", doubt=doubt, expect=expected)
    page = await visitor.opens("/settings/invoices")
    (checked,) = [e.attributes["value"] for e in page.all("input", name="doubt") if "checked" in e.attributes]
    assert checked == "missing"
