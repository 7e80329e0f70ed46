"""What was invoiced? Documents: the list, one as it was issued, its files, and a month's run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, get_args
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct
from msgspec.structs import replace

from ohmstead.accounts.access import Actor, may
from ohmstead.accounts.lists import service as lists
from ohmstead.billing.incoming import queries as incoming
from ohmstead.billing.invoices import queries, runs, sellers, service
from ohmstead.billing.invoices.model import Invoice, InvoiceRow, PaidState, Syntax
from ohmstead.billing.invoices.queries import InvoiceFilter
from ohmstead.billing.invoices.runs import NewRun, RunKind
from ohmstead.billing.ledger.entries import after, month_of
from ohmstead.console import feed
from ohmstead.console.exports import csv_response, table_response, whole
from ohmstead.console.forms import faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, SettingsIn, allow, opened, uuid_of
from ohmstead.console.invoice_settings import WANTED
from ohmstead.console.money import today_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.console.money_ledger import after_day, month_text
from ohmstead.console.money_words import DOCUMENT_KINDS, customer_of, who
from ohmstead.console.notifications import REASONS, STATUSES
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_secret
from ohmstead.core.language import N_, _, n_
from ohmstead.notifications import documents
from ohmstead.notifications import queries as messages
from ohmstead.notifications.model import NotificationFilter
from ohmstead.reports.money import queries as books
from ohmstead.settings import Settings
from ohmstead.ui import prices
from ohmstead.ui.templating import View, page

PAGE: Final = 50
EXPORTED: Final = 50_000
PREVIEWED: Final = 200
SENT: Final = 10
MOST_SENT: Final = 200
STATES: Final[dict[PaidState, str]] = {
    "open": N_("Open"),
    "partly_paid": N_("Partly paid"),
    "overdue": N_("Overdue"),
    "paid": N_("Paid"),
    "credited": N_("Taken back"),
}
# What a list of invoices can be narrowed to; the first is of whatever something is open.
SHOWS: Final = {"open": N_("Open"), "overdue": N_("Overdue"), "paid": N_("Paid")}
RUNS: Final[dict[RunKind, str]] = {"customers": N_("Customers"), "hosts": N_("Hosts")}


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one document that was to be sent."""

    invoice_id: UUID
    number: str
    address: str = ""
    error: str = ""


# ------------------------------------------------------------------------------------------------------------ the list


@get("/invoices")
async def invoice_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list, newest first; what is filtered stands in the address."""
    async with pool.acquire() as conn:
        return await _list(request, conn, actor)


async def _list(
    request: PageRequest, conn: Connection, actor: Actor, outcomes: Sequence[Outcome] = (), error: str = ""
) -> Response[str]:
    view = await opened(request, conn, actor, "billing:read")
    wanted, wrong = _wanted(view)
    found: list[InvoiceRow] = []
    if not wrong:
        before = _cursor(view.query["before"])
        found = await queries.list_invoices(conn, actor.party_id, wanted, before=before, limit=PAGE + 1)
    customers = [one.customer for one in found] + [wanted.customer or ""]
    names = await customer_names(conn, actor, customers)
    hidden = await lists.hidden_columns(conn, actor, "invoices")
    n_to_book = await incoming.count_open(conn, actor.party_id)
    rows = found[:PAGE]
    last = rows[-1] if len(found) > PAGE else None
    return page(
        request,
        "money/invoices.html",
        status=422 if error else 200,
        hidden=hidden,
        rows=rows,
        wanted=wanted,
        error=error or wrong,
        outcomes=outcomes,
        once=new_secret(16),
        n_sent=sum(not one.error for one in outcomes),
        may_write=may(actor, "billing:write"),
        kinds=DOCUMENT_KINDS,
        states=STATES,
        shows=SHOWS,
        n_to_book=n_to_book,
        customer=lambda code: customer_of(code, names, actor),
        headline=_headline(rows, view, has_more=last is not None),
        next_before=f"{last.created_at.isoformat()}_{last.invoice_id}" if last else None,
        today=today_of(request, view),
        prices=prices,
    )


@get(["/invoices.csv", "/invoices.xlsx"])
async def invoices_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        wanted, error = _wanted(view)
        found: list[InvoiceRow] = []
        if not error:
            found = await queries.list_invoices(conn, actor.party_id, wanted, limit=EXPORTED + 1)
    whole(found, EXPORTED)
    columns = (
        "invoice_id", "number", "kind", "customer", "buyer_name", "issued_on", "due_on", "from_on", "to_on",
        "currency", "before_taxes", "total", "paid", "state", "open", "n_lines", "corrects_id", "created_at",
    )  # fmt: skip

    def cells(one: InvoiceRow) -> list[Any]:
        values = [getattr(one, name) for name in columns]
        return [str(value) if isinstance(value, UUID) or type(value) is date else value for value in values]

    return await table_response(request, columns, (cells(one) for one in found))


def _wanted(view: View) -> tuple[InvoiceFilter, str]:
    query, error = view.query, ""
    days: list[date | None] = []
    for name in ("from", "to"):
        try:
            days.append(date.fromisoformat(query[name]) if query[name] else None)
        except ValueError:
            error = _("give days as 2026-03-31")
            days.append(None)
    kind, number = query["kind"], query["q"].strip()[:60]
    return InvoiceFilter(
        kind=kind if kind in DOCUMENT_KINDS else None,
        customer=query["customer"][:80] or None,
        run=uuid_of(query["run"], "run") if query["run"] else None,
        cdr=uuid_of(query["cdr"], "CDR") if query["cdr"] else None,
        number=number if number and number.isprintable() else None,
        is_open=True if query["show"] == "open" else None,
        state=next((one for one in STATES if one == query["show"] and one != "open"), None),
        since=days[0],
        until=after_day(days[1]),
    ), error


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    at_text, _sign, id_text = text.replace(" ", "+").partition("_")
    at = feed.instant(at_text)
    try:
        return (at, UUID(id_text)) if at else None
    except ValueError:
        return None


def _headline(rows: Sequence[InvoiceRow], view: View, *, has_more: bool) -> str:
    if not rows:
        return _("No document fits.") if any(view.query.values()) else _("Nothing has been invoiced yet.")
    if has_more or view.query["before"]:
        return _("Documents, the latest first.")
    open_ones: dict[str, Decimal] = {}
    for row in rows:
        if row.open and row.kind != "credit_note":
            open_ones[row.currency] = open_ones.get(row.currency, Decimal(0)) + row.open
    if not open_ones:
        return n_("%(n)s document.", "%(n)s documents.", len(rows))
    sums = ", ".join(prices.amount(amount, currency) for currency, amount in sorted(open_ones.items()))
    return n_("%(n)s document, %(sum)s open.", "%(n)s documents, %(sum)s open.", len(rows), sum=sums)


# -------------------------------------------------------------------------------------------------------- one document


@get("/invoices/{invoice_id:str}")
async def invoice_page(
    request: PageRequest, pool: PoolIn, actor: ActorIn, settings: SettingsIn, invoice_id: FromPath[str]
) -> Response[str]:
    """As it was issued, with its files and a link for its buyer."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        return await _page(request, conn, actor, settings, uuid_of(invoice_id, "document"))


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    settings: Settings,
    invoice_id: UUID,
    *,
    email: str | None = None,
    error: str = "",
) -> Response[str]:
    found = await queries.get_invoice(conn, actor.party_id, invoice_id)
    names = await customer_names(conn, actor, [found.customer])
    people = await books.names_of_actors(conn, actor.party_id, [found.created_by])
    notes = await _notes(conn, actor, found)
    standing = await queries.get_standing(conn, actor.party_id, found.invoice_id)
    paid_by = await incoming.list_payments_of(conn, actor.party_id, found.invoice_id)
    reminders = await incoming.list_reminders_of(conn, actor.party_id, found.invoice_id)
    knows_address = not found.customer.startswith("driver:") or may(actor, "drivers:read")
    known = (await documents.recipient_of(conn, actor.party_id, found.customer)).email if knows_address else None
    sent = []
    if may(actor, "notifications:read"):
        wanted = NotificationFilter(q=str(found.invoice_id))
        sent = await messages.list_notifications(conn, actor.party_id, wanted, limit=SENT)
    return page(
        request,
        "money/invoice.html",
        status=422 if error else 200,
        may_send=may(actor, "billing:write") and knows_address,
        email=known or "" if email is None else email,
        errors={"email": error} if error else {},
        once=new_secret(16),
        sent=sent,
        statuses=STATUSES,
        reasons=REASONS,
        invoice=found,
        content=found.content,
        kinds=DOCUMENT_KINDS,
        notes=notes,
        standing=standing,
        states=STATES,
        paid_by=paid_by,
        reminders=reminders,
        customer=customer_of(found.customer, names, actor),
        link=f"{settings.console_url}{service.link_of(settings.secret(), found.invoice_id, None)}",
        syntaxes=get_args(Syntax),
        who=lambda code: who(code, people),
        prices=prices,
    )


@post("/invoices/{invoice_id:str}/send", status_code=200)
async def send_invoice(
    request: PageRequest,
    pool: PoolIn,
    bus: BusIn,
    actor: ActorIn,
    settings: SettingsIn,
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Send it by e-mail once more, to its buyer's address or another one."""
    allow(actor, "billing:write")
    given, known = (await form_of(request)).fields, uuid_of(invoice_id, "document")
    email = given.get("email", "")
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await queries.get_invoice(conn, actor.party_id, known)
        if found.customer.startswith("driver:"):
            allow(actor, "drivers:read")
        try:
            async with conn.transaction():
                await _send(conn, actor, found, email, given.get("once", ""))
        except (Invalid, Refused) as error:
            return await _page(request, conn, actor, settings, known, email=email, error=error.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/invoices/{known}#send", status_code=303)


@post("/invoices", status_code=200)
async def send_many(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[str]:
    """Send those that were chosen, each to its buyer's address; then the list again, with what became of each."""
    allow(actor, "billing:write")
    given = await form_of(request)
    error, outcomes = "", []
    try:
        ids = msgspec.convert(list(dict.fromkeys(given.many.get("chosen", []))), list[UUID], strict=False)
        if not 0 < len(ids) <= MOST_SENT:
            raise Invalid("Choose documents first: x, or the box at the start of a row.", "chosen")
        outcomes = [await _sent(pool, actor, one, given.fields.get("once", "")) for one in ids]
    except (msgspec.ValidationError, Invalid) as fault:
        error = next(iter(faults_of(fault, ("chosen",)).values()))
    if outcomes:
        await bus.publish(NUDGE, {})
    async with pool.acquire() as conn:
        return await _list(request, conn, actor, outcomes, error)


async def _sent(pool: Pool, actor: Actor, invoice_id: UUID, once: str) -> Outcome:
    """Each by itself: what stops one of them stops no other."""
    async with pool.acquire() as conn, conn.transaction():
        found = await queries.get_invoice(conn, actor.party_id, invoice_id)
        told = Outcome(invoice_id=invoice_id, number=found.number)
        to = await documents.recipient_of(conn, actor.party_id, found.customer)
        if found.customer.startswith("driver:") and not may(actor, "drivers:read"):
            return replace(told, error=N_("your role does not let you see this driver"))
        if to.email is None:
            return replace(told, error=N_("no address is known"))
        try:
            async with conn.transaction():
                await _send(conn, actor, found, to.email, once)
        except (Invalid, Refused) as error:
            return replace(told, address=to.email, error=error.text)
    return replace(told, address=to.email)


async def _send(conn: Connection, actor: Actor, found: Invoice, email: str, once: str) -> None:
    """Raises Invalid, and Refused where its driver wants no such mails."""
    if not email:
        raise Invalid("say to which address", field="email")
    await documents.send_again(conn, actor, found, email, once[:80] or new_secret(16))


async def _notes(conn: Connection, actor: Actor, found: Invoice) -> list[InvoiceRow]:
    """Credit notes about it."""
    wanted = InvoiceFilter(kind="credit_note", customer=found.customer)
    made = await queries.list_invoices(conn, actor.party_id, wanted, limit=500)
    return [one for one in made if one.corrects_id == found.invoice_id]


@get("/invoices/{invoice_id:str}/pdf")
async def invoice_pdf(request: PageRequest, pool: PoolIn, actor: ActorIn, invoice_id: FromPath[str]) -> Response[bytes]:
    """The document as PDF/A-3."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await queries.get_invoice(conn, actor.party_id, uuid_of(invoice_id, "document"))
    return _file(await service.drawn(found), "application/pdf", f"{found.number}.pdf")


@get("/invoices/{invoice_id:str}/xml")
async def invoice_xml(request: PageRequest, pool: PoolIn, actor: ActorIn, invoice_id: FromPath[str]) -> Response[Any]:
    """The document as EN 16931 data; where it has none, its page says why."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        found = await queries.get_invoice(conn, actor.party_id, uuid_of(invoice_id, "document"))
    syntax: Syntax = "ubl" if view.query["syntax"] == "ubl" else "cii"
    return _file(service.written(found, syntax), "application/xml", f"{found.number}-{syntax}.xml")


def _file(data: bytes, media: str, name: str) -> Response[bytes]:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
    return Response(data, media_type=media, headers={"Content-Disposition": f'attachment; filename="{safe}"'})


# ---------------------------------------------------------------------------------------------------------------- runs


@get("/invoices/runs")
async def runs_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """What a month's run would make, and the runs that were."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        return await _runs(request, conn, actor, view)


async def _runs(request: PageRequest, conn: Connection, actor: Actor, view: View, error: str = "") -> Response[str]:
    today = today_of(request, view)
    last = after(today.replace(day=1).replace(year=today.year - 1))
    months = [last]
    while after(months[-1]) <= today.replace(day=1):
        months.append(after(months[-1]))
    months = [one for one in months if after(one) <= today][::-1]
    month = months[0]
    with contextlib.suppress(Invalid):
        month = month_of(view.query["month"]) if view.query["month"] else month
    kind: RunKind = "hosts" if view.query["kind"] == "hosts" else "customers"
    found = await runs.previews(conn, actor, NewRun(month=f"{month:%Y-%m}", kind=kind), limit=PREVIEWED)
    seller = await sellers.get_seller(conn, actor.party_id)
    made = await runs.list_runs(conn, actor.party_id, limit=50)
    names = await customer_names(conn, actor, [one.customer for one in found])
    people = await books.names_of_actors(conn, actor.party_id, [one.asked_by for one in made])
    return page(
        request,
        "money/runs.html",
        status=409 if error else 200,
        found=found,
        is_cut=len(found) == PREVIEWED,
        month=month,
        months=sorted({*months, month}, reverse=True),
        month_text=month_text,
        month_of=month_of,
        kind=kind,
        run_kinds=RUNS,
        kinds=DOCUMENT_KINDS,
        made=made,
        missing=[WANTED.get(name, name) for name in seller.missing],
        customer=lambda code: customer_of(code, names, actor),
        who=lambda code: who(code, people),
        is_over=after(month) <= today,
        may_write=may(actor, "billing:write"),
        error=error,
        prices=prices,
    )


@get("/invoices/runs.csv")
async def runs_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What a month's run would make now."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        kind: RunKind = "hosts" if view.query["kind"] == "hosts" else "customers"
        given = NewRun(month=view.query["month"][:7], kind=kind)
        month_of(given.month)
        found = whole(await runs.previews(conn, actor, given, limit=EXPORTED + 1), EXPORTED)
    columns = ("kind", "customer", "buyer_name", "currency", "tax_country", "n_lines", "before_taxes", "tax", "total")
    return csv_response(f"run-{given.month}", columns, ([getattr(one, name) for name in columns] for one in found))


@post("/invoices/runs", status_code=200, opt={"needs_proof": True})
async def run_month(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Have the documents of a month made; the page of the run tells how far it is."""
    allow(actor, "billing:write")
    given = (await form_of(request)).fields
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        try:
            kind: RunKind = "hosts" if given.get("kind") == "hosts" else "customers"
            async with conn.transaction():
                made = await runs.ask(conn, actor, NewRun(month=given.get("month", ""), kind=kind))
        except (Invalid, Refused, Conflict) as error:
            return await _runs(request, conn, actor, view, error.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/invoices/runs/{made.run_id}", status_code=303)


@get("/invoices/runs/{run_id:str}")
async def run_page(request: PageRequest, pool: PoolIn, actor: ActorIn, run_id: FromPath[str]) -> Response[str]:
    """How far it is, and whom nothing was made for."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        found = await runs.get_run(conn, actor.party_id, uuid_of(run_id, "run"))
        people = await books.names_of_actors(conn, actor.party_id, [found.asked_by])
        names = await customer_names(conn, actor, [one.get("who", "") for one in found.problems])
    return page(
        request,
        "money/run.html",
        run=found,
        month=month_text(month_of(found.month)),
        share=100 * found.n_done / found.n_wanted if found.n_wanted else 100 if found.status == "done" else 0,
        run_kinds=RUNS,
        customer=lambda code: customer_of(code, names, actor),
        who=lambda code: who(code, people),
    )


HANDLERS: Sequence[Any] = [
    invoice_list,
    send_many,
    invoices_table,
    runs_page,
    runs_table,
    run_month,
    run_page,
    invoice_page,
    send_invoice,
    invoice_pdf,
    invoice_xml,
]
