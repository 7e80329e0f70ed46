"""Companies that pay afterwards for what their people charge."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

CompanyName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
VatNumber: TypeAlias = Annotated[
    str, Meta(max_length=40, description="As people write it; its form is checked, and it is kept without blanks.")
]
Line: TypeAlias = Annotated[str, Meta(max_length=200)]
Country: TypeAlias = Annotated[str, Meta(pattern=r"^([A-Z]{2})?$(?!\n)", description="ISO 3166-1, two letters.")]
CompanyEmail: TypeAlias = Annotated[
    str, Meta(pattern=r"^[^\s@]{1,64}@[^\s@]{1,189}$(?!\n)", max_length=254, description="Where invoices go.")
]
Reference: TypeAlias = Annotated[
    str, Meta(max_length=100, description="Their order number or cost centre, for invoices.")
]
Days: TypeAlias = Annotated[int, Meta(ge=0, le=365, description="Days in which invoices are to be paid.")]
Limit: TypeAlias = Annotated[Decimal, Meta(description="With taxes, by calendar month of the books; null: no end.")]
CompanyStatus: TypeAlias = Literal["active", "suspended", "ended"]


class Company(Struct, frozen=True, kw_only=True):
    """A post-paid contract. What its members charge is billed to it."""

    company_id: UUID
    party_id: UUID
    name: str
    vat_number: str | None
    address: str
    postal_code: str
    city: str
    country: str
    email: str | None
    reference: str
    currency: str
    payment_days: int
    limit_per_month: Decimal | None
    status: Annotated[CompanyStatus, Meta(description="suspended, ended: no session of its members begins.")]
    n_members: int
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class NewCompany(Struct, kw_only=True, forbid_unknown_fields=True):
    """A company to be."""

    name: CompanyName
    vat_number: VatNumber | None = None
    address: Line = ""
    postal_code: Line = ""
    city: Line = ""
    country: Country = ""
    email: CompanyEmail | None = None
    reference: Reference = ""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="null: the party's.")] | None = None
    payment_days: Days = 14
    limit_per_month: Limit | None = None


class CompanyChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a company; what is left out stays."""

    name: CompanyName | UnsetType = UNSET
    vat_number: VatNumber | None | UnsetType = UNSET
    address: Line | UnsetType = UNSET
    postal_code: Line | UnsetType = UNSET
    city: Line | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    email: CompanyEmail | None | UnsetType = UNSET
    reference: Reference | UnsetType = UNSET
    payment_days: Days | UnsetType = UNSET
    limit_per_month: Limit | None | UnsetType = UNSET
    status: CompanyStatus | UnsetType = UNSET


class CompanyMember(Struct, frozen=True, kw_only=True):
    """For whom a company pays: a driver with all their tokens, or one token."""

    company_id: UUID
    driver_id: UUID | None
    token_id: UUID | None
    name: Annotated[str, Meta(description="Of the driver, or the token's label.")]
    added_at: datetime
    added_by: str


class NewCompanyMember(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver, or a token."""

    driver_id: UUID | None = None
    token_id: UUID | None = None


class CompanyMonth(Struct, frozen=True, kw_only=True):
    """What a company's members charged in a month, so far."""

    company_id: UUID
    month: Annotated[str, Meta(description="`2026-10`.")]
    currency: str
    n_sessions: int
    billed: Annotated[Decimal, Meta(description="With taxes, credits taken off.")]
    held: Annotated[Decimal, Meta(description="What running sessions hold of the limit.")]
    left: Annotated[Decimal | None, Meta(description="Of the limit; null: there is none.")]
