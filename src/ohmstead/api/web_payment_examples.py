"""Examples about payments."""

from typing import Any

from ohmstead.sessions.notices.queries import StationCostView
from ohmstead.sessions.payments.model import NewSetup, NewStart, Scan, SetupView, WebPayment

_PAYMENT_ID = "019a9d66-4400-7f0a-8c11-2b3c4d5e6f70"
_COMMAND_ID = "019a9d66-5500-7b1c-9d22-3c4d5e6f7081"

WEB_PAYMENT_EXAMPLES: dict[Any, Any] = {
    NewSetup: {
        "url_template": "https://pay.example.com/{chargingstationid}/{evse}/{totp}/{version}",
        "validity_s": 60,
        "length": 8,
    },
    SetupView: {
        "station_id": "HARBOUR-01",
        "validity_s": 60,
        "length": 8,
        "set_at": "2026-03-02T08:00:00Z",
        "command_id": _COMMAND_ID,
    },
    Scan: {
        "station_id": "HARBOUR-01",
        "evse_number": 1,
        "totp": "k3Zt81Qa",
        "version": "v1",
        "limit": {"max_cost": 25},
    },
    WebPayment: {
        "web_payment_id": _PAYMENT_ID,
        "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
        "station_id": "HARBOUR-01",
        "evse_number": 1,
        "limits": {"max_cost": 25},
        "begun_at": "2026-03-02T08:30:00Z",
        "expires_at": "2026-03-02T08:35:00Z",
        "psp_ref": None,
        "command_id": None,
    },
    NewStart: {"psp_ref": "pi_3OkZ8T", "limit": {"max_cost": 20}},
    StationCostView: {
        "session_id": "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
        "station_id": "HARBOUR-01",
        "transaction_id": "d2f7c6a0-4b1e",
        "at": "2026-03-02T09:31:48Z",
        "currency": "EUR",
        "total": 15.63,
        "details": {
            "totalCost": {"currency": "EUR", "typeOfCost": "NormalCost", "total": {"inclTax": 15.63}},
            "totalUsage": {"energy": 31260, "chargingTime": 5400, "idleTime": 120},
        },
        "failure": None,
    },
}
