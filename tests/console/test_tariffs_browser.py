"""A tariff in a real Chromium: written, seen to change as it is written, given to a location, charged by."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.town import Town
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser


async def test_a_tariff_by_day_and_night_is_written_given_to_a_location_and_charged_by(
    opens: Opens, visitor: Visitor
) -> None:
    town = Town(visitor.network, datetime.now(UTC))
    place = await town.location("Harbour Park")
    station = await town.station("BUSY", connectors=2, location_id=place)
    page = await opens("/tariffs")
    await page.get_by_role("link", name="Write the first one").click()
    await page.get_by_label("Name", exact=True).fill("Harbour")
    await page.get_by_label("VAT in percent").fill("20")
    await page.get_by_label("A kWh", exact=True).fill("0.50")
    total = page.locator(".example", has_text="By day").locator(".total")
    await expect(total).to_have_text("12.00 EUR")
    await page.get_by_label("A kWh", exact=True).fill("0.60")
    await expect(total).to_have_text("14.40 EUR")
    await page.get_by_role("button", name="Add hours").click()
    await expect(page.get_by_label("Row 1: from")).to_be_focused()
    await page.get_by_label("Row 1: from").fill("22:00")
    await page.get_by_label("Row 1: until").fill("06:00")
    night = page.locator(".example", has_text="Overnight").locator(".total")
    before = await night.inner_text()
    await page.get_by_label("Row 1: a kWh").fill("0.30")
    await expect(night).not_to_have_text(before)
    await expect(page.locator(".price-week")).to_contain_text("0.30")
    await page.get_by_role("button", name="Publish the tariff").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Harbour: 0.30–0.60 EUR per kWh")
    await page.get_by_label("At a location").select_option(label="Harbour Park")
    await page.get_by_role("button", name="Let it apply").click()
    await page.locator("#ask").get_by_role("button", name="Let it apply").click()
    await expect(page.locator("#where tbody")).to_contain_text("Harbour Park")
    # 20 kWh at once would be by day or by night; a kWh costs what the station's page says it does now.
    begins = datetime.now(UTC) + timedelta(seconds=1)
    session = await town.session(
        station,
        begins=0,
        ends=None,
        wh=10_000,
        location_id=place,
        started_at=begins,
        last_event_at=begins + timedelta(minutes=5),
        register_start_at=begins,
        register_last_at=begins + timedelta(minutes=5),
    )
    await page.goto(f"/stations/{station}")
    now = await page.locator("#prices td b").first.inner_text()
    await page.goto(f"/sessions/{session}")
    cost = page.locator("#cost")
    await expect(cost).to_contain_text("What does it cost so far?")
    await expect(cost).to_contain_text({"0.60 EUR per kWh": "7.20 EUR", "0.30 EUR per kWh": "3.60 EUR"}[now])


async def test_pages_of_tariffs_fit_a_phone_and_take_few_requests(opens: Opens, visitor: Visitor) -> None:
    answer = await visitor.sends(
        "/tariffs/new",
        expect=303,
        name="Harbour",
        currency="EUR",
        kwh="0.5",
        n_windows="1",
        w0_from="22:00",
        w0_kwh="0.3",
    )
    path = answer.answer.headers["location"]
    urls: list[str] = []
    page = await opens("/tariffs", viewport={"width": 390, "height": 844})
    page.on("request", lambda request: urls.append(request.url))
    for place in ("/tariffs", "/tariffs/new", path, f"{path}/edit", f"{path}/edit?as=json", "/tariffs/applies"):
        urls.clear()
        await page.goto(place)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, place
        assert len(set(urls)) <= 10, urls
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await expect(page).to_have_url(f"{visitor.front.url}/tariffs")
