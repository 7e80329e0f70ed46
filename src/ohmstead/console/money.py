"""Was everything billed and paid? A month of the books beside the one before, what is not billed, who owes, the check."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.billing import verifying
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import after, month_of
from ohmstead.billing.verifying import BookVerdict
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.console.money_words import REASONS, SORTS
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_, _, grouped, n_
from ohmstead.core.language import month as month_name
from ohmstead.reports.money import queries
from ohmstead.reports.money.model import DaySum, Owed, ReasonSum
from ohmstead.ui import charts, figures, prices
from ohmstead.ui.templating import View, page

LEFT, RIGHT, TOP, BASE = 60.0, 716.0, 26.0, 192.0
# Which check found a fault, in words (billing.verifying and billing.ledger.queries).
CHECKS: Final = {
    "unbalanced": N_("An entry does not balance"),
    "postings": N_("An entry has lost postings"),
    "total": N_("Debits and credits differ"),
    "stray": N_("A posting does not fit"),
    "balance": N_("A balance is not what was posted"),
    "standing": N_("What is on an account is not what was posted"),
    "sum": N_("A month’s sum is not what was posted"),
    "month": N_("A month’s count is not that of its entries"),
    "day": N_("A CDR and its entry are of different days"),
    "undocumented": N_("What comes on documents is not what stands on none"),
    "gap": N_("A number is missing"),
    "beyond": N_("An entry is beyond the end"),
    "closed": N_("Booked in a closed month"),
    "cdr": N_("A CDR and the books differ"),
}


class Month(Struct, frozen=True, kw_only=True):
    """The month that is looked at. `until`: the day after the last one that counts; of this month that is tomorrow."""

    first: date
    until: date
    end: date
    is_running: bool
    past_first: date
    past_until: date

    @property
    def name(self) -> str:
        return _("%(month)s %(year)s", month=month_name(self.first.month, is_long=True), year=self.first.year)

    @property
    def past_name(self) -> str:
        last = self.past_until - timedelta(days=1)
        if self.past_until == self.first:
            return month_name(self.past_first.month, is_long=True)
        return _("1 to %(day)s %(month)s", day=last.day, month=month_name(last.month, is_long=True))

    @property
    def key(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def last(self) -> date:
        return self.end - timedelta(days=1)


class Bar(Struct, frozen=True):
    """A day's bar, and that of the same day a month before behind it."""

    x: float
    y: float
    width: float
    height: float
    past_y: float
    past_height: float
    title: str
    path: str
    is_today: bool


class Chart(Struct, frozen=True, kw_only=True):
    """Bars of a month with their axis, and the figures behind them: (day, path, billed, taxes, a month before)."""

    ticks: list[charts.Tick]
    labels: list[charts.Tick]
    bars: list[Bar]
    rows: list[tuple[str, str, Decimal, Decimal, Decimal | None]]


class Overview(Struct, frozen=True, kw_only=True):
    """All that the page says, in one currency."""

    month: Month
    currency: str
    currencies: list[str]
    days: list[DaySum]
    past: list[DaySum]
    owed: list[Owed]
    paid: Decimal
    unbilled: list[ReasonSum]
    bookings: dict[str, int]
    even: dict[str, bool]
    n_entries: int
    first_open: date | None

    @property
    def billed(self) -> Decimal:
        return sum((day.billed for day in self.days), Decimal(0))

    @property
    def taxes(self) -> Decimal:
        return sum((day.taxes for day in self.days), Decimal(0))

    @property
    def past_billed(self) -> Decimal:
        return sum((day.billed for day in self.past if day.day < self.month.past_until), Decimal(0))

    @property
    def open(self) -> Decimal:
        return sum((one.after for one in self.owed), Decimal(0))

    @property
    def n_unbilled(self) -> int:
        return sum(one.n for one in self.unbilled)

    @property
    def closed_until(self) -> date | None:
        return self.first_open - timedelta(days=1) if self.first_open else None

    @property
    def is_even(self) -> bool:
        return all(self.even.values())


def today_of(request: PageRequest, view: View) -> date:
    """Which day it is where the books are kept."""
    return ledger.day_of(view.now, str(request.scope["state"]["party_zone"]))


def month_at(text: str, today: date) -> Month:
    """The month that an address names, else the present one. Of the one before as many days count as of this one."""
    first = today.replace(day=1)
    if text:
        with contextlib.suppress(Invalid):
            first = month_of(text)
    if not 1990 <= first.year <= today.year + 1:
        first = today.replace(day=1)
    end = after(first)
    is_running = first <= today < end
    until = today + timedelta(days=1) if is_running else end
    past_first = (first - timedelta(days=1)).replace(day=1)
    past_until = min(past_first + (until - first), first) if is_running else first
    return Month(first=first, until=until, end=end, is_running=is_running, past_first=past_first, past_until=past_until)


@get("/money")
async def overview(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """A month in one currency; both stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        return await _overview(request, conn, actor, view)


@post("/money/check", status_code=200)
async def check(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Reckon all of the books anew, and say what came of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        n_entries, _first_open = await queries.find_end(conn, actor.party_id)
        verdict = None
        if n_entries <= verifying.MOST_AT_ONCE:
            verdict = await verifying.verify(conn, actor.party_id)
        return await _overview(request, conn, actor, view, verdict=verdict, is_checked=True)


@get("/money.csv")
async def money_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What was billed, day by day, of the month and of the one before."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        found = await _read(request, conn, actor, view)
    rows = [[day.day.isoformat(), found.currency, day.billed, day.taxes] for day in (*found.past, *found.days)]
    return csv_response(f"billed-{found.month.key}", ("day", "currency", "billed", "taxes"), rows)


async def _read(request: PageRequest, conn: Connection, actor: Actor, view: View) -> Overview:
    month = month_at(view.query["month"], today_of(request, view))
    currencies = await queries.list_currencies(conn, actor.party_id)
    wanted = view.query["currency"]
    currency = wanted if wanted in currencies else await queries.find_currency(conn, actor.party_id)
    if currencies and currency not in currencies:
        currency = currencies[0]
    party_id = actor.party_id
    days = await queries.sums_by_day(conn, party_id, currency, month.past_first, month.end)
    n_entries, first_open = await queries.find_end(conn, party_id)
    return Overview(
        month=month,
        currency=currency,
        currencies=currencies,
        days=[day for day in days if day.day >= month.first],
        past=[day for day in days if day.day < month.first],
        owed=await queries.list_owed(conn, party_id, currency, month.first, month.end),
        paid=await queries.sum_paid(conn, party_id, currency, month.first, month.end),
        unbilled=await queries.count_open(conn, actor.scope),
        bookings=await queries.count_bookings(conn, party_id, month.first, month.end),
        even=await queries.is_even(conn, party_id),
        n_entries=n_entries,
        first_open=first_open,
    )


async def _overview(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    view: View,
    *,
    verdict: BookVerdict | None = None,
    is_checked: bool = False,
) -> Response[str]:
    found = await _read(request, conn, actor, view)
    months = [one.month for one in await queries.list_months(conn, actor.party_id)]
    present = today_of(request, view).replace(day=1)
    return page(
        request,
        "money/overview.html",
        found=found,
        months=sorted({*months, present, found.month.first}, reverse=True),
        headline=_headline(found),
        strip=_strip(found),
        chart=_chart(found, today_of(request, view)),
        cdrs_path=_cdrs_path(found, found.month.first, found.month.last),
        reasons=REASONS,
        sorts=SORTS,
        checks=CHECKS,
        verdict=verdict,
        is_checked=is_checked,
        most_checked=verifying.MOST_AT_ONCE,
        prices=prices,
        month_text=lambda day: _("%(month)s %(year)s", month=month_name(day.month, is_long=True), year=day.year),
    )


def _headline(found: Overview) -> tuple[str, str]:
    """What needs a person, and the rest."""
    if not found.n_entries and not found.n_unbilled:
        return "", _("Nothing has been billed yet.")
    wrong = "" if found.is_even else _("The ledger does not balance.")
    if found.n_unbilled:
        open_ones = n_(
            "Not all: %(n)s session is not billed.", "Not all: %(n)s sessions are not billed.", found.n_unbilled
        )
        return f"{open_ones} {wrong}".strip(), "" if wrong else _("The ledger balances.")
    return wrong, "" if wrong else _("Every session that is over is billed, and the ledger balances.")


# ------------------------------------------------------------------------------------------------------------- figures


def _cdrs_path(found: Overview, first: date, last: date) -> str:
    """The CDRs that were booked on some days."""
    asked = {"from": str(first), "to": str(last)}
    if len(found.currencies) > 1:
        asked["currency"] = found.currency
    return "/cdrs?" + urlencode(asked)


def _strip(found: Overview) -> list[dict[str, Any]]:
    """The figures, each with what it is compared to and the rows behind it."""
    month, currency = found.month, found.currency
    trend, tone = _trend(found.billed, found.past_billed)
    of_taxes = _("no taxes were due")
    if found.taxes and found.billed != found.taxes:
        share = found.taxes / (found.billed - found.taxes) * 100
        of_taxes = _("%(percent)s %% of what is without them", percent=grouped(f"{share:.1f}"))
    on = f"&on={month.last}" if not month.is_running else ""
    n_open = sum(one.n_open for one in found.owed)
    return [
        {
            "name": _("Billed in %(month)s", month=month_name(month.first.month, is_long=True)),
            "value": prices.amount(found.billed, currency),
            "path": _cdrs_path(found, month.first, month.last),
            "trend": trend,
            "tone": tone,
            "note": _("on %(past)s", past=f"{month.past_name}, {prices.amount(found.past_billed, currency)}")
            if found.past_billed
            else _("nothing was billed: %(past)s", past=month.past_name),
        },
        {
            "name": _("Taxes in it"),
            "value": prices.amount(found.taxes, currency),
            "path": f"/ledger?kind=tax{on}",
            "trend": "",
            "tone": "",
            "note": of_taxes,
        },
        {
            "name": _("Paid"),
            "value": prices.amount(found.paid, currency),
            "path": f"/payments?show=captured&from={month.first}&to={month.last}",
            "trend": "",
            "tone": "",
            "note": _("%(percent)s %% of what was billed", percent=grouped(f"{found.paid / found.billed * 100:.1f}"))
            if found.billed > 0
            else "",
        },
        {
            "name": _("Still to be paid"),
            "value": prices.amount(found.open, currency),
            "path": f"/ledger?kind=receivable{on}",
            "trend": "",
            "tone": "",
            "note": n_("%(n)s customer owes something", "%(n)s customers owe something", n_open)
            if n_open
            else _("nobody owes anything"),
        },
        {
            "name": _("Not billed"),
            "value": figures.number(found.n_unbilled),
            "path": "/exceptions",
            "trend": "",
            "tone": "",
            "note": _(REASONS[found.unbilled[0].reason][0]) if found.unbilled else _("nothing waits for you"),
        },
    ]


def _trend(now: Decimal, past: Decimal) -> tuple[str, str]:
    if past <= 0:
        return "", ""
    percent = (now - past) / past * 100
    digits = 0 if abs(percent) >= 10 else 1
    sign, tone = ("▲", "good") if percent >= 0 else ("▼", "bad")
    return f"{sign} {grouped(f'{abs(percent):,.{digits}f}')} %", tone


def _chart(found: Overview, today: date) -> Chart:
    month = found.month
    by_day = {day.day: day for day in found.days}
    past_by_day = {day.day.day: day for day in found.past}
    n_days = (month.end - month.first).days
    every_day = [month.first + timedelta(days=n) for n in range(n_days)]
    highest = max((day.billed for day in (*found.days, *found.past)), default=Decimal(0))
    top, step = charts.nice_top(float(highest))
    up = charts.Axis(0, top, BASE, TOP)
    slot = (RIGHT - LEFT) / n_days
    bars: list[Bar] = []
    rows: list[tuple[str, str, Decimal, Decimal, Decimal | None]] = []
    for n, day in enumerate(every_day):
        sums, past = by_day.get(day), past_by_day.get(day.day)
        billed = sums.billed if sums else Decimal(0)
        y, past_y = up.place(float(max(billed, Decimal(0)))), up.place(float(max(past.billed if past else 0, 0)))
        path, name = _cdrs_path(found, day, day), figures.date(day, with_year=False)
        title = f"{name}: {prices.amount(billed, found.currency)}"
        x, width = round(LEFT + n * slot + slot * 0.14, 1), round(slot * 0.72, 1)
        bars.append(Bar(x, y, width, round(BASE - y, 1), past_y, round(BASE - past_y, 1), title, path, day == today))
        if sums is not None or past is not None:
            taxes = sums.taxes if sums else Decimal(0)
            rows.append((name, path, billed, taxes, past.billed if past else None))
    labels = [
        charts.Tick(
            round(LEFT + (day.day - 0.5) * slot, 1),
            figures.date(day, with_year=False) if day.day == 1 else str(day.day),
        )
        for day in every_day
        if day.day == 1 or day.day % 5 == 0
    ]
    return Chart(ticks=charts.value_ticks(up, step), labels=labels, bars=bars, rows=rows)


HANDLERS: Sequence[Any] = [overview, check, money_table]
