"""Stations in the register: created, changed, adopted, rejected, retired; their secrets."""

from typing import Any

import pytest

from ohmstead.stations.credentials import verify
from tests.api.door import Visitor, problem


async def secret_hash(api: Visitor, station_id: str) -> str | None:
    value: str | None = await api.network.pool.fetchval(
        "select secret_hash from station where station_id = $1", station_id
    )
    return value


async def opens(api: Visitor, station_id: str, secret: str) -> bool:
    pepper = api.front.house.settings.secret()
    return await verify(await secret_hash(api, station_id), secret.encode(), pepper)


async def test_a_new_station_gets_a_secret_that_is_shown_once(api: Visitor) -> None:
    station_id = api.name("NEW")
    evse = {
        "evse_number": 1,
        "current_type": "DC",
        "max_power_w": 150_000,
        "connectors": [{"standard": "IEC_62196_T2_COMBO"}],
    }
    made = await api.posts("/stations", {"station_id": station_id, "name": "Gate", "evses": [evse]}, expect=201)
    assert len(made["secret"]) == 40
    assert await opens(api, station_id, made["secret"])
    station = await api.gets(f"/stations/{station_id}")
    assert station == made["station"]
    assert station["has_secret"] is True
    assert made["secret"] not in str(station)
    assert station["evses"][0]["connectors"][0]["standard"] == "IEC_62196_T2_COMBO"
    for table in ("audit_entry", "outbox", "station"):
        assert made["secret"] not in str(await api.network.pool.fetch(f"select t::text from {table} t"))


async def test_a_chosen_password_is_not_told_back(api: Visitor) -> None:
    station_id = api.name("CHOSEN")
    made = await api.posts("/stations", {"station_id": station_id, "password": "correct horse battery"})
    assert made["secret"] is None
    assert await opens(api, station_id, "correct horse battery")


async def test_profiles_without_a_password_get_none(api: Visitor) -> None:
    for profile in (0, 3):
        made = await api.posts("/stations", {"station_id": api.name(f"P{profile}"), "security_profile": profile})
        assert made["secret"] is None
        assert made["station"]["has_secret"] is False


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"station_id": ""}, "station_id"),
        ({"station_id": "a/b"}, "station_id"),
        ({"station_id": "a" * 49}, "station_id"),
        ({"station_id": "ab\n"}, "station_id"),
        ({"security_profile": 4}, "security_profile"),
        ({"security_profile": "1"}, "security_profile"),
        ({"password": "short"}, "password"),
        ({"password": "aaaaaaaaaaaaaaaaaaaa"}, "password"),
        ({"security_profile": 3, "password": "correct horse battery"}, "password"),
        ({"location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"}, "location_id"),
        ({"location_id": "here"}, "location_id"),
        ({"evses": [{"evse_number": 1}, {"evse_number": 1}]}, "evses"),
        ({"evses": [{"evse_number": 0}]}, "evses[0].evse_number"),
    ],
)
async def test_what_does_not_fit_is_refused_and_named(api: Visitor, change: dict[str, Any], field: str) -> None:
    answer = await api.client.post("/stations", json={"station_id": api.name("BAD"), **change})
    assert problem(answer, 422, "invalid")["field"] == field


async def test_an_identity_is_given_once_whatever_its_case_and_party(api: Visitor, stranger: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("ONE")})
    for asker, station_id in ((api, api.name("ONE")), (api, api.name("one")), (stranger, api.name("One"))):
        assert problem(await asker.client.post("/stations", json={"station_id": station_id}), 409)["code"] == "taken"


async def test_a_change_keeps_what_it_does_not_name(api: Visitor) -> None:
    station_id = api.name("CH")
    await api.posts("/stations", {"station_id": station_id, "name": "Old", "max_power_w": 22_000})
    changed = await api.patches(f"/stations/{station_id}", {"name": "New", "evses": [{"evse_number": 2}]})
    assert (changed["name"], changed["max_power_w"], changed["version"]) == ("New", 22_000, 2)
    assert [evse["evse_number"] for evse in changed["evses"]] == [2]
    emptied = await api.patches(f"/stations/{station_id}", {"max_power_w": None})
    assert emptied["max_power_w"] is None
    late = await api.client.patch(f"/stations/{station_id}", json={"name": "Late"}, headers={"If-Match": '"2"'})
    problem(late, 412, "stale")


async def test_a_rotated_secret_shuts_the_old_one_out_and_the_gateway_hears_of_it(api: Visitor) -> None:
    station_id = api.name("ROT")
    old = (await api.posts("/stations", {"station_id": station_id}))["secret"]
    heard: list[bytes] = []

    async def hear(_subject: str, data: bytes) -> None:
        heard.append(data)

    stop = await api.front.house.bus.listen("ohmstead.station.changed", hear)
    await api.front.house.bus.flush()
    new = (await api.posts(f"/stations/{station_id}/secret"))["secret"]
    assert not await opens(api, station_id, old)
    assert await opens(api, station_id, new)

    async def is_heard() -> bool:
        return any(station_id.encode() in data for data in heard)

    await api.network.until(is_heard, "the gateway is told")
    await stop()


async def test_a_pending_station_is_adopted(api: Visitor) -> None:
    location = await api.posts("/locations", {"name": "Yard"})
    await api.network.station("2.0.1", "WAITS", boots=False, registration="pending")
    waiting = await api.gets("/stations/pending")
    assert [station["station_id"] for station in waiting["items"]] == [api.name("WAITS")]
    adopted = await api.posts(
        f"/stations/{api.name('WAITS')}/adopt",
        {"name": "Yard 1", "location_id": location["location_id"], "security_profile": 1},
        expect=200,
    )
    assert adopted["station"]["registration"] == "accepted"
    assert adopted["station"]["location_name"] == "Yard"
    assert await opens(api, api.name("WAITS"), adopted["secret"])
    assert (await api.gets("/stations/pending"))["items"] == []


async def test_adoption_reaches_the_station_that_is_connected(api: Visitor) -> None:
    station = await api.network.station("2.0.1", "HERE", boots=False, registration="pending")
    assert await station.boots() == "Pending"
    await api.posts(f"/stations/{station.station_id}/adopt")

    async def is_asked_to_boot() -> bool:
        return any(action == "TriggerMessage" for _, action, _ in station.wire.heard)

    await api.network.until(is_asked_to_boot, "the station is asked to boot again")
    assert await station.boots() == "Accepted"


async def test_a_rejected_station_is_turned_away(api: Visitor) -> None:
    station = await api.network.station("1.6", "AWAY")
    rejected = await api.posts(f"/stations/{station.station_id}/reject")
    assert rejected["registration"] == "rejected"


async def test_a_retired_station_leaves_keeps_its_past_and_can_come_back(api: Visitor) -> None:
    station = await api.network.station("2.0.1", "OLD")
    await api.network.is_connected(station)
    path = f"/stations/{station.station_id}"
    assert (await api.gets(path))["is_connected"] is True
    retired = await api.posts(f"{path}/retire")
    assert retired["retired_at"] is not None
    await api.network.is_connected(station, False)
    assert (await api.gets("/stations"))["items"] == []
    assert [s["station_id"] for s in (await api.gets("/stations", retired=True))["items"]] == [station.station_id]
    problem(await api.client.post(f"{path}/adopt", json={}), 409, "refused")
    problem(await api.client.post(f"{path}/commands", json={"kind": "reset"}), 404)
    assert (await api.posts(f"{path}/reinstate"))["retired_at"] is None


async def test_filters_find_the_right_stations(api: Visitor) -> None:
    location = await api.posts("/locations", {"name": "Here"})
    busy = await api.network.station("2.0.1", "BUSY")
    await api.network.is_connected(busy)
    await busy.plugs_in()
    await api.posts(
        "/stations", {"station_id": api.name("IDLE"), "location_id": location["location_id"], "name": "Shed"}
    )

    async def is_occupied() -> bool:
        return bool((await api.gets("/stations", status="occupied"))["items"])

    await api.network.until(is_occupied, "the status is known")
    expected = {
        ("status", "occupied"): "BUSY",
        ("status", "unknown"): "IDLE",
        ("connected", "true"): "BUSY",
        ("connected", "false"): "IDLE",
        ("location", location["location_id"]): "IDLE",
        ("q", "shed"): "IDLE",
        ("ocpp_version", busy_version(await api.gets(f"/stations/{busy.station_id}"))): "BUSY",
    }
    for (name, value), short in expected.items():
        stations = (await api.gets("/stations", **{name: value}))["items"]
        assert [station["station_id"] for station in stations] == [api.name(short)], name
    both = await api.gets("/stations", status=["occupied", "unknown"])
    assert len(both["items"]) == 2


def busy_version(station: dict[str, Any]) -> str:
    assert "2.0.1" in station["ocpp_version"]
    return str(station["ocpp_version"])


async def test_every_change_is_audited_and_told_to_the_outbox(api: Visitor) -> None:
    station_id = api.name("AUD")
    await api.posts("/stations", {"station_id": station_id})
    await api.patches(f"/stations/{station_id}", {"name": "X"})
    await api.posts(f"/stations/{station_id}/secret")
    await api.posts(f"/stations/{station_id}/reject")
    await api.posts(f"/stations/{station_id}/adopt")
    await api.posts(f"/stations/{station_id}/retire")
    entries = await api.all_of("/audit-log", object=f"station/{station_id}")
    assert [entry["action"] for entry in reversed(entries)] == [
        "station.created",
        "station.changed",
        "station.secret_changed",
        "station.rejected",
        "station.adopted",
        "station.retired",
    ]
    assert {entry["remote_address"] for entry in entries} == {"127.0.0.1"}
    kinds = await api.network.rows(
        "select kind from outbox where subject = $1 order by event_id", f"station/{station_id}"
    )
    assert [row.kind for row in kinds] == [
        "StationCreated",
        "StationChanged",
        "StationSecretChanged",
        "StationRejected",
        "StationAdopted",
        "StationRetired",
    ]


async def test_the_configuration_a_station_reported_can_be_read(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("VAR")})
    await api.network.pool.execute(
        "insert into station_variable (station_id, variable, value) values ($1, 'HeartbeatInterval', '300')",
        api.name("VAR"),
    )
    variables = (await api.gets(f"/stations/{api.name('VAR')}/variables"))["items"]
    assert [(v["variable"], v["value"]) for v in variables] == [("HeartbeatInterval", "300")]
