"""The ledger as it is kept and shown."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.ledger.entries import AccountKind


class KeptEntry(Struct, frozen=True, kw_only=True):
    """An entry's place in the books."""

    entry_id: UUID
    number: int
    booked_on: date


class LedgerAccount(Struct, frozen=True, kw_only=True):
    """An account and what is on it. Amounts are exact, in its currency."""

    account_id: UUID
    code: Annotated[str, Meta(description="Its name, the same in every currency: `revenue:energy`, `tax:NL:VAT:21`.")]
    kind: AccountKind
    detail: Annotated[str, Meta(description="Whose, of what kind, or country, name and rate of a tax.")]
    currency: str
    debit: Annotated[Decimal, Meta(description="All that went in.")]
    credit: Annotated[Decimal, Meta(description="All that went out.")]
    balance: Annotated[
        Decimal, Meta(description="In less out: positive is owed to us, negative was earned or is owed by us.")
    ]
    opened_at: datetime


class LedgerPosting(Struct, frozen=True, kw_only=True):
    """What one entry did to an account."""

    entry_id: UUID
    number: Annotated[int, Meta(description="The entry's, in the party's books; without gaps.")]
    position: Annotated[int, Meta(description="Within the entry.")]
    booked_on: date
    kind: Annotated[str, Meta(description="What happened: `cdr` or `cdr_credit`.")]
    text: str
    cdr_id: UUID | None
    amount: Annotated[Decimal, Meta(description="Positive: debit; negative: credit.")]
    currency: str
    created_at: datetime
    created_by: str


class LedgerLock(Struct, frozen=True, kw_only=True):
    """A month that is closed, with all before it."""

    month: Annotated[str, Meta(description="`2026-10`.")]
    locked_at: datetime
    locked_by: str


class NewLedgerLock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The month to close, with all before it. There is no way back."""

    month: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}$(?!\n)", description="`2026-10`; it must be over.")]
