"""What is open is found without looking at what is paid, and kept right whatever happens to documents."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ohmstead.billing.incoming import reminding, service, store
from ohmstead.billing.incoming.matching import Book, propose
from ohmstead.core import migrations
from ohmstead.core.db import Connection
from ohmstead.core.ids import new_id
from tests.incoming.test_outgoing import goes_out, owed_to_a_host, taken_back
from tests.incoming.test_reminding import time
from tests.incoming.till import DAY, Bank
from tests.payments.till import Clock

__all__ = ["time"]
N_PAID = 3000
ROWS_READ = (
    "select coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)::integer"
    " from pg_stat_xact_user_tables where relname ~ '^(invoice|ledger_)'"
)


async def copies(bank: Bank, invoice_id: UUID, n: int, *, is_paid: bool) -> list[UUID]:
    """So many invoices as this one."""
    ids = [new_id() for _ in range(n)]
    columns = [
        row["column_name"]
        for row in await bank.pool.fetch(
            "select column_name from information_schema.columns where table_name = 'invoice' and table_schema = 'public'"
        )
    ]
    other = {
        "invoice_id": "p.id",
        "number": "i.number || '-' || p.id",
        "key": "i.key || '-' || p.id",
        "n": "i.n + 1000 + p.n + (select max(n) from invoice where party_id = i.party_id)",
        "paid": "i.total" if is_paid else "0",
    }
    names, values = ", ".join(columns), ", ".join(other.get(name, f"i.{name}") for name in columns)
    await bank.pool.execute(
        f"insert into invoice ({names}) select {values} from invoice i, unnest($2::uuid[]) with ordinality p (id, n)"
        " where i.invoice_id = $1",
        invoice_id,
        ids,
    )
    return ids


async def _rows_read(conn: Connection, work: Any) -> int:
    before = await conn.fetchval(ROWS_READ)
    await work()
    read: int = await conn.fetchval(ROWS_READ) - before
    return read


async def test_what_is_open_is_read_and_nothing_that_is_paid(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    await copies(bank, invoice.invoice_id, 4, is_paid=False)
    await copies(bank, invoice.invoice_id, N_PAID, is_paid=True)
    await bank.pool.execute("analyze invoice, invoice_rest, invoice_payment, invoice_reminder")
    found: list[Any] = []
    async with bank.pool.acquire() as conn, conn.transaction():

        async def lists_open() -> None:
            found[:] = await store.list_open(conn, bank.party_id)

        await lists_open()
        assert await _rows_read(conn, lists_open) <= 20
        assert [one.open for one in found] == [Decimal("11.86")] * 5
        assert invoice.due_on is not None
        late = invoice.due_on + timedelta(days=30)

        async def lists_overdue() -> None:
            found[:] = await store.list_overdue(conn, bank.party_id, late, 3)

        await lists_overdue()
        assert await _rows_read(conn, lists_overdue) <= 20
        assert len(found) == 5

        async def lists_owed() -> None:
            found[:] = await store.list_owed(conn, bank.party_id)

        await lists_owed()
        assert await _rows_read(conn, lists_owed) <= 20
        assert found == []


async def test_a_line_is_booked_by_a_number_and_only_that_document_is_read(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    await copies(bank, invoice.invoice_id, N_PAID, is_paid=False)
    await bank.pool.execute("analyze invoice, invoice_rest, invoice_payment")
    line = await bank.comes_in("5.00", bank_ref="R1")
    found: list[Any] = []
    async with bank.pool.acquire() as conn, conn.transaction():

        async def lists_named() -> None:
            found[:] = await service.list_named_for(conn, bank.party_id, line, [invoice.number, "R-0"])

        await lists_named()
        assert await _rows_read(conn, lists_named) <= 20
    assert [one.invoice_id for one in found] == [invoice.invoice_id]


async def test_reminders_go_page_by_page_and_each_once(
    bank: Bank, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminding, "PAGE", 3)
    invoice = await bank.company_invoice()
    assert invoice.due_on is not None
    ids = {invoice.invoice_id, *await copies(bank, invoice.invoice_id, 7, is_paid=False)}
    await copies(bank, invoice.invoice_id, 3, is_paid=True)
    await bank.wants(reminder_days=[3, 10])
    time.passes(days=(invoice.due_on - invoice.issued_on).days + 30)
    assert await reminding.remind_all(bank.pool) == 8
    assert await reminding.remind_all(bank.pool) == 0
    told = await bank.facts("InvoiceReminded")
    assert sorted(one["invoice_id"] for one in told) == sorted(str(one) for one in ids)
    time.at += timedelta(days=7)
    assert await reminding.remind_all(bank.pool) == 8
    time.at += timedelta(days=70)
    assert await reminding.remind_all(bank.pool) == 0


async def rest_of(bank: Bank, invoice_id: UUID) -> Decimal:
    found: Decimal = await bank.pool.fetchval("select amount from invoice_rest where invoice_id = $1", invoice_id)
    return found


async def test_what_is_left_follows_payments_notes_and_what_is_given_back(bank: Bank) -> None:
    invoice, note = await taken_back(bank)
    assert await rest_of(bank, invoice.invoice_id) == Decimal("-11.86")
    line = await goes_out(bank, "10.00", bank_ref="B1", booked_on=DAY)
    await bank.books(line, (note.invoice_id, "10.00"))
    assert await rest_of(bank, invoice.invoice_id) == Decimal("-1.86")
    await bank.reverses(line)
    assert await rest_of(bank, invoice.invoice_id) == Decimal("-11.86")
    _, made = await owed_to_a_host(bank)
    assert await rest_of(bank, made.invoice_id) == made.total
    line = await goes_out(bank, "5.00", bank_ref="B2")
    await bank.books(line, (made.invoice_id, "5.00"))
    assert await rest_of(bank, made.invoice_id) == made.total - 5
    assert await bank.faults() == []


async def test_a_rest_that_is_wrong_is_found_when_the_books_are_checked(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    assert await bank.faults() == []
    await bank.pool.execute("update invoice_rest set amount = 1 where invoice_id = $1", invoice.invoice_id)
    assert await bank.faults() == [f"document {invoice.number} has 11.86 left, and 1 is kept of it"]
    await bank.pool.execute("delete from invoice_rest where invoice_id = $1", invoice.invoice_id)
    assert await bank.faults() == [f"document {invoice.number} has 11.86 left, and nothing is kept of it"]


async def test_what_is_read_for_some_lines_proposes_what_all_open_documents_would(bank: Bank) -> None:
    invoice = await bank.company_invoice()
    theirs = [await bank.company_invoice(wh) for wh in (5_000, 10_000, 30_000)]
    for amount in (5_000, 7_000, 9_000):
        _, uid = await bank.driver(f"Kim{amount}")
        await bank.company(uid)
        for _ in range(2):
            await bank.charged(uid, wh=amount)
        await bank.runs()
    everything = await bank.documents(kind="invoice")
    total = theirs[0].total + theirs[1].total
    texts = ["", invoice.number, f"{theirs[0].number} und {theirs[2].number.replace('-', '')}", "Rechnung 7", "I 2026"]
    amounts = {one.total for one in everything} | {
        total,
        sum((one.total for one in theirs), Decimal(0)),
        Decimal("1.23"),
    }
    lines = [
        await bank.comes_in(format(amount, "f"), text, payer=payer, bank_ref=f"{amount}-{text}-{payer}")
        for amount in sorted(amounts)
        for text in texts
        for payer in ("", "Fleet GmbH")
    ]
    async with bank.pool.acquire() as conn:
        whole = Book(await store.list_open(conn, bank.party_id))
        seen = 0
        for line in lines:
            (view,) = await service.views_of(conn, bank.party_id, [line])
            assert view.proposals == propose(service.told_of(line), whole), (line.amount, line.text, line.payer)
            seen += bool(view.proposals)
        together = await service.views_of(conn, bank.party_id, lines)
    assert [one.proposals for one in together] == [propose(service.told_of(line), whole) for line in lines]
    assert seen > len(lines) / 2


async def test_what_the_migration_works_out_is_what_triggers_keep(bank: Bank) -> None:
    await taken_back(bank)
    await owed_to_a_host(bank)
    paid = await bank.company_invoice()
    await bank.books(await bank.comes_in("3.00", bank_ref="M1"), (paid.invoice_id, "3.00"))
    kept = await bank.pool.fetch("select * from invoice_rest where party_id = $1 order by invoice_id", bank.party_id)
    text = next(sql for number, _, sql in migrations.available() if number == 47)
    backfill = text[text.rindex("\ninsert into invoice_rest") :]
    await bank.pool.execute("delete from invoice_rest")
    await bank.pool.execute(backfill)
    found = await bank.pool.fetch("select * from invoice_rest where party_id = $1 order by invoice_id", bank.party_id)
    assert [dict(row) for row in found] == [dict(row) for row in kept]
    assert len(kept) == 3
