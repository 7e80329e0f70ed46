"""A reduced session's documents: a credit note for what told it, and a new one for what is left."""

from decimal import Decimal

from ohmstead.billing.cdrs.model import ReduceOrder
from ohmstead.billing.invoices import service
from ohmstead.billing.refunds import service as refunds
from ohmstead.core.events import Event
from tests.invoices.office import Office
from tests.invoices.test_runs import _host

D = Decimal


async def receipts_again(office: Office) -> None:
    """What the consumer makes of all charges that were made instead of others."""
    told = [
        Event(
            "CdrCreated",
            "x",
            {"session_id": str(one.session_id), "cdr_id": str(one.cdr_id), "replaces_id": str(one.replaces_id)},
            party_id=office.party_id,
        )
        for one in await office.cdrs()
        if one.replaces_id is not None
    ]
    async with office.pool.acquire() as conn, conn.transaction():
        await service.notice_created(conn, told)


async def test_a_company_gets_a_credit_note_for_its_month_and_what_is_left_on_the_next_invoice(office: Office) -> None:
    _, uid = await office.driver()
    company_id = await office.company(uid)
    for day in range(2):
        await office.charged(uid, days=day)
    await office.runs()
    (march,) = await office.documents()
    assert (march.customer, march.total) == (f"company:{company_id}", D("23.72"))
    cdr = (await office.cdrs())[0]
    async with office.pool.acquire() as conn:
        seen = await refunds.preview(conn, office.actor, cdr.cdr_id, ReduceOrder(reason="x", amount=D("2.50")))
    assert (seen.documents, seen.rest, seen.payments) == ([march.number], D("2.50"), [])
    made = await office.reduces(cdr.cdr_id, "2.50")
    (note_id,) = made.credit_note_ids
    (note,) = await office.hears()
    assert (note.invoice_id, note.corrects_id, note.total) == (note_id, march.invoice_id, D("-11.86"))
    assert (note.content.reason, note.created_by) == ("The charger was slow", "system")
    await office.runs()
    (last,) = [one for one in await office.documents() if one.kind == "invoice" and one.number != march.number]
    assert last.total == D("9.36")
    parts = last.content.lines[0].parts
    assert [part.rule for part in parts if part.kind == "ADJUSTMENT"] == ["Reduced: The charger was slow"]
    assert (await office.balances())[f"receivable:company:{company_id}"] == D("21.22")
    assert await office.faults() == []
    again = await office.reduces((await office.cdrs())[-1].cdr_id)
    assert len(again.credit_note_ids) == 1
    assert (await office.balances())[f"receivable:company:{company_id}"] == D("11.86")
    assert await office.faults() == []


async def test_what_stands_on_no_document_yet_is_told_as_it_is_left(office: Office) -> None:
    _, uid = await office.driver()
    company_id = await office.company(uid)
    await office.charged(uid)
    made = await office.reduces((await office.cdrs())[0].cdr_id, "1.86")
    assert made.credit_note_ids == []
    await office.runs()
    (march,) = await office.documents()
    assert (march.customer, march.total) == (f"company:{company_id}", D("10.00"))
    assert await office.hears() == []
    assert await office.faults() == []


async def test_a_receipt_gets_a_credit_note_and_a_new_receipt(office: Office) -> None:
    _, uid = await office.driver()
    session_id = await office.charged(uid)
    (receipt,) = await office.receipts(session_id)
    made = await office.reduces((await office.cdrs())[0].cdr_id, "0.01")
    for _ in range(2):
        await office.hears()
        await receipts_again(office)
    found = await office.documents(session=session_id)
    assert [(one.kind, one.total) for one in found] == [
        ("receipt", D("11.86")),
        ("credit_note", D("-11.86")),
        ("receipt", D("11.85")),
    ]
    assert [found[1].invoice_id] == made.credit_note_ids
    assert found[1].corrects_id == receipt.invoice_id
    totals = found[2].content.totals
    assert totals.before_taxes + totals.tax + totals.rounding == totals.payable == D("11.85")
    async with office.pool.acquire() as conn:
        for one in found:
            assert await service.xml_of(conn, office.party_id, one.invoice_id)
    assert await office.faults() == []


async def test_a_host_gets_its_share_of_what_is_left(office: Office) -> None:
    host = await _host(office, share_percent=D(10))
    await office.charged()
    await office.reduces((await office.cdrs())[0].cdr_id, "6.05")  # 5.81 are left, 4.80 without tax
    await office.runs(kind="hosts")
    (made,) = await office.documents(kind="self_billing")
    assert made.content.totals.before_taxes == D("0.48")
    assert (await office.balances())[f"fees:host:{host.host_id}"] == D("0.48")
    assert await office.faults() == []
