"""Webhooks and the audit log as operators see them."""

import re

import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.visitor import Visitor
from tests.webhooks.receiver import receiving

__all__ = ["browser", "opens"]


async def test_a_webhook_is_set_up_tried_repaired_and_deleted(visitor: Visitor, stranger: Visitor) -> None:
    assert (await visitor.opens("/settings/webhooks")).heading == "Nobody is told yet."
    wrong = await visitor.sends(
        "/settings/webhooks/new", url="https://10.0.0.1/x", which="all", description="<b>Billing</b>", expect=422
    )
    assert "not a public address" in wrong.text
    assert 'value="&lt;b&gt;Billing&lt;/b&gt;"' in wrong.html
    none = await visitor.sends("/settings/webhooks/new", url="https://hooks.example.com/", which="some", expect=422)
    assert "Choose at least one event" in none.text
    async with receiving("410") as receiver:
        made = await visitor.sends(
            "/settings/webhooks/new", url=receiver.url, which="some", kinds=["TokenCreated", "StationCreated"]
        )
        (secret,) = set(re.findall(r"whsec_[\w+/=]+", made.html))
        assert made.answer.headers["cache-control"] == "no-store"
        home = next(a.attributes["href"] for a in made.all("a", class_="primary"))
        assert secret not in (await visitor.opens(home)).html
        await stranger.opens(home, expect=404)
        await stranger.sends(home, do="delete", expect=404)
        assert (await stranger.opens("/settings/webhooks")).heading == "Nobody is told yet."

        await visitor.sends("/stations/new", station_id=visitor.network.suffix + "-W", security_profile="0")
        (heard,) = await receiver.hears()
        assert heard.is_signed_with(secret)

        async def is_off() -> bool:
            return "Switched off by itself: it answered 410, gone." in (await visitor.opens(home)).heading

        await visitor.network.until(is_off, "the page says that it is off")
        listed = await visitor.opens("/settings/webhooks")
        assert listed.heading == "1 webhook switched off by itself. 1 webhook."
        assert "Off by itself" in listed.rows()[0]
        concern = "switched off by itself"
        assert concern in (await visitor.opens("/attention")).text

        receiver.how = "200"
        await visitor.sends(home, do="enable", expect=303)
        again = await visitor.sends(home, do="replay", days="1", expect=303)
        assert "again=1" in again.answer.headers["location"]
        assert "1 request is sent again." in (await visitor.opens(again.answer.headers["location"])).text
        await receiver.hears(2)

        async def is_taken() -> bool:
            return "All well." in (await visitor.opens(home)).heading

        await visitor.network.until(is_taken, "the page says that all is well")
        rotated = await visitor.sends(home, do="rotate")
        assert "The one before signs too, until" in rotated.text
        saved = await visitor.sends(home, url=receiver.url, which="all", description="All", expect=303)
        assert saved.answer.headers["location"] == home
        assert "all" in (await visitor.opens("/settings/webhooks")).rows()[0]
        assert "no such event" in (await visitor.sends(home, do="example", kind="Weather", expect=422)).text
        await visitor.sends(home, do="delete", expect=303)
        await visitor.opens(home, expect=404)


async def test_the_audit_log_tells_before_and_after_and_checks_itself(visitor: Visitor, stranger: Visitor) -> None:
    suffix = visitor.network.suffix
    async with receiving() as receiver:
        made = await visitor.sends(
            "/settings/webhooks/new", url=receiver.url, which="all", description="Old <i>name</i>"
        )
        home = next(a.attributes["href"] for a in made.all("a", class_="primary"))
        await visitor.sends(home, url=receiver.url, which="all", description="=New()", expect=303)
    await visitor.sends("/stations/new", station_id=f"{suffix}-A", security_profile="0")
    page = await visitor.opens("/security/audit?about=webhook.")
    changed, created = page.rows()
    assert "webhook changed" in changed
    assert "description: Old <i>name</i> → =New()" in changed
    assert "<i>name" not in page.html
    assert "webhook created" in created
    assert home in {a.attributes.get("href") for a in page.all("a", class_="id")}
    of_station = await visitor.opens(f"/security/audit?object=station/{suffix}-A")
    assert len(of_station.rows()) == 1
    assert len((await visitor.opens(f"/security/audit?q={suffix.upper()}-a")).rows()) == 1
    assert "No entry fits." in (await visitor.opens("/security/audit?to=2020-01-01")).text
    whole = await visitor.opens("/security/audit?check=yes")
    assert re.search(r"The log is whole: \d+ entries checked\.", whole.text)
    links = [a.attributes["href"] for a in whole.all("a") if "format=csv" in a.attributes.get("href", "")]
    assert "webhook.changed" in (await visitor.client.get(links[0])).text
    assert suffix not in (await stranger.opens("/security/audit")).text


@pytest.mark.browser
async def test_an_operator_sets_a_webhook_up_and_sees_the_example_arrive(opens: Opens, visitor: Visitor) -> None:
    async with receiving("500") as receiver:
        page = await opens("/settings/webhooks")
        await page.get_by_role("link", name="New webhook").click()
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_label("these:").check()
        await page.locator("summary", has_text="Tokens").click()
        await page.get_by_label("TokenCreated").check()
        await page.get_by_role("button", name="Set it up").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Note its secret now")
        secret = await page.locator("[data-copy-text]").inner_text()
        await page.get_by_role("link", name="Open the webhook").click()
        await page.get_by_role("button", name="Send the example").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("given up")
        await expect(page.locator("tbody").first).to_contain_text("answered 500")
        receiver.how = "200"
        await page.get_by_role("button", name="Send again").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("TokenCreated, an example: taken.")
        assert [one.is_signed_with(secret.strip()) for one in receiver.heard] == [True, True]
        assert receiver.heard[0].message_id == receiver.heard[1].message_id
        await page.set_viewport_size({"width": 390, "height": 844})
        for path in ("/settings/webhooks", "/settings/webhooks/new", "/security/audit?check=yes"):
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
