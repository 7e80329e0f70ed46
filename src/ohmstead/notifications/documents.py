"""Documents to their buyers once more, because a person says so. The edge opens the transaction."""

from __future__ import annotations

import contextlib
from typing import Any, Final
from uuid import UUID

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.invoices.buyers import buyer_of
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.model import DocumentKind, Invoice
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound, Refused
from ohmstead.drivers.signin import service as signin
from ohmstead.notifications import queries, service
from ohmstead.notifications.model import Attachment, Recipient
from ohmstead.notifications.noticing import told_of

_KINDS: Final[dict[DocumentKind, str]] = {"receipt": "receipt_issued", "credit_note": "credit_issued"}


def kind_of(document: DocumentKind) -> str:
    """The message that a document goes with."""
    return _KINDS.get(document, "invoice_issued")


async def recipient_of(conn: Connection, party_id: UUID, customer: str) -> Recipient:
    """Where a customer's documents go now; without an address where none is known."""
    sort, _, value = customer.partition(":")
    if sort == "host":
        with contextlib.suppress(NotFound, ValueError):
            host = await hosts.get_host(conn, party_id, UUID(value))
            return Recipient(email=host.details.email or None, language=host.details.language)
        return Recipient()
    buyer = (await buyer_of(conn, party_id, customer)).buyer
    driver_id = UUID(value) if sort == "driver" else None
    return Recipient(driver_id=driver_id, email=buyer.email or None, language=buyer.language or None)


async def send(conn: Connection, party_id: UUID, invoice: Invoice, to: Recipient, key: str) -> list[UUID]:
    """A document with its PDF by e-mail to `to.email`. `key`: the same again sends nothing. Returns the messages that were
    put into the queue: none where its driver wants no such mails. Raises Invalid for no address.
    """
    if to.email is None:
        raise Invalid("say to which address", field="email")
    address = signin.address_of(to.email)
    data: dict[str, Any] = {}
    if invoice.session_id is not None:
        found = await queries.list_sessions(conn, party_id, [invoice.session_id])
        if (row := found.get(invoice.session_id)) is not None:
            data = told_of(row)
    data |= {
        "number": invoice.number,
        "amount": {"amount": invoice.total, "currency": invoice.currency},
        "total": None,
        "day": invoice.created_at,
        "link": f"invoice:{invoice.invoice_id}",
    }
    return await service.queue(
        conn,
        party_id,
        kind=kind_of(invoice.kind),
        to=Recipient(driver_id=to.driver_id, email=address, language=to.language),
        data=data,
        key=f"{invoice.invoice_id}:again:{key}",
        attachments=(Attachment(type="invoice", id=invoice.invoice_id),),
    )


async def send_again(conn: Connection, actor: Actor, invoice: Invoice, email: str | None, key: str) -> list[UUID]:
    """`send` because a person says so; without an address to the one that is known.

    Whoever sends a driver's document may read drivers. Raises NotAllowed, Invalid, and Refused where its driver wants no such
    mails, or `key` was sent before.
    """
    if invoice.customer.startswith("driver:"):
        access.require(actor, "drivers:read")
    known = await recipient_of(conn, actor.party_id, invoice.customer)
    to = Recipient(driver_id=known.driver_id, email=email or known.email, language=known.language)
    made = await send(conn, actor.party_id, invoice, to, key)
    if not made:
        raise Refused("it was sent already, or this driver has turned such mails off")
    await accounts.audit(conn, actor, "invoice.sent", f"invoice/{invoice.invoice_id}", {"number": invoice.number})
    return made
