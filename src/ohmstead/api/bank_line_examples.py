"""Examples of money that came in by bank."""

from typing import Any

from ohmstead.api.bank_lines import PaidInvoice
from ohmstead.billing.incoming.model import (
    BankBooking,
    BankLine,
    BankLineMatch,
    BookingReversal,
    IncomingSetting,
    NewBankLine,
    NewBooking,
    SetAside,
    StatementReport,
)

_LINE_ID = "019a9db0-1100-7a10-8b00-2b3c4d5e6f71"
_INVOICE_ID = "019a9da0-1100-7a10-8b00-2b3c4d5e6f72"
_CUSTOMER = "company:019a9da0-5500-7a10-8b00-2b3c4d5e6f71"
_BY = "operator:019a9d5e-7b10-7000-8000-000000000001"
_SHARE = {"invoice_id": _INVOICE_ID, "amount": 71.15}
_LINE: dict[str, Any] = {
    "line_id": _LINE_ID,
    "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
    "source": "camt",
    "currency": "EUR",
    "amount": 71.15,
    "booked_on": "2026-04-14",
    "payer": "Fleet GmbH",
    "text": "INV-2026-000007 electricity March",
    "bank_ref": "2026041400012",
    "account": "NL91ABNA0417164300",
    "payee_iban": "",
    "state": "open",
    "note": "",
    "created_at": "2026-04-15T07:30:00Z",
    "created_by": _BY,
}
_BOOKING: dict[str, Any] = {
    "booking_id": "019a9db0-2200-7a10-8b00-2b3c4d5e6f71",
    "line_id": _LINE_ID,
    "shares": [_SHARE],
    "customers": {_CUSTOMER: 71.15},
    "created_at": "2026-04-15T07:31:00Z",
    "created_by": _BY,
    "reversed_at": None,
    "reversed_by": None,
    "why": "",
}

BANK_LINE_EXAMPLES: dict[Any, Any] = {
    BankLine: _LINE,
    NewBankLine: {
        "amount": 71.15,
        "currency": "EUR",
        "booked_on": "2026-04-14",
        "payer": "Fleet GmbH",
        "text": "INV-2026-000007 electricity March",
        "bank_ref": "2026041400012",
        "payee_iban": "",
    },
    BankLineMatch: {
        "line": _LINE,
        "proposals": [
            {
                "sureness": "exact",
                "customer": _CUSTOMER,
                "shares": [_SHARE],
                "numbers": ["INV-2026-000007"],
                "rest": 0,
            }
        ],
        "bookings": [],
    },
    NewBooking: {"shares": [_SHARE], "customer": None},
    BankBooking: _BOOKING,
    BookingReversal: {"reason": "It was meant for the invoice of April"},
    SetAside: {"note": "Payout of the payment provider"},
    StatementReport: {
        "n_new": 12,
        "n_known": 3,
        "n_passed_over": 8,
        "n_booked": 0,
        "faults": [{"row": 17, "error": "'12,3,4' is no amount with ',' before the cents"}],
        "is_dry_run": False,
    },
    IncomingSetting: {
        "books_exact": False,
        "columns": {
            "booked_on": "Buchungstag",
            "amount": "Betrag",
            "currency": "Währung",
            "payer": "Name Zahlungsbeteiligter",
            "text": "Verwendungszweck",
            "bank_ref": "",
            "payee_iban": "IBAN Zahlungsbeteiligter",
            "decimal": ",",
            "days": "31.03.2026",
            "default_currency": "",
        },
        "reminder_days": [7, 21, 35],
    },
    PaidInvoice: {
        "standing": {
            "invoice_id": _INVOICE_ID,
            "state": "paid",
            "currency": "EUR",
            "total": 71.15,
            "credited": 0,
            "paid": 0,
            "received": 71.15,
            "given_back": 0,
            "open": 0,
            "due_on": "2026-04-15",
        },
        "reminders": [],
        "payments": [
            {
                "invoice_id": _INVOICE_ID,
                "amount": 71.15,
                "currency": "EUR",
                "paid_on": "2026-04-14",
                "line_id": _LINE_ID,
                "payment_id": None,
                "created_at": "2026-04-15T07:31:00Z",
                "created_by": _BY,
            }
        ],
    },
}
