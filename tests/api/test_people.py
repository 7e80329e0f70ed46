"""People, attempts to sign in and approvals through the API."""

import httpx
from msgspec.structs import replace

from ohmstead.accounts import access
from ohmstead.accounts.approvals import service as approvals
from ohmstead.accounts.people import provisioning
from ohmstead.accounts.people.model import Kept
from tests.api.door import Visitor, problem
from tests.api.test_access import operator, signed_in


async def test_people_are_looked_after_by_programs_too(api: Visitor) -> None:
    wanted = {"name": "Ada", "email": f"ada-{api.network.suffix}@example.com", "role": "support"}
    made = await api.posts("/operators", wanted, expect=201)
    operator_id = made["operator"]["operator_id"]
    secret = made["link"].partition("link=")[2]
    problem(await api.client.post("/operators", json=wanted), 409, "conflict")
    problem(await api.client.post("/operators", json={**wanted, "role": "emperor"}), 422, "invalid")
    problem(await api.client.post("/operators", json={**wanted, "email": "no address"}), 422, "invalid")
    async with api.front.nobody() as browser:
        assert (await browser.post("/sign-in", data={"link": secret})).status_code == 303
        (session,) = (await api.gets(f"/operators/{operator_id}/web-sessions"))["items"]
        assert (session["method"], session["remote_address"]) == ("link", "127.0.0.1")
        changed = await api.posts(f"/operators/{operator_id}/role", {"role": "read_only"})
        assert changed["role"] == "read_only"
        assert (await browser.get("/api/v1/me")).json()["role"] == "read_only"
        one = f"/operators/{operator_id}/web-sessions/{session['web_session_id']}"
        assert (await api.client.delete(one)).status_code == 204
        problem(await browser.get("/api/v1/me"), 401)
        problem(await api.client.delete(one), 404, "not-found")
        assert (await api.posts(f"/operators/{operator_id}/sign-out"))["n_browsers"] == 0
    again = (await api.posts(f"/operators/{operator_id}/reset"))["link"].partition("link=")[2]
    assert (await api.posts(f"/operators/{operator_id}/disable"))["disabled_at"] is not None
    problem(await api.client.post(f"/operators/{operator_id}/reset", json={}), 409, "refused")
    async with api.front.nobody() as browser:
        assert (await browser.post("/sign-in", data={"link": again})).status_code == 403  # disabled since
    assert (await api.posts(f"/operators/{operator_id}/enable"))["disabled_at"] is None
    (person,) = [p for p in (await api.gets("/operators"))["items"] if p["operator"]["operator_id"] == operator_id]
    assert (person["n_passkeys"], person["has_password"], person["n_sessions"]) == (0, False, 0)
    signed = await api.all_of("/sign-in-attempts", operator_id=operator_id, limit=1)
    assert [(one["method"], one["outcome"]) for one in signed] == [("link", "signed_in")]
    table = await api.client.get("/sign-in-attempts", params={"format": "csv", "outcome": "signed_in"})
    assert str(operator_id) in table.text


async def test_the_last_owner_stays_and_nobody_gives_more_than_they_have(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        token = await signed_in(api, browser)
        me = (await browser.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        for path, body in ((f"/operators/{me}/role", {"role": "support"}), (f"/operators/{me}/disable", {})):
            document = problem(await api.client.post(path, json=body), 409, "refused")
            assert "last owner" in document["detail"]
        async with api.front.visitor(api.network, "people:write", "stations:read") as clerk:
            body = {"name": "X", "email": f"x-{api.network.suffix}@example.com", "role": "owner"}
            problem(await clerk.client.post("/operators", json=body), 409, "refused")
            problem(await clerk.client.post(f"/operators/{me}/reset", json={}), 409, "refused")
            chief = await operator(api, "operations")
            places = {"location_ids": [str(await api.network.location("Quay"))]}
            path = f"/operators/{chief.operator_id}/locations"
            assert (await api.client.put(path, json=places)).status_code == 200
            problem(await clerk.client.put(path, json={"location_ids": None}), 409, "refused")
            assert (await api.gets(f"/operators/{chief.operator_id}"))["location_ids"] == places["location_ids"]
        other = await signed_in_as_other(api)
        answer = await browser.post(f"/api/v1/operators/{other}/disable", json={}, headers={"X-CSRF-Token": token})
        assert answer.json()["disabled_at"] is not None


async def signed_in_as_other(api: Visitor) -> str:
    """One more owner."""
    async with httpx.AsyncClient(base_url=api.front.url) as browser:
        await signed_in(api, browser)
        return str((await browser.get("/api/v1/me")).json()["actor_id"].partition(":")[2])


async def test_a_directorys_group_gets_a_role(api: Visitor, stranger: Visitor) -> None:
    system = access.system(api.network.party_id)
    async with api.network.pool.acquire() as conn, conn.transaction():
        kept = Kept(user_name="ada", name="Ada", email=None, external_id=None, is_active=True)
        ada = await provisioning.create(conn, system, kept)
        group = await provisioning.create_group(conn, system, "Grid team", None, [ada.operator_id])
    path = f"/operator-groups/{group.group_id}/role"
    assert [(one["name"], one["role"]) for one in (await api.gets("/operator-groups"))["items"]] == [
        ("Grid team", None)
    ]
    problem(await stranger.client.put(path, json={"role": "owner"}), 404, "not-found")
    problem(await api.client.put(path, json={"role": "emperor"}), 422, "invalid")
    assert (await api.client.put(path, json={"role": "technician"})).json()["role"] == "technician"
    assert (await api.gets(f"/operators/{ada.operator_id}"))["role"] == "technician"
    async with api.front.visitor(api.network, "people:write") as lesser:
        problem(await lesser.client.put(path, json={"role": "owner"}), 409, "refused")
        # Nor is what a group gives taken by somebody who could not give it.
        problem(await lesser.client.put(path, json={"role": None}), 409, "refused")
    assert (await api.gets(f"/operators/{ada.operator_id}"))["role"] == "technician"
    assert (await api.client.put(path, json={"role": None})).json()["role"] is None


async def test_a_program_withdraws_what_it_asked_a_second_person_for(api: Visitor) -> None:
    me = (await api.gets("/me"))["actor_id"]
    async with api.network.pool.acquire() as conn, conn.transaction():
        own = await approvals.ask(conn, replace(access.system(api.network.party_id), actor_id=me), "x", "reset", {})
        other = await approvals.ask(conn, access.system(api.network.party_id), "x", "reset", {})
    assert (await api.posts(f"/approvals/{own.approval_id}/withdraw"))["state"] == "withdrawn"
    problem(await api.client.post(f"/approvals/{own.approval_id}/withdraw"), 409, "conflict")
    problem(await api.client.post(f"/approvals/{other.approval_id}/withdraw"), 409, "refused")
