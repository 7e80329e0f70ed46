"""Whether a document can be told as EN 16931 data, what is missing if not, and the data themselves. Pure."""

from __future__ import annotations

from ohmstead.billing.invoices.drafting import MOST_DECIMALS
from ohmstead.billing.invoices.exchange import cii, ubl
from ohmstead.billing.invoices.model import Invoice, Syntax
from ohmstead.core.errors import Refused
from ohmstead.core.language import N_, speaking
from ohmstead.core.money import minor_units

# What stands between a document and its data, in words.
NO_DATA = N_("it lists documents and is none itself")
NO_LINES = N_("nothing was charged")
THREE_DECIMALS = N_("its currency has three decimals, which EN 16931 cannot say")
SEVERAL_TAXES = N_("several taxes lie on one price, which EN 16931 cannot say")
NO_VAT_ID = N_("the seller has neither a VAT id nor a tax number")
NO_BUYER_VAT_ID = N_("the buyer owes the tax and has no VAT id")
NO_COUNTRY = N_("the seller's country is not known")


def fault_of(invoice: Invoice) -> str | None:
    """Why a document cannot be told as EN 16931 data; None where it can."""
    content = invoice.content
    if invoice.kind == "statement":
        return NO_DATA
    if not any(line.parts for line in content.lines):
        return NO_LINES
    if minor_units(invoice.currency) > MOST_DECIMALS:
        return THREE_DECIMALS
    if not content.has_vat:
        return SEVERAL_TAXES
    if not content.seller.address.country:
        return NO_COUNTRY
    if not (content.seller.vat_id or content.seller.tax_number):
        return NO_VAT_ID
    if any(tax.category == "AE" for tax in content.taxes):
        if not content.seller.vat_id:
            return NO_VAT_ID
        if not content.buyer.vat_id:
            return NO_BUYER_VAT_ID
    return None


def xml_of(invoice: Invoice, syntax: Syntax) -> bytes:
    """The data of a document in its buyer's language. Raises Refused with the reason where there can be none."""
    fault = fault_of(invoice)
    if fault is not None:
        raise Refused(f"there are no EN 16931 data of {invoice.number}: {fault}")
    with speaking(invoice.content.buyer.language):
        return cii.written(invoice) if syntax == "cii" else ubl.written(invoice)
