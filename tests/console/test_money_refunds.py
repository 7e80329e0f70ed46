"""Giving something back in the console: asked, shown, done, and found again."""

from datetime import datetime
from decimal import Decimal

import pytest

from ohmstead.billing import verifying
from ohmstead.billing.invoices import service as documents
from tests.console.test_money import a_bill, a_station, links
from tests.console.test_money_payments import a_payment
from tests.console.town import Town
from tests.console.visitor import Visitor


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    """A kWh costs 0.49, before 21 % VAT."""
    town = Town(visitor.network, noon)
    await town.tariff()
    return town


async def test_a_refund_is_shown_before_it_is_done_and_leads_to_its_credit_note(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    pool, party_id = visitor.network.pool, visitor.network.party_id
    async with pool.acquire() as conn, conn.transaction():
        receipt = await documents.issue_receipt(conn, party_id, cdr.cdr_id)
    payment = await a_payment(
        town, session_id=cdr.session_id, cdr_id=cdr.cdr_id, customer=cdr.customer, description="Charging"
    )
    path = f"/cdrs/{cdr.cdr_id}/refund"
    for page in (f"/cdrs/{cdr.cdr_id}", f"/sessions/{cdr.session_id}", f"/payments/{payment}"):
        assert path in links(await visitor.opens(page)), page
    assert (await visitor.opens(path)).heading == "11.86 EUR were billed."
    for wrong in (
        {"amount": "2"},
        {"amount": "2", "reason": " "},
        {"reason": "x"},
        {"amount": "x", "reason": "x"},
        {"amount": "0", "reason": "x"},
        {"amount": "-1", "reason": "x"},
        {"amount": "11.87", "reason": "x"},
        {"amount": "0.001", "reason": "x"},
    ):
        for step in ("look", "do"):
            page = await visitor.sends(path, part="part", step=step, expect=422, **wrong)
            assert list(page.all("span", role="alert")), wrong
    given = {"part": "part", "amount": "2,50", "reason": "The charger was slow"}
    seen = await visitor.sends(path, step="look", expect=200, **given)
    assert seen.heading == "2.50 EUR off: 9.36 EUR are left."
    for words in (
        "a new one of 9.36 EUR is made instead",
        "2.50 EUR go back to where they were paid from, by Sandbox",
        f"A credit note is made for {receipt.number}",
        "The charger was slow",
    ):
        assert words in seen.text, words
    assert await pool.fetchval("select count(*) from cdr where party_id = $1", party_id) == 1, "nothing is done yet"
    answer = await visitor.sends(path, step="do", expect=303, **given)
    done = await visitor.opens(answer.answer.headers["location"])
    assert done.heading == "9.36 EUR for 20.00 kWh."
    assert "It was reduced; this is what is left." in done.text
    assert "Reduced: The charger was slow" in done.text
    note = await pool.fetchval("select invoice_id from invoice where party_id = $1 and kind = 'credit_note'", party_id)
    assert f"/invoices/{note}" in links(done)
    assert f"/invoices/{note}" in links(await visitor.opens(f"/sessions/{cdr.session_id}"))
    assert "Give back: 2.50 EUR" in (await visitor.opens(f"/payments/{payment}")).text
    again = await visitor.sends(path, step="do", expect=409, **given)
    assert "It was credited already" in again.text
    async with pool.acquire() as conn:
        faults = (await verifying.verify(conn, party_id)).faults
    assert [one.check for one in faults if one.check == "cdr"] == []


async def test_all_of_it_leaves_nothing_to_give_back(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    path = f"/cdrs/{cdr.cdr_id}/refund"
    seen = await visitor.sends(path, part="whole", amount="", reason="A guest of ours", step="look", expect=200)
    assert "its session is not billed any more" in seen.text
    assert "owes 11.86 EUR less" in seen.text
    assert "It stands on no document yet" in seen.text
    answer = await visitor.sends(path, part="whole", amount="", reason="A guest of ours", step="do", expect=303)
    done = await visitor.opens(answer.answer.headers["location"])
    assert "All of it is given back; this is the credit." in done.text
    assert "Nothing of it can be given back" in (await visitor.opens(path)).text
    assert path not in links(await visitor.opens(f"/cdrs/{cdr.cdr_id}"))


async def test_a_refund_asks_for_a_proof_when_it_is_done_and_not_before(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    await visitor.network.pool.execute(
        "update web_session w set proved_at = null from operator o where o.operator_id = w.operator_id and o.party_id = $1",
        cdr.party_id,
    )
    given = {"part": "part", "amount": "1", "reason": "x"}
    await visitor.sends(f"/cdrs/{cdr.cdr_id}/refund", step="look", expect=200, **given)
    page = await visitor.sends(f"/cdrs/{cdr.cdr_id}/refund", step="do", expect=403, **given)
    assert "Is it still you, Ada?" in page.text


async def test_the_payments_page_reduces_what_was_billed(town: Town, visitor: Visitor) -> None:
    station, _place = await a_station(town)
    cdr = await a_bill(town, station)
    payment = await a_payment(town, session_id=cdr.session_id, cdr_id=cdr.cdr_id, customer=cdr.customer)
    await visitor.sends(f"/payments/{payment}/refund", reason="Slow", amount="2", expect=303)
    totals = await visitor.network.pool.fetch("select total from cdr where session_id = $1", cdr.session_id)
    assert sorted(row["total"] for row in totals) == [Decimal("-11.86"), Decimal("9.86"), Decimal("11.86")]
    assert "Give back: 2.00 EUR" in (await visitor.opens(f"/payments/{payment}")).text
