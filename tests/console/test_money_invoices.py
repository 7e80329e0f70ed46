"""Documents in the console: a month's run looked at and made, one as it was issued, the seller, who takes payments."""

from datetime import datetime
from typing import Any

import pytest

from ohmstead.billing.invoices import service
from tests.console.test_money import links
from tests.console.test_money_customers import a_company
from tests.console.town import Town
from tests.console.visitor import Visitor

SELLER = {
    "legal_name": "Harbour Power B.V.",
    "line1": "Quay 1",
    "postal_code": "1011 AB",
    "city": "Amsterdam",
    "country": "NL",
    "vat_id": "NL000099998B57",
    "payment_days": "14",
}


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    town = Town(visitor.network, noon)
    await town.tariff()
    return town


async def a_receipt(town: Town) -> tuple[Any, str]:
    """A CDR and the page of its receipt."""
    station = await town.station("ST", location_id=await town.location("Harbour Park"))
    await town.network.token("04A224F9")
    (cdr,) = await town.bills(await town.settled(station, begins=5, ends=4, token_uid="04A224F9"))
    async with town.network.pool.acquire() as conn, conn.transaction():
        made = await service.issue_receipt(conn, town.network.party_id, cdr.cdr_id)
    return cdr, f"/invoices/{made.invoice_id}"


async def test_a_document_is_shown_as_it_was_issued_with_its_files(
    town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    assert "Nothing has been invoiced yet." in (await visitor.opens("/invoices")).text
    cdr, path = await a_receipt(town)
    page = await visitor.opens(path)
    assert page.heading.endswith(": 11.86 EUR")
    assert f"/cdrs/{cdr.cdr_id}" in links(page)
    assert "/documents/" in page.text
    pdf = await visitor.client.get(f"{path}/pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert "attachment" in pdf.headers["content-disposition"]
    assert (await visitor.opens("/invoices")).heading == "1 document."
    number = page.heading.split()[1].rstrip(":")
    assert (await visitor.client.get(f"/search?q={number.lower()}")).headers["location"] == path
    session = await visitor.opens(f"/sessions/{cdr.session_id}")
    assert path in links(session)
    for query, n in ((f"q={number}", 1), ("q=nope", 0), ("kind=receipt", 1), ("kind=statement", 0), ("from=x", 0)):
        assert (path in links(await visitor.opens(f"/invoices?{query}"))) == bool(n), query
        assert (path.rpartition("/")[2] in (await visitor.client.get(f"/invoices.csv?{query}")).text) == bool(n), query
    await stranger.opens(path, expect=404)
    await stranger.opens(f"{path}/pdf", expect=404)
    assert path not in links(await stranger.opens("/invoices"))


async def test_a_document_is_sent_again_to_an_address_and_nobody_twice_by_one_press(
    town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    _cdr, path = await a_receipt(town)
    for email in ("", "nobody", "a b@example.com"):
        page = await visitor.sends(f"{path}/send", email=email, once="1", expect=422)
        assert [e.attributes["id"] for e in page.all("span", role="alert")] == ["email-error"], email
    await visitor.sends(f"{path}/send", email="books@example.com", once="2", expect=303)
    again = await visitor.sends(f"{path}/send", email="books@example.com", once="2", expect=422)
    assert "it was sent already" in again.text.lower()
    rows = await town.network.pool.fetch(
        "select kind, address, attachments from notification where party_id = $1", town.network.party_id
    )
    assert [(row["kind"], row["address"]) for row in rows] == [("receipt_issued", "books@example.com")]
    assert [one["id"] for one in rows[0]["attachments"]] == [path.rpartition("/")[2]]
    page = await visitor.opens(path)
    assert "books@example.com" in page.text
    log = next(link for link in links(page) if link.startswith("/settings/notifications/messages/"))
    assert "books@example.com" in (await visitor.opens(log)).text
    await stranger.sends(f"{path}/send", email="thief@example.com", once="3", expect=404)
    # Many at once, each to its buyer: nobody knows an address of a bare token.
    assert "Choose documents first" in (await visitor.sends("/invoices", expect=422)).text
    many = await visitor.sends("/invoices", chosen=[path.rpartition("/")[2]], once="4")
    assert "0 of 1 document is on its way. " in many.text
    assert "No address is known" in many.text
    await stranger.sends("/invoices", chosen=[path.rpartition("/")[2]], once="5", expect=404)
    assert await town.network.pool.fetchval("select count(*) from notification where address like 'thief%'") == 0


async def test_documents_of_drivers_and_companies_go_where_they_are_known(town: Town, visitor: Visitor) -> None:
    station = await town.station("ST")
    driver = (await visitor.sends("/drivers/new", name="Ada", email="ada@example.com", expect=303)).answer
    driver_id = driver.headers["location"].rpartition("/")[2]
    await town.network.token("04A224F9", driver_id=driver_id)
    await town.insert(
        "token_holding", party_id=town.network.party_id, driver_id=driver_id, uid_key="04a224f9", from_at=town.ago(900)
    )
    (cdr,) = await town.bills(await town.settled(station, begins=5, ends=4, token_uid="04A224F9"))
    async with town.network.pool.acquire() as conn, conn.transaction():
        made = await service.issue_receipt(conn, town.network.party_id, cdr.cdr_id)
    page = await visitor.opens(f"/invoices/{made.invoice_id}")
    assert next(page.all("input", name="email")).attributes["value"] == "ada@example.com"
    many = await visitor.sends("/invoices", chosen=[str(made.invoice_id)], once="1")
    assert "1 of 1 document is on its way." in many.text
    row = await town.network.pool.fetchrow(
        "select driver_id, address from notification where party_id = $1", town.network.party_id
    )
    assert (str(row["driver_id"]), row["address"]) == (driver_id, "ada@example.com")


async def test_a_months_run_is_looked_at_and_made_once_the_seller_is_known(town: Town, visitor: Visitor) -> None:
    company = await a_company(visitor)
    await visitor.sends("/drivers/new", name="Ada Lovelace", expect=303)
    await visitor.sends(f"{company}/members", who="Ada Lovelace", expect=303)
    driver_id = await visitor.network.pool.fetchval(
        "select driver_id from driver where party_id = $1", visitor.network.party_id
    )
    await visitor.network.token("04A224F9", driver_id=driver_id)
    await visitor.network.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, '04a224f9', '2020-01-01Z')",
        visitor.network.party_id,
        driver_id,
    )
    station = await town.station("ST", location_id=await town.location("Harbour Park"))
    session = await town.settled(station, begins=20 * 24, ends=20 * 24 - 1, token_uid="04A224F9")
    await town.insert(
        "session_cover",
        session_id=session,
        party_id=visitor.network.party_id,
        kind="company",
        ref=company.rpartition("/")[2],
        source="company",
    )
    (cdr,) = await town.bills(session)
    assert cdr.customer == f"company:{company.rpartition('/')[2]}"
    page = await visitor.opens("/invoices/runs?month=2026-02")
    assert page.heading == "1 document for February 2026."
    assert "Harbour Tugs" in page.text
    assert "Law wants more on invoices than is set" in page.text
    refused = await visitor.sends("/invoices/runs", month="2026-02", kind="customers", expect=409)
    assert "invoices must name the seller" in refused.text.lower()
    await visitor.sends("/settings/invoices", expect=303, **SELLER)
    await visitor.sends("/invoices/runs", month="2026-03", kind="customers", expect=409)
    asked = await visitor.sends("/invoices/runs", month="2026-02", kind="customers", expect=303)
    run = asked.answer.headers["location"]

    async def is_done() -> bool:
        return (await visitor.opens(run)).heading == "1 document for February 2026."

    await visitor.network.until(is_done, "the run is done")
    made = await visitor.opens(f"/invoices?run={run.rpartition('/')[2]}")
    assert "Harbour Tugs" in made.text
    invoice = next(link for link in links(made) if link.startswith("/invoices/") and link.count("-") == 4)
    page = await visitor.opens(invoice)
    assert "Harbour Power B.V." in page.text
    assert b"CrossIndustryInvoice" in (await visitor.client.get(f"{invoice}/xml?syntax=cii")).content
    assert (
        await visitor.opens("/invoices/runs?month=2026-02")
    ).heading == "Nothing is to be invoiced for February 2026."
    # Taken back, it gets a credit note by itself.
    await visitor.sends(f"/cdrs/{cdr.cdr_id}/credit", reason="A slip", expect=303)

    async def is_corrected() -> bool:
        return "Corrected by" in (await visitor.opens(invoice)).text

    await visitor.network.until(is_corrected, "a credit note is made")


async def test_who_takes_payments_is_shown_and_what_is_held_is_set(town: Town, visitor: Visitor) -> None:
    page = await visitor.opens("/settings/payments")
    assert page.heading == "Nobody takes payments: no provider is set up."
    bad = await visitor.sends("/settings/payments", hold_ac="abc", expect=422)
    assert list(bad.all("span", role="alert"))
    await visitor.sends("/settings/payments", hold_ac="25,50", hold_dc="", expect=303)
    page = await visitor.opens("/settings/payments")
    assert next(page.all("input", id="hold_ac")).attributes["value"] == "25.50"
    assert "/settings/payments" in links(await visitor.opens("/settings"))
