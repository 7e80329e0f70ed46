"""Every page for drivers in a real Chromium: anybody can use it (axe-core), it fits a phone, and nothing is asked of others.

Routes are read off the application, so a new page that nobody looks at is found. `OHMSTEAD_SCREENSHOTS=… ./ohmstead test
tests/driver/test_every_page.py` keeps a picture of each.
"""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize

from ohmstead.core.ids import new_id
from ohmstead.drivers import passes
from tests.api.door import Front
from tests.console.test_browser import browser
from tests.console.test_every_page import faults, seen
from tests.console.town import Town
from tests.driver.visitor import Visitor, has_plug, offers, per_kwh, plug_path, public_place

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
# What answers with something else than a page of its own.
NO_PAGES = {
    *("/drive/sw.js", "/drive/manifest.webmanifest", "/drive/go", "/drive/me/data/export"),
    *("/drive/s/{}/now", "/drive/s/{}/live", "/drive/s/{}/pay", "/drive/back/{}", "/drive/l/{}/photos/{}"),
    *("/drive/me/money/back/{}", "/drive/me/money/stored/{}", "/drive/e/{}", "/drive/start"),
}


def routes(front: Front) -> set[str]:
    """Paths that a GET is for, what is put in left open."""
    return {
        re.sub(r"\{[^}]*\}", "{}", route.path).rstrip("/") or "/"
        for route in front.app.routes
        if (route.path == "/drive" or route.path.startswith("/drive/")) and "GET" in getattr(route, "methods", ())
    }


async def a_drivers_life(visitor: Visitor) -> dict[str, str]:
    """A network with prices, and a driver with charges behind them and one that goes on; gives the pages' addresses."""
    network = visitor.network
    await offers(network, per_kwh("0.4917"))
    place = await public_place(network)
    await public_place(network, "Station Square", latitude=48.29, longitude=14.29)
    station = await network.station("2.0.1", "LNZ-016", location_id=place, rated_w=150_000)
    await network.pool.execute("update evse set current_type = 'DC' where station_id = $1", station.station_id)
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    await visitor.signs_in(visitor.mailbox("robin"), at=station.station_id)
    await network.token("04A224F9C2", driver_id=await visitor.driver_id(), label="Key ring")
    await network.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, '04a224f9c2', '2020-01-01Z')",
        network.party_id,
        await visitor.driver_id(),
    )
    town = Town(network, datetime.now(UTC))
    values: dict[str, Any] = {"token_uid": "04A224F9C2", "location_id": place, "settled_at": town.now}
    for days in range(1, 40, 4):
        ends = days * 24 - 0.4
        await town.session(station.station_id, begins=days * 24, ends=ends, wh=14_000 + days * 300, **values)
    goes_on = await town.session(
        station.station_id,
        **{"begins": 0.25, "ends": None, "wh": 21_840, "power_w": 98_400, "soc_percent": 58, "soc_start_percent": 31}
        | values
        | {"settled_at": None, "power_at": town.now, "peak_power_w": 121_000},
    )
    for step in range(16):
        at = 0.25 - step / 64
        power = min(121_000, 30_000 + step * 25_000) - max(0, step - 6) * 2_500
        await town.sample(goes_on, at, energy_wh=1000 + step * 1400, power_w=power, soc_percent=31 + step * 1.8)
    await visitor.sends("/drive/me/cars", expect=303, name="Blue one", plug="ccs", used="17.5")
    await visitor.sends(f"/drive/l/{place}/favourite", expect=303, on="1")
    secret = visitor.front.house.settings.secret()
    asked = new_id()
    about = {"purpose": "top_up", "customer": f"driver:{await visitor.driver_id()}", "state": "created"}
    money = {"provider": "sandbox", "is_hold": False, "currency": "EUR", "amount": 20, "created_at": town.now}
    await town.insert("payment", payment_id=asked, party_id=network.party_id, **about, **money)
    other = await network.station("1.6", "LNZ-017", location_id=place)
    await has_plug(network, other)
    over = await network.pool.fetchval(
        "select session_id from session where party_id = $1 and status = 'completed' limit 1", network.party_id
    )
    return {
        "/drive": "/drive",
        "/drive/l/{}": f"/drive/l/{place}",
        "/drive/c/{}/{}": plug_path(other),
        "/drive/s/{}": passes.path_of(secret, "session", goes_on),
        "/drive/s/{}/stop": passes.path_of(secret, "session", goes_on) + "/stop",
        "/drive/s/{}/due": passes.path_of(secret, "payment", asked) + "/due",
        "ended": passes.path_of(secret, "session", over),
        "wrong": "/drive/c/NOWHERE/1",
        "code": f"{plug_path(other)}?totp=abc",
    }


async def test_everybody_can_use_every_page(browser: Browser, visitor: Visitor) -> None:
    known = await a_drivers_life(visitor)
    expected = routes(visitor.front) - NO_PAGES
    addresses = {path: known.get(path, path) for path in sorted(expected)} | known
    assert not [path for path in addresses.values() if "{" in path], "a page that nobody looks at"
    wrong: dict[str, Any] = {}
    others: list[str] = []
    context = await browser.new_context(base_url=visitor.front.url, viewport=PHONE, service_workers="block")
    page = await context.new_page()
    page.on("request", lambda r: None if r.url.startswith(visitor.front.url) else others.append(r.url))
    for is_signed_in in (False, True):
        if is_signed_in:
            cookie = next(one for one in visitor.client.cookies.jar if one.name == "ohmstead-driver")
            await context.add_cookies(
                [{"name": "ohmstead-driver", "value": cookie.value or "", "url": visitor.front.url}]
            )
        for path, address in addresses.items():
            is_open = not path.startswith(("/drive/me", "/drive/home", "/drive/history"))
            if is_signed_in == is_open and path != "/drive/c/{}/{}":
                continue
            name = re.sub(r"[^a-z0-9]+", "-", path).strip("-") + ("-signed-in" if is_signed_in and is_open else "")
            await page.set_viewport_size(PHONE)
            await page.emulate_media(color_scheme="light", reduced_motion="reduce")
            await page.goto(address)
            await seen(page, f"{name}-phone")
            found = await faults(page)
            width = await page.evaluate("document.documentElement.scrollWidth")
            await page.emulate_media(color_scheme="dark")
            await seen(page, f"{name}-phone-dark")
            found += [fault for fault in await faults(page) if fault not in found]
            await page.set_viewport_size(DESKTOP)
            await page.emulate_media(color_scheme="light")
            await seen(page, name)
            if found or width > PHONE["width"]:
                wrong[path] = [*found, f"{width} px wide"]
    await context.close()
    assert others == []
    assert wrong == {}, "\n".join(f"{path}\n  " + "\n  ".join(said) for path, said in wrong.items())


async def test_a_page_that_nobody_looks_at_is_found(front: Front) -> None:
    assert {"/drive", "/drive/history", "/drive/c/{}/{}"} <= routes(front)
    assert routes(front) >= NO_PAGES
