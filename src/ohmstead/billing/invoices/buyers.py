"""Who sells and who buys, as they are known now: what a document keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.accounts import service as accounts
from ohmstead.billing.companies import queries as companies
from ohmstead.billing.companies.model import Company
from ohmstead.billing.invoices import store
from ohmstead.billing.invoices.model import Address, Buyer, CustomerDetails, Seller
from ohmstead.core.db import Connection


class Known(Struct, frozen=True):
    """A buyer, and what they want on their documents."""

    buyer: Buyer
    details: CustomerDetails
    payment_days: int | None = None


async def seller_of(conn: Connection, party_id: UUID) -> Seller:
    """A party as a seller. Where nothing was set it is called as the party, in the party's country."""
    kept = (await store.find_seller(conn, party_id)).content
    if kept.legal_name and kept.address.country:
        return kept
    party = await accounts.get_party(conn, party_id)
    address = kept.address
    if not address.country:
        address = replace(address, country=party.country_code)
    return replace(kept, legal_name=kept.legal_name or party.name, address=address)


async def buyer_of(conn: Connection, party_id: UUID, customer: str) -> Known:
    """A customer as a buyer: what they want on their documents, else as they are known otherwise."""
    details, _version = await store.find_details(conn, party_id, customer)
    found = await _known_otherwise(conn, party_id, customer)
    party = await accounts.get_party(conn, party_id)
    buyer = Buyer(
        customer=customer,
        name=details.name or found.buyer.name,
        address=details.address if details.address != Address() else found.buyer.address,
        vat_id=details.vat_id or found.buyer.vat_id,
        email=details.email or found.buyer.email,
        reference=details.reference or found.buyer.reference,
        language=(details.language or found.buyer.language or party.language)[:2],
    )
    return Known(buyer, details, found.payment_days)


async def _known_otherwise(conn: Connection, party_id: UUID, customer: str) -> Known:
    kind, _, value = customer.partition(":")
    buyer = Buyer(customer=customer, language="")
    days = None
    if kind == "driver":
        row = await store.find_driver(conn, party_id, UUID(value))
        if row is not None:
            buyer = replace(buyer, name=row["name"], email=row["email"] or "", language=(row["language"] or "")[:2])
    elif kind == "company":
        company = await companies.find_company(conn, party_id, UUID(value))
        if company is not None:
            buyer = _as_buyer(buyer, company)
            days = company.payment_days
    elif kind == "partner":
        buyer = replace(buyer, name=await store.find_partner(conn, party_id, value) or value)
    elif kind == "payment":
        row = await store.find_guest(conn, party_id, UUID(value))
        if row is not None:
            buyer = replace(buyer, email=row["email"] or "", language=(row["language"] or "")[:2])
    return Known(buyer, CustomerDetails(), days)


def _as_buyer(buyer: Buyer, company: Company) -> Buyer:
    address = Address(
        lines=[company.address] if company.address else [],
        postal_code=company.postal_code[:20],
        city=company.city,
        country=company.country,
    )
    return replace(
        buyer,
        name=company.name,
        address=address,
        vat_id=company.vat_number or "",
        email=company.email or "",
        reference=company.reference,
    )


def missing_of(seller: Seller) -> Sequence[str]:
    """What an invoice must say of its seller and does not (directive 2006/112/EC, article 226): names of fields."""
    wanted = {
        "legal_name": seller.legal_name,
        "address": seller.address.lines and seller.address.city,
        "country": seller.address.country,
        "vat_id": seller.vat_id or seller.tax_number,
    }
    return [name for name, value in wanted.items() if not value]
