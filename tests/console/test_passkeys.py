"""Passkeys in a real Chromium, with the authenticator that its own tests use; and no page breaks the policy."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright, expect

from tests.console.browser import chromium
from tests.console.test_account import me_of
from tests.console.visitor import Visitor

pytestmark = pytest.mark.browser


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        path = await asyncio.to_thread(chromium)
        started = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        await started.close()


class Person:
    """Somebody at a browser with a fingerprint reader, and what the browser complains of."""

    def __init__(self, context: BrowserContext, page: Page, device: CDPSession, complaints: list[str]) -> None:
        self.context = context
        self.page = page
        self.device = device
        self.complaints = complaints
        self.authenticator = ""

    async def gets_a_reader(self, *, verifies: bool = True) -> None:
        await self.device.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = await self.device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.authenticator = made["authenticatorId"]

    async def has_credentials(self) -> list[dict[str, Any]]:
        told = await self.device.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})
        return list(told["credentials"])

    async def becomes(self, *, verified: bool) -> None:
        await self.device.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.authenticator, "isUserVerified": verified}
        )


@pytest.fixture
async def person(browser: Browser, visitor: Visitor) -> AsyncIterator[Person]:
    """The visitor, at `localhost`: browsers take no passkeys for bare addresses."""
    origin = visitor.front.url.replace("127.0.0.1", "localhost")
    context = await browser.new_context(base_url=origin)
    await context.add_cookies([{"name": "ohmstead", "value": visitor.cookie, "url": origin}])
    page = await context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    found = Person(context, page, await context.new_cdp_session(page), complaints)
    await found.gets_a_reader()
    yield found
    await context.close()


async def test_a_passkey_is_made_signs_in_proves_and_is_removed(person: Person, visitor: Visitor) -> None:
    page, pool, me = person.page, visitor.network.pool, await me_of(visitor)
    await page.goto("/account")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing but links")
    await page.get_by_label("Name of a new one").fill("Work laptop")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 passkey.")
    (credential,) = await person.has_credentials()
    assert credential["isResidentCredential"]
    # Again on the same device: the browser says that it has one.
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("This device holds one of your passkeys already.")).to_be_visible()

    # Signed out, and in again without a word typed.
    await page.locator("details.account summary").click()
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.goto("/sign-in?next=/stations")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page).to_have_url(re.compile(r"^http://[^/]+/stations$"))
    row = await pool.fetchrow("select * from passkey where operator_id = $1", me)
    assert row is not None
    assert row["sign_count"] > 0
    assert row["last_used_at"] is not None
    method = await pool.fetchval("select method from web_session where operator_id = $1", me)
    assert method == "passkey"

    # Ten minutes later something dangerous asks again, and goes on by itself with what was typed.
    await pool.execute("update web_session set proved_at = now() - interval '11 minutes' where operator_id = $1", me)
    await page.goto("/people")
    await page.get_by_label("Name", exact=True).fill("Bob")
    await page.get_by_label("E-mail address").fill(f"bob-{visitor.network.suffix}@example.com")
    await page.get_by_role("button", name="Make a link").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Is it still you")
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_role("heading", name="A link for Bob")).to_be_visible()

    # A page that is open asks in a dialog, and what was pressed happens after it.
    await pool.execute("update web_session set proved_at = now() - interval '11 minutes' where operator_id = $1", me)
    station = await visitor.network.station("1.6")
    await page.goto(f"/stations/{station.station_id}?kind=raw&pick=ClearCache")
    await page.get_by_role("button", name="Send as it is").click()
    dialog = page.locator("dialog#proof")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Use a passkey").click()
    await expect(dialog).to_be_hidden()
    fresh = await pool.fetchval(
        "select proved_at > now() - interval '1 minute' from web_session where operator_id = $1", me
    )
    assert fresh

    # The only way in stays.
    await page.goto("/account")
    await page.locator("form[action^='/account/passkeys/'] button[value=remove]").click()
    await expect(page.get_by_text("it is your only way to sign in", exact=False)).to_be_visible()
    assert [c for c in person.complaints if "403" not in c and "422" not in c] == []


async def test_a_copied_key_and_one_without_its_person_are_refused(person: Person, visitor: Visitor) -> None:
    page, pool, me = person.page, visitor.network.pool, await me_of(visitor)
    await page.goto("/account")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 passkey.")
    await person.context.clear_cookies()
    await page.goto("/sign-in")
    await person.becomes(verified=False)
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.get_by_text("No passkey was shown")).to_be_visible()
    await person.becomes(verified=True)
    # Somebody used a copy more often than this one was.
    await pool.execute("update passkey set sign_count = 1000 where operator_id = $1", me)
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.locator("[data-passkey-error]")).to_contain_text("does not prove it")
    reason = await pool.fetchval("select reason from sign_in_attempt where method = 'passkey' order by at desc limit 1")
    assert "sign" in reason.lower()
    await pool.execute("update passkey set sign_count = 0 where operator_id = $1", me)
    # What the browser answered once is worth nothing the second time.
    async with page.expect_request("**/sign-in/passkey") as sent:
        await page.get_by_role("button", name="Sign in with a passkey").click()
    request = await sent.value
    await expect(page).to_have_url(re.compile(r"^[^/]+//[^/]+/$"))
    again = await visitor.client.post(
        "/sign-in/passkey", content=request.post_data or "", headers={"Content-Type": "application/json"}
    )
    assert again.status_code in (403, 409)
    assert "signed_in" not in again.text


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"rawId": "x", "response": {}}', b'{"rawId": 7, "response": {"clientDataJSON": "e30"}}', b"\xff",
     b'{"rawId": "AAAA", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiAiQUFBQSJ9"}}'],
)  # fmt: skip
async def test_nonsense_for_a_passkey_is_refused(visitor: Visitor, body: bytes) -> None:
    for path in ("/sign-in/passkey", "/prove/passkey", "/account/passkeys"):
        headers = {"Content-Type": "application/json", "X-CSRF-Token": visitor.csrf_token}
        answer = await visitor.client.post(path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_no_page_breaks_the_policy(person: Person, visitor: Visitor) -> None:
    page = person.page
    await page.add_init_script(
        "window.broken = []; document.addEventListener('securitypolicyviolation',"
        " (event) => window.broken.push(event.violatedDirective + ' ' + event.blockedURI));"
    )
    email = f"ada-{visitor.network.suffix}@example.com"
    await visitor.sends("/account/details", name="Ada", email=email, expect=303)
    await visitor.sends("/account/codes", do="begin", expect=303)
    station = await visitor.network.station("2.0.1")
    paths = (
        *("/", "/stations", "/stations/new", "/stations/bulk", "/bulk", "/templates", "/firmware", "/sessions"),
        *("/reservations", "/account", "/people", "/security/sign-ins", "/approvals", "/sign-in", "/search?q=x"),
        *(f"/stations/{station.station_id}", f"/stations/{station.station_id}/configuration", "/nothing-here"),
        f"/stations/{station.station_id}/certificates",
    )
    found = {}
    for path in paths:
        await page.goto(path)
        if broken := await page.evaluate("window.broken"):
            found[path] = broken
    assert found == {}
    assert [c for c in person.complaints if "Content Security Policy" in c] == []
