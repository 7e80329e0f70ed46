"""What happens to payments and debts."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from ohmstead.facts.kinds import Id, fact

_PAYMENT: dict[str, Any] = {
    "payment_id": "019a9d92-1100-7a10-8b00-2b3c4d5e6f71",
    "purpose": "session",
    "customer": "payment:019a9d92-1100-7a10-8b00-2b3c4d5e6f71",
    "amount": "40.00",
    "currency": "EUR",
    "session_id": None,
}
_SESSION = {"session_id": "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f"}
_DEBT = _PAYMENT | _SESSION | {"debt_id": "019a9d93-2200-7a10-8b00-2b3c4d5e6f71", "amount": "3.20"}


class PaymentFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which payment, for what, of whom, over how much."""

    payment_id: Id
    purpose: Annotated[str, Meta(description="session, top_up, debt, invoice or plan_fee.")]
    customer: Annotated[str, Meta(description="Who pays: `driver:<id>`, `company:<id>`, a guest: `payment:<id>`.")]
    amount: Annotated[str, Meta(description="An exact decimal.")]
    currency: str
    session_id: Annotated[str | None, Meta(description="The session that it is for, once one has begun.")]


@fact("Payments", "payment/<id>", **_PAYMENT)
class PaymentHeld(PaymentFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The amount is held for us: what it is for may begin."""


@fact("Payments", "payment/<id>", **_PAYMENT | _SESSION | {"amount": "11.86"})
class PaymentCaptured(PaymentFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The amount was taken, and is in the books."""


@fact("Payments", "payment/<id>", **_PAYMENT, reason="no_session")
class PaymentReleased(PaymentFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing was taken: what was held was let go."""

    reason: Annotated[str | None, Meta(description="Why, as the payment's `failure`.")]


@fact("Payments", "payment/<id>", **_PAYMENT | _SESSION | {"amount": "11.86"}, reason="insufficient_funds")
class PaymentFailed(PaymentFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The amount could not be taken, and is not tried any more by itself."""

    reason: Annotated[str | None, Meta(description="Why, as the payment's `failure`.")]


@fact("Payments", "payment/<id>", **_PAYMENT | _SESSION | {"amount": "2.00"})
class PaymentRefunded(PaymentFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of what was taken was given back."""


@fact("Payments", "payment/<id>", **_PAYMENT | _SESSION | {"amount": "11.86"}, state="open", reason="fraudulent")
class PaymentDisputed(PaymentFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payer took it back through their bank, or that was decided."""

    state: Annotated[str, Meta(description="open; won: it is ours again; lost: it stays theirs.")]
    reason: Annotated[str, Meta(description="The provider's word.")]


class DebtFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which debt, of whom, over how much."""

    debt_id: Id
    payment_id: Annotated[str | None, Meta(description="The payment that should have covered it.")]
    purpose: str
    customer: str
    amount: Annotated[str, Meta(description="An exact decimal.")]
    currency: str
    session_id: str | None


@fact("Payments", "debt/<id>", **_DEBT, reason="over_hold")
class DebtOpened(DebtFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment did not cover what it should: the rest is owed."""

    reason: Annotated[str, Meta(description="Why: over_hold, hold_expired, disputed, declined, …")]


@fact("Payments", "debt/<id>", **_DEBT, how="paid")
class DebtSettled(DebtFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing of it is owed any more."""

    how: Annotated[str, Meta(description="paid, credited or forgiven.")]


@fact("Payments", "payment_difference", n_new=2, n_open=3)
class PaymentDifferenceFound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The comparison of providers' statements with the books and the CDRs found what it did not know before."""

    n_new: Annotated[int, Meta(description="How many differences are new.")]
    n_open: Annotated[int, Meta(description="How many are open in all.")]
