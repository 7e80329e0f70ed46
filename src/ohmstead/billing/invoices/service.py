"""Documents about what was charged: receipts, invoices, credit notes. The edge opens the transaction.

Whatever is issued for a party is issued by one transaction at a time: it holds the end of the party's ledger, as billing does.
A document has a key that says what it is about, so that it is issued once however often it is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.invoices import queries, store
from ohmstead.billing.invoices.buyers import buyer_of, seller_of
from ohmstead.billing.invoices.composing import compose, measured_of
from ohmstead.billing.invoices.drafting import Measured, booked_of, content_for
from ohmstead.billing.invoices.exchange import electronic
from ohmstead.billing.invoices.issuing import issue
from ohmstead.billing.invoices.links import link_of
from ohmstead.billing.invoices.model import Draft, Invoice, Syntax
from ohmstead.billing.invoices.paper import pdf
from ohmstead.billing.ledger import service as ledger
from ohmstead.core import jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Refused
from ohmstead.core.events import Event
from ohmstead.core.language import N_

__all__ = ["find_receipt", "get_invoice", "issue_receipt", "link_of", "pdf_of", "xml_of"]

SYSTEM: Final = "system"
RECEIPT_JOB: Final = "receipt_of_wallet"
WALLETS_PAY_WITHIN_S: Final = 5.0
CREDITED: Final = N_("The session was credited")

get_invoice = queries.get_invoice
find_receipt = queries.find_receipt


# --------------------------------------------------------------------------------------------------- what it looks like


async def pdf_of(conn: Connection, party_id: UUID, invoice_id: UUID) -> bytes:
    """A document as PDF/A-3 in its buyer's language, with EN 16931 data inside where they can say it. Raises NotFound."""
    return await drawn(await queries.get_invoice(conn, party_id, invoice_id))


async def xml_of(conn: Connection, party_id: UUID, invoice_id: UUID, syntax: Syntax = "cii") -> bytes:
    """A document as EN 16931 data: `cii` as Factur-X has it, `ubl` as XRechnung. Raises NotFound, Refused with a reason."""
    return written(await queries.get_invoice(conn, party_id, invoice_id), syntax)


async def drawn(found: Invoice) -> bytes:
    """The same of a document that was read; beside the loop, since it takes a while."""
    return await asyncio.to_thread(pdf.draw, found)


def written(found: Invoice, syntax: Syntax) -> bytes:
    """The same of a document that was read. Raises Refused."""
    return electronic.xml_of(found, syntax)


# ------------------------------------------------------------------------------------------------------------ receipts


async def issue_receipt(conn: Connection, party_id: UUID, cdr_id: UUID, *, by: str = SYSTEM) -> Invoice:
    """The receipt of a CDR; the one that it has, if it has one. It says what was paid by now.

    Raises NotFound, Refused for a credit and where nothing is due, Conflict where it was taken back or stands on another
    document.
    """
    await ledger.hold(conn, party_id)
    cdr = await cdrs.get_cdr(conn, party_id, cdr_id)
    on = (await store.find_documents_of(conn, party_id, [cdr_id])).get(cdr_id)
    if on is not None:
        found = await queries.get_invoice(conn, party_id, on)
        if found.kind == "receipt":
            return found
        raise Conflict(f"it stands on {found.number} already", code="invoiced")
    if cdr.kind == "credit":
        raise Refused("a credit has no receipt: credit notes are made by themselves")
    if cdr.credited_by is not None:
        raise Conflict("it was taken back", code="credited")
    if not cdr.total:
        raise Refused("nothing is due for it")
    return await _receipt(conn, party_id, cdr, by)


async def issue_receipts_of(conn: Connection, party_id: UUID, session_id: UUID) -> list[Invoice]:
    """Receipts of a session's CDRs that stand, and are on no document yet."""
    await ledger.hold(conn, party_id)
    standing = await store.list_standing(conn, party_id, [session_id])
    done = await store.find_documents_of(conn, party_id, standing)
    wanted = await cdrs.list_by_ids(conn, party_id, [one for one in standing if one not in done])
    return [await _receipt(conn, party_id, cdr, SYSTEM) for cdr in wanted if cdr.total]


async def _receipt(conn: Connection, party_id: UUID, cdr: Cdr, by: str) -> Invoice:
    seller, known = await seller_of(conn, party_id), await buyer_of(conn, party_id, cdr.customer)
    composed = await compose(conn, party_id, "receipt", seller, known, cdr.currency, cdr.place.country, [cdr])
    return await issue(conn, party_id, by, f"receipt:{cdr.cdr_id}", composed.draft, composed.booked)


async def notice_captured(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `PaymentCaptured` and `DebtOpened`: whoever paid for a session gets its receipt. One that a stored
    card paid in part waits until that is charged the rest, or it is known that it does not pay.
    """
    for event in found:
        if event.party_id is None or event.payload.get("purpose") != "session" or not event.payload.get("session_id"):
            continue
        session_id = UUID(event.payload["session_id"])
        if await _is_half_charged(conn, event.party_id, session_id) == (event.kind == "DebtOpened"):
            await issue_receipts_of(conn, event.party_id, session_id)


async def _is_half_charged(conn: Connection, party_id: UUID, session_id: UUID) -> bool:
    standing = await store.list_standing(conn, party_id, [session_id])
    return bool(await store.list_half_charged(conn, party_id, standing))


async def notice_created(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `CdrCreated`: what a wallet pays gets its receipt, once that has paid; so does what is made instead
    of something that had one. Where a stored card is charged a difference for that, its capture brings the receipt.
    """
    by_party: dict[UUID, list[Event]] = defaultdict(list)
    for event in found:
        if event.party_id is not None:
            by_party[event.party_id].append(event)
    for party_id, told in sorted(by_party.items()):
        sessions = {UUID(event.payload["session_id"]): UUID(event.payload["cdr_id"]) for event in told}
        covered = await store.list_wallet_covered(conn, party_id, list(sessions))
        before = [UUID(event.payload["replaces_id"]) for event in told if event.payload.get("replaces_id")]
        again = await store.list_receipted_cdrs(conn, party_id, before)
        for event in told:
            session_id, replaces = UUID(event.payload["session_id"]), event.payload.get("replaces_id")
            if session_id in covered:
                payload = {"party_id": str(party_id), "cdr_id": event.payload["cdr_id"]}
                await jobs.enqueue(conn, RECEIPT_JOB, payload, after_s=WALLETS_PAY_WITHIN_S)
            elif replaces and UUID(replaces) in again and not await _is_half_charged(conn, party_id, session_id):
                await issue_receipts_of(conn, party_id, session_id)


async def run_receipt(pool: Pool, payload: Any) -> None:
    """Job: the receipt of what a wallet was to pay. Where it did not, the next invoice asks for it."""
    party_id, cdr_id = UUID(payload["party_id"]), UUID(payload["cdr_id"])
    async with pool.acquire() as conn, conn.transaction():
        if not await store.is_paid_by_wallet(conn, party_id, cdr_id):
            return
        with contextlib.suppress(Conflict, Refused):  # taken back, or on an invoice, meanwhile
            await issue_receipt(conn, party_id, cdr_id)


# -------------------------------------------------------------------------------------------------------- credit notes


async def notice_credited(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `CdrCredited`: what stood on a document gets a credit note, one for each document."""
    by_party: dict[UUID, list[UUID]] = defaultdict(list)
    for event in found:
        if event.party_id is not None:
            by_party[event.party_id].append(UUID(event.payload["cdr_id"]))
    for party_id in sorted(by_party):
        await credit_documents(conn, party_id, by_party[party_id])


async def credit_documents(
    conn: Connection, party_id: UUID, credit_ids: Sequence[UUID], by: str = SYSTEM
) -> list[Invoice]:
    """Credit notes for credits whose charges stand on documents. May run any number of times."""
    await ledger.hold(conn, party_id)
    done = await store.find_documents_of(conn, party_id, credit_ids)
    taken_back = await cdrs.list_by_ids(conn, party_id, [one for one in credit_ids if one not in done])
    charges = [cdr.credits_id for cdr in taken_back if cdr.credits_id is not None]
    on = await store.find_documents_of(conn, party_id, charges)
    by_document: dict[UUID, list[Cdr]] = defaultdict(list)
    for cdr in taken_back:
        if cdr.credits_id in on:
            by_document[on[cdr.credits_id]].append(cdr)
    made = []
    for invoice_id in sorted(by_document):
        of = by_document[invoice_id]
        corrected = await queries.get_invoice(conn, party_id, invoice_id)
        draft = _credit_note(corrected, of, await measured_of(conn, party_id, of))
        key = f"credit:{min(cdr.cdr_id for cdr in of)}"
        made.append(await issue(conn, party_id, by, key, draft, booked_of(of)))
    return made


def _credit_note(corrected: Invoice, taken_back: Sequence[Cdr], measured: Mapping[UUID, Measured]) -> Draft:
    """To whom, from whom and with whose taxes what it corrects was."""
    before = corrected.content
    reasons = {cdr.reason for cdr in taken_back if cdr.reason}
    content = content_for(
        before.seller,
        before.buyer,
        taken_back,
        measured,
        currency=corrected.currency,
        treatment=before.treatment,
        time_zone=before.time_zone,
        corrects=(corrected.number, corrected.issued_on),
        reason=reasons.pop() if len(reasons) == 1 else CREDITED,
    )
    return Draft(
        kind="credit_note",
        customer=corrected.customer,
        currency=corrected.currency,
        content=content,
        from_on=corrected.from_on,
        to_on=corrected.to_on,
        session_id=corrected.session_id,
        corrects_id=corrected.invoice_id,
        cdr_ids=[cdr.cdr_id for cdr in taken_back],
    )
