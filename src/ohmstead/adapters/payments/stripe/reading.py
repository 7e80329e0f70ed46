"""What Stripe's objects and errors say, in our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from ohmstead.adapters.payments.stripe import amounts
from ohmstead.billing.payments.model import LineKind
from ohmstead.billing.payments.ports import (
    About,
    BalanceLine,
    MethodRef,
    Seen,
    SeenDispute,
    SeenMethod,
    SeenSetup,
    SeenState,
    Told,
)
from ohmstead.core.money import Money

_STATES: Final[dict[str, SeenState]] = {
    "requires_payment_method": "open",
    "requires_confirmation": "open",
    "requires_action": "open",
    "processing": "open",
    "requires_capture": "held",
    "succeeded": "captured",
    "canceled": "canceled",
}
# The bank will say the same tomorrow, or the payer has to be there (docs.stripe.com/declines/codes).
FINAL: Final = frozenset(
    {
        *("authentication_required", "expired_card", "incorrect_number", "invalid_account", "lost_card", "stolen_card"),
        *("pickup_card", "restricted_card", "fraudulent", "card_not_supported", "currency_not_supported"),
        *("revocation_of_authorization", "revocation_of_all_authorizations", "stop_payment_order"),
    }
)
_LINES: Final[dict[str, LineKind]] = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund",
    "payout": "payout",
    "payout_failure": "payout",
    "payout_cancel": "payout",
    "stripe_fee": "fee",
    "network_cost": "fee",
    "tax_fee": "fee",
    "application_fee": "fee",
}
_DISPUTES: Final = {"won": "won", "lost": "lost", "warning_closed": "won", "prevented": "won"}


def seen_intent(raw: Mapping[str, Any]) -> Seen:
    """A PaymentIntent, with its latest charge expanded."""
    currency = str(raw["currency"]).upper()
    charge = raw.get("latest_charge")
    charge = charge if isinstance(charge, Mapping) else {}
    details = ((charge.get("payment_method_details") or {}).get("card")) or {}
    until = details.get("capture_before")
    state = _STATES.get(str(raw["status"]), "open")
    return Seen(
        ref=str(raw["id"]),
        state=state,
        currency=currency,
        held=amounts.read(raw.get("amount_capturable") or 0, currency),
        captured=amounts.read(raw.get("amount_received") or 0, currency) if state == "captured" else Decimal(0),
        refunded=amounts.read(charge.get("amount_refunded") or 0, currency) if state == "captured" else Decimal(0),
        capture_before=_at(until) if until else None,
        failure=_failure_of(raw),
    )


def _failure_of(raw: Mapping[str, Any]) -> str | None:
    if raw["status"] == "requires_payment_method" and (error := raw.get("last_payment_error")):
        return str(error.get("decline_code") or error.get("code") or "declined")
    if raw["status"] != "canceled":
        return None
    reason = raw.get("cancellation_reason")
    return {"automatic": "hold_expired", "expired": "hold_expired"}.get(str(reason)) if reason else None


def seen_page(raw: Mapping[str, Any]) -> Seen:
    """A Checkout Session, with its payment intent expanded."""
    intent = raw.get("payment_intent")
    if isinstance(intent, Mapping):
        seen = seen_intent(intent)
        if not (seen.state == "open" and raw.get("status") == "expired"):
            return seen
    state: SeenState = "canceled" if raw.get("status") == "expired" else "open"
    return Seen(ref=None, state=state, currency=str(raw["currency"]).upper())


def seen_setup(raw: Mapping[str, Any]) -> SeenSetup:
    """A Checkout Session for storing a card, with its setup intent and payment method expanded."""
    intent = raw.get("setup_intent")
    if not isinstance(intent, Mapping) or intent.get("status") != "succeeded":
        return SeenSetup(state="failed" if raw.get("status") == "expired" else "open")
    method = intent["payment_method"]
    card = method.get(method["type"]) or {}
    expires_on = None
    if card.get("exp_year") and card.get("exp_month"):
        first = date(card["exp_year"], card["exp_month"], 1)
        expires_on = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return SeenSetup(
        state="done",
        method=SeenMethod(
            ref=MethodRef(provider_ref=str(method["id"]), customer_ref=id_of(raw.get("customer")) or ""),
            kind="sepa" if method["type"] == "sepa_debit" else str(method["type"]),
            brand=str(card.get("brand") or card.get("bank_code") or ""),
            last4=str(card.get("last4") or ""),
            expires_on=expires_on,
        ),
    )


def seen_dispute(raw: Mapping[str, Any]) -> SeenDispute:
    """A dispute. An inquiry that takes no money is none; it is not given to this function."""
    currency = str(raw["currency"]).upper()
    return SeenDispute(
        ref=str(raw["id"]),
        state=_DISPUTES.get(str(raw["status"]), "open"),  # type: ignore[arg-type]
        amount=Money(amounts.read(raw["amount"], currency), currency),
        reason=str(raw.get("reason") or "general"),
        opened_at=_at(raw["created"]),
    )


def takes_money(raw: Mapping[str, Any]) -> bool:
    """Banks may ask first (`warning_…`): then nothing has moved yet."""
    return not str(raw["status"]).startswith("warning_") and str(raw["status"]) != "prevented"


def line_of(raw: Mapping[str, Any]) -> BalanceLine:
    """A balance transaction, with its source expanded."""
    currency, kind = str(raw["currency"]).upper(), str(raw["type"])
    source = raw.get("source")
    source = source if isinstance(source, Mapping) else {}
    of_dispute = kind == "adjustment" and source.get("object") == "dispute"
    return BalanceLine(
        ref=str(raw["id"]),
        kind="dispute" if of_dispute else _LINES.get(kind, "other"),
        currency=currency,
        gross=amounts.read(raw["amount"], currency),
        fee=amounts.read(raw.get("fee") or 0, currency),
        at=_at(raw["created"]),
        payment_ref=id_of(source.get("payment_intent")),
        text=str(raw.get("description") or ""),
    )


def told_by(event: Mapping[str, Any]) -> Told:
    """Which object of ours an event is about."""
    kind, thing = str(event["type"]), event["data"]["object"]
    about, refs = _about(kind, thing)
    names = thing.get("metadata") or {}
    refs += [str(names[name]) for name in ("payment_id", "setup_id") if names.get(name)]
    return Told(
        event_id=str(event["id"]),
        kind=kind,
        about=about if refs else "other",
        refs=tuple(refs),
        made_at=_at(event["created"]),
    )


def _about(kind: str, thing: Mapping[str, Any]) -> tuple[About, list[str]]:
    if kind.startswith("payment_intent."):
        return "payment", [str(thing["id"])]
    if kind.startswith("checkout.session."):
        if thing.get("mode") == "setup":
            return "setup", [str(thing["id"])]
        return "payment", [ref for ref in (id_of(thing.get("payment_intent")), str(thing["id"])) if ref]
    if kind.startswith(("charge.", "refund.")) and thing.get("payment_intent"):
        return "payment", [id_of(thing["payment_intent"]) or ""]
    return "other", []


def id_of(value: Any) -> str | None:
    """What an object is called that may be expanded, or its name alone."""
    if isinstance(value, Mapping):
        return str(value["id"])
    return str(value) if value else None


def _at(stamp: Any) -> datetime:
    return datetime.fromtimestamp(int(stamp), UTC)
