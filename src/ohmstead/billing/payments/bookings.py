"""What payments do to the books, as entries. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from ohmstead.billing.ledger import entries
from ohmstead.billing.ledger.entries import Account, Entry, Posting
from ohmstead.billing.payments.model import Payment
from ohmstead.billing.payments.ports import BalanceLine, SeenDispute


def other_side(payment: Payment) -> Account:
    """Whose money it is: a wallet's that is filled, else what the customer owes."""
    kind, _, ident = payment.customer.partition(":")
    if payment.purpose == "top_up" and kind == "driver":
        return entries.wallet(UUID(ident), payment.currency)
    return entries.receivable(payment.customer, payment.currency)


def _entry(payment: Payment, key: str, kind: str, text: str, day: date, into_clearing: Decimal) -> Entry:
    clearing = entries.psp_clearing(payment.provider, payment.currency)
    return Entry(
        key=f"payment:{payment.payment_id}:{key}",
        kind=kind,
        text=f"{text} {payment.payment_id}",
        wanted_on=day,
        postings=(Posting(clearing, into_clearing), Posting(other_side(payment), -into_clearing)),
    )


def captured(payment: Payment, amount: Decimal, day: date) -> Entry:
    """The provider has it for us; the customer owes so much less. A payment is captured once."""
    return _entry(payment, "captured", "payment_captured", "Payment", day, amount)


def refunded(payment: Payment, amount: Decimal, in_all: Decimal, day: date) -> Entry:
    """So much was given back, which makes so much in all."""
    return _entry(payment, f"refunded:{_plain(in_all)}", "payment_refunded", "Refund of payment", day, -amount)


def disputed(payment: Payment, dispute: SeenDispute, day: date) -> Entry:
    """The payer took it back: the customer owes it again."""
    return _entry(
        payment,
        f"dispute:{dispute.ref}:open",
        "payment_disputed",
        "Chargeback of payment",
        day,
        -dispute.amount.amount,
    )


def dispute_won(payment: Payment, dispute: SeenDispute, day: date) -> Entry:
    """It came back to us."""
    return _entry(
        payment,
        f"dispute:{dispute.ref}:won",
        "payment_dispute_won",
        "Chargeback won of payment",
        day,
        dispute.amount.amount,
    )


def of_line(provider: str, line: BalanceLine, day: date) -> list[Entry]:
    """What a provider took for its service, and what it paid out. Charges and refunds are in the books by their payments."""
    clearing = entries.psp_clearing(provider, line.currency)
    found = []
    if line.fee:
        fees = entries.fees(provider, line.currency)
        postings = (Posting(fees, line.fee), Posting(clearing, -line.fee))
        text = f"Fee of {provider}: {line.text or line.ref}"
        found.append(
            Entry(key=f"psp:{provider}:{line.ref}:fee", kind="psp_fee", text=text, wanted_on=day, postings=postings)
        )
    if line.kind == "fee" and line.gross:
        fees = entries.fees(provider, line.currency)
        postings = (Posting(fees, -line.gross), Posting(clearing, line.gross))
        text = f"Fee of {provider}: {line.text or line.ref}"
        found.append(
            Entry(key=f"psp:{provider}:{line.ref}", kind="psp_fee", text=text, wanted_on=day, postings=postings)
        )
    if line.kind == "payout" and line.gross:
        postings = (Posting(entries.bank(line.currency), -line.gross), Posting(clearing, line.gross))
        text = f"Payout of {provider}: {line.text or line.ref}"
        found.append(
            Entry(key=f"psp:{provider}:{line.ref}", kind="psp_payout", text=text, wanted_on=day, postings=postings)
        )
    return found


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f")
