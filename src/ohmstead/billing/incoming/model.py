"""Money that came in or went out by bank: lines of statements, what they could pay, and what they were booked for."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.billing.invoices.model import Iban

Source: TypeAlias = Literal["hand", "csv", "camt"]
LineState: TypeAlias = Literal["open", "booked", "set_aside"]
Sureness: TypeAlias = Literal["exact", "named", "likely", "amount"]

Words: TypeAlias = Annotated[str, Meta(max_length=1000)]
Currency: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]


class Told(Struct, frozen=True, kw_only=True):
    """Money that came in, or went out (negative), as a bank or a person tells it. `payer`: who paid, or was paid."""

    amount: Decimal
    currency: str
    booked_on: date
    payer: str = ""
    text: str = ""
    bank_ref: str = ""
    account: str = ""
    payee_iban: str = ""


class NewBankLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that came in or went out, recorded by hand."""

    amount: Annotated[Decimal, Meta(description="Exact in the currency's minor unit; negative: it went out.")]
    currency: Currency
    booked_on: Annotated[date, Meta(description="The day on which the bank booked it.")]
    payer: Annotated[str, Meta(max_length=200, description="Who paid, or was paid, as the bank has it.")] = ""
    text: Annotated[Words, Meta(description="What the payer wrote.")] = ""
    bank_ref: Annotated[
        str, Meta(max_length=100, description="The bank's reference of it. The same one again is refused.")
    ] = ""
    payee_iban: Annotated[Iban, Meta(description="The account that money went out to. Without spaces.")] = ""


class BankLine(Struct, frozen=True, kw_only=True):
    """Money that came in or went out, and what became of it."""

    line_id: UUID
    party_id: UUID
    source: Annotated[Source, Meta(description="By hand, or from which sort of statement.")]
    currency: str
    amount: Annotated[Decimal, Meta(description="Negative: it went out.")]
    booked_on: date
    payer: Annotated[str, Meta(description="Who paid, or was paid.")]
    text: Annotated[str, Meta(description="What the payer wrote.")]
    bank_ref: Annotated[str, Meta(description="The bank's reference of it.")]
    account: Annotated[str, Meta(description="Our account, where the statement names it.")]
    payee_iban: Annotated[str, Meta(description="The account that money went out to, where the statement names it.")]
    state: Annotated[LineState, Meta(description="set_aside: it pays no document; `note` says why.")]
    note: str
    created_at: datetime
    created_by: str


class Share(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much for a document."""

    invoice_id: UUID
    amount: Annotated[Decimal, Meta(description="More than nothing, and no more than is open of it.")]


class BankBooking(Struct, frozen=True, kw_only=True):
    """A line as it was booked."""

    booking_id: UUID
    line_id: UUID
    shares: Annotated[list[Share], Meta(description="What of it paid which document.")]
    customers: Annotated[
        dict[str, Decimal],
        Meta(
            description="How much less each customer owes; what is more than its documents stays to their credit."
            " Of money that went out: how much each got, `host:<id>` and `fees:bank` (the bank itself) beside customers."
        ),
    ]
    created_at: datetime
    created_by: str
    reversed_at: datetime | None
    reversed_by: str | None
    why: Annotated[str, Meta(description="Why it was reversed.")]


class OpenInvoice(Struct, frozen=True, kw_only=True):
    """A document of which something is open: an invoice, or what we owe by one.

    `buyer_name`: who pays, or is paid; `iban`: where to; `corrects`: of a credit note, the number of what it corrects.
    """

    invoice_id: UUID
    number: str
    customer: str
    buyer_name: str
    currency: str
    open: Decimal
    issued_on: date
    due_on: date | None
    iban: str = ""
    corrects: str = ""


class Proposal(Struct, frozen=True, kw_only=True):
    """What a line could pay. `rest` is what is more than the documents: it stays to the customer's credit, or ours."""

    sureness: Annotated[
        Sureness,
        Meta(
            description="exact: it names the documents and pays exactly them; named: it names them and pays less or more, or"
            " went to another account than they name; likely: name or account, and the amount, fit; amount: only that fits."
        ),
    ]
    customer: Annotated[str, Meta(description="To whose credit the rest goes.")]
    shares: list[Share]
    numbers: Annotated[list[str], Meta(description="The documents' numbers, in the order of `shares`.")]
    rest: Decimal


class BankLineMatch(Struct, frozen=True, kw_only=True):
    """A line with what it could pay, or paid."""

    line: BankLine
    proposals: list[Proposal]
    bookings: Annotated[list[BankBooking], Meta(description="Newest first; at most one stands.")]


class NewBooking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a line pays. What is left of it stays to the credit of `customer`, or is owed to us by them where it went out."""

    shares: Annotated[list[Share], Meta(max_length=200)] = []
    customer: (
        Annotated[
            str,
            Meta(
                max_length=80,
                description="`driver:<id>`, `company:<id>`, `host:<id>`, …, or `fees:bank` for what the bank itself took;"
                " without: the customer of the documents, where that is one.",
            ),
        ]
        | None
    ) = None


class BookingReversal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a booking was wrong."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class SetAside(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a line pays no document: a provider's payout, interest, a gift, rent."""

    note: Annotated[str, Meta(min_length=1, max_length=500)]


class StatementColumns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the columns of a CSV statement are called, and how it writes numbers and days. Empty: there is none."""

    booked_on: Annotated[str, Meta(min_length=1, max_length=100)]
    amount: Annotated[str, Meta(min_length=1, max_length=100)]
    currency: Annotated[str, Meta(max_length=100)] = ""
    payer: Annotated[str, Meta(max_length=100)] = ""
    text: Annotated[str, Meta(max_length=100)] = ""
    bank_ref: Annotated[str, Meta(max_length=100)] = ""
    payee_iban: Annotated[str, Meta(max_length=100)] = ""
    decimal: Annotated[Literal[".", ","], Meta(description="What stands before the cents.")] = "."
    days: Annotated[
        Literal["2026-03-31", "31.03.2026", "31/03/2026", "03/31/2026", "31-03-2026", "31.03.26"], Meta()
    ] = "2026-03-31"
    default_currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?$(?!\n)", description="Of rows that name none.")] = ""


class IncomingSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a party takes in what its bank tells."""

    books_exact: Annotated[
        bool,
        Meta(
            description="A line that names one open invoice, or document that we owe, and pays exactly it is booked without a"
            " person."
        ),
    ] = False
    columns: Annotated[StatementColumns | None, Meta(description="Of CSV statements; kept from the last import.")] = (
        None
    )
    reminder_days: Annotated[
        list[Annotated[int, Meta(ge=1, le=365)]],
        Meta(max_length=3, description="Days after an invoice was due on which it is reminded of; none: never."),
    ] = []


class StatementFault(Struct, frozen=True, kw_only=True):
    """What is wrong with one row or entry. Rows of a CSV count as a spreadsheet shows them, entries of XML from 1."""

    row: int
    error: str


class StatementReport(Struct, kw_only=True):
    """What became of a statement."""

    n_new: Annotated[int, Meta(description="Lines that were not known.")]
    n_known: Annotated[int, Meta(description="Lines that were taken in before.")]
    n_passed_over: Annotated[int, Meta(description="What the bank has not booked yet, and rows of nothing.")]
    n_booked: Annotated[int, Meta(description="Lines that were booked by themselves.")]
    faults: list[StatementFault]
    is_dry_run: bool = False


class InvoicePayment(Struct, frozen=True, kw_only=True):
    """What paid a document after it was issued, or was taken back (negative). Credit notes and hosts are paid by us."""

    invoice_id: UUID
    amount: Decimal
    currency: str
    paid_on: date
    line_id: Annotated[UUID | None, Meta(description="The line of a statement.")]
    payment_id: Annotated[UUID | None, Meta(description="The payment through a provider.")]
    created_at: datetime
    created_by: str


class Reminder(Struct, frozen=True, kw_only=True):
    """A reminder that was sent: the first, the second, or the last."""

    stage: int
    is_final: bool
    open: Annotated[Decimal, Meta(description="What was open of the invoice then.")]
    sent_at: datetime
