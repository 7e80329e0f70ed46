"""Which sessions are not billed, why, and what shall become of them? A worklist: by reason, one by one or many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

import msgspec
from litestar import Response, get, post
from msgspec import Struct

from ohmstead.accounts.access import Actor, NotAllowed, may, require
from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs import service as billing
from ohmstead.billing.cdrs.model import DecidedSession, Decision, Reason, UnbillableDecision, UnbillableSession
from ohmstead.billing.cdrs.queries import UnbillableFilter
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.console import feed
from ohmstead.console.exports import table_response, whole
from ohmstead.console.forms import Form, faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened
from ohmstead.console.money_words import REASONS, who
from ohmstead.core.db import Connection, Pool, trial
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.core.money import Money
from ohmstead.doorway import WITHIN
from ohmstead.reports.money import queries
from ohmstead.reports.money.model import ReasonSum
from ohmstead.reports.takings import queries as takings
from ohmstead.sessions.pricing import service as pricing
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.ui import figures, prices
from ohmstead.ui.templating import View, page

PAGE: Final = 50
EXPORTED: Final = 20_000
MOST_AT_ONCE: Final = 500
SHOWS: Final = {"open": N_("To decide"), "billed": N_("Billed after all"), "never": N_("Never"), "all": N_("All")}
_SHOWN: Final[dict[str, dict[str, Any]]] = {
    "open": {"is_open": True},
    "billed": {"decision": "bill"},
    "never": {"decision": "never"},
    "all": {},
}
_COSTS: Final = TariffCosts(PlanPayers())


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one of the sessions that were decided about."""

    session_id: UUID
    decided: DecidedSession | None
    error: str


class Report(Struct, frozen=True, kw_only=True):
    """What became of all of them."""

    decision: Decision
    outcomes: list[Outcome]

    @property
    def n_done(self) -> int:
        return sum(one.decided is not None for one in self.outcomes)

    @property
    def sums(self) -> list[Money]:
        """What those come to that are billed now, by currency."""
        found: dict[str, Decimal] = {}
        for one in self.outcomes:
            if one.decided is not None and one.decided.cdr is not None:
                cdr = one.decided.cdr
                found[cdr.currency] = found.get(cdr.currency, Decimal(0)) + cdr.total
        return [Money(amount, currency) for currency, amount in sorted(found.items())]


@get("/exceptions", opt=WITHIN)
async def worklist(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The list; reason, state and page stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        return await _page(request, conn, actor, view)


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    view: View,
    *,
    report: Report | None = None,
    error: str = "",
    note: str = "",
    chosen: Sequence[str] = (),
) -> Response[str]:
    reason, show = _wanted(view)
    sums = await queries.count_open(conn, actor.scope)
    before = _cursor(view.query["before"])
    wanted = UnbillableFilter(reason=reason, **_SHOWN[show])
    found = await cdrs.list_unbillable(conn, actor.scope, wanted, before=before, limit=PAGE + 1)
    rows, last = found[:PAGE], found[PAGE - 1] if len(found) > PAGE else None
    people = await queries.names_of_actors(conn, actor.party_id, [one.decided_by or "" for one in rows])
    return page(
        request,
        "money/unbilled.html",
        status=422 if error else 200,
        rows=rows,
        worth=await _worth(conn, [one.session_id for one in rows]),
        sums=sums,
        n_open=sum(one.n for one in sums),
        n_shown=_n_shown(sums, reason, show),
        reason=reason,
        show=show,
        shows=SHOWS,
        reasons=REASONS,
        headline=_headline(sums),
        next_before=f"{last.found_at.isoformat()}_{last.session_id}" if last else None,
        waiting=await takings.count_waiting(conn, actor.party_id)
        if actor.locations is None and may(actor, "payments:read")
        else None,
        report=report,
        error=error,
        note=note,
        chosen=frozenset(chosen),
        who=lambda code: who(code, people),
        prices=prices,
    )


@get(["/exceptions.csv", "/exceptions.xlsx"], opt=WITHIN)
async def worklist_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        reason, show = _wanted(view)
        wanted = UnbillableFilter(reason=reason, **_SHOWN[show])
        found = whole(await cdrs.list_unbillable(conn, actor.scope, wanted, limit=EXPORTED + 1), EXPORTED)
    columns = (
        "session_id", "station_id", "started_at", "ended_at", "energy_wh", "token_uid", "reason", "detail", "found_at",
        "decision", "note", "decided_at", "decided_by",
    )  # fmt: skip

    def cells(one: UnbillableSession) -> list[Any]:
        return [str(one.session_id), *(getattr(one, name) for name in columns[1:])]

    return await table_response(request, columns, (cells(one) for one in found))


def _wanted(view: View) -> tuple[Reason | None, str]:
    reason = view.query["reason"]
    show = view.query["show"]
    return cast("Reason", reason) if reason in REASONS else None, show if show in SHOWS else "open"


def _n_shown(sums: Sequence[ReasonSum], reason: Reason | None, show: str) -> int | None:
    """How many the list has in all, where that is known without counting."""
    return sum(one.n for one in sums if reason in (None, one.reason)) if show == "open" else None


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    at_text, _sign, id_text = text.replace(" ", "+").partition("_")
    at = feed.instant(at_text)
    try:
        return (at, UUID(id_text)) if at else None
    except ValueError:
        return None


def _headline(sums: Sequence[ReasonSum]) -> str:
    n = sum(one.n for one in sums)
    if not n:
        return _("Every session that is over is billed, or decided about.")
    energy = " ".join(figures.energy(sum((one.energy_wh for one in sums), Decimal(0))))
    return n_(
        "%(n)s session waits for a decision, %(energy)s.",
        "%(n)s sessions wait for a decision, %(energy)s.",
        n,
        energy=energy,
    )


async def _worth(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Money]:
    """What sessions would come to, billed as they are now; those of which no price can be told are left out."""
    if not session_ids:
        return {}
    async with trial(conn, is_kept=False):
        reckoned = await pricing.reckon(conn, _COSTS, session_ids)
    return {one.session.session_id: Money(one.cost.total, one.cost.currency) for one in reckoned if one.cost}


# -------------------------------------------------------------------------------------------------------------- decided


@post("/exceptions", status_code=200, opt=WITHIN)
async def decide(request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn) -> Response[Any]:
    """Decide about those that were chosen; then the list again, with what became of each."""
    allow(actor, "billing:write")
    given = await form_of(request)
    chosen = given.many.get("chosen", [])
    report, error = None, ""
    try:
        decision, ids = _order(given, chosen)
        report = Report(decision=decision.decision, outcomes=[await _one(pool, actor, one, decision) for one in ids])
    except (Invalid, msgspec.ValidationError) as fault:
        error = next(iter(faults_of(fault, ("note", "chosen", "decision")).values()))
    if report is not None and report.n_done:
        await bus.publish(NUDGE, {})
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "billing:read")
        note = given.fields.get("note", "") if error else ""
        return await _page(
            request, conn, actor, view, report=report, error=error, note=note, chosen=chosen if error else ()
        )


def _order(given: Form, chosen: Sequence[str]) -> tuple[UnbillableDecision, list[UUID]]:
    ids = msgspec.convert(list(dict.fromkeys(chosen)), list[UUID], strict=False)
    if not ids:
        raise Invalid("Choose sessions first: x, or the box at the start of a row.", "chosen")
    if len(ids) > MOST_AT_ONCE:
        raise Invalid(f"at most {MOST_AT_ONCE} at once", "chosen")
    if not given.fields.get("note"):
        raise Invalid("say why", "note")
    raw = {"decision": given.fields.get("decision", ""), "note": given.fields["note"]}
    return msgspec.convert(raw, UnbillableDecision), ids


async def _one(pool: Pool, actor: Actor, session_id: UUID, decision: UnbillableDecision) -> Outcome:
    """Each by itself: what stops one of them stops no other."""
    try:
        async with pool.acquire() as conn, conn.transaction():
            found = await cdrs.get_unbillable(conn, actor.party_id, session_id)
            require(actor, "billing:write", found)
            decided = await billing.decide(conn, actor, session_id, decision)
    except (Conflict, Refused, Invalid, NotFound) as refused:
        return Outcome(session_id=session_id, decided=None, error=refused.text)
    except NotAllowed:
        return Outcome(
            session_id=session_id, decided=None, error=f"session {session_id} is not among the unbillable ones"
        )
    return Outcome(session_id=session_id, decided=decided, error="")


HANDLERS: Sequence[Any] = [worklist, worklist_table, decide]
