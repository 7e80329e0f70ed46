"""What was billed? The list of CDRs, and one with its lines, its entry in the books, and what became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import Struct

from ohmstead.accounts.access import Actor, may
from ohmstead.accounts.lists import service as lists
from ohmstead.billing.cdrs import ocpi
from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs import service as billing
from ohmstead.billing.cdrs.model import Cdr, CreditOrder, UnbillableSession
from ohmstead.billing.invoices import queries as invoices
from ohmstead.billing.invoices.model import InvoiceRow
from ohmstead.billing.invoices.queries import InvoiceFilter
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.billing.payments.model import Payment
from ohmstead.console.exports import table_response, whole
from ohmstead.console.forms import faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_words import DOCUMENT_KINDS, REASONS, account_text, customer_of, who
from ohmstead.core.db import Connection, trial
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.core.money import Money
from ohmstead.doorway import WITHIN
from ohmstead.reports.money import queries
from ohmstead.reports.money.model import CdrPage, CdrRow, LedgerEntry
from ohmstead.reports.money.queries import CDR_CHIPS, CDR_ORDERS, MOST_COUNTED, CdrChip, CdrWanted
from ohmstead.reports.takings import queries as takings
from ohmstead.sessions.pricing import service as pricing
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.tariffs import queries as tariffs
from ohmstead.tariffs.records import TariffVersion
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

PAGE: Final = 50
EXPORTED: Final = 50_000
CHIPS: Final[dict[CdrChip, str]] = {
    "all": N_("All"),
    "charge": N_("Charges"),
    "credit": N_("Credits"),
    "credited": N_("Taken back"),
    "corrected": N_("Made anew"),
}
KINDS: Final = {"charge": N_("Charge"), "credit": N_("Credit")}
PERIODS: Final = {
    "charging": ("working", N_("charging")),
    "suspended_ev": ("off", N_("car full or paused")),
    "suspended_evse": ("attention", N_("paused by station")),
    "connected": ("off", N_("plugged in")),
    "idle": ("off", N_("idle")),
}
_COSTS: Final = TariffCosts(PlanPayers())
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_NOTHING: Final = CdrPage(rows=[], sums=[], is_counted=True)


class Billing(Struct, frozen=True, kw_only=True):
    """What a session's page tells about its bill: all its CDRs, oldest first, or why there is none."""

    cdrs: list[Cdr]
    payments: list[Payment]
    documents: list[InvoiceRow]
    unbilled: UnbillableSession | None
    is_settled: bool

    @property
    def why(self) -> tuple[str, str]:
        """Why it is not billed, and what can be done."""
        return REASONS[self.unbilled.reason] if self.unbilled is not None else ("", "")

    @property
    def standing(self) -> Cdr | None:
        """The one that counts."""
        return next((one for one in self.cdrs if one.kind == "charge" and one.credited_by is None), None)


# ------------------------------------------------------------------------------------------------------------ the list


@get("/cdrs", opt=WITHIN)
async def cdr_list(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list, latest first; what is filtered, the order and the page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        wanted, error = _wanted(view)
        sort, is_descending = _sort(view)
        number = _number(view)
        found = _NOTHING
        if not error:
            found = await queries.list_cdrs(
                conn,
                actor.scope,
                wanted,
                sort=sort,
                is_descending=is_descending,
                limit=PAGE,
                offset=(number - 1) * PAGE,
            )
        names = await customer_names(conn, actor, [row.customer for row in found.rows] + [wanted.customer or ""])
        hidden = await lists.hidden_columns(conn, actor, "cdrs")
        places = await queries.list_places(conn, actor.scope)
        # Tariffs are the whole party's.
        tariff_names = await queries.list_tariff_names(conn, actor.party_id) if actor.locations is None else {}
    n_found = min(found.n_found, MOST_COUNTED)
    return page(
        request,
        "money/cdrs.html",
        hidden=hidden,
        found=found,
        wanted=wanted,
        error=error,
        chips=CHIPS,
        kinds=KINDS,
        places=places,
        tariff_names=tariff_names,
        customer=lambda code: customer_of(code, names, actor),
        sort=sort,
        is_descending=is_descending,
        number=number,
        n_found=n_found,
        n_pages=max(1, -(-n_found // PAGE)),
        first=(number - 1) * PAGE + 1,
        headline=_headline(found, view),
        prices=prices,
    )


@get(["/cdrs.csv", "/cdrs.xlsx"], opt=WITHIN)
async def cdrs_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all pages of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        wanted, error = _wanted(view)
        sort, is_descending = _sort(view)
        found: list[CdrRow] = []
        if not error:
            found = await queries.export_cdrs(
                conn, actor.scope, wanted, sort=sort, is_descending=is_descending, limit=EXPORTED + 1
            )
    whole(found, EXPORTED)
    columns = (
        "cdr_id", "kind", "is_credited", "version", "session_id", "booked_on", "entry_number", "created_at",
        "started_at", "ended_at", "station_id", "place", "city", "token_uid", "contract_id", "customer", "energy_wh",
        "tariff_name", "tariff_version", "currency", "before_taxes", "total",
    )  # fmt: skip
    return await table_response(request, columns, ([_plain(getattr(row, name)) for name in columns] for row in found))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) or type(value) is date else value


def _wanted(view: View) -> tuple[CdrWanted, str]:
    """What the address asks for, and what in it is no good."""
    query = view.query
    show = query["show"]
    text = query["q"].strip()[:100]
    error = ""
    days: list[date | None] = []
    for name in ("from", "to"):
        try:
            days.append(date.fromisoformat(query[name]) if query[name] else None)
        except ValueError:
            error = _("give days as 2026-03-31")
            days.append(None)
    return CdrWanted(
        chip=show if show in CDR_CHIPS else "all",
        text=text if text and text.isprintable() else None,
        location=uuid_of(query["location"], "location") if query["location"] else None,
        station=query["station"][:48] or None,
        token=query["token"][:255] or None,
        customer=query["customer"][:80] or None,
        tariff=uuid_of(query["tariff"], "tariff") if query["tariff"] else None,
        currency=query["currency"][:3].upper() or None,
        first=days[0],
        last=days[1],
    ), error


def _sort(view: View) -> tuple[str, bool]:
    sort = view.query["sort"]
    if sort not in CDR_ORDERS:
        return "made", True
    return sort, view.query["order"] == "desc"


def _number(view: View) -> int:
    text = view.query["page"]
    return min(max(int(text), 1), 2000) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _headline(found: CdrPage, view: View) -> str:
    if not found.sums:
        return _("No CDR fits.") if any(view.query.values()) else _("Nothing has been billed yet.")
    sums = ", ".join(prices.amount(one.total, one.currency) for one in found.sums)
    if not found.is_counted:
        return _("More than %(n)s CDRs.", n=figures.number(MOST_COUNTED))
    return n_("%(n)s CDR, %(sum)s in all.", "%(n)s CDRs, %(sum)s in all.", found.n_found, sum=sums)


async def customer_names(conn: Connection, actor: Actor, customers: Sequence[str]) -> dict[str, str]:
    """Names of those whom the actor may know by name."""
    known = []
    if actor.locations is None:
        known += [one for one in customers if one.startswith("driver:") and may(actor, "drivers:read")]
        known += [one for one in customers if one.startswith("token:") and may(actor, "tokens:read")]
        known += [one for one in customers if not one.startswith(("driver:", "token:"))]
    return await queries.names_of_customers(conn, actor.party_id, known) if known else {}


# ------------------------------------------------------------------------------------------------------------- one CDR


@get("/cdrs/{cdr_id:str}")
async def cdr_page(request: PageRequest, pool: PoolIn, actor: ActorIn, cdr_id: FromPath[str]) -> Response[str]:
    """What was billed line by line, where it stands in the books, and what it was made instead of."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        return await _page(request, conn, actor, uuid_of(cdr_id, "CDR"), {}, {})


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    cdr_id: UUID,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
    error: str = "",
) -> Response[str]:
    cdr = await cdrs.get_cdr(conn, actor.party_id, cdr_id)
    country_code, party_code, version = await cdrs.get_owner(conn, actor.party_id, cdr)
    kept = await tariffs.get_tariff(conn, actor.party_id, cdr.tariff_id)
    chain = await _chain(conn, actor, cdr.session_id)
    entry = await _entry(conn, actor, cdr)
    postings = [one.detail for one in entry.postings if one.kind in ("receivable", "wallet")] if entry else []
    names = await customer_names(conn, actor, [cdr.customer, *postings])
    people = await queries.names_of_actors(conn, actor.party_id, [one.created_by for one in chain])
    documents: list[InvoiceRow] = []
    if actor.locations is None:
        documents = await invoices.list_invoices(conn, actor.party_id, InvoiceFilter(session=cdr.session_id), limit=20)
    may_credit = cdr.kind == "charge" and cdr.credited_by is None and may(actor, "billing:write")
    return page(
        request,
        "money/cdr.html",
        status=422 if errors else status,
        cdr=cdr,
        tariff=version.tariff,
        tariff_name=kept.name,
        chain=chain,
        entry=entry,
        ocpi=_as_ocpi(cdr, country_code, party_code, version).decode(),
        documents=documents,
        document_kinds=DOCUMENT_KINDS,
        anew=await _anew(conn, cdr) if may_credit else None,
        may_credit=may_credit,
        customer=customer_of(cdr.customer, names, actor),
        account_text=lambda kind, detail: account_text(kind, detail, names),
        who=lambda code: who(code, people),
        kinds=KINDS,
        period_words=PERIODS,
        given={"reason": "", "bill_again": "", **given},
        errors=errors,
        error=error,
        prices=prices,
    )


async def _chain(conn: Connection, actor: Actor, session_id: UUID) -> list[Cdr]:
    """All CDRs of a session, oldest first."""
    found = await cdrs.list_cdrs(conn, actor.scope, cdrs.CdrFilter(session=session_id), limit=100)
    return found[::-1]


async def _entry(conn: Connection, actor: Actor, cdr: Cdr) -> LedgerEntry | None:
    """The books are the whole party's: who sees some locations only does not see them."""
    if actor.locations is not None:
        return None
    return await queries.find_entry_of_cdr(conn, actor.party_id, cdr.cdr_id)


async def _anew(conn: Connection, cdr: Cdr) -> Money | None:
    """What the session would come to, were it billed anew as it is now; None: no price can be told."""
    async with trial(conn, is_kept=False):
        reckoned = await pricing.reckon(conn, _COSTS, [cdr.session_id])
        reckoned = await billing.reduced_as_before(conn, cdr.party_id, reckoned)
    cost = reckoned[0].cost if reckoned else None
    return Money(cost.total, cost.currency) if cost else None


def _as_ocpi(cdr: Cdr, country_code: str, party_code: str, version: TariffVersion) -> bytes:
    return msgspec.json.format(
        _ENCODER.encode(ocpi.cdr_object(cdr, country_code, party_code, version.tariff)), indent=2
    )


@get("/cdrs/{cdr_id:str}/ocpi.json")
async def ocpi_json(request: PageRequest, pool: PoolIn, actor: ActorIn, cdr_id: FromPath[str]) -> Response[bytes]:
    """The CDR as the object that OCPI 2.2.1 has for it, as a file."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        cdr = await cdrs.get_cdr(conn, actor.party_id, uuid_of(cdr_id, "CDR"))
        country_code, party_code, version = await cdrs.get_owner(conn, actor.party_id, cdr)
    return Response(
        _as_ocpi(cdr, country_code, party_code, version),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="cdr-{cdr.cdr_id}.json"'},
    )


@post("/cdrs/{cdr_id:str}/credit", status_code=200, opt={"needs_proof": True})
async def credit_cdr(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, cdr_id: FromPath[str]
) -> Response[Any]:
    """Take it back with a reason, and bill its session anew where that is wanted."""
    allow(actor, "billing:write")
    given = await form_of(request)
    known = uuid_of(cdr_id, "CDR")
    raw = {"reason": given.fields.get("reason", ""), "bill_again": given.fields.get("bill_again") == "yes"}
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "billing:read")
        await cdrs.get_cdr(conn, actor.party_id, known)
        try:
            wanted = msgspec.convert(raw, CreditOrder)
            async with conn.transaction():
                made = await billing.credit(conn, actor, known, wanted)
        except (msgspec.ValidationError, Invalid) as fault:
            return await _page(request, conn, actor, known, given.fields, faults_of(fault, ("reason",)))
        except (Conflict, Refused) as fault:
            return await _page(request, conn, actor, known, given.fields, {}, status=409, error=fault.text)
    await bus.publish(NUDGE, {})
    shown = made.replacement or made.credit
    return Redirect(f"/cdrs/{shown.cdr_id}?done=credit#chain", status_code=303)


# ------------------------------------------------------------------------------------------------ on a session's page


async def session_billing(conn: Connection, actor: Actor, session_id: UUID, *, is_settled: bool) -> Billing | None:
    """What its page tells about the bill; None for who may not know."""
    if not may(actor, "billing:read"):
        return None
    found = await _chain(conn, actor, session_id)
    unbilled = None
    if not any(one.kind == "charge" and one.credited_by is None for one in found):
        with contextlib.suppress(NotFound):
            unbilled = await cdrs.get_unbillable(conn, actor.party_id, session_id)
    sees_all = actor.locations is None
    paid = await takings.list_of_session(conn, actor.party_id, session_id) if may(actor, "payments:read") else []
    documents = await invoices.list_invoices(conn, actor.party_id, InvoiceFilter(session=session_id), limit=20)
    return Billing(
        cdrs=found,
        payments=paid if sees_all else [],
        documents=documents if sees_all else [],
        unbilled=unbilled,
        is_settled=is_settled,
    )


class OwedBy(Struct, frozen=True):
    """What a customer owes in one currency, and the account that says so."""

    account_id: UUID
    balance: Money


async def owed_by(conn: Connection, actor: Actor, customer: str) -> list[OwedBy] | None:
    """By currency; None for who may not know."""
    if actor.locations is not None or not may(actor, "billing:read"):
        return None
    found = await queries.owed_by(conn, actor.party_id, [customer])
    return [OwedBy(account_id, Money.from_minor(minor, currency)) for account_id, currency, minor in found]


HANDLERS: Sequence[Any] = [cdr_list, cdrs_table, cdr_page, ocpi_json, credit_cdr]
