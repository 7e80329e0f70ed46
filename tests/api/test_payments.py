"""QR codes and what stations reckon, through the API."""

from datetime import UTC, datetime

from ohmstead.sessions.payments import totp
from tests.api.door import Visitor, problem
from tests.conformance.dealing import reckoned
from tests.conformance.judged import Charge
from tests.stories.listener import silent_station
from tests.stories.station import Payload, Station

TEMPLATE = "https://pay.example.com/{chargingstationid}/{evse}/{totp}/{version}"


async def showing(api: Visitor) -> tuple[Station, dict[str, str]]:
    """A station that takes settings, and what it was told of QR codes."""
    station = await silent_station(api.network, "2.1")
    told: dict[str, str] = {}

    def takes(payload: Payload) -> Payload:
        results = []
        for one in payload["setVariableData"]:
            told[one["variable"]["name"]] = one["attributeValue"]
            names = {"component": one["component"], "variable": one["variable"]}
            results.append({"attributeStatus": "Accepted", **names})
        return {"setVariableResult": results}

    station.answers["SetVariables"] = takes
    station.answers["NotifyWebPaymentStarted"] = {}
    path = f"/stations/{station.station_id}/web-payments"
    wrong = await api.client.put(path, json={"url_template": "https://pay.example.com/{evse}"})
    assert problem(wrong, 422, "invalid")["field"] == "url_template"
    made = (await api.client.put(path, json={"url_template": TEMPLATE})).json()
    assert (made["station_id"], made["validity_s"], made["length"]) == (station.station_id, 60, 8)
    assert told["SharedSecret"] not in str(made)
    return station, told


async def test_a_code_is_scanned_once_and_one_session_started(api: Visitor, stranger: Visitor) -> None:
    station, told = await showing(api)
    command = await api.gets("/commands", limit=1)
    assert told["SharedSecret"] not in str(command)
    log = await api.client.get(f"/stations/{station.station_id}/messages")
    assert log.status_code == 200
    assert told["SharedSecret"] not in log.text
    password = totp.password(told["SharedSecret"], int(datetime.now(UTC).timestamp()) // 60, 8)
    scan = {"station_id": station.station_id, "evse_number": 1, "totp": password, "limit": {"max_cost": 25}}
    elsewhere = await stranger.client.post("/web-payments", json=scan)
    assert problem(elsewhere, 422, "invalid")["code"] == "not_set_up"
    wrong = problem(await api.client.post("/web-payments", json={**scan, "totp": "0" * 8}), 422, "invalid")
    assert (wrong["field"], wrong["code"]) == ("totp", "password_wrong")
    signals = await api.network.rows(
        "select detail from security_signal where station_id = $1 and kind = 'web_payment_refused'", station.station_id
    )
    assert [one.detail["why"] for one in signals] == ["password_wrong"]
    leave = await api.posts("/web-payments", scan, expect=201)
    assert (leave["evse_number"], leave["limits"], leave["psp_ref"]) == (1, {"max_cost": 25}, None)
    assert await station.hears("NotifyWebPaymentStarted") == {"evseId": 1, "timeout": 300}
    assert problem(await api.client.post("/web-payments", json=scan), 409, "conflict")["code"] == "password_used"
    path = f"/web-payments/{leave['web_payment_id']}/start"
    assert (await stranger.client.post(path, json={"psp_ref": "P-1"})).status_code == 404
    started = await api.posts(path, {"psp_ref": "P-1"}, expect=200)
    assert (started["status"], started["parameters"]["limit"]) == ("accepted", {"max_cost": "25"})
    assert (await station.hears("RequestStartTransaction"))["idToken"] == {"idToken": "P-1", "type": "DirectPayment"}
    assert problem(await api.client.post(path, json={"psp_ref": "P-2"}), 409, "conflict")["code"] == "used"


async def test_a_station_that_shows_no_codes_is_told_apart(api: Visitor) -> None:
    station = await silent_station(api.network, "2.1")
    station.answers["SetVariables"] = lambda payload: {
        "setVariableResult": [
            {"attributeStatus": "UnknownComponent", "component": one["component"], "variable": one["variable"]}
            for one in payload["setVariableData"]
        ]
    }
    answer = await api.client.put(f"/stations/{station.station_id}/web-payments", json={"url_template": TEMPLATE})
    assert "UnknownComponent" in problem(answer, 409, "conflict")["detail"]
    assert await api.network.rows("select from web_payment_setup where station_id = $1", station.station_id) == []


async def test_what_a_station_reckons_is_read(api: Visitor, stranger: Visitor) -> None:
    await api.network.token("TAG1")
    charge = Charge(await silent_station(api.network, "2.1"))
    await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000)
    path = f"/sessions/{(await api.network.session_of(charge.station)).session_id}/station-cost"
    assert (await api.client.get(path)).status_code == 404
    await charge.tells("Updated", "RunningCost", costDetails=reckoned("2.42", energy_wh=4_000))
    cost = await api.gets(path)
    assert (cost["currency"], cost["total"], cost["details"]["totalUsage"]["energy"]) == ("EUR", 2.42, 4_000)
    assert (await stranger.client.get(path)).status_code == 404
