"""Who paid by bank, and whom did we pay? Lines of statements: taken in, matched with open documents, booked, set aside,
reversed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar, cast
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.incoming import queries, service
from ohmstead.billing.incoming.bookings import BANK_FEES
from ohmstead.billing.incoming.model import (
    BankLineMatch,
    BookingReversal,
    IncomingSetting,
    LineState,
    NewBankLine,
    NewBooking,
    OpenInvoice,
    SetAside,
    Share,
    StatementColumns,
    StatementReport,
)
from ohmstead.billing.incoming.queries import LineFilter
from ohmstead.billing.incoming.statements import MAX_BYTES
from ohmstead.billing.invoices import queries as documents
from ohmstead.console.exports import csv_response, whole
from ohmstead.console.forms import Form, day_in, decimal_in, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money import today_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.console.money_words import SORTS, customer_of, who
from ohmstead.core.db import Connection, trial
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.money import queries as books
from ohmstead.ui import prices
from ohmstead.ui.templating import View, page

_T = TypeVar("_T")
PAGE: Final = 50
EXPORTED: Final = 20_000
HERE: Final = "/invoices/bank"
MAX_FORM_BYTES: Final = MAX_BYTES + MAX_BYTES // 2
SHOWS: Final = {"open": N_("To book"), "booked": N_("Booked"), "set_aside": N_("Left aside"), "all": N_("All")}
SURENESS: Final = {
    "exact": N_("names it and pays exactly it"),
    "named": N_("names it and pays another amount"),
    "likely": N_("name and amount fit"),
    "amount": N_("only the amount fits"),
}
COLUMNS: Final = {
    "booked_on": N_("Day"),
    "amount": N_("Amount"),
    "currency": N_("Currency"),
    "payer": N_("Payer or payee"),
    "text": N_("What they wrote"),
    "bank_ref": N_("Bank’s reference"),
    "payee_iban": N_("IBAN it went to"),
}
DAYS: Final = ("2026-03-31", "31.03.2026", "31/03/2026", "03/31/2026", "31-03-2026", "31.03.26")


@get(HERE)
async def bank_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The lines in one state, the latest day first."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        return await _page(request, conn, actor, view)


@get(f"{HERE}.csv")
async def bank_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        found = whole(await queries.list_lines(conn, actor.party_id, _wanted(view), limit=EXPORTED + 1), EXPORTED)
    columns = (
        *("line_id", "booked_on", "currency", "amount", "payer", "text", "bank_ref", "account", "payee_iban", "state"),
        "note",
    )
    rows = (
        [str(value) if isinstance(value := getattr(one, name), UUID | date) else value for name in columns]
        for one in found
    )
    return csv_response("bank", columns, rows)


def _show(view: View) -> str:
    return view.query["show"] if view.query["show"] in SHOWS else "open"


def _wanted(view: View) -> LineFilter:
    show, words = _show(view), view.query["q"].strip()[:100]
    return LineFilter(
        state=None if show == "all" else cast("LineState", show),
        words=words if words and words.isprintable() else None,
    )


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    view: View,
    *,
    error: str = "",
    status: int = 200,
    given: Mapping[str, str] | None = None,
    report: StatementReport | None = None,
    content: str = "",
) -> Response[str]:
    lines = await queries.list_lines(
        conn, actor.party_id, _wanted(view), before=_cursor(view.query["before"]), limit=PAGE + 1
    )
    shown, more = lines[:PAGE], len(lines) > PAGE
    found = await service.views_of(conn, actor.party_id, shown)
    n_open = await queries.count_open(conn, actor.party_id)
    setting = await service.get_setting(conn, actor.party_id)
    names = await customer_names(conn, actor, [code for one in found for code in _customers(one)])
    people = await books.names_of_actors(conn, actor.party_id, [by.created_by for one in found for by in one.bookings])
    return page(
        request,
        "money/bank.html",
        status=status,
        here=HERE,
        headline=_headline(n_open),
        found=found,
        numbers=await _numbers(conn, actor, found),
        show=_show(view),
        shows=SHOWS,
        sureness=SURENESS,
        setting=setting,
        currency=await books.find_currency(conn, actor.party_id),
        today=today_of(request, view),
        columns=COLUMNS,
        days=DAYS,
        given=dict.fromkeys(COLUMNS, "") | dict(given or {}),
        error=error,
        report=report,
        content=content,
        may_write=may(actor, "billing:write"),
        customer=lambda code: customer_of(code, names, actor),
        who=lambda code: who(code, people),
        next_before=f"{shown[-1].booked_on.isoformat()}_{shown[-1].line_id}" if more else None,
        fees=BANK_FEES,
        prices=prices,
    )


def _customers(one: BankLineMatch) -> list[str]:
    return [proposal.customer for proposal in one.proposals] + [
        code for booking in one.bookings for code in booking.customers
    ]


async def _numbers(conn: Connection, actor: Actor, found: Sequence[BankLineMatch]) -> dict[UUID, str]:
    """Numbers of the documents that were paid."""
    wanted = {share.invoice_id for one in found for booking in one.bookings for share in booking.shares}
    return await documents.list_numbers(conn, actor.party_id, sorted(wanted))


def _headline(n_open: int) -> str:
    if not n_open:
        return _("All that came in and went out is booked.")
    return n_("%(n)s payment by bank is to be booked.", "%(n)s payments by bank are to be booked.", n_open)


def _cursor(text: str) -> tuple[date, UUID] | None:
    day, _sign, id_text = text.partition("_")
    try:
        return (date.fromisoformat(day), UUID(id_text)) if day else None
    except ValueError:
        return None


# ---------------------------------------------------------------------------------------------------------- taken in


@post(HERE, status_code=200)
async def record_line(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Money that came in or went out, recorded by hand."""
    allow(actor, "billing:write")
    form = await form_of(request)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        try:
            async with conn.transaction():
                await service.record_line(conn, actor, _line_in(form))
        except (Invalid, Conflict) as error:
            return await _page(request, conn, actor, view, error=_told(error), status=422, given=form.fields)
    await bus.publish(NUDGE, {})
    return Redirect(f"{HERE}?done=yes", status_code=303)


def _told(error: Invalid | Conflict) -> str:
    field = error.field if isinstance(error, Invalid) else None
    return f"{field}: {error.text}" if field in COLUMNS else error.text


def _line_in(form: Form) -> NewBankLine:
    """Raises Invalid."""
    fields = {name: form.fields.get(name, "") for name in ("payer", "text", "bank_ref")}
    fields["payee_iban"] = "".join(form.fields.get("payee_iban", "").split()).upper()
    day = day_in(form, "booked_on")
    if day is None:
        raise Invalid("give a day", field="booked_on")
    wanted = {
        "amount": decimal_in(form, "amount") or Decimal(0),
        "currency": form.fields.get("currency", "").upper(),
        "booked_on": day,
        **fields,
    }
    return _converted(wanted, NewBankLine)


def _converted(wanted: Mapping[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(wanted, kind)
    except msgspec.ValidationError as error:
        name, text = fault_of(error)
        raise Invalid(in_words(text), field=name) from error


@post(f"{HERE}/import", status_code=200, request_max_body_size=MAX_FORM_BYTES, opt={"takes_small_files": True})
async def import_statement(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[str]:
    """First a rehearsal that changes nothing; then, on a second press, the same for good."""
    allow(actor, "billing:write")
    form = await form_of(request)
    file = (await request.form()).get("file")
    is_rehearsal = form.fields.get("step") != "import"
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        try:
            data = await _content(file, form)
            columns = _columns_in(form)
            async with trial(conn, is_kept=not is_rehearsal):
                report = await service.import_statement(conn, actor, data, columns)
        except Invalid as error:
            return await _page(request, conn, actor, view, error=error.text, status=422, given=form.fields)
        report.is_dry_run = is_rehearsal
        if not is_rehearsal:
            await bus.publish(NUDGE, {})
        content = base64.b64encode(data).decode() if is_rehearsal else ""
        return await _page(request, conn, actor, view, report=report, content=content, given=form.fields)


async def _content(file: Any, form: Form) -> bytes:
    if isinstance(file, UploadFile) and file.filename:
        return await file.read()
    try:
        data = base64.b64decode(form.fields.get("content", ""), validate=True)
    except (ValueError, binascii.Error):
        data = b""
    if not data:
        raise Invalid("choose a file", field="file")
    return data


def _columns_in(form: Form) -> StatementColumns | None:
    """None: none were given, those of the last time count. Raises Invalid."""
    wanted = {name: form.fields.get(f"column_{name}", "") for name in COLUMNS}
    if not wanted["amount"] and not wanted["booked_on"]:
        return None
    more = {name: form.fields[name] for name in ("decimal", "days") if form.fields.get(name)}
    currency = form.fields.get("default_currency", "").upper()
    return _converted(wanted | more | {"default_currency": currency}, StatementColumns)


@post(f"{HERE}/settings", status_code=200, opt={"needs_proof": True})
async def change_settings(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Whether certain lines are booked by themselves, and when customers are reminded."""
    allow(actor, "billing:write")
    form = await form_of(request)
    days = form.fields.get("reminder_days", "").replace(",", " ").split()
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        before = await service.get_setting(conn, actor.party_id)
        try:
            if not all(day.isascii() and day.isdigit() and len(day) < 4 for day in days):
                raise Invalid("give days as 7 21 35", field="reminder_days")
            wanted = {
                "books_exact": form.fields.get("books_exact") == "yes",
                "columns": msgspec.to_builtins(before.columns),
                "reminder_days": [int(day) for day in days],
            }
            async with conn.transaction():
                await service.set_setting(conn, actor, _converted(wanted, IncomingSetting))
        except Invalid as error:
            return await _page(request, conn, actor, view, error=error.text, status=422, given=form.fields)
    return Redirect(f"{HERE}?done=yes", status_code=303)


# ------------------------------------------------------------------------------------------------------------- booked


@post(f"{HERE}/{{line_id:str}}/{{what:str}}", status_code=200)
async def decide(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, line_id: FromPath[str], what: FromPath[str]
) -> Response[Any]:
    """Book a line as proposed or by numbers of documents, set it aside, take it up again, or reverse its booking."""
    allow(actor, "billing:write")
    form, known = await form_of(request), uuid_of(line_id, "bank line")
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        await queries.get_line(conn, actor.party_id, known)
        try:
            async with conn.transaction():
                await _do(conn, actor, known, what, form)
        except (Invalid, Conflict) as error:
            status = 422 if isinstance(error, Invalid) else 409
            return await _page(request, conn, actor, view, error=error.text, status=status, given=form.fields)
    await bus.publish(NUDGE, {})
    return Redirect(f"{HERE}?done=yes", status_code=303)


async def _do(conn: Connection, actor: Actor, line_id: UUID, what: str, form: Form) -> None:
    note = form.fields.get("note", "")
    if what == "book":
        await service.book(conn, actor, line_id, await _booking_in(conn, actor, line_id, form))
    elif what == "aside":
        await service.set_aside(conn, actor, line_id, SetAside(note=note[:500]))
    elif what == "up":
        await service.take_up(conn, actor, line_id)
    elif what == "reverse":
        await service.reverse(conn, actor, line_id, BookingReversal(reason=note[:500]))
    else:
        raise NotFound(f"no such decision {what[:20]}")


async def _booking_in(conn: Connection, actor: Actor, line_id: UUID, form: Form) -> NewBooking:
    """Shares as they were proposed, else documents by number, each paid in turn as far as it goes. Raises Invalid."""
    customer = await _customer_in(conn, actor, form.fields.get("customer", "").strip())
    if form.many.get("share"):
        return NewBooking(shares=[_share(text) for text in form.many["share"]], customer=customer)
    numbers = [number for number in form.fields.get("numbers", "").replace(",", " ").split() if number]
    if not numbers and not customer:
        raise Invalid("name a document, or a customer", field="numbers")
    line = await queries.get_line(conn, actor.party_id, line_id)
    known = {one.number: one for one in await service.list_named_for(conn, actor.party_id, line, numbers)}
    shares, left = [], abs(line.amount)
    for number in dict.fromkeys(numbers):
        one: OpenInvoice | None = known.get(number)
        if one is None or one.currency != line.currency:
            raise Invalid(f"no open document {number[:60]} in {line.currency}", field="numbers")
        if left > 0:
            shares.append(Share(invoice_id=one.invoice_id, amount=min(left, one.open)))
            left -= shares[-1].amount
    return NewBooking(shares=shares, customer=customer)


async def _customer_in(conn: Connection, actor: Actor, text: str) -> str | None:
    """A customer's code, or who is called so. Raises Invalid."""
    if not text or text.partition(":")[0] in SORTS or text == BANK_FEES:
        return text or None
    found = await books.customers_called(conn, actor.party_id, text, with_drivers=may(actor, "drivers:read"))
    if not found:
        raise Invalid(f"no driver, company or host is called {text[:80]}", field="customer")
    if len(found) > 1:
        raise Invalid(f"more than one is called {text[:80]}: give the e-mail address", field="customer")
    return found[0]


def _share(text: str) -> Share:
    invoice_id, _sign, amount = text.partition("=")
    try:
        return Share(invoice_id=UUID(invoice_id), amount=Decimal(amount))
    except (ValueError, ArithmeticError):
        raise Invalid("that proposal cannot be read", field="shares") from None


HANDLERS: Sequence[Any] = [bank_page, bank_table, record_line, import_statement, change_settings, decide]
