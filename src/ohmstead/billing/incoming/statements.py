"""Statements of banks as files: CSV as banks export it, and ISO 20022 camt.053 in any version. Pure; files are hostile.

Only what is booked counts: what is announced is passed over and counted. Money that went out is below nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from msgspec import Struct

from ohmstead.billing.incoming.model import StatementColumns, StatementFault, Told
from ohmstead.billing.ledger.entries import exact_minor
from ohmstead.core.errors import Invalid, OhmsteadError
from ohmstead.core.money import Money
from ohmstead.core.texts import checked

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_ROWS: Final = 20_000
_NAMESPACE: Final = re.compile(r"^\{urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.\d{2}\}Document$")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
# Whether money came in or went out, as an entry says it.
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,5})?", re.ASCII)
_NO_REF: Final = frozenset({"", "NONREF", "NOTPROVIDED", "NOREF", "-"})
_DAYS: Final = {
    "2026-03-31": "%Y-%m-%d", "31.03.2026": "%d.%m.%Y", "31/03/2026": "%d/%m/%Y", "03/31/2026": "%m/%d/%Y",
    "31-03-2026": "%d-%m-%Y", "31.03.26": "%d.%m.%y",
}  # fmt: skip


class Statement(Struct, kw_only=True):
    """What a file says: (row, line), what is wrong with others, and how many were passed over."""

    lines: list[tuple[int, Told]]
    faults: list[StatementFault]
    n_passed_over: int = 0


def key_of(told: Told, nth: int = 0) -> str:
    """What a line is known by: the bank's reference at its account with amount and day, else all that it says.

    `nth`: how many lines of the same file said the same before; two people may pay the same on a day. Of lines with a
    reference it is always 0.
    """
    said = [told.account, told.bank_ref, str(told.booked_on), format(told.amount.normalize(), "f"), told.currency]
    if not told.bank_ref:
        said += [told.payer, told.text, str(nth)]
    digest = hashlib.sha256("\x1f".join(said).encode()).hexdigest()
    return f"{'ref' if told.bank_ref else 'hash'}:{digest}"


def keyed(lines: list[tuple[int, Told]]) -> list[tuple[str, Told]]:
    """Each line with its key; lines with a reference that the file has twice once."""
    seen: dict[str, int] = {}
    found: dict[str, Told] = {}
    for _, told in lines:
        first = key_of(told)
        nth = seen.get(first, 0)
        seen[first] = nth + 1
        found.setdefault(key_of(told, nth), told)
    return list(found.items())


def is_xml(data: bytes) -> bool:
    """Does it look like XML rather than a table?"""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _line(amount: Decimal, currency: str, booked_on: date, texts: dict[str, str]) -> Told:
    """Raises Invalid."""
    if not _CURRENCY.fullmatch(currency):
        raise Invalid(f"{currency[:10]!r} is no currency", field="currency")
    if not exact_minor(amount, currency):
        raise Invalid("nothing came in or went out", field="amount")
    shown = {name: checked(" ".join(text.split()), name)[: _LONGEST[name]] for name, text in texts.items()}
    if shown["bank_ref"].upper() in _NO_REF:
        shown["bank_ref"] = ""
    return Told(amount=Money(amount, currency).rounded().amount, currency=currency, booked_on=booked_on, **shown)


_LONGEST: Final = {"payer": 200, "text": 1000, "bank_ref": 100, "account": 40, "payee_iban": 34}


# ---------------------------------------------------------------------------------------------------------------- CSV


def header_of(data: bytes) -> list[str]:
    """The columns of a table. Raises Invalid."""
    return next(_cells(data), (1, []))[1] or []


def read_csv(data: bytes, columns: StatementColumns) -> Statement:
    """A table with a header. Raises Invalid where the whole cannot be read; a row that cannot is a fault of its own."""
    rows = _cells(data)
    header = [name.strip() for name in (next(rows, (1, None))[1] or [])]
    wanted = {
        name: getattr(columns, name)
        for name in ("booked_on", "amount", "currency", "payer", "text", "bank_ref", "payee_iban")
        if getattr(columns, name)
    }
    for column in wanted.values():
        if header.count(column) != 1:
            why = "is there twice" if column in header else "is missing"
            raise Invalid(f"column {column[:60]!r} {why}", field="columns")
    places = {name: header.index(column) for name, column in wanted.items()}
    found = Statement(lines=[], faults=[])
    for number, cells in rows:
        if cells is not None and not any(cell.strip() for cell in cells):
            continue
        _too_many(len(found.lines) + len(found.faults) + found.n_passed_over)
        if cells is None or len(cells) != len(header):
            found.faults.append(StatementFault(row=number, error=f"has not the header's {len(header)} cells"))
            continue
        try:
            _row(found, number, {name: cells[place].strip() for name, place in places.items()}, columns)
        except OhmsteadError as error:
            found.faults.append(StatementFault(row=number, error=error.text))
    return found


def _row(found: Statement, number: int, cells: dict[str, str], columns: StatementColumns) -> None:
    amount = _amount(cells["amount"], columns.decimal)
    if not amount:
        found.n_passed_over += 1
        return
    try:
        day = datetime.strptime(cells["booked_on"], _DAYS[columns.days]).date()  # noqa: DTZ007  (a day, no moment)
    except ValueError:
        raise Invalid(f"{cells['booked_on'][:20]!r} is no day like {columns.days}", field="booked_on") from None
    currency = (cells.get("currency") or columns.default_currency).upper()
    if not currency:
        raise Invalid("names no currency", field="currency")
    texts = {name: cells.get(name, "") for name in ("payer", "text", "bank_ref")} | {"account": ""}
    texts["payee_iban"] = _iban(cells.get("payee_iban", "")) if amount < 0 else ""
    found.lines.append((number, _line(amount, currency, day, texts)))


def _iban(text: str) -> str:
    """An account as documents name it; empty for what is none, as an account by its national number."""
    plain = "".join(text.split()).upper()
    return plain if _IBAN.fullmatch(plain) else ""


def _amount(text: str, decimal: str) -> Decimal:
    plain = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "").replace("'", "").replace("−", "-")
    thousands = "," if decimal == "." else "."
    whole, sign, cents = plain.partition(decimal)
    groups = whole.lstrip("+-").split(thousands)
    if len(groups) > 1 and (not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:])):
        raise Invalid(f"{text[:30]!r} is no amount with {decimal!r} before the cents", field="amount")
    plain = whole.replace(thousands, "") + ("." + cents if sign else "")
    if not _NUMBER.fullmatch(plain):
        raise Invalid(f"{text[:30]!r} is no amount with {decimal!r} before the cents", field="amount")
    return Decimal(plain)


def _cells(data: bytes) -> Iterator[tuple[int, list[str] | None]]:
    text = _text(data)
    delimiter = max(",;\t", key=(text.splitlines() or [""])[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, None
            return


def _text(data: bytes) -> str:
    """UTF-8, else as Windows writes in western Europe, as many banks do."""
    _not_too_big(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            raise Invalid("is neither UTF-8 nor Windows-1252", field="body") from None
    if not text.strip():
        raise Invalid("is empty", field="body")
    return text


# ------------------------------------------------------------------------------------------------------------ camt.053


def read_camt(data: bytes) -> Statement:
    """ISO 20022 camt.053 (BankToCustomerStatement); entries with several transactions are several lines.

    Raises Invalid where the whole cannot be read.
    """
    _not_too_big(data)
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise Invalid("is no XML that can be read", field="body") from None
    if not _NAMESPACE.fullmatch(root.tag):
        raise Invalid("is no camt.053 statement", field="body")
    for one in root.iter():
        if isinstance(one.tag, str):
            one.tag = one.tag.rpartition("}")[2]
    found = Statement(lines=[], faults=[])
    number = 0
    for statement in root.iterfind("BkToCstmrStmt/Stmt"):
        account = _said(statement, "Acct/Id/IBAN") or _said(statement, "Acct/Id/Othr/Id")
        for entry in statement.iterfind("Ntry"):
            number += 1
            _too_many(number)
            try:
                _entry(found, number, entry, account)
            except OhmsteadError as error:
                found.faults.append(StatementFault(row=number, error=error.text))
    return found


def _entry(found: Statement, number: int, entry: Any, account: str) -> None:
    status = _said(entry, "Sts/Cd") or _said(entry, "Sts")
    if status != "BOOK":
        found.n_passed_over += 1
        return
    sign = _SIGNS.get(_said(entry, "CdtDbtInd"))
    if sign is None:
        raise Invalid("does not say whether it came in or went out", field="amount")
    amount, currency = _money(entry.find("Amt"))
    day = _day(entry)
    ref = _said(entry, "AcctSvcrRef")
    parts = list(entry.iterfind("NtryDtls/TxDtls"))
    if len(parts) < 2:
        found.lines.append(
            (
                number,
                _line(sign * amount, currency, day, _texts(entry, parts[0] if parts else None, ref, account, sign)),
            )
        )
        return
    sums = [
        _money(part.find("Amt") if part.find("Amt") is not None else part.find("AmtDtls/TxAmt/Amt")) for part in parts
    ]
    if any(one[1] != currency for one in sums) or sum((one[0] for one in sums), Decimal(0)) != amount:
        raise Invalid("its transactions do not come to its amount", field="amount")
    made = []
    for place, (part, (one, _)) in enumerate(zip(parts, sums, strict=True), start=1):
        own = _said(part, "Refs/AcctSvcrRef") or (f"{ref}/{place}" if ref.upper() not in _NO_REF else "")
        own = f"{own}/{place}" if own == ref else own
        made.append((number, _line(sign * one, currency, day, _texts(entry, part, own, account, sign))))
    found.lines += made


def _texts(entry: Any, part: Any, ref: str, account: str, sign: int) -> dict[str, str]:
    texts = {"payer": "", "text": _said(entry, "AddtlNtryInf"), "bank_ref": ref, "account": account, "payee_iban": ""}
    if part is None:
        return texts
    other = "Dbtr" if sign > 0 else "Cdtr"
    texts["payer"] = (
        _said(part, f"RltdPties/{other}/Nm")
        or _said(part, f"RltdPties/{other}/Pty/Nm")
        or _said(part, f"RltdPties/Ultmt{other}/Nm")
        or _said(part, f"RltdPties/Ultmt{other}/Pty/Nm")
    )
    if sign < 0:
        texts["payee_iban"] = _iban(_said(part, "RltdPties/CdtrAcct/Id/IBAN"))
    told = [one.text or "" for one in part.iterfind("RmtInf/Ustrd")]
    told += [one.text or "" for one in part.iterfind("RmtInf/Strd/CdtrRefInf/Ref")]
    told += [one.text or "" for one in part.iterfind("RmtInf/Strd/RfrdDocInf/Nb")]
    told += [one.text or "" for one in part.iterfind("RmtInf/Strd/AddtlRmtInf")]
    end_to_end = _said(part, "Refs/EndToEndId")
    if end_to_end.upper() not in _NO_REF:
        told.append(end_to_end)
    texts["text"] = " ".join(one for one in told if one.strip()) or texts["text"]
    if not texts["bank_ref"]:
        texts["bank_ref"] = _said(part, "Refs/AcctSvcrRef")
    return texts


def _money(amount: Any) -> tuple[Decimal, str]:
    if amount is None:
        raise Invalid("has no amount", field="amount")
    text = (amount.text or "").strip()
    try:
        if not _NUMBER.fullmatch(text):
            raise InvalidOperation
        found = Decimal(text)
        if found < 0:
            raise InvalidOperation
        return found, str(amount.get("Ccy", ""))
    except InvalidOperation:
        raise Invalid(f"{text[:30]!r} is no amount", field="amount") from None


def _day(entry: Any) -> date:
    text = _said(entry, "BookgDt/Dt") or _said(entry, "BookgDt/DtTm") or _said(entry, "ValDt/Dt")
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise Invalid("has no day", field="booked_on") from None


def _said(element: Any, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _not_too_big(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise Invalid(f"is more than {MAX_BYTES // 1024 // 1024} MB", field="body")


def _too_many(n: int) -> None:
    if n >= MAX_ROWS:
        raise Invalid(f"has more than {MAX_ROWS} rows: send it in parts", field="body")
