"""An operator at work in a real Chromium: nothing typed is lost, answers stay, what cannot be undone is asked once."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from ohmstead.simulator.scenes import ending_root
from tests.console.test_browser import Opens, browser, opens
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser


async def test_who_types_and_sends_at_once_loses_nothing_and_sees_the_answer(opens: Opens, visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1")
    page = await opens(f"/stations/{station.station_id}?kind=raw&mode=json")
    panel = page.locator("#command")
    # Leaving each field asks for the words below anew; what is typed meanwhile, and the button, stay as they are.
    await panel.get_by_label("Message", exact=True).fill("ClearCache")
    await panel.get_by_label("Payload, JSON").fill('{"customData": {"vendorId": "typed"}}')
    await panel.get_by_role("button", name="Send as it is").click()
    assert await station.hears("ClearCache") == {"customData": {"vendorId": "typed"}}
    await expect(panel.locator(".result")).to_contain_text("The station answered Accepted")
    await page.wait_for_load_state("networkidle")
    await expect(panel.locator(".result")).to_contain_text("The station answered Accepted")

    await panel.get_by_role("link", name="Any order").click()
    # By the keyboard alone: find it, fill it in, add a part, send it, and be asked once, for it can cut a station off.
    await panel.get_by_label("Order").fill("set variables")
    await page.keyboard.press("Enter")
    await expect(panel.get_by_role("heading", name="Change setting")).to_be_visible()
    await panel.get_by_label("Name").fill("OCPPCommCtrlr.HeartbeatInterval")
    await panel.get_by_label("Value").fill("120")
    await panel.get_by_role("button", name="+ Values").click()
    await expect(panel.get_by_label("Name").nth(1)).to_be_focused()
    await page.keyboard.type("ClockCtrlr.TimeSource")
    await panel.get_by_role("button", name="Send the order").click()
    asked = page.get_by_role("dialog", name="Sure?")
    await expect(asked).to_contain_text("wrong ones can cut it off")
    await page.keyboard.press("Escape")
    await expect(panel.get_by_label("Name").nth(1)).to_have_value("ClockCtrlr.TimeSource")
    await (
        panel.get_by_role("button", name="Take values 2 away")
        .or_(panel.get_by_role("button", name="Take 2 away"))
        .click()
    )
    await expect(panel.get_by_label("Name")).to_have_count(1)
    await panel.get_by_role("button", name="Send the order").click()
    await asked.get_by_role("button", name="Send the order").click()
    assert (await station.hears("SetVariables"))["setVariableData"][0]["attributeValue"] == "120"
    await expect(panel.locator(".result")).to_contain_text("What was sent")
    await expect(panel.locator(".result")).to_contain_text("HeartbeatInterval")
    await expect(page.locator("#last-commands")).to_contain_text("Change setting")
    tabs = page.get_by_role("navigation", name=f"Pages of {station.station_id}")
    for name in ("Configuration", "Certificates", "Logs and firmware", "Profiles", "Reservations"):
        await tabs.get_by_role("link", name=name).click()
        await expect(tabs.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")


async def test_revoking_is_asked_once_and_tables_fit_a_phone(opens: Opens, visitor: Visitor) -> None:
    pem = ending_root(datetime.now(UTC))
    await visitor.sends("/certificates/roots", kind="contract_root", certificate_pem=pem, expect=303)
    page = await opens("/certificates", viewport={"width": 390, "height": 844})
    revoke = page.get_by_role("button", name="Revoke")
    asked = page.get_by_role("dialog", name="Sure?")
    await revoke.click()
    await expect(asked).to_contain_text("trusted no longer")
    await page.keyboard.press("Escape")
    await expect(asked).to_be_hidden()
    await expect(page.locator("tbody")).to_contain_text("In use")
    await revoke.click()
    await asked.get_by_role("button", name="Revoke").click()
    await expect(page.locator("tbody")).to_contain_text("Revoked")
    for path in (
        "/certificates?show=all",
        "/firmware",
        "/templates",
        "/reservations",
        "/bulk",
        "/stations/bulk?kind=order",
    ):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, path
