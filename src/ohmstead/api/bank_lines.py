"""/bank-lines: money that came in or went out by bank, which documents it could pay, and what it was booked for."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct, field

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    TheBus,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.billing.incoming import queries, service
from ohmstead.billing.incoming.model import (
    BankBooking,
    BankLine,
    BankLineMatch,
    BookingReversal,
    IncomingSetting,
    InvoicePayment,
    LineState,
    NewBankLine,
    NewBooking,
    Reminder,
    SetAside,
    StatementReport,
)
from ohmstead.billing.incoming.queries import LineFilter
from ohmstead.billing.incoming.statements import MAX_BYTES
from ohmstead.billing.invoices import queries as documents
from ohmstead.billing.invoices.model import InvoiceStanding
from ohmstead.core.db import Connection, trial
from ohmstead.core.events import NUDGE

LINES = Keyset(item=BankLine, type=tuple[date, UUID], of=lambda line: (line.booked_on, line.line_id))


class BankLineQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of bank lines."""

    state: Annotated[LineState | None, Meta(description="In this state; open: neither booked nor set aside.")] = None
    currency: Annotated[str, Meta(description="In this currency.", min_length=3, max_length=3)] | None = None
    words: Annotated[str, Meta(description="Found in payer, text or reference.", max_length=100)] | None = field(
        default=None, name="q"
    )
    since: Annotated[date | None, Meta(description="Booked by the bank on this day or later.")] = field(
        default=None, name="from"
    )
    until: Annotated[date | None, Meta(description="Booked by the bank before this day.")] = field(
        default=None, name="to"
    )
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class StatementQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How to take a statement in."""

    dry_run: Annotated[bool, Meta(description="Report what would happen, and change nothing.")] = False


class PaidInvoice(Struct, frozen=True, kw_only=True):
    """How a document stands, and what paid it after it was issued."""

    standing: InvoiceStanding
    payments: Annotated[list[InvoicePayment], Meta(description="Oldest first; negative: taken back.")]
    reminders: Annotated[list[Reminder], Meta(description="Which were sent of it.")]


@get("/bank-lines", opt=operation("billing:read", exports=(CSV, NDJSON)))
async def list_bank_lines(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[BankLineQuery]
) -> Response[Page[BankLine]]:
    """List money that came in by bank, or went out (negative), the latest day first."""
    names = ("state", "currency", "words", "since", "until")
    wanted = LineFilter(**{name: getattr(filters, name) for name in names})

    async def fetch(conn: Connection, after: Any, limit: int) -> list[BankLine]:
        return await queries.list_lines(conn, actor.party_id, wanted, before=after, limit=limit)

    return await listed(request, pool, LINES, fetch, filters, name="bank-lines")


@post("/bank-lines", status_code=201, opt=operation("billing:write", errors=(409,)))
async def record_bank_line(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewBankLine]
) -> Response[BankLine]:
    """Record money that came in, or went out (negative). What a statement tells again later is known by its reference."""
    async with pool.acquire() as conn, conn.transaction():
        made = await service.record_line(conn, actor, given)
    await bus.publish(NUDGE, {})
    return answer(made, status=201, headers={"Location": f"/api/v1/bank-lines/{made.line_id}"})


@post(
    "/bank-lines/statements",
    status_code=200,
    request_max_body_size=MAX_BYTES,
    opt=operation("billing:write", takes="application/octet-stream"),
)
async def import_bank_statement(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, filters: NamedDependency[StatementQuery]
) -> Response[StatementReport]:
    """Take in a bank's statement: ISO 20022 camt.053, or CSV with the columns that are set in the settings.

    Lines that were taken in before are passed over, so the same file a second time changes nothing. Rows that cannot be
    read are told, the others count.
    """
    data = await request.body()
    async with pool.acquire() as conn, trial(conn, is_kept=not filters.dry_run):
        report = await service.import_statement(conn, actor, data)
    report.is_dry_run = filters.dry_run
    if not filters.dry_run:
        await bus.publish(NUDGE, {})
    return answer(report)


@get("/bank-lines/{line_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_bank_line(pool: ThePool, actor: TheActor, line_id: FromPath[UUID]) -> Response[BankLineMatch]:
    """Read a line with the documents that it could pay, and with what it was booked for.

    Money that went out pays what we owe: statements to hosts, and credit notes that nothing paid back.
    """
    async with pool.acquire() as conn:
        return answer(await service.get_view(conn, actor.party_id, line_id))


@post("/bank-lines/{line_id:uuid}/booking", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def book_bank_line(
    pool: ThePool, bus: TheBus, actor: TheActor, line_id: FromPath[UUID], given: NamedDependency[NewBooking]
) -> Response[BankBooking]:
    """Book a line: so much of it pays each of the documents, the rest stays to a customer's credit.

    Of money that went out, the rest is owed to us by who got it, a customer or `host:<id>`, or is what the bank took for itself
    (`fees:bank`).
    """
    async with pool.acquire() as conn, conn.transaction():
        made = await service.book(conn, actor, line_id, given)
    await bus.publish(NUDGE, {})
    return answer(made, status=201)


@post("/bank-lines/{line_id:uuid}/reversal", status_code=200, opt=operation("billing:write", errors=(404, 409)))
async def reverse_bank_booking(
    pool: ThePool, bus: TheBus, actor: TheActor, line_id: FromPath[UUID], given: NamedDependency[BookingReversal]
) -> Response[BankLine]:
    """Take a wrong booking back by another entry. Its documents are open again, and the line can be booked anew."""
    async with pool.acquire() as conn, conn.transaction():
        line = await service.reverse(conn, actor, line_id, given)
    await bus.publish(NUDGE, {})
    return answer(line)


@post("/bank-lines/{line_id:uuid}/set-aside", status_code=200, opt=operation("billing:write", errors=(404, 409)))
async def set_bank_line_aside(
    pool: ThePool, actor: TheActor, line_id: FromPath[UUID], given: NamedDependency[SetAside]
) -> Response[BankLine]:
    """Say that a line pays no document, and why; it is not booked."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.set_aside(conn, actor, line_id, given))


@post("/bank-lines/{line_id:uuid}/take-up", status_code=200, opt=operation("billing:write", errors=(404, 409)))
async def take_bank_line_up(pool: ThePool, actor: TheActor, line_id: FromPath[UUID]) -> Response[BankLine]:
    """Open a line again that was set aside."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.take_up(conn, actor, line_id))


@get("/bank-line-settings", opt=operation("billing:read"))
async def get_bank_line_settings(pool: ThePool, actor: TheActor) -> Response[IncomingSetting]:
    """Read how bank lines are taken in: columns of CSV, whether certain ones are booked by themselves, reminders."""
    async with pool.acquire() as conn:
        return answer(await service.get_setting(conn, actor.party_id))


@put("/bank-line-settings", opt=operation("billing:write") | {"needs_proof": True})
async def set_bank_line_settings(
    pool: ThePool, actor: TheActor, given: NamedDependency[IncomingSetting]
) -> Response[IncomingSetting]:
    """Set how bank lines are taken in, and when customers are reminded of invoices, from now on."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await service.set_setting(conn, actor, given))


@get("/invoices/{invoice_id:uuid}/payments", opt=operation("billing:read", errors=(404,)))
async def get_invoice_payments(pool: ThePool, actor: TheActor, invoice_id: FromPath[UUID]) -> Response[PaidInvoice]:
    """Read how a document stands today, and what paid it after it was issued: statements to hosts and credit notes we pay."""
    async with pool.acquire() as conn:
        standing = await documents.get_standing(conn, actor.party_id, invoice_id)
        found = await queries.list_payments_of(conn, actor.party_id, invoice_id)
        reminders = await queries.list_reminders_of(conn, actor.party_id, invoice_id)
    return answer(PaidInvoice(standing=standing, payments=found, reminders=reminders))


HANDLERS = [
    list_bank_lines,
    record_bank_line,
    import_bank_statement,
    get_bank_line,
    book_bank_line,
    reverse_bank_booking,
    set_bank_line_aside,
    take_bank_line_up,
    get_bank_line_settings,
    set_bank_line_settings,
    get_invoice_payments,
]
