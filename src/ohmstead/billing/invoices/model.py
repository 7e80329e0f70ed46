"""Documents that tell somebody what they owe, paid or get: as they were issued, never changed.

Amounts of a document are as it prints them; `sign` says what they mean to the books: -1 of a credit note.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.billing.cdrs.model import CdrPlace
from ohmstead.tariffs.pricing.cost import CostKind

DocumentKind: TypeAlias = Literal["receipt", "invoice", "statement", "credit_note", "self_billing"]
# Of EN 16931 (UNTDID 5305): taxed, at no rate, exempt, due by the buyer, outside of it.
TaxCategory: TypeAlias = Literal["S", "Z", "E", "AE", "O"]
Treatment: TypeAlias = Literal["standard", "reverse_charge"]
LineKind: TypeAlias = Literal["session", "fee", "host_share", "document"]
PartKind: TypeAlias = Literal[CostKind, "FEE", "HOST_SHARE", "HOST_FEE"]
Syntax: TypeAlias = Literal["cii", "ubl"]
# How an invoice stands today. credited: all of it was taken back before anything was paid.
PaidState: TypeAlias = Literal["open", "partly_paid", "overdue", "paid", "credited"]

Text: TypeAlias = Annotated[str, Meta(max_length=200)]
Country: TypeAlias = Annotated[str, Meta(pattern=r"^([A-Z]{2})?$(?!\n)", description="ISO 3166-1, two letters.")]
VatId: TypeAlias = Annotated[
    str, Meta(pattern=r"^([A-Z]{2}[A-Z0-9+*]{2,13})?$(?!\n)", description="With its country: NL123.")
]
Iban: TypeAlias = Annotated[
    str, Meta(pattern=r"^([A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})?$(?!\n)", description="Without spaces.")
]
Bic: TypeAlias = Annotated[str, Meta(pattern=r"^([A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?)?$(?!\n)")]
Email: TypeAlias = Annotated[str, Meta(pattern=r"^([^\s@]{1,64}@[^\s@]{1,189})?$(?!\n)", max_length=254)]


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where somebody is, as letters are sent."""

    lines: Annotated[list[Text], Meta(max_length=3, description="Street and number; what else belongs to it.")] = []
    postal_code: Annotated[str, Meta(max_length=20)] = ""
    city: Text = ""
    state: Text = ""
    country: Country = ""


class Bank(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where money is sent to."""

    holder: Text = ""
    iban: Iban = ""
    bic: Bic = ""
    name: Text = ""


class Seller(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sells: what law wants on a party's documents."""

    legal_name: Text = ""
    trade_name: Annotated[str, Meta(max_length=200, description="What drivers know it by.")] = ""
    address: Address = Address()
    vat_id: VatId = ""
    vat_ids: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)")], VatId],
        Meta(max_length=40, description="Of other countries where it is registered for VAT, by country."),
    ] = {}
    tax_number: Annotated[str, Meta(max_length=40, description="The tax office's number, where there is one.")] = ""
    registration: Annotated[str, Meta(max_length=200, description="Register and number of the company.")] = ""
    bank: Bank = Bank()
    contact: Text = ""
    email: Email = ""
    phone: Annotated[str, Meta(max_length=40)] = ""
    website: Text = ""
    footer: Annotated[str, Meta(max_length=500, description="What else stands at the foot of every page.")] = ""
    payment_days: Annotated[
        int, Meta(ge=0, le=365, description="Invoices are due so many days after they were issued.")
    ] = 14
    no_tax_reason: Annotated[
        str, Meta(max_length=200, description="Why there is no tax on prices that have none; it stands on documents.")
    ] = ""
    makes_statements: Annotated[bool, Meta(description="Drivers with receipts get a statement of them each month.")] = (
        True
    )


class Buyer(Struct, frozen=True, kw_only=True):
    """Who buys, as they were known when the document was issued."""

    customer: Annotated[
        str, Meta(description="`driver:<id>`, `company:<id>`, `partner:<id>`, `payment:<id>`, `token:<id>`.")
    ]
    name: str = ""
    address: Address = Address()
    vat_id: str = ""
    email: str = ""
    reference: Annotated[str, Meta(description="What they want on it: an order, a Leitweg-ID.")] = ""
    language: str = "en"


class CustomerDetails(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a customer wants on their documents. What is empty comes from where they are known."""

    name: Text = ""
    address: Address = Address()
    vat_id: VatId = ""
    email: Email = ""
    reference: Text = ""
    language: Annotated[str, Meta(pattern=r"^([a-z]{2}(-[A-Z]{2})?)?$(?!\n)")] = ""
    reverse_charge: Annotated[
        Literal["auto", "always", "never"], Meta(description="auto: where article 195 of the VAT directive says so.")
    ] = "auto"


class DocumentPart(Struct, frozen=True, kw_only=True):
    """One price within a line: quantity × unit price, both without taxes, and what it comes to."""

    kind: PartKind
    amount: Annotated[Decimal, Meta(description="Without taxes, exact in the currency's minor unit.")]
    category: TaxCategory
    tax_name: str = ""
    percentage: Decimal = Decimal(0)
    quantity: Annotated[Decimal | None, Meta(description="kWh, seconds or a number; null: an amount only.")] = None
    unit: Literal["kWh", "s", "1"] | None = None
    unit_price: Annotated[
        Decimal | None, Meta(description="As the tariff has it, with taxes where its prices have.")
    ] = None
    price_per: Literal["kWh", "h", "min", "1"] | None = None
    listed: Annotated[
        Decimal | None, Meta(description="The amount as the tariff has it, with taxes where its prices have.")
    ] = None
    rule: str = ""


class Signatures(Struct, frozen=True, kw_only=True):
    """How many signed readings a session has, and how many of them were verified when the document was issued."""

    n: int = 0
    n_verified: int = 0
    n_failed: int = 0


class DocumentLine(Struct, frozen=True, kw_only=True):
    """One session, fee, share of a host, or document that is listed."""

    kind: LineKind
    before_taxes: Decimal
    total: Annotated[Decimal, Meta(description="With taxes, as booked.")]
    parts: list[DocumentPart] = []
    text: str = ""
    cdr_id: UUID | None = None
    session_id: UUID | None = None
    document_id: UUID | None = None
    place: CdrPlace | None = None
    token: Annotated[str, Meta(description="What it was charged with; an RFID card's last four characters only.")] = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy_wh: Decimal | None = None
    register_start_wh: Annotated[Decimal | None, Meta(description="What the meter showed when it began.")] = None
    register_end_wh: Decimal | None = None
    peak_power_w: Decimal | None = None
    voltage_v: Annotated[Decimal | None, Meta(description="The highest that was measured.")] = None
    charging_s: int | None = None
    idle_s: int | None = None
    signatures: Signatures | None = None
    includes_taxes: Annotated[bool, Meta(description="Whether the tariff's prices have taxes in them.")] = False


class DocumentTax(Struct, frozen=True, kw_only=True):
    """One tax at one rate: its percentage of the base, half up."""

    name: str
    category: TaxCategory
    percentage: Decimal
    base: Decimal
    amount: Decimal
    reason: Annotated[str, Meta(description="Why nothing is due.")] = ""


class DocumentTotals(Struct, frozen=True, kw_only=True):
    """What it comes to. `payable` = `total` + `rounding` is exactly what the CDRs come to."""

    before_taxes: Decimal
    tax: Decimal
    total: Decimal
    rounding: Decimal
    payable: Decimal
    paid: Decimal
    open: Decimal


class PaymentNote(Struct, frozen=True, kw_only=True):
    """A payment that was made for it, as far as it was known when the document was issued."""

    amount: Decimal
    kind: Annotated[str, Meta(description="`card`, `wallet`, `sepa` and so on.")] = "card"
    brand: str = ""
    last4: str = ""
    paid_at: datetime | None = None
    payment_id: UUID | None = None


class DocumentContent(Struct, frozen=True, kw_only=True):
    """All that a document says."""

    seller: Seller
    buyer: Buyer
    lines: list[DocumentLine]
    taxes: list[DocumentTax]
    totals: DocumentTotals
    tax_country: Annotated[str, Meta(description="Where it was charged: whose taxes these are.")] = ""
    time_zone: str = "UTC"
    treatment: Treatment = "standard"
    has_vat: Annotated[bool, Meta(description="Every line has one tax at most: EN 16931 can say it.")] = True
    payments: list[PaymentNote] = []
    corrects: Annotated[str, Meta(description="Of a credit note: the number of what it corrects.")] = ""
    corrects_on: date | None = None
    reason: str = ""


class Invoice(Struct, frozen=True, kw_only=True):
    """A document with its number."""

    invoice_id: UUID
    party_id: UUID
    number: str
    kind: DocumentKind
    customer: str
    currency: str
    issued_on: date
    due_on: date | None
    from_on: Annotated[date | None, Meta(description="The first day that it is about.")]
    to_on: Annotated[date | None, Meta(description="The last one.")]
    total: Annotated[Decimal, Meta(description="What it comes to with taxes; negative of a credit note.")]
    session_id: Annotated[UUID | None, Meta(description="Of a receipt: its session.")]
    corrects_id: Annotated[UUID | None, Meta(description="Of a credit note: what it corrects.")]
    host_id: Annotated[UUID | None, Meta(description="Of a statement to a host: which.")]
    run_id: Annotated[UUID | None, Meta(description="The run that made it.")]
    content: DocumentContent
    created_at: datetime
    created_by: str

    @property
    def sign(self) -> int:
        """-1 of a credit note: what it prints is taken back."""
        return -1 if self.kind == "credit_note" else 1

    @property
    def cdr_ids(self) -> list[UUID]:
        """The CDRs that it is about."""
        return [line.cdr_id for line in self.content.lines if line.cdr_id is not None]


class InvoiceRow(Struct, frozen=True, kw_only=True):
    """A document in a list."""

    invoice_id: UUID
    party_id: UUID
    number: str
    kind: DocumentKind
    customer: str
    buyer_name: str
    currency: str
    issued_on: date
    due_on: date | None
    from_on: date | None
    to_on: date | None
    before_taxes: Annotated[Decimal, Meta(description="Negative of a credit note.")]
    total: Annotated[Decimal, Meta(description="With taxes; negative of a credit note.")]
    paid: Annotated[Decimal, Meta(description="What had been paid when it was issued.")]
    n_lines: int
    session_id: UUID | None
    corrects_id: UUID | None
    corrected_by: Annotated[UUID | None, Meta(description="The latest credit note about it.")]
    state: Annotated[
        PaidState | None,
        Meta(
            description="Of an invoice, and of a statement to a host: how it stands today; overdue: something is open after the"
            " day it was due on."
        ),
    ]
    open: Annotated[
        Decimal | None,
        Meta(
            description="Of an invoice: what is neither paid nor taken back by credit notes; of a statement to a host: what it"
            " did not get yet."
        ),
    ]
    run_id: UUID | None
    created_at: datetime
    created_by: str


class InvoiceStanding(Struct, frozen=True, kw_only=True):
    """How a document stands today: `total` + `credited` - `paid` - `received` + `given_back` is what is `open` of an invoice,
    or of a statement to a host, which we pay.
    """

    invoice_id: UUID
    state: PaidState | None
    currency: str
    total: Decimal
    credited: Annotated[Decimal, Meta(description="What credit notes took back of it: negative.")]
    paid: Annotated[Decimal, Meta(description="What had been paid when it was issued.")]
    received: Annotated[Decimal, Meta(description="What was paid since, less what was taken back.")]
    given_back: Annotated[Decimal, Meta(description="What went back to the buyer by bank, by its credit notes.")]
    open: Decimal | None
    due_on: date | None


class Draft(Struct, frozen=True, kw_only=True):
    """A document to be: everything but its number."""

    kind: DocumentKind
    customer: str
    currency: str
    content: DocumentContent
    from_on: date | None = None
    to_on: date | None = None
    session_id: UUID | None = None
    corrects_id: UUID | None = None
    host_id: UUID | None = None
    due_days: int | None = None
    cdr_ids: list[UUID] = []
    fee_ids: list[UUID] = []

    @property
    def total(self) -> Decimal:
        """What it will come to; negative of a credit note."""
        payable = self.content.totals.payable
        return -payable if self.kind == "credit_note" else payable


def content_of(raw: Any) -> DocumentContent:
    """As it was kept."""
    return msgspec.convert(raw, DocumentContent)
