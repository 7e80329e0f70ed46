"""Examples of CDRs, of sessions that are not billed, and of the ledger."""

from typing import Any

from ohmstead.api.tariff_examples import TARIFF_EXAMPLES
from ohmstead.billing.cdrs.model import (
    Cdr,
    CdrCredit,
    CreditOrder,
    DecidedSession,
    ReduceOrder,
    UnbillableDecision,
    UnbillableSession,
)
from ohmstead.billing.cdrs.ocpi import OcpiCdr
from ohmstead.billing.ledger.model import LedgerAccount, LedgerLock, LedgerPosting, NewLedgerLock
from ohmstead.billing.refunds.model import Reduced, RefundedPayment, RefundPreview
from ohmstead.billing.verifying import BookVerdict
from ohmstead.tariffs.pricing import CostBreakdown

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_CDR_ID = "019a9d90-4400-7a10-8b00-2b3c4d5e6f71"
_CREDIT_ID = "019a9d90-5500-7a10-8b00-2b3c4d5e6f71"
_SESSION_ID = "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f"
_LOCATION_ID = "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"
_TOKEN_ID = "019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d"  # noqa: S105
_BY = "operator:019a9d5e-7b10-7000-8000-000000000001"
_AT = "2026-03-02T11:00:05Z"
_WHY = "The meter was wrong"
_CDR: dict[str, Any] = {
    "cdr_id": _CDR_ID,
    "party_id": _PARTY,
    "kind": "charge",
    "session_id": _SESSION_ID,
    "version": 1,
    "credits_id": None,
    "replaces_id": None,
    "credited_by": None,
    "location_id": _LOCATION_ID,
    "station_id": "HARBOUR-01",
    "token": {"uid": "04A2B3C4D5", "type": "ISO14443", "token_id": _TOKEN_ID, "contract_id": None},
    "customer": f"token:{_TOKEN_ID}",
    "started_at": "2026-03-02T10:00:00Z",
    "ended_at": "2026-03-02T11:00:00Z",
    "energy_wh": 20000,
    "currency": "EUR",
    "before_taxes": 9.8,
    "total": 11.86,
    "tariff_id": "019a9d80-1100-7a10-8b00-2b3c4d5e6f71",
    "tariff_version": 1,
    "place": {
        "location_id": _LOCATION_ID,
        "name": "Harbour car park",
        "address": "Quay 1",
        "city": "Rotterdam",
        "postal_code": "3011",
        "country": "NL",
        "time_zone": "Europe/Amsterdam",
        "station_id": "HARBOUR-01",
        "station_name": "Left of the gate",
        "evse_number": 1,
        "connector_number": 1,
        "connector_standard": "IEC_62196_T2",
        "current_type": "AC",
        "max_power_w": 22000,
    },
    "cost": TARIFF_EXAMPLES[CostBreakdown],
    "periods": [
        {
            "started_at": "2026-03-02T10:00:00Z",
            "ended_at": "2026-03-02T11:00:00Z",
            "kind": "charging",
            "energy_wh": 20000,
        }
    ],
    "charging_s": 3600,
    "idle_s": 0,
    "peak_power_w": 21500,
    "reason": "",
    "created_at": _AT,
    "created_by": "system",
}
_OCPI: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "HPK",
    "id": _CDR_ID,
    "start_date_time": "2026-03-02T10:00:00Z",
    "end_date_time": "2026-03-02T11:00:00Z",
    "session_id": _SESSION_ID,
    "cdr_token": {"uid": "04A2B3C4D5", "type": "RFID", "contract_id": "04A2B3C4D5"},
    "auth_method": "WHITELIST",
    "cdr_location": {
        "id": _LOCATION_ID,
        "name": "Harbour car park",
        "address": "Quay 1",
        "city": "Rotterdam",
        "postal_code": "3011",
        "country": "NLD",
        "coordinates": {"latitude": "51.9225000", "longitude": "4.4791700"},
        "evse_uid": "HARBOUR-01*1",
        "evse_id": "NL*HPK*EHARBOUR01*1",
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
        "connector_format": "SOCKET",
        "connector_power_type": "AC_3_PHASE",
    },
    "currency": "EUR",
    "tariffs": [
        {
            "country_code": "NL",
            "party_id": "HPK",
            "id": "019a9d80-1100-7a10-8b00-2b3c4d5e6f71",
            "currency": "EUR",
            "elements": [{"price_components": [{"type": "ENERGY", "price": 0.49, "vat": 21, "step_size": 1}]}],
            "last_updated": "2026-03-02T10:00:00Z",
        }
    ],
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T10:00:00Z",
            "dimensions": [{"type": "TIME", "volume": 1}, {"type": "ENERGY", "volume": 20}],
            "tariff_id": "019a9d80-1100-7a10-8b00-2b3c4d5e6f71",
        }
    ],
    "total_cost": {"excl_vat": 9.8, "incl_vat": 11.86},
    "total_energy": 20,
    "total_energy_cost": {"excl_vat": 9.8},
    "total_time": 1,
    "total_parking_time": 0,
    "last_updated": _AT,
}
_CREDIT = {
    **_CDR,
    "cdr_id": _CREDIT_ID,
    "kind": "credit",
    "credits_id": _CDR_ID,
    "before_taxes": -9.8,
    "total": -11.86,
    "reason": _WHY,
    "created_by": _BY,
}
_LATE = "The charger was slow"
_COST: dict[str, Any] = TARIFF_EXAMPLES[CostBreakdown]
_TAXES = _COST["lines"][0]["taxes"]
_REDUCED = {
    **_CDR,
    "cdr_id": "019a9d90-6600-7a10-8b00-2b3c4d5e6f71",
    "version": 2,
    "replaces_id": _CDR_ID,
    "before_taxes": 7.73,
    "total": 9.36,
    "cost": {
        **_COST,
        "before_taxes": 7.73,
        "taxes": [{**_COST["taxes"][0], "base": 7.73, "amount": 1.63}],
        "total": 9.36,
        "lines": [
            *_COST["lines"],
            {"kind": "ADJUSTMENT", "rule": f"Reduced: {_LATE}", "amount": -2.07, "taxes": _TAXES},
        ],
    },
    "reason": _LATE,
    "created_by": _BY,
}
_BACK = {"payment_id": "019a9d90-8800-7a10-8b00-2b3c4d5e6f71", "provider": "stripe", "amount": 2.5}
_UNBILLABLE = {
    "session_id": _SESSION_ID,
    "party_id": _PARTY,
    "location_id": _LOCATION_ID,
    "station_id": "HARBOUR-01",
    "started_at": "2026-03-02T10:00:00Z",
    "ended_at": "2026-03-02T10:00:40Z",
    "energy_wh": 12,
    "token_uid": "04A2B3C4D5",
    "reason": "too_short",
    "detail": "less than a minute and less than 100 Wh",
    "found_at": _AT,
    "decision": None,
    "note": "",
    "decided_at": None,
    "decided_by": None,
}
_DECISION = {"decision": "never", "note": "The plug did not hold"}
_LOCK = {"month": "2026-02", "locked_at": _AT, "locked_by": _BY}

BILLING_EXAMPLES: dict[Any, Any] = {
    Cdr: _CDR,
    OcpiCdr: _OCPI,
    CreditOrder: {"reason": _WHY},
    CdrCredit: {"credit": _CREDIT, "replacement": None},
    ReduceOrder: {"reason": _LATE, "amount": 2.5, "currency": "EUR"},
    Reduced: {
        "credit": {**_CREDIT, "reason": _LATE},
        "replacement": _REDUCED,
        "credit_note_ids": ["019a9d90-7700-7a10-8b00-2b3c4d5e6f71"],
    },
    RefundedPayment: _BACK,
    RefundPreview: {
        "currency": "EUR",
        "before": 11.86,
        "after": 9.36,
        "payments": [_BACK],
        "wallet": 0,
        "debt": 0,
        "rest": 0,
        "documents": ["R-2026-000123"],
    },
    UnbillableSession: _UNBILLABLE,
    UnbillableDecision: _DECISION,
    DecidedSession: {
        "session": {**_UNBILLABLE, **_DECISION, "decided_at": _AT, "decided_by": _BY},
        "cdr": None,
    },
    LedgerAccount: {
        "account_id": "019a9d90-6600-7a10-8b00-2b3c4d5e6f71",
        "code": "tax:NL:VAT:21",
        "kind": "tax",
        "detail": "NL:VAT:21",
        "currency": "EUR",
        "debit": 2.06,
        "credit": 412.08,
        "balance": -410.02,
        "opened_at": _AT,
    },
    LedgerPosting: {
        "entry_id": "019a9d90-7700-7a10-8b00-2b3c4d5e6f71",
        "number": 41,
        "position": 3,
        "booked_on": "2026-03-02",
        "kind": "cdr",
        "text": f"Session {_SESSION_ID}",
        "cdr_id": _CDR_ID,
        "amount": -2.06,
        "currency": "EUR",
        "created_at": _AT,
        "created_by": "system",
    },
    NewLedgerLock: {"month": "2026-02"},
    LedgerLock: _LOCK,
    BookVerdict: {
        "n_entries": 1482,
        "n_cdrs": 1204,
        "faults": [{"check": "gap", "text": "number 17 is missing"}],
    },
}
