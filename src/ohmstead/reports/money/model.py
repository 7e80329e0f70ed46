"""Money as pages show it: a month of the books, CDRs in a list, who owes how much."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.cdrs.model import CdrKind, Reason
from ohmstead.billing.ledger.entries import AccountKind


class DaySum(Struct, frozen=True, kw_only=True):
    """What was booked as earned on a day, in one currency: `billed` with taxes, less what was credited."""

    day: date
    billed: Decimal
    taxes: Decimal


class Owed(Struct, frozen=True, kw_only=True):
    """What customers of one sort (`driver`, `company`, …) owe: at first, what came and went, and in the end."""

    whose: str
    n_open: Annotated[int, Meta(description="Accounts that are not even in the end.")]
    before: Decimal
    debit: Decimal
    credit: Decimal
    after: Decimal


class KindSum(Struct, frozen=True, kw_only=True):
    """What is on all accounts of one kind, in one currency, at the end of a day."""

    kind: str
    currency: str
    n_accounts: int
    debit: Decimal
    credit: Decimal

    @property
    def balance(self) -> Decimal:
        """Debit is positive."""
        return self.debit - self.credit


class ReasonSum(Struct, frozen=True, kw_only=True):
    """Sessions that are not billed for one reason, about which nobody decided yet."""

    reason: Reason
    n: int
    energy_wh: Decimal
    first_at: Annotated[datetime | None, Meta(description="When the oldest of them ended.")]


class CdrRow(Struct, frozen=True, kw_only=True):
    """A CDR as a list shows it."""

    cdr_id: UUID
    kind: CdrKind
    session_id: UUID
    version: int
    is_credited: bool
    location_id: UUID | None
    place: str
    city: str
    station_id: str
    token_uid: str | None
    contract_id: str | None
    customer: str
    started_at: datetime
    ended_at: datetime
    energy_wh: Decimal
    currency: str
    before_taxes: Decimal
    total: Decimal
    tariff_id: UUID
    tariff_name: str
    tariff_version: int
    created_at: datetime
    time_zone: str
    entry_number: int | None
    booked_on: date | None


class CdrSum(Struct, frozen=True, kw_only=True):
    """What all CDRs of a list come to, in one currency."""

    currency: str
    n: int
    energy_wh: Decimal
    before_taxes: Decimal
    total: Decimal


class CdrPage(Struct, frozen=True, kw_only=True):
    """A page of the list of CDRs. `is_counted`: the sums are of all that match, not of the first many."""

    rows: list[CdrRow]
    sums: list[CdrSum]
    is_counted: bool

    @property
    def n_found(self) -> int:
        return sum(one.n for one in self.sums)


class EntryPosting(Struct, frozen=True, kw_only=True):
    """What an entry did to one account."""

    position: int
    account_id: UUID
    code: str
    kind: AccountKind
    detail: str
    currency: str
    amount: Decimal


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """An entry of the ledger with its postings."""

    entry_id: UUID
    number: int
    booked_on: date
    kind: str
    text: str
    cdr_id: UUID | None
    key: str
    created_at: datetime
    created_by: str
    postings: list[EntryPosting]

    @property
    def currencies(self) -> list[str]:
        return sorted({one.currency for one in self.postings})


class BookMonth(Struct, frozen=True, kw_only=True):
    """A month of the books. `month` is its first day."""

    month: date
    n_entries: int
    first_number: int
    last_number: int
    is_closed: bool
    closed_at: datetime | None = None
    closed_by: str | None = None
