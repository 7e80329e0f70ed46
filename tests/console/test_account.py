"""An account of one's own: password, codes, recovery codes, proofs, browsers, and the people of the party."""

import asyncio
import base64
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from ohmstead.accounts.signin import totp
from ohmstead.core import clock
from tests.api.door import Front
from tests.console.visitor import Page, Visitor, sign_in
from tests.stories.network import Network

PASSWORD = "correct horse staple gun"
HERE = {"Sec-Fetch-Site": "same-origin"}


async def me_of(visitor: Visitor) -> UUID:
    """The visitor's operator."""
    told = (await visitor.client.get("/api/v1/me")).json()
    return UUID(told["actor_id"].partition(":")[2])


async def with_password(visitor: Visitor) -> str:
    """Gives the visitor an address and a password."""
    email = f"ada-{visitor.network.suffix}@example.com".lower()
    await visitor.sends("/account/details", name="Ada", email=email, expect=303)
    await visitor.sends("/account/password", new_password=PASSWORD, expect=303)
    return email


async def with_codes(visitor: Visitor) -> tuple[bytes, list[str]]:
    """Sets codes up as a person with an app does; the secret, and the recovery codes."""
    await visitor.sends("/account/codes", do="begin", expect=303)
    page = await visitor.opens("/account")
    text = next(e.text for e in page.all("span") if "data-code-secret" in e.attributes).replace(" ", "")
    secret = base64.b32decode(text)
    assert "<svg" in page.html.partition('class="qr"')[2][:200]
    await visitor.sends("/account/codes", do="confirm", code="000000", expect=422)
    page = await visitor.sends("/account/codes", do="confirm", code=code_of(secret))
    recovery = re.findall(r"[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}", page.text)
    assert len(recovery) == 10
    return secret, recovery


def code_of(secret: bytes, ahead: int = 0) -> str:
    return totp.code_at(secret, int(clock.now().timestamp()) // 30 + ahead)


def at(front: Front) -> httpx.AsyncClient:
    """Another browser."""
    return httpx.AsyncClient(base_url=front.url, timeout=30)


async def grows_old(visitor: Visitor) -> None:
    """The last proof is long ago."""
    await visitor.network.pool.execute(
        "update web_session set proved_at = now() - interval '11 minutes' where operator_id = $1", await me_of(visitor)
    )


async def enters(browser: httpx.AsyncClient, email: str, password: str, **more: str) -> httpx.Response:
    return await browser.post("/sign-in", data={"email": email, "password": password, "next": "/stations", **more})


async def test_a_password_with_codes_lets_in_and_every_code_counts_once(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    secret, recovery = await with_codes(visitor)
    kept = str(await visitor.network.pool.fetch("select to_jsonb(o)::text from operator o where email = $1", email))
    assert PASSWORD not in kept
    assert secret.hex() not in kept
    assert not any(code.replace("-", "") in kept for code in recovery)
    async with at(front) as browser:
        asked = await enters(browser, email.upper(), PASSWORD)
        assert Page(asked).heading == "The code, please."
        assert "ohmstead" not in browser.cookies
        note = next(Page(asked).all("input", name="note")).attributes["value"]
        wrong = await browser.post("/sign-in/code", data={"note": note, "code": "123456"})
        assert wrong.status_code == 403
        code = code_of(secret, 1)
        done = await browser.post("/sign-in/code", data={"note": note, "code": code, "next": "/stations"})
        assert (done.status_code, done.headers["location"]) == (303, "/stations")
        assert (await browser.get("/account")).status_code == 200
        again = await browser.post("/sign-in/code", data={"note": note, "code": recovery[0]})
        assert again.status_code == 403  # the first step counts once
    for tried, status in ((code, 403), (recovery[1], 303), (recovery[1].upper(), 403), (recovery[2].upper(), 303)):
        async with at(front) as browser:
            note = next(Page(await enters(browser, email, PASSWORD)).all("input", name="note")).attributes["value"]
            answer = await browser.post("/sign-in/code", data={"note": note, "code": tried})
            assert answer.status_code == status, tried
    page = await visitor.sends("/account/codes", do="recovery")
    assert "7 recovery codes" not in page.text
    async with at(front) as browser:
        note = next(Page(await enters(browser, email, PASSWORD)).all("input", name="note")).attributes["value"]
        assert (await browser.post("/sign-in/code", data={"note": note, "code": recovery[5]})).status_code == 403


async def test_wrong_guesses_wait_longer_each_time_and_tell_nothing(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    known = {"ohmstead-browser": ""}
    async with at(front) as browser:
        assert (await enters(browser, email, PASSWORD)).status_code == 303
        known["ohmstead-browser"] = browser.cookies["ohmstead-browser"]
    begun = datetime.now(UTC)
    clock.set_source(lambda: begun)
    try:
        texts: dict[str, list[str]] = {}
        for name in (email, f"nobody-{visitor.network.suffix}@example.com"):
            async with at(front) as browser:
                for n in range(7):
                    answer = await enters(browser, name, f"wrong password {n}")
                    page = Page(answer)
                    alert = next(e.text for e in page.all("p", role="alert"))
                    texts.setdefault(name, []).append(f"{answer.status_code} {' '.join(alert.split())}")
        first, second = texts.values()
        assert first == second  # an account that does not exist answers as one that does
        assert [text[:3] for text in first] == ["403"] * 6 + ["429"]
        async with at(front) as browser:
            blocked = await enters(browser, email, PASSWORD)
            assert blocked.status_code == 429  # the right one waits too: who guesses right early learns nothing
            assert 0 < int(blocked.headers["retry-after"]) <= 3
        # The person's own browser is not kept out by guesses elsewhere.
        async with at(front) as browser:
            answer = await browser.post("/sign-in", data={"email": email, "password": PASSWORD}, cookies=known)
            assert answer.status_code == 303
        clock.set_source(lambda: begun + timedelta(seconds=3))
        async with at(front) as browser:
            assert (await enters(browser, email, PASSWORD)).status_code == 303
    finally:
        clock.set_source(None)
    page = await visitor.opens("/security/sign-ins?show=refused")
    assert "wrong address or password" in page.text
    csv = (await visitor.client.get("/security/sign-ins.csv")).content.decode("utf-8-sig")
    assert csv.startswith("at,name,operator_id,method,outcome,reason,remote_address,device,user_agent")
    assert "signed_in" in csv
    assert "too early" in csv
    assert "wrong password" not in csv


async def test_many_guesses_at_once_are_not_more_guesses(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    async with at(front) as browser:
        guesses = [enters(browser, email, f"wrong password {n}") for n in range(12)]
        statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
    assert statuses.count(403) <= 6, statuses
    assert statuses.count(429) >= 6, statuses
    front.attempts.forget("127.0.0.1")


@pytest.mark.parametrize("change", ["password", "codes"])
async def test_a_sign_in_that_waits_for_its_code_is_over_when_what_it_began_with_is_changed(
    visitor: Visitor, front: Front, change: str
) -> None:
    email = await with_password(visitor)
    secret, _ = await with_codes(visitor)
    async with at(front) as thief:
        page = Page(await enters(thief, email, PASSWORD))
        note = next(page.all("input", name="note")).attributes["value"]
        if change == "password":
            await visitor.sends("/account/password", new_password="another battery staple horse", expect=303)
        else:
            await visitor.sends("/account/codes", do="remove", expect=303)
        answer = await thief.post("/sign-in/code", data={"note": note, "code": code_of(secret, 1)})
        assert answer.status_code == 403
        assert "begin again" in answer.text
        assert "ohmstead" not in thief.cookies


async def test_a_recovery_code_used_twice_at_once_lets_in_once(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    _, recovery = await with_codes(visitor)
    async with at(front) as one, at(front) as two:
        notes = [
            next(Page(await enters(browser, email, PASSWORD)).all("input", name="note")).attributes["value"]
            for browser in (one, two)
        ]
        sent = [
            browser.post("/sign-in/code", data={"note": note, "code": recovery[0]})
            for browser, note in zip((one, two), notes, strict=True)
        ]
        assert sorted(answer.status_code for answer in await asyncio.gather(*sent)) == [303, 403]


async def test_an_unknown_account_takes_as_long_as_a_known_one(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    took: dict[str, float] = {}
    async with at(front) as browser:
        await enters(browser, "warms-up@example.com", "nothing at all here")
        for name in (email, f"nobody2-{visitor.network.suffix}@example.com"):
            times = []
            for _ in range(4):
                began = time.perf_counter()
                await enters(browser, name, "nothing at all here")
                times.append(time.perf_counter() - began)
            took[name] = min(times)
    slow, fast = max(took.values()), min(took.values())
    assert fast > slow / 3, took  # without the same work it would be a tenth


async def test_what_is_typed_into_the_wrong_field_is_not_kept(visitor: Visitor, front: Front) -> None:
    async with at(front) as browser:
        assert (await enters(browser, "my secret pass phrase", "x")).status_code == 403
        assert (await enters(browser, "\x00\ud800@x.yy".encode("utf-8", "replace").decode(), "\x00")).status_code == 403
    found = str(await visitor.network.pool.fetch("select name from sign_in_attempt"))
    assert "secret pass phrase" not in found


async def test_a_bad_password_is_refused_with_the_reason(visitor: Visitor) -> None:
    page = await visitor.sends("/account/password", new_password=PASSWORD, expect=422)
    assert "together with your e-mail address" in page.text
    await with_password(visitor)
    for bad, why in (("short", "at least 12"), ("Password2026!!!", "tried first"), ("x" * 300, "at most")):
        page = await visitor.sends("/account/password", new_password=bad, expect=422)
        assert why in page.text
    page = await visitor.sends("/account/password", do="remove", expect=422)
    assert "only way to sign in" in page.text


# ------------------------------------------------------------------------------------------------------------ proofs


async def test_what_is_dangerous_asks_once_more_and_goes_on_with_what_was_typed(visitor: Visitor) -> None:
    await with_password(visitor)
    secret, _ = await with_codes(visitor)
    await grows_old(visitor)
    before = visitor.cookie
    email = f"bob-{visitor.network.suffix}@example.com".lower()
    typed = {"name": 'Bob <b>& "Co"', "email": email, "role": "technician"}
    answer = await visitor.client.post("/people", data={"csrf_token": visitor.csrf_token, **typed}, headers=HERE)
    asked = Page(answer)
    assert answer.status_code == 403
    assert asked.heading.startswith("Is it still you")
    assert await visitor.network.pool.fetchval("select count(*) from operator where email = $1", email) == 0
    held = next(asked.all("input", name="held")).attributes["value"]
    wrong = await visitor.sends("/prove", held=held, password=PASSWORD, code="000000", expect=403)
    assert next(wrong.all("input", name="held")).attributes["value"] == held
    page = await visitor.sends("/prove", held=held, password=PASSWORD, code=code_of(secret, 1))
    form = next(page.all("form", action="/people"))
    assert "data-send-now" in form.attributes
    fields = {e.attributes["name"]: e.text.strip() for e in page.all("textarea")}
    assert fields == typed
    token = next(page.all("input", name="csrf_token")).attributes["value"]
    assert visitor.cookie != before  # what a thief had opens nothing any more
    stolen = await visitor.client.get("/account", headers={"Cookie": f"ohmstead={before}"})
    assert stolen.status_code == 303
    done = Page(await visitor.client.post("/people", data={"csrf_token": token, **fields}))
    assert "A link for Bob" in done.text
    assert await visitor.network.pool.fetchval("select role from operator where email = $1", email) == "technician"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/people", {"name": "X", "email": "x@example.com", "role": "owner"}),
        ("/people/rules", {}),
        ("/account/password", {"new_password": PASSWORD}),
        ("/stations/bulk", {"kind": "ask", "step": "send"}),
        ("/stations/X/command", {"kind": "raw"}),
        ("/parts/simulator", {}),
        ("/stations/X/certificates/019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f/revoke", {}),
        ("/templates/019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f", {"do": "delete"}),
    ],
)
async def test_every_dangerous_form_wants_a_fresh_proof(visitor: Visitor, path: str, fields: dict[str, str]) -> None:
    await grows_old(visitor)
    page = await visitor.sends(path, expect=403, **fields)
    assert page.heading.startswith("Is it still you")
    fragment = await visitor.client.post(
        path, data={"csrf_token": visitor.csrf_token, **fields}, headers={"HX-Request": "true"}
    )
    assert fragment.headers["hx-trigger"] == "ohmstead:proof"
    assert fragment.headers["hx-reswap"] == "none"


async def test_the_api_asks_browsers_for_a_proof_too(visitor: Visitor) -> None:
    await grows_old(visitor)
    headers = {"X-CSRF-Token": visitor.csrf_token}
    body = {"name": "K", "scopes": ["stations:read"]}
    answer = await visitor.client.post("/api/v1/api-keys", json=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/v1/problems/proof-needed")
    answer = await visitor.client.post("/api/v1/stations/X/ocpp/Reset", json={"type": "Immediate"}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/v1/problems/proof-needed")
    answer = await visitor.client.request("DELETE", f"/api/v1/tokens/{UUID(int=7)}", headers=headers)
    assert answer.json()["type"] == "/api/v1/problems/proof-needed"


async def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    await visitor.network.pool.execute("delete from web_session where operator_id = $1", await me_of(visitor))
    name = f"NEW-{visitor.network.suffix}"
    answer = await visitor.client.post(
        "/stations/new", data={"csrf_token": visitor.csrf_token, "station_id": name}, headers=HERE
    )
    page = Page(answer)
    assert answer.status_code == 401
    held = next(page.all("input", name="held")).attributes["value"]
    page = Page(await enters(visitor.client, email, PASSWORD, held=held))
    assert next(page.all("form", action="/stations/new"))
    assert next(page.all("textarea", name="station_id")).text.strip() == name
    # Another site's form is not carried along, and cannot sign anybody in.
    async with at(front) as browser:
        for site in ({}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await browser.post("/stations/new", data={"station_id": name}, headers=site)
            assert answer.status_code == 303
        answer = await browser.post(
            "/sign-in", data={"email": email, "password": PASSWORD}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403
        assert "ohmstead" not in browser.cookies
        hostile = '{"path": "//evil.example/x", "fields": []}'
        answer = await enters(browser, email, PASSWORD, held=hostile)
        assert (answer.status_code, answer.headers["location"]) == (303, "/stations")


# ---------------------------------------------------------------------------------------------------------- browsers


async def test_browsers_are_listed_and_signed_out_one_by_one_and_all_at_once(visitor: Visitor, front: Front) -> None:
    email = await with_password(visitor)
    firefox = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; rv:143.0) Gecko/20100101 Firefox/143.0"}
    async with at(front) as there, at(front) as elsewhere:
        assert (await enters(there, email, PASSWORD)).status_code == 303
        await elsewhere.post("/sign-in", data={"email": email, "password": PASSWORD}, headers=firefox)
        page = await visitor.opens("/account")
        assert "Firefox on Windows" in page.text
        one = [f.attributes["value"] for f in page.all("input", name="web_session_id")]
        assert len(one) == 2
        await visitor.sends("/account/sessions", web_session_id=one[0], expect=303)
        n_open = [(await browser.get("/account")).status_code for browser in (there, elsewhere)]
        assert sorted(n_open) == [200, 303]
        await visitor.sends("/account/sessions", do="others", expect=303)
        assert [(await b.get("/account")).status_code for b in (there, elsewhere)] == [303, 303]
        await visitor.opens("/account")
        await visitor.sends("/account/sessions", do="all", expect=303)
        assert (await visitor.client.get("/account")).status_code == 303
    entry = await visitor.network.pool.fetchval(
        "select detail from audit_entry where party_id = $1 and action = 'operator.signed_in'"
        " and detail ->> 'method' = 'password' order by entry_id desc limit 1",
        visitor.network.party_id,
    )
    assert entry == {"method": "password", "device": "Firefox on Windows", "is_new_browser": True}


async def test_signing_in_gives_a_fresh_cookie_and_ends_the_one_before(visitor: Visitor) -> None:
    email = await with_password(visitor)
    planted = visitor.cookie
    assert (await enters(visitor.client, email, PASSWORD)).status_code == 303
    assert visitor.cookie != planted
    assert (await visitor.client.get("/account", headers={"Cookie": f"ohmstead={planted}"})).status_code == 303


# ------------------------------------------------------------------------------------------------------------ people


async def test_people_are_invited_changed_reset_and_disabled(
    visitor: Visitor, stranger: Visitor, front: Front, network: Network
) -> None:
    email = f"eve-{network.suffix}@example.com".lower()
    page = await visitor.sends("/people", name="Eve", email=email, role="read_only")
    link = next(e.text for e in page.all("code") if "link=" in e.text).strip()
    eve_id = await network.pool.fetchval("select operator_id from operator where email = $1", email)
    page = await visitor.sends("/people", name="Eve 2", email=email.upper(), role="read_only", expect=422)
    assert "somebody has this e-mail address" in page.text.lower()
    for fields, why in (
        ({"name": "", "email": "a@b.example", "role": "owner"}, "up to 100"),
        ({"name": "A", "email": "no address", "role": "owner"}, "ada@example.com"),
        ({"name": "A", "email": "a@b.example", "role": "emperor"}, "there are owner"),
    ):
        assert why in (await visitor.sends("/people", expect=422, **fields)).text
    async with at(front) as browser:
        secret = parse_qs(urlsplit(link).query)["link"][0]
        assert (await browser.post("/sign-in", data={"link": secret})).status_code == 303
        assert (await browser.get("/people")).status_code == 403
        await visitor.sends(f"/people/{eve_id}", do="role", role="owner", expect=303)
        assert (await browser.get("/people")).status_code == 200  # it counts at once
        await stranger.opens(f"/people/{eve_id}", expect=404)
        for do in ("disable", "reset", "sign-out", "role"):
            await stranger.sends(f"/people/{eve_id}", do=do, role="owner", expect=404)
        page = await visitor.opens(f"/people/{eve_id}")
        assert page.heading == "In 1 browser."
        page = await visitor.sends(f"/people/{eve_id}", do="reset")
        fresh = parse_qs(urlsplit(next(e.text for e in page.all("code") if "link=" in e.text).strip()).query)["link"][0]
        assert (await browser.get("/account")).status_code == 303
        assert (await browser.post("/sign-in", data={"link": fresh})).status_code == 303
        await visitor.sends(f"/people/{eve_id}", do="disable", expect=303)
        assert (await browser.get("/account")).status_code == 303
    me = await me_of(visitor)
    for do in ("disable", "reset", "role"):
        await visitor.sends(f"/people/{me}", do=do, role="support", expect=422)
    await visitor.sends(f"/people/{eve_id}", do="enable", expect=303)
    actions = await network.pool.fetch(
        "select action from audit_entry where party_id = $1 and object = $2 order by entry_id",
        network.party_id,
        f"operator/{eve_id}",
    )
    told = [row["action"] for row in actions]
    for action in ("invited", "role_changed", "reset", "disabled", "enabled"):
        assert f"operator.{action}" in told


async def test_the_keys_of_whoever_is_shut_out_are_shown_until_they_are_revoked(
    visitor: Visitor, front: Front, network: Network
) -> None:
    async with at(front) as there, at(front) as program:
        other = await sign_in(front, network, there)
        their_id = await me_of(other)
        body = {"name": "Billing", "scopes": ["admin"]}
        made = (await there.post("/api/v1/api-keys", json=body, headers={"X-CSRF-Token": other.csrf_token})).json()
        program.headers["Authorization"] = f"Bearer {made['secret']}"
        child = (await program.post("/api/v1/api-keys", json={"name": "Child", "scopes": ["stations:read"]})).json()
        page = await visitor.sends(f"/people/{their_id}", do="disable", expect=303)
        assert page.answer.headers["location"] == f"/people/{their_id}"
        page = await visitor.opens(f"/people/{their_id}")
        assert "go on working" in page.text
        keys = {a.attributes["href"]: a.text for a in page.all("a") if "/settings/keys/" in a.attributes["href"]}
        assert sorted(keys.values()) == ["Billing", "Child"]
        for path in keys:
            await visitor.sends(path, do="revoke", expect=303)
        assert "Keys of theirs" not in (await visitor.opens(f"/people/{their_id}")).text
        assert (await program.get("/api/v1/me")).status_code == 401
        assert child["key"]["created_by"] == f"key:{made['key']['api_key_id']}"
    front.attempts.forget("127.0.0.1")


async def test_who_runs_operations_cannot_make_owners(
    front: Front, network: Network, client: httpx.AsyncClient
) -> None:
    operations = await sign_in(front, network, client, role="operations")
    await operations.opens("/people", expect=403)
    await operations.sends("/people", name="X", email="x@example.com", role="owner", expect=403)
    await operations.opens("/security/sign-ins", expect=403)
    await operations.opens("/account")


# --------------------------------------------------------------------------------------------------- a second person


async def test_orders_to_many_wait_for_a_second_person(visitor: Visitor, front: Front, network: Network) -> None:
    station = await network.station("2.0.1")
    await visitor.sends("/people/rules", needs_second_person="yes", expect=303)
    order: dict[str, Any] = {"kind": "cache", "step": "send"}
    for _ in range(4):
        page = await visitor.sends("/stations/bulk", expect=303, **order)
        assert page.answer.headers["location"] == "/approvals"
    ids = [
        str(row["approval_id"])
        for row in await network.pool.fetch(
            "select approval_id from approval where party_id = $1 order by approval_id", network.party_id
        )
    ]
    assert await network.pool.fetchval("select count(*) from bulk_command where party_id = $1", network.party_id) == 0
    page = await visitor.sends(f"/approvals/{ids[0]}", do="approve", expect=422)
    assert "asked for it yourself" in page.text
    await visitor.sends(f"/approvals/{ids[1]}", do="withdraw", expect=303)
    async with at(front) as there:
        second = await sign_in(front, network, there, role="operations")
        await second.sends(f"/approvals/{ids[2]}", do="reject", reason=" ", expect=422)
        await second.sends(f"/approvals/{ids[2]}", do="reject", reason="not on a Friday", expect=303)
        await network.pool.execute("update approval set expires_at = now() where approval_id = $1", UUID(ids[3]))
        page = await second.sends(f"/approvals/{ids[3]}", do="approve", expect=422)
        assert "expired" in page.text
        done = await second.sends(f"/approvals/{ids[0]}", do="approve", expect=303)
        assert done.answer.headers["location"].startswith("/bulk/")
        await second.sends(f"/approvals/{ids[0]}", do="approve", expect=422)
        page = await second.opens("/approvals")
        assert "not on a Friday" in page.text
    row = await network.pool.fetchrow("select requested_by from bulk_command where party_id = $1", network.party_id)
    assert row is not None
    assert row["requested_by"] == f"operator:{await me_of(visitor)}"

    async def is_done() -> bool:
        return bool(
            await network.pool.fetchval(
                "select finished_at is not null from bulk_command where party_id = $1", network.party_id
            )
        )

    await network.until(is_done, "the station was told")
    assert station.station_id
    told = await network.pool.fetch(
        "select action from audit_entry where party_id = $1 and object like 'approval/%'", network.party_id
    )
    assert {row["action"] for row in told} == {
        "approval.asked", "approval.approved", "approval.rejected", "approval.withdrawn",
    }  # fmt: skip


async def test_what_somebody_asked_for_does_not_go_out_once_they_are_out(
    visitor: Visitor, front: Front, network: Network
) -> None:
    await network.station("2.0.1")
    await visitor.sends("/people/rules", needs_second_person="yes", expect=303)
    order = {"kind": "cache", "step": "send"}
    body = {"order": {"kind": "clear_cache"}, "selection": {}}
    async with at(front) as there, at(front) as program:
        asker = await sign_in(front, network, there)
        await asker.sends("/stations/bulk", expect=303, **order)
        made = await asker.client.post(
            "/api/v1/api-keys",
            json={"name": "Theirs", "scopes": ["commands:send"]},
            headers={"X-CSRF-Token": asker.csrf_token},
        )
        program.headers["Authorization"] = f"Bearer {made.json()['secret']}"
        assert (await program.post("/api/v1/bulk-commands", json=body)).status_code == 409
        await visitor.sends(f"/people/{await me_of(asker)}", do="disable", expect=303)
        await visitor.sends(f"/settings/keys/{made.json()['key']['api_key_id']}", do="revoke", expect=303)
    waiting = await network.pool.fetch("select approval_id from approval where party_id = $1", network.party_id)
    assert len(waiting) == 2
    for row in waiting:
        page = await visitor.sends(f"/approvals/{row['approval_id']}", do="approve", expect=422)
        assert "no longer" in page.text
        await visitor.sends(f"/approvals/{row['approval_id']}", do="reject", reason="they left", expect=303)
    assert await network.pool.fetchval("select count(*) from bulk_command where party_id = $1", network.party_id) == 0


async def test_a_key_for_people_does_not_switch_the_second_person_off(visitor: Visitor, front: Front) -> None:
    await visitor.sends("/people/rules", needs_second_person="yes", expect=303)
    async with at(front) as program:
        program.headers["Authorization"] = f"Bearer {await front.new_key(visitor.network, 'people:write')}"
        assert (await program.post("/people/rules", data={})).status_code == 403
    party = (await visitor.client.get("/api/v1/party")).json()
    assert party["needs_second_person"] is True


async def test_a_key_asks_for_a_second_person_and_is_none(visitor: Visitor, front: Front, network: Network) -> None:
    await network.station("1.6")
    await visitor.sends("/people/rules", needs_second_person="yes", expect=303)
    made = await visitor.client.post(
        "/api/v1/api-keys",
        json={"name": "Mine", "scopes": ["admin"]},
        headers={"X-CSRF-Token": visitor.csrf_token},
    )
    async with at(front) as program:
        program.headers["Authorization"] = f"Bearer {made.json()['secret']}"
        body = {"order": {"kind": "clear_cache"}, "selection": {}}
        answer = await program.post("/api/v1/bulk-commands", json=body)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "/api/v1/problems/second-person-needed")
        page = await visitor.sends(f"/approvals/{problem['approval_id']}", do="approve", expect=422)
        assert "key of your own" in page.text
        # Nor does a key stand between: what it makes is theirs, too.
        child = await program.post("/api/v1/api-keys", json={"name": "Child", "scopes": ["commands:send"]})
        program.headers["Authorization"] = f"Bearer {child.json()['secret']}"
        problem = (await program.post("/api/v1/bulk-commands", json=body)).json()
        page = await visitor.sends(f"/approvals/{problem['approval_id']}", do="approve", expect=422)
        assert "key of your own" in page.text
