"""Double entry: accounts, and postings that add up to nothing. Pure.

Debit is positive: money that somebody owes us or that lies somewhere for us. Credit is negative: what was earned, and what
is owed to others (taxes, wallets, hosts).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.money import Money, minor_units

AccountKind: TypeAlias = Literal[
    "psp_clearing", "receivable", "wallet", "revenue", "tax", "fees", "host_share", "rounding", "bank"
]
RevenueKind: TypeAlias = Literal["energy", "time", "parking", "flat", "reservation", "adjustments"]
KINDS: Final[tuple[AccountKind, ...]] = get_args(AccountKind)
# Beyond this no sum of a day fits into the database's whole numbers any more, and no bill is so high.
MOST_MINOR: Final = 10**15
NOBODY: Final = "nobody"


class Account(Struct, frozen=True, order=True):
    """An account by what it is for; it is opened when something is posted to it first."""

    kind: AccountKind
    detail: str
    currency: str

    @property
    def code(self) -> str:
        """Its name in the books, the same in every currency: `revenue:energy`."""
        return f"{self.kind}:{self.detail}" if self.detail else self.kind


class Posting(Struct, frozen=True):
    """So much into an account (positive) or out of it."""

    account: Account
    amount: Decimal


class Entry(Struct, frozen=True, kw_only=True):
    """One event to be put into the books. `key`: the same event has the same key for ever. `wanted_on`: on which day."""

    key: str
    kind: str
    text: str
    wanted_on: date
    postings: tuple[Posting, ...]
    cdr_id: UUID | None = None


def receivable(customer: str, currency: str) -> Account:
    """What a customer owes. `customer`: `driver:<id>`, `token:<id>` or NOBODY."""
    return Account("receivable", customer, currency)


def revenue(kind: RevenueKind, currency: str) -> Account:
    """What was earned, without taxes."""
    return Account("revenue", kind, currency)


def tax(country: str, name: str, percentage: Decimal, currency: str) -> Account:
    """What is owed of one tax at one rate in one country: `tax:NL:VAT:21`."""
    rate = format(percentage.normalize(), "f")
    return Account("tax", f"{country}:{name}:{rate}", currency)


def psp_clearing(provider: str, currency: str) -> Account:
    """What a payment provider holds for us."""
    return Account("psp_clearing", provider, currency)


def wallet(driver_id: UUID, currency: str) -> Account:
    """What a driver paid ahead, and we owe them."""
    return Account("wallet", f"driver:{driver_id}", currency)


def fees(whose: str, currency: str) -> Account:
    """What others take for their service."""
    return Account("fees", whose, currency)


def host_share(host: str, currency: str) -> Account:
    """What is owed to whoever owns the place."""
    return Account("host_share", host, currency)


def rounding(currency: str) -> Account:
    """What is left over where parts were rounded each by itself."""
    return Account("rounding", "", currency)


def bank(currency: str) -> Account:
    """What reached our own account at a bank."""
    return Account("bank", "", currency)


def minor_of(posting: Posting) -> int:
    """In whole minor units. Raises Invalid for what is not exact in them."""
    return exact_minor(posting.amount, posting.account.currency)


def exact_minor(amount: Decimal, currency: str) -> int:
    """An amount in whole minor units of its currency. Raises Invalid where it is not exact, or too high to be true."""
    if not amount.is_finite():
        raise Invalid("money is finite", field="amount")
    shifted = amount.scaleb(minor_units(currency))
    if shifted != shifted.to_integral_value():
        raise Invalid(f"{amount} is not exact in {currency}", field="amount")
    if abs(shifted) > MOST_MINOR:
        raise Invalid("more than anything costs", field="amount")
    return int(shifted)


def amount_of(minor: int, currency: str) -> Decimal:
    """The other way round."""
    return Money.from_minor(minor, currency).amount


def check(entry: Entry) -> None:
    """Raises Invalid for an entry that does not balance, moves nothing, or says nothing."""
    if not entry.key or not entry.kind:
        raise Invalid("an entry has a key and a kind", field="key")
    if len(entry.postings) < 2:
        raise Invalid("an entry moves something from somewhere to somewhere", field="postings")
    sums: dict[str, int] = defaultdict(int)
    for posting in entry.postings:
        minor = minor_of(posting)
        if not minor:
            raise Invalid(f"nothing is posted to {posting.account.code}", field="postings")
        sums[posting.account.currency] += minor
    for currency, total in sorted(sums.items()):
        if total:
            raise Invalid(f"off by {amount_of(total, currency)} {currency}", field="postings")


def digest(entry: Entry) -> bytes:
    """What the entry says, hashed: order of postings and noughts do not matter, nor on which day it is booked."""
    postings = sorted((p.account.code, p.account.currency, minor_of(p)) for p in entry.postings)
    said = [entry.kind, entry.text, str(entry.cdr_id or ""), postings]
    return hashlib.sha256(msgspec.json.encode(said)).digest()


def gathered(postings: Sequence[Posting]) -> tuple[Posting, ...]:
    """One posting for each account, in the order in which accounts come first; those that come to nothing left out."""
    sums: dict[Account, Decimal] = {}
    for posting in postings:
        sums[posting.account] = sums.get(posting.account, Decimal(0)) + posting.amount
    return tuple(Posting(account, amount) for account, amount in sums.items() if amount)


def reversed_postings(postings: Sequence[Posting]) -> tuple[Posting, ...]:
    """What takes them back exactly."""
    return tuple(Posting(posting.account, -posting.amount) for posting in postings)


def booked_on(wanted: date, today: date, first_open: date | None) -> date:
    """The day on which an entry is booked: the one it belongs to, unless that is yet to come or its month is closed."""
    day = min(wanted, today)
    if first_open is None or day >= first_open:
        return day
    return max(today, first_open)


def month_of(text: str) -> date:
    """The first day of `2026-10`. Raises Invalid."""
    try:
        year, dash, month = text.partition("-")
        if not dash or len(year) != 4 or len(month) != 2 or not (year + month).isdecimal():
            raise ValueError
        return date(int(year), int(month), 1)
    except ValueError:
        raise Invalid("expected a month, as 2026-10", field="month") from None


def after(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)
