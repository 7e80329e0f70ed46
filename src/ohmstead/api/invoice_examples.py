"""Examples of documents, of what they are made from, of runs and of hosts."""

from typing import Any

from ohmstead.api.billing_examples import BILLING_EXAMPLES
from ohmstead.api.hosts import HostContracts
from ohmstead.api.invoices import DocumentSending, InvoiceLink, NewReceipt, NumberRanges, SentDocument
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.invoices.hosts.sharing import ContractEnd, Host, HostContract, HostDetails, NewContract
from ohmstead.billing.invoices.model import CustomerDetails, Invoice, InvoiceRow, Seller
from ohmstead.billing.invoices.runs import InvoicePreview, InvoiceRun, NewRun
from ohmstead.billing.invoices.sellers import InvoiceCustomer, InvoiceSeller, NumberFormat, NumberRange

_CDR: dict[str, Any] = BILLING_EXAMPLES[Cdr]
_PARTY = _CDR["party_id"]
_INVOICE_ID = "019a9da0-1100-7a10-8b00-2b3c4d5e6f71"
_RUN_ID = "019a9da0-2200-7a10-8b00-2b3c4d5e6f71"
_HOST_ID = "019a9da0-3300-7a10-8b00-2b3c4d5e6f71"
_CONTRACT_ID = "019a9da0-4400-7a10-8b00-2b3c4d5e6f71"
_BY = "operator:019a9d5e-7b10-7000-8000-000000000001"
_AT = "2026-03-02T11:00:20Z"
_CUSTOMER = _CDR["customer"]
_ADDRESS: dict[str, Any] = {
    "lines": ["Quay 1"],
    "postal_code": "3011 AB",
    "city": "Rotterdam",
    "state": "",
    "country": "NL",
}
_BANK = {"holder": "Harbour Power B.V.", "iban": "NL91ABNA0417164300", "bic": "ABNANL2A", "name": "ABN AMRO"}
_SELLER: dict[str, Any] = {
    "legal_name": "Harbour Power B.V.",
    "trade_name": "Harbour Power",
    "address": _ADDRESS,
    "vat_id": "NL123456789B01",
    "vat_ids": {"DE": "DE123456789"},
    "tax_number": "",
    "registration": "KvK 12345678",
    "bank": _BANK,
    "contact": "Billing",
    "email": "billing@harbour.example",
    "phone": "+31 10 1234567",
    "website": "harbour.example",
    "footer": "",
    "payment_days": 14,
    "no_tax_reason": "",
    "makes_statements": True,
}
_NO_ADDRESS: dict[str, Any] = {"lines": [], "postal_code": "", "city": "", "state": "", "country": ""}
_BUYER = {
    "customer": _CUSTOMER,
    "name": "Ada Driver",
    "address": _NO_ADDRESS,
    "vat_id": "",
    "email": "ada@example.com",
    "reference": "",
    "language": "en",
}
_PART = {
    "kind": "ENERGY",
    "amount": 9.8,
    "category": "S",
    "tax_name": "VAT",
    "percentage": 21,
    "quantity": 20,
    "unit": "kWh",
    "unit_price": 0.49,
    "price_per": "kWh",
    "listed": 9.8,
    "rule": "",
}
_LINE = {
    "kind": "session",
    "before_taxes": 9.8,
    "total": 11.86,
    "parts": [_PART],
    "text": "",
    "cdr_id": _CDR["cdr_id"],
    "session_id": _CDR["session_id"],
    "document_id": None,
    "place": _CDR["place"],
    "token": "…C4D5",
    "started_at": _CDR["started_at"],
    "ended_at": _CDR["ended_at"],
    "energy_wh": 20000,
    "register_start_wh": 1234567,
    "register_end_wh": 1254567,
    "peak_power_w": 21500,
    "voltage_v": None,
    "charging_s": 3600,
    "idle_s": 0,
    "signatures": {"n": 2, "n_verified": 2, "n_failed": 0},
    "includes_taxes": False,
}
_TOTALS = {
    "before_taxes": 9.8,
    "tax": 2.06,
    "total": 11.86,
    "rounding": 0,
    "payable": 11.86,
    "paid": 11.86,
    "open": 0,
}
_INVOICE: dict[str, Any] = {
    "invoice_id": _INVOICE_ID,
    "party_id": _PARTY,
    "number": "R-2026-000042",
    "kind": "receipt",
    "customer": _CUSTOMER,
    "currency": "EUR",
    "issued_on": "2026-03-02",
    "due_on": None,
    "from_on": "2026-03-02",
    "to_on": "2026-03-02",
    "total": 11.86,
    "session_id": _CDR["session_id"],
    "corrects_id": None,
    "host_id": None,
    "run_id": None,
    "content": {
        "seller": _SELLER,
        "buyer": _BUYER,
        "lines": [_LINE],
        "taxes": [{"name": "VAT", "category": "S", "percentage": 21, "base": 9.8, "amount": 2.06, "reason": ""}],
        "totals": _TOTALS,
        "tax_country": "NL",
        "time_zone": "Europe/Amsterdam",
        "treatment": "standard",
        "has_vat": True,
        "payments": [
            {"amount": 11.86, "kind": "card", "brand": "visa", "last4": "4242", "paid_at": None, "payment_id": None}
        ],
        "corrects": "",
        "corrects_on": None,
        "reason": "",
    },
    "created_at": _AT,
    "created_by": "system",
}
_ROW = {
    name: _INVOICE[name]
    for name in (
        "invoice_id", "party_id", "number", "kind", "customer", "currency", "issued_on", "due_on", "from_on", "to_on", "total",
        "session_id", "corrects_id", "run_id", "created_at", "created_by",
    )
} | {"buyer_name": "Ada Driver", "before_taxes": 9.8, "paid": 11.86, "n_lines": 1, "corrected_by": None, "state": None,
     "open": None}  # fmt: skip
_RANGE = {
    "kind": "receipt",
    "format": "R-{year}-{n:06}",
    "year": 2026,
    "last_number": 42,
    "next_number": "R-2026-000043",
}
_DETAILS = {
    "name": "Fleet GmbH",
    "address": {"lines": ["Main street 5"], "postal_code": "10115", "city": "Berlin", "state": "", "country": "DE"},
    "vat_id": "DE123456789",
    "email": "bills@fleet.example",
    "reference": "04011000-1234512345-06",
    "language": "de",
    "reverse_charge": "auto",
}
_HOST: dict[str, Any] = {
    "name": "Harbour Garages Ltd",
    "address": _ADDRESS,
    "vat_id": "NL987654321B01",
    "tax_number": "",
    "registration": "",
    "bank": _BANK | {"holder": "Harbour Garages Ltd"},
    "email": "office@garages.example",
    "language": "en",
    "tax_percentage": 21,
    "tax_name": "VAT",
    "no_tax_reason": "",
}
_CONTRACT = {
    "contract_id": _CONTRACT_ID,
    "host_id": _HOST_ID,
    "location_id": _CDR["location_id"],
    "location_name": "Harbour car park",
    "currency": "EUR",
    "share_percent": 10,
    "fee_per_kwh": None,
    "from_on": "2026-01-01",
    "until_on": None,
    "created_at": _AT,
    "created_by": _BY,
}

INVOICE_EXAMPLES: dict[Any, Any] = {
    Invoice: _INVOICE,
    InvoiceRow: _ROW,
    DocumentSending: {"email": "ada@example.com"},
    SentDocument: {"notification_ids": ["019a9da0-5500-7a10-8b00-2b3c4d5e6f72"]},
    NewReceipt: {"cdr_id": _CDR["cdr_id"]},
    InvoiceLink: {
        "url": "https://charge.example.com/documents/AZqdoBEAehCLACs8TV5vcQAAAAAAAAAA…",
        "expires_at": None,
    },
    Seller: _SELLER,
    InvoiceSeller: {"seller": _SELLER, "missing": [], "version": 3},
    NumberRange: _RANGE,
    NumberRanges: {"items": [_RANGE]},
    NumberFormat: {"format": "R-{year}-{n:06}"},
    CustomerDetails: _DETAILS,
    InvoiceCustomer: {"customer": "company:019a9da0-5500-7a10-8b00-2b3c4d5e6f71", "details": _DETAILS, "version": 1},
    NewRun: {"month": "2026-02"},
    InvoiceRun: {
        "run_id": _RUN_ID,
        "month": "2026-02",
        "kind": "customers",
        "status": "running",
        "n_wanted": 812,
        "n_done": 240,
        "n_issued": 251,
        "problems": [],
        "asked_by": _BY,
        "asked_at": _AT,
        "finished_at": None,
    },
    InvoicePreview: {
        "kind": "invoice",
        "customer": _CUSTOMER,
        "buyer_name": "Ada Driver",
        "currency": "EUR",
        "tax_country": "NL",
        "n_lines": 7,
        "before_taxes": 68.6,
        "tax": 14.41,
        "total": 83.01,
        "reverse_charge": False,
    },
    HostDetails: _HOST,
    Host: {
        "host_id": _HOST_ID,
        "party_id": _PARTY,
        "details": _HOST,
        "n_contracts": 1,
        "balance": {"EUR": 412.08},
        "version": 1,
        "created_at": _AT,
        "updated_at": _AT,
    },
    NewContract: {
        "location_id": _CDR["location_id"],
        "currency": "EUR",
        "share_percent": 10,
        "from_on": "2026-01-01",
    },
    HostContract: _CONTRACT,
    HostContracts: {"items": [_CONTRACT]},
    ContractEnd: {"until_on": "2027-01-01"},
}
INVOICE_TEXTS = {"get_invoice_pdf": "%PDF-1.6 …", "get_invoice_xml": "<?xml version='1.0' encoding='UTF-8'?>…"}
