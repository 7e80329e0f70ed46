"""Which open invoices money that came in could pay, and which documents that we owe money that went out. Pure.

Banks cut, wrap and squeeze what payers write: a document's number is found with other signs, or none, between its parts,
never as a part of a longer one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from ohmstead.billing.incoming.model import OpenInvoice, Proposal, Share, Sureness, Told
from ohmstead.core.language import R_

_RUN: Final = re.compile(r"[0-9A-Z]+")
# A number in a text is at most so many runs of letters and digits; shorter ones than SHORTEST also need the amount.
_RUNS: Final = 8
_SHORTEST: Final = 5
MOST: Final = 5
# Words of names that tell nobody from anybody.
_LEGAL: Final = frozenset(
    ("AG", "BV", "CO", "CV", "EG", "EV", "GBR", "GMBH", "INC", "KG", "LLC", "LTD", "NV", "OHG", "PLC", "SA", "SARL", "SAS",
     "SE", "SL", "SPA", "SRL", "UG", "UND", "AND", "THE", "DE", "VAN", "B", "V")
)  # fmt: skip
ZERO: Final = Decimal(0)


class Book:
    """The open documents of a party, ready to be looked up for many lines: what others owe, or what we do."""

    def __init__(self, invoices: Sequence[OpenInvoice]) -> None:
        self.by_number: dict[str, list[OpenInvoice]] = {}
        self.by_amount: dict[tuple[str, Decimal], list[OpenInvoice]] = {}
        self.by_customer: dict[tuple[str, str], list[OpenInvoice]] = {}
        for one in sorted(invoices, key=_age):
            if one.open <= 0:
                continue
            for number in {one.number, one.corrects} - {""}:
                self.by_number.setdefault("".join(runs_of(number)), []).append(one)
            self.by_amount.setdefault((one.currency, one.open), []).append(one)
            self.by_customer.setdefault((one.customer, one.currency), []).append(one)


def propose(told: Told, book: Book) -> list[Proposal]:
    """What it could pay, the surest first, at most `MOST`; nothing where nothing fits.

    What names documents is not guessed at any further. `book`: of what others owe for money that came in, of what we owe
    for money that went out.
    """
    told = replace(told, amount=abs(told.amount))
    named = _named(told, book)
    if named:
        return [_of_named(told, named)]
    found = _by_name(told, book)
    known = {one.shares[0].invoice_id for one in found if len(one.shares) == 1}
    for one in book.by_amount.get((told.currency, told.amount), []):
        if one.invoice_id not in known:
            found.append(_whole("amount", [one], told.amount))
    return found[:MOST]


def is_certain(proposals: Sequence[Proposal]) -> bool:
    """May it be booked without a person? One proposal: one document, named, and paid exactly."""
    return len(proposals) == 1 and proposals[0].sureness == "exact" and len(proposals[0].shares) == 1


def runs_of(text: str) -> list[str]:
    """Its runs of letters and digits, in capitals without accents."""
    plain = unicodedata.normalize("NFKD", text.upper().replace("ß", "SS"))
    return _RUN.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))


def numbers_in(text: str) -> set[str]:
    """What in a text names a document by itself, without what stands between its parts."""
    return {joined for joined in _joined(text) if _is_long(joined)}


def _joined(text: str) -> Iterator[str]:
    runs = runs_of(text)
    for first in range(len(runs)):
        joined = ""
        for run in runs[first : first + _RUNS]:
            joined += run
            yield joined


def _is_long(joined: str) -> bool:
    return len(joined) >= _SHORTEST and any(letter.isdigit() for letter in joined)


def _named(told: Told, book: Book) -> list[OpenInvoice]:
    found: dict[str, OpenInvoice] = {}
    for joined in _joined(told.text):
        for one in book.by_number.get(joined, ()):
            if one.currency == told.currency and (_is_long(joined) or one.open == told.amount):
                found[one.number] = one
    return sorted(found.values(), key=_age)


def _of_named(told: Told, named: Sequence[OpenInvoice]) -> Proposal:
    in_all = sum((one.open for one in named), ZERO)
    is_elsewhere = any(one.iban and told.payee_iban not in ("", one.iban) for one in named)
    return _whole("exact" if told.amount == in_all and not is_elsewhere else "named", named, told.amount)


def _by_name(told: Told, book: Book) -> list[Proposal]:
    """Documents of those whose name or account the line has, where one of them, or all together, come to the amount."""
    words = set(runs_of(told.payer)) - _LEGAL
    found = []
    for (_, currency), theirs in book.by_customer.items():
        is_theirs = bool(told.payee_iban) and any(one.iban == told.payee_iban for one in theirs)
        if currency != told.currency or not (is_theirs or _is_them(words, theirs)):
            continue
        fitting = [one for one in theirs if one.open == told.amount]
        found += [_whole("likely", [one], told.amount) for one in fitting]
        if not fitting and len(theirs) > 1 and sum((one.open for one in theirs), ZERO) == told.amount:
            found.append(_whole("likely", theirs, told.amount))
    return found


def _is_them(words: set[str], theirs: Sequence[OpenInvoice]) -> bool:
    for name in {one.buyer_name for one in theirs}:
        wanted = set(runs_of(name)) - _LEGAL
        if wanted and wanted <= words:
            return True
    return False


def _whole(sureness: Sureness, invoices: Sequence[OpenInvoice], amount: Decimal) -> Proposal:
    """Each in turn gets what is open of it, as far as the money goes."""
    shares, left = [], amount
    for one in invoices:
        part = min(one.open, left)
        if part > 0:
            shares.append(Share(invoice_id=one.invoice_id, amount=part))
            left -= part
    numbers = {one.invoice_id: one.number for one in invoices}
    return Proposal(
        sureness=sureness,
        customer=invoices[0].customer,
        shares=shares,
        numbers=[numbers[share.invoice_id] for share in shares],
        rest=left,
    )


def fault_of(amount: Decimal, shares: Sequence[Share], open_of: Mapping[UUID, Decimal]) -> str | None:
    """Why money cannot be shared out like this; None: it can. `amount`: negative of what went out; `open_of`: what is open
    of each document.
    """
    if len({share.invoice_id for share in shares}) != len(shares):
        return R_("a document is named twice")
    for share in shares:
        if not share.amount.is_finite() or share.amount <= 0:
            return R_("a document gets more than nothing")
        if share.invoice_id not in open_of:
            return R_(f"no invoice {share.invoice_id} in this currency")
        if share.amount > open_of[share.invoice_id]:
            return R_(f"only {open_of[share.invoice_id]} is open of {share.invoice_id}")
    if sum((share.amount for share in shares), ZERO) > abs(amount):
        return R_("that is more than came in") if amount > 0 else R_("that is more than went out")
    return None


def _age(one: OpenInvoice) -> tuple[object, object, str]:
    return (one.due_on or one.issued_on, one.issued_on, one.number)
