"""Tables for spreadsheets: CSV in UTF-8 with a byte order mark, or XLSX, and no cell that a spreadsheet would run."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence, Sized
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.response import Stream

from ohmstead.core.errors import Refused
from ohmstead.core.workbooks import MEDIA_TYPE, write_workbook

Rows = TypeVar("Rows", bound=Sized)
_CSV = "text/csv; charset=utf-8"
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


def whole(rows: Rows, most: int) -> Rows:
    """The rows, where they are all there is: one more than `most` was asked for. Raises Refused where there are more; a
    file that lacks rows without saying so is worse than none."""
    if len(rows) > most:
        raise Refused(f"there are more than {most} rows for one file: ask for fewer days, or take them from the API")
    return rows


def csv_stream(name: str, columns: Sequence[str], pieces: AsyncIterable[Iterable[Sequence[Any]]]) -> Stream:
    """A file to download that is written while its rows are read; `name` is ours, without extension."""

    async def text() -> AsyncIterator[bytes]:
        yield _lines([columns]).encode("utf-8-sig")
        async for rows in pieces:
            yield _lines([cell(value) for value in row] for row in rows).encode()

    return Stream(text(), media_type=_CSV, headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response[bytes]:
    """A file to download; `name` is ours, without extension."""
    text = _lines([columns]) + _lines([cell(value) for value in row] for row in rows)
    return Response(
        text.encode("utf-8-sig"),
        media_type=_CSV,
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


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
