"""What the owner of a place gets of what was charged there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.invoices.model import (
    Address,
    Bank,
    DocumentLine,
    DocumentPart,
    Email,
    Seller,
    TaxCategory,
    Text,
    VatId,
)
from ohmstead.billing.invoices.taxation import plain, rounded
from ohmstead.billing.ledger import entries
from ohmstead.billing.ledger.entries import Account, Posting


class HostDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host as law wants it on a self-billed invoice, and where its money goes."""

    name: Annotated[str, Meta(min_length=1, max_length=200, description="Its legal name.")]
    address: Address = Address()
    vat_id: VatId = ""
    tax_number: Annotated[str, Meta(max_length=40)] = ""
    registration: Text = ""
    bank: Bank = Bank()
    email: Email = ""
    language: Annotated[str, Meta(pattern=r"^[a-z]{2}$(?!\n)", description="In which its statements are.")] = "en"
    tax_percentage: Annotated[Decimal, Meta(description="The VAT on what it gets, 0 to 100; 0: it charges none.")] = (
        Decimal(0)
    )
    tax_name: Annotated[str, Meta(min_length=1, max_length=40)] = "VAT"
    no_tax_reason: Annotated[str, Meta(max_length=200, description="Why it charges none, as a small business.")] = ""


class Host(Struct, frozen=True, kw_only=True):
    """Whoever owns places where stations stand."""

    host_id: UUID
    party_id: UUID
    details: HostDetails
    n_contracts: Annotated[int, Meta(description="That hold now or will.")]
    balance: Annotated[
        dict[str, Decimal], Meta(description="What it is owed, by currency: shares that were stated and not paid out.")
    ]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class NewContract(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a host gets at a location: a share, or so much for a kWh."""

    location_id: UUID
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="Of the sessions that count.")]
    share_percent: Annotated[
        Decimal | None, Meta(description="Of what sessions bring in without taxes, above 0 to 100.")
    ] = None
    fee_per_kwh: Annotated[Decimal | None, Meta(description="Without tax; above 0.")] = None
    from_on: Annotated[date, Meta(description="The first day.")]
    until_on: Annotated[date | None, Meta(description="The first day on which it holds no longer.")] = None


class HostContract(Struct, frozen=True, kw_only=True):
    """A contract as it is kept."""

    contract_id: UUID
    host_id: UUID
    location_id: UUID
    location_name: str
    currency: str
    share_percent: Decimal | None
    fee_per_kwh: Decimal | None
    from_on: date
    until_on: date | None
    created_at: datetime
    created_by: str


class ContractEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on a contract holds no longer."""

    until_on: Annotated[date, Meta(description="The first day on which it holds no longer.")]


class Counted(Struct, frozen=True, kw_only=True):
    """Sessions that one contract counts: credits take theirs back."""

    n_sessions: int
    energy_wh: Decimal
    revenue: Decimal


def count(cdrs: Sequence[Cdr]) -> Counted:
    """Charges less credits."""
    signs = [(-1 if cdr.kind == "credit" else 1, cdr) for cdr in cdrs]
    return Counted(
        n_sessions=sum(sign for sign, _ in signs),
        energy_wh=sum((sign * cdr.energy_wh for sign, cdr in signs), Decimal(0)),
        revenue=sum((cdr.before_taxes for cdr in cdrs), Decimal(0)),
    )


def line_for(contract: HostContract, host: HostDetails, counted: Counted, text: str) -> DocumentLine:
    """What a host gets by one contract, half up to the minor unit. `text`: which place, how many sessions."""
    percentage = plain(host.tax_percentage)
    category: TaxCategory = "S" if percentage else "E"
    name = host.tax_name if percentage else ""
    if contract.share_percent is not None:
        amount = rounded(counted.revenue * contract.share_percent / 100, contract.currency)
        part = DocumentPart(kind="HOST_SHARE", amount=amount, category=category, tax_name=name, percentage=percentage)
    else:
        assert contract.fee_per_kwh is not None
        kwh = counted.energy_wh / 1000
        amount = rounded(kwh * contract.fee_per_kwh, contract.currency)
        part = DocumentPart(
            kind="HOST_FEE",
            amount=amount,
            category=category,
            tax_name=name,
            percentage=percentage,
            quantity=kwh,
            unit="kWh",
            unit_price=contract.fee_per_kwh,
            price_per="kWh",
        )
    return DocumentLine(
        kind="host_share", before_taxes=amount, total=amount, parts=[part], text=text, energy_wh=counted.energy_wh
    )


def as_seller(host: HostDetails) -> Seller:
    """A host sells the use of its place."""
    return Seller(
        legal_name=host.name,
        address=host.address,
        vat_id=host.vat_id,
        tax_number=host.tax_number,
        registration=host.registration,
        bank=host.bank,
        email=host.email,
        no_tax_reason=host.no_tax_reason,
    )


def postings_for(
    host_id: UUID, country: str, before_taxes: Decimal, tax: Decimal, host: HostDetails, currency: str
) -> tuple[Posting, ...]:
    """A statement in the books: a cost of ours, a tax that we get back, and what the host is owed."""
    rate = format(plain(host.tax_percentage), "f")
    postings = [
        Posting(entries.fees(f"host:{host_id}", currency), before_taxes),
        Posting(Account("tax", f"{country}:{host.tax_name}:{rate}:input", currency), tax),
        Posting(entries.host_share(str(host_id), currency), -before_taxes - tax),
    ]
    return entries.gathered(postings)
