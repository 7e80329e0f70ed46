"""Workbooks (XLSX) that people send and take away: read into the same CSV that tables are, written from rows."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ohmstead.core.errors import Invalid

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_UNPACKED = 256 * 1024 * 1024
MOST_PARTS = 2000
MOST_COLUMNS = 100
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_UNWRITABLE = dict.fromkeys(n for n in range(32) if chr(n) not in "\t\n\r")


def is_workbook(data: bytes) -> bool:
    """Does it begin as a workbook does (a ZIP archive)?"""
    return data.startswith(b"PK\x03\x04")


def as_csv(data: bytes, *, max_rows: int) -> bytes:
    """The first sheet as CSV, row by row, so that rows count as the spreadsheet shows them. Blocks.

    A formula stays the text of the formula, for the reader of the table to refuse. Raises Invalid for what is no
    workbook, unpacks to too much, or has more than `max_rows` rows below its header.
    """
    from openpyxl import load_workbook  # only who has a workbook pays for it

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise Invalid("the workbook unpacks to too much: send a smaller one", field="body")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        try:
            return _sheet(book.worksheets[0], max_rows)
        finally:
            book.close()
    except Invalid:
        raise
    except Exception as error:
        # The library answers damage with whatever its parts raise.
        raise Invalid("not a workbook (XLSX) that can be read: save it anew, or as CSV UTF-8", field="body") from error


def _sheet(sheet: Any, max_rows: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    width = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS), 1):
        cells = [_text(value) for value in row]
        if number == 1:
            width = max((n for n, cell in enumerate(cells, 1) if cell), default=0)
        if number > max_rows + 1 and any(cells):
            raise Invalid(f"more than {max_rows} rows: send them in parts", field="body")
        if number <= max_rows + 1:
            # Sheets remember cells that once were used: empty ones beyond the header are none.
            beyond = [cell for cell in cells[width:] if cell]
            writer.writerow([*(cells[:width] + [""] * (width - len(cells))), *beyond])
    return text.getvalue().encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def workbook(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """One sheet with a header. Text stays text: no cell of it is a formula. Blocks."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet(name[:31])
    sheet.freeze_panes = "A2"

    def cell(value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Decimal):
            return float(value)
        if isinstance(value, datetime):
            return value.isoformat()
        text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        made = WriteOnlyCell(sheet, value=text.translate(_UNWRITABLE)[:32_000])
        if text.startswith(_RUNS):
            made.data_type = "s"
            made.style = "Normal"
            made.quotePrefix = True
        return made

    sheet.append(list(columns))
    for row in rows:
        sheet.append([cell(value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
