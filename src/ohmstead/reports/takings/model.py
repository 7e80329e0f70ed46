"""Payments as pages show them: a list with its sums, one with all that was done for it, what waits for a person."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from ohmstead.billing.payments.model import Payment

EventSort: TypeAlias = Literal["operation", "webhook", "entry", "dispute"]


class PaymentSum(Struct, frozen=True, kw_only=True):
    """What the payments of a list come to, in one currency."""

    currency: str
    n: int
    captured: Decimal
    given_back: Annotated[Decimal, Meta(description="Refunded, and taken back through banks.")]
    held: Annotated[Decimal, Meta(description="What is held and neither taken nor let go yet.")]


class PaymentPage(Struct, frozen=True, kw_only=True):
    """A page of the list of payments. `is_counted`: the sums are of all that match."""

    rows: list[Payment]
    sums: list[PaymentSum]
    is_counted: bool

    @property
    def n_found(self) -> int:
        return sum(one.n for one in self.sums)


class PaymentEvent(Struct, frozen=True, kw_only=True):
    """Something that was done for a payment, told of it, or booked."""

    at: datetime
    sort: EventSort
    kind: str
    state: str
    amount: Decimal | None = None
    text: str = ""
    by: str = ""
    ref: Annotated[str, Meta(description="The provider's, or the id of the entry.")] = ""
    n_tries: int = 0
    ended_at: datetime | None = None


class PaymentRefs(Struct, frozen=True, kw_only=True):
    """What the provider calls a payment."""

    provider_ref: str | None
    checkout_ref: str | None


class Waiting(Struct, frozen=True, kw_only=True):
    """How much waits for a person, of each sort."""

    n_sessions: int
    n_debts: int
    n_disputes: int
    n_differences: int
