"""Sites through the API: what drivers want to know, power trees, photos, files in and out, stickers."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from ohmstead.core.errors import NotFound
from tests.api.door import Visitor, problem
from tests.api.pictures import a_jpeg_that_tells_where, a_png

SITE: dict[str, Any] = {
    "name": "Ring Road Hub",
    "reference": "RR-1",
    "address": "Ring Road 7",
    "city": "Vienna",
    "postal_code": "1100",
    "country": "AT",
    "latitude": 48.2,
    "longitude": 16.37,
    "time_zone": "Europe/Vienna",
    "help_phone": "+43 1 234567",
    "access": "restricted",
    "parking_type": "parking_garage",
    "parking_restrictions": ["customers", "ev_only"],
    "facilities": ["wifi", "cafe"],
    "opening": {
        "weekly": [{"weekday": 1, "since": "07:00", "until": "22:00"}],
        "closings": [{"since": "2026-12-24T23:00:00Z", "until": "2026-12-25T23:00:00Z"}],
    },
    "owner": "=cmd|' /C calc'!A0",
    "is_green_energy": True,
    "is_published": False,
}


def ids(api: Visitor, n: int) -> str:
    """An id that no other test uses."""
    return f"{api.network.party_id}"[:-2] + f"{n:02}"


async def a_site(api: Visitor) -> tuple[dict[str, Any], str]:
    location = await api.posts("/locations", SITE)
    await api.posts(
        "/stations",
        {
            "station_id": api.name("A"),
            "location_id": location["location_id"],
            "evses": [
                {
                    "evse_number": 1,
                    "current_type": "AC",
                    "max_power_w": 22_000,
                    "connectors": [{"standard": "IEC_62196_T2", "max_power_w": 22_000}],
                }
            ],
        },
    )
    return location, f"/locations/{location['location_id']}"


async def test_a_site_keeps_what_drivers_want_to_know_and_is_found_by_it(api: Visitor) -> None:
    location, path = await a_site(api)
    read = await api.gets(path)
    for name, value in SITE.items():
        if name != "opening":
            assert read[name] == value, name
    assert read["opening"]["weekly"] == SITE["opening"]["weekly"]
    await api.posts("/locations", {"name": "Elsewhere"})
    for query in (
        {"access": "restricted"},
        {"facility": "cafe"},
        {"published": "false"},
        {"country": "AT"},
        {"q": "RR-"},
    ):
        assert [one["name"] for one in (await api.gets("/locations", **query))["items"]] == ["Ring Road Hub"], query
    twin = await api.client.post("/locations", json={"name": "Twin", "reference": "rr-1"})
    assert problem(twin, 422, "invalid")["field"] == "reference"
    for change, field in (
        ({"opening": {"weekly": [{"weekday": 8, "since": "07:00", "until": "22:00"}]}}, "opening.weekly[0].weekday"),
        ({"opening": {"weekly": [{"weekday": 1, "since": "22:00", "until": "07:00"}]}}, "opening"),
        ({"facilities": ["spa"]}, "facilities[0]"),
        ({"facilities": ["cafe", "cafe"]}, "facilities"),
        ({"help_phone": "<b>"}, "help_phone"),
        ({"owner_website": "javascript:alert(1)"}, "owner_website"),
    ):
        assert problem(await api.client.patch(path, json=change), 422, "invalid")["field"] == field
    assert (await api.patches(path, {"opening": None, "reference": None}))["opening"] is None
    assert (await api.gets(path))["version"] == location["version"] + 1


async def test_a_power_tree_is_set_whole_and_holds_its_rules(api: Visitor) -> None:
    _, path = await a_site(api)
    grid, row = ids(api, 1), ids(api, 2)
    circuits: list[dict[str, Any]] = [
        {"circuit_id": grid, "name": "Grid", "limit_a": 63},
        {"circuit_id": row, "name": "Row", "limit_a": 32, "parent_id": grid, "station_ids": [api.name("A")]},
    ]
    put = await api.client.put(f"{path}/power-tree", json={"circuits": circuits}, headers={"If-Match": '"1"'})
    assert put.status_code == 200, put.text
    tree = put.json()
    assert [(c["name"], c["depth"], c["limit_w"], c["stations_w"]) for c in tree["circuits"]] == [
        ("Grid", 0, 43_470, 0),
        ("Row", 1, 22_080, 22_000),
    ]
    assert (tree["doubts"], tree["unplaced"], put.headers["etag"]) == ([], [], '"2"')
    assert await api.gets(f"{path}/power-tree") == tree
    late = await api.client.put(f"{path}/power-tree", json={"circuits": []}, headers={"If-Match": '"1"'})
    problem(late, 412, "stale")
    wrong = [circuits[0], {**circuits[1], "limit_a": 64}]
    refused = problem(await api.client.put(f"{path}/power-tree", json={"circuits": wrong}), 422, "invalid")
    assert refused["field"] == "circuits[1].limit_a"
    assert await api.gets(f"{path}/power-tree") == tree

    # An id is one location's; a circuit whose feeder goes may stay; a station that left takes no place.
    other = await api.posts("/locations", {"name": "Other"})
    taken = await api.client.put(
        f"/locations/{other['location_id']}/power-tree", json={"circuits": [{**circuits[0], "name": "Mine now"}]}
    )
    assert problem(taken, 422, "invalid")["field"] == "circuits"
    alone = [{**circuits[1], "parent_id": None}]
    left = await api.client.put(f"{path}/power-tree", json={"circuits": alone})
    assert [c["name"] for c in left.json()["circuits"]] == ["Row"]
    await api.patches(f"/stations/{api.name('A')}", {"location_id": other["location_id"]})
    assert (await api.gets(f"{path}/power-tree"))["circuits"][0]["station_ids"] == []
    assert (await api.gets(f"/locations/{other['location_id']}/power-tree"))["unplaced"] == [api.name("A")]
    assert (await api.client.delete(path)).status_code == 204


async def test_photos_are_drawn_anew_ordered_and_gone_when_deleted(api: Visitor) -> None:
    _, path = await a_site(api)
    first = await api.client.post(f"{path}/photos", content=a_jpeg_that_tells_where(), params={"alt": "The ramp"})
    assert first.status_code == 201, first.text
    second = await api.client.post(f"{path}/photos", content=a_png(41, 31))
    got = await api.client.get(first.headers["location"].removeprefix("/api/v1"))
    assert got.headers["content-type"] == "image/jpeg"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert b"secret" not in got.content
    assert Image.open(io.BytesIO(got.content)).size == (800, 1600)
    await api.patches(f"{path}/photos/{second.json()['photo_id']}", {"position": 1, "alt": "From afar"})
    listed = (await api.gets(f"{path}/photos"))["items"]
    assert [(p["alt"], p["position"]) for p in listed] == [("From afar", 1), ("The ramp", 2)]
    refused = await api.client.post(f"{path}/photos", content=b"<script>alert(1)</script>")
    assert "not a photo" in problem(refused, 422, "invalid")["detail"]
    problem(await api.client.post(f"{path}/photos", content=b"\0" * (12 * 1024 * 1024 + 2)), 413)
    assert (await api.client.delete(f"{path}/photos/{listed[0]['photo_id']}")).status_code == 204
    storage = api.front.app.state.storage
    assert [p["position"] for p in (await api.gets(f"{path}/photos"))["items"]] == [1]
    await api.posts(f"/stations/{api.name('A')}/retire")
    assert (await api.client.delete(path)).status_code == 204
    for photo in listed:
        with pytest.raises(NotFound):
            [piece async for piece in storage.read(photo["sha256"])]


async def test_what_is_exported_can_be_imported_elsewhere_and_is_the_same(api: Visitor, stranger: Visitor) -> None:
    await a_site(api)
    await api.posts("/locations", {"name": "Bare"})
    for form in ("csv", "xlsx", "ocpi"):
        exported = await api.client.get("/locations/export", params={"format": form})
        assert exported.status_code == 200
        assert "attachment" in exported.headers["content-disposition"]
        again = await api.client.post("/locations/bulk", content=exported.content)
        report = again.json()
        assert (report["created"], report["updated"], report["failed"]) == (0, 0, []), (form, report)
        assert report["unchanged"] == 2
        if form != "csv":
            assert (report["stations"]["unchanged"], report["stations"]["failed"]) == (1, [])
    assert b"'=cmd" in (await api.client.get("/locations/export")).content

    table = (await api.client.get("/locations/export")).text
    foreign = await stranger.client.post("/locations/bulk", content=table.encode())
    assert foreign.json()["failed"][0]["error"] == "no such location of yours"
    document = json.loads((await api.client.get("/locations/export", params={"format": "ocpi"})).content)
    (site,) = [one for one in document if one["id"] == "RR-1"]
    assert (site["country"], site["publish"], site["evses"][0]["uid"]) == ("AUT", False, api.name("A") + "*1")
    site["evses"][0]["uid"] = stranger.name("B") + "*1"
    rehearsed = await stranger.client.post("/locations/bulk?dry_run=true", content=json.dumps(site).encode())
    assert (rehearsed.json()["created"], rehearsed.json()["stations"]["secrets"]) == (1, {})
    assert (await stranger.gets("/locations"))["items"] == []
    taken = (await stranger.client.post("/locations/bulk", content=json.dumps(site).encode())).json()
    assert (taken["created"], taken["stations"]["created"]) == (1, 1)
    assert stranger.name("B") in taken["stations"]["secrets"]
    (copy,) = (await stranger.gets("/locations"))["items"]
    for name in (
        "name",
        "reference",
        "address",
        "city",
        "opening",
        "facilities",
        "parking_type",
        "owner",
        "is_published",
    ):
        mine = (await api.gets("/locations", q="RR-1"))["items"][0]
        assert copy[name] == mine[name], name


async def test_bad_rows_are_named_and_good_ones_count(api: Visitor) -> None:
    table = (
        "name,latitude,longitude,opening,facilities,time_zone\n"
        "Good,48.2,16.37,Mo-Fr 07:00-22:00,cafe wifi,Europe/Vienna\n"
        "Half,48.2,,,,\n"
        "Late,,,Mo 22:00-07:00,,\n"
        "Odd,,,,spa,\n"
        "=1+1,,,,,\n"
        "good,,,,,\n"
        "Mars,,,,,Mars/Base\n"
    )
    rehearsed = (await api.sends_table("/locations/bulk", table, dry_run=True)).json()
    report = (await api.sends_table("/locations/bulk", table)).json()
    assert rehearsed == {**report, "is_dry_run": True}
    assert report["created"] == 1
    assert [(one["row"], one["field"]) for one in report["failed"]] == [
        (3, "latitude"),
        (4, "opening"),
        (5, "facilities[0]"),
        (6, "name"),
        (7, "name"),
        (8, "time_zone"),
    ]
    assert (await api.sends_table("/locations/bulk", table)).json()["unchanged"] == 1
    for data in (b"", b"\xff\xfe", b"nonsense,columns\n1,2\n", b"PK\x03\x04", b"[" * 1000, b"name\n" + b"x\n" * 2001):
        problem(await api.sends_table("/locations/bulk", data), 422, "invalid")
    problem(await api.sends_table("/locations/bulk", b"x" * (8 * 1024 * 1024 + 1)), 413)


async def test_stickers_are_made_for_ones_own_evses_only(api: Visitor, stranger: Visitor) -> None:
    location, _ = await a_site(api)
    made = await api.client.get("/stickers", params={"location": location["location_id"], "sheet": "a6"})
    assert made.content.startswith(b"%PDF-")
    assert made.headers["content-type"] == "application/pdf"
    problem(await stranger.client.get("/stickers", params={"location": location["location_id"]}), 404, "not-found")
    problem(await stranger.client.get("/stickers", params={"station": api.name("A")}), 404, "not-found")
    problem(await api.client.get("/stickers", params={"sheet": "a3"}), 400)


async def test_a_station_is_turned_away_with_a_reason_and_adopted_with_its_outlets(api: Visitor) -> None:
    await api.posts("/stations", {"station_id": api.name("P")})
    await api.network.pool.execute("update station set registration = 'pending' where station_id = $1", api.name("P"))
    await api.posts(f"/stations/{api.name('P')}/reject?reason=not%20ours")
    entry = await api.network.pool.fetchval(
        "select detail from audit_entry where object = $1 and action = 'station.rejected'", f"station/{api.name('P')}"
    )
    assert entry == {"reason": "not ours"}
    evse = {"evse_number": 1, "current_type": "DC", "max_power_w": 150_000, "physical_reference": "7A"}
    await api.posts(f"/stations/{api.name('P')}/adopt", {"name": "Left", "evses": [evse], "takes_templates": False})
    station = await api.gets(f"/stations/{api.name('P')}")
    assert (station["registration"], station["takes_templates"]) == ("accepted", False)
    assert station["evses"][0]["physical_reference"] == "7A"
