"""Payments: money asked from somebody through a provider."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.money import Money

Purpose: TypeAlias = Literal["session", "top_up", "debt", "invoice", "plan_fee"]
State: TypeAlias = Literal["created", "authorizing", "held", "capturing", "captured", "releasing", "released", "failed"]
OperationKind: TypeAlias = Literal[
    "checkout", "hold", "charge", "increase", "capture", "release", "refund", "start", "stop"
]
DebtEnd: TypeAlias = Literal["paid", "credited", "forgiven"]
DisputeState: TypeAlias = Literal["open", "won", "lost"]
DifferenceState: TypeAlias = Literal["open", "explained", "gone"]
LineKind: TypeAlias = Literal["charge", "refund", "dispute", "fee", "payout", "other"]
SetupState: TypeAlias = Literal["created", "open", "done", "failed"]

# Why a provider declines what is less than it takes at all. Nobody is held for that: it is taken with what comes next.
TOO_SMALL: Final = "amount_too_small"

Why: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500, description="Why; it stays with it.")]
Failure: TypeAlias = Annotated[
    str | None,
    Meta(
        description="Why it came to nothing: the provider's word (`declined`, `insufficient_funds`,"
        " `authentication_required`, …) or ours (`not_paid`, `no_session`, `start_refused`, `station_offline`,"
        " `hold_expired`, `no_answer`, `not_billed`)."
    ),
]


class Payment(Struct, frozen=True, kw_only=True):
    """Money asked from somebody through a provider, and what became of it."""

    payment_id: UUID
    party_id: UUID
    provider: Annotated[str, Meta(description="Through whom: `stripe`, `sandbox`.")]
    purpose: Purpose
    customer: Annotated[str, Meta(description="Who pays: `driver:<id>`, `company:<id>`, or a guest: `payment:<id>`.")]
    state: State
    currency: str
    amount: Annotated[Decimal, Meta(description="What is asked; once held, what is held.")]
    captured: Annotated[Decimal, Meta(description="What was taken of it.")]
    refunded: Annotated[Decimal, Meta(description="What was given back of that.")]
    disputed: Annotated[Decimal, Meta(description="What the payer took back through their bank, and we did not win.")]
    session_id: UUID | None = None
    cdr_id: Annotated[UUID | None, Meta(description="The CDR that it pays.")] = None
    station_id: str | None = None
    evse_number: int | None = None
    token_uid: Annotated[str | None, Meta(description="The one-time token of a guest's session.")] = None
    email: str | None = None
    language: str | None = None
    description: str = ""
    method_id: Annotated[UUID | None, Meta(description="The stored card or account that it is taken from.")] = None
    failure: Failure = None
    created_at: datetime
    capture_before: Annotated[datetime | None, Meta(description="When the hold ends by itself.")] = None
    version: int

    @property
    def money(self) -> Money:
        """What is asked, or held."""
        return Money(self.amount, self.currency)

    @property
    def kept(self) -> Decimal:
        """What we have of it: captured, and neither given nor taken back."""
        return self.captured - self.refunded - self.disputed


class Kept(Struct, frozen=True, kw_only=True):
    """A payment with what only we need to know of it. `wanted`: what is to be captured; 0: it is let go; None: unknown."""

    payment: Payment
    is_hold: bool
    wanted: Decimal | None
    holds_plug: bool
    debt_id: UUID | None
    web_payment_id: UUID | None
    provider_ref: str | None
    checkout_ref: str | None
    checkout_url: str | None
    pay_by: datetime | None
    held_at: datetime | None
    begin_by: datetime | None
    look_at: datetime | None


class NewPayment(Struct, frozen=True, kw_only=True):
    """What is asked. `key`: the same key again is the same payment. `debt_id`: the debt that it settles; without, the
    customer's oldest ones.
    """

    purpose: Purpose
    customer: str
    amount: Money
    description: str = ""
    email: str | None = None
    language: str | None = None
    session_id: UUID | None = None
    cdr_id: UUID | None = None
    debt_id: UUID | None = None
    provider: str | None = None
    key: str | None = None


class NewAdHoc(Struct, frozen=True, kw_only=True):
    """A guest wants to charge at an outlet. `return_url`: where the provider leads them when they have paid, or not;
    `{payment_id}` in it is filled in. `web_payment_id`: the leave that a code of the station's gave (OCPP 2.1 C25).
    """

    party_id: UUID
    station_id: str
    evse_number: int
    return_url: str
    email: str | None = None
    language: str | None = None
    web_payment_id: UUID | None = None
    provider: str | None = None


class AdHoc(Struct, frozen=True, kw_only=True):
    """Where the guest pays, and how much is held."""

    payment_id: UUID
    url: str
    amount: Decimal
    currency: str


class Checkout(Struct, frozen=True, kw_only=True):
    """Where somebody pays."""

    payment_id: UUID
    url: str


class MethodSetup(Struct, frozen=True, kw_only=True):
    """A driver on the way to let us store a card. `url`: where they do."""

    setup_id: UUID
    party_id: UUID
    driver_id: UUID
    provider: str
    state: SetupState
    url: str | None = None
    method_id: UUID | None = None
    failure: Failure = None
    created_at: datetime


class StoredMethod(Struct, frozen=True, kw_only=True):
    """A card or an account that a driver lets us use again. The provider keeps it; we know what people know it by."""

    method_id: UUID
    party_id: UUID
    driver_id: UUID
    provider: str
    kind: Annotated[str, Meta(description="card, sepa, … as the provider names it.")]
    brand: str
    last4: str
    expires_on: Annotated[date | None, Meta(description="Its last good day.")]
    is_default: bool


class Operation(Struct, frozen=True, kw_only=True):
    """Something to be done outside for a payment."""

    operation_id: UUID
    payment_id: UUID
    party_id: UUID
    kind: OperationKind
    amount: Decimal | None
    reason: str
    details: dict[str, str] | None
    n_tries: int
    n_declines: int
    created_at: datetime
    created_by: str

    @property
    def key(self) -> str:
        """What the provider knows a request by: the same until it said no for certain."""
        return f"{self.operation_id}" + (f":{self.n_declines}" if self.n_declines else "")


class Debt(Struct, frozen=True, kw_only=True):
    """What a payment should have covered and did not."""

    debt_id: UUID
    party_id: UUID
    customer: str
    currency: str
    amount: Decimal
    payment_id: UUID | None
    session_id: UUID | None
    cdr_id: UUID | None
    reason: Annotated[
        str,
        Meta(
            description="Why the payment did not cover it: `over_hold`, `hold_expired`, `disputed`, `declined`, …; of"
            " `amount_too_small` nobody is held: it is taken from the card once more of it is there."
        ),
    ]
    opened_at: datetime
    settled_at: datetime | None
    settled_by: Annotated[UUID | None, Meta(description="The payment that settled it.")]
    settled_how: DebtEnd | None
    note: str
    returned: Annotated[
        Decimal,
        Meta(
            description="What of it was due no more after it was paid: the payment that settled it gives so much back."
        ),
    ] = Decimal(0)


class Dispute(Struct, frozen=True, kw_only=True):
    """A payment that its payer took back through their bank."""

    dispute_id: UUID
    party_id: UUID
    payment_id: UUID
    provider: str
    provider_ref: Annotated[str, Meta(description="What the provider calls it.")]
    state: DisputeState
    currency: str
    amount: Decimal
    reason: str
    opened_at: datetime
    closed_at: datetime | None


class PaymentDifference(Struct, frozen=True, kw_only=True):
    """Where provider, books and CDRs do not agree, and why."""

    difference_id: UUID
    party_id: UUID
    kind: Annotated[
        str,
        Meta(
            description="`unknown_at_ours`, `missing_at_provider`, `amount`, `refund`, `clearing`: between the provider and"
            " the books; `uncovered`: a CDR that payment and debts do not cover; `operation`: something was given up."
        ),
    ]
    provider: str | None
    payment_id: UUID | None
    cdr_id: UUID | None
    currency: str
    expected: Annotated[Decimal, Meta(description="By our books.")]
    found: Annotated[Decimal, Meta(description="By the other side.")]
    text: Annotated[str, Meta(description="What it is, in words.")]
    found_at: datetime
    state: Annotated[DifferenceState, Meta(description="gone: at a later look there was none any more.")]
    note: str
    decided_at: datetime | None
    decided_by: str | None


class RefundOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give back what was captured."""

    reason: Why
    amount: Annotated[Decimal | None, Meta(description="How much; null: all that is left of it.")] = None
    currency: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] | None,
        Meta(description="Refused where it was paid in another one; null: not looked at."),
    ] = None


class ReleaseOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a hold go."""

    reason: Why


class DebtForgiveness(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Do not ask for it any more. What is owed stays in the books until the CDR is credited."""

    reason: Why


class DifferenceNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a difference comes from, as a person found out."""

    note: Why


class PaymentSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a party is paid by guests. Without a `provider`: by the installation's first."""

    provider: Annotated[str, Meta(max_length=40)] | None = None
    hold_ac: Annotated[
        Decimal | None,
        Meta(description="Held at AC outlets, in the tariff's currency; null: reckoned from the tariff."),
    ] = None
    hold_dc: Annotated[Decimal | None, Meta(description="The same at DC outlets.")] = None
