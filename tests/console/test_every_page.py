"""Every page of the console in a real Chromium: anybody can use it (axe-core), it fits a phone, and it asks for nothing
that its policy forbids.

Pages are read off the application; a new one is looked at by itself. `OHMSTEAD_SCREENSHOTS=docs/screenshots/pages
./ohmstead test tests/console/test_every_page.py` keeps a picture of each.
"""

import io
import os
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Page

from tests.api import test_every_door as every_door
from tests.console import test_doors
from tests.console.test_browser import Opens, browser, opens
from tests.console.test_browser import a_town as a_town_of
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

AXE = files("axe_playwright_python").joinpath("axe.min.js")
SHOTS = os.environ.get("OHMSTEAD_SCREENSHOTS")
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
# What axe calls serious or critical is a fault; the rules are those of WCAG 2.2 AA and axe's own best practices.
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  const where = (node) => `${node.target.join(" ")} ${node.html.slice(0, 160)}`;
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) =>
    `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map(where).join(" | ")}`);
}"""


async def pages(visitor: Visitor, ids: dict[str, str]) -> AsyncIterator[tuple[str, str]]:
    """Route and address of every whole page that a GET answers with."""
    for door in every_door.doors(visitor.front.app):
        if door.method != "GET" or door.is_api or door.name in every_door.STREAMS:
            continue
        if door.path.startswith(("/pki/", "/sign-in/", "/language", "/unsubscribe/")):
            continue
        address = door.address(ids)
        answer = await visitor.client.get(address)
        if answer.status_code == 200 and answer.text.startswith("<!doctype html>"):
            yield door.path, address


async def seen(page: Page, name: str) -> None:
    """Keep a picture, small enough to live beside the documentation."""
    if SHOTS:
        drawn = Image.open(io.BytesIO(await page.screenshot(full_page=False)))
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        drawn.save(Path(SHOTS) / f"{name}.webp", quality=70, method=6)


async def faults(page: Page) -> list[str]:
    if not await page.evaluate("'axe' in window"):
        # The page's policy lets no script in but its own; this comes from the browser's side.
        await page.evaluate(AXE.read_text())
    return list(await page.evaluate(RUN))


def named(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\{\w+\}", "one", path)).strip("-") or "overview"


async def test_everybody_can_use_every_page(opens: Opens, visitor: Visitor) -> None:
    wrong: dict[str, Any] = {}
    looked_at = set()
    async with visitor.front.visitor(visitor.network, "admin") as api:
        ids = await every_door.one_of_everything(api)
    await a_town_of(visitor)
    found = [pair async for pair in pages(visitor, ids)]
    page = await opens("/account", viewport=DESKTOP)
    for path, address in found:
        looked_at.add(path)
        await page.set_viewport_size(DESKTOP)
        await page.emulate_media(color_scheme="light")
        await page.goto(address)
        await seen(page, named(path))
        at_desk = await faults(page)
        await page.set_viewport_size(PHONE)
        await page.emulate_media(color_scheme="dark")
        await seen(page, f"{named(path)}-phone")
        on_phone = [fault for fault in await faults(page) if fault not in at_desk]
        width = await page.evaluate("document.documentElement.scrollWidth")
        if at_desk or on_phone or width > PHONE["width"]:
            wrong[path] = [*at_desk, *(f"on a phone: {fault}" for fault in on_phone), f"{width} px wide"]
    assert wrong == {}, "\n".join(f"{path}\n  " + "\n  ".join(said) for path, said in wrong.items())
    plain = {re.sub(r"\{\w+\}", "{}", path) for path in looked_at}
    expected = {re.sub(r"\{\w+\}", "{}", path.partition("?")[0]) for path in test_doors.PAGES}
    assert expected - plain <= {"/stations/{}/messages"}  # leads to the log
    assert len(looked_at) > 40


async def test_the_door_can_be_used_by_everybody(opens: Opens) -> None:
    page = await opens("/sign-in")
    await page.context.clear_cookies()
    for size, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme=scheme)
        await page.goto("/sign-in")
        await seen(page, f"sign-in{'-phone' if size is PHONE else ''}")
        assert await faults(page) == []


async def test_the_look_at_pages_can_fail(opens: Opens) -> None:
    page = await opens("/account")
    await page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button>')")
    (fault,) = await faults(page)
    assert fault.startswith("button-name")
