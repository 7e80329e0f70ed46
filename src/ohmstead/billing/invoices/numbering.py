"""Numbers of documents: a range for each kind (and year, where the number names it), without gaps. Pure."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from msgspec import Struct

from ohmstead.billing.invoices.model import DocumentKind
from ohmstead.core.errors import Invalid

FORMATS: Final[dict[DocumentKind, str]] = {
    "receipt": "R-{year}-{n:06}",
    "invoice": "I-{year}-{n:06}",
    "statement": "S-{year}-{n:06}",
    "credit_note": "C-{year}-{n:06}",
    "self_billing": "B-{year}-{n:06}",
}
_SLOT: Final = re.compile(r"\{(year|n)(?::0(\d))?\}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9 ./_-]*")
MOST: Final = 40


class Format(Struct, frozen=True):
    """How a number is written: texts, and what stands between them."""

    text: str

    @property
    def has_year(self) -> bool:
        """Does the range begin anew each year?"""
        return "{year}" in self.text

    def year_of(self, issued_on: date) -> int:
        """Whose year's range a document's number comes from; 0: the one range that there is."""
        return issued_on.year if self.has_year else 0

    def number(self, issued_on: date, n: int) -> str:
        """`R-2026-000042`."""

        def filled(slot: re.Match[str]) -> str:
            value = issued_on.year if slot[1] == "year" else n
            return f"{value:0{slot[2]}d}" if slot[2] else str(value)

        return _SLOT.sub(filled, self.text)

    @property
    def shape(self) -> str:
        """What two formats must not share: with it, numbers of one kind could be numbers of the other."""
        return _SLOT.sub(lambda slot: "#" if slot[1] == "year" else "*", self.text).casefold()


def format_of(text: str) -> Format:
    """Raises Invalid for a format without the number, or with what a number cannot hold."""
    text = text.strip()
    if len(text) > MOST:
        raise Invalid(f"at most {MOST} characters", field="format")
    slots = [slot[1] for slot in _SLOT.finditer(text)]
    if slots.count("n") != 1 or slots.count("year") > 1:
        raise Invalid("it holds {n} once, as {n:06}, and {year} at most once", field="format")
    if not _PLAIN.fullmatch(_SLOT.sub("", text)):
        raise Invalid("beside {year} and {n} only letters, digits, spaces and . / _ - are taken", field="format")
    if re.search(r"\{year:", text):
        raise Invalid("it holds {n} once, as {n:06}, and {year} at most once", field="format")
    if re.search(r"\{year\}\{n|\{n(?::0\d)?\}\{year|\d\{n|\{n(?::0\d)?\}\d", text):
        raise Invalid("something that is no digit stands on both sides of {n}", field="format")
    return Format(text)
