"""Drivers with an account, each paying in their own way, on a phone in a real Chromium: from the mail with the code to the
receipt in the mailbox. (Strangers: test_browser.py.)"""

import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from pypdf import PdfReader

from ohmstead.accounts import access
from ohmstead.billing.invoices import sellers
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import NewPlan
from ohmstead.core import clock
from ohmstead.tariffs.model import TariffAdjustment
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.service import NewToken
from tests.console.test_browser import browser
from tests.driver.test_browser import opened
from tests.driver.visitor import Visitor, has_plug, offers, per_kwh, plug_path, public_place
from tests.invoices.office import SELLER
from tests.stories.patience import until
from tests.stories.station import Station

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def a_plug(visitor: Visitor, version: str = "2.1", **traits: Any) -> Station:
    """0.50 a kWh and 20 % on top; a fifth less for members."""
    network = visitor.network
    members = TariffAdjustment(name="Members", percent=Decimal(-20), plans=["CLUB"])
    await offers(network, per_kwh("0.50", adjustments=[members]))
    station = await network.station(
        version, location_id=await public_place(network), hours_ago=0, rated_w=150_000, **traits
    )
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    return station


async def signs_in(browser: Browser, visitor: Visitor, station: Station, name: str) -> tuple[Page, list[str]]:
    """By the six digits of the mail; what the browser complains of."""
    page, complaints = await opened(browser, visitor), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    visitor.email = visitor.mailbox(name)
    await page.goto(f"/drive/sign-in?at={station.station_id}")
    await page.get_by_label("E-mail address").fill(visitor.email)
    await page.get_by_role("button", name="Send me a code").click()
    await page.get_by_label("The code").fill(await visitor.code_of(visitor.email))
    await page.get_by_role("button", name="Go on").click()
    await expect(page).to_have_url(re.compile("/drive/me/profile"))
    return page, complaints


async def stores_a_card(page: Page) -> None:
    await page.goto("/drive/me/money")
    await page.get_by_role("button", name="Store a card").click()
    await page.get_by_text("Good card").click()
    await page.get_by_role("button", name="Store it").click()
    await expect(page.get_by_text("Your card is stored.")).to_be_visible()


async def tops_up(page: Page) -> None:
    """Fifty, on the provider's page, until they are in the wallet."""
    await page.goto("/drive/me/money")
    await page.locator("label.chip").filter(has_text="50").click()
    await page.get_by_role("button", name="Top up", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("50.00")
    await page.get_by_text("Good card").click()
    await page.get_by_role("button", name="Pay", exact=True).click()
    await expect(page.get_by_text("Thank you.")).to_be_visible()
    await comes_to_say(page, "/drive/me/money", "€50.00 to spend")


async def comes_to_say(page: Page, path: str, words: str) -> None:
    """A page that does not move by itself says so after a while."""

    async def says() -> bool:
        await page.goto(path)
        return words in (await page.locator("main").inner_text()).replace("\u00a0", " ")

    await until(says, f"{path} says {words!r}", patience_s=15)


async def begins_and_ends(page: Page, station: Station, wh: float, cost: str) -> None:
    """From the plug's page to the receipt."""
    await page.goto(plug_path(station))
    # Its clock is right, however long the story took so far: what began before a plan did, has not its price.
    station.at = max(station.at, datetime.now(UTC))
    await page.get_by_role("button", name="Start charging").click()
    await expect(page).to_have_url(re.compile("/drive/s/"))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Charging", timeout=20_000)
    await station.delivers(wh=wh, over="4m")
    await expect(page.locator(".figures")).to_contain_text(cost, timeout=20_000)
    await page.get_by_role("link", name="Stop charging").click()
    await page.get_by_role("button", name="Stop and release").click()
    await expect(page.locator(".total")).to_have_text(cost, timeout=20_000)
    await expect(page.get_by_role("link", name="Receipt")).to_be_visible(timeout=20_000)


async def reads_last_receipt(page: Page, cost: str) -> None:
    """From the first page by the list of charges to the document."""
    await comes_to_say(page, "/drive/home", cost)
    await page.locator(".list a.item").filter(has_text=cost).first.click()
    await expect(page.locator(".total")).to_have_text(cost)
    await page.get_by_role("link", name="Receipt").click()
    await expect(page.locator("body")).to_contain_text(cost.removeprefix("€"))


async def paid(visitor: Visitor) -> dict[str, Decimal]:
    """What was taken in this network, by purpose."""
    rows = await visitor.network.pool.fetch(
        "select purpose, sum(captured - refunded) as sum from payment where party_id = $1 group by purpose",
        visitor.network.party_id,
    )
    return {row["purpose"]: row["sum"] for row in rows}


async def gets_receipt_by_mail(visitor: Visitor) -> None:
    mail = await visitor.mail_to(visitor.email, "eceipt")
    (document,) = [part for part in mail.iter_attachments() if part.get_content_type() == "application/pdf"]
    assert document.get_payload(decode=True)[:5] == b"%PDF-"  # type: ignore[index]


async def a_card(visitor: Visitor, uid: str) -> None:
    """The network sent the driver a charge card."""
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        given = NewToken(uid=uid, type="ISO14443", label="Key ring", driver_id=await visitor.driver_id())
        await register.create_token(conn, access.system(visitor.network.party_id), given)


async def test_a_subscriber_stores_a_card_takes_a_plan_and_pays_the_members_price(
    browser: Browser, visitor: Visitor
) -> None:
    station = await a_plug(visitor)
    actor = access.system(visitor.network.party_id)
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        await plans.create_plan(conn, actor, NewPlan(name="Club", label="CLUB", monthly_fee=Decimal(30)))
    page, complaints = await signs_in(browser, visitor, station, "subscriber")
    await stores_a_card(page)
    await page.get_by_role("button", name="Order and pay").click()
    await expect(page.get_by_text("The plan is yours from now on.")).to_be_visible()
    await page.goto(plug_path(station))
    await expect(page.locator(".price")).to_contain_text("Members")
    await expect(page.locator(".price .example").first).to_contain_text("€9.60")
    await expect(page.get_by_text("Taken from your card when it is over.")).to_be_visible()
    await begins_and_ends(page, station, 10_000, "€4.80")
    await expect(page.locator(".lines")).to_contain_text("Members")
    await gets_receipt_by_mail(visitor)

    async def is_taken() -> bool:
        sums = await paid(visitor)
        return sums.get("session") == Decimal("4.80") and sums.get("plan_fee", 0) > 0

    await until(is_taken, "the session and the fee are taken from the card", patience_s=15)
    assert complaints == []
    await page.context.close()


async def test_a_wallet_is_filled_pays_to_the_cent_and_the_receipt_comes_by_mail(
    browser: Browser, visitor: Visitor
) -> None:
    station = await a_plug(visitor)
    page, complaints = await signs_in(browser, visitor, station, "saver")
    await page.goto(plug_path(station))
    await expect(page.get_by_text("Your wallet is empty: top it up, or store a card.")).to_be_visible()
    await tops_up(page)
    await begins_and_ends(page, station, 12_345, "€7.40")
    await comes_to_say(page, "/drive/me/money", "€42.60 to spend")
    await gets_receipt_by_mail(visitor)
    assert await paid(visitor) == {"top_up": Decimal(50)}
    assert complaints == []
    await page.context.close()


async def test_a_pin_typed_at_the_station_begins_a_charge_that_its_driver_sees(
    browser: Browser, visitor: Visitor
) -> None:
    station = await a_plug(visitor, "2.0.1", token_type="KeyCode")
    page, complaints = await signs_in(browser, visitor, station, "typist")
    await tops_up(page)
    await page.goto("/drive/me/cards")
    await page.get_by_role("button", name="Get a PIN").click()
    pin = (await page.locator(".total").inner_text()).strip()
    await station.plugs_in()
    wrong = f"{(int(pin) + 1) % 10**8:08d}"
    assert await station.presents(wrong) != "Accepted"
    assert await station.presents(pin) == "Accepted"
    await station.delivers(wh=5_000, over="2m")
    await comes_to_say(page, "/drive/home", "1 car is charging, 5.000 kWh.")
    await station.presents(pin)
    await reads_last_receipt(page, "€3.00")
    await gets_receipt_by_mail(visitor)
    await comes_to_say(page, "/drive/me/money", "€47.00 to spend")
    assert complaints == []
    await page.context.close()


async def test_a_charge_card_begins_a_charge_that_its_driver_sees_and_is_told_of(
    browser: Browser, visitor: Visitor
) -> None:
    station = await a_plug(visitor, "2.0.1")
    page, complaints = await signs_in(browser, visitor, station, "holder")
    await stores_a_card(page)
    await a_card(visitor, "04D1C2B3A4")
    await station.plugs_in()
    assert await station.presents("04D1C2B3A4") == "Accepted"
    await visitor.mail_to(visitor.email, "card")
    await station.delivers(wh=4_000, over="2m")
    await comes_to_say(page, "/drive/home", "1 car is charging, 4.000 kWh.")
    await page.locator("a.note.working").click()
    await expect(page.locator(".figures")).to_contain_text("€2.40", timeout=20_000)
    await station.presents("04D1C2B3A4")
    await expect(page.locator(".total")).to_have_text("€2.40", timeout=20_000)
    await expect(page.get_by_text("It was ended at the station.")).to_be_visible()
    await gets_receipt_by_mail(visitor)
    await reads_last_receipt(page, "€2.40")

    async def is_taken() -> bool:
        return await paid(visitor) == {"session": Decimal("2.40")}

    await until(is_taken, "it is taken from the stored card", patience_s=15)
    assert complaints == []
    await page.context.close()


async def test_a_company_driver_pays_nothing_and_the_companys_invoice_lists_the_charge(
    browser: Browser, visitor: Visitor
) -> None:
    station = await a_plug(visitor, "2.0.1")
    network = visitor.network
    page, complaints = await signs_in(browser, visitor, station, "colleague")
    await a_card(visitor, "04C0FFEE01")
    async with network.pool.acquire() as conn, conn.transaction():
        await sellers.set_seller(conn, access.system(network.party_id), SELLER)
    async with visitor.front.visitor(network, "billing:read", "billing:write") as office:
        company = await office.posts("/companies", {"name": "Fleet GmbH", "email": visitor.mailbox("fleet")})
        customer = f"company:{company['company_id']}"
        member = {"driver_id": str(await visitor.driver_id())}
        await office.posts(f"/companies/{company['company_id']}/members", member)
        await page.goto("/drive/me/money")
        await expect(page.get_by_text("Fleet GmbH pays for what you charge.")).to_be_visible()
        await station.plugs_in()
        assert await station.presents("04C0FFEE01") == "Accepted"
        await station.delivers(wh=10_000, over="4m")
        await comes_to_say(page, "/drive/home", "1 car is charging, 10.00 kWh.")
        await station.presents("04C0FFEE01")
        await comes_to_say(page, "/drive/history", "€6.00")
        assert await paid(visitor) == {}
        # The month is over.
        session = await network.session_of(station)
        next_month = datetime.now(UTC) + timedelta(days=32)
        clock.set_source(lambda: next_month)
        try:
            run = await office.posts("/invoice-runs", {"month": f"{session.ended_at:%Y-%m}"}, expect=202)
        finally:
            clock.set_source(None)

        async def is_done() -> bool:
            return bool((await office.gets(f"/invoice-runs/{run['run_id']}"))["status"] == "done")

        await until(is_done, "the month's documents are made", patience_s=20)
        (row,) = await office.all_of("/invoices", customer=customer)
        assert (row["kind"], row["total"]) == ("invoice", 6)
        link = (await office.gets(f"/invoices/{row['invoice_id']}/link"))["url"]
    await page.goto(link)
    await expect(page.locator("body")).to_contain_text(row["number"])
    await expect(page.locator("body")).to_contain_text("Fleet GmbH")
    await expect(page.locator("body")).to_contain_text("10.000 kWh")
    async with page.expect_download() as downloading:
        await page.locator("a[href$='/pdf']").first.click()
    content = (await (await downloading.value).path()).read_bytes()
    text = "".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(content)).pages)
    assert row["number"] in text
    assert "6.00" in text
    await visitor.mail_to(visitor.mailbox("fleet"), "nvoice")
    assert await paid(visitor) == {}
    assert complaints == []
    await page.context.close()
