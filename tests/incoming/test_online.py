"""Whoever has an invoice's link pays what is open of it; what nobody owes is given back."""

from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.billing.incoming import documents, online
from ohmstead.billing.invoices.model import Invoice
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import Checkout
from ohmstead.core.errors import Conflict
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from tests.incoming.till import Bank
from tests.payments.till import Clock, Till, eur


@pytest.fixture
def till(bank: Bank) -> Till:
    return Till(bank, Clock())


async def asked(till: Till, invoice: Invoice) -> Checkout:
    return await online.begin(till.pool, till.providers, invoice, "http://127.0.0.1/documents/x?back={payment_id}")


async def hears(till: Till) -> None:
    """All that there is to hear of payments; told again it changes nothing."""
    rows = await till.pool.fetch(
        "select kind, subject, payload, party_id from outbox where party_id = $1 and kind = any ($2) order by event_id",
        till.party_id,
        list(documents.KINDS),
    )
    for _ in range(2):
        async with till.pool.acquire() as conn, conn.transaction():
            await documents.notice_payments(conn, [Event(**dict(row)) for row in rows])


async def pays(till: Till, url: str) -> None:
    await till.pays(url)
    await till.works()
    await hears(till)
    await till.works()
    await hears(till)


async def test_an_invoice_is_paid_on_its_page(bank: Bank, till: Till) -> None:
    invoice = await bank.company_invoice()
    begun = await asked(till, invoice)
    assert (await asked(till, invoice)).payment_id == begun.payment_id, "the same page, however often it is asked for"
    payment = await till.payment(begun.payment_id)
    assert (payment.amount, payment.purpose, payment.customer) == (Decimal("11.86"), "invoice", invoice.customer)
    await till.pays(begun.url)
    await till.works()
    looked = await online.look(till.pool, till.providers, invoice, begun.payment_id)
    assert looked is not None
    assert (looked.is_on_its_way, looked.may_pay) == (True, False), "nobody pays twice while the books wait"
    with pytest.raises(Conflict):
        await asked(till, invoice)
    await hears(till)
    standing = await bank.stands(invoice)
    assert (standing.state, standing.received) == ("paid", Decimal("11.86"))
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal(0)}
    assert len(await bank.facts("InvoicePaid")) == 1
    with pytest.raises(Conflict):
        await asked(till, invoice)
    assert await bank.faults() == []


async def test_only_what_is_still_open_is_asked_for(bank: Bank, till: Till) -> None:
    invoice = await bank.company_invoice()
    first = await asked(till, invoice)
    await bank.books(await bank.comes_in("5.00"), (invoice.invoice_id, "5.00"))
    second = await asked(till, invoice)
    assert second.payment_id != first.payment_id
    assert (await till.payment(second.payment_id)).amount == Decimal("6.86")
    await pays(till, second.url)
    assert (await bank.stands(invoice)).state == "paid"


async def test_what_was_paid_by_bank_meanwhile_is_given_back(bank: Bank, till: Till) -> None:
    invoice = await bank.company_invoice()
    begun = await asked(till, invoice)
    await bank.books(await bank.comes_in("5.00"), (invoice.invoice_id, "5.00"))
    await pays(till, begun.url)
    payment = await till.payment(begun.payment_id)
    assert (payment.captured, payment.refunded) == (Decimal("11.86"), Decimal("5.00"))
    standing = await bank.stands(invoice)
    assert (standing.state, standing.received) == ("paid", Decimal("11.86"))
    assert await bank.owes(invoice) == {f"receivable:{invoice.customer}": Decimal(0)}
    assert await bank.faults() == []


async def test_what_a_person_gives_back_is_open_again(bank: Bank, till: Till) -> None:
    invoice = await bank.company_invoice()
    begun = await asked(till, invoice)
    await pays(till, begun.url)
    async with till.pool.acquire() as conn, conn.transaction():
        await payments.refund(conn, bank.actor, bank.party_id, begun.payment_id, eur("2.00"), "goodwill")
    await till.works()
    await hears(till)
    standing = await bank.stands(invoice)
    assert (standing.state, standing.open) == ("partly_paid", Decimal("2.00"))
    assert await bank.faults() == []


async def test_a_plans_fee_from_a_card_is_paid_on_its_invoice_before_and_after(bank: Bank, till: Till) -> None:
    driver_id, _ = await bank.driver()
    charge_id = await _fee(bank, driver_id)
    method = await till.stores(driver_id)
    await till.takes(method, "12.10", key=f"plan_fee:{charge_id}")
    await bank.runs()
    (invoice,) = await bank.documents(kind="invoice")
    assert (invoice.content.totals.paid, invoice.content.totals.open) == (Decimal("12.10"), Decimal(0))
    await hears(till)
    standing = await bank.stands(invoice)
    assert (standing.state, standing.received) == ("paid", Decimal(0)), "the document says so itself"


async def _fee(bank: Bank, driver_id: UUID) -> UUID:
    """A month of a plan: 12.10."""
    plan_id, subscription_id, charge_id = new_id(), new_id(), new_id()
    await bank.pool.execute(
        "insert into plan (plan_id, party_id, name, label, currency, monthly_fee, taxes, tax_included)"
        " values ($1, $2, 'Commuter', 'commuter', 'EUR', 10, '[]', false)",
        plan_id,
        bank.party_id,
    )
    await bank.pool.execute(
        "insert into subscription (subscription_id, party_id, plan_id, driver_id, started_on, started_at, charged_until)"
        " values ($1, $2, $3, $4, '2026-03-01', '2026-03-01Z', '2026-04-01')",
        subscription_id,
        bank.party_id,
        plan_id,
        driver_id,
    )
    await bank.pool.execute(
        "insert into plan_charge (plan_charge_id, party_id, subscription_id, plan_id, driver_id, plan_name, from_on, until_on,"
        " currency, before_taxes, taxes, total, included_wh, country, created_at) values ($1, $2, $3, $4, $5, 'Commuter',"
        " '2026-03-01', '2026-04-01', 'EUR', 10, $6, 12.10, 0, 'NL', now())",
        charge_id,
        bank.party_id,
        subscription_id,
        plan_id,
        driver_id,
        [{"name": "VAT", "percentage": "21", "base": "10", "amount": "2.10"}],
    )
    return charge_id
