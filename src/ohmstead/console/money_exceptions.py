"""What does not agree, and what is owed? Differences between provider, books and CDRs; debts; chargebacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.billing.payments import queries as payments
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import (
    Debt,
    DebtForgiveness,
    DifferenceNote,
    DifferenceState,
    Dispute,
    DisputeState,
    PaymentDifference,
)
from ohmstead.billing.payments.queries import DebtFilter
from ohmstead.billing.payments.reconciling import differences
from ohmstead.console import feed
from ohmstead.console.exports import csv_response, whole
from ohmstead.console.forms import faults_of, form_of
from ohmstead.console.frame import ActorIn, BusIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.money_cdrs import customer_names
from ohmstead.console.money_words import DIFFERENCES, customer_of, failure_text, who
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.language import N_, _, n_
from ohmstead.reports.money import queries as books
from ohmstead.reports.takings import queries
from ohmstead.reports.takings.model import Waiting
from ohmstead.ui import prices
from ohmstead.ui.templating import View, page

PAGE: Final = 50
EXPORTED: Final = 20_000
# The states of each list; the first is shown unless another is asked for.
SHOWS: Final[dict[str, dict[str, str]]] = {
    "debts": {"open": N_("Open"), "settled": N_("No longer owed"), "all": N_("All")},
    "disputes": {"open": N_("Open"), "won": N_("Won"), "lost": N_("Lost"), "all": N_("All")},
    "differences": {"open": N_("To explain"), "explained": N_("Explained"), "gone": N_("Gone"), "all": N_("All")},
}
_Found = Sequence[Debt] | Sequence[Dispute] | Sequence[PaymentDifference]


@get(["/exceptions/debts", "/exceptions/disputes", "/exceptions/differences"])
async def exceptions_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """A list of one sort; its state and the place in it stand in the address."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "payments:read")
        return await _page(request, conn, actor, view, _room(request), {}, {})


@get(["/exceptions/debts.csv", "/exceptions/disputes.csv", "/exceptions/differences.csv"])
async def exceptions_table(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """What the list shows, all of it."""
    room = _room(request)
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "payments:read")
        found = await _list(conn, actor, room, _show(view, room), None, EXPORTED + 1)
    whole(found, EXPORTED)
    kinds: dict[str, type[Any]] = {"debts": Debt, "disputes": Dispute, "differences": PaymentDifference}
    columns = [name for name in kinds[room].__struct_fields__ if name != "party_id"]
    rows = (
        [str(value) if isinstance(value := getattr(one, name), UUID) else value for name in columns] for one in found
    )
    return csv_response(room, columns, rows)


def _room(request: PageRequest) -> str:
    return str(request.scope["path"]).split("/")[2].removesuffix(".csv")


def _show(view: View, room: str) -> str:
    return view.query["show"] if view.query["show"] in SHOWS[room] else "open"


async def _list(
    conn: Connection, actor: Actor, room: str, show: str, before: tuple[datetime, UUID] | None, limit: int
) -> _Found:
    party_id = actor.party_id
    if room == "debts":
        is_open = None if show == "all" else show == "open"
        return await payments.list_debts(conn, party_id, DebtFilter(is_open=is_open), before=before, limit=limit)
    if room == "disputes":
        dispute = None if show == "all" else cast("DisputeState", show)
        return await payments.list_disputes(conn, party_id, state=dispute, before=before, limit=limit)
    difference = None if show == "all" else cast("DifferenceState", show)
    return await payments.list_differences(conn, party_id, state=difference, before=before, limit=limit)


async def _page(
    request: PageRequest,
    conn: Connection,
    actor: Actor,
    view: View,
    room: str,
    given: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
    error: str = "",
) -> Response[str]:
    show = _show(view, room)
    found = await _list(conn, actor, room, show, _cursor(view.query["before"]), PAGE + 1)
    shown, more = found[:PAGE], len(found) > PAGE
    names = await customer_names(conn, actor, [one.customer for one in shown if isinstance(one, Debt)])
    people = await books.names_of_actors(
        conn, actor.party_id, [one.decided_by or "" for one in shown if isinstance(one, PaymentDifference)]
    )
    waiting = await queries.count_waiting(conn, actor.party_id)
    question, calm, headline, title = _words(room, waiting)
    return page(
        request,
        "money/exceptions.html",
        status=422 if errors else status,
        room=room,
        here=f"/exceptions/{room}",
        title=title,
        question=question,
        headline=headline,
        calm=calm,
        found=shown,
        waiting=waiting,
        show=show,
        shows=SHOWS[room],
        kinds=DIFFERENCES,
        customer=lambda code: customer_of(code, names, actor),
        failure_text=failure_text,
        who=lambda code: who(code, people),
        next_before=_key(shown[-1]) if more else None,
        given={"id": "", "note": "", **given},
        errors=errors,
        error=error,
        prices=prices,
    )


def _words(room: str, waiting: Waiting) -> tuple[str, tuple[str, str], str, str]:
    """The question, what is said when there is nothing, the answer, and the list's name."""
    if room == "debts":
        n = waiting.n_debts
        answer = n_("%(n)s debt is open.", "%(n)s debts are open.", n) if n else _("Nobody owes a debt.")
        calm = (
            _("Nobody owes a debt."),
            _(
                "What a payment should have covered and did not is a debt: its customer begins nothing until it is settled."
            ),
        )
        return _("Which payments did not cover what they should?"), calm, answer, _("Debts")
    if room == "disputes":
        n = waiting.n_disputes
        answer = n_("%(n)s chargeback is open.", "%(n)s chargebacks are open.", n) if n else _("No chargeback is open.")
        calm = (
            _("No chargeback is open."),
            _(
                "Payers can take a payment back through their bank. Evidence is given at the provider; its word comes here."
            ),
        )
        return _("Who took a payment back through their bank?"), calm, answer, _("Chargebacks")
    n = waiting.n_differences
    answer = (
        n_("%(n)s difference is to be explained.", "%(n)s differences are to be explained.", n)
        if n
        else _("Provider, books and CDRs agree.")
    )
    calm = (
        _("Provider, books and CDRs agree."),
        _(
            "Each day the provider’s statement is compared with the books, and those with the CDRs. What differs comes here."
        ),
    )
    return _("Do the provider’s statement, the books and the CDRs agree?"), calm, answer, _("Differences")


def _key(one: Debt | Dispute | PaymentDifference) -> str:
    if isinstance(one, Debt):
        return f"{one.opened_at.isoformat()}_{one.debt_id}"
    if isinstance(one, Dispute):
        return f"{one.opened_at.isoformat()}_{one.dispute_id}"
    return f"{one.found_at.isoformat()}_{one.difference_id}"


def _cursor(text: str) -> tuple[datetime, UUID] | None:
    at_text, _sign, id_text = text.replace(" ", "+").partition("_")
    at = feed.instant(at_text)
    try:
        return (at, UUID(id_text)) if at else None
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------------------- decided


@post("/exceptions/debts/{debt_id:str}/forgive", status_code=200, opt={"needs_proof": True})
async def forgive_debt(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, debt_id: FromPath[str]
) -> Response[Any]:
    """Ask for it no more."""
    return await _decide(request, pool, bus, actor, "debts", uuid_of(debt_id, "debt"))


@post("/exceptions/differences/{difference_id:str}/explain", status_code=200)
async def explain_difference(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: ActorIn, difference_id: FromPath[str]
) -> Response[Any]:
    """Say what it comes from."""
    return await _decide(request, pool, bus, actor, "differences", uuid_of(difference_id, "difference"))


async def _decide(
    request: PageRequest, pool: PoolIn, bus: BusIn, actor: Actor, room: str, known: UUID
) -> Response[Any]:
    allow(actor, "payments:write")
    note = (await form_of(request)).fields.get("note", "")
    given = {"id": str(request.scope["path"]), "note": note}
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "payments:read")
        await (payments.get_debt if room == "debts" else payments.get_difference)(conn, actor.party_id, known)
        try:
            async with conn.transaction():
                if room == "debts":
                    await service.forgive_debt(conn, actor, known, DebtForgiveness(reason=note))
                else:
                    await differences.explain(conn, actor, known, DifferenceNote(note=note))
        except Invalid as fault:
            told = {"note": next(iter(faults_of(fault, ("note",)).values()))}
            return await _page(request, conn, actor, view, room, given, told, error=fault.text)
        except (Conflict, Refused) as fault:
            return await _page(request, conn, actor, view, room, {}, {}, status=409, error=fault.text)
    await bus.publish(NUDGE, {})
    return Redirect(f"/exceptions/{room}?done=yes", status_code=303)


HANDLERS: Sequence[Any] = [exceptions_page, exceptions_table, forgive_debt, explain_difference]
