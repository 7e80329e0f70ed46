"""Locations: their story, and what is refused."""

from typing import Any

import pytest

from tests.api.door import Visitor, problem

PARK = {"name": "Car park", "city": "Vienna", "latitude": 48.2, "longitude": 16.37, "time_zone": "Europe/Vienna"}


async def test_a_location_is_created_read_changed_and_deleted(api: Visitor) -> None:
    made = await api.client.post("/locations", json=PARK)
    assert made.status_code == 201
    location = made.json()
    path = f"/locations/{location['location_id']}"
    assert made.headers["location"] == f"/api/v1{path}"
    assert made.headers["etag"] == '"1"'
    assert await api.gets(path) == location
    changed = await api.patches(path, {"city": "Graz"}, if_match='"1"')
    assert (changed["city"], changed["name"], changed["version"]) == ("Graz", "Car park", 2)
    assert (await api.client.delete(path)).status_code == 204
    problem(await api.client.get(path), 404, "not-found")


async def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(api: Visitor) -> None:
    location = await api.posts("/locations", PARK)
    path = f"/locations/{location['location_id']}"
    await api.patches(path, {"city": "Graz"})
    late = await api.client.patch(path, json={"city": "Linz"}, headers={"If-Match": '"1"'})
    problem(late, 412, "stale")
    problem(await api.client.delete(path, headers={"If-Match": '"1"'}), 412, "stale")
    problem(await api.client.delete(path, headers={"If-Match": 'W/"2"'}), 412, "stale")
    assert (await api.gets(path))["city"] == "Graz"
    assert (await api.client.delete(path, headers={"If-Match": '"2"'})).status_code == 204


async def test_a_location_with_stations_in_service_is_kept(api: Visitor) -> None:
    location = await api.posts("/locations", PARK)
    path = f"/locations/{location['location_id']}"
    await api.posts("/stations", {"station_id": api.name("A"), "location_id": location["location_id"]})
    assert (await api.gets(path))["n_stations"] == 1
    assert "1 stations in service" in problem(await api.client.delete(path), 409, "refused")["detail"]
    await api.posts(f"/stations/{api.name('A')}/retire")
    assert (await api.client.delete(path)).status_code == 204
    assert (await api.gets(f"/stations/{api.name('A')}"))["location_id"] is None


async def test_a_new_location_takes_the_partys_time_zone(api: Visitor) -> None:
    await api.network.pool.execute(
        "update party set time_zone = 'Asia/Tokyo' where party_id = $1", api.network.party_id
    )
    assert (await api.posts("/locations", {"name": "Depot"}))["time_zone"] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"latitude": 91}, "latitude"),
        ({"latitude": "48.2"}, "latitude"),
        ({"longitude": None}, "latitude"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"country": "Austria"}, "country"),
        ({"country": "AT\n"}, "country"),
        ({"landlord": "me"}, "landlord"),
    ],
)
async def test_what_does_not_fit_is_refused_and_named(api: Visitor, change: dict[str, Any], field: str) -> None:
    document = problem(await api.client.post("/locations", json={**PARK, **change}), 422, "invalid")
    assert document["field"] == field
    assert document["errors"][0]["field"] == field
    assert (await api.gets("/locations"))["items"] == []


async def test_locations_are_found_by_words(api: Visitor) -> None:
    for name in ("North 100%", "South", "North_East"):
        await api.posts("/locations", {"name": name})
    assert [item["name"] for item in (await api.gets("/locations", q="north"))["items"]] == ["North 100%", "North_East"]
    assert [item["name"] for item in (await api.gets("/locations", q="0%"))["items"]] == ["North 100%"]
    assert [item["name"] for item in (await api.gets("/locations", q="h_e"))["items"]] == ["North_East"]
