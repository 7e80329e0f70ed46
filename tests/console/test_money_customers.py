"""Companies, plans, coupons, and one driver's money in the console."""

from datetime import datetime
from uuid import UUID

import httpx
import pytest

from ohmstead.core.ids import new_id
from tests.api.door import Front
from tests.console.test_money import links
from tests.console.town import Town
from tests.console.visitor import Visitor, sign_in


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    return Town(visitor.network, noon)


async def a_driver(visitor: Visitor, name: str = "Ada Lovelace") -> str:
    """Their page."""
    return (await visitor.sends("/drivers/new", name=name, expect=303)).answer.headers["location"]


async def a_company(visitor: Visitor, **fields: str) -> str:
    """Its page."""
    given = {"name": "Harbour Tugs", "payment_days": "14", "limit_per_month": "500", **fields}
    return (await visitor.sends("/companies/new", expect=303, **given)).answer.headers["location"]


async def a_plan(visitor: Visitor, **fields: str) -> str:
    """Its page."""
    given = {"name": "Gold", "label": "GOLD", "monthly_fee": "9,90", "tax": "21", "tax_included": "yes", **fields}
    return (await visitor.sends("/plans/new", expect=303, **given)).answer.headers["location"]


async def test_a_company_is_made_changed_and_pays_for_its_people(town: Town, visitor: Visitor) -> None:
    assert "There is no company yet." in (await visitor.opens("/companies")).text
    for fields in ({"name": ""}, {"name": "X", "payment_days": "x"}, {"name": "X", "limit_per_month": "-1"}):
        page = await visitor.sends("/companies/new", expect=422, **fields)
        assert list(page.all("span", role="alert")), fields
    path = await a_company(visitor)
    await a_driver(visitor)
    await visitor.network.token("04A224F9")
    page = await visitor.opens(path)
    assert page.heading == "Harbour Tugs, 0 members."
    assert "500.00 EUR" in page.text
    unknown = await visitor.sends(f"{path}/members", who="Nobody", expect=422)
    assert "No driver and no token is called Nobody." in unknown.text
    await visitor.sends(f"{path}/members", who="ada lovelace", expect=303)
    await visitor.sends(f"{path}/members", who="04a224f9", expect=303)
    page = await visitor.opens(path)
    assert page.heading == "Harbour Tugs, 2 members."
    assert "Ada Lovelace" in page.text
    driver = next(e.attributes["value"] for e in page.all("input", name="member_id"))
    await visitor.sends(f"{path}/members/remove", member_id=driver, expect=303)
    assert "1 member" in (await visitor.opens(path)).heading
    assert (await visitor.opens("/companies?q=tugs")).heading == "1 company."
    assert "No company fits." in (await visitor.opens("/companies?show=ended")).text
    assert "Harbour Tugs" in (await visitor.client.get("/companies.csv")).text


async def test_two_who_change_a_company_see_what_differs_and_lose_nothing(town: Town, visitor: Visitor) -> None:
    path = await a_company(visitor)
    form = await visitor.opens(f"{path}/edit")
    version = next(form.all("input", name="version")).attributes["value"]
    fields = {"name": "Tugs A", "payment_days": "30", "status": "active"}
    await visitor.sends(f"{path}/edit", expect=303, version=version, **fields)
    both = await visitor.sends(f"{path}/edit", expect=409, version=version, **{**fields, "name": "Tugs B"})
    assert "Somebody changed this while you did" in both.text
    assert "Tugs A" in both.text
    assert next(both.all("input", name="name")).attributes["value"] == "Tugs B"
    now = next(both.all("input", name="version")).attributes["value"]
    await visitor.sends(f"{path}/edit", expect=303, version=now, **{**fields, "name": "Tugs B", "status": "suspended"})
    assert (await visitor.opens(path)).heading == "Suspended: Tugs B, 0 members."


async def test_a_plan_and_a_coupon_are_offered_and_drivers_have_them(town: Town, visitor: Visitor) -> None:
    assert "There is no plan yet." in (await visitor.opens("/plans")).text
    for change in ({"monthly_fee": ""}, {"monthly_fee": "-1"}, {"label": ""}, {"from_on": "x"}, {"tax": "abc"}):
        fields = {"name": "Gold", "label": "GOLD", "monthly_fee": "9.90", **change}
        page = await visitor.sends("/plans/new", expect=422, **fields)
        assert list(page.all("span", role="alert")), change
    path = await a_plan(visitor)
    assert (await visitor.opens(path)).heading == "Gold: 9.90 EUR a month, 0 subscribers."
    twice = await visitor.sends("/plans/new", name="Gold 2", label="GOLD", monthly_fee="1", expect=422)
    assert list(twice.all("span", role="alert"))
    driver = f"{await a_driver(visitor)}/money"
    await visitor.sends(f"{driver}/subscribe", plan_id=path.rpartition("/")[2], expect=303)
    page = await visitor.opens(driver)
    assert "Gold" in page.text
    again = await visitor.sends(f"{driver}/subscribe", plan_id=path.rpartition("/")[2], expect=409)
    assert "Gold" in again.text
    cancel = next(
        e.attributes["action"] for e in page.all("form") if e.attributes.get("action", "").endswith("/cancel")
    )
    await visitor.sends(cancel, expect=303)
    assert "until 01 Apr 2026" in (await visitor.opens(driver)).text
    await visitor.sends(cancel.replace("/cancel", "/keep"), expect=303)
    assert "Ada Lovelace" in (await visitor.opens(path)).text
    form = await visitor.opens(f"{path}/edit")
    version = next(form.all("input", name="version")).attributes["value"]
    fields = {"name": "Gold", "monthly_fee": "12", "tax": "21", "tax_included": "yes", "status": "closed"}
    await visitor.sends(f"{path}/edit", expect=303, version=version, **fields)
    both = await visitor.sends(f"{path}/edit", expect=409, version=version, **{**fields, "monthly_fee": "11"})
    assert "Somebody changed this while you did" in both.text

    bad = await visitor.sends("/plans/coupons", code="x", coupon_label="SPRING", expect=422)
    assert list(bad.all("span", role="alert"))
    await visitor.sends("/plans/coupons", code="SPRING26", coupon_label="SPRING", sessions_each="3", expect=303)
    assert "SPRING26" in (await visitor.opens("/plans")).text
    unknown = await visitor.sends(f"{driver}/coupons", code="WINTER", expect=409)
    assert "WINTER" in next(unknown.all("input", id="code")).attributes["value"]
    await visitor.sends(f"{driver}/coupons", code="spring26", expect=303)
    assert "3 sessions left" in (await visitor.opens(driver)).text
    stop = next(
        e.attributes["action"]
        for e in (await visitor.opens("/plans")).all("form")
        if e.attributes.get("action", "").endswith("/stop")
    )
    await visitor.sends(stop, expect=303)
    await visitor.sends(stop, expect=409)


async def test_a_wallet_is_opened_adjusted_with_a_reason_and_shows_its_entries(town: Town, visitor: Visitor) -> None:
    path = f"{await a_driver(visitor)}/money"
    page = await visitor.opens(path)
    assert "They pay on account, by monthly invoice." in page.heading
    await visitor.sends(f"{path}/adjust", amount="5", reason="x", expect=409)
    await visitor.sends(f"{path}/wallet", expect=303)
    for fields in ({"amount": "", "reason": "x"}, {"amount": "x", "reason": "x"}, {"amount": "5", "reason": ""}):
        page = await visitor.sends(f"{path}/adjust", expect=422, **fields)
        assert list(page.all("span", role="alert")), fields
    await visitor.sends(f"{path}/adjust", amount="7,50", reason="A plug that was stuck", expect=303)
    page = await visitor.opens(path)
    assert "7.50 EUR" in page.text
    assert "Wallet adjusted" in page.text
    too_much = await visitor.sends(f"{path}/adjust", amount="-10", reason="x", expect=409)
    assert "That is more than there is to spend" in too_much.text
    await visitor.sends(f"{path}/method", kind="wallet", expect=303)
    assert (await visitor.opens(path)).heading.startswith("They pay from their wallet.")
    await visitor.sends(f"{path}/method", kind="card", expect=422)
    company = await a_company(visitor)
    await visitor.sends(f"{path}/method", kind="company", company_id=company.rpartition("/")[2], expect=303)
    await visitor.sends(f"{path}/method", kind="rule", expect=303)


async def a_card(town: Town, driver: str, last4: str = "4242") -> UUID:
    """Stored at a provider that is not here."""
    method_id = new_id()
    await town.insert(
        "stored_method",
        method_id=method_id,
        party_id=town.network.party_id,
        driver_id=UUID(driver.rpartition("/")[2]),
        provider="sandbox",
        kind="card",
        brand="visa",
        last4=last4,
        provider_ref=f"pm_{method_id.hex}",
        customer_ref="cus_1",
        is_default=True,
        created_at=town.now,
    )
    return method_id


async def test_a_wallet_is_set_up_and_a_card_forgotten(town: Town, visitor: Visitor, stranger: Visitor) -> None:
    driver = await a_driver(visitor)
    path = f"{driver}/money"
    await visitor.sends(f"{path}/wallet", expect=303)
    for wrong in ("", "x", "-1", "0.001"):
        page = await visitor.sends(f"{path}/credit-limit", credit_limit=wrong, expect=422)
        assert [e.attributes["id"] for e in page.all("span", role="alert")] == ["credit_limit-error"], wrong
    await visitor.sends(f"{path}/credit-limit", credit_limit="15", expect=303)
    assert "Credit limit: 15.00 EUR" in (await visitor.opens(path)).text
    stale = await visitor.sends(f"{path}/credit-limit", credit_limit="20", version="1", expect=409)
    assert "changed since" in stale.text
    card = await a_card(town, driver)
    good = {"auto_below": "5", "auto_amount": "25", "auto_method": str(card)}
    for field, wrong in (("auto_below", ""), ("auto_amount", "-1"), ("auto_method", str(new_id()))):
        page = await visitor.sends(f"{path}/auto-top-up", expect=422, **(good | {field: wrong}))
        assert [e.attributes["id"] for e in page.all("span", role="alert")] == [f"{field}-error"], field
    await visitor.sends(f"{path}/auto-top-up", expect=303, **good)
    assert "below 5.00 EUR it is filled by 25.00 EUR" in (await visitor.opens(path)).text
    await visitor.sends(f"{path}/auto-top-up", do="stop", expect=303)
    assert "it is filled by" not in (await visitor.opens(path)).text
    # Nobody takes payments here: nothing can be asked for.
    assert "Ask them to fill it" not in (await visitor.opens(path)).text
    await visitor.sends(f"{path}/ask", ask_amount="20", once="1", expect=409)
    await visitor.sends(f"{path}/method", kind="card", method_id=str(card), expect=303)
    await stranger.sends(f"{path}/cards/{card}/forget", expect=404)
    assert "…4242" in (await visitor.opens(path)).text
    await visitor.sends(f"{path}/cards/{card}/forget", expect=303)
    page = await visitor.opens(path)
    assert "…4242" not in page.text
    assert "with a stored card" not in page.heading
    await visitor.sends(f"{path}/cards/{new_id()}/forget", expect=404)


async def test_a_drivers_price_limit_is_set_and_taken_off(town: Town, visitor: Visitor, stranger: Visitor) -> None:
    driver = await a_driver(visitor)
    for wrong in ("x", "0", "-5", "1.005", "1000000"):
        page = await visitor.sends(f"{driver}/price-limit", price_limit=wrong, expect=422)
        assert len(list(page.all("span", role="alert"))) == 1, wrong
    await visitor.sends(f"{driver}/price-limit", price_limit="30,50", expect=303)
    assert "30.50 EUR for a session" in (await visitor.opens(driver)).text
    await stranger.sends(f"{driver}/price-limit", price_limit="1", expect=404)
    for _ in range(2):
        await visitor.sends(f"{driver}/price-limit", price_limit="", expect=303)
    assert "EUR for a session" not in (await visitor.opens(driver)).text


async def test_finance_knows_customers_by_name_and_changes_nothing_of_them(
    front: Front, town: Town, visitor: Visitor
) -> None:
    driver = await a_driver(visitor)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        finance = await sign_in(front, visitor.network, other, role="finance")
        for path in (driver, f"{driver}/money", "/drivers"):
            assert "Ada Lovelace" in (await finance.opens(path)).text, path
        await finance.opens(f"{driver}/edit", expect=403)
        changes = {
            "price-limit": "price_limit",
            "money/method": "kind",
            "money/wallet": "x",
            "erase": "x",
            "block": "x",
        }
        for path, field in changes.items():
            await finance.sends(f"{driver}/{path}", expect=403, **{field: "5"})


async def test_strangers_and_who_may_not_find_nothing(
    front: Front, town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    company, plan, driver = await a_company(visitor), await a_plan(visitor), await a_driver(visitor)
    for path in (company, f"{company}/edit", plan, f"{plan}/edit", f"{driver}/money"):
        await stranger.opens(path, expect=404)
    await stranger.sends(f"{company}/members", who="x", expect=404)
    await stranger.sends(f"{driver}/money/wallet", expect=404)
    assert company not in links(await stranger.opens("/companies"))
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        operations = await sign_in(front, visitor.network, other, role="operations")
        await operations.opens(f"{company}/edit", expect=403)
        await operations.sends(f"{driver}/money/adjust", amount="5", reason="x", expect=403)
        assert "Give, take or pay back" not in (await operations.opens(f"{driver}/money")).text
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        support = await sign_in(front, visitor.network, other, role="support")
        for path in ("/companies", "/plans", f"{driver}/money"):
            await support.opens(path, expect=403)
