"""/invoice-runs and /invoice-previews: a month's documents, looked at before and made."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    ApiRequest,
    Form,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.billing.invoices import runs
from ohmstead.billing.invoices.runs import InvoicePreview, InvoiceRun, NewRun, RunKind
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE

RUNS = Keyset(item=InvoiceRun, type=tuple[datetime, UUID], of=lambda run: (run.asked_at, run.run_id))
PREVIEWS = Keyset(
    item=InvoicePreview, type=tuple[str, str, str], of=lambda one: (one.customer, one.currency, one.tax_country)
)


Month = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}$(?!\n)")]


class PreviewQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of what a run would make."""

    month: Annotated[
        Month | None, Meta(description="`2026-10`; it need not be over. Left out: the last one that is.")
    ] = None
    kind: Annotated[RunKind, Meta(description="For customers, or for hosts.")] = "customers"
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv sends everything that matches.")] = None


@get("/invoice-previews", opt=operation("billing:read", exports=(CSV,)))
async def list_invoice_previews(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PreviewQuery]
) -> Response[Page[InvoicePreview]]:
    """List the documents that a run of a month would make now, by customer. Nothing is issued."""
    month = filters.month or f"{clock.now().replace(day=1) - timedelta(days=1):%Y-%m}"
    given = NewRun(month=month, kind=filters.kind)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[InvoicePreview]:
        return await runs.previews(conn, actor, given, after=after, limit=limit)

    return await listed(request, pool, PREVIEWS, fetch, filters, name=f"invoice-previews-{month}")


@post("/invoice-runs", status_code=202, opt=operation("billing:write", errors=(409,)) | {"needs_proof": True})
async def run_invoices(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewRun]
) -> Response[InvoiceRun]:
    """Have the documents of a month made that is over. What is on a document already is not put on a second one."""
    async with pool.acquire() as conn, conn.transaction():
        asked = await runs.ask(conn, actor, given)
    await bus.publish(NUDGE, {})
    return answer(asked, status=202, headers={"Location": f"/api/v1/invoice-runs/{asked.run_id}"})


@get("/invoice-runs", opt=operation("billing:read"))
async def list_invoice_runs(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[InvoiceRun]]:
    """List runs, newest first, with how far they got."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[InvoiceRun]:
        return await runs.list_runs(conn, actor.party_id, before=after, limit=limit)

    return await listed(request, pool, RUNS, fetch, filters)


@get("/invoice-runs/{run_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_invoice_run(pool: ThePool, actor: TheActor, run_id: FromPath[UUID]) -> Response[InvoiceRun]:
    """Read a run: how far it got, and whom nothing was made for."""
    async with pool.acquire() as conn:
        return answer(await runs.get_run(conn, actor.party_id, run_id))


HANDLERS = [list_invoice_previews, run_invoices, list_invoice_runs, get_invoice_run]
