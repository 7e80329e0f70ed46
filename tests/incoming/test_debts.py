"""What a card should have paid, and an invoice asked for: paid by bank, nobody owes it a second time."""

from decimal import Decimal
from uuid import UUID

from ohmstead.billing.incoming import debts, documents, store
from ohmstead.billing.incoming import queries as incoming
from ohmstead.billing.payments import applying, queries
from ohmstead.billing.payments.model import Debt, Payment
from ohmstead.billing.payments.queries import DebtFilter
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from tests.incoming.till import Bank
from tests.payments.till import Clock, Till


async def declined(bank: Bank) -> tuple[str, UUID]:
    """A driver's session whose card was refused for good: (customer, payment)."""
    _, uid = await bank.driver()
    session_id = await bank.charged(uid)
    (cdr,) = await bank.cdrs()
    payment_id = new_id()
    await bank.pool.execute(
        "insert into payment (payment_id, party_id, provider, purpose, customer, state, failure, is_hold, currency, amount,"
        " session_id, cdr_id, order_key, created_at)"
        " values ($1, $2, 'sandbox', 'session', $3, 'failed', 'stolen_card', false, 'EUR', $4, $5, $6, $7, now())",
        payment_id,
        bank.party_id,
        cdr.customer,
        cdr.total,
        session_id,
        cdr.cdr_id,
        f"cdr:{cdr.cdr_id}",
    )
    async with bank.pool.acquire() as conn, conn.transaction():
        await applying.align(conn, bank.party_id, payment_id)
    return cdr.customer, payment_id


async def owed(bank: Bank, *, is_open: bool | None = True) -> list[Debt]:
    async with bank.pool.acquire() as conn:
        return await queries.list_debts(conn, bank.party_id, DebtFilter(is_open=is_open))


async def hears(bank: Bank) -> None:
    """All invoices that were paid are told, once more each time."""
    rows = await bank.pool.fetch(
        "select kind, subject, payload, party_id from outbox where kind = 'InvoicePaid' order by event_id"
    )
    async with bank.pool.acquire() as conn, conn.transaction():
        await debts.notice_paid(conn, [Event(**dict(row)) for row in rows])


async def test_an_invoice_that_is_paid_by_bank_settles_what_a_card_did_not_pay(bank: Bank) -> None:
    customer, payment_id = await declined(bank)
    assert [(one.amount, one.reason) for one in await owed(bank)] == [(Decimal("11.86"), "stolen_card")]
    await bank.runs()
    (invoice,) = await bank.documents(customer=customer)
    part = await bank.comes_in("5.00", "first part")
    await bank.books(part, (invoice.invoice_id, "5.00"))
    await hears(bank)
    assert len(await owed(bank)) == 1, "only a part is paid"
    rest = await bank.comes_in("6.86", "the rest")
    await bank.books(rest, (invoice.invoice_id, "6.86"))
    for _ in range(2):
        await hears(bank)
    assert await owed(bank) == []
    (debt,) = await owed(bank, is_open=None)
    assert (debt.settled_how, debt.settled_by, debt.note) == ("paid", None, invoice.number)
    assert [one["how"] for one in await bank.facts("DebtSettled")] == ["paid"]
    # Whatever is looked at later finds nothing more to be owed.
    async with bank.pool.acquire() as conn, conn.transaction():
        await applying.align(conn, bank.party_id, payment_id)
    assert await owed(bank) == []
    assert await bank.owes(invoice) == {f"receivable:{customer}": 0}
    assert await bank.faults() == []
    # A booking that was wrong opens the invoice, which asks for it.
    await bank.reverses(rest)
    assert (await bank.stands(invoice)).open == Decimal("6.86")
    assert await owed(bank) == []


async def pays_online(bank: Bank, customer: str, session_id: UUID | None) -> tuple[Till, Payment]:
    """The debt, on the provider's page."""
    till = await Till(bank, Clock()).opens()
    order = await till.orders("debt", customer, "11.86", session_id=session_id)
    return till, await till.checks_out(order)


async def hears_of_payments(bank: Bank) -> None:
    rows = await bank.pool.fetch(
        "select kind, subject, payload, party_id from outbox where kind = any ($1) order by event_id",
        list(documents.KINDS),
    )
    async with bank.pool.acquire() as conn, conn.transaction():
        await documents.notice_payments(conn, [Event(**dict(row)) for row in rows])


async def test_what_was_paid_as_a_debt_and_went_back_is_not_owed_by_its_invoice_a_second_time(bank: Bank) -> None:
    customer, _ = await declined(bank)
    await bank.runs()
    (invoice,) = await bank.documents(customer=customer)
    (cdr,) = await bank.cdrs()
    till, payer = await pays_online(bank, customer, cdr.session_id)
    await hears_of_payments(bank)
    assert (await bank.stands(invoice)).open == 0
    await bank.reduces(cdr.cdr_id)
    (note,) = await bank.hears()
    await till.works()
    for _ in range(2):
        await hears_of_payments(bank)
    assert (await till.payment(payer.payment_id)).kept == 0
    async with bank.pool.acquire() as conn:
        owed_by_bank = await store.list_owed(conn, bank.party_id, invoice_ids=[note.invoice_id])
        rows = await incoming.list_payments_of(conn, bank.party_id, invoice.invoice_id)
    assert [one.open for one in owed_by_bank] == [0], "the card has it back"
    assert sorted(row.amount for row in rows) == [Decimal("-11.86"), Decimal("11.86")]
    assert await bank.owes(invoice) == {f"receivable:{customer}": 0}
    assert await bank.faults() == []


async def test_another_partys_debts_are_none_of_its_own(bank: Bank) -> None:
    customer, _ = await declined(bank)
    await bank.runs()
    (invoice,) = await bank.documents(customer=customer)
    payload = {"invoice_id": str(invoice.invoice_id), "number": invoice.number}
    async with bank.pool.acquire() as conn, conn.transaction():
        await debts.notice_paid(conn, [Event("InvoicePaid", "x", payload, party_id=new_id())])
    assert len(await owed(bank)) == 1
