"""What money that came in, or went out, by bank does to the books, as entries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from ohmstead.billing.ledger import entries
from ohmstead.billing.ledger.entries import Account, Entry, Posting, bank, reversed_postings

BANK_FEES: Final = "fees:bank"


def account_of(whose: str, currency: str) -> Account:
    """Where the other side of money at the bank stands: a host's share, the bank's fees, else what a customer owes."""
    kind, _, ident = whose.partition(":")
    if whose == BANK_FEES:
        return entries.fees("bank", currency)
    return entries.host_share(ident, currency) if kind == "host" else entries.receivable(whose, currency)


def booked(
    booking_id: UUID, currency: str, customers: Mapping[str, Decimal], day: date, *, is_out: bool = False
) -> Entry:
    """It lies at our bank, and customers owe so much less; or it left the bank, and we owe so much less."""
    amount = sum(customers.values(), Decimal(0))
    sign = -1 if is_out else 1
    return Entry(
        key=f"bank:{booking_id}",
        kind="bank_payment" if is_out else "bank_receipt",
        text=f"Bank {'payment' if is_out else 'receipt'} {booking_id}",
        wanted_on=day,
        postings=(
            Posting(bank(currency), sign * amount),
            *(Posting(account_of(whose, currency), -sign * part) for whose, part in sorted(customers.items())),
        ),
    )


def reversed_entry(
    booking_id: UUID, currency: str, customers: Mapping[str, Decimal], day: date, *, is_out: bool = False
) -> Entry:
    """It was booked wrongly: all of it is taken back."""
    wrong = booked(booking_id, currency, customers, day, is_out=is_out)
    return Entry(
        key=f"{wrong.key}:reversed",
        kind=f"{wrong.kind}_reversed",
        text=f"Reversal of bank {'payment' if is_out else 'receipt'} {booking_id}",
        wanted_on=day,
        postings=reversed_postings(wrong.postings),
    )
