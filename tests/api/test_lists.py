"""Saved lists, searches and what runs, through the API."""

from typing import Any

import pytest

from ohmstead.core.ids import new_id
from tests.api.door import Front, Visitor, problem
from tests.api.test_every_door import person
from tests.api.test_sessions import charged


async def test_a_list_is_kept_shared_changed_and_forgotten(api: Visitor) -> None:
    given = {"page": "tokens", "name": "Lost", "query": "?show=blocked&page=4&q=x&sort="}
    made = await api.posts("/saved-lists", given, expect=201)
    assert (made["query"], made["is_own"]) == ("show=blocked&q=x", True)
    assert problem(await api.client.post("/saved-lists", json=given), 409)["code"] == "taken"
    path = f"/saved-lists/{made['saved_list_id']}"
    async with api.front.visitor(api.network, "stations:read") as colleague:
        assert (await colleague.gets("/saved-lists", page="tokens"))["items"] == []
        problem(await colleague.client.get(path), 404)
        await api.patches(path, {"is_shared": True}, if_match='"1"')
        [seen] = (await colleague.gets("/saved-lists", page="tokens"))["items"]
        assert (seen["name"], seen["is_own"]) == ("Lost", False)
        problem(await colleague.client.patch(path, json={"name": "Mine"}), 409, "refused")
        problem(await colleague.client.delete(path), 409, "refused")
    problem(await api.client.patch(path, json={"name": "X"}, headers={"If-Match": '"1"'}), 412, "stale")
    assert (await api.client.delete(path)).status_code == 204
    assert (await api.gets("/saved-lists", page="tokens"))["items"] == []
    layout = (
        await api.client.put("/list-layout", params={"page": "tokens"}, json={"hidden": ["Type", "Group"]})
    ).json()
    assert layout == {"hidden": ["Group", "Type"]}
    assert (await api.gets("/list-layout", page="drivers")) == {"hidden": []}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"query": "a\nb"}, "query"),
        ({"query": "&".join(f"p{n}=1" for n in range(60))}, "query"),
        ({"page": "secrets"}, "page"),
    ],
)
async def test_what_is_no_list_is_refused(api: Visitor, change: dict[str, Any], field: str) -> None:
    answer = await api.client.post("/saved-lists", json={"page": "tokens", "name": "Lost", **change})
    assert problem(answer, 422)["field"] == field


async def test_a_search_leaves_out_what_the_caller_may_not_read(api: Visitor, stranger: Visitor) -> None:
    session = await charged(api)
    await api.posts("/drivers", {"name": f"Friend of {session['station_id']}"}, expect=201)
    found = (await api.gets("/search", q=session["station_id"]))["items"]
    assert [hit["kind"] for hit in found] == ["station", "driver"]
    assert [hit["rank"] for hit in found] == [3, 1]
    [hit] = (await api.gets("/search", q=session["token_uid"], kind="session"))["items"]
    assert hit["id"] == session["session_id"]
    [hit] = (await api.gets("/search", q=session["session_id"][:13]))["items"]
    assert (hit["kind"], hit["rank"]) == ("session", 2)
    async with api.front.visitor(api.network, "stations:read") as reader:
        assert [h["kind"] for h in (await reader.gets("/search", q=session["station_id"]))["items"]] == ["station"]
    for text in (session["station_id"], session["session_id"], session["token_uid"], "%", "_"):
        assert (await stranger.gets("/search", q=text))["items"] == []


async def test_what_runs_is_told_with_its_progress(api: Visitor) -> None:
    station = await api.network.station("2.0.1", "ST")
    bulk = await api.posts("/bulk-commands", {"order": {"kind": "clear_cache"}, "selection": {}})

    async def is_over() -> bool:
        [work] = (await api.gets("/activity"))["items"]
        assert (work["id"], work["n_total"]) == (bulk["bulk_id"], 1)
        return bool(work["status"] == "done")

    await api.network.until(is_over, f"{station.station_id} is told")
    async with api.front.visitor(api.network, "stations:read") as reader:
        assert (await reader.gets("/activity"))["items"] == []


async def test_who_sees_some_locations_only_finds_and_keeps_what_is_theirs(front: Front, api: Visitor) -> None:
    here, there = await api.network.location("Harbour here"), await api.network.location("Harbour there")
    for name, place in (("HERE", here), ("THERE", there)):
        await api.posts("/stations", {"station_id": api.name(name), "location_id": str(place)})
    await api.posts("/drivers", {"name": "Harbour Driver"}, expect=201)
    await api.network.token("HARBOUR-CARD")
    order = {"order": {"kind": "clear_cache"}}
    everywhere = await api.posts("/bulk-commands", {**order, "selection": {}})
    only_here = await api.posts("/bulk-commands", {**order, "selection": {"stations": [api.name("HERE")]}})
    async with person(front, api.network, "operations", [here]) as one:
        found = (await one.client.get("/api/v1/search", params={"q": "harbour"})).json()["items"]
        assert {(hit["kind"], hit["id"]) for hit in found} == {("station", api.name("HERE")), ("location", str(here))}
        assert "Harbour there" not in (await one.client.get("/search?q=harbour")).text
        for path in ("/api/v1/activity", "/activity"):
            text = (await one.client.get(path)).text
            assert only_here["bulk_id"] in text
            assert everywhere["bulk_id"] not in text
        headers = {"X-CSRF-Token": one.csrf_token}
        given = {"page": "sessions", "name": "Mine", "query": "show=now"}
        shared = await one.client.post("/api/v1/saved-lists", json={**given, "is_shared": True}, headers=headers)
        problem(shared, 403, "not-allowed")
        made = await one.client.post("/api/v1/saved-lists", json=given, headers=headers)
        assert made.status_code == 201, made.text
        path = f"/api/v1/saved-lists/{made.json()['saved_list_id']}"
        problem(await one.client.patch(path, json={"is_shared": True}, headers=headers), 403, "not-allowed")
        problem(await one.client.get("/api/v1/sessions", params={"driver": str(new_id())}), 403, "not-allowed")
