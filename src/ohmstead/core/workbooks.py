"""Spreadsheets (XLSX): read with the tolerance and the distrust of `tables`, and written so that nothing in them runs.

A workbook is an archive of XML. Before it is opened it is looked at: how much is in it, and whether any part declares
entities, which nothing that a spreadsheet writes does. The library is loaded with the first workbook: most processes never
see one.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

from ohmstead.core.errors import Invalid
from ohmstead.core.tables import RUNS, is_marked_text, neutral

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_PARTS = 200
MOST_UNPACKED_BYTES = 48 * 1024 * 1024
MOST_ROWS = 20_000
MOST_COLUMNS = 100

Lines: TypeAlias = list[tuple[int, list[str] | None]]


def is_workbook(data: bytes) -> bool:
    """Does it begin as an archive does?"""
    return data.startswith(b"PK\x03\x04")


def read_workbook(data: bytes) -> dict[str, Lines]:
    """The rows of each sheet as text, by the sheet's name; empty rows are left out, empty cells are "".

    Raises Invalid for what is no workbook, or holds more than a table can.
    """
    from openpyxl import load_workbook

    _check_archive(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        try:
            return {sheet.title: list(_rows(sheet)) for sheet in book.worksheets}
        finally:
            book.close()
    except Invalid:
        raise
    except Exception as error:  # what a damaged archive raises in the library is of every kind
        raise Invalid("the workbook is damaged: save it anew as XLSX, or as CSV UTF-8", "body") from error


def first_sheet(sheets: dict[str, Lines], name: str) -> Iterator[tuple[int, list[str] | None]]:
    """The sheet called `name`, in whatever case, else the first one with something in it."""
    for title, lines in sheets.items():
        if title.strip().lower() == name.lower():
            return iter(lines)
    return iter(next((lines for lines in sheets.values() if lines), []))


def as_csv(lines: Iterable[tuple[int, list[str] | None]]) -> str:
    """A sheet's rows as a CSV table, each as far below the header as it is in the sheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    before = None
    for number, cells in lines:
        text.write("\n" * (number - before - 1 if before is not None else 0))
        writer.writerow(cells or [])
        before = number
    return text.getvalue()


def write_workbook(sheets: dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]]) -> bytes:
    """A workbook of sheets, each a header and its rows. Text that would run as a formula is marked with an apostrophe."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    for title, (header, rows) in sheets.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        heads = []
        for n, name in enumerate(header, 1):
            head = WriteOnlyCell(sheet, value=name)
            head.font = Font(bold=True)
            heads.append(head)
            sheet.column_dimensions[_letters(n)].width = max(12, len(name) + 2)
        sheet.append(heads)
        for row in rows:
            sheet.append([_written(value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _letters(n: int) -> str:
    text = ""
    while n:
        n, rest = divmod(n - 1, 26)
        text = chr(65 + rest) + text
    return text


def _written(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.isoformat() if isinstance(value, datetime | date) else str(value)
    if not text.isprintable():
        text = "".join(letter for letter in text if letter >= " " or letter in "\t\n\r")
    return neutral(text)


def _check_archive(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES:
                raise Invalid("the workbook holds more than a table can", "body")
            if not any(part.filename == "[Content_Types].xml" for part in parts):
                raise Invalid("an archive, and no workbook: send XLSX or CSV", "body")
            for part in parts:
                if part.filename.endswith((".xml", ".rels")) and _declares(archive.read(part)):
                    raise Invalid("the workbook declares entities, which is not taken", "body")
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Invalid("the workbook is damaged: save it anew as XLSX, or as CSV UTF-8", "body") from error


def _declares(xml: bytes) -> bool:
    # In UTF-16 the words would look otherwise: no spreadsheet writes it.
    return b"<!DOCTYPE" in xml or b"<!ENTITY" in xml or xml.startswith((b"\xff\xfe", b"\xfe\xff"))


def _rows(sheet: Any) -> Iterator[tuple[int, list[str] | None]]:
    width = 0
    for number, row in enumerate(sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS), 1):
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if number > MOST_ROWS:
            raise Invalid(f"more than {MOST_ROWS} rows: send them in parts", "body")
        width = width or len(cells)
        yield number, cells + [""] * (width - len(cells))


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        return "=" + str(getattr(value, "text", value)).removeprefix("=")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value).strip()
    # It was typed as text, and is taken as text.
    return "'" + text if text.startswith(RUNS) and isinstance(value, str) and not is_marked_text(text) else text
