"""Charging profiles in a real Chromium: by keyboard alone, with the preview as one types; and the rail of a phone."""

import pytest
from playwright.async_api import expect

from tests.console.test_browser import PHONE, Opens, browser, opens
from tests.console.visitor import Visitor
from tests.stories.listener import silent_station

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser


async def test_a_limit_is_set_by_keyboard_with_its_preview_before_anything_is_sent(
    opens: Opens, visitor: Visitor
) -> None:
    station = await silent_station(visitor.network, "2.0.1")
    page = await opens(f"/stations/{station.station_id}/profiles")
    await page.get_by_label("Steps").focus()
    await page.keyboard.type("0:00 16\nsoon 10")
    await page.keyboard.press("Tab")
    wrong = page.get_by_role("alert")
    await expect(wrong).to_contain_text("Step 2: hours:minutes and a limit")
    await expect(page.get_by_label("Steps")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Steps").fill("0:00 16\n6:00 10")
    await page.keyboard.press("Tab")
    await expect(page.locator("#preview svg")).to_be_visible()
    await expect(wrong).to_have_count(0)
    assert station.wire.heard == []
    button = page.get_by_role("button", name="Set the limit")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="holds profile")).to_be_visible()
    await expect(page.locator("h1")).to_contain_text("1 charging profile held.")
    heard = await station.hears("SetChargingProfile")
    assert len(heard["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"]) == 2
    await page.get_by_role("button", name="Clear", exact=True).click()
    await expect(page.locator("h1")).to_contain_text("no charging profile")


async def test_every_page_of_the_rail_is_in_reach_on_a_phone(opens: Opens, visitor: Visitor) -> None:
    await silent_station(visitor.network, "2.0.1")
    page = await opens("/", **PHONE)
    rail = page.get_by_role("navigation", name="Main")
    for name in ("Overview", "Stations", "Sessions", "Reservations", "More"):
        entry = rail.get_by_text(name, exact=True).locator("visible=true")
        await expect(entry).to_be_in_viewport(ratio=1)
    more = rail.locator("summary")
    for name, path in (("Templates", "/templates"), ("Firmware", "/firmware"), ("Safe limits", "/safe-limits")):
        await more.click()
        entry = rail.get_by_role("link", name=name).locator("visible=true")
        await expect(entry).to_be_in_viewport(ratio=1)
        await entry.click()
        await page.wait_for_url(f"**{path}")
        await expect(more).to_have_attribute("aria-current", "true")
    await more.click()
    await page.keyboard.press("Escape")
    await expect(rail.get_by_role("link", name="Templates").locator("visible=true")).to_have_count(0)
    await rail.get_by_role("link", name="Reservations").click()
    await page.wait_for_url("**/reservations")
