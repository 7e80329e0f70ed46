"""Refunds: what was billed is reduced, and what becomes of the money."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.cdrs.model import Cdr


class Reduced(Struct, frozen=True, kw_only=True):
    """What was made when a CDR was reduced."""

    credit: Cdr
    replacement: Annotated[Cdr | None, Meta(description="What is left of it; null: nothing.")]
    credit_note_ids: Annotated[
        list[UUID], Meta(description="The credit notes for the documents on which it stood; none where it was on none.")
    ]


class RefundedPayment(Struct, frozen=True, kw_only=True):
    """What a payment gives back."""

    payment_id: UUID
    provider: str
    amount: Decimal


class RefundPreview(Struct, frozen=True, kw_only=True):
    """What would become of a refund."""

    currency: str
    before: Annotated[Decimal, Meta(description="What the CDR comes to.")]
    after: Annotated[Decimal, Meta(description="What is left of it.")]
    payments: list[RefundedPayment]
    wallet: Annotated[Decimal, Meta(description="What goes back into the driver's wallet.")]
    debt: Annotated[Decimal, Meta(description="What is owed less of a payment that failed.")]
    rest: Annotated[Decimal, Meta(description="What of it changes only what is owed on account.")]
    documents: Annotated[list[str], Meta(description="Numbers of the documents that get a credit note.")]
