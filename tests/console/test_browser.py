"""The console in a real Chromium: what is live moves by itself, keys work, nothing needs the outside."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from tests.console.browser import chromium
from tests.console.town import Town
from tests.console.visitor import Visitor

pytestmark = pytest.mark.browser

Opens = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        # Installing one takes a minute, in which the servers of this process must not stand still.
        path = await asyncio.to_thread(chromium)
        started = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        await started.close()


@pytest.fixture
async def opens(browser: Browser, visitor: Visitor) -> AsyncIterator[Opens]:
    """Open a path, signed in; at the end no page may have complained or asked another host for anything."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_page(path: str, **traits: Any) -> Page:
            first = traits.pop("first", None)
            settings = {"viewport": {"width": 1440, "height": 900}, "timezone_id": "Europe/Vienna", **traits}
            context = await browser.new_context(base_url=visitor.front.url, **settings)
            stack.push_async_callback(context.close)
            await context.add_cookies([{"name": "ohmstead", "value": visitor.cookie, "url": visitor.front.url}])
            page = await context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda e: complaints.append(str(e)))
            page.on("request", lambda r: None if r.url.startswith(visitor.front.url) else complaints.append(r.url))
            if first:
                await first(page)
            await page.goto(path)
            return page

        yield open_page
    # A stream that a test cut off is not a complaint of the page's.
    assert [c for c in complaints if "ERR_INTERNET_DISCONNECTED" not in c] == []


async def a_town(visitor: Visitor) -> tuple[Town, str, Any]:
    town = Town(visitor.network, datetime.now(UTC))
    place = await town.location("Harbour Park")
    busy = await town.station("BUSY", connectors=2, location_id=place, vendor="Acme", model="One")
    await town.fault(await town.station("BROKEN", location_id=await town.location("North", 48.3, 16.5)))
    await town.station("GONE", online=False, lost_hours_ago=1)
    await town.session(busy, begins=26, ends=25, wh=9_000, evse_number=2)
    session = await town.session(busy, begins=0.5, ends=None, wh=2_500, token_uid="04A224F9", power_w=11_000)
    for step in range(6):
        await town.sample(
            session, 0.5 - step * 0.08, energy_wh=1000 + step * 500, power_w=11_000, soc_percent=40 + step
        )
    await town.message(busy, 0.2, "MeterValues")
    return town, busy, session


async def test_a_page_takes_few_requests_and_few_bytes(opens: Opens, visitor: Visitor) -> None:
    await a_town(visitor)
    sizes: dict[str, int] = {}

    async def count(page: Page) -> None:
        session = await page.context.new_cdp_session(page)
        urls: dict[str, str] = {}
        session.on("Network.requestWillBeSent", lambda e: urls.update({e["requestId"]: e["request"]["url"]}))
        session.on("Network.loadingFinished", lambda e: sizes.update({urls[e["requestId"]]: e["encodedDataLength"]}))
        session.on("Network.responseReceived", lambda e: sizes.setdefault(e["response"]["url"], 0))
        await session.send("Network.enable")

    page = await opens("/", first=count)
    await expect(page.locator("[data-live-mark]")).to_have_text("Live")
    first = {url: size for url, size in sizes.items() if "/parts/" not in url}
    assert len(first) <= 10, first
    assert sum(first.values()) <= 150 * 1024, first


async def test_the_first_station_appears_by_itself(opens: Opens, visitor: Visitor) -> None:
    page = await opens("/")
    await expect(page.get_by_text("Waiting for the first station")).to_be_visible()
    station = await visitor.network.station("2.1")
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Yes. All 1 station is online."))
    assert station.station_id in await page.inner_text("[data-feed]")


async def test_a_charge_is_followed_without_a_reload(opens: Opens, visitor: Visitor) -> None:
    network = visitor.network
    await network.token("CARD")
    station = await network.station("1.6")
    page = await opens(f"/stations/{station.station_id}")
    await page.evaluate("window.isSamePage = true")
    await station.plugs_in()
    await station.presents("CARD")
    station.soc_percent = 47
    await station.delivers(wh=2_750, over="15m")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Charging 1 car at 11.0 kW.")
    lane = page.locator(".lane").first
    await expect(lane).to_contain_text("2.750 kWh")
    await expect(lane).to_contain_text("47 %")
    await station.delivers(wh=2_750, over="15m")
    await expect(lane).to_contain_text("5.500 kWh")
    await expect(page.locator("#log-rows")).to_contain_text("MeterValues")
    assert await page.evaluate("window.isSamePage")


async def test_what_happens_before_a_page_listens_is_shown_when_it_does(opens: Opens, visitor: Visitor) -> None:
    await visitor.network.token("CARD")
    station = await visitor.network.station("1.6")
    page = await opens("/account")
    may_listen = asyncio.Event()

    async def late(route: Route) -> None:
        await may_listen.wait()
        await route.continue_()

    await page.route("**/live?*", late)
    await page.goto(f"/stations/{station.station_id}")
    await station.plugs_in()
    await station.presents("CARD")
    await station.delivers(wh=2_750, over="15m")
    may_listen.set()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Charging 1 car at 11.0 kW.")


async def test_a_session_is_stopped_from_its_lane_after_being_told_what_will_happen(
    opens: Opens, visitor: Visitor
) -> None:
    network = visitor.network
    await network.token("CARD")
    station = await network.station("2.0.1")
    await station.plugs_in()
    await station.presents("CARD")
    await station.delivers(wh=5_000, over="30m")
    page = await opens(f"/stations/{station.station_id}")
    await page.locator(".lane").get_by_role("link", name="Stop").click()
    panel = page.locator("#command")
    await expect(panel).to_contain_text("Ends the session of the car on 1 (5.000 kWh so far)")
    await expect(panel.get_by_role("button", name="Stop the session")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(panel).to_contain_text("The station answered Accepted")
    await network.is_status(station, "completed")


async def test_an_order_to_many_is_followed_without_a_reload(opens: Opens, visitor: Visitor) -> None:
    release = asyncio.Event()

    async def slowly(_payload: object) -> dict[str, str]:
        await release.wait()
        return {"status": "Accepted"}

    for n in range(2):
        station = await visitor.network.station("1.6", f"ST-{n}")
        if n:
            station.answers["ClearCache"] = slowly
    page = await opens("/stations")
    await page.get_by_role("link", name="Order to all of them").click()
    await expect(page.get_by_role("heading", name="Order to 2 stations")).to_be_visible()
    await page.get_by_role("link", name="Clear token cache").click()
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("button", name="Send to 2").click()
    await expect(page.get_by_role("heading", name="1 of 2 are through.")).to_be_visible()
    await page.evaluate("window.isSamePage = true")
    release.set()
    await expect(page.get_by_role("heading", name="2 of 2 did it.")).to_be_visible()
    assert await page.evaluate("window.isSamePage")
    assert await page.evaluate(CONTRAST) == []


async def test_an_open_message_stays_open_while_others_arrive(opens: Opens, visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    page = await opens(f"/stations/{station.station_id}")
    boot = page.locator(".log-row", has_text="BootNotification")
    await boot.locator("summary").click()
    await expect(boot.get_by_text("chargePointVendor").first).to_be_visible()
    await station.says("Heartbeat", {})
    await expect(page.locator(".log-row").first).to_contain_text("Heartbeat")
    await expect(boot.get_by_text("chargePointVendor").first).to_be_visible()


async def test_keys_lead_everywhere(opens: Opens, visitor: Visitor) -> None:
    _, busy, _ = await a_town(visitor)
    page = await opens("/")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox", name="Search everything")).to_be_focused()
    await page.keyboard.type("?gs")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await expect(page).to_have_url(re.compile("/stations$"))
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    focused = await page.evaluate("document.activeElement.textContent")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/stations/{focused}$"))
    await page.keyboard.press("g")
    await page.keyboard.press("e")
    await expect(page).to_have_url(re.compile("/sessions$"))
    await page.keyboard.press("/")
    await page.keyboard.type(busy)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/stations/{busy}$"))


async def test_a_lost_stream_is_told_and_its_return_too(opens: Opens, visitor: Visitor) -> None:
    await a_town(visitor)
    page = await opens("/", first=lambda page: page.clock.install())
    mark = page.locator("[data-live-mark]")
    await expect(mark).to_have_text("Live")
    await page.context.set_offline(True)
    await page.route("**/live", lambda route: route.abort("internetdisconnected"))
    await page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    await page.clock.fast_forward(15_000)
    await expect(mark).to_have_text(re.compile("Stale for 1[0-9] s"))
    await page.unroute("**/live")
    await page.context.set_offline(False)
    await page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await page.clock.fast_forward(2_000)
    await expect(mark).to_have_text("Live")


async def test_times_are_the_viewers_with_the_sites_on_hover(opens: Opens, visitor: Visitor) -> None:
    _, _, session = await a_town(visitor)
    path = f"/sessions/{session}"
    here = (await opens(path, timezone_id="Europe/Vienna")).locator("#readings tbody time").first
    away_page = await opens(path, timezone_id="America/New_York")
    away = away_page.locator("#readings tbody time").first
    wall = {"Europe/Vienna": here, "America/New_York": away}
    texts = {zone: await time.inner_text() for zone, time in wall.items()}
    assert texts["Europe/Vienna"] != texts["America/New_York"]
    assert "(Europe/Vienna)" in (await away.get_attribute("title") or "")
    # From the second page on the server draws them so itself.
    await away_page.reload()
    assert await away_page.get_attribute("body", "data-zone") == "America/New_York"
    assert await away.inner_text() == texts["America/New_York"]


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PATHS = ("/", "/attention", "/stations", "/stations/new", "/stations/import", "/stations/{station}",
         "/stations/bulk?kind=set", "/stations/bulk?kind=order", "/bulk", "/stations/{station}?kind=order",
         "/stations/{station}?kind=order&pick=set_profile", "/stations/{station}/log", "/stations/{station}/day",
         "/stations/{station}/configuration", "/templates", "/templates/new", "/sessions", "/sessions/{session}",
         "/search?q=BUSY", "/stations/{station}/profiles?steps=0:00+16", "/safe-limits", "/safe-limits/new",
         "/tokens", "/tokens/new", "/tokens/import", "/drivers", "/drivers/new", "/activity", "/nothing")  # fmt: skip


async def test_nothing_runs_off_a_phones_screen(opens: Opens, visitor: Visitor) -> None:
    _, station, session = await a_town(visitor)
    page = await opens("/", **PHONE)
    for path in PATHS[:-1]:
        await page.goto(path.format(station=station, session=session))
        too_wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, path
        await expect(page.get_by_role("link", name="Overview").first).to_be_visible()


# Every text against what is painted behind it; WCAG 2.2 AA asks for 4.5, for large text 3.
CONTRAST = """() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3]));
  const linear = (v) => v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const lum = (c) => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
  const behind = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((base, layer) => over(layer, base), [255, 255, 255]);
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || e.closest("svg, .sr, [hidden], noscript, option, script, dialog:not([open]), .htmx-request")) continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (style.visibility === "hidden" || !box.width || e.closest("details:not([open])") && !e.closest("summary")) continue;
    const back = behind(e), ink = over(parse(style.color), back);
    const [a, b] = [lum(ink), lum(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || size >= 18.66 && parseInt(style.fontWeight) >= 700;
    const ratio = (a + .05) / (b + .05);
    if (ratio < (isLarge ? 3 : 4.5)) bad.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_stands_out_from_its_ground(opens: Opens, visitor: Visitor, scheme: str) -> None:
    _, station, session = await a_town(visitor)
    page = await opens("/", color_scheme=scheme, reduced_motion="reduce")
    for path in PATHS[:-1]:
        await page.goto(path.format(station=station, session=session))
        assert await page.evaluate(CONTRAST) == [], path


async def test_every_control_has_a_name_and_shows_its_focus(opens: Opens, visitor: Visitor) -> None:
    _, station, session = await a_town(visitor)
    page = await opens("/")
    for path in PATHS[:-1]:
        await page.goto(path.format(station=station, session=session))
        nameless = await page.evaluate(
            """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
              .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
              .map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert nameless == [], path
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        shadow = await page.evaluate("getComputedStyle(document.activeElement).boxShadow")
        assert shadow != "none", path


async def test_who_wants_no_motion_gets_none(opens: Opens, visitor: Visitor) -> None:
    page = await opens("/", reduced_motion="reduce")
    moving = await page.evaluate("document.getAnimations().filter((a) => a.playState === 'running').length")
    assert moving == 0


async def test_the_map_comes_nearer_and_goes_back(opens: Opens, visitor: Visitor) -> None:
    await a_town(visitor)
    page = await opens("/")
    world = page.locator("[data-map-world]")
    await page.get_by_role("button", name="Nearer").click()
    await expect(world).to_have_attribute("transform", re.compile(r"scale\(1\.6\)"))
    await page.keyboard.press("0")
    await expect(world).to_have_attribute("transform", re.compile(r"scale\(1\)"))
    await page.locator("[data-map] a", has_text="North").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("1 of 1.")
