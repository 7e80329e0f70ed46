"""Who comes in, by key or by browser, and how they are kept out."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ohmstead.accounts import access, service
from ohmstead.accounts.model import Operator
from ohmstead.core.errors import NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.doorway import Attempts
from tests.api.door import Front, Visitor, problem


async def operator(api: Visitor, role: str = "owner") -> Operator:
    row = await api.network.pool.fetchrow(
        "insert into operator (operator_id, party_id, name, role) values ($1, $2, 'Test', $3) returning *",
        new_id(),
        api.network.party_id,
        role,
    )
    assert row is not None
    return Operator(**{name: row[name] for name in Operator.__struct_fields__})


async def link_for(api: Visitor, who: Operator, valid_s: float = 1800) -> str:
    async with api.network.pool.acquire() as conn, conn.transaction():
        return await service.new_sign_in_link(conn, who.operator_id, valid_s)


async def signed_in(api: Visitor, browser: httpx.AsyncClient, role: str = "owner") -> str:
    """Sign in as a fresh operator; returns the CSRF token its pages show."""
    who = await operator(api, role)
    answer = await browser.post("/sign-in", data={"link": await link_for(api, who), "next": "/stations?status=faulted"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/stations?status=faulted")
    token: str = await api.network.pool.fetchval(
        "select csrf_token from web_session where operator_id = $1", who.operator_id
    )
    return token


# ---------------------------------------------------------------------------------------------------- by key


async def test_without_a_key_or_with_a_bad_one_nobody_comes_in(front: Front) -> None:
    async with front.nobody() as nobody:
        for headers in (
            {},
            {"Authorization": "Bearer ohm_wrong"},
            {"Authorization": "Basic b2htOm9obQ=="},
            {"Authorization": "x"},
        ):
            answer = await nobody.get("/api/v1/stations", headers=headers)
            problem(answer, 401, "not-signed-in")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_does_what_its_scopes_say_and_no_more(api: Visitor) -> None:
    async with api.front.visitor(api.network, "stations:read", "tokens:write") as limited:
        assert (await limited.client.get("/stations")).status_code == 200
        await limited.posts("/tokens", {"uid": "T1"})
        for method, path in (("POST", "/stations"), ("GET", "/tokens"), ("GET", "/sessions"), ("GET", "/api-keys")):
            document = problem(await limited.client.request(method, path, json={}), 403, "not-allowed")
            assert "it takes" in document["detail"]


async def test_a_key_is_shown_once_and_can_be_revoked(api: Visitor) -> None:
    made = await api.posts("/api-keys", {"name": "Portal", "scopes": ["stations:read"]}, expect=201)
    secret, key_id = made["secret"], made["key"]["api_key_id"]
    assert secret not in (await api.client.get("/api-keys")).text
    assert secret not in str(await api.network.pool.fetch("select to_jsonb(k)::text from api_key k"))
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await api.client.get("/stations", headers=headers)).status_code == 200
    assert (await api.gets(f"/api-keys/{key_id}"))["last_used_at"] is not None
    assert (await api.client.delete(f"/api-keys/{key_id}")).status_code == 204
    problem(await api.client.get("/stations", headers=headers), 401, "not-signed-in")
    assert (await api.gets(f"/api-keys/{key_id}"))["revoked_at"] is not None


async def test_a_key_that_is_over_opens_nothing(api: Visitor) -> None:
    made = await api.posts("/api-keys", {"name": "Short", "scopes": ["stations:read"], "expires_at": soon(60)})
    await api.network.pool.execute("update api_key set expires_at = now() where name = 'Short'")
    answer = await api.client.get("/stations", headers={"Authorization": f"Bearer {made['secret']}"})
    problem(answer, 401, "not-signed-in")


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_nobody_gives_a_key_more_than_they_have(api: Visitor) -> None:
    actor = access.Actor(
        actor_id="key:x", name="Limited", party_id=api.network.party_id, actions=frozenset({"stations:read"})
    )
    async with api.network.pool.acquire() as conn:
        with pytest.raises(Refused, match="tokens:write"):
            await service.create_api_key(conn, actor, name="More", scopes=["stations:read", "tokens:write"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "scopes": ["stations:read"]}, "name"),
        ({"name": " ", "scopes": ["stations:read"]}, "name"),
        ({"name": "K", "scopes": []}, "scopes"),
        ({"name": "K", "scopes": ["everything"]}, "scopes"),
        ({"name": "K", "scopes": ["stations:read"], "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(api: Visitor, body: dict[str, object], field: str) -> None:
    assert problem(await api.client.post("/api-keys", json=body), 422, "invalid")["field"] == field


def test_an_address_with_too_many_bad_attempts_waits() -> None:
    attempts = Attempts(limit=3, n_addresses=2)
    for _ in range(3):
        attempts.check("192.0.2.1")
        attempts.failed("192.0.2.1")
    with pytest.raises(access.TooManyAttempts) as refused:
        attempts.check("192.0.2.1")
    assert 0 < refused.value.retry_after_s <= 61
    attempts.check("192.0.2.2")
    for n in range(3):
        attempts.failed(f"198.51.100.{n}")
    attempts.check("192.0.2.1")


def test_addresses_of_one_connection_are_one() -> None:
    attempts = Attempts(limit=3)
    for n in range(3):
        attempts.failed(f"2001:db8:1:2::{n}")
    with pytest.raises(access.TooManyAttempts):
        attempts.check("2001:db8:1:2:ffff::9")
    attempts.check("2001:db8:1:3::1")
    for _ in range(3):
        attempts.failed("::ffff:192.0.2.7")
    with pytest.raises(access.TooManyAttempts):
        attempts.check("192.0.2.7")


async def test_bad_keys_are_slowed_down_and_a_good_key_from_there_is_not(api: Visitor) -> None:
    await api.gets("/me")
    attempts: Attempts = api.front.attempts
    try:
        async with api.front.nobody() as nobody:
            statuses = [
                (await nobody.get("/api/v1/me", headers={"Authorization": f"Bearer ohm_{n}"})).status_code
                for n in range(40)
            ]
            assert statuses[0] == 401
            refused = await nobody.get("/api/v1/me", headers={"Authorization": "Bearer ohm_more"})
        problem(refused, 429, "too-many-attempts")
        assert int(refused.headers["retry-after"]) > 0
        await api.gets("/me")
    finally:
        attempts.forget("127.0.0.1")


# ------------------------------------------------------------------------------------------------ by browser


async def test_a_link_signs_in_once(api: Visitor) -> None:
    who = await operator(api)
    link = await link_for(api, who)
    async with api.front.nobody() as browser:
        page = await browser.get("/sign-in", params={"link": link})
        assert link in page.text
        first = await browser.post("/sign-in", data={"link": link})
        assert first.status_code == 303
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert (await browser.get("/api/v1/me")).json()["actor_id"] == f"operator:{who.operator_id}"
    async with api.front.nobody() as other:
        second = await other.post("/sign-in", data={"link": link})
        assert (second.status_code, "set-cookie" in second.headers) == (403, False)
    api.front.attempts.forget("127.0.0.1")


async def test_a_browser_that_is_signed_in_can_use_another_link(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        await signed_in(api, browser)
        who = await operator(api)
        assert (await browser.post("/sign-in", data={"link": await link_for(api, who)})).status_code == 303
        assert (await browser.get("/api/v1/me")).json()["actor_id"] == f"operator:{who.operator_id}"


async def test_of_two_who_use_a_link_at_once_one_comes_in(api: Visitor) -> None:
    link = await link_for(api, await operator(api))
    async with api.front.nobody() as browser:
        answers = await asyncio.gather(*(browser.post("/sign-in", data={"link": link}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [303, 403, 403, 403, 403, 403]
    api.front.attempts.forget("127.0.0.1")


async def test_a_link_that_is_over_or_of_a_disabled_operator_opens_nothing(api: Visitor) -> None:
    who = await operator(api)
    late = await link_for(api, who, valid_s=-1)
    link = await link_for(api, who)
    await api.network.pool.execute("update operator set disabled_at = now() where operator_id = $1", who.operator_id)
    async with api.front.nobody() as browser:
        for secret in (late, link, "", "\x00", "x" * 5000):
            assert (await browser.post("/sign-in", data={"link": secret})).status_code == 403
    with pytest.raises(NotFound):
        await link_for(api, who)
    api.front.attempts.forget("127.0.0.1")


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
async def test_signing_in_leads_nowhere_else(api: Visitor, target: str) -> None:
    link = await link_for(api, await operator(api))
    async with api.front.nobody() as browser:
        answer = await browser.post("/sign-in", data={"link": link, "next": target})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_browser_must_show_the_pages_token_to_change_anything(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        token = await signed_in(api, browser)
        body = {"name": "Depot"}
        problem(await browser.post("/api/v1/locations", json=body), 403, "not-allowed")
        problem(await browser.post("/api/v1/locations", json=body, headers={"X-CSRF-Token": "guess"}), 403)
        made = await browser.post("/api/v1/locations", json=body, headers={"X-CSRF-Token": token})
        assert made.status_code == 201
        assert (await browser.get("/api/v1/locations")).status_code == 200
        assert (await browser.post("/sign-out")).status_code == 403
        assert (await browser.post("/sign-out", data={"csrf_token": token})).status_code == 303
        problem(await browser.get("/api/v1/locations"), 401)


async def test_a_role_limits_what_a_browser_may_do(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        token = await signed_in(api, browser, "read_only")
        assert (await browser.get("/api/v1/stations")).status_code == 200
        answer = await browser.post("/api/v1/locations", json={"name": "x"}, headers={"X-CSRF-Token": token})
        problem(answer, 403, "not-allowed")
        problem(await browser.get("/api/v1/audit-log"), 403, "not-allowed")


async def test_a_signed_in_browser_is_listed_kept_while_used_and_can_be_thrown_out(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        await signed_in(api, browser)
        who = (await browser.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        pool = api.network.pool
        await pool.execute(
            "update web_session set last_seen_at = now() - interval '2 minutes', expires_at = now() + interval '1 hour'"
            " where operator_id = $1",
            who,
        )
        await browser.get("/api/v1/me")
        assert await pool.fetchval(
            "select expires_at > now() + interval '6 days' from web_session where operator_id = $1", who
        )
        async with pool.acquire() as conn:
            (session,) = await service.list_web_sessions(conn, who)
            assert session.remote_address == "127.0.0.1"
            actor = access.system(api.network.party_id)
            await service.revoke_web_session(conn, actor, who, session.web_session_id)
            with pytest.raises(NotFound):
                await service.revoke_web_session(conn, actor, who, session.web_session_id)
        problem(await browser.get("/api/v1/me"), 401)


async def test_a_session_does_not_outlive_a_month(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        await signed_in(api, browser)
        who = (await browser.get("/api/v1/me")).json()["actor_id"].partition(":")[2]
        await api.network.pool.execute(
            "update web_session set created_at = now() - interval '29 days', last_seen_at = now() - interval '1 day'"
            " where operator_id = $1",
            who,
        )
        await browser.get("/api/v1/me")
        left = await api.network.pool.fetchval("select expires_at - now() from web_session where operator_id = $1", who)
        assert timedelta(hours=23) < left <= timedelta(days=1)


async def test_nobody_is_led_to_the_sign_in_page(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        answer = await browser.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        fragment = await browser.get("/", headers={"HX-Request": "true"})
        assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/sign-in")


# ------------------------------------------------------------------------------------------------ the door itself


async def test_every_answer_carries_the_headers_that_protect(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        for path in ("/sign-in", "/no-such-page", "/api/v1/none", "/api/v1/docs", "/static/ohmstead.css", "/healthz"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "script-src 'self'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])


async def test_static_files_are_compressed_and_kept_and_pages_are_not(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        style = await browser.get("/static/ohmstead.css", params={"v": "1"})
        assert style.headers["content-encoding"] == "gzip"
        assert "immutable" in style.headers["cache-control"]
        assert (await browser.get("/static/ohmstead.css")).headers["cache-control"] == "no-cache"
        page = await browser.get("/sign-in", params={"link": "x" * 3000})
        assert "content-encoding" not in page.headers
        assert page.headers["cache-control"] == "no-store"
        assert (await browser.get("/static/../web.py")).status_code == 404
        assert (await browser.get("/static/%2e%2e/%2e%2e/web.py")).status_code == 404


async def test_a_request_id_is_taken_over_when_it_is_plain(api: Visitor) -> None:
    for given, is_kept in (("order-4711.a", True), ("a b", False), ("x" * 65, False), ("short", False)):
        answer = await api.client.get("/me", headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) is is_kept


async def test_health_names_what_is_checked(api: Visitor) -> None:
    async with api.front.nobody() as nobody:
        assert (await nobody.get("/healthz")).status_code == 200
        ready = await nobody.get("/readyz")
        assert (ready.status_code, ready.json()["status"], ready.json()["to_do"]) == (200, "ok", {})
        assert {"database": "ok", "migrations": "ok", "nats": "ok"}.items() <= ready.json()["checks"].items()
        assert "ohmstead_http_requests_total" in (await nobody.get("/metrics")).text
        forwarded = await nobody.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        assert forwarded.status_code == 403


async def test_pages_answer_errors_as_pages(api: Visitor) -> None:
    async with api.front.nobody() as browser:
        answer = await browser.get("/no-such-page")
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "<h1>" in answer.text


@pytest.mark.parametrize(
    "change",
    [
        "delete from web_session where operator_id = $1",
        "update web_session set expires_at = now() where operator_id = $1",
        "update operator set disabled_at = now() where operator_id = $1",
        "update operator set role = 'read_only' where operator_id = $1",
        "update operator set location_ids = '{}' where operator_id = $1",
    ],
)
async def test_whoever_was_let_in_is_so_no_longer_once_they_are_out_or_may_do_else(api: Visitor, change: str) -> None:
    who = await operator(api, "technician")
    async with api.network.pool.acquire() as conn:
        async with conn.transaction():
            cookie = (await service.open_session(conn, who, "link")).cookie
        found = await service.recognise_cookie(conn, cookie)
        assert found is not None
        assert await service.is_current(conn, found.actor)
        await conn.execute(change, who.operator_id)
        assert not await service.is_current(conn, found.actor)


@pytest.mark.parametrize("change", ["revoked_at", "expires_at"])
async def test_a_key_that_was_let_in_is_so_no_longer_once_it_opens_nothing(api: Visitor, change: str) -> None:
    async with api.network.pool.acquire() as conn:
        actor = await service.recognise_key(conn, await api.front.new_key(api.network, "events:read"))
        assert actor is not None
        assert await service.is_current(conn, actor)
        await conn.execute(f"update api_key set {change} = now() where 'key:' || api_key_id = $1", actor.actor_id)
        assert not await service.is_current(conn, actor)
