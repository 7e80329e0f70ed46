"""What happens to wallets and plans."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from ohmstead.facts.kinds import Id, fact

_DRIVER_ID = "019a9d5f-2200-7c11-8a00-1f2e3d4c5b6a"
_SUBSCRIPTION: dict[str, Any] = {
    "subscription_id": "019a9d91-1000-7a10-8b00-2b3c4d5e6f71",
    "plan_id": "019a9d91-2000-7a10-8b00-2b3c4d5e6f72",
    "driver_id": _DRIVER_ID,
}
_THEME, _SUBJECT = "Wallets and plans", "driver/<id>"


@fact(
    _THEME,
    _SUBJECT,
    driver_id=_DRIVER_ID,
    payment_id="019a9d91-3000-7a10-8b00-2b3c4d5e6f73",
    amount="50.00",
    currency="EUR",
    by_itself=False,
)
class WalletToppedUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money came into a driver's wallet."""

    driver_id: Id
    payment_id: Id
    amount: Annotated[str, Meta(description="An exact decimal.")]
    currency: str
    by_itself: Annotated[bool, Meta(description="By the automatic top-up.")]


@fact(_THEME, _SUBJECT, driver_id=_DRIVER_ID, currency="EUR", available="3.20")
class WalletLow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Little is left to spend in a wallet: less than its automatic top-up waits for, or nothing. Told once until it is more."""

    driver_id: Id
    currency: str
    available: Annotated[str, Meta(description="An exact decimal.")]


class SubscriptionFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which subscription, of which plan, whose."""

    subscription_id: Id
    plan_id: Id
    driver_id: Id


@fact(_THEME, _SUBJECT, **_SUBSCRIPTION)
class PlanStarted(SubscriptionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver has a plan from now on."""


@fact(_THEME, _SUBJECT, **_SUBSCRIPTION)
class PlanEnded(SubscriptionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver's plan is over."""


@fact(
    _THEME,
    _SUBJECT,
    **_SUBSCRIPTION,
    plan_charge_id="019a9d91-4000-7a10-8b00-2b3c4d5e6f74",
    from_on="2026-03-01",
    until_on="2026-04-01",
    currency="EUR",
    total="9.90",
)
class PlanCharged(SubscriptionFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fee of a month was charged."""

    plan_charge_id: Id
    from_on: Annotated[str, Meta(description="The first day that it is for.")]
    until_on: Annotated[str, Meta(description="The first day after.")]
    currency: str
    total: Annotated[str, Meta(description="With taxes; an exact decimal.")]
