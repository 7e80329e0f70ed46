"""Whose taxes are due, and by whom: by the place of charging, or by the buyer where the VAT directive says so. Pure.

Electricity is goods (CJEU C-282/22): it is taxed where it is consumed (directive 2006/112/EC, article 39), or where a dealer
who sells it on has its business (article 38). Where the seller is not established there and the buyer is known there for VAT,
the buyer owes the tax (article 195).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

from ohmstead.billing.invoices.model import (
    Buyer,
    DocumentPart,
    DocumentTax,
    Seller,
    TaxCategory,
    Treatment,
)
from ohmstead.core.language import N_
from ohmstead.core.money import minor_units

_COUNTRIES: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU: Final = frozenset(_COUNTRIES.split())
# Greece and Northern Ireland have other letters in their VAT ids.
_OF_VAT_ID: Final = {"EL": "GR", "XI": "GB"}
# What stands on documents about whatever no tax is due for.
REVERSE_CHARGE: Final = N_("Reverse charge")
NOT_TAXED: Final = N_("Not taxed")


def country_of(vat_id: str) -> str:
    """Where somebody is known for VAT; empty where there is no id."""
    return _OF_VAT_ID.get(vat_id[:2], vat_id[:2])


def treatment_of(
    seller: Seller, buyer: Buyer, place_country: str, policy: Literal["auto", "always", "never"] = "auto"
) -> Treatment:
    """Does the buyer owe the tax? `place_country`: where it was charged.

    Only ever for companies and partners with a VAT id. A company consumes what it charges: article 39 and 195, where the
    seller is not established in the country of charging and the company is known there. A partner sells it on: article 38
    and 195, where its business is in another country of the Union than the seller's.
    """
    kind = buyer.customer.partition(":")[0]
    if policy == "never" or not buyer.vat_id or kind not in ("company", "partner"):
        return "standard"
    if policy == "always":
        return "reverse_charge"
    home, known_in = seller.address.country, country_of(buyer.vat_id)
    if home not in EU or known_in not in EU:
        return "standard"
    if kind == "partner":
        return "reverse_charge" if known_in != home else "standard"
    is_abroad = place_country in EU and place_country != home
    return "reverse_charge" if is_abroad and known_in == place_country else "standard"


def seller_vat_id(seller: Seller, place_country: str) -> str:
    """Under which VAT id it is sold: that of the country of charging, where there is one, else its own."""
    return seller.vat_ids.get(place_country) or seller.vat_id


def category_of(percentages: Sequence[Decimal], treatment: Treatment) -> TaxCategory:
    """Of a price with these taxes."""
    if treatment == "reverse_charge":
        return "AE"
    if not percentages:
        return "E"
    return "S" if any(percentages) else "Z"


def taxes_of(parts: Sequence[DocumentPart], currency: str, reasons: Mapping[TaxCategory, str]) -> list[DocumentTax]:
    """Of parts with one tax each: by category and rate the base, and what is due of it, half up (EN 16931, BR-CO-17)."""
    bases: dict[tuple[TaxCategory, Decimal], Decimal] = {}
    names: dict[tuple[TaxCategory, Decimal], str] = {}
    for part in parts:
        key = (part.category, plain(part.percentage))
        bases[key] = bases.get(key, Decimal(0)) + part.amount
        names.setdefault(key, part.tax_name)
    return [
        DocumentTax(
            name=names[category, percentage],
            category=category,
            percentage=percentage,
            base=base,
            amount=rounded(base * percentage / 100, currency),
            reason=reasons.get(category, ""),
        )
        for (category, percentage), base in sorted(bases.items(), key=lambda one: (-one[0][1], one[0][0]))
    ]


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Half up to the minor unit."""
    return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def plain(value: Decimal) -> Decimal:
    """The same number, written without noughts at its end and without an exponent."""
    return Decimal(format(value.normalize(), "f"))
