"""A business that is paid by bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.billing.incoming import queries, service
from ohmstead.billing.incoming.model import (
    BankBooking,
    BankLine,
    BookingReversal,
    IncomingSetting,
    NewBankLine,
    NewBooking,
    Proposal,
    Share,
    StatementReport,
)
from ohmstead.billing.incoming.queries import LineFilter
from ohmstead.billing.invoices import queries as documents
from ohmstead.billing.invoices.model import Invoice, InvoiceStanding
from ohmstead.core.db import trial
from tests.invoices.office import Office

DAY = date(2026, 4, 14)


@dataclass
class Bank(Office):
    """Money comes in, and is booked."""

    async def company_invoice(self, wh: int = 20_000) -> Invoice:
        """What a company of its own is asked for a session in March: 11.86 for 20 kWh."""
        _, uid = await self.driver()
        company_id = await self.company(uid)
        await self.charged(uid, wh=wh)
        await self.runs()
        (made,) = await self.documents(customer=f"company:{company_id}")
        return made

    async def comes_in(self, amount: str = "11.86", text: str = "", **more: Any) -> BankLine:
        given: dict[str, Any] = {"amount": Decimal(amount), "currency": "EUR", "booked_on": DAY, "text": text} | more
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.record_line(conn, self.actor, NewBankLine(**given))

    async def imports(self, data: str | bytes, *, dry_run: bool = False, columns: Any = None) -> StatementReport:
        raw = data.encode() if isinstance(data, str) else data
        async with self.pool.acquire() as conn, trial(conn, is_kept=not dry_run):
            return await service.import_statement(conn, self.actor, raw, columns)

    async def wants(self, **setting: Any) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await service.set_setting(conn, self.actor, IncomingSetting(**setting))

    async def lines(self, **wanted: Any) -> list[BankLine]:
        async with self.pool.acquire() as conn:
            return await queries.list_lines(conn, self.party_id, LineFilter(**wanted))

    async def proposed(self, line: BankLine) -> list[Proposal]:
        async with self.pool.acquire() as conn:
            return (await service.get_view(conn, self.party_id, line.line_id)).proposals

    async def books(self, line: BankLine, *shares: tuple[UUID, str], customer: str | None = None) -> BankBooking:
        wanted = [Share(invoice_id=invoice_id, amount=Decimal(amount)) for invoice_id, amount in shares]
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.book(conn, self.actor, line.line_id, NewBooking(shares=wanted, customer=customer))

    async def reverses(self, line: BankLine, reason: str = "wrong one") -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await service.reverse(conn, self.actor, line.line_id, BookingReversal(reason=reason))

    async def stands(self, invoice: Invoice) -> InvoiceStanding:
        async with self.pool.acquire() as conn:
            return await documents.get_standing(conn, self.party_id, invoice.invoice_id)

    async def owes(self, *invoices: Invoice) -> dict[str, Decimal]:
        found = await self.balances()
        return {
            code: found.get(code, Decimal(0)) for code in sorted({f"receivable:{one.customer}" for one in invoices})
        }

    async def facts(self, *kinds: str) -> Sequence[dict[str, Any]]:
        rows = await self.pool.fetch(
            "select payload from outbox where party_id = $1 and kind = any ($2) order by event_id",
            self.party_id,
            list(kinds),
        )
        return [row["payload"] for row in rows]
