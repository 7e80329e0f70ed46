"""Tables that people send as CSV: read with tolerance for how spreadsheets write, and with none for what is unclear."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from ohmstead.core.errors import Invalid

RUNS = ("=", "+", "-", "@", "\t", "\r")
_PHONE = re.compile(r"\+[0-9]{1,3}[0-9 ()/.\-]{3,26}", re.ASCII)


class RowError(Struct, frozen=True):
    """What is wrong in one row. Rows count as a spreadsheet shows them: the header is row 1."""

    row: int
    field: str
    error: str


class TableRow(Struct, frozen=True):
    """A row's cells by column, without the empty ones."""

    number: int
    cells: dict[str, str]


class Table(Struct):
    """The rows that can be read, and what is wrong with the others."""

    rows: list[TableRow]
    errors: list[RowError]


def read_table(data: bytes, required: Sequence[str], optional: Sequence[str], *, max_rows: int) -> Table:
    """CSV with a header: UTF-8 with or without byte order mark; comma, semicolon or tab between cells.

    Raises Invalid when the whole cannot be read: not UTF-8, no header, a column unknown, missing or twice, too many
    rows. A row with a wrong number of cells, a NUL or a formula is an error of that row alone.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"not UTF-8 (byte {error.start}): save the table as CSV UTF-8", field="body") from error
    if not text.strip():
        raise Invalid("the table is empty: its first row names the columns", field="body")
    return table_of(_lines(text), required, optional, max_rows=max_rows)


def table_of(
    lines: Iterator[tuple[int, list[str] | None]], required: Sequence[str], optional: Sequence[str], *, max_rows: int
) -> Table:
    """A table from numbered rows of cells, the header first; None stands for a row that cannot be read. Raises Invalid."""
    header = _header(next(lines, (1, None)), required, optional)
    table = Table([], [])
    for number, cells in lines:
        if len(table.rows) + len(table.errors) >= max_rows:
            raise Invalid(f"more than {max_rows} rows: send them in parts", field="body")
        if cells is None:
            table.errors.append(
                RowError(number, "", "cannot be read: a quotation mark is never closed, or a cell is huge")
            )
        elif any(cell.strip() for cell in cells):
            _add(table, number, header, cells)
    return table


def _lines(text: str) -> Iterator[tuple[int, list[str] | None]]:
    first = text.splitlines()[0]
    delimiter = max(",;\t", key=first.count)
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


def _header(first: tuple[int, list[str] | None], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for name in first[1] or []]
    known = [*required, *optional]
    columns = ", ".join(known)
    if unknown := [name for name in names if name not in known]:
        raise Invalid(f"unknown column {unknown[0][:60]!r}: the columns are {columns}", field="header")
    if missing := [name for name in required if name not in names]:
        raise Invalid(f"column {missing[0]!r} is missing: the columns are {columns}", field="header")
    if twice := [name for name in names if names.count(name) > 1]:
        raise Invalid(f"column {twice[0]!r} is there twice", field="header")
    return names


def _add(table: Table, number: int, header: Sequence[str], cells: Sequence[str]) -> None:
    if len(cells) != len(header):
        table.errors.append(RowError(number, "", f"{len(cells)} cells, and the header has {len(header)}"))
        return
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    for name, cell in row.items():
        if "\x00" in cell:
            table.errors.append(RowError(number, name, "holds the character U+0000"))
            return
        if is_marked_text(cell):
            row[name] = cell[1:]
        elif _is_formula(cell):
            table.errors.append(RowError(number, name, f"begins with {cell[0]!r}, which spreadsheets run as a formula"))
            return
    table.rows.append(TableRow(number, row))


def is_marked_text(cell: str) -> bool:
    """Text that bears the apostrophe by which spreadsheets, and our exports, say that it is no formula."""
    return len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@"


def neutral(text: str) -> str:
    """Text for a cell; what a spreadsheet would run as a formula bears an apostrophe."""
    return "'" + text if text.startswith(RUNS) else text


def _is_formula(cell: str) -> bool:
    if cell[0] in "=@":
        return True
    if cell[0] not in "+-" or _PHONE.fullmatch(cell):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False
