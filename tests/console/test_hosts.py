"""Hosts in the console: who they are, what they get where, and what a location's page tells of it."""

from datetime import datetime

import httpx
import pytest

from tests.api.door import Front
from tests.console.test_money import links
from tests.console.town import Town
from tests.console.visitor import Visitor, sign_in


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    return Town(visitor.network, noon)


async def a_host(visitor: Visitor, **fields: str) -> str:
    """Its page."""
    given = {"name": "Mall Owners", "tax_percentage": "21", "tax_name": "VAT", "language": "en", **fields}
    return (await visitor.sends("/hosts/new", expect=303, **given)).answer.headers["location"]


async def test_a_host_is_made_and_its_form_says_what_does_not_fit(town: Town, visitor: Visitor) -> None:
    assert "There is no host yet." in (await visitor.opens("/hosts")).text
    good = {"name": "Mall", "tax_percentage": "0", "tax_name": "VAT", "language": "en"}
    for field, wrong in (
        ("name", ""),
        ("iban", "NL00ABCD"),
        ("tax_percentage", "x"),
        ("country", "NLD"),
        ("email", "x"),
    ):
        page = await visitor.sends("/hosts/new", expect=422, **(good | {field: wrong}))
        assert [e.attributes["id"] for e in page.all("span", role="alert")] == [f"{field}-error"], field
    path = await a_host(visitor, iban="nl91 abna 0417 1643 00", line1="Quay 1", city="Delft", country="nl")
    page = await visitor.opens(path)
    assert page.heading == "Mall Owners: nothing is owed."
    assert "NL91ABNA0417164300" in page.text
    assert "Quay 1, Delft, NL" in page.text
    assert (await visitor.opens("/hosts")).heading == "1 host."
    assert "Mall Owners,Delft,NL" in (await visitor.client.get("/hosts.csv")).text


async def test_two_who_change_a_host_see_what_differs(town: Town, visitor: Visitor) -> None:
    path = await a_host(visitor)
    version = next((await visitor.opens(f"{path}/edit")).all("input", name="version")).attributes["value"]
    fields = {"tax_percentage": "21", "tax_name": "VAT", "language": "en", "version": version}
    await visitor.sends(f"{path}/edit", expect=303, name="Mall A", **fields)
    both = await visitor.sends(f"{path}/edit", expect=409, name="Mall B", **fields)
    assert "Somebody changed this while you did" in both.text
    assert "Mall A" in both.text
    assert next(both.all("input", name="name")).attributes["value"] == "Mall B"


async def test_a_contract_is_agreed_shown_at_its_location_and_ended(town: Town, visitor: Visitor) -> None:
    place = await town.location("Harbour East")
    path = await a_host(visitor)
    terms = {"location_id": str(place), "share_percent": "12,5", "currency": "eur", "from_on": "2026-01-01"}
    for field, wrong in (
        ("location_id", ""),
        ("from_on", "x"),
        ("currency", "EURO"),
        ("share_percent", ""),
        ("share_percent", "101"),
        ("until_on", "2025-01-01"),
    ):
        page = await visitor.sends(f"{path}/contracts", expect=422, **(terms | {field: wrong}))
        assert len(list(page.all("span", role="alert"))) == 1, (field, wrong)
    await visitor.sends(f"{path}/contracts", expect=303, **terms)
    assert "12.5 % of the revenue" in (await visitor.opens(path)).text
    again = await visitor.sends(f"{path}/contracts", expect=409, **terms)
    assert "another contract holds at this place" in again.text.lower()
    site = await visitor.opens(f"/locations/{place}")
    assert "12.5 % of the revenue Mall Owners" in site.text
    assert path in links(site)
    end = next(
        e.attributes["action"]
        for e in (await visitor.opens(path)).all("form")
        if "/end" in e.attributes.get("action", "")
    )
    await visitor.sends(end, until_on="2025-01-01", expect=409)
    await visitor.sends(end, until_on="2026-02-01", expect=303)
    assert "01 Feb 2026" in (await visitor.opens(path)).text
    assert "Mall Owners" not in (await visitor.opens(f"/locations/{place}")).text


async def test_strangers_and_who_may_not_find_no_host(
    front: Front, town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    place = await town.location("Harbour East")
    path = await a_host(visitor)
    terms = {"location_id": str(place), "fee_per_kwh": "0.02", "currency": "EUR", "from_on": "2026-01-01"}
    await visitor.sends(f"{path}/contracts", expect=303, **terms)
    for address in (path, f"{path}/edit"):
        await stranger.opens(address, expect=404)
    await stranger.sends(f"{path}/contracts", expect=404, **terms)
    assert "Mall Owners" not in (await stranger.opens("/hosts")).text
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        operations = await sign_in(front, visitor.network, other, role="operations")
        await operations.opens(path)
        await operations.opens(f"{path}/edit", expect=403)
        await operations.sends(f"{path}/contracts", expect=403, **terms)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        support = await sign_in(front, visitor.network, other, role="support")
        await support.opens(path, expect=403)
        assert "Mall Owners" not in (await support.opens(f"/locations/{place}")).text
