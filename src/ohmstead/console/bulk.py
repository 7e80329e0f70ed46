"""One order to many stations: whom it will reach, asked once; then how far it is, and what each station said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.accounts.approvals.model import Approval
from ohmstead.console import order_help
from ohmstead.console import orders as forms
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, BusIn, DeskIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.console.orders import Choice
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, Refused
from ohmstead.doorway import WITHIN
from ohmstead.reports.pages import queries as pages
from ohmstead.stations import rules
from ohmstead.stations.bulk import queries, second, service
from ohmstead.stations.bulk.model import BulkCommand, ResultFilter
from ohmstead.stations.capabilities import capabilities
from ohmstead.stations.orders import ClearCache, Order
from ohmstead.ui import figures
from ohmstead.ui.templating import page

KINDS = {
    "ask": "Ask status",
    "restart": "Restart",
    "availability": "Availability",
    "read": "Read settings",
    "set": "Change setting",
    "cache": "Clear token cache",
    "order": "Any order",
    "raw": "Raw message",
}
# What will happen at each station, in the words of the confirmation.
EFFECTS = {
    "ask": "Each sends {message} once more. Nothing else changes.",
    "restart": "Each restarts; running sessions are ended first, cut off or waited for, as chosen.",
    "availability": "Each takes no new sessions until it is put back, or takes them again, as chosen.",
    "read": "Each tells its settings. Nothing changes.",
    "set": "Each is told a new value; some settings count only after a restart.",
    "cache": "Each forgets the tokens it looked up before, and asks again for every card.",
    "order": "Each gets the order in its own version’s words, or is passed over with the reason.",
    "raw": "The message goes out exactly as written to every station whose version knows it.",
}
PAGE = 100
EXPORTED = 100_000
QUEUE_FOR_S = 86_400.0
SHOWN = {
    "all": None,
    "going": ["waiting", "queued", "sending", "sent"],
    "accepted": ["accepted"],
    "trouble": ["rejected", "failed", "timed_out", "offline", "expired", "cancelled"],
}


@get("/stations/bulk", opt=WITHIN)
async def new_bulk(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The form. Which stations stands in the address, as on the list it came from."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        n = len(await _chosen(conn, actor, view.query))
    return _form(request, actor, order_help.picked(view.query), n)


def _is_sending(fields: Mapping[str, str]) -> bool:
    return fields.get("step") == "send"


@post("/stations/bulk", status_code=200, opt=WITHIN | {"needs_proof": _is_sending})
async def make_bulk(request: PageRequest, pool: PoolIn, bus: BusIn, desk: DeskIn, actor: ActorIn) -> Response[Any]:
    """First it says to how many stations it would go, and asks; on a second press it is sent."""
    allow(actor, "commands:send")
    form = await request.form()
    fields = {k: v for k, v in form.items() if isinstance(v, str) and k != "csrf_token"}
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "commands:send")
        station_ids = await _chosen(conn, actor, fields)
    try:
        order = order_from(Choice(kind=_kind(fields), fields=fields))
        if forms.is_unchecked(order):
            allow(actor, "commands:raw")
        rules.check(order, clock.now())
        if fields.get("step") != "send":
            return _form(request, actor, fields, len(station_ids), is_asked=True)
        made = await second.create(
            pool,
            desk,
            actor,
            order,
            station_ids,
            _selection(fields),
            queue_for_s=QUEUE_FOR_S if fields.get("queue") == "yes" else None,
        )
    except Invalid as invalid:
        return _form(request, actor, fields, len(station_ids), error=invalid)
    except Refused as refused:
        return _form(request, actor, fields, len(station_ids), error=Invalid(refused.text, "order"))
    if isinstance(made, Approval):
        return Redirect("/approvals", status_code=303)
    await bus.publish(service.NUDGE, {})
    return Redirect(f"/bulk/{made.bulk_id}", status_code=303)


def order_from(choice: Choice) -> Order:
    """The order a form asks for. Raises Invalid with the field that does not fit."""
    if choice.kind == "cache":
        return ClearCache()
    return forms.order_from(choice)


def _kind(fields: Mapping[str, str]) -> str:
    kind = fields.get("kind", "")
    return kind if kind in KINDS else "ask"


def _form(
    request: PageRequest,
    actor: Actor,
    fields: dict[str, str],
    n_stations: int,
    *,
    is_asked: bool = False,
    error: Invalid | None = None,
) -> Response[str]:
    kind = _kind(fields)
    choice = Choice(kind=kind, fields=fields)
    errors = {}
    if error is not None:
        errors = {
            error.field if error.field in fields else {"order": "order", "set": "name"}.get(kind, "kind"): error.text
        }
    return page(
        request,
        "console/bulk_new.html",
        status=422 if error else 200,
        choice=choice,
        kinds={k: v for k, v in KINDS.items() if k != "raw" or "commands:raw" in actor.actions},
        n_stations=n_stations,
        selection=_selection(fields),
        effect=EFFECTS[kind].format(message=choice.get("message", "StatusNotification")),
        askable=forms.ASKABLE,
        order_help=order_help,
        capabilities=capabilities("2.1") if kind == "order" else [],
        is_asked=is_asked,
        errors=errors,
    )


def _selection(fields: Mapping[str, str]) -> dict[str, Any]:
    """By what the stations are chosen, as the list of stations has it in its address."""
    show = fields.get("show", "")
    found = {
        "show": show if show in pages.STATION_CHIPS and show != "all" else "",
        "q": fields.get("q", "").strip()[:100],
    }
    found["location"] = fields.get("location", "")
    return {name: value for name, value in found.items() if value}


async def _chosen(conn: Connection, actor: Actor, fields: Mapping[str, str]) -> list[str]:
    chosen = _selection(fields)
    return await pages.list_station_ids(
        conn,
        actor.scope,
        chip=chosen.get("show", "all"),
        text=chosen.get("q", ""),
        location_id=uuid_of(chosen["location"], "location") if "location" in chosen else None,
    )


# ------------------------------------------------------------------------------------------------- what became of it


@get("/bulk")
async def bulks(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The latest ones."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "commands:send")
        found = await queries.list_bulks(conn, actor.scope, limit=PAGE)
    return page(request, "console/bulks.html", found=found, name_of=name_of)


@get("/bulk/{bulk_id:str}")
async def bulk(request: PageRequest, pool: PoolIn, actor: ActorIn, bulk_id: FromPath[str]) -> Response[str]:
    """How far it is; what became of it at each station, page by page."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "commands:send")
        found = await queries.get_bulk(conn, actor.party_id, uuid_of(bulk_id, "bulk command"))
        show = view.query.get("show", "all")
        show = show if show in SHOWN else "all"
        results = await queries.list_results(
            conn,
            actor.party_id,
            found.bulk_id,
            ResultFilter(status=SHOWN[show]),  # type: ignore[arg-type]
            after=view.query.get("after") or None,
            limit=PAGE + 1,
        )
    counts = msgspec.structs.asdict(found.progress)
    return page(
        request,
        "console/bulk.html",
        bulk=found,
        name=name_of(found),
        headline=headline(found),
        results=results[:PAGE],
        next_after=results[PAGE - 1].station_id if len(results) > PAGE else None,
        show=show,
        counts={
            name: found.n_stations if wanted is None else sum(counts[state] for state in wanted)
            for name, wanted in SHOWN.items()
        },
    )


@get("/bulk/{bulk_id:str}/results.csv")
async def results_csv(request: PageRequest, pool: PoolIn, actor: ActorIn, bulk_id: FromPath[str]) -> Response[bytes]:
    """What became of it at every station."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor, "commands:send")
        found = await queries.get_bulk(conn, actor.party_id, uuid_of(bulk_id, "bulk command"))
        results = await queries.list_results(conn, actor.party_id, found.bulk_id, ResultFilter(), limit=EXPORTED)
    columns = ["station_id", "status", "sent_at", "answered_at", "answer", "error_code", "error_text", "command_id"]
    rows = (
        [
            r.station_id, r.status, r.sent_at, r.answered_at,
            msgspec.json.encode(r.answer).decode() if r.answer is not None else None, r.error_code, r.error_text,
            r.command_id,
        ]
        for r in results
    )  # fmt: skip
    return csv_response("bulk-results", columns, rows)


@post("/bulk/{bulk_id:str}/cancel")
async def cancel_bulk(pool: PoolIn, actor: ActorIn, bulk_id: FromPath[str]) -> Redirect:
    """Send it to no further station."""
    allow(actor, "commands:send")
    found: UUID = uuid_of(bulk_id, "bulk command")
    async with pool.acquire() as conn, conn.transaction():
        await service.cancel(conn, actor, found)
    return Redirect(f"/bulk/{found}", status_code=303)


def name_of(bulk: BulkCommand) -> str:
    """The order's kind for people."""
    return forms.STORED.get(bulk.kind, bulk.kind.replace("_", " ").capitalize())


def headline(bulk: BulkCommand) -> tuple[str, str]:
    """What went wrong, in red, and how far it is."""
    progress = bulk.progress
    trouble = progress.rejected + progress.failed + progress.timed_out + progress.offline + progress.expired
    bad = f"{figures.plural(trouble, 'station')} did not do it." if trouble else ""
    if bulk.status == "cancelled":
        return bad, f"Cancelled: {progress.accepted:,} of {bulk.n_stations:,} had done it."
    if bulk.finished_at is None:
        return bad, f"{progress.n_over:,} of {bulk.n_stations:,} are through."
    return bad, f"{progress.accepted:,} of {bulk.n_stations:,} did it."
