"""Several parties in one installation, and people who work for more than one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.door import Front, Visitor, problem
from tests.api.test_every_door import Person, person
from tests.stories.network import Network


@pytest.fixture
async def installation(front: Front, api: Visitor) -> AsyncIterator[Visitor]:
    """Somebody whose party runs the installation, for as long as the test goes on."""
    pool = api.network.pool
    await pool.execute("update party set owns_installation = false where owns_installation")
    await pool.execute("update party set owns_installation = true where party_id = $1", api.network.party_id)
    yield api
    await pool.execute("update party set owns_installation = false where owns_installation")


def new_party(api: Visitor, **more: Any) -> dict[str, Any]:
    code = api.network.suffix[-3:].upper()
    return {"name": "Harbour Parking", "kind": "site_host", "country_code": "NL", "party_code": code, **more}


async def sends(one: Person, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"X-CSRF-Token": one.csrf_token}
    return await one.client.request(method, f"/api/v1{path}", json=body, headers=headers)


async def test_who_runs_the_installation_makes_parties_and_their_owner_comes_in(
    front: Front, installation: Visitor
) -> None:
    email = f"ada-{installation.network.suffix}@example.com"
    wanted = new_party(installation, owner_name="Ada", owner_email=email)
    made = await installation.posts("/parties", wanted, expect=201)
    assert made["party"].items() >= {"kind": "site_host", "owns_installation": False, "language": "en"}.items()
    again = await installation.client.post("/parties", json=new_party(installation))
    problem(again, 409)
    # Its owner finds an empty house of their own, and may change it but for its kind.
    async with httpx.AsyncClient(base_url=front.url) as client:
        answer = await client.post("/sign-in", data={"link": made["link"].partition("link=")[2], "next": "/"})
        assert answer.status_code == 303, answer.text
        me = (await client.get("/api/v1/me")).json()
        assert (me["party_id"], me["role"], me["owns_installation"]) == (made["party"]["party_id"], "owner", False)
        assert (await client.get("/api/v1/stations")).json()["items"] == []
        problem(await client.get("/api/v1/parties"), 403, "not-allowed")
    listed = (await installation.gets("/parties"))["items"]
    assert listed[0]["party_id"] == str(installation.network.party_id)
    assert made["party"]["party_id"] in {one["party_id"] for one in listed}


async def test_a_party_is_changed_with_what_was_before_noted_and_two_at_once_collide(api: Visitor) -> None:
    before = await api.gets("/party")
    changed = await api.patches("/party", {"name": "Quay", "time_zone": "Europe/Vienna"}, if_match='"1"')
    assert (changed["name"], changed["time_zone"], changed["version"]) == ("Quay", "Europe/Vienna", 2)
    stale = await api.client.patch("/party", json={"name": "Pier"}, headers={"If-Match": '"1"'})
    problem(stale, 412)
    for body, field in (
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"country_code": "nl"}, "country_code"),
        ({"currency": "EURO"}, "currency"),
        ({"name": ""}, "name"),
        ({"owns_installation": True}, ""),
    ):
        refused = problem(await api.client.patch("/party", json=body), 422)
        assert not field or refused["errors"][0]["field"] == field
    problem(await api.client.patch("/party", json={"kind": "fleet"}), 403, "not-allowed")
    assert (await api.gets("/party"))["name"] == "Quay"
    (entry,) = (await api.gets("/audit-log", object=f"party/{api.network.party_id}"))["items"]
    assert entry["detail"]["name"] == {"before": before["name"], "after": "Quay"}


async def test_a_person_works_for_two_parties_and_sees_of_each_what_is_theirs(
    front: Front, installation: Visitor, stranger: Visitor
) -> None:
    here, there = installation.network, stranger.network
    place, other = await there.location("Quay"), await there.location("Pier")
    for name, where in (("QUAY", place), ("PIER", other)):
        await stranger.posts("/stations", {"station_id": stranger.name(name), "location_id": str(where)})
    await installation.posts("/stations", {"station_id": installation.name("HOME")})
    async with person(front, here, "operations") as ada, person(front, there, "owner") as theirs:
        operator_id = (await ada.client.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        # Only who runs the installation lends; not to themselves, and to locations of that party only.
        path = f"/parties/{there.party_id}/guests/{operator_id}"
        wanted = {"role": "technician", "location_ids": [str(place)]}
        problem(await stranger.client.put(path, json=wanted), 403, "not-allowed")
        own = await installation.client.put(f"/parties/{here.party_id}/guests/{operator_id}", json=wanted)
        problem(own, 409)
        foreign = {"role": "technician", "location_ids": [str(await here.location("Ours"))]}
        problem(await installation.client.put(path, json=foreign), 422)
        problem(await installation.client.put(path, json={"role": "owner", "location_ids": [str(place)]}), 409)
        lent = (await installation.client.put(path, json=wanted)).json()["items"]
        assert [(one["operator_id"], one["role"]) for one in lent] == [(operator_id, "technician")]

        assert await stations_of(ada) == [installation.name("HOME")]
        stale_token = ada.csrf_token
        await change_to(ada, there.party_id)
        me = (await ada.client.get("/api/v1/me")).json()
        assert (me["party_id"], me["role"], me["location_ids"]) == (str(there.party_id), "technician", [str(place)])
        assert await stations_of(ada) == [stranger.name("QUAY")]
        # Deep links to what is at home are not there now; a form from before the change is not taken.
        assert (await ada.client.get(f"/stations/{installation.name('HOME')}")).status_code == 404
        form = {"csrf_token": stale_token, "party_id": str(here.party_id)}
        assert (await ada.client.post("/party", data=form)).status_code == 403
        assert (await ada.client.get("/account")).status_code == 200
        assert (await sends(ada, "GET", "/me/parties")).json()["items"][0]["is_home"] is True
        # The party's owner sees who is lent, and ends it: the browser is back home at once.
        guests = (await theirs.client.get("/api/v1/guests")).json()["items"]
        assert [one["operator_id"] for one in guests] == [operator_id]
        assert (await sends(theirs, "DELETE", f"/guests/{operator_id}")).status_code == 204
        assert await stations_of(ada) == [installation.name("HOME")]
        assert (await ada.client.post("/party", data=form | {"csrf_token": await token_of(ada)})).status_code == 303
        assert (
            await ada.client.post("/party", data={"csrf_token": await token_of(ada), "party_id": str(there.party_id)})
        ).status_code == 404


async def test_who_works_for_another_party_looks_after_their_account_all_the_same(
    front: Front, installation: Visitor, stranger: Visitor
) -> None:
    here, there = installation.network, stranger.network
    async with person(front, here, "operations") as ada, AsyncExitStack() as stack:
        operator_id = (await ada.client.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        path = f"/parties/{there.party_id}/guests/{operator_id}"
        assert (await installation.client.put(path, json={"role": "technician"})).status_code == 200
        await change_to(ada, there.party_id)
        lost = await stack.enter_async_context(httpx.AsyncClient(base_url=front.url))
        email = f"ada-{here.suffix}@example.com".lower()
        for deed, fields in (
            ("details", {"name": "Ada", "email": email}),
            ("password", {"new_password": "correct horse staple gun"}),
        ):
            answer = await ada.client.post(f"/account/{deed}", data={"csrf_token": ada.csrf_token, **fields})
            assert answer.status_code == 303, (deed, answer.text)
        entered = await lost.post("/sign-in", data={"email": email, "password": "correct horse staple gun"})
        assert entered.status_code == 303
        form = {"csrf_token": ada.csrf_token, "do": "others"}
        assert (await ada.client.post("/account/sessions", data=form)).status_code == 303
        assert (await lost.get("/account")).status_code == 303
        assert (await ada.client.get("/account")).status_code == 200
    # What people do to their account stands in the log of the party that keeps it.
    about = "select party_id, action from audit_entry where object = $1 and action <> 'operator.switched'"
    told = await here.pool.fetch(about, f"operator/{operator_id}")
    assert {row["action"] for row in told if row["party_id"] == there.party_id} == {"membership.given"}
    assert {"operator.changed", "password.set", "web_sessions.ended"} <= {
        row["action"] for row in told if row["party_id"] == here.party_id
    }


async def test_what_the_installations_owner_does_to_a_party_stands_in_its_own_log(
    installation: Visitor, stranger: Visitor
) -> None:
    party_id = stranger.network.party_id
    await installation.patches(f"/parties/{party_id}", {"needs_second_person": True})
    async with person(installation.front, installation.network, "operations") as ada:
        operator_id = (await ada.client.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
    path = f"/parties/{party_id}/guests/{operator_id}"
    assert (await installation.client.put(path, json={"role": "technician"})).status_code == 200
    assert (await installation.client.delete(path)).status_code == 204
    for visitor in (installation, stranger):
        told = [
            *(await visitor.gets("/audit-log", object=f"party/{party_id}"))["items"],
            *(await visitor.gets("/audit-log", object=f"operator/{operator_id}"))["items"],
        ]
        assert {"party.changed", "membership.given", "membership.withdrawn"} <= {one["action"] for one in told}


async def test_owners_say_where_people_see_and_it_counts_at_once(front: Front, api: Visitor) -> None:
    here, there = await api.network.location("Here"), await api.network.location("There")
    for name, place in (("HERE", here), ("THERE", there)):
        await api.posts("/stations", {"station_id": api.name(name), "location_id": str(place)})
    async with person(front, api.network, "technician") as one, person(front, api.network, "owner") as owner:
        assert len(await stations_of(one)) == 2
        operator_id = (await one.client.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        path = f"/operators/{operator_id}/locations"
        assert (await api.client.put(path, json={"location_ids": [str(here)]})).json()["location_ids"] == [str(here)]
        assert await stations_of(one) == [api.name("HERE")]
        problem(await api.client.put(path, json={"location_ids": [operator_id]}), 422)
        owner_id = (await owner.client.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        problem(await api.client.put(f"/operators/{owner_id}/locations", json={"location_ids": []}), 409)
        assert (await api.client.put(path, json={"location_ids": []})).status_code == 200
        assert await stations_of(one) == []
        # Who becomes an owner sees everything again.
        await api.posts(f"/operators/{operator_id}/role", {"role": "owner"})
        assert len(await stations_of(one)) == 2


async def test_a_key_can_be_held_to_locations(front: Front, api: Visitor) -> None:
    here = await api.network.location("Here")
    await api.posts("/stations", {"station_id": api.name("HERE"), "location_id": str(here)})
    await api.posts("/stations", {"station_id": api.name("NOWHERE")})
    wanted = {"name": "Host", "scopes": ["admin"], "location_ids": [str(here)]}
    made = await api.posts("/api-keys", wanted, expect=201)
    foreign = {**wanted, "location_ids": [made["key"]["api_key_id"]]}
    problem(await api.client.post("/api-keys", json=foreign), 422)
    headers = {"Authorization": f"Bearer {made['secret']}"}
    async with httpx.AsyncClient(base_url=front.url + "/api/v1", headers=headers) as client:
        found = (await client.get("/stations")).json()["items"]
        assert [one["station_id"] for one in found] == [api.name("HERE")]
        problem(await client.get(f"/stations/{api.name('NOWHERE')}"), 404, "not-found")
        problem(await client.get("/tokens"), 403, "not-allowed")
        # Nor does it make a key that sees more.
        problem(await client.post("/api-keys", json={"name": "More", "scopes": ["admin"]}), 403, "not-allowed")


async def stations_of(one: Person) -> list[str]:
    return [station["station_id"] for station in (await one.client.get("/api/v1/stations")).json()["items"]]


async def token_of(one: Person) -> str:
    page = (await one.client.get("/account")).text
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


async def change_to(one: Person, party_id: UUID) -> None:
    answer = await one.client.post("/party", data={"csrf_token": one.csrf_token, "party_id": str(party_id)})
    assert answer.status_code == 303, answer.text
    one.csrf_token = await token_of(one)


async def test_a_party_that_is_made_has_codes_of_its_own(installation: Visitor, stranger: Visitor) -> None:
    await installation.posts("/parties", new_party(installation), expect=201)
    code = new_party(installation)["party_code"]
    taken = await stranger.client.patch("/party", json={"country_code": "NL", "party_code": code})
    problem(taken, 409)
    network: Network = stranger.network
    assert await network.pool.fetchval("select version from party where party_id = $1", network.party_id) == 1
