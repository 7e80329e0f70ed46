"""Prepaid wallets of drivers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.paying.model import Amount


class AutoTopUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Top up by itself: with less than `below` to spend, `amount` is taken of a stored card."""

    below: Amount
    amount: Amount
    method_id: Annotated[UUID, Meta(description="The stored card.")]


class Wallet(Struct, frozen=True, kw_only=True):
    """A driver's wallet, in one currency."""

    driver_id: UUID
    party_id: UUID
    currency: str
    balance: Annotated[Decimal, Meta(description="What is in it; negative within the credit limit.")]
    held: Annotated[Decimal, Meta(description="What running sessions and refunds hold of it.")]
    due: Annotated[Decimal, Meta(description="What it has yet to pay: the next money that comes in pays it.")]
    available: Annotated[Decimal, Meta(description="What can be spent now: balance and credit limit, less the others.")]
    credit_limit: Annotated[Decimal, Meta(description="How far below nothing it may go.")]
    auto_top_up: AutoTopUp | None
    auto_failed_at: Annotated[
        datetime | None, Meta(description="Then the automatic top-up failed; it rests until it is set anew.")
    ]
    version: Annotated[int, Meta(description="Counts changes of its settings; it is the ETag.")]
    opened_at: datetime


class WalletBalance(Struct, frozen=True, kw_only=True):
    """What a wallet has: all in, held, and to spend."""

    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal


class WalletEntry(Struct, frozen=True, kw_only=True):
    """What came into a wallet or went out of it."""

    entry_id: UUID
    number: Annotated[int, Meta(description="The entry's, in the party's books.")]
    booked_on: date
    at: datetime
    kind: Annotated[
        str,
        Meta(description="`top_up`, `wallet_payment`, `wallet_credit`, `wallet_adjustment`, `payment_refund`, …"),
    ]
    text: str
    amount: Annotated[Decimal, Meta(description="Positive: into the wallet.")]
    currency: str
    by: str


class WalletChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's word about a wallet."""

    amount: Annotated[Decimal, Meta(description="Positive: given to the driver; negative: taken back.")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class WalletRefund(Struct, frozen=True, kw_only=True):
    """What goes back to the payments that it came from, the newest first."""

    amount: Annotated[Decimal, Meta(description="What is on its way back.")]
    currency: str
    payment_ids: list[UUID]
    left: Annotated[Decimal, Meta(description="What no payment is left for: goodwill, or payments too old.")]


DueKind = Literal["cdr", "plan_fee"]


class Row(Struct, frozen=True, kw_only=True):
    """A wallet as it is kept; whoever reads it for a change holds it."""

    driver_id: UUID
    party_id: UUID
    currency: str
    credit_limit: Decimal
    auto_below: Decimal | None
    auto_amount: Decimal | None
    auto_method: UUID | None
    auto_payment: UUID | None
    auto_number: int
    auto_failed_at: datetime | None
    low_told: bool
    version: int
    opened_at: datetime


class Due(Struct, frozen=True, kw_only=True):
    """What a wallet is to pay. `ref_id`: the CDR, or the fee."""

    due_id: UUID
    driver_id: UUID
    kind: DueKind
    ref_id: UUID
    currency: str
    due_minor: int
    paid_minor: int
    n_paid: int
