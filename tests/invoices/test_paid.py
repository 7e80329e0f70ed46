"""Receipts come by themselves to whoever has paid, and say how; fees of plans stand on invoices."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.billing.invoices import service
from ohmstead.billing.invoices.model import Invoice
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from tests.billing.network import AT
from tests.invoices.office import Office


async def _payment(office: Office, session_id: UUID, customer: str, captured: str, **more: Any) -> UUID:
    """One that was captured."""
    row: dict[str, Any] = {
        "payment_id": new_id(), "party_id": office.party_id, "provider": "sandbox", "purpose": "session", "customer": customer,
        "state": "captured", "is_hold": True, "currency": "EUR", "amount": Decimal(50), "captured": Decimal(captured),
        "session_id": session_id, "email": "guest@example.com", "language": "de", "created_at": AT,
    } | more  # fmt: skip
    places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await office.pool.execute(f"insert into payment ({', '.join(row)}) values ({places})", *row.values())
    return UUID(str(row["payment_id"]))


async def _hears(office: Office, session_id: UUID | None, purpose: str = "session") -> list[Invoice]:
    payload = {"purpose": purpose, "session_id": str(session_id) if session_id else None}
    event = Event("PaymentCaptured", "payment/x", payload, party_id=office.party_id)
    async with office.pool.acquire() as conn, conn.transaction():
        await service.notice_captured(conn, [event])
    return await office.documents()


async def test_a_guest_gets_a_receipt_in_their_language_once_the_payment_is_captured(office: Office) -> None:
    payment_id = new_id()
    await office.pool.execute(
        "insert into token (token_id, party_id, uid, type) values ($1, $2, 'ONCE', 'DirectPayment')",
        new_id(),
        office.party_id,
    )
    session_id = await office.session(token_uid="ONCE", token_type="DirectPayment")
    await _payment(
        office,
        session_id,
        f"payment:{payment_id}",
        "11.86",
        payment_id=payment_id,
        token_uid="ONCE",
        email="a@b.example",
    )
    await office.settles(session_id)
    (cdr,) = await office.cdrs()
    assert cdr.customer == f"payment:{payment_id}"
    (made,) = await _hears(office, session_id)
    assert await _hears(office, session_id) == [made]
    assert (made.content.buyer.email, made.content.buyer.language) == ("a@b.example", "de")
    assert [(one.kind, one.amount) for one in made.content.payments] == [("card", Decimal("11.86"))]
    assert (made.content.totals.paid, made.content.totals.open) == (Decimal("11.86"), Decimal(0))
    async with office.pool.acquire() as conn:
        found = await service.find_receipt(conn, office.party_id, session_id)
    assert found == made


async def test_what_else_is_captured_has_no_receipt(office: Office) -> None:
    session_id = await office.charged()
    assert await _hears(office, session_id, "top_up") == []
    assert await _hears(office, None) == []


async def test_what_was_given_back_is_not_told_as_paid(office: Office) -> None:
    session_id = await office.charged()
    await _payment(office, session_id, "nobody", "11.86", refunded=Decimal("5.00"))
    (made,) = await _hears(office, session_id)
    assert (made.content.totals.paid, made.content.totals.open) == (Decimal("6.86"), Decimal("5.00"))


async def test_a_wallets_receipt_waits_until_the_wallet_has_paid(office: Office) -> None:
    driver_id, uid = await office.driver()
    session_id = await office.charged(uid)
    (cdr,) = await office.cdrs()
    payload = {"party_id": str(office.party_id), "cdr_id": str(cdr.cdr_id)}
    await service.run_receipt(office.pool, payload)
    assert await office.documents() == [], "no wallet was asked to pay: the month's invoice does"
    await office.pool.execute(
        "insert into wallet (driver_id, party_id, currency) values ($1, $2, 'EUR')", driver_id, office.party_id
    )
    await office.pool.execute(
        "insert into wallet_due (due_id, party_id, driver_id, kind, ref_id, currency, due_minor, paid_minor, created_at)"
        " values ($1, $2, $3, 'cdr', $4, 'EUR', 1186, 1186, now())",
        new_id(),
        office.party_id,
        driver_id,
        cdr.cdr_id,
    )
    await service.run_receipt(office.pool, payload)
    await service.run_receipt(office.pool, payload)
    (made,) = await office.documents()
    assert (made.session_id, made.content.totals.open) == (session_id, Decimal(0))
    assert [(one.kind, one.amount) for one in made.content.payments] == [("wallet", Decimal("11.86"))]


async def test_what_a_wallet_is_to_pay_gets_its_receipt_by_a_job(office: Office) -> None:
    session_id = await office.charged()
    (cdr,) = await office.cdrs()
    await office.pool.execute("delete from session_cover where session_id = $1", session_id)
    await office.pool.execute(
        "insert into session_cover (session_id, party_id, kind, ref, source) values ($1, $2, 'wallet', $3, 'driver')",
        session_id,
        office.party_id,
        str(new_id()),
    )
    payload = {"session_id": str(session_id), "cdr_id": str(cdr.cdr_id), "replaces_id": None}
    async with office.pool.acquire() as conn, conn.transaction():
        await service.notice_created(conn, [Event("CdrCreated", "cdr/x", payload, party_id=office.party_id)])
    n = await office.pool.fetchval("select count(*) from jobs.pgqueuer where entrypoint = $1", service.RECEIPT_JOB)
    assert n == 1


async def test_what_is_billed_instead_of_something_with_a_receipt_gets_one(office: Office) -> None:
    session_id = await office.charged()
    (first,) = await office.receipts(session_id)
    await office.becomes(session_id, 30_000)
    await office.settles(session_id)
    *_, fresh = await office.cdrs()
    payload = {"session_id": str(session_id), "cdr_id": str(fresh.cdr_id), "replaces_id": str(fresh.replaces_id)}
    async with office.pool.acquire() as conn, conn.transaction():
        await service.notice_created(conn, [Event("CdrCreated", "cdr/x", payload, party_id=office.party_id)])
    (note,) = await office.hears()
    assert note.corrects_id == first.invoice_id
    found = await office.documents()
    assert sum(one.total for one in found) == fresh.total
    assert await office.faults() == []


async def test_a_plans_fee_stands_on_the_months_invoice_once(office: Office) -> None:
    driver_id, uid = await office.driver()
    await office.charged(uid)
    plan_id, subscription_id = new_id(), new_id()
    await office.pool.execute(
        "insert into plan (plan_id, party_id, name, label, currency, monthly_fee, taxes, tax_included)"
        " values ($1, $2, 'Commuter', 'commuter', 'EUR', 10, '[]', false)",
        plan_id,
        office.party_id,
    )
    await office.pool.execute(
        "insert into subscription (subscription_id, party_id, plan_id, driver_id, started_on, started_at, charged_until)"
        " values ($1, $2, $3, $4, '2026-03-01', $5, '2026-04-01')",
        subscription_id,
        office.party_id,
        plan_id,
        driver_id,
        datetime(2026, 3, 1, tzinfo=UTC),
    )
    await office.pool.execute(
        "insert into plan_charge (plan_charge_id, party_id, subscription_id, plan_id, driver_id, plan_name, from_on, until_on,"
        " currency, before_taxes, taxes, total, included_wh, country, created_at) values ($1, $2, $3, $4, $5, 'Commuter',"
        " '2026-03-01', '2026-04-01', 'EUR', 10, $6, 12.10, 0, 'NL', now())",
        new_id(),
        office.party_id,
        subscription_id,
        plan_id,
        driver_id,
        [{"name": "VAT", "percentage": "21", "base": "10", "amount": "2.10"}],
    )
    await office.runs()
    await office.runs()
    (made,) = await office.documents()
    assert made.total == Decimal("11.86") + Decimal("12.10")
    assert [line.kind for line in made.content.lines] == ["session", "fee"]
    assert made.content.lines[1].text == "Commuter, 01 Mar 2026 – 31 Mar 2026"
    assert (made.from_on, made.to_on) == (date(2026, 3, 1), date(2026, 3, 31))
    (tax,) = made.content.taxes
    assert (tax.base, tax.amount) == (Decimal("19.80"), Decimal("4.16"))
