"""Firmware in a real Chromium: announced, uploaded, rolled out, and the progress moves by itself."""

import os

import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.test_files import listening
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser


async def test_an_image_goes_from_the_form_to_the_station_and_the_page_follows(opens: Opens, visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    asked = listening(station)
    page = await opens("/firmware")
    await page.get_by_label("File name").fill("fw-2.0.bin")
    await page.get_by_label("Version", exact=True).fill("2.0")
    await page.get_by_role("button", name="Announce").click()
    await expect(page.locator("h1")).to_contain_text("the file is missing")
    file = {"name": "fw.bin", "mimeType": "application/octet-stream", "buffer": os.urandom(300_000)}
    await page.get_by_label("File").set_input_files(file)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Upload").click()
    await expect(page.locator("h1")).to_contain_text("ready")

    await page.get_by_label("Waves").fill("100")
    await page.get_by_role("button", name="Begin").click()
    await expect(page.locator("h1")).to_contain_text("0 of 1 station done")

    async def is_asked() -> bool:
        return bool(asked)

    await visitor.network.until(is_asked, "the station is told")
    boot = station.boot_payload("FirmwareUpdate")
    boot["chargingStation"]["firmwareVersion"] = "2.0"
    await station.says("BootNotification", boot)
    await expect(page.locator("h1")).to_contain_text("1 of 1 station done")
