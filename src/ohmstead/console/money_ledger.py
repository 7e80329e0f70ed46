"""What do the books say? Accounts with their balances, what was posted to one, an entry, months and closing them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, get_args

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Stream
from msgspec import Struct

from ohmstead.accounts.access import Actor, may
from ohmstead.billing.incoming import queries as incoming
from ohmstead.billing.invoices import runs
from ohmstead.billing.invoices.runs import InvoiceRun
from ohmstead.billing.ledger import queries as books
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import AccountKind, after, amount_of, exact_minor, month_of
from ohmstead.billing.ledger.model import LedgerAccount, LedgerPosting
from ohmstead.billing.ledger.queries import AccountFilter
from ohmstead.console.exports import csv_response, csv_stream, table_response, whole
from ohmstead.console.forms import form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money import month_at, today_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.console.money_words import ACCOUNT_KINDS, ENTRY_KINDS, account_text, customer_of, named, who
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import _, n_
from ohmstead.core.language import month as month_name
from ohmstead.reports.money import queries
from ohmstead.reports.takings import queries as takings
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

PAGE: Final = 100
EXPORTED: Final = 200_000
# Entries of the journal that are read at once.
PIECE: Final = 5_000
KINDS: Final[tuple[AccountKind, ...]] = get_args(AccountKind)
# What we have and are owed first, then what we owe, then what was earned and what it cost.
KINDS_IN_ORDER: Final = (
    *("bank", "psp_clearing", "receivable", "wallet", "host_share", "tax", "revenue", "fees", "rounding"),
    *(kind for kind in KINDS if kind not in ACCOUNT_KINDS),
)


class Line(Struct, frozen=True):
    """What one entry did to an account, and what was on it then."""

    posting: LedgerPosting
    balance: Any


# -------------------------------------------------------------------------------------------------------- the accounts


@get("/ledger")
async def accounts_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """By kind and code, with balances, at the end of a day where the address names one."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        wanted, error = _wanted(view)
        found = await books.list_accounts(
            conn, actor.party_id, wanted, after=_cursor(view.query["after"]), limit=PAGE + 1
        )
        is_whole = not (wanted.kind or wanted.code or wanted.currency or view.query["after"])
        sums = await queries.sums_by_kind(conn, actor.party_id, wanted.until) if is_whole else []
        even = await queries.is_even(conn, actor.party_id)
        n_entries, first_open = await queries.find_end(conn, actor.party_id)
        shown = found[:PAGE]
        names = await customer_names(conn, actor, [named(one.kind, one.detail) for one in shown])
    last = shown[-1] if len(found) > PAGE else None
    return page(
        request,
        "money/ledger.html",
        found=shown,
        sums=sorted(sums, key=lambda one: (one.currency, KINDS_IN_ORDER.index(one.kind))),
        wanted=wanted,
        error=error,
        kinds={kind: ACCOUNT_KINDS.get(kind, kind) for kind in KINDS},
        account_text=lambda kind, detail: account_text(kind, detail, names),
        next_after=f"{last.code}_{last.currency}" if last else None,
        headline=_headline(n_entries, even),
        is_even=all(even.values()),
        n_entries=n_entries,
        first_open=first_open,
        prices=prices,
    )


@get(["/ledger.csv", "/ledger.xlsx"])
async def accounts_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """All accounts that the list would show."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        wanted, _error = _wanted(view)
        found = whole(await books.list_accounts(conn, actor.party_id, wanted, limit=EXPORTED + 1), EXPORTED)
    columns = ("code", "kind", "detail", "currency", "debit", "credit", "balance", "opened_at")
    return await table_response(request, columns, ([getattr(one, name) for name in columns] for one in found))


def _wanted(view: View) -> tuple[AccountFilter, str]:
    query, error, until = view.query, "", None
    if query["on"]:
        try:
            until = date.fromisoformat(query["on"])
        except ValueError:
            error = _("give days as 2026-03-31")
    code, kind = query["q"].strip()[:200], query["kind"]
    return AccountFilter(
        kind=kind if kind in KINDS else None,
        code=code if code and code.isprintable() else None,
        currency=query["currency"][:3].upper() or None,
        until=until,
    ), error


def _cursor(text: str) -> tuple[str, str] | None:
    code, _line, currency = text[:300].rpartition("_")
    return (code, currency) if code and currency and text.isprintable() else None


def _headline(n_entries: int, even: Mapping[str, bool]) -> str:
    if not n_entries:
        return _("Nothing is in the books yet.")
    wrong = [currency for currency, is_even in even.items() if not is_even]
    if wrong:
        return _("The books do not balance in %(currencies)s.", currencies=", ".join(wrong))
    return n_("%(n)s entry, and the books balance.", "%(n)s entries, and the books balance.", n_entries)


# --------------------------------------------------------------------------------------------------------- one account


@get("/ledger/accounts/{account_id:str}")
async def account_page(request: PageRequest, pool: PoolIn, actor: ActorIn, account_id: FromPath[str]) -> Response[str]:
    """What was posted to it, the latest first, and what was on it after each."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        account = await books.get_account(conn, actor.party_id, uuid_of(account_id, "account"))
        since, until, error = _days(view)
        found = await books.list_postings(
            conn,
            actor.party_id,
            account.account_id,
            since=since,
            until=after_day(until),
            before=_place(view.query["before"]),
            limit=PAGE + 1,
        )
        lines = await _lines(conn, actor, account, found[:PAGE])
        names = await customer_names(conn, actor, [named(account.kind, account.detail)])
    last = lines[-1].posting if len(found) > PAGE else None
    customer = customer_of(account.detail, names, actor) if account.kind in ("receivable", "wallet") else None
    return page(
        request,
        "money/account.html",
        account=account,
        lines=lines,
        name=account_text(account.kind, account.detail, names),
        customer=customer,
        error=error,
        entry_kinds=ENTRY_KINDS,
        next_before=f"{last.number}_{last.position}" if last else None,
        prices=prices,
    )


async def _lines(conn: Connection, actor: Actor, account: LedgerAccount, found: Sequence[LedgerPosting]) -> list[Line]:
    """Each with the balance after it, reckoned from the first one down."""
    if not found:
        return []
    first = found[0]
    minor = await queries.balance_until(conn, actor.party_id, account.account_id, first.number, first.position)
    lines = []
    for one in found:
        lines.append(Line(one, amount_of(minor, account.currency)))
        minor -= exact_minor(one.amount, account.currency)
    return lines


@get("/ledger/accounts/{account_id:str}/entries.csv")
async def account_table(
    request: PageRequest, pool: PoolIn, actor: ActorIn, account_id: FromPath[str]
) -> Response[bytes]:
    """All that was posted to it in the days that the address names."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        account = await books.get_account(conn, actor.party_id, uuid_of(account_id, "account"))
        since, until, _error = _days(view)
        found = await books.list_postings(
            conn, actor.party_id, account.account_id, since=since, until=after_day(until), limit=EXPORTED + 1
        )
        whole(found, EXPORTED)
    columns = ("number", "booked_on", "kind", "text", "amount", "currency", "entry_id", "cdr_id", "created_at")
    return csv_response(
        "account", ("code", *columns), ([account.code, *(getattr(one, name) for name in columns)] for one in found)
    )


def _days(view: View) -> tuple[date | None, date | None, str]:
    try:
        since, until = (date.fromisoformat(view.query[name]) if view.query[name] else None for name in ("from", "to"))
    except ValueError:
        return None, None, _("give days as 2026-03-31")
    return since, until, ""


def after_day(day: date | None) -> date | None:
    """The day after: where a span that holds its last day ends."""
    return date.fromordinal(day.toordinal() + 1) if day is not None and day < date.max else None


def _place(text: str) -> tuple[int, int] | None:
    number, _line, position = text.partition("_")
    if not (number.isascii() and number.isdigit() and position.isascii() and position.isdigit()):
        return None
    found = int(number[:18]), int(position[:5])
    return found if found[1] < 2**15 else None


# ----------------------------------------------------------------------------------------------------------- one entry


@get("/ledger/entries/{entry_id:str}")
async def entry_page(request: PageRequest, pool: PoolIn, actor: ActorIn, entry_id: FromPath[str]) -> Response[str]:
    """One event in the books: its postings, what it tells of, and its neighbours."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        entry = await queries.get_entry(conn, actor.party_id, uuid_of(entry_id, "entry"))
        names = await customer_names(conn, actor, [named(one.kind, one.detail) for one in entry.postings])
        people = await queries.names_of_actors(conn, actor.party_id, [entry.created_by])
        before = await queries.find_entry_id(conn, actor.party_id, entry.number - 1)
        later = await queries.find_entry_id(conn, actor.party_id, entry.number + 1)
    return page(
        request,
        "money/entry.html",
        entry=entry,
        kind=_(ENTRY_KINDS[entry.kind]) if entry.kind in ENTRY_KINDS else entry.kind,
        account_text=lambda kind, detail: account_text(kind, detail, names),
        who=lambda code: who(code, people),
        before=before,
        later=later,
        prices=prices,
    )


@get("/ledger/journal.csv")
async def journal(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Stream:
    """All postings of a month, in the order of the books: what accounting programs take. It is read and sent in pieces,
    so that no month is too long; what is booked meanwhile is not in it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        month = month_at(view.query["month"], today_of(request, view))
        numbers = await queries.find_numbers(conn, actor.party_id, month.first, month.end)

    async def pieces() -> AsyncIterator[list[tuple[Any, ...]]]:
        if numbers is None:
            return
        after, last = numbers[0] - 1, numbers[1]
        while after < last:
            async with pool.acquire() as conn:
                rows = await queries.list_journal(
                    conn, actor.party_id, month.first, month.end, after=after, last=last, limit=PIECE
                )
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    columns = ("number", "booked_on", "kind", "text", "account", "debit", "credit", "currency", "cdr_id", "entry_id")
    return csv_stream(f"journal-{month.key}", columns, pieces())


# -------------------------------------------------------------------------------------------------------------- months


@get("/ledger/months")
async def months_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Which months are closed, and closing one."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        return await _months(request, conn, actor, view)


async def _months(request: PageRequest, conn: Connection, actor: Actor, view: View, error: str = "") -> Response[str]:
    found = await queries.list_months(conn, actor.party_id)
    people = await queries.names_of_actors(conn, actor.party_id, [one.closed_by or "" for one in found])
    waiting = await takings.count_waiting(conn, actor.party_id)
    n_to_book = await incoming.count_open(conn, actor.party_id)
    made = await runs.list_runs(conn, actor.party_id)
    today = today_of(request, view)
    _n, first_open = await queries.find_end(conn, actor.party_id)
    # What can be closed: the months that are over, from the first that is open.
    closable = [one.month for one in found if not one.is_closed and after(one.month) <= today]
    without_run = _without_run(closable, made)
    return page(
        request,
        "money/months.html",
        status=409 if error else 200,
        found=found,
        closable=closable,
        waiting=waiting,
        sees_payments=may(actor, "payments:read"),
        n_to_book=n_to_book,
        without_run=without_run,
        run_months=", ".join(month_text(one) for one in without_run[:3]) + (" …" if len(without_run) > 3 else ""),
        first_open=first_open,
        may_close=may(actor, "billing:write"),
        month_text=month_text,
        who=lambda code: who(code, people),
        error=error,
        headline=_months_headline(closable, first_open),
    )


def _without_run(closable: Sequence[date], made: Sequence[InvoiceRun]) -> list[date]:
    """The months that can be closed and for which no documents of customers were asked for, oldest first."""
    run = {one.month for one in made if one.kind == "customers"}
    return [month for month in reversed(closable) if f"{month:%Y-%m}" not in run]


def _months_headline(closable: Sequence[date], first_open: date | None) -> str:
    if closable:
        return n_("%(n)s month is over and open.", "%(n)s months are over and open.", len(closable))
    if first_open is not None:
        return _("All is closed until %(day)s.", day=figures.date(date.fromordinal(first_open.toordinal() - 1)))
    return _("No month is over yet in which anything was booked.")


def month_text(day: date) -> str:
    """A month as people write it."""
    return _("%(month)s %(year)s", month=month_name(day.month, is_long=True), year=day.year)


@post("/ledger/months/close", status_code=200, opt={"needs_proof": True})
async def close_month(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Close a month and all before it, for ever."""
    allow(actor, "billing:write")
    given = await form_of(request)
    month = given.fields.get("month", "")
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        try:
            month_of(month)
            if given.fields.get("sure") != "yes":
                raise Invalid("say that you looked at it first: there is no way back", "sure")
            async with conn.transaction():
                await ledger.lock(conn, actor, month)
        except (Invalid, Refused, Conflict) as error:
            return await _months(request, conn, actor, view, error.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/ledger/months?done={month}", status_code=303)


HANDLERS: Sequence[Any] = [
    accounts_page,
    accounts_table,
    account_page,
    account_table,
    entry_page,
    journal,
    months_page,
    close_month,
]
