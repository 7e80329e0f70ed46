"""The message log and a station's day in a real Chromium: followed live, read in plain words, looked at closer."""

import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.town import Town
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser


async def test_the_log_is_followed_paused_and_read_in_plain_words(opens: Opens, visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    page = await opens(f"/stations/{station.station_id}/log")
    rows = page.locator(".log-row")
    await expect(rows.first).to_contain_text("BootNotification")
    await expect(page.locator("[data-live-mark]")).to_have_text("Live")
    await station.says("Heartbeat", {})
    await expect(rows.first).to_contain_text("Heartbeat")
    await page.get_by_role("button", name="Pause").click()
    n = await rows.count()
    await station.says("Heartbeat", {})
    go_on = page.get_by_role("button", name="Go on, 1 new")
    await expect(go_on).to_be_visible()
    assert await rows.count() == n
    await go_on.click()
    await expect(rows).to_have_count(n + 1)

    boot = page.locator(".log-row", has_text="BootNotification")
    await boot.locator("summary").click()
    await expect(boot.get_by_text("the power came on")).to_be_visible()
    await expect(boot.get_by_text("Who made it.").first).to_be_visible()
    await page.get_by_label("Action").select_option("BootNotification")
    await expect(page).to_have_url(re.compile("action=BootNotification"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Messages: BootNotification")
    await expect(page.locator(".log-row", has_text="Heartbeat")).to_have_count(0)
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_a_day_is_looked_at_closer_by_key_and_by_hand(opens: Opens, visitor: Visitor) -> None:
    town = Town(visitor.network, datetime.now(UTC))
    station = await town.station("DAY")
    page = await opens(f"/stations/{station}/day?from={_stretch(town)}")
    await expect(page.get_by_role("heading", name="A part of it")).to_be_visible()
    await town.message(station, 1.0, "Heartbeat")
    await page.keyboard.press("-")
    await expect(page).to_have_url(re.compile("from="))
    await expect(page.locator("a.bar")).to_have_count(1)
    chart = page.locator("[data-day]")
    box = await chart.bounding_box()
    assert box is not None
    at = box["y"] + box["height"] * 0.3
    await page.mouse.move(box["x"] + box["width"] * 0.4, at)
    await expect(page.locator("[data-day-said]")).to_contain_text("on your clock")
    before = page.url
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.6, at, steps=4)
    await page.mouse.up()
    await expect(page).not_to_have_url(before)
    await expect(chart).to_be_visible()
    await page.keyboard.press("0")
    await expect(page.get_by_role("heading", name="The day")).to_be_visible()
    await page.go_back()
    await page.go_back()
    await page.locator("a.bar").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".log-row")).to_contain_text("Heartbeat")


def _stretch(town: Town) -> str:
    a, b = (town.ago(hours).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (1.5, 0.5))
    return f"{a}&to={b}"
