"""Invoices are paid online: whoever has a document's link is asked by the provider for what is open of it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.incoming import queries, store
from ohmstead.billing.invoices import queries as documents
from ohmstead.billing.invoices.model import Invoice, InvoiceStanding
from ohmstead.billing.payments import service as payments
from ohmstead.billing.payments.model import Checkout, NewPayment
from ohmstead.billing.payments.ports import Providers
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict
from ohmstead.core.language import _, speaking
from ohmstead.core.money import Money


class Paying(Struct, frozen=True, kw_only=True):
    """What the page of a document offers. `is_on_its_way`: it was paid, and the books do not know yet. `paid_on`: the day on
    which the last of what a host gets was paid out.
    """

    standing: InvoiceStanding
    may_pay: bool
    is_on_its_way: bool
    paid_on: date | None = None


async def look(pool: Pool, providers: Providers, found: Invoice, back_from: UUID | None = None) -> Paying | None:
    """How an invoice stands for its payer, and a statement for its host; None for other documents. `back_from`: the payment
    whose page they left; the provider is asked what became of it.
    """
    if found.kind == "self_billing":
        return await _paid_out(pool, found)
    if found.kind != "invoice":
        return None
    async with pool.acquire() as conn:
        orders = await store.list_orders(conn, found.party_id, found.invoice_id)
    if back_from is not None and any(order["payment_id"] == back_from for order in orders):
        await payments.refresh(pool, providers, found.party_id, back_from)
    async with pool.acquire() as conn:
        standing = await documents.get_standing(conn, found.party_id, found.invoice_id)
        is_on_its_way = await _is_on_its_way(conn, found)
    is_open = standing.open is not None and standing.open > 0
    return Paying(
        standing=standing,
        may_pay=bool(providers.names) and is_open and not is_on_its_way,
        is_on_its_way=is_on_its_way and is_open,
    )


async def _paid_out(pool: Pool, found: Invoice) -> Paying:
    async with pool.acquire() as conn:
        standing = await documents.get_standing(conn, found.party_id, found.invoice_id)
        rows = await queries.list_payments_of(conn, found.party_id, found.invoice_id)
    days = [row.paid_on for row in rows if row.amount > 0]
    paid_on = max(days) if days and standing.state == "paid" else None
    return Paying(standing=standing, may_pay=False, is_on_its_way=False, paid_on=paid_on)


async def _is_on_its_way(conn: Connection, found: Invoice) -> bool:
    orders = await store.list_orders(conn, found.party_id, found.invoice_id)
    return any(order["state"] == "captured" and order["kept"] > 0 and not order["is_recorded"] for order in orders)


async def begin(pool: Pool, providers: Providers, found: Invoice, return_url: str) -> Checkout:
    """Where what is open of an invoice is paid. Asked again, the same page, unless something else is open by now.

    Raises Conflict where nothing is open, Refused where no provider is set up, ExternalFailure when it does not answer.
    """
    async with pool.acquire() as conn, conn.transaction():
        payment_id = await _ordered(conn, providers, found)
    return await payments.checkout(pool, providers, found.party_id, payment_id, return_url)


async def _ordered(conn: Connection, providers: Providers, found: Invoice) -> UUID:
    party_id, invoice_id = found.party_id, found.invoice_id
    await store.lock_invoice(conn, party_id, invoice_id)
    standing = await documents.get_standing(conn, party_id, invoice_id)
    if not standing.open or await _is_on_its_way(conn, found):
        raise Conflict("nothing is open of it any more", code="over")
    orders = await store.list_orders(conn, party_id, invoice_id)
    for order in orders:
        if order["state"] in ("created", "authorizing"):
            if order["amount"] == standing.open:
                known: UUID = order["payment_id"]
                return known
            await payments.release(conn, party_id, order["payment_id"], "not_paid")
    buyer = found.content.buyer
    with speaking(buyer.language):
        description = _("Invoice %(number)s", number=found.number)
    given = NewPayment(
        purpose="invoice",
        customer=found.customer,
        amount=Money(standing.open, found.currency),
        description=description,
        email=buyer.email or None,
        language=buyer.language,
        key=f"invoice:{invoice_id}:{len(orders) + 1}",
    )
    payment = await payments.order(conn, party_id, given, providers)
    await store.insert_order(conn, party_id, invoice_id, payment.payment_id, clock.now())
    return payment.payment_id
