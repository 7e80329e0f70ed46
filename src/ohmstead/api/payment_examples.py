"""Examples of payments, debts, chargebacks and differences."""

from typing import Any

from ohmstead.api.asking import AskedPayment, StoredCards, TopUpRequest
from ohmstead.billing.payments.model import (
    Debt,
    DebtForgiveness,
    DifferenceNote,
    Dispute,
    Payment,
    PaymentDifference,
    PaymentSetting,
    RefundOrder,
    ReleaseOrder,
)

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_PAYMENT_ID = "019a9d92-1100-7a10-8b00-2b3c4d5e6f71"
_SESSION_ID = "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f"
_CDR_ID = "019a9d90-4400-7a10-8b00-2b3c4d5e6f71"
_DRIVER_ID = "019a9d5f-2200-7c11-8a00-1f2e3d4c5b6a"
_BY = "operator:019a9d5e-7b10-7000-8000-000000000001"

_PAYMENT: dict[str, Any] = {
    "payment_id": _PAYMENT_ID,
    "party_id": _PARTY,
    "provider": "stripe",
    "purpose": "session",
    "customer": f"payment:{_PAYMENT_ID}",
    "state": "captured",
    "currency": "EUR",
    "amount": 40,
    "captured": 11.86,
    "refunded": 0,
    "disputed": 0,
    "session_id": _SESSION_ID,
    "cdr_id": _CDR_ID,
    "station_id": "HARBOUR-01",
    "evse_number": 1,
    "token_uid": "G-8HXKQ2MZ4RTV7WYABC",
    "email": "guest@example.com",
    "language": "de",
    "description": "HARBOUR-01 / 1",
    "method_id": None,
    "failure": None,
    "created_at": "2026-03-02T09:58:11Z",
    "capture_before": "2026-03-09T09:58:40Z",
    "version": 6,
}

PAYMENT_EXAMPLES: dict[Any, Any] = {
    Payment: _PAYMENT,
    TopUpRequest: {"amount": 25},
    AskedPayment: {
        "payment": _PAYMENT
        | {"purpose": "top_up", "customer": f"driver:{_DRIVER_ID}", "state": "created", "amount": 25, "captured": 0}
        | {"session_id": None, "cdr_id": None, "station_id": None, "evse_number": None, "token_uid": None}
        | {"description": "", "capture_before": None, "version": 1},
        "link": "https://net.example/drive/p/Zk3v9Q…/due",
    },
    StoredCards: {
        "items": [
            {
                "method_id": "019a9d94-1000-7a10-8b00-2b3c4d5e6f71",
                "party_id": _PARTY,
                "driver_id": _DRIVER_ID,
                "provider": "stripe",
                "kind": "card",
                "brand": "visa",
                "last4": "4242",
                "expires_on": "2027-12-31",
                "is_default": True,
            }
        ]
    },
    RefundOrder: {"reason": "The cable was broken", "amount": 2.5},
    ReleaseOrder: {"reason": "The guest asked for it"},
    Debt: {
        "debt_id": "019a9d93-2200-7a10-8b00-2b3c4d5e6f71",
        "party_id": _PARTY,
        "customer": f"payment:{_PAYMENT_ID}",
        "currency": "EUR",
        "amount": 3.2,
        "payment_id": _PAYMENT_ID,
        "session_id": _SESSION_ID,
        "cdr_id": _CDR_ID,
        "reason": "over_hold",
        "opened_at": "2026-03-02T11:00:06Z",
        "settled_at": None,
        "settled_by": None,
        "settled_how": None,
        "note": "",
    },
    DebtForgiveness: {"reason": "Our station did not stop in time"},
    Dispute: {
        "dispute_id": "019a9d94-3300-7a10-8b00-2b3c4d5e6f71",
        "party_id": _PARTY,
        "payment_id": _PAYMENT_ID,
        "provider": "stripe",
        "provider_ref": "dp_1OkZ8T2eZvKYlo2C",
        "state": "open",
        "currency": "EUR",
        "amount": 11.86,
        "reason": "fraudulent",
        "opened_at": "2026-03-20T08:00:00Z",
        "closed_at": None,
    },
    PaymentDifference: {
        "difference_id": "019a9d95-4400-7a10-8b00-2b3c4d5e6f71",
        "party_id": _PARTY,
        "kind": "missing_at_provider",
        "provider": "stripe",
        "payment_id": _PAYMENT_ID,
        "cdr_id": _CDR_ID,
        "currency": "EUR",
        "expected": 11.86,
        "found": 0,
        "text": "captured here, and not in the provider's statement",
        "found_at": "2026-03-04T04:13:00Z",
        "state": "explained",
        "note": "Stripe books it a day later",
        "decided_at": "2026-03-04T09:00:00Z",
        "decided_by": _BY,
    },
    DifferenceNote: {"note": "Stripe books it a day later"},
    PaymentSetting: {"provider": None, "hold_ac": 30, "hold_dc": 60},
}
