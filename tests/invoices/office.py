"""A business whose documents are issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ohmstead.billing.companies import service as companies
from ohmstead.billing.companies.model import NewCompany, NewCompanyMember
from ohmstead.billing.invoices import queries, runs, sellers, service
from ohmstead.billing.invoices.model import (
    Address,
    Bank,
    Invoice,
    Seller,
)
from ohmstead.billing.invoices.queries import InvoiceFilter
from ohmstead.billing.invoices.runs import InvoiceRun, NewRun
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from tests.billing.network import AT, Business

SELLER = Seller(
    legal_name="Harbour Power B.V.",
    trade_name="Harbour Power",
    address=Address(lines=["Quay 1"], postal_code="3011 AB", city="Rotterdam", country="NL"),
    vat_id="NL123456789B01",
    registration="KvK 12345678",
    bank=Bank(holder="Harbour Power B.V.", iban="NL91ABNA0417164300", bic="ABNANL2A", name="ABN AMRO"),
    contact="Billing",
    email="billing@harbour.example",
    phone="+31 10 1234567",
)


@dataclass
class Office(Business):
    """Sessions are billed, and their documents issued."""

    async def opened(self) -> Office:
        async with self.pool.acquire() as conn, conn.transaction():
            await sellers.set_seller(conn, self.actor, SELLER)
        return self

    async def driver(self, name: str = "Ada", uid: str | None = None) -> tuple[UUID, str]:
        """Somebody with a token; (driver, uid)."""
        driver_id, token_id = new_id(), new_id()
        uid = uid or driver_id.hex[-14:].upper()
        await self.pool.execute(
            "insert into driver (driver_id, party_id, name, email) values ($1, $2, $3, $4)",
            driver_id,
            self.party_id,
            name,
            f"{name.lower()}@example.com",
        )
        await self.pool.execute(
            "insert into token (token_id, party_id, uid, type, driver_id) values ($1, $2, $3, 'ISO14443', $4)",
            token_id,
            self.party_id,
            uid,
            driver_id,
        )
        await self.pool.execute(
            "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, $3, '2020-01-01Z')",
            self.party_id,
            driver_id,
            uid.lower(),
        )
        return driver_id, uid

    async def company(self, uid: str, **more: Any) -> UUID:
        """One that pays for what is charged with a token."""
        token_id = await self.pool.fetchval(
            "select token_id from token where party_id = $1 and uid = $2", self.party_id, uid
        )
        async with self.pool.acquire() as conn, conn.transaction():
            given = NewCompany(name="Fleet GmbH", email="bills@fleet.example", currency="EUR", **more)
            made = await companies.create_company(conn, self.actor, given)
            await companies.add_member(conn, self.actor, made.company_id, NewCompanyMember(token_id=token_id))
        await self.pool.execute("update company_member set added_at = '2020-01-01Z'")
        return made.company_id

    async def charged(self, uid: str | None = None, *, days: int = 0, wh: int = 20_000, **more: Any) -> UUID:
        """A session that is over and billed."""
        if uid is not None:
            token = await self.pool.fetchrow(
                "select token_id, type from token where party_id = $1 and uid = $2", self.party_id, uid
            )
            assert token is not None
            more |= {"token_uid": uid, "token_type": token["type"], "token_id": token["token_id"]}
        started_at: datetime = AT + timedelta(days=days)
        session_id = await self.session(wh, started_at, **more)
        await self.settles(session_id)
        return session_id

    async def receipts(self, session_id: UUID) -> list[Invoice]:
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.issue_receipts_of(conn, self.party_id, session_id)

    async def hears(self) -> list[Invoice]:
        """What the consumer of credits makes of all credits that there are."""
        taken_back = [cdr for cdr in await self.cdrs() if cdr.kind == "credit"]
        told = [
            Event("CdrCredited", f"cdr/{one.cdr_id}", {"cdr_id": str(one.cdr_id)}, party_id=self.party_id)
            for one in taken_back
        ]
        async with self.pool.acquire() as conn, conn.transaction():
            await service.notice_credited(conn, told)
        return [one for one in await self.documents() if one.kind == "credit_note"]

    async def runs(self, month: str = "2026-03", kind: Any = "customers") -> InvoiceRun:
        """A month's documents, asked for and made."""
        async with self.pool.acquire() as conn, conn.transaction():
            asked = await runs.ask(conn, self.actor, NewRun(month=month, kind=kind))
        await runs.run(self.pool, {"run_id": str(asked.run_id)})
        async with self.pool.acquire() as conn:
            return await runs.get_run(conn, self.party_id, asked.run_id)

    async def documents(self, **wanted: Any) -> list[Invoice]:
        """Oldest first."""
        async with self.pool.acquire() as conn:
            rows = await queries.list_invoices(conn, self.party_id, InvoiceFilter(**wanted), limit=1000)
            return [await queries.get_invoice(conn, self.party_id, row.invoice_id) for row in rows[::-1]]
