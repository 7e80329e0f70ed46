"""A working day of each role in a real Chromium, at a desk or on a phone: what they come for can be done, and what is
not theirs is not offered."""

import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from openpyxl import Workbook
from playwright.async_api import Browser, Page, expect

from tests.console.test_browser import PHONE, browser
from tests.console.town import Town
from tests.console.visitor import Visitor, new_link, new_operator
from tests.stories.network import Network
from tests.stories.speech2 import Station2

__all__ = ["browser"]
pytestmark = pytest.mark.browser

Arrives = Callable[..., Awaitable[Page]]


DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
async def arrives(request: pytest.FixtureRequest, browser: Browser, visitor: Visitor) -> AsyncIterator[Arrives]:
    """Somebody of a role comes in by their link. No page may complain, or ask another host for anything."""
    complaints: list[str] = []
    contexts = []

    async def arrive(role: str, *, locations: list[UUID] | None = None, **traits: Any) -> Page:
        settings = {"timezone_id": "Europe/Vienna", **request.param, **traits}
        context = await browser.new_context(base_url=visitor.front.url, **settings)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        # That a page is refused (403, 404) is what some of these days are about.
        page.on(
            "console",
            lambda m: (
                complaints.append(m.text)
                if m.type in ("error", "warning") and "Failed to load resource" not in m.text
                else None
            ),
        )
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(visitor.front.url) else complaints.append(r.url))
        operator_id = await new_operator(visitor.network, role)
        await visitor.network.pool.execute(
            "update operator set location_ids = $2 where operator_id = $1", operator_id, locations
        )
        await page.goto(await new_link(visitor.network, operator_id))
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        return page

    yield arrive
    for context in contexts:
        await context.close()
    assert complaints == []


async def a_day(network: Network) -> tuple[Any, Any]:
    """Two real stations at a site: one well and charging, one with a connector out of order."""
    place = await network.location("Harbour Park")
    well = await network.station("2.0.1", "WELL", location_id=place)
    broken = await network.station("1.6", "BROKEN", location_id=place)
    fault = {"connectorId": 1, "errorCode": "GroundFailure", "status": "Faulted", "timestamp": broken.at.isoformat()}
    await broken.says("StatusNotification", fault)
    await network.settled()
    return well, broken


async def to_room(page: Page, name: str) -> None:
    """By the rail; on a phone what has no place there is behind "More"."""
    rail = page.get_by_role("navigation", name="Main")
    link = rail.get_by_role("link", name=re.compile(f"^{name}"))
    await expect(rail).to_be_visible()
    if not await link.locator("visible=true").count():
        await rail.locator("summary", has_text="More").click()
    await link.locator("visible=true").first.click()


def heading(page: Page) -> Any:
    return page.get_by_role("heading", level=1)


async def test_the_owner_adds_a_station_invites_a_colleague_and_reads_the_audit(
    arrives: Arrives, visitor: Visitor
) -> None:
    network = visitor.network
    page = await arrives("owner")
    # Nothing is there yet: the page says what to do first.
    await page.get_by_role("link", name="Add a station").first.click()
    name = f"FIRST-{network.suffix}"
    await page.get_by_label("Station name").fill(name)
    await page.get_by_label("or a new location").fill("Harbour Park")
    await page.get_by_label("Security").select_option("0")
    await page.get_by_role("button", name="Add the station").click()
    await expect(heading(page)).to_contain_text(f"{name} is")
    await page.get_by_role("link", name=f"Open {name}").click()
    await expect(page.locator("main")).to_contain_text("Never seen")
    # It is plugged in meanwhile; the open page turns by itself.
    station = Station2(name, "2.0.1", network.house.url, datetime.now(UTC) - timedelta(hours=1))
    network.stations.append(station)
    assert await station.boots() == "Accepted"
    await expect(page.locator("main")).to_contain_text("Online")

    await to_room(page, "Settings")
    await page.get_by_role("link", name="People", exact=True).click()
    await page.get_by_label("Name", exact=True).fill("Grace")
    await page.get_by_label("E-mail address").fill(f"grace-{network.suffix}@example.com")
    await page.get_by_label("Role", exact=True).select_option("technician")
    await page.get_by_role("button", name="Make a link").click()
    await expect(page.locator("main")).to_contain_text("/sign-in?link=")
    link = re.search(r"/sign-in\?link=[\w-]+", await page.locator("main").inner_text())
    assert link is not None
    colleague = await page.context.browser.new_context(base_url=visitor.front.url)  # type: ignore[union-attr]
    theirs = await colleague.new_page()
    await theirs.goto(link[0])
    await theirs.get_by_role("button", name="Sign in", exact=True).click()
    await expect(theirs.locator(".account")).to_contain_text("Grace")
    await colleague.close()

    await to_room(page, "Security")
    await page.get_by_role("link", name="Audit log").first.click()
    log = page.locator("main")
    await expect(log).to_contain_text("Grace")
    await expect(log).to_contain_text(name)


async def test_network_operations_find_the_broken_station_command_it_and_read_its_messages(
    arrives: Arrives, visitor: Visitor
) -> None:
    _well, broken = await a_day(visitor.network)
    broken.answers["Reset"] = {"status": "Accepted"}
    page = await arrives("operations")
    await expect(heading(page)).to_contain_text("1 problem needs a person")
    await page.get_by_role("link", name=broken.station_id).first.click()
    await expect(page.locator("main")).to_contain_text("Out of order")
    panel = page.locator("#command")
    await panel.get_by_role("link", name="Restart").click()
    await panel.get_by_role("button", name="Restart").click()
    assert (await broken.hears("Reset"))["type"] in ("Soft", "Hard")
    await expect(panel.locator(".result")).to_contain_text("Accepted")
    await page.goto(f"/stations/{broken.station_id}/log?action=Reset")
    line = page.locator("details.log-row", has_text="Reset").first
    await line.locator("summary").click()
    # In plain words what was asked, and what came back.
    await expect(line.locator(".told-place")).to_contain_text("restart")
    await expect(line).to_contain_text("Accepted")
    await page.goto(f"/stations/{broken.station_id}/day")
    await expect(page.locator("svg[data-day]")).to_be_visible()


async def test_support_blocks_a_card_and_imports_five_hundred_with_three_bad_rows(
    arrives: Arrives, visitor: Visitor
) -> None:
    network = visitor.network
    well, _broken = await a_day(network)
    await network.token("04A224F9", label="Ada's card")
    assert (await well.says("Authorize", {"idToken": {"idToken": "04A224F9", "type": "ISO14443"}}))["idTokenInfo"][
        "status"
    ] == "Accepted"
    page = await arrives("support")
    await page.keyboard.press("/")
    await page.keyboard.type("ada's")
    await expect(page.get_by_role("group", name="Hits")).to_contain_text("04A224F9")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Block", exact=True).click()
    await expect(page.locator("main")).to_contain_text("Blocked")
    answer = await well.says("Authorize", {"idToken": {"idToken": "04A224F9", "type": "ISO14443"}})
    assert answer["idTokenInfo"]["status"] == "Blocked"

    book = Workbook()
    sheet: Any = book.active
    sheet.append(["uid", "label"])
    for n in range(500):
        sheet.append([f"CARD{n:03}", f"Pool car {n}"])
    sheet["A8"], sheet["A101"], sheet["B322"] = "CARD000", "has space", "Tr\u202eick"
    out = io.BytesIO()
    book.save(out)
    await page.goto("/tokens/import")
    cards = {"name": "cards.xlsx", "mimeType": "application/octet-stream", "buffer": out.getvalue()}
    await page.get_by_label("A file").set_input_files(cards)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Rehearse").click()
    await expect(heading(page)).to_have_text("This would create 497 and change 0; 3 cannot be taken.")
    rows = page.get_by_role("region", name="Rows that cannot be taken").get_by_role("row")
    assert [int(await rows.nth(n).get_by_role("cell").first.inner_text()) for n in (1, 2, 3)] == [8, 101, 322]
    await page.get_by_role("button", name="Import 497").click()
    await expect(heading(page)).to_contain_text("497 created")
    count = await network.pool.fetchval("select count(*) from token where party_id = $1", network.party_id)
    assert count == 498
    # Who may come in is not support's business.
    answer = await page.goto("/people")
    assert answer is not None
    assert answer.status == 403


async def test_a_technician_restarts_a_station_and_reads_what_it_said(arrives: Arrives, visitor: Visitor) -> None:
    _well, broken = await a_day(visitor.network)
    broken.answers["TriggerMessage"] = {"status": "Accepted"}
    broken.answers["Reset"] = {"status": "Accepted"}
    page = await arrives("technician")
    await to_room(page, "Stations")
    await page.get_by_role("link", name=broken.station_id).first.click()
    await expect(page.locator("main")).to_contain_text("Out of order")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    panel = page.locator("#command")
    await panel.get_by_role("link", name="Restart").click()
    await panel.get_by_role("button", name="Restart").click()
    assert (await broken.hears("Reset"))["type"] in ("Soft", "Hard")
    await page.goto(f"/stations/{broken.station_id}/log?show=errors")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Cards and people are not a technician's business.
    assert await page.get_by_role("link", name="People").count() == 0
    answer = await page.goto("/tokens")
    assert answer is not None
    assert answer.status == 403


async def test_finance_reads_sessions_and_reports_takes_them_along_and_commands_nothing(
    arrives: Arrives, visitor: Visitor
) -> None:
    network = visitor.network
    town = Town(network, datetime.now(UTC))
    station = await town.station("PAID", location_id=await town.location("Harbour Park"))
    await town.session(station, begins=5, ends=4, wh=12_000, token_uid="04A224F9")
    await network.settled()
    page = await arrives("finance")
    await to_room(page, "Sessions")
    await expect(page.locator("main")).to_contain_text("12.00")
    async with page.expect_download() as waiting:
        await page.get_by_text("Export", exact=True).click()
        await page.get_by_role("link", name="CSV").click()
    path = await (await waiting.value).path()
    assert "04A224F9" in path.read_text()
    await to_room(page, "Reports")
    await expect(heading(page)).to_be_visible()
    await page.goto(f"/stations/{station}")
    assert await page.locator("#command").count() == 0
    assert await page.get_by_role("link", name="Add a station").count() == 0


async def test_finance_decides_what_was_not_billed_takes_a_bill_back_and_closes_the_month(
    arrives: Arrives, visitor: Visitor
) -> None:
    town = Town(visitor.network, datetime.now(UTC))
    await town.tariff()
    station = await town.station("PAID", location_id=await town.location("Harbour Park"))
    # Three weeks before the first of this month: of a month that is over, whatever day it is.
    begins = (datetime.now(UTC).day + 20) * 24.0
    odd = await town.settled(station, begins=begins, ends=begins - 1, anomalies=["implausible_jump"])
    await town.bills(odd, await town.settled(station, begins=begins + 30, ends=begins + 29))
    page = await arrives("finance")
    await to_room(page, "Money")
    await expect(heading(page)).to_contain_text("Not all: 1 session is not billed.")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="Decide").click()
    await page.get_by_role("checkbox", name=re.compile("Choose the session of")).check()
    await page.get_by_role("textbox", name="Why so").fill("Read off the meter")
    await page.get_by_role("button", name="Bill after all").click()
    await page.locator("#ask").get_by_role("button", name="Bill after all").click()
    await expect(page.locator("#done")).to_contain_text("1 of 1 session billed. 11.86 EUR")
    await page.get_by_role("link", name="Billed: 11.86 EUR").click()
    await expect(heading(page)).to_have_text("11.86 EUR for 20.00 kWh.")
    await page.get_by_role("textbox", name="Why").fill("It was ours")
    await page.get_by_role("button", name="Take it back").click()
    await page.locator("#ask").get_by_role("button", name="Take it back").click()
    await expect(heading(page)).to_have_text("11.86 EUR given back for 20.00 kWh.")
    await page.get_by_role("navigation", name="Rooms of money").get_by_role("link", name="Ledger").click()
    await expect(heading(page)).to_have_text("3 entries, and the books balance.")
    await page.get_by_role("link", name="Months").first.click()
    await page.get_by_role("checkbox", name="I have looked at it").check()
    await page.get_by_role("button", name="Close it").click()
    await page.locator("#ask").get_by_role("button", name="Close it").click()
    await expect(page.locator("main")).to_contain_text("Closed, with all before it.")
    await page.goto("/money")
    await page.get_by_role("button", name="Reckon all of it anew").click()
    await expect(page.locator("#check")).to_contain_text("All of it was reckoned anew, and is right")


async def test_a_site_host_sees_their_site_and_nothing_else(arrives: Arrives, visitor: Visitor) -> None:
    town = Town(visitor.network, datetime.now(UTC))
    mine, other = await town.location("Mine"), await town.location("Other", 48.3, 16.5)
    here, there = await town.station("HERE", location_id=mine), await town.station("THERE", location_id=other)
    page = await arrives("site_host", locations=[mine])
    await to_room(page, "Stations")
    await expect(page.locator("main")).to_contain_text(here)
    await expect(page.locator("main")).not_to_contain_text(there)
    answer = await page.goto(f"/stations/{there}")
    assert answer is not None
    assert answer.status == 404
    await page.goto(f"/stations/{here}")
    assert await page.locator("#command").count() == 0


async def test_who_may_only_read_is_offered_nothing_that_changes_anything(arrives: Arrives, visitor: Visitor) -> None:
    well, _broken = await a_day(visitor.network)
    page = await arrives("read_only")
    for path in ("/", "/stations", f"/stations/{well.station_id}", "/sessions", "/locations", "/tokens", "/drivers"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        forms = await page.eval_on_selector_all(
            "main form[method=post] button:not([hidden])",
            "buttons => buttons.map((button) => button.form.getAttribute('action'))",
        )
        # A list of one's own may be kept.
        assert [form for form in forms if not re.match(r"/lists|/list-layout", form)] == [], path
