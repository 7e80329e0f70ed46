"""What drivers do with their account, on a phone in a real Chromium: passkeys, a session that ends while they type, debts,
plans, coupons, stored cards, the language, a plug that becomes free, their data, and being forgotten.

Every page on the way can be used by everybody (axe-core) and does not scroll sideways.
"""

import json
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from ohmstead.accounts import access
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import NewCoupon, NewPlan
from ohmstead.core.ids import new_id
from ohmstead.tariffs.model import TariffAdjustment
from tests.console.test_browser import browser
from tests.console.test_every_page import faults
from tests.driver.test_browser import PHONE
from tests.driver.test_phones import texted
from tests.driver.test_ways_browser import stores_a_card
from tests.driver.visitor import VAT, Visitor, has_plug, offers, per_kwh, plug_path, public_place
from tests.notifications.post import ShortMessages
from tests.stories.patience import until
from tests.stories.station import Station

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Phone = Callable[..., Awaitable[Page]]


@pytest.fixture
async def phone(browser: Browser, visitor: Visitor) -> AsyncIterator[Phone]:
    """A phone at an address of ours; at the end none of its scripts may have failed."""
    complaints: list[str] = []
    contexts = []

    async def at(origin: str = visitor.front.url) -> Page:
        context = await browser.new_context(base_url=origin, **PHONE)
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield at
    for context in contexts:
        await context.close()
    assert complaints == []


async def looks_right(page: Page) -> None:
    """Anybody can use the page, and it fits."""
    assert await faults(page) == [], page.url
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"{page.url} is {width} px wide"


async def a_plug(visitor: Visitor) -> Station:
    """0.50 a kWh and 20 % on top: a fifth less for members, a tenth less with a coupon."""
    less = [
        TariffAdjustment(name="Members", percent=Decimal(-20), plans=["CLUB"]),
        TariffAdjustment(name="Spring", percent=Decimal(-10), coupons=["SPRING"]),
    ]
    network = visitor.network
    await offers(network, per_kwh("0.50", adjustments=less))
    place = await public_place(network)
    station = await network.station("2.1", location_id=place, hours_ago=0, rated_w=150_000)
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    return station


async def comes_in(page: Page, visitor: Visitor, station: Station, name: str) -> None:
    """Signs in by the six digits of the mail."""
    visitor.email = visitor.mailbox(name)
    await page.goto(f"/drive/sign-in?at={station.station_id}")
    await page.get_by_label("E-mail address").fill(visitor.email)
    await page.get_by_role("button", name="Send me a code").click()
    await page.get_by_label("The code").fill(await visitor.code_of(visitor.email))
    await page.get_by_role("button", name="Go on").click()
    await expect(page).to_have_url(re.compile("/drive/me/profile"))


async def loses_session(visitor: Visitor) -> None:
    await visitor.network.pool.execute("delete from driver_session where party_id = $1", visitor.network.party_id)


async def test_a_passkey_is_made_signs_in_and_what_was_typed_outlives_a_session(phone: Phone, visitor: Visitor) -> None:
    station = await a_plug(visitor)
    # Browsers take no passkeys for bare addresses.
    page = await phone(visitor.front.url.replace("127.0.0.1", "localhost"))
    device = await page.context.new_cdp_session(page)
    await device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    made = await device.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**options, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    await comes_in(page, visitor, station, "keeper")
    await page.get_by_label("What this device is called").fill("Blue phone")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_text("Passkey added: it signs you in without a code.")).to_be_visible()
    await expect(page.get_by_text("Blue phone")).to_be_visible()
    await looks_right(page)
    told = await device.send("WebAuthn.getCredentials", {"authenticatorId": made["authenticatorId"]})
    assert [one["isResidentCredential"] for one in told["credentials"]] == [True]

    await page.goto("/drive/me")
    await looks_right(page)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(re.compile("/drive/?$"))
    await page.goto("/drive/home")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in, or begin")
    await page.get_by_role("button", name="With a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is charging.")
    await looks_right(page)
    method = await visitor.network.pool.fetchval(
        "select method from driver_session where party_id = $1", visitor.network.party_id
    )
    assert method == "passkey"

    # The session ends while they type: the passkey lets them in, and what was typed goes on by itself.
    await page.goto("/drive/me/cars")
    await looks_right(page)
    await page.get_by_label("What you call it").fill("Größe „Blau“ & <co>")
    await page.get_by_label("kWh for 100 km").fill("17,5")
    await loses_session(visitor)
    await page.get_by_role("button", name="Add the car").click()
    await expect(page.get_by_text("Your session is over. Sign in, and what you typed goes on.")).to_be_visible()
    await looks_right(page)
    await page.get_by_role("button", name="With a passkey").click()
    await expect(page.get_by_text("Größe „Blau“ & <co>")).to_be_visible()
    await expect(page.get_by_text("17.5 kWh for 100 km")).to_be_visible()

    # By the mail as well, over both steps and a wrong code.
    await page.goto("/drive/me/alerts")
    await looks_right(page)
    await page.get_by_label("In EUR").fill("12.50")
    await loses_session(visitor)
    await visitor.network.pool.execute("delete from driver_sign_in_code")
    await page.get_by_role("button", name="Set the limit").click()
    await page.get_by_label("E-mail address").fill(visitor.email)
    await page.get_by_role("button", name="Send me a code").click()
    code = await visitor.code_of(visitor.email)
    await page.get_by_label("The code").fill(f"{(int(code) + 1) % 10**6:06d}")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    await looks_right(page)
    await page.get_by_label("The code").fill(code)
    await page.get_by_role("button", name="Go on").click()
    await expect(page).to_have_url(re.compile(r"/drive/me/alerts\?done=saved"))
    await expect(page.get_by_label("In EUR")).to_have_value("12.50")


async def test_a_number_is_told_confirmed_by_the_text_that_comes_and_then_told_things(
    phone: Phone, visitor: Visitor, sms: ShortMessages
) -> None:
    station = await a_plug(visitor)
    page = await phone()
    await comes_in(page, visitor, station, "texter")
    await page.get_by_label("Phone").fill("+43 664 246 80 12")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Is this your number?")
    await looks_right(page)
    await page.goto("/drive/home")
    await looks_right(page)
    await page.get_by_role("link", name="Confirm your number").click()
    await page.get_by_role("button", name="Send me a code").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("A code is on its way")
    await looks_right(page)
    code = await texted(sms, "+436642468012")
    await page.get_by_label("The code").fill(f"{(int(code) + 1) % 1_000_000:06d}")
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    await looks_right(page)
    await page.get_by_role("button", name="Send another code").click()
    await expect(page.get_by_role("alert")).to_contain_text("A code was sent a moment ago")
    await page.get_by_label("The code").fill(code)
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("Your number is confirmed.")).to_be_visible()
    await looks_right(page)
    await page.goto("/drive/home")
    await expect(page.get_by_text("Confirm your number")).to_have_count(0)
    # In the reader's language from the first page on.
    await page.goto("/drive/me/profile")
    await page.get_by_label("Phone").fill("+43 664 246 80 13")
    await page.get_by_label("Language").select_option("de")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ist das deine Nummer?")
    await looks_right(page)


async def test_who_owes_sees_it_pays_it_and_charges_again(phone: Phone, visitor: Visitor) -> None:
    station = await a_plug(visitor)
    network = visitor.network
    page = await phone()
    await comes_in(page, visitor, station, "debtor")
    await stores_a_card(page)
    await network.pool.execute(
        "insert into payment_debt (debt_id, party_id, customer, currency, amount, reason, opened_at)"
        " values ($1, $2, $3, 'EUR', 7.5, 'declined', now())",
        new_id(),
        network.party_id,
        f"driver:{await visitor.driver_id()}",
    )
    await page.goto(plug_path(station))
    await expect(page.get_by_text("Something is still to be paid before you charge again.")).to_be_visible()
    await looks_right(page)
    await page.get_by_role("link", name="See to it").click()
    await expect(page.get_by_text("€7.50 is still to be paid. Until then nothing can be charged.")).to_be_visible()
    await looks_right(page)
    # Not paid is not thanked for.
    await page.get_by_role("button", name="Pay now").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Pay 7.50 EUR")
    await looks_right(page)
    await page.get_by_role("link", name="Do not pay").click()
    await expect(page.get_by_text("No payment is confirmed yet.")).to_be_visible()
    await page.get_by_role("button", name="Pay now").click()
    await page.get_by_text("Good card").click()
    await page.get_by_role("button", name="Pay", exact=True).click()
    await expect(page.get_by_text("Thank you. It is paid.")).to_be_visible()
    await expect(page.get_by_text("is still to be paid")).to_have_count(0)
    await page.goto(plug_path(station))
    await page.get_by_role("button", name="Start charging").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Charging", timeout=20_000)
    await station.delivers(wh=1_000, over="1m")
    await expect(page.locator(".figures")).to_contain_text("€0.60", timeout=20_000)


async def test_plans_coupons_and_cards_are_taken_seen_in_the_price_and_given_back(
    phone: Phone, visitor: Visitor
) -> None:
    station = await a_plug(visitor)
    actor = access.system(visitor.network.party_id)
    plan = NewPlan(
        name="Club", label="CLUB", monthly_fee=Decimal(30), taxes=VAT, included_kwh=Decimal(40), description="For many"
    )
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        await plans.create_plan(conn, actor, plan)
        await plans.create_coupon(conn, actor, NewCoupon(code="Spring-26", label="SPRING", sessions_each=3))
    page = await phone()
    await comes_in(page, visitor, station, "member")
    await page.goto("/drive/me/money")
    await expect(page.get_by_text("€30.00 a month, 40 kWh in it. For many")).to_be_visible()

    await page.get_by_label("Code", exact=True).fill("NOPE-1234")
    await page.get_by_role("button", name="Redeem it").click()
    await expect(page.get_by_role("alert")).to_have_text("There is no such coupon, or it is over.")
    await expect(page.get_by_label("Code", exact=True)).to_have_value("NOPE-1234")
    await looks_right(page)
    await page.get_by_label("Code", exact=True).fill("spring-26")
    await page.get_by_role("button", name="Redeem it").click()
    await expect(page.get_by_text("for 3 more charges")).to_be_visible()
    await page.get_by_label("Code", exact=True).fill("SPRING-26")
    await page.get_by_role("button", name="Redeem it").click()
    await expect(page.get_by_role("alert")).to_have_text("You have this coupon already.")

    # The price is theirs; what others pay stands beside it.
    await page.goto(plug_path(station))
    await expect(page.locator(".price .big")).to_contain_text("€0.54 per kWh")
    await expect(page.locator(".price")).to_contain_text("For you; without a contract €0.60")
    await page.goto("/drive/me/money")
    await page.get_by_role("button", name="Order and pay").click()
    await expect(page.get_by_text("The plan is yours from now on.")).to_be_visible()
    item = page.locator("li.item", has_text="Club")
    await expect(item).to_contain_text(re.compile(r"since .*, ([0-9.]+) of \1 kWh left"))
    await page.goto(plug_path(station))
    await expect(page.locator(".price .big")).to_contain_text("€0.42 per kWh")
    await expect(page.locator(".price .example").first).to_contain_text("€8.40")
    await looks_right(page)
    place = await visitor.network.pool.fetchval(
        "select location_id from station where station_id = $1", station.station_id
    )
    await page.goto(f"/drive/l/{place}")
    await expect(page.locator(".list")).to_contain_text("€0.42 per kWh")
    await looks_right(page)
    stranger = await phone()
    await stranger.goto(plug_path(station))
    await expect(stranger.locator(".price .big")).to_contain_text("€0.60 per kWh")
    await expect(stranger.locator(".price")).not_to_contain_text("For you")

    await page.goto("/drive/me/money")
    await page.get_by_role("button", name="End it").click()
    await expect(page.get_by_text("The plan ends with what is paid for.")).to_be_visible()
    await expect(item).to_contain_text("until")
    await expect(item.get_by_role("button")).to_have_count(0)

    # The first card that is stored pays; without it the wallet does.
    await stores_a_card(page)
    await expect(page.get_by_label(re.compile("taken after each charge"))).to_be_checked()
    await looks_right(page)
    await page.goto(plug_path(station))
    await expect(page.get_by_text("Taken from your card when it is over.")).to_be_visible()
    await page.goto("/drive/me/money")
    await page.get_by_role("button", name=re.compile("^Remove ")).click()
    await expect(page.get_by_text("The card is removed.")).to_be_visible()
    await expect(page.get_by_label(re.compile("My wallet"))).to_be_checked()
    await page.goto(plug_path(station))
    await expect(page.get_by_text("Your wallet is empty: top it up, or store a card.")).to_be_visible()


async def test_who_waits_for_a_plug_is_told_in_their_language_takes_their_data_and_is_forgotten(
    phone: Phone, visitor: Visitor
) -> None:
    station = await a_plug(visitor)
    network = visitor.network
    place = await network.pool.fetchval("select location_id from station where station_id = $1", station.station_id)
    await network.token("04AABBCC22")
    await station.plugs_in()
    assert await station.presents("04AABBCC22") == "Accepted"
    page = await phone()
    await comes_in(page, visitor, station, "waiter")
    await page.goto("/drive/me")
    await page.get_by_role("link", name="Deutsch").click()
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await expect(page.get_by_role("button", name="Abmelden")).to_be_visible()
    await page.get_by_role("link", name="English").click()
    # On the profile it is the language of mails as well.
    await page.goto("/drive/me/profile")
    await page.get_by_label("Language").select_option("de")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Gespeichert.")).to_be_visible()

    await page.goto(f"/drive/l/{place}")
    waits = page.get_by_role("button", name="Sag mir, wenn ein Anschluss frei ist")
    await waits.click()
    await expect(waits).to_have_attribute("aria-pressed", "true")
    await looks_right(page)
    await page.goto("/drive/me/alerts")
    await expect(page.locator("li.item", has_text="Harbour Park")).to_be_visible()
    await looks_right(page)
    await station.presents("04AABBCC22")
    await station.unplugs()
    mail = await visitor.mail_to(visitor.email, "frei")
    assert station.station_id in str(mail)

    async def is_over() -> bool:
        await page.goto("/drive/me/alerts")
        return not await page.locator("li.item", has_text="Harbour Park").count()

    await until(is_over, "they wait no more", patience_s=15)
    await page.goto(plug_path(station))
    await expect(page.get_by_text(re.compile("20 % USt. enthalten"))).to_be_visible()
    await looks_right(page)

    await page.goto("/drive/me/data")
    await looks_right(page)
    async with page.expect_download() as downloading:
        await page.locator("a[download]").click()
    with zipfile.ZipFile(await (await downloading.value).path()) as archive:
        known: dict[str, Any] = json.loads(archive.read("data.json"))
    assert known["driver"]["email"] == visitor.email
    await page.locator("input[name=sure]").check()
    await page.locator("button.danger").click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await looks_right(page)
    await page.goto("/drive/me")
    await expect(page).to_have_url(re.compile("/drive/sign-in"))
    row = await network.pool.fetchrow(
        "select count(*) filter (where email = $2) as known, count(*) filter (where status = 'erased') as erased"
        " from driver where party_id = $1",
        network.party_id,
        visitor.email,
    )
    assert row is not None
    assert tuple(row) == (0, 1)
