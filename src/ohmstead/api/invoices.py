"""/invoices: receipts, invoices, statements and credit notes as they were issued; who sells, how they are numbered."""

from datetime import date, datetime
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
    TheSettings,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.api.sites import PDF
from ohmstead.billing.invoices import queries, sellers, service
from ohmstead.billing.invoices.model import (
    CustomerDetails,
    DocumentKind,
    Email,
    Invoice,
    InvoiceRow,
    PaidState,
    Seller,
    Syntax,
)
from ohmstead.billing.invoices.numbering import FORMATS
from ohmstead.billing.invoices.queries import InvoiceFilter
from ohmstead.billing.invoices.sellers import InvoiceCustomer, InvoiceSeller, NumberFormat, NumberRange
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_secret
from ohmstead.notifications import documents

XML = "application/xml"
KEYSET = Keyset(item=InvoiceRow, type=tuple[datetime, UUID], of=lambda one: (one.created_at, one.invoice_id))


class InvoiceQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of documents."""

    kind: Annotated[DocumentKind | None, Meta(description="Of this kind.")] = None
    state: Annotated[PaidState | None, Meta(description="Invoices that stand like this today.")] = None
    customer: Annotated[str, Meta(description="`driver:<id>`, `company:<id>`, `host:<id>` …", max_length=80)] | None = (
        None
    )
    number: Annotated[str, Meta(description="With this number.", max_length=60)] | None = None
    session: Annotated[UUID | None, Meta(description="On which this session stands.")] = None
    cdr: Annotated[UUID | None, Meta(description="On which this CDR stands.")] = None
    run: Annotated[UUID | None, Meta(description="Made by this run.")] = None
    currency: Annotated[str, Meta(description="In this currency.", min_length=3, max_length=3)] | None = None
    open: Annotated[bool | None, Meta(description="true: invoices of which something is open today.")] = None
    since: Annotated[date | None, Meta(description="Issued on this day or later.")] = field(default=None, name="from")
    until: Annotated[date | None, Meta(description="Issued before this day.")] = field(default=None, name="to")
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class XmlQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a document's data."""

    syntax: Annotated[Syntax, Meta(description="cii: as in the PDF (Factur-X, ZUGFeRD); ubl: UBL 2.1, XRechnung.")] = (
        "cii"
    )


class LinkQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a link."""

    until: Annotated[datetime, Meta(tz=True, description="Until when it is good; else for ever.")] | None = None


class NewReceipt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The CDR of which a receipt is wanted."""

    cdr_id: UUID


class DocumentSending(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom a document is sent by e-mail."""

    email: Annotated[Email, Meta(description="Empty: the address that is known of its buyer.")] = ""


class SentDocument(Struct, frozen=True, kw_only=True):
    """The messages that it goes with; `GET /notifications/{id}` tells what became of each."""

    notification_ids: list[UUID]


class InvoiceLink(Struct, frozen=True, kw_only=True):
    """An address under which a document is read without signing in."""

    url: Annotated[str, Meta(description="Whoever has it reads this document: send it to its buyer only.")]
    expires_at: datetime | None


class NumberRanges(Struct):
    """How documents are numbered."""

    items: list[NumberRange]


@get("/invoices", opt=operation("billing:read", exports=(CSV, NDJSON)))
async def list_invoices(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[InvoiceQuery]
) -> Response[Page[InvoiceRow]]:
    """List documents, newest first: receipts, invoices, statements, credit notes, statements to hosts."""
    names = ("kind", "state", "customer", "number", "session", "cdr", "run", "currency", "since", "until")
    wanted = InvoiceFilter(is_open=filters.open, **{name: getattr(filters, name) for name in names})

    async def fetch(conn: Connection, after: Any, limit: int) -> list[InvoiceRow]:
        return await queries.list_invoices(conn, actor.party_id, wanted, before=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="invoices")


@get("/invoices/{invoice_id:uuid}", opt=operation("billing:read", errors=(404,)))
async def get_invoice(pool: ThePool, actor: TheActor, invoice_id: FromPath[UUID]) -> Response[Invoice]:
    """Read a document: seller and buyer as they were, lines with their parts and meter values, taxes, totals."""
    async with pool.acquire() as conn:
        return answer(await queries.get_invoice(conn, actor.party_id, invoice_id))


@get("/invoices/{invoice_id:uuid}/pdf", opt=operation("billing:read", errors=(404,), exports=(PDF,)))
async def get_invoice_pdf(pool: ThePool, actor: TheActor, invoice_id: FromPath[UUID]) -> Response[bytes]:
    """Get a document as PDF/A-3, with its EN 16931 data inside where it has any."""
    async with pool.acquire() as conn:
        found = await queries.get_invoice(conn, actor.party_id, invoice_id)
    return _file(await service.drawn(found), PDF, f"{found.number}.pdf")


@get("/invoices/{invoice_id:uuid}/xml", opt=operation("billing:read", errors=(404, 409), exports=(XML,)))
async def get_invoice_xml(
    pool: ThePool, actor: TheActor, invoice_id: FromPath[UUID], filters: NamedDependency[XmlQuery]
) -> Response[bytes]:
    """Get a document as EN 16931 data. Statements, and prices with several taxes on them, have none."""
    async with pool.acquire() as conn:
        found = await queries.get_invoice(conn, actor.party_id, invoice_id)
    return _file(service.written(found, filters.syntax), XML, f"{found.number}.xml")


@get("/invoices/{invoice_id:uuid}/link", opt=operation("billing:read", errors=(404,)))
async def get_invoice_link(
    pool: ThePool,
    actor: TheActor,
    settings: TheSettings,
    invoice_id: FromPath[UUID],
    filters: NamedDependency[LinkQuery],
) -> Response[InvoiceLink]:
    """Make a link to a document that opens without signing in."""
    if filters.until is not None and filters.until <= clock.now():
        raise Invalid("that is over", field="until")
    async with pool.acquire() as conn:
        found = await queries.get_invoice(conn, actor.party_id, invoice_id)
    path = service.link_of(settings.secret(), found.invoice_id, filters.until)
    return answer(InvoiceLink(url=f"{settings.console_url}{path}", expires_at=filters.until))


@post(
    "/invoices/{invoice_id:uuid}/send",
    status_code=202,
    opt=operation("billing:write", errors=(404, 409)),
)
async def send_invoice(
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    invoice_id: FromPath[UUID],
    given: NamedDependency[DocumentSending],
) -> Response[SentDocument]:
    """Send a document by e-mail once more, with its PDF, in its buyer's language. A driver's takes `drivers:read`, too."""
    async with pool.acquire() as conn, conn.transaction():
        found = await queries.get_invoice(conn, actor.party_id, invoice_id)
        sent = await documents.send_again(conn, actor, found, given.email or None, new_secret(16))
    await bus.publish(NUDGE, {})
    return answer(SentDocument(notification_ids=sent), status=202)


@post("/invoices/receipts", status_code=201, opt=operation("billing:write", errors=(404, 409)))
async def issue_receipt(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewReceipt]
) -> Response[Invoice]:
    """Issue the receipt of a CDR; where there is one already, it is answered."""
    async with pool.acquire() as conn, conn.transaction():
        made = await service.issue_receipt(conn, actor.party_id, given.cdr_id, by=actor.actor_id)
    await bus.publish(NUDGE, {})
    return answer(made, status=201, headers={"Location": f"/api/v1/invoices/{made.invoice_id}"})


# ---------------------------------------------------------------------------------------------------------- settings


@get("/invoice-seller", opt=operation("billing:read"))
async def get_invoice_seller(pool: ThePool, actor: TheActor) -> Response[InvoiceSeller]:
    """Read what the party's documents say of it, and what is missing there."""
    async with pool.acquire() as conn:
        found = await sellers.get_seller(conn, actor.party_id)
    return answer(found, version=found.version)


@put("/invoice-seller", opt=operation("billing:write", errors=(409,), takes_if_match=True) | {"needs_proof": True})
async def set_invoice_seller(
    request: ApiRequest, pool: ThePool, actor: TheActor, given: NamedDependency[Seller]
) -> Response[InvoiceSeller]:
    """Set what the party's documents say of it from now on. Those that were issued stay as they are."""
    async with pool.acquire() as conn, conn.transaction():
        changed = await sellers.set_seller(conn, actor, given, expected_version(request))
    return answer(changed, version=changed.version)


@get("/invoice-number-ranges", opt=operation("billing:read"))
async def list_invoice_number_ranges(pool: ThePool, actor: TheActor) -> Response[NumberRanges]:
    """List how each kind of document is numbered, and what the next number is."""
    async with pool.acquire() as conn:
        return answer(NumberRanges(await sellers.list_ranges(conn, actor.party_id)))


@put("/invoice-number-ranges/{kind:str}", opt=operation("billing:write", errors=(404,)) | {"needs_proof": True})
async def set_invoice_number_format(
    pool: ThePool, actor: TheActor, kind: FromPath[str], given: NamedDependency[NumberFormat]
) -> Response[NumberRange]:
    """Set how numbers of a kind are written from now on; the range goes on."""
    wanted = next((known for known in FORMATS if known == kind), None)
    if wanted is None:
        raise NotFound(f"no kind of documents {kind[:40]}")
    async with pool.acquire() as conn, conn.transaction():
        return answer(await sellers.set_format(conn, actor, wanted, given.format))


@get("/invoice-customers/{customer:str}", opt=operation("billing:read", errors=(404,)))
async def get_invoice_customer(pool: ThePool, actor: TheActor, customer: FromPath[str]) -> Response[InvoiceCustomer]:
    """Read what a customer wants on their documents. What is empty there comes from where they are known otherwise."""
    async with pool.acquire() as conn:
        return answer(await sellers.get_details(conn, actor.party_id, customer))


@put("/invoice-customers/{customer:str}", opt=operation("billing:write", errors=(404,)))
async def set_invoice_customer(
    pool: ThePool, actor: TheActor, customer: FromPath[str], given: NamedDependency[CustomerDetails]
) -> Response[InvoiceCustomer]:
    """Set what a customer wants on documents from now on: name, address, VAT id, reference, reverse charge."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await sellers.set_details(conn, actor, customer, given))


def _file(data: bytes, media: str, name: str) -> Response[bytes]:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"'}
    return Response(data, media_type=media, headers=headers)


HANDLERS = [
    list_invoices,
    get_invoice,
    get_invoice_pdf,
    get_invoice_xml,
    get_invoice_link,
    send_invoice,
    issue_receipt,
    get_invoice_seller,
    set_invoice_seller,
    list_invoice_number_ranges,
    set_invoice_number_format,
    get_invoice_customer,
    set_invoice_customer,
]
