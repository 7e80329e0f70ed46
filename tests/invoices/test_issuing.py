"""Documents are issued once, with numbers that have no gaps, and come to exactly what their CDRs come to."""

import asyncio
from decimal import Decimal

import asyncpg
import pytest

from ohmstead.billing.invoices import sellers, service
from ohmstead.billing.invoices.links import document_of, link_of
from ohmstead.core import clock
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.ids import new_id
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffElement, TariffTax
from tests.billing.network import AT, VAT, per_kwh
from tests.invoices.office import Office


async def test_a_session_gets_its_receipt_once(office: Office) -> None:
    driver_id, uid = await office.driver()
    session_id = await office.charged(uid)
    (made,) = await office.receipts(session_id)
    assert await office.receipts(session_id) == []
    (cdr,) = await office.cdrs()
    async with office.pool.acquire() as conn, conn.transaction():
        again = await service.issue_receipt(conn, office.party_id, cdr.cdr_id)
    assert again == made
    assert (made.kind, made.customer, made.session_id) == ("receipt", f"driver:{driver_id}", session_id)
    assert made.total == cdr.total == Decimal("11.86")
    assert made.content.buyer.name == "Ada"
    assert made.content.seller.legal_name == "Harbour Power B.V."
    (line,) = made.content.lines
    assert line.token == f"…{uid[-4:]}", "a card's number is as good as a key"
    facts = await office.pool.fetch("select payload from outbox where kind = 'InvoiceIssued'")
    assert [row["payload"]["number"] for row in facts] == [made.number]


async def test_numbers_have_no_gaps_when_many_issue_at_once_and_some_fail(office: Office) -> None:
    sessions = [await office.charged(days=n) for n in range(8)]

    async def issue(n: int) -> None:
        async with office.pool.acquire() as conn, conn.transaction():
            await service.issue_receipts_of(conn, office.party_id, sessions[n])
            if n % 3 == 0:
                raise RuntimeError("killed before the commit")

    done = await asyncio.gather(*(issue(n) for n in range(8)), return_exceptions=True)
    assert sum(isinstance(one, RuntimeError) for one in done) == 3
    for session_id in sessions:
        await office.receipts(session_id)
    numbers = sorted(one.number for one in await office.documents())
    year = clock.now().year
    assert numbers == [f"R-{year}-{n:06}" for n in range(1, 9)]


async def test_what_was_issued_is_never_changed(office: Office) -> None:
    (made,) = await office.receipts(await office.charged())
    for statement in (
        "update invoice set total = 0 where invoice_id = $1",
        "delete from invoice where invoice_id = $1",
        "delete from invoice_cdr where invoice_id = $1",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await office.pool.execute(statement, made.invoice_id)
    for statement in (
        "update invoice_range set last_number = 0",
        "update invoice_range set last_number = last_number + 2",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await office.pool.execute(statement)


async def test_a_document_keeps_seller_and_buyer_as_they_were(office: Office) -> None:
    driver_id, uid = await office.driver()
    (made,) = await office.receipts(await office.charged(uid))
    await office.pool.execute("update driver set name = 'Grace' where driver_id = $1", driver_id)
    (kept,) = await office.documents()
    assert kept == made
    (later,) = await office.receipts(await office.charged(uid, days=1))
    assert later.content.buyer.name == "Grace"


async def test_a_credited_session_gets_a_credit_note_and_what_was_never_told_gets_none(office: Office) -> None:
    _, uid = await office.driver()
    told, untold = await office.charged(uid), await office.charged(uid, days=1)
    (receipt,) = await office.receipts(told)
    for cdr in await office.cdrs():
        await office.credits(cdr.cdr_id)
    (note,) = await office.hears()
    assert await office.hears() == [note], "however often it is heard"
    assert note.corrects_id == receipt.invoice_id
    assert (note.content.corrects, note.content.corrects_on) == (receipt.number, receipt.issued_on)
    assert note.total == -receipt.total
    assert note.content.totals.payable == receipt.total, "it says what is given back"
    assert note.content.buyer == receipt.content.buyer
    assert await office.receipts(untold) == []
    assert await office.faults() == []
    with pytest.raises(Conflict):
        async with office.pool.acquire() as conn, conn.transaction():
            taken_back = next(cdr for cdr in await office.cdrs() if cdr.session_id == untold and cdr.kind == "charge")
            await service.issue_receipt(conn, office.party_id, taken_back.cdr_id)


async def test_a_credit_has_no_receipt(office: Office) -> None:
    await office.charged()
    (cdr,) = await office.cdrs()
    made = await office.credits(cdr.cdr_id)
    with pytest.raises(Refused):
        async with office.pool.acquire() as conn, conn.transaction():
            await service.issue_receipt(conn, office.party_id, made.credit.cdr_id)


async def test_taxes_of_many_sessions_are_those_of_their_sum_and_the_difference_is_booked(office: Office) -> None:
    """Ten times 0.49 × 21 % = 0.1029 → 0.10; of the sum 1.029 → 1.03."""
    _, uid = await office.driver()
    for day in range(10):
        await office.charged(uid, days=day, wh=1000)
    await office.runs()
    (made,) = await office.documents()
    totals = made.content.totals
    assert (totals.before_taxes, totals.tax) == (Decimal("4.90"), Decimal("1.03"))
    assert (totals.total, totals.rounding, totals.payable) == (Decimal("5.93"), Decimal("-0.03"), Decimal("5.90"))
    assert made.total == sum(cdr.total for cdr in await office.cdrs()) == Decimal("5.90")
    balances = await office.balances()
    assert balances["tax:NL:VAT:21"] == Decimal("-1.03"), "what is owed on is what the invoice says"
    assert balances["rounding"] == Decimal("0.03")
    assert sum(balances.values()) == 0
    assert await office.faults() == []


async def test_a_company_that_is_known_where_it_charges_owes_the_tax_itself(office: Office) -> None:
    """The seller is Dutch and the place is German: article 195."""
    await office.pool.execute("update location set country = 'DEU' where party_id = $1", office.party_id)
    _, uid = await office.driver()
    company_id = await office.company(
        uid, vat_number="DE123456788", country="DE", city="Berlin", postal_code="10115", address="Main street 5"
    )
    await office.charged(uid)
    (cdr,) = await office.cdrs()
    assert cdr.customer == f"company:{company_id}"
    run = await office.runs()
    assert (run.n_wanted, run.n_done, run.n_issued, run.problems) == (1, 1, 1, [])
    (made,) = await office.documents()
    totals = made.content.totals
    assert made.content.treatment == "reverse_charge"
    assert (totals.before_taxes, totals.tax, totals.payable) == (cdr.before_taxes, Decimal(0), cdr.before_taxes)
    assert [tax.category for tax in made.content.taxes] == ["AE"]
    assert (made.content.buyer.vat_id, made.content.buyer.address.city) == ("DE123456788", "Berlin")
    balances = await office.balances()
    assert balances[f"receivable:company:{company_id}"] == cdr.before_taxes, "what the invoice asks for"
    assert "tax:DE:VAT:21" not in balances, "we owe none of it"
    assert await office.faults() == []
    await office.credits(cdr.cdr_id)
    (note,) = await office.hears()
    assert note.content.treatment == "reverse_charge"
    assert note.total == -made.total
    assert not {code for code in await office.balances() if code.startswith(("receivable:", "tax:"))}


async def test_an_invoice_is_for_one_country_of_charging(office: Office) -> None:
    _, uid = await office.driver()
    await office.charged(uid)
    await office.pool.execute("update location set country = 'DEU' where party_id = $1", office.party_id)
    await office.charged(uid, days=1)
    await office.runs()
    assert sorted(one.content.tax_country for one in await office.documents()) == ["DE", "NL"]


async def test_several_taxes_on_one_price_are_told_but_not_as_en_16931(db: Pool) -> None:
    city = TariffTax(percentage=Decimal(3), name="City")
    component = PriceComponent(type="ENERGY", price=Decimal("0.49"), taxes=[VAT, city])
    tariff = Tariff(currency="EUR", elements=[TariffElement(price_components=[component])])
    office = await Office(db).founded(tariff)
    (made,) = await office.receipts(await office.charged())
    assert not made.content.has_vat
    (cdr,) = await office.cdrs()
    assert made.total == cdr.total
    assert {(tax.name, tax.amount) for tax in made.content.taxes} == {(tax.name, tax.amount) for tax in cdr.cost.taxes}
    async with office.pool.acquire() as conn:
        with pytest.raises(Refused, match="several taxes"):
            await service.xml_of(conn, office.party_id, made.invoice_id)
        assert (await service.pdf_of(conn, office.party_id, made.invoice_id)).startswith(b"%PDF-")


async def test_number_formats_can_be_changed_and_never_clash(office: Office) -> None:
    async with office.pool.acquire() as conn, conn.transaction():
        await sellers.set_format(conn, office.actor, "receipt", "HP/{n:04}")
        for bad in ("no number", "{n}{n}", "{year}{n}", "A{n}1", "I-{year}-{n}", "{n:6}", "<b>{n}", "x" * 50 + "{n}"):
            with pytest.raises(Invalid):
                await sellers.set_format(conn, office.actor, "receipt", bad)
    (first,) = await office.receipts(await office.charged())
    assert first.number == "HP/0001"


async def test_a_link_opens_its_document_and_no_other() -> None:
    secret, one = b"s" * 32, new_id()
    token = link_of(secret, one).removeprefix("/documents/")
    assert document_of(secret, token, AT) == one
    assert document_of(b"t" * 32, token, AT) is None
    for n in range(len(token)):
        other = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        assert document_of(secret, other, AT) in (None, one)
    for odd in ("", "x", "é" * 40, token + "A" * 8, token[:-4], "=" * 60):
        assert document_of(secret, odd, AT) is None
    until = link_of(secret, one, AT).removeprefix("/documents/")
    assert document_of(secret, until, AT) is None
    assert document_of(secret, until, AT.replace(hour=9)) == one


async def test_a_currency_with_three_decimals_has_no_en_16931(db: Pool) -> None:
    office = await Office(db).founded(per_kwh("0.4999", "KWD"))
    (made,) = await office.receipts(await office.charged())
    assert made.currency == "KWD"
    assert not made.content.has_vat
    assert made.total == (await office.cdrs())[0].total
