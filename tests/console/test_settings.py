"""Settings and Security: keys made, used, renamed and revoked; who stood at the door; how it is all set up."""

import re

import httpx
import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.visitor import Visitor, sign_in
from tests.stories.network import Network

__all__ = ["browser", "opens"]


async def knock(network: Network, station_id: str, password: str) -> int:
    """A station that opens its connection; the status it is answered."""
    url = network.house.url.replace("ws://", "http://").rstrip("/")
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "ocpp1.6"}
    async with httpx.AsyncClient() as station:
        answer = await station.get(f"{url}/ocpp/{station_id}", headers=headers, auth=(station_id, password))
    return answer.status_code


async def hears_of(visitor: Visitor, path: str, words: str) -> None:
    async def is_told() -> bool:
        return words in (await visitor.opens(path)).text

    await visitor.network.until(is_told, f"{path} tells of {words}")


async def test_a_key_is_made_used_renamed_and_revoked(visitor: Visitor, stranger: Visitor) -> None:
    assert (await visitor.opens("/settings/keys")).heading == "0 programs may come in."
    nothing = await visitor.sends("/settings/keys/new", name="Portal", expiry="90", where="all", expect=422)
    assert "a key needs at least one scope" in nothing.text
    assert 'value="Portal"' in nothing.html
    fields = {"name": "<b>Portal</b>", "scopes": ["stations:read", "sessions:read"]}
    late = await visitor.sends("/settings/keys/new", **fields, expiry="day", day="2020-01-01", where="all", expect=422)
    assert "the key would be over before it is made" in late.text
    nowhere = await visitor.sends("/settings/keys/new", **fields, expiry="30", where="some", expect=422)
    assert "choose at least one location" in nowhere.text
    made = await visitor.sends("/settings/keys/new", **fields, expiry="7", where="all")
    assert made.answer.headers["cache-control"] == "no-store"
    (secret,) = set(re.findall(r"ohm_[\w-]{20,}", made.html))
    assert "/api/v1/me" in made.text
    home = next(a.attributes["href"] for a in made.all("a", class_="primary"))
    assert secret not in (await visitor.opens(home)).html
    (row,) = (await visitor.opens("/settings/keys")).rows()
    assert "Ends soon" in row
    assert "<b>Portal</b>" in row
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as program:
        api = visitor.front.url + "/api/v1"
        assert (await program.get(f"{api}/stations")).status_code == 200
        assert (await program.get(f"{api}/tokens")).status_code == 403
        (row,) = (await visitor.opens("/settings/keys")).rows()
        assert "127.0.0.1" in row
        page = await visitor.opens(home)
        version = next(page.all("input", name="version")).attributes["value"]
        await visitor.sends(home, name="Fleet portal", version=version, expect=303)
        stale = await visitor.sends(home, name="Mine", version=version, expect=422)
        assert "Somebody changed this while you did" in stale.text
        assert "Fleet portal" in stale.text
        await stranger.opens(home, expect=404)
        await stranger.sends(home, do="revoke", expect=404)
        await visitor.sends(home, do="revoke", expect=303)
        assert (await program.get(f"{api}/stations")).status_code == 401
    assert (await visitor.opens(home)).heading == "Nothing any more: it was revoked."
    assert (await visitor.opens("/settings/keys")).heading == "0 programs may come in."
    assert "Revoked" in (await visitor.opens("/settings/keys?show=all")).rows()[0]
    table = (await visitor.client.get("/settings/keys.csv")).text
    assert "Fleet portal" in table
    assert secret not in table
    assert "api key renamed" in (await visitor.opens("/security/audit?about=api_key.")).text


async def test_who_was_turned_away_stands_at_the_door(visitor: Visitor, stranger: Visitor) -> None:
    name = f"DOOR-{visitor.network.suffix}"
    assert (await visitor.opens("/security/door")).heading == "Nobody was turned away in the last day."
    await visitor.sends("/stations/new", station_id=name, security_profile="1")
    assert await knock(visitor.network, name.lower(), "wrong-password-01") == 401
    await hears_of(visitor, "/security/door", name)
    page = await visitor.opens("/security/door")
    assert page.heading == "1 attempt to connect was turned away in the last day, 1 under names of your stations."
    (row,) = page.rows()
    assert "the password is wrong" in row
    assert "your station" in row
    assert f"/stations/{name}" in [a.attributes["href"] for a in page.all("a")]
    for query, n in (("show=unknown", 0), ("show=known", 1), ("reason=station_unknown", 0), (f"q={name.lower()}", 1)):
        rows = (await visitor.opens(f"/security/door?{query}")).rows()
        assert len([one for one in rows if name in one]) == n, query
    table = await visitor.client.get("/security/door.csv")
    assert name in table.text
    assert table.headers["content-type"].startswith("text/csv")
    await visitor.network.pool.execute(
        "insert into security_signal (party_id, station_id, kind, detail)"
        " values ($1, $2, 'station_tamper_detection_activated', '{\"tech_info\": \"=<i>door</i>\"}')",
        visitor.network.party_id,
        name,
    )
    events = await visitor.opens("/security/events")
    assert events.heading.startswith("1 sign of an attack in the last week.")
    assert "Somebody opened it, or tampered with it." in events.rows()[0]
    assert "<i>door" not in events.html
    assert len((await visitor.opens(f"/security/events?station={name}&show=every")).rows()) == 2
    assert name in (await visitor.client.get("/security/events.csv")).text
    first = await visitor.opens("/security")
    assert first.heading.startswith("1 sign of an attack. 1 attempt to connect was turned away")
    assert "The audit log is whole" in first.text
    for path in ("/security", "/security/door", "/security/events?show=every", "/security/door.csv"):
        assert name not in (await stranger.client.get(path)).text


async def test_the_door_goes_on_page_after_page(visitor: Visitor) -> None:
    network = visitor.network
    name = f"MANY-{network.suffix}"
    await visitor.sends("/stations/new", station_id=name, security_profile="0")
    await network.pool.execute(
        "insert into security_signal (at, party_id, station_id, remote_address, kind, detail)"
        " select now() - n * interval '1 second', $1, $2, '192.0.2.' || n, 'connection_refused',"
        ' \'{"reason": "password_wrong"}\' from generate_series(1, 130) n',
        network.party_id,
        name,
    )
    page = await visitor.opens("/security/door")
    assert len(page.rows()) == 100
    onwards = [a.attributes["href"] for a in page.all("a") if "after=" in a.attributes["href"]]
    assert len((await visitor.opens(onwards[0])).rows()) == 30
    events = await visitor.opens("/security/events?show=every")
    onwards = [a.attributes["href"] for a in events.all("a") if "after=" in a.attributes["href"]]
    assert len((await visitor.opens(onwards[0])).rows()) == 30


async def test_settings_show_how_it_is_all_set_up(visitor: Visitor) -> None:
    index = await visitor.opens("/settings")
    assert [row.split("  ")[0].split()[0] for row in index.rows()] == [
        *("Party", "People", "API", "Invoices", "Webhooks", "Notifications", "Payments"),
        *("Sign-in", "Integrations", "Quirks", "Retention"),
    ]
    for link in [a.attributes["href"] for a in index.all("a") if "table" in a.parents]:
        page = await visitor.opens(link)
        links = [a for a in page.all("a") if "main" in a.parents and "aria-current" in a.attributes]
        here = [a.attributes["href"] for a in links if "nav" in a.parents]
        assert here == [link]
    assert "OHMSTEAD_MESSAGE_RETENTION_DAYS" in (await visitor.opens("/settings/retention")).text
    assert "/scim/v2" in (await visitor.opens("/settings/sign-in")).text
    assert "org.openchargealliance.costmsg" in (await visitor.opens("/settings/integrations")).text
    await visitor.sends("/stations/new", station_id=f"Q-{visitor.network.suffix}", security_profile="0")
    await visitor.network.pool.execute(
        "update station set vendor = 'OpenEVSE', firmware_version = '4.2.2', ocpp_version = '1.6' where party_id = $1",
        visitor.network.party_id,
    )
    quirks = await visitor.opens("/settings/quirks")
    assert quirks.heading == "1 station has a quirk that is put right."
    assert "Energy.Active.Import.Register (Wh) × 1000" in quirks.rows()[0]
    assert "OpenEVSE" in (await visitor.client.get("/settings/quirks.csv")).text


async def test_a_reader_finds_security_and_quirks_and_no_keys(visitor: Visitor) -> None:
    async with httpx.AsyncClient(base_url=visitor.front.url, timeout=30) as client:
        reader = await sign_in(visitor.front, visitor.network, client, role="read_only")
        page = await reader.opens("/security")
        assert "Sign-ins refused" not in page.text
        assert "audit log" not in page.text.lower()
        assert [row.split()[0] for row in (await reader.opens("/settings")).rows()] == ["Quirks"]
        for path in ("/settings/keys", "/settings/keys/new", "/settings/sign-in", "/settings/retention"):
            await reader.opens(path, expect=403)
        await reader.sends("/settings/keys/new", name="x", scopes="admin", expect=403)


@pytest.mark.browser
async def test_an_owner_makes_a_key_a_program_uses_it_and_it_is_revoked(opens: Opens, visitor: Visitor) -> None:
    name = f"KNOCK-{visitor.network.suffix}"
    page = await opens("/")
    await page.keyboard.press("g")
    await page.keyboard.press("n")
    await page.wait_for_url("**/settings")
    await page.get_by_role("navigation", name="Rooms of the settings").get_by_role("link", name="API keys").click()
    await page.get_by_role("link", name="New key").click()
    await page.get_by_label("Name", exact=True).fill("Billing")
    await page.get_by_label("See sessions and their readings").check()
    await page.get_by_label("It is good").select_option("30")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The key is made. Note it now.")
    secret = (await page.locator("[data-copy-text]").first.inner_text()).strip()
    assert secret in await page.locator("[data-copy-text]").nth(1).inner_text()
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as curl:
        sessions = visitor.front.url + "/api/v1/sessions"
        assert (await curl.get(sessions)).status_code == 200
        await page.get_by_role("link", name="Open the key").click()
        await expect(page.locator("main")).to_contain_text("from 127.0.0.1")
        await page.get_by_role("button", name="Revoke").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.locator("main")).to_contain_text("Revoked. It opens nothing any more.")
        assert (await curl.get(sessions)).status_code == 401

    await visitor.sends("/stations/new", station_id=name, security_profile="1")
    assert await knock(visitor.network, name, "not-the-password") == 401
    await hears_of(visitor, "/security/door", name)
    await page.keyboard.press("g")
    await page.keyboard.press("u")
    await page.wait_for_url("**/security")
    await page.get_by_role("link", name=name).click()
    await page.wait_for_url(f"**/stations/{name}")
    await page.set_viewport_size({"width": 390, "height": 844})
    for path in (
        "/security",
        "/security/door",
        "/security/events",
        "/settings",
        "/settings/keys",
        "/settings/keys/new",
    ):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
