"""Tokens from a table: pasted, or a file as CSV or workbook; rehearsed first, then taken in as chosen."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile

from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened
from ohmstead.core.db import trial
from ohmstead.core.errors import Invalid
from ohmstead.core.events import NUDGE
from ohmstead.core.workbooks import as_csv, first_sheet, is_workbook, read_workbook
from ohmstead.tokens.register import service as register
from ohmstead.ui.templating import page

MAX_TABLE_BYTES = 8 * 1024 * 1024


@get("/tokens/import")
async def import_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Where a table is pasted or picked."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:write")
    return _page(request)


@post("/tokens/import", status_code=200, request_max_body_size=MAX_TABLE_BYTES, opt={"takes_small_files": True})
async def import_table(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[str]:
    """First a rehearsal that changes nothing and reports every row; then, on a second press, the same for good."""
    allow(actor, "tokens:write")
    form = await request.form()
    is_rehearsal = form.get("step") != "import"
    all_or_none = form.get("rows") == "all"
    table, report, error = str(form.get("table", "")), None, ""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "tokens:write")
        try:
            table = await _picked(form.get("file")) or table
            async with trial(conn, is_kept=not is_rehearsal):
                report = await register.import_tokens(conn, actor, table.encode(), all_or_none=all_or_none)
        except Invalid as invalid:
            error = invalid.text
    if report is not None and report.is_kept and not is_rehearsal:
        await bus.publish(NUDGE, {})
    return _page(request, table, report, error, is_rehearsal=is_rehearsal, all_or_none=all_or_none)


async def _picked(file: Any) -> str | None:
    """The text of a file that was picked, a workbook's sheet as CSV; None for none. Raises Invalid."""
    if not isinstance(file, UploadFile) or not file.filename:
        return None
    data = await file.read()
    if is_workbook(data):
        return as_csv(first_sheet(await asyncio.to_thread(read_workbook, data), register.SHEET))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"not UTF-8 (byte {error.start}): save the table as CSV UTF-8", field="body") from error


def _page(
    request: PageRequest,
    table: str = "",
    report: register.TokenReport | None = None,
    error: str = "",
    *,
    is_rehearsal: bool = True,
    all_or_none: bool = False,
) -> Response[str]:
    return page(
        request,
        "console/token_import.html",
        status=422 if error else 200,
        columns=register.COLUMNS,
        table=table,
        report=report,
        is_rehearsal=is_rehearsal,
        all_or_none=all_or_none,
        error=error,
    )


HANDLERS = [import_page, import_table]
