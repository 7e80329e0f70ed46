"""What both syntaxes of EN 16931 say alike: codes, numbers, notes, terms. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from ohmstead.billing.invoices.model import (
    Buyer,
    DocumentContent,
    DocumentKind,
    Invoice,
    PaymentNote,
    TaxCategory,
)
from ohmstead.billing.invoices.paper import words
from ohmstead.core.language import _

# UNTDID 1001: commercial invoice, credit note, self-billed invoice. A receipt is an invoice that is paid.
TYPES: Final[dict[DocumentKind, str]] = {
    "receipt": "380",
    "invoice": "380",
    "credit_note": "381",
    "self_billing": "389",
}
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
TRANSFERS: Final = frozenset({"30", "58"})
_AS_AGREED: Final = "ZZZ"
_CODES: Final[dict[TaxCategory, str]] = {"AE": "VATEX-EU-AE"}


def clean(text: str) -> str:
    """Without what XML cannot hold."""
    return _UNWRITABLE.sub("", text)


def number(value: Decimal) -> str:
    """Plainly, with all its decimals."""
    return format(value, "f")


def amount(value: Decimal) -> str:
    """Money; nothing is never negative."""
    return format(value if value else abs(value), "f")


def buyer_name(buyer: Buyer) -> str:
    """Somebody always buys (BR-07)."""
    return buyer.name or _("Guest")


def buyer_country(content: DocumentContent) -> str:
    """Where the buyer is; of whom we do not know, where they charged (BR-11)."""
    return content.buyer.address.country or content.tax_country or content.seller.address.country


def exemption_code(category: TaxCategory) -> str:
    """VATEX code of why no tax is due; empty where there is none."""
    return _CODES.get(category, "")


def means_code(invoice: Invoice) -> str:
    """UNTDID 4461: transfer (58 in euros, else 30), bank card (48), as was agreed (ZZZ); empty: none is told."""
    content = invoice.content
    if invoice.kind == "credit_note":
        return _AS_AGREED
    if invoice.kind != "receipt" and content.totals.open > 0 and content.seller.bank.iban:
        return "58" if invoice.currency == "EUR" else "30"
    if not content.payments:
        return ""
    return "48" if card_of(invoice) is not None else _AS_AGREED


def card_of(invoice: Invoice) -> PaymentNote | None:
    """The card that paid, and nothing beside it did; None also where its last digits are not known (BG-18)."""
    paid = invoice.content.payments
    ways = {(one.kind, one.brand, one.last4) for one in paid}
    return paid[0] if len(ways) == 1 and paid[0].kind == "card" and paid[0].last4 else None


def notes_of(invoice: Invoice) -> list[str]:
    """What the document says beside its numbers."""
    found = [words.title(invoice.kind)]
    if invoice.content.reason:
        found.append(_(invoice.content.reason))
    if invoice.content.treatment == "reverse_charge":
        found.append(words.reverse_charge_note())
    return found


def terms_of(invoice: Invoice) -> str:
    """When and how it is paid (BT-20)."""
    return words.terms(invoice)
