"""Who was turned away at the gateway, what stations told of themselves, keys and how it is all set up."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ohmstead.settings import PREFIX, listing
from tests.api.door import Visitor, problem
from tests.stories.network import Network


async def knocks(network: Network, station_id: str, reason: str = "password_wrong", n: int = 1, **more: Any) -> None:
    """As the gateway writes it: a knock is no party's."""
    at = more.pop("at", datetime.now(UTC))
    for k in range(n):
        await network.pool.execute(
            "insert into security_signal (at, station_id, remote_address, kind, detail)"
            " values ($1, $2, $3, 'connection_refused', $4)",
            at - timedelta(seconds=k),
            station_id,
            more.get("address", "192.0.2.44"),
            {"reason": reason},
        )


async def tells(network: Network, station_id: str, kind: str, detail: dict[str, Any] | None = None) -> None:
    await network.pool.execute(
        "insert into security_signal (party_id, station_id, kind, detail) values ($1, $2, $3, $4)",
        network.party_id,
        station_id,
        kind,
        detail or {},
    )


async def test_who_is_turned_away_is_told_once_with_how_often(api: Visitor, stranger: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("A")})
    await knocks(api.network, api.name("A").lower(), n=3)
    await knocks(api.network, api.name("A"), "credentials_missing", address="192.0.2.45")
    items = await api.all_of("/security/refusals", q=api.network.suffix, limit=1)
    assert [(one["n"], one["reason"], one["meaning"]) for one in items] == [
        (1, "credentials_missing", "it sent no password"),
        (3, "password_wrong", "the password is wrong"),
    ]
    assert {one["station_id"] for one in items} == {api.name("A")}
    assert all(one["is_known"] and one["first_at"] <= one["last_at"] for one in items)
    assert len(await api.all_of("/security/refusals", reason="password_wrong", q=api.network.suffix)) == 1
    assert await api.all_of("/security/refusals", is_known="false", q=api.network.suffix) == []
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert await api.all_of("/security/refusals", **{"from": later}) == []
    table = (await api.client.get("/security/refusals", params={"format": "csv", "q": api.network.suffix})).text
    assert table.count(api.name("A")) == 2
    assert api.name("A") not in (await stranger.client.get("/security/refusals?limit=500")).text
    assert api.name("A") not in (await stranger.client.get("/security/signals?limit=500")).text


async def test_a_knock_under_nobodys_name_is_for_who_runs_the_installation(api: Visitor, stranger: Visitor) -> None:
    await api.network.pool.execute("update party set owns_installation = false where owns_installation")
    await knocks(api.network, api.name("NOBODY"), "station_unknown")
    path = "/security/refusals"
    assert await api.all_of(path, q=api.name("NOBODY")) == []
    await api.network.pool.execute(
        "update party set owns_installation = true where party_id = $1", api.network.party_id
    )
    try:
        (one,) = await api.all_of(path, q=api.name("NOBODY"))
        assert (one["is_known"], one["meaning"]) == (False, "nobody registered this station")
        assert await stranger.all_of(path, q=api.name("NOBODY")) == []
    finally:
        await api.network.pool.execute("update party set owns_installation = false where owns_installation")


async def test_what_stations_tell_of_themselves_is_told_in_words(api: Visitor, stranger: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("B")})
    await tells(api.network, api.name("B"), "station_tamper_detection_activated", {"tech_info": "=door()"})
    await tells(api.network, api.name("B"), "station_something_new")
    await tells(api.network, api.name("B"), "clock_off", {"offset_s": 900})
    newest, older = await api.all_of("/security/signals", kind="station_", limit=1)
    assert (newest["meaning"], newest["is_grave"]) == ("Something new.", False)
    assert older["meaning"] == "Somebody opened it, or tampered with it."
    assert older["is_grave"] is True
    assert len(await api.all_of("/security/signals", station_id=api.name("B").lower())) == 3
    assert len(await api.all_of("/security/signals", q="DOOR")) == 1
    lines = (await api.client.get("/security/signals", headers={"Accept": "application/x-ndjson"})).text.splitlines()
    assert len([line for line in lines if json.loads(line)["station_id"] == api.name("B")]) == 3
    assert await stranger.all_of("/security/signals", station_id=api.name("B")) == []
    problem(await api.client.get("/security/signals", params={"cursor": "x"}), 400)


async def test_the_summary_tells_of_the_last_day_and_week(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("C")})
    await knocks(api.network, api.name("C"), n=2)
    await knocks(api.network, api.name("C"), n=3, at=datetime.now(UTC) - timedelta(days=3))
    await tells(api.network, api.name("C"), "station_security_log_was_cleared")
    found = await api.gets("/security/summary")
    assert (found["day"]["n_of_stations"], found["week"]["n_of_stations"]) == (2, 5)
    assert (found["day"]["n_station_events"], found["day"]["n_grave"]) == (1, 1)
    assert found["day"]["n_refused_sign_ins"] == 0
    assert found["audit"]["n_entries"] > 0
    async with api.front.visitor(api.network, "stations:read") as reader:
        told = await reader.gets("/security/summary")
        assert told["audit"] is None
        assert told["day"]["n_refused_sign_ins"] is None


async def test_who_sees_one_location_sees_the_door_of_its_stations_only(api: Visitor) -> None:
    here, there = await api.network.location("Here"), await api.network.location("There")
    for name, place in (("HERE", here), ("THERE", there)):
        await api.posts("/stations", {"station_id": api.name(name), "location_id": str(place)})
        await knocks(api.network, api.name(name))
        await tells(api.network, api.name(name), "station_reset_or_reboot")
    wanted = {"name": "Host", "scopes": ["stations:read"], "location_ids": [str(here)]}
    secret = (await api.posts("/api-keys", wanted, expect=201))["secret"]
    async with httpx.AsyncClient(
        base_url=api.front.url + "/api/v1", headers={"Authorization": f"Bearer {secret}"}
    ) as host:
        for path in ("/security/refusals", "/security/signals", "/security/summary"):
            text = (await host.get(path)).text
            assert api.name("THERE") not in text
        assert api.name("HERE") in (await host.get("/security/refusals")).text
        summary = (await host.get("/security/summary")).json()
        assert (summary["day"]["n_turned_away"], summary["day"]["n_station_events"]) == (1, 1)


async def test_a_key_is_renamed_once_at_a_time_and_tells_where_it_was_used(api: Visitor, stranger: Visitor) -> None:
    made = await api.posts("/api-keys", {"name": "Portal", "scopes": ["stations:read"]}, expect=201)
    path = f"/api-keys/{made['key']['api_key_id']}"
    assert (made["key"]["last_used_from"], made["key"]["version"]) == (None, 1)
    headers = {"Authorization": f"Bearer {made['secret']}"}
    async with httpx.AsyncClient(base_url=api.front.url + "/api/v1", headers=headers) as program:
        assert (await program.get("/stations")).status_code == 200
    read = await api.client.get(path)
    assert read.json()["last_used_from"] == "127.0.0.1"
    named = await api.patches(path, {"name": " New portal "}, If_Match=read.headers["etag"])
    assert (named["name"], named["version"]) == ("New portal", 2)
    stale = await api.client.patch(path, json={"name": "Late"}, headers={"If-Match": read.headers["etag"]})
    problem(stale, 412)
    problem(await api.client.patch(path, json={"name": " "}), 422, "invalid")
    problem(await stranger.client.patch(path, json={"name": "Mine"}), 404, "not-found")
    (entry,) = await api.all_of("/audit-log", action="api_key.renamed")
    assert entry["changes"] == {"name": {"before": "Portal", "after": "New portal"}}
    for _ in range(2):
        assert (await api.client.delete(path)).status_code == 204
    assert len(await api.all_of("/audit-log", action="api_key.revoked")) == 1


async def test_the_installation_tells_how_it_is_set_up_and_no_secret(api: Visitor) -> None:
    ways = await api.gets("/installation/sign-in")
    assert ways["passkey_origin"].startswith("http://localhost")
    assert ways["directory"]["is_on"] is False
    await api.posts("/api-keys", {"name": "Directory", "scopes": ["people:provision"]}, expect=201)
    assert (await api.gets("/installation/sign-in"))["directory"]["n_keys"] == 1
    known = {one.variable for one in listing()}
    found = await api.gets("/installation/integrations")
    assert all(name in known for one in found["items"] for name in one["settings"])
    assert all(one["where"] == [] for one in found["items"])
    assert "org.openchargealliance.costmsg" in [one["vendor_id"] for one in found["vendors"]]
    kept = (await api.gets("/installation/retention"))["items"]
    assert [one["days"] for one in kept if one["setting"] == PREFIX + "MESSAGE_RETENTION_DAYS"] == [14]
    # Whatever setting there is for how long something is kept is told.
    assert {one["setting"] for one in kept} >= {name for name in known if name.endswith("_RETENTION_DAYS")}


async def test_quirks_tell_how_many_stations_they_are_about(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("Q")})
    await api.network.pool.execute(
        "update station set vendor = 'OpenEVSE', firmware_version = 'V4.2.2', ocpp_version = '1.6' where station_id = $1",
        api.name("Q"),
    )
    found = {one["name"]: one for one in (await api.gets("/quirks"))["items"]}
    assert found["OpenEVSE 4.2.2, energy in kWh"]["n_stations"] == 1
    assert found["OpenEVSE 4.2.2, energy in kWh"]["is_own"] is False
    assert found["go-e, profiles of level 0 stay"]["n_stations"] == 0
