"""Tables for spreadsheets: CSV in UTF-8 with a byte order mark, or XLSX, and no cell that a spreadsheet would run."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from litestar import Request, Response

from ohmstead.core.workbooks import MEDIA_TYPE, write_workbook

_RUNS = ("=", "+", "-", "@", "\t", "\r")


def cell(value: Any) -> str:
    """A value as text. Text that would start a formula is marked with an apostrophe, as spreadsheets do themselves."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_RUNS) else value
    if isinstance(value, list | tuple):
        return cell(" ".join(str(part) for part in value))
    return str(value)


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response[bytes]:
    """A file to download; `name` is ours, without extension."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return Response(
        text.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def table_response(
    request: Request[Any, Any, Any], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Response[bytes]:
    """A file to download, called as its address ends: `/tokens.xlsx` is a workbook, `/tokens.csv` CSV."""
    name, _, form = request.scope["path"].rpartition("/")[2].rpartition(".")
    if form != "xlsx":
        return csv_response(name, columns, rows)
    sheet: dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]] = {
        name.capitalize(): (columns, [[_plain(value) for value in row] for row in rows])
    }
    return Response(
        await asyncio.to_thread(write_workbook, sheet),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}.xlsx"'},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return " ".join(str(part) for part in value) if isinstance(value, list | tuple) else value
