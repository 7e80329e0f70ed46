"""Money in words: who owes, what an account is for, what an entry tells of, why a session is not billed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.incoming.bookings import BANK_FEES
from ohmstead.billing.invoices.model import DocumentKind
from ohmstead.billing.invoices.paper.words import tax_name
from ohmstead.billing.ledger.entries import NOBODY
from ohmstead.core.language import N_, _

# Sorts of customers, as several are called, and one of whom nothing else is known.
SORTS: Final = {
    "driver": (N_("Drivers"), N_("a driver")),
    "token": (N_("Tokens without a driver"), N_("a token")),
    "company": (N_("Companies"), N_("a company")),
    "partner": (N_("Partners"), N_("a partner")),
    "payment": (N_("Guests"), N_("a guest")),
    "host": (N_("Hosts"), N_("a host")),
    "nobody": (N_("Nobody that we know"), N_("not known")),
}
ACCOUNT_KINDS: Final = {
    "receivable": N_("Owed to us"),
    "revenue": N_("Earned"),
    "tax": N_("Taxes"),
    "wallet": N_("Prepaid"),
    "psp_clearing": N_("At payment providers"),
    "bank": N_("At the bank"),
    "fees": N_("Fees of others"),
    "host_share": N_("Owed to hosts"),
    "rounding": N_("Rounding"),
}
REVENUES: Final = {
    "energy": N_("energy"),
    "time": N_("charging time"),
    "parking": N_("parking and idle fees"),
    "flat": N_("start fees"),
    "reservation": N_("reservations"),
    "adjustments": N_("discounts, surcharges and caps"),
    "plans": N_("plans"),
}
ENTRY_KINDS: Final = {
    "cdr": N_("CDR"),
    "cdr_credit": N_("Credit of a CDR"),
    "payment_captured": N_("Payment"),
    "payment_refunded": N_("Refund"),
    "payment_disputed": N_("Chargeback"),
    "payment_dispute_won": N_("Chargeback won"),
    "psp_fee": N_("Fee of a payment provider"),
    "psp_payout": N_("Payout of a payment provider"),
    "terminal_payment": N_("Paid at a terminal"),
    "wallet_payment": N_("Paid from a wallet"),
    "wallet_credit": N_("Back into a wallet"),
    "wallet_adjustment": N_("Wallet adjusted"),
    "plan_fee": N_("Fee of a plan"),
    "bank_receipt": N_("Paid by bank"),
    "bank_receipt_reversed": N_("Bank receipt reversed"),
    "bank_payment": N_("Paid out by bank"),
    "bank_payment_reversed": N_("Bank payment reversed"),
}
# Why a session is not billed by itself: in short, and what a person can do about it.
REASONS: Final = {
    "test": (N_("The station is on trial"), N_("Adopt the station; bill only what a customer really charged.")),
    "orphan": (N_("Its start never came"), N_("Look at the session: bill it if the end can be believed.")),
    "implausible": (N_("Readings or times cannot be believed"), N_("Compare the readings; bill it if they are right.")),
    "no_energy": (N_("No energy was delivered"), N_("Nothing was delivered: never, unless time is to be paid.")),
    "too_short": (N_("Too short"), N_("A plug that did not hold: never.")),
    "no_tariff": (N_("No tariff applied"), N_("It cannot be billed. Give the place a tariff for those to come.")),
    "price_unknown": (N_("The price is not known"), N_("Write the market’s prices, or bill it by the tariff’s own.")),
    "credited": (N_("Its CDR was taken back"), N_("Bill it anew if that was wrong.")),
}

# What a document is.
DOCUMENT_KINDS: Final[dict[DocumentKind, str]] = {
    "invoice": N_("Invoice"),
    "receipt": N_("Receipt"),
    "statement": N_("Statement"),
    "credit_note": N_("Credit note"),
    "self_billing": N_("Statement to a host"),
}


class Customer(Struct, frozen=True):
    """A customer in words, and the page about them; None: there is none, or it is not open to who looks."""

    text: str
    path: str | None


def customer_of(code: str, names: Mapping[str, str], actor: Actor | None = None) -> Customer:
    """Who `driver:<id>` and the like is."""
    sort, _colon, value = code.partition(":")
    known = SORTS.get(sort)
    if code == BANK_FEES:
        return Customer(_("the bank, as its fee"), None)
    if code == NOBODY or known is None:
        return Customer(_(known[1]) if known else code, None)
    text = names.get(code) or (value if sort == "partner" else f"{_(known[1])} {_short(value)}")
    places = {
        "driver": ("/drivers/", "drivers:read"),
        "token": ("/tokens/", "tokens:read"),
        "company": ("/companies/", "billing:read"),
        "host": ("/hosts/", "billing:read"),
    }
    path = None
    if sort in places and actor is not None and actor.locations is None and may(actor, places[sort][1]):
        path = places[sort][0] + value
    return Customer(text, path)


def account_text(kind: str, detail: str, names: Mapping[str, str]) -> str:
    """What an account is for."""
    match kind:
        case "receivable" if detail == NOBODY:
            return _("Owed, and not known by whom")
        case "receivable":
            return _("Owed by %(customer)s", customer=customer_of(detail, names).text)
        case "revenue":
            return _("Earned: %(what)s", what=_(REVENUES[detail]) if detail in REVENUES else detail)
        case "tax":
            country, _colon, rest = detail.partition(":")
            name, _colon, rate = rest.rpartition(":")
            return _("%(tax)s %(rate)s %%, %(country)s", tax=tax_name(name), rate=rate, country=country)
        case "wallet":
            return _("Prepaid by %(customer)s", customer=customer_of(detail, names).text)
        case "psp_clearing":
            return _("At the payment provider %(name)s", name=detail)
        case "fees" if detail == "goodwill":
            return _("Goodwill")
        case "fees" if detail.startswith("host:"):
            return _("Shares of the host %(name)s", name=customer_of(detail, names).text)
        case "fees":
            return _("Fees of %(name)s", name=detail)
        case "host_share":
            return _("Owed to the host %(name)s", name=customer_of(f"host:{detail}", names).text)
    word = _(ACCOUNT_KINDS[kind]) if kind in ACCOUNT_KINDS else kind
    return f"{word} {detail}".strip()


def named(kind: str, detail: str) -> str:
    """Whose account it is, as names of customers are asked for."""
    return f"host:{detail}" if kind == "host_share" else detail


def who(code: str, names: Mapping[str, str]) -> str:
    """Who did it: `operator:<id>`, `key:<id>` or the program by itself."""
    if code == "system":
        return _("by itself")
    sort, _colon, value = code.partition(":")
    return names.get(code) or {"operator": _("somebody"), "key": _("a program")}.get(sort, value or code)


def _short(value: str) -> str:
    """The end of an id, which is where ids differ."""
    try:
        return UUID(value).hex[-6:]
    except ValueError:
        return value[-12:]


# ------------------------------------------------------------------------------------------------------------ payments

PURPOSES: Final = {
    "session": N_("Session"),
    "top_up": N_("Top-up of a wallet"),
    "debt": N_("Debt"),
    "invoice": N_("Invoice"),
    "plan_fee": N_("Fee of a plan"),
}
OPERATIONS: Final = {
    "checkout": N_("Open a page to pay on"),
    "hold": N_("Hold"),
    "charge": N_("Take from a stored card"),
    "increase": N_("Hold more"),
    "capture": N_("Take what is due"),
    "release": N_("Let go"),
    "refund": N_("Give back"),
    "start": N_("Start the session"),
    "stop": N_("Stop the session"),
}
FAILURES: Final = {
    "declined": N_("declined"),
    "insufficient_funds": N_("not enough on the card"),
    "expired_card": N_("the card has expired"),
    "authentication_required": N_("the card’s owner has to agree"),
    "not_paid": N_("nobody paid in time"),
    "no_session": N_("no session began"),
    "start_refused": N_("the station refused to start"),
    "station_offline": N_("the station was offline"),
    "hold_expired": N_("the hold ended by itself"),
    "no_answer": N_("the provider did not answer"),
    "not_billed": N_("its session was not billed"),
    "over_hold": N_("it came to more than was held"),
    "disputed": N_("the payer took it back through their bank"),
    "amount_too_small": N_("less than a card can be charged"),
    "method_removed": N_("the stored card was removed"),
    "released": N_("let go"),
}
DIFFERENCES: Final = {
    "unknown_at_ours": N_("The provider has it, we do not know it"),
    "missing_at_provider": N_("We have it, the provider does not"),
    "amount": N_("The amounts differ"),
    "refund": N_("What was given back differs"),
    "clearing": N_("The account with the provider differs"),
    "uncovered": N_("A CDR that payment and debts do not cover"),
    "operation": N_("Something was given up"),
}


def failure_text(code: str | None) -> str:
    """Why a payment came to nothing: our words, or the provider's own."""
    if not code:
        return ""
    return _(FAILURES[code]) if code in FAILURES else code.replace("_", " ")
