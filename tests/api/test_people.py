"""People, attempts to sign in and approvals through the API."""

import httpx

from tests.api.door import Visitor, problem
from tests.api.test_access import signed_in


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
        assert (await api.posts(f"/operators/{operator_id}/sign-out"))["n_browsers"] == 1
        problem(await browser.get("/api/v1/me"), 401)
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
        other = await signed_in_as_other(api)
        answer = await browser.post(f"/api/v1/operators/{other}/disable", json={}, headers={"X-CSRF-Token": token})
        assert answer.json()["disabled_at"] is not None


async def signed_in_as_other(api: Visitor) -> str:
    """One more owner."""
    async with httpx.AsyncClient(base_url=api.front.url) as browser:
        await signed_in(api, browser)
        return str((await browser.get("/api/v1/me")).json()["actor_id"].partition(":")[2])
