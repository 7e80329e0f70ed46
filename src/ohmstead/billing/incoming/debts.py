"""What a card should have paid stands on an invoice by now: once that is paid, nobody owes it a second time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.billing.payments import queries as payments
from ohmstead.billing.payments.debts import service as debts
from ohmstead.core.db import Connection
from ohmstead.core.events import Event


async def notice_paid(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `InvoicePaid`: the debts for what stands on it are settled. May be told twice.

    They stay so where a booking is reversed: the invoice is open again then, and asks for it.
    """
    for event in found:
        if event.party_id is None:
            continue
        for debt_id in await payments.list_debts_on(conn, event.party_id, UUID(event.payload["invoice_id"])):
            await debts.settle_by_document(conn, event.party_id, debt_id, event.payload["number"])
