"""Orders from the page: what they will do is said before, what came back is shown after."""

from typing import Any
from uuid import uuid4

import pytest

from ohmstead.console import orders
from ohmstead.core.errors import Invalid
from ohmstead.reports.model import ConnectorNow
from ohmstead.stations.commands import GetVariables, Raw, RemoteStart, RemoteStop, Reset, SetVariables, Trigger, Unlock
from tests.console.visitor import Visitor

FREE = ConnectorNow(station_id="ST", evse_number=1, connector_number=1, state="available", status="available")
BUSY = ConnectorNow(
    station_id="ST",
    evse_number=2,
    connector_number=1,
    state="charging",
    status="charging",
    session_id=uuid4(),
    transaction_id="77",
)
BROKEN = ConnectorNow(station_id="ST", evse_number=3, connector_number=1, state="faulted", status="faulted")


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ({"kind": "start", "token": " 04A2 ", "evse": "1"}, RemoteStart(token_uid="04A2", evse_number=1)),
        ({"kind": "stop", "evse": "2"}, RemoteStop(transaction_id="77")),
        ({"kind": "unlock"}, Unlock(evse_number=3)),
        ({"kind": "restart", "how": "hard"}, Reset(how="hard")),
        ({"kind": "ask", "message": "Heartbeat", "evse": "2"}, Trigger(message="Heartbeat")),
        ({"kind": "ask", "evse": "2"}, Trigger(message="StatusNotification", evse_number=2)),
        ({"kind": "read", "names": "A, B"}, GetVariables(names=("A", "B"))),
        ({"kind": "set", "name": "A", "value": ""}, SetVariables(values={"A": ""})),
        (
            {"kind": "raw", "action": "Reset", "payload": '{"type": "Soft"}'},
            Raw(action="Reset", payload={"type": "Soft"}),
        ),
    ],
)
def test_a_form_becomes_an_order(fields: dict[str, str], order: object) -> None:
    assert orders.order_from(orders.choose(fields, [FREE, BUSY, BROKEN])) == order


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "start", "token": "  "}, "token"),
        ({"kind": "raw", "action": "Reset", "payload": "{"}, "payload"),
        ({"kind": "raw", "action": "Reset", "payload": "[]"}, "payload"),
        ({"kind": "raw", "payload": "{}"}, "action"),
        ({"kind": "restart", "how": "gently"}, "how"),
        ({"kind": "set"}, "name"),
    ],
)
def test_a_form_that_does_not_fit_says_which_field(fields: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        orders.order_from(orders.choose(fields, [FREE]))
    assert refused.value.field == field


def test_the_form_shown_fits_what_the_station_does() -> None:
    assert orders.choose({}, [FREE]).kind == "start"
    assert orders.choose({}, [FREE, BUSY]).kind == "stop"


@pytest.mark.parametrize(
    ("fields", "tone", "words"),
    [
        ({"kind": "restart"}, "attention", "Ends 1 session properly first, then restarts."),
        ({"kind": "restart", "how": "hard"}, "failed", "Cuts off 1 session at once"),
        ({"kind": "restart", "how": "on_idle"}, "", "once 1 car has left"),
        ({"kind": "unlock", "evse": "1"}, "", "No session is touched."),
        ({"kind": "unlock", "evse": "2"}, "attention", "Ends the session of the car on 2"),
        ({"kind": "availability"}, "attention", "takes no new sessions, after 1 session there has ended"),
        ({"kind": "start", "evse": "2"}, "attention", "the station will refuse"),
    ],
)
def test_what_will_happen_is_said_before(fields: dict[str, str], tone: str, words: str) -> None:
    connectors = [FREE, BUSY]
    effect = orders.effect(orders.choose(fields, connectors), connectors, is_online=True)
    assert effect.tone == tone
    assert words in effect.text


def test_stopping_nothing_is_not_possible() -> None:
    effect = orders.effect(orders.choose({"kind": "stop"}, [FREE]), [FREE], is_online=True)
    assert not effect.is_possible


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_session_is_stopped_from_the_page(visitor: Visitor, version: str) -> None:
    network = visitor.network
    await network.token("CARD")
    station = await network.station(version)
    await station.plugs_in()
    await station.presents("CARD")
    await station.delivers(wh=5_000, over="30m")
    form = await visitor.opens(f"/stations/{station.station_id}/command?kind=stop&evse=1", hx_request="true")
    assert "Ends the session of the car on 1 (5.000 kWh so far)" in form.text
    transaction = next(o.attributes["value"] for o in form.all("option") if "selected" in o.attributes)
    visitor.client.headers["HX-Request"] = "true"
    done = await visitor.sends(f"/stations/{station.station_id}/command", kind="stop", transaction=transaction)
    assert "The station answered Accepted" in done.text
    await network.is_status(station, "completed")
    session = await network.session_of(station)
    assert session.stop_reason == "remote"


async def test_the_answer_of_the_station_is_shown(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    station.answers["UnlockConnector"] = {"status": "UnlockFailed"}
    visitor.client.headers["HX-Request"] = "true"
    page = await visitor.sends(f"/stations/{station.station_id}/command", kind="unlock", evse="1")
    assert "Rejected" in page.text
    assert "The station answered UnlockFailed" in page.text
    again = await visitor.opens(f"/stations/{station.station_id}/command?kind=unlock", hx_request="true")
    assert "Last commands" in again.text


async def test_a_raw_message_that_breaks_its_schema_never_leaves(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    visitor.client.headers["HX-Request"] = "true"
    path = f"/stations/{station.station_id}/command"
    page = await visitor.sends(path, kind="raw", action="Reset", payload='{"type": "Gently"}')
    assert "Failed" in page.text or "Rejected" in page.text
    assert [name for _, name, _ in station.wire.heard if name == "Reset"] == []
    good = await visitor.sends(path, kind="raw", action="Reset", payload='{"type": "Soft"}')
    assert "The station answered Accepted" in good.text


async def test_any_order_can_be_given_and_what_the_station_cannot_is_said_before(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    path = f"/stations/{station.station_id}/command"
    form = await visitor.opens(f"{path}?kind=order", hx_request="true")
    assert "Set display message OCPP 1.6 has no display messages." in form.text
    assert [a.attributes["href"] for a in form.all("a", id="offer-clear_cache")] == [
        f"{path}?kind=order&pick=clear_cache"
    ]
    assert not list(form.all("a", id="offer-set_display_message"))
    drawn = await visitor.opens(f"{path}?kind=order&pick=set_profile", hx_request="true")
    assert "An EVSE from 1; 0 is the station as a whole." in drawn.text
    assert [e.attributes["name"] for e in drawn.all("select", name="v:profile.schedules[0].rate_unit")]
    visitor.client.headers["HX-Request"] = "true"
    good = await visitor.sends(path, kind="order", order='{"kind": "clear_profiles", "profile_id": 7}')
    assert "The station answered Accepted" in good.text
    assert await station.hears("ClearChargingProfile") == {"id": 7}
    wrong = await visitor.sends(path, expect=422, kind="order", order='{"kind": "send_local_list", "version": 0}')
    assert "version: is a positive number" in wrong.text
    refused = await visitor.sends(path, kind="order", order='{"kind": "clear_display_message", "message_id": 1}')
    assert "OCPP 1.6 has no display messages" in refused.text


async def test_a_drawn_form_says_what_is_wrong_at_the_field_and_begins_the_next_time_as_it_was_sent(
    visitor: Visitor, stranger: Visitor
) -> None:
    station = await visitor.network.station("2.0.1")
    path = f"/stations/{station.station_id}/command"
    visitor.client.headers["HX-Request"] = "true"
    fields: dict[str, Any] = {
        "kind": "order",
        "mode": "form",
        "pick": "set_monitors",
        "n:monitors": "1",
        "v:monitors[0].name": "A.B",
    }
    ten: dict[str, Any] = {"v:monitors[0].severity": "10"}
    wrong = await visitor.sends(path, expect=422, **fields, **ten)
    errors = {e.attributes["id"]: " ".join(e.text.split()) for e in wrong.all("span", role="alert")}
    assert errors == {
        "e-monitors[0].type": "It is needed.",
        "e-monitors[0].value": "It is needed.",
        "e-monitors[0].severity": "At most 9.",
    }
    kept = {e.attributes["name"]: e.attributes.get("value") for e in wrong.all("input")}
    assert (kept["v:monitors[0].name"], kept["v:monitors[0].severity"]) == ("A.B", "10")
    more = await visitor.sends(f"{path}/form", **fields, do="add:monitors")
    assert len([e for e in more.all("input") if e.attributes.get("name", "").endswith("].name")]) == 2
    assert station.wire.heard == [] or "SetVariableMonitoring" not in {name for _, name, _ in station.wire.heard}
    station.answers["SetVariableMonitoring"] = {"setMonitoringResult": []}
    right: dict[str, Any] = {"v:monitors[0].type": "above", "v:monitors[0].value": "7,5"}
    await visitor.sends(path, **fields, **right)
    sent = await station.hears("SetVariableMonitoring")
    assert sent["setMonitoringData"][0]["value"] == 7.5

    begun = await visitor.opens(f"{path}?kind=order&pick=set_monitors")
    assert "Filled in as it was sent before." in begun.text
    assert {e.attributes["value"] for e in begun.all("input", name="v:monitors[0].name")} == {"A.B"}
    empty = await visitor.opens(f"{path}?kind=order&pick=set_monitors&blank=1")
    assert {e.attributes["value"] for e in empty.all("input", name="v:monitors[0].name")} == {""}
    command_id = await visitor.network.pool.fetchval(
        "select command_id from command where station_id = $1 and kind = 'set_monitors'", station.station_id
    )
    again = await visitor.opens(f"{path}?again={command_id}")
    assert {e.attributes["value"] for e in again.all("input", name="v:monitors[0].name")} == {"A.B"}
    many = await visitor.client.post(
        f"{path}/form", data={"csrf_token": visitor.csrf_token, **fields, **right, "do": "many"}
    )
    assert many.headers["hx-redirect"].startswith("/stations/bulk?kind=order&order=%7B%22kind%22%3A%22set_monitors%22")
    stranger.client.headers["HX-Request"] = "true"
    for foreign in (f"{path}/form", path):
        await stranger.sends(foreign, expect=404, **fields)
    await stranger.opens(f"/stations/{station.station_id}/commands/{command_id}", expect=404)


async def test_the_frame_that_went_out_and_its_answer_are_shown(visitor: Visitor) -> None:
    network = visitor.network
    station = await network.station("2.1")
    visitor.client.headers["HX-Request"] = "true"
    path = f"/stations/{station.station_id}/command"
    await visitor.sends(path, kind="raw", mode="form", pick="ClearCache")
    command_id = await network.pool.fetchval(
        "select command_id from command where station_id = $1 and action = 'ClearCache'", station.station_id
    )
    shown = f"/stations/{station.station_id}/commands/{command_id}"

    async def is_logged() -> bool:
        return "What was sent" in (await visitor.opens(shown)).text

    await network.until(is_logged, "the log has the frame")
    page = await visitor.opens(shown)
    assert "ClearCache in the log" in page.text
    assert '"status": "Accepted"' in page.text


@pytest.mark.parametrize(("version", "action"), [("1.6", "RemoteStartTransaction"), ("2.1", "RequestBatterySwap")])
async def test_the_raw_form_offers_the_messages_of_the_stations_version(
    visitor: Visitor, version: str, action: str
) -> None:
    station = await visitor.network.station(version)
    form = await visitor.opens(f"/stations/{station.station_id}/command?kind=raw&mode=json", hx_request="true")
    offered = {option.attributes["value"] for option in form.all("option")}
    assert action in offered
    assert len(offered & {"RemoteStartTransaction", "RequestBatterySwap"}) == 1
    assert f"schema of OCPP {version}" in form.text
    picker = await visitor.opens(f"/stations/{station.station_id}/command?kind=raw", hx_request="true")
    assert [a.attributes["href"] for a in picker.all("a", id=f"offer-{action}")]


async def test_an_order_to_a_lost_station_is_told_at_once_or_queued_if_asked(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6", boots=False)
    visitor.client.headers["HX-Request"] = "true"
    path = f"/stations/{station.station_id}/command"
    told = await visitor.sends(path, kind="ask", message="Heartbeat")
    assert "The station is not connected. Nothing was sent." in told.text
    queued = await visitor.sends(path, kind="ask", message="Heartbeat", queue="yes")
    assert "as soon as the station connects" in queued.text
    command_id = await visitor.network.pool.fetchval(
        "select command_id from command where station_id = $1 and status = 'queued'", station.station_id
    )
    cancel = f"/stations/{station.station_id}/commands/{command_id}/cancel"
    assert "Cancelled" in (await visitor.sends(cancel)).text
    await visitor.sends(cancel, expect=409)
    await visitor.sends(path, kind="ask", message="BootNotification", queue="yes")
    await station.boots()
    assert (await station.hears("TriggerMessage"))["requestedMessage"] == "BootNotification"
