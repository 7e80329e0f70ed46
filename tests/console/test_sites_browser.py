"""Sites in a real Chromium: a tree built with keys alone, undone and kept; pages fit a phone."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.api.pictures import a_jpeg_that_tells_where
from tests.console.test_browser import Opens, browser, opens
from tests.console.town import Town
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("OHMSTEAD_SCREENSHOTS")


async def test_a_power_tree_is_built_by_keyboard_undone_and_shown(opens: Opens, visitor: Visitor) -> None:
    town = Town(visitor.network, datetime.now(UTC))
    place = await town.location("Harbour Park")
    station = await town.station("BUSY", connectors=2, location_id=place)
    page = await opens(f"/locations/{place}/power")
    await page.get_by_role("button", name="Add the grid connection").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.get_by_label("Limit, A a phase").fill("100")
    await page.get_by_role("button", name="Below Grid connection").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("textbox", name="Name").nth(1)).to_have_value("Circuit")
    await page.get_by_label("Limit, A a phase").nth(1).fill("32")
    await page.get_by_label(f"Circuit of {station}").select_option("Circuit")
    await page.get_by_role("button", name="Save", exact=True).last.click()
    await expect(page.get_by_text("44.0 kW could be drawn of the 22.1 kW")).to_be_visible()
    await page.get_by_role("button", name="Delete Circuit").click()
    await expect(page.get_by_label("Limit, A a phase")).to_have_count(1)
    await page.get_by_role("button", name="Bring back").click()
    await expect(page.get_by_label(f"Circuit of {station}")).to_have_value(
        str(
            await visitor.network.pool.fetchval("select circuit_id from circuit_station where station_id = $1", station)
        )
    )


async def test_pages_of_sites_fit_a_phone_and_a_file_is_imported(
    opens: Opens, visitor: Visitor, tmp_path: Path
) -> None:
    town = Town(visitor.network, datetime.now(UTC))
    place = await town.location("Harbour Park")
    station = await town.station("BUSY", connectors=2, location_id=place)
    waiting = await town.station("NEW", registration="pending")
    await town.session(station, begins=26, ends=25, wh=9_000, evse_number=2, location_id=place)
    await town.session(station, begins=0.5, ends=None, wh=2_500, location_id=place, power_w=11_000)
    table, photo = tmp_path / "sites.csv", tmp_path / "ramp.jpg"
    table.write_text("name,city,opening\nNorth,Graz,Mo-Fr 07:00-22:00\nOdd,,whenever\n")
    photo.write_bytes(a_jpeg_that_tells_where())
    page = await opens("/locations/import")
    await page.get_by_label("File").set_input_files(table)
    await page.get_by_role("button", name="Rehearse").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("This would create 1 location")
    await page.get_by_role("button", name="Import 1 for good").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("1 created")
    await page.goto(f"/locations/{place}")
    await page.get_by_label("Add a photo").set_input_files(photo)
    await page.get_by_role("button", name="Upload").click()
    await expect(page.locator(".photos img")).to_have_js_property("complete", True)
    await visitor.sends(f"/locations/{place}/power", version="2", do="add:")
    paths = {
        "locations": "/locations",
        "location": f"/locations/{place}",
        "location-form": f"/locations/{place}/edit",
        "power": f"/locations/{place}/power",
        "outlets": f"/stations/{station}/outlets",
        "import": "/locations/import",
        "stickers": f"/stickers?location={place}",
        "onboarding": "/onboarding",
        "adoption": f"/onboarding/{waiting}",
    }
    for name, path in paths.items():
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.emulate_media(color_scheme="dark")
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
        if SHOTS:
            await page.screenshot(path=f"{SHOTS}/{name}-390-dark.png", full_page=True)
            await page.set_viewport_size({"width": 1440, "height": 900})
            await page.emulate_media(color_scheme="light")
            await page.screenshot(path=f"{SHOTS}/{name}-1440.png", full_page=True)
