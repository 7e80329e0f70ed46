"""Cards and drivers in a real Chromium: by keyboard, on a phone, and printed."""

import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser


async def test_cards_are_chosen_by_key_blocked_undone_and_kept_as_a_list(opens: Opens, visitor: Visitor) -> None:
    for n in range(3):
        await visitor.network.token(f"CARD{n}", label=f"Pool {n}")
    page = await opens("/tokens")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator("[data-many-count]")).to_have_text("2 chosen")
    await page.get_by_role("button", name="Block", exact=True).click()
    asked = page.get_by_role("dialog", name="Sure?")
    await expect(asked).to_contain_text("Block 2 tokens?")
    await asked.get_by_role("button", name="Block").click()
    await expect(page.locator("#done")).to_contain_text("2 of 2 tokens blocked.")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("3 tokens, all good.")
    # Enter in a menu's field does what the menu is for, and nothing else.
    await page.get_by_label("Choose CARD0").focus()
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox", name="Search everything")).to_be_focused()
    await page.get_by_label("Choose CARD1").check()
    await page.get_by_text("Put into a group").click()
    await page.get_by_label("Group", exact=True).fill("FLEET")
    await page.keyboard.press("Enter")
    await asked.get_by_role("button", name="Put").click()
    await expect(page.locator("#done")).to_contain_text("1 of 1 token regrouped.")

    await page.goto("/tokens?group=FLEET")
    await page.get_by_label("Saved lists").click()
    await page.get_by_label("Keep this list as").fill("The fleet")
    await page.get_by_role("button", name="Keep").click()
    await expect(page.get_by_role("link", name="The fleet")).to_have_attribute("href", "/tokens?group=FLEET")
    await page.goto("/tokens")
    await page.get_by_label("Columns").click()
    async with page.expect_response("**/lists/tokens/columns"):
        await page.locator("[data-columns-list]").get_by_label("Type").uncheck()
    await page.reload()
    await expect(page.get_by_role("columnheader", name="Type")).to_be_hidden()
    await expect(page.get_by_role("columnheader", name="Group")).to_be_visible()


async def test_what_is_typed_finds_and_keys_lead_there(opens: Opens, visitor: Visitor) -> None:
    token_id = await visitor.network.token("0499AABB", label="Ada's card")
    page = await opens("/")
    await page.keyboard.press("/")
    await page.keyboard.type("499aa")
    hits = page.get_by_role("group", name="Hits")
    await expect(hits).to_contain_text("0499AABB")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/tokens/{token_id}")
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await page.wait_for_url("**/drivers")
    await page.keyboard.press("a")
    await expect(page.locator("#activity")).to_contain_text("Nothing yet")
    await page.keyboard.press("Escape")
    await expect(page.locator("#activity")).to_have_count(0)


async def test_pages_of_people_fit_a_phone_and_print_without_buttons(opens: Opens, visitor: Visitor) -> None:
    token_id = await visitor.network.token("0499AABB" * 8, label="A very long label of a card " * 5)
    driver = await visitor.sends("/drivers/new", name="Ilse " * 20, email="ilse@example.com", expect=303)
    page = await opens("/tokens", viewport={"width": 390, "height": 844}, color_scheme="dark")
    for path in (
        *("/tokens", "/tokens/new", "/tokens/import", f"/tokens/{token_id}", f"/tokens/{token_id}/edit", "/drivers"),
        *("/drivers/new", driver.answer.headers["location"], "/search?q=0499", "/activity"),
    ):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
    await page.goto(f"/tokens/{token_id}")
    await page.emulate_media(media="print")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.get_by_role("button", name="Block")).to_be_hidden()
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
