"""Who paid by bank: a statement rehearsed and taken in, a line booked, reversed and set aside; and an invoice's own page."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.accounts import access
from ohmstead.adapters.payments.sandbox.adapter import SandboxProvider
from ohmstead.billing.invoices import runs
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.hosts.sharing import HostDetails, NewContract
from ohmstead.billing.invoices.runs import NewRun
from ohmstead.billing.payments.ports import Providers
from tests.console.test_money import links
from tests.console.test_money_customers import a_company
from tests.console.test_money_invoices import SELLER
from tests.console.town import Town
from tests.console.visitor import Visitor
from tests.incoming.test_statements import camt, details, entry

BANK = "/invoices/bank"


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    town = Town(visitor.network, noon)
    await town.tariff()
    return town


async def an_invoice(town: Town, visitor: Visitor) -> tuple[str, str, str]:
    """Its page, its number, its customer."""
    company = await a_company(visitor)
    await visitor.sends("/drivers/new", name="Ada Lovelace", expect=303)
    await visitor.sends(f"{company}/members", who="Ada Lovelace", expect=303)
    network = visitor.network
    driver_id = await network.pool.fetchval("select driver_id from driver where party_id = $1", network.party_id)
    await network.token("04A224F9", driver_id=driver_id)
    station = await town.station("ST", location_id=await town.location("Harbour Park"))
    session = await town.settled(station, begins=20 * 24, ends=20 * 24 - 1, token_uid="04A224F9")
    ref = company.rpartition("/")[2]
    await town.insert(
        "session_cover", session_id=session, party_id=network.party_id, kind="company", ref=ref, source="company"
    )
    await town.bills(session)
    seller: dict[str, Any] = {**SELLER}
    await visitor.sends("/settings/invoices", expect=303, **seller)
    async with network.pool.acquire() as conn, conn.transaction():
        asked = await runs.ask(conn, access.system(network.party_id), NewRun(month="2026-02"))
    await runs.run(network.pool, {"run_id": str(asked.run_id)})

    async def is_made() -> bool:
        return "Harbour Tugs" in (await visitor.opens("/invoices")).text

    await network.until(is_made, "the invoice is made")
    row = await network.pool.fetchrow("select invoice_id, number from invoice where party_id = $1", network.party_id)
    assert row is not None
    return f"/invoices/{row['invoice_id']}", row["number"], f"company:{ref}"


async def test_a_statement_pays_an_invoice_and_what_was_wrong_is_taken_back(
    town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    path, number, customer = await an_invoice(town, visitor)
    assert (await visitor.opens(BANK)).heading == "All that came in and went out is booked."
    data = camt(
        entry("11.86", more=f"<NtryDtls>{details(text=number)}</NtryDtls>")
        + entry("0.00", ref="R2")
        + entry("9.99", ref="R3")
    )
    token = next(one.attributes["value"] for one in (await visitor.opens(BANK)).all("input", name="csrf_token"))
    rehearsed = await visitor.client.post(
        f"{BANK}/import", data={"csrf_token": token}, files={"file": ("april.xml", data, "application/xml")}
    )
    assert "This would take in 2 of 2 lines." in rehearsed.text
    assert (await visitor.opens(BANK)).heading == "All that came in and went out is booked."
    content = rehearsed.text.partition('name="content" value="')[2].partition('"')[0]
    taken = await visitor.sends(f"{BANK}/import", step="import", content=content, expect=200)
    assert "Taken in: 2 of 2 lines." in taken.text
    page = await visitor.opens(BANK)
    assert page.heading == "2 payments by bank are to be booked."
    assert path in links(page)
    share = next(one.attributes["value"] for one in page.all("input", name="share"))
    action = page.html[: page.html.index(share)].rpartition('action="')[2].partition('"')[0]
    await stranger.sends(action, share=share, customer=customer, expect=404)
    await visitor.sends(action, share=share, customer=customer, expect=303)
    await visitor.sends(action, share=share, customer=customer, expect=409)
    paid = await visitor.opens(path)
    assert "By bank" in paid.text
    assert "Paid" in " ".join(one.text for one in paid.all("span", class_="ok"))
    assert path in links(await visitor.opens("/invoices?show=paid"))
    assert path not in links(await visitor.opens("/invoices?show=open"))
    line = action.removesuffix("/book")
    await visitor.sends(f"{line}/reverse", note="the wrong one", expect=303)
    assert path in links(await visitor.opens("/invoices?show=open"))
    assert "the wrong one" in (await visitor.opens(BANK)).text
    await visitor.sends(f"{line}/book", numbers="NOPE", expect=422)
    await visitor.sends(f"{line}/aside", note="a gift", expect=303)
    assert "a gift" in (await visitor.opens(f"{BANK}?show=set_aside")).text
    assert "a gift" in (await visitor.client.get(f"{BANK}.csv?show=all")).text
    await visitor.sends(f"{line}/up", expect=303)
    await visitor.sends(f"{line}/book", numbers=number, expect=303)
    assert path in links(await visitor.opens("/invoices?show=paid"))


async def test_a_payment_is_recorded_by_hand_and_settings_are_kept(town: Town, visitor: Visitor) -> None:
    fields: dict[str, Any] = {
        "booked_on": "2026-01-05",
        "amount": "12,50",
        "currency": "eur",
        "payer": "Ada",
        "text": "thanks",
    }
    bad = {
        "amount": ("x", "0", "0.001"),
        "payee_iban": ("NL91ABNA0417164301", "NL91ABNA0417164300", "x"),
        "booked_on": ("", "2999-01-01"),
        "currency": ("EURO", ""),
    }
    for name, value in ((name, value) for name, values in bad.items() for value in values):
        await visitor.sends(BANK, **fields | {name: value}, expect=422)
    await visitor.sends(BANK, **fields, expect=303)
    await visitor.sends(BANK, **fields, expect=422)
    assert "12.50" in (await visitor.opens(BANK)).text
    await visitor.sends(f"{BANK}/settings", reminder_days="21 7", expect=422)
    await visitor.sends(f"{BANK}/settings", reminder_days="7 21", books_exact="yes", expect=303)
    page = await visitor.opens(BANK)
    assert [one.attributes["value"] for one in page.all("input", name="reminder_days")] == ["7 21"]


async def test_a_payment_is_booked_for_whoever_is_called_so(town: Town, visitor: Visitor, stranger: Visitor) -> None:
    await a_company(visitor)
    await a_company(stranger)
    for email in ("ada@one.example", "ada@two.example"):
        await visitor.sends("/drivers/new", name="Ada Lovelace", email=email, expect=303)
    await visitor.sends(BANK, booked_on="2026-03-01", amount="12.00", currency="EUR", payer="Tugs", expect=303)
    page = await visitor.opens(BANK)
    book = next(
        form for form in (one.attributes.get("action", "") for one in page.all("form")) if form.endswith("/book")
    )
    unknown = await visitor.sends(book, customer="Nobody Such", expect=422)
    assert "No driver, company or host is called Nobody Such" in unknown.text
    several = await visitor.sends(book, customer="ada lovelace", expect=422)
    assert "More than one is called ada lovelace" in several.text
    await visitor.sends(book, customer="HARBOUR TUGS", expect=303)
    booked = await visitor.opens(f"{BANK}?show=booked")
    assert "Harbour Tugs 12.00 EUR" in booked.text


async def test_what_a_host_is_owed_is_paid_out_and_a_fee_is_the_banks(
    town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    network = visitor.network
    await visitor.sends("/settings/invoices", expect=303, **SELLER)
    location_id = await town.location("Harbour Park")
    system = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        host = await hosts.create_host(conn, system, HostDetails(name="Harbour Garages"))
        terms = NewContract(
            location_id=location_id, currency="EUR", share_percent=Decimal(50), from_on=date(2026, 1, 1)
        )
        await hosts.agree(conn, system, host.host_id, terms)
    station = await town.station("ST", location_id=location_id)
    await town.bills(await town.settled(station, begins=20 * 24, ends=20 * 24 - 1, location_id=location_id))
    async with network.pool.acquire() as conn, conn.transaction():
        asked = await runs.ask(conn, system, NewRun(month="2026-02", kind="hosts"))
    await runs.run(network.pool, {"run_id": str(asked.run_id)})
    sql = "select invoice_id, number, total from invoice where party_id = $1 and kind = 'self_billing'"

    async def is_made() -> bool:
        return bool(await network.pool.fetch(sql, network.party_id))

    await network.until(is_made, "the statement is made")
    (made,) = await network.pool.fetch(sql, network.party_id)
    path = f"/invoices/{made['invoice_id']}"
    assert path not in links(await visitor.opens("/invoices?show=open")), "that is what others owe"
    assert "Open" in (await visitor.opens(f"/hosts/{host.host_id}")).text
    fields = {"booked_on": "2026-03-01", "currency": "EUR", "text": made["number"], "payer": "Garages"}
    await visitor.sends(BANK, **fields, amount=f"-{made['total']}", payee_iban="nl91 abna 0417 1643 00", expect=303)
    page = await visitor.opens(BANK)
    assert "NL91ABNA0417164300" in page.text
    share = next(one.attributes["value"] for one in page.all("input", name="share"))
    action = page.html[: page.html.index(share)].rpartition('action="')[2].partition('"')[0]
    wanted = {"share": share, "customer": f"host:{host.host_id}"}
    await stranger.sends(action, **wanted, expect=404)
    await visitor.sends(action, **wanted, expect=303)
    assert "Paid on" in (await visitor.opens(path)).text
    assert "Paid" in (await visitor.opens(f"/hosts/{host.host_id}")).text
    shown = (await visitor.opens(path)).html.partition("/documents/")[2]
    assert "Paid on" in (await visitor.opens("/documents/" + re.split("[^A-Za-z0-9_-]", shown, maxsplit=1)[0])).text
    line = action.removesuffix("/book")
    await visitor.sends(f"{line}/reverse", note="the wrong one", expect=303)
    assert "Paid on" not in (await visitor.opens(f"/hosts/{host.host_id}")).text
    await visitor.sends(f"{line}/book", numbers=made["number"], expect=303)
    await visitor.sends(BANK, **fields | {"text": "fee"}, amount="-3,50", expect=303)
    page = await visitor.opens(BANK)
    fee = page.html[: page.html.index('value="fees:bank"')].rpartition('action="')[2].partition('"')[0]
    await visitor.sends(fee, customer="fees:bank", expect=303)
    assert "the bank, as its fee" in (await visitor.opens(f"{BANK}?show=booked")).text


async def test_an_invoice_is_paid_from_its_own_page(town: Town, visitor: Visitor) -> None:
    path, _, _ = await an_invoice(town, visitor)
    shown = (await visitor.opens(path)).html.partition("/documents/")[2]
    link = "/documents/" + re.split("[^A-Za-z0-9_-]", shown, maxsplit=1)[0]
    page = await visitor.opens(link)
    assert "Pay" not in page.text, "nobody takes payments here"
    refused = await visitor.opens(f"{link}/pay", expect=409)
    assert "no payment provider" in refused.text.lower()
    state = visitor.front.app.state
    before = state.payment_providers
    state.payment_providers = Providers(SandboxProvider(visitor.network.pool, b"s" * 32, "http://127.0.0.1"))
    try:
        page = await visitor.opens(link)
        assert [one.attributes["href"] for one in page.all("a", rel="nofollow")] == [f"{link}/pay"]
        assert "Pay 11.86" in page.text.replace("\u00a0", " ")
        led = await visitor.client.get(f"{link}/pay")
        assert led.status_code == 303
        assert "/pay/sandbox/" in led.headers["location"]
        assert (await visitor.client.get(f"{link}/pay")).headers["location"] == led.headers["location"]
        payment_id = await visitor.network.pool.fetchval(
            "select payment_id from payment where party_id = $1", visitor.network.party_id
        )
        assert path in links(await visitor.opens(f"/payments/{payment_id}"))
    finally:
        state.payment_providers = before
