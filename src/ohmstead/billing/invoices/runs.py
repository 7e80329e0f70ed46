"""A month's documents: looked at before, then made by a job that can be cut off anywhere and goes on with what is left.

Each customer is one transaction. What is on a document is not put on a second one, so nothing is ever made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias
from uuid import UUID

import asyncpg
from msgspec import Meta, Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.invoices import store
from ohmstead.billing.invoices.buyers import buyer_of, missing_of, seller_of
from ohmstead.billing.invoices.composing import Composed, by_country, compose
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.issuing import issue
from ohmstead.billing.invoices.model import DocumentContent, DocumentKind, DocumentLine, DocumentTotals, Draft, Invoice
from ohmstead.billing.invoices.paper import words
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import after as month_after
from ohmstead.billing.ledger.entries import month_of
from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.errors import Conflict, NotFound, OhmsteadError, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.language import N_, speaking
from ohmstead.core.log import logger

log = logger("ohmstead.invoices")

JOB: Final = "run_invoices"
RunKind: TypeAlias = Literal["customers", "hosts"]
# Who is billed by the month. Guests have receipts; what nobody is known for is on no document.
# As cdr_undocumented is kept (migrations/0051_book_sums.sql).
BY_MONTH: Final = ("driver", "company", "partner")


class InvoiceRun(Struct, frozen=True, kw_only=True):
    """A month's documents being made, or made."""

    run_id: UUID
    month: Annotated[str, Meta(description="`2026-10`.")]
    kind: Annotated[RunKind, Meta(description="customers: invoices and statements; hosts: what hosts get.")]
    status: Literal["queued", "running", "done"]
    n_wanted: Annotated[int, Meta(description="Customers or hosts to look at.")]
    n_done: int
    n_issued: Annotated[int, Meta(description="Documents that were made.")]
    problems: Annotated[list[dict[str, str]], Meta(description="Whom nothing was made for, and why.")]
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None


class NewRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A month to make documents of. It must be over."""

    month: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}$(?!\n)", description="`2026-10`.")]
    kind: RunKind = "customers"


class InvoicePreview(Struct, frozen=True, kw_only=True):
    """A document as it would be made now."""

    kind: DocumentKind
    customer: str
    buyer_name: str
    currency: str
    tax_country: str
    n_lines: int
    before_taxes: Decimal
    tax: Decimal
    total: Annotated[Decimal, Meta(description="What would be paid.")]
    reverse_charge: bool


async def ask(conn: Connection, actor: Actor, given: NewRun) -> InvoiceRun:
    """Have a month's documents made; a job does. Raises Invalid, Refused while the month is not over or what law wants on
    invoices is missing, Conflict while one is under way.
    """
    month = month_of(given.month)
    zone = await ledger.zone_of(conn, actor.party_id)
    now = clock.now()
    if month_after(month) > ledger.day_of(now, zone):
        raise Refused(f"{given.month} is not over yet")
    missing = missing_of(await seller_of(conn, actor.party_id))
    if missing:
        raise Refused(
            f"invoices must name the seller, and this is not set: {', '.join(missing)}", code="seller_incomplete"
        )
    run_id = new_id()
    if not await store.insert_run(conn, actor.party_id, run_id, month, given.kind, actor.actor_id, now):
        raise Conflict("documents are being made: wait until that is done", code="run_open")
    await accounts.audit(
        conn, actor, "invoices.run", f"invoice_run/{run_id}", {"month": given.month, "kind": given.kind}
    )
    await jobs.enqueue(conn, JOB, {"run_id": str(run_id)})
    return await get_run(conn, actor.party_id, run_id)


async def get_run(conn: Connection, party_id: UUID, run_id: UUID) -> InvoiceRun:
    """Raises NotFound."""
    for one in await store.list_runs(conn, party_id, run_id=run_id):
        return one_of(one)
    raise NotFound(f"no run {run_id}")


async def list_runs(
    conn: Connection, party_id: UUID, *, before: tuple[datetime, UUID] | None = None, limit: int = 100
) -> list[InvoiceRun]:
    """Newest first."""
    return [one_of(row) for row in await store.list_runs(conn, party_id, before=before, limit=limit)]


def one_of(row: Any) -> InvoiceRun:
    """A row as it is told."""
    fields = dict(row)
    return InvoiceRun(month=f"{fields.pop('month'):%Y-%m}", **fields)


# ------------------------------------------------------------------------------------------------------------ the job


async def run(pool: Pool, payload: Any) -> None:
    """Job: make a month's documents, customer by customer. Run again, it goes on where it was cut off."""
    run_id = UUID(payload["run_id"])
    async with pool.acquire() as conn, conn.transaction():
        row = await store.find_open_run(conn, run_id)
        if row is None:
            return
        party_id, month, kind = row["party_id"], row["month"], row["kind"]
        wanted = await _wanted(conn, party_id, month, kind)
        await store.begin_run(conn, party_id, run_id, len(wanted))
    for who, currency in wanted:
        await _one(pool, party_id, run_id, month, kind, who, currency, row["asked_by"])
    async with pool.acquire() as conn, conn.transaction():
        await store.finish_run(conn, party_id, run_id, clock.now())


async def _wanted(conn: Connection, party_id: UUID, month: date, kind: str) -> list[tuple[str, str]]:
    zone = await ledger.zone_of(conn, party_id)
    if kind == "hosts":
        return [
            (f"host:{host_id}", currency)
            for host_id, currency in await hosts.list_wanting(conn, party_id, month_after(month))
        ]
    found = await store.list_customers(
        conn, party_id, words.midnight(month_after(month), zone), month_after(month), BY_MONTH
    )
    if (await seller_of(conn, party_id)).makes_statements:
        found += await store.list_receipted(conn, party_id, month, month_after(month))
    return sorted(set(found))


async def _one(
    pool: Pool, party_id: UUID, run_id: UUID, month: date, kind: str, who: str, currency: str, by: str
) -> None:
    try:
        async with pool.acquire() as conn, conn.transaction():
            if kind == "hosts":
                host_id = UUID(who.partition(":")[2])
                one = await hosts.statement_for(
                    conn, party_id, host_id, currency, month_after(month), by=by, run_id=run_id
                )
                made = [one] if one is not None else []
            else:
                made = await issue_month(conn, party_id, month, who, currency, by=by, run_id=run_id)
            await store.count_on(conn, party_id, run_id, sum(one.run_id == run_id for one in made), None)
    except OhmsteadError as error:
        why = error.text
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        raise  # the database may be away: the job goes on later
    except Exception:
        # One of them does not keep all others from their documents, this month and every month after it.
        log.exception("document_not_made", run_id=str(run_id), who=who)
        why = N_("something went wrong here: the log of the worker says what")
    else:
        return
    async with pool.acquire() as conn, conn.transaction():
        problem = {"who": who, "currency": currency, "problem": why}
        await store.count_on(conn, party_id, run_id, 0, problem)


async def issue_month(
    conn: Connection, party_id: UUID, month: date, customer: str, currency: str, *, by: str, run_id: UUID | None
) -> list[Invoice]:
    """A customer's documents of a month: an invoice for each country of charging, and a statement of receipts."""
    zone = await ledger.hold(conn, party_id)
    made = []
    for one in await drafts_of(conn, party_id, month, customer, currency, zone):
        first = min([*one.draft.cdr_ids, *one.draft.fee_ids])
        key = f"month:{month:%Y-%m}:{customer}:{currency}:{one.draft.content.tax_country}:{first}"
        made.append(await issue(conn, party_id, by, key, one.draft, one.booked, run_id=run_id))
    statement = await _statement(conn, party_id, month, customer, currency, zone)
    if statement is not None:
        key = f"statement:{month:%Y-%m}:{customer}:{currency}"
        made.append(await issue(conn, party_id, by, key, statement, run_id=run_id))
    return made


async def drafts_of(
    conn: Connection, party_id: UUID, month: date, customer: str, currency: str, zone: str
) -> list[Composed]:
    """Invoices to be, of all that a customer charged before the month's end and that stands on no document."""
    ids = await store.list_undocumented(conn, party_id, customer, currency, words.midnight(month_after(month), zone))
    found = await cdrs.list_by_ids(conn, party_id, ids)
    fees: list[Row] = []
    if customer.startswith("driver:"):
        driver_id = UUID(customer.partition(":")[2])
        fees = await store.list_fees(conn, party_id, driver_id, currency, month_after(month))
    if not found and not fees:
        return []
    seller, known = await seller_of(conn, party_id), await buyer_of(conn, party_id, customer)
    return [
        await compose(conn, party_id, "invoice", seller, known, currency, country, of, charged)
        for country, (of, charged) in by_country(found, fees).items()
    ]


async def _statement(
    conn: Connection, party_id: UUID, month: date, customer: str, currency: str, zone: str
) -> Draft | None:
    """A driver's receipts of a month, listed; None where there were none."""
    if not customer.startswith("driver:"):
        return None
    found = await store.list_for_statement(conn, party_id, customer, currency, month, month_after(month))
    if not any(one.kind == "receipt" for one in found):
        return None
    seller, known = await seller_of(conn, party_id), await buyer_of(conn, party_id, customer)
    if not seller.makes_statements:
        return None
    with speaking(known.buyer.language):
        lines = [_listed(one) for one in found]
    total = sum((line.total for line in lines), Decimal(0))
    before_taxes = sum((line.before_taxes for line in lines), Decimal(0))
    paid = sum((one.sign * one.content.totals.paid for one in found), Decimal(0))
    totals = DocumentTotals(
        before_taxes=before_taxes,
        tax=total - before_taxes,
        total=total,
        rounding=Decimal(0),
        payable=total,
        paid=paid,
        open=total - paid,
    )
    content = DocumentContent(
        seller=seller, buyer=known.buyer, lines=lines, taxes=[], totals=totals, time_zone=zone, has_vat=False
    )
    return Draft(
        kind="statement",
        customer=customer,
        currency=currency,
        content=content,
        from_on=month,
        to_on=month_after(month) - timedelta(days=1),
    )


def _listed(one: Invoice) -> DocumentLine:
    totals, line = one.content.totals, one.content.lines[0] if one.content.lines else None
    place = line.place.name or line.place.city if line is not None and line.place is not None else ""
    energy = line.energy_wh if line is not None and len(one.content.lines) == 1 else None
    told = [words.title(one.kind), one.number, words.day(one.issued_on), place, words.energy(energy)]
    return DocumentLine(
        kind="document",
        before_taxes=one.sign * totals.before_taxes,
        total=one.total,
        text=" · ".join(part for part in told if part),
        document_id=one.invoice_id,
        energy_wh=energy,
    )


# -------------------------------------------------------------------------------------------------------------- before


async def previews(
    conn: Connection,
    actor: Actor,
    given: NewRun,
    *,
    after: tuple[str, str, str] | None = None,
    limit: int = 50,
) -> list[InvoicePreview]:
    """What a run would make now, by customer, currency and country; `after` is that of the last one of the page before.

    Nothing is kept.
    """
    month = month_of(given.month)
    zone = await ledger.zone_of(conn, actor.party_id)
    found: list[InvoicePreview] = []
    for who, currency in await _wanted(conn, actor.party_id, month, given.kind):
        if after is not None and (who, currency) < after[:2]:
            continue
        made = [_preview(one) for one in await _drafts(conn, actor.party_id, month, given.kind, who, currency, zone)]
        found += [one for one in made if after is None or (who, currency, one.tax_country) > after]
        if len(found) >= limit:
            break
    return found[:limit]


async def _drafts(
    conn: Connection, party_id: UUID, month: date, kind: RunKind, who: str, currency: str, zone: str
) -> Sequence[Draft]:
    if kind == "hosts":
        one = await hosts.draft_for(conn, party_id, UUID(who.partition(":")[2]), currency, month_after(month), zone)
        return [one[0]] if one is not None else []
    made = [one.draft for one in await drafts_of(conn, party_id, month, who, currency, zone)]
    statement = await _statement(conn, party_id, month, who, currency, zone)
    # A statement is of no country: it comes first.
    return [statement, *made] if statement is not None else made


def _preview(draft: Draft) -> InvoicePreview:
    content = draft.content
    return InvoicePreview(
        kind=draft.kind,
        customer=draft.customer,
        buyer_name=content.seller.legal_name if draft.kind == "self_billing" else content.buyer.name,
        currency=draft.currency,
        tax_country=content.tax_country,
        n_lines=len(content.lines),
        before_taxes=content.totals.before_taxes,
        tax=content.totals.tax,
        total=content.totals.payable,
        reverse_charge=content.treatment == "reverse_charge",
    )
