"""What did they say to each other? The whole message log of a station, and one message in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.console.messages import exchange, filter_of, kept, log_lines, moment, next_page
from ohmstead.core import clock
from ohmstead.core.errors import NotFound
from ohmstead.core.language import _
from ohmstead.reports.pages.queries import find_station
from ohmstead.reports.wire import differences, queries
from ohmstead.reports.wire.explain import explain
from ohmstead.ui import figures
from ohmstead.ui.templating import View, page

WEEK = timedelta(days=7)


@get("/stations/{station_id:str}/log")
async def message_log(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """The log with all its filters, which stand in the address; live, but for a span that has ended."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "messages:read")
        station = await find_station(conn, actor.party_id, station_id)
        if station is None:
            raise NotFound(f"no station {station_id}")
        lines = await log_lines(conn, actor, station_id, view)
        actions = await queries.message_actions(conn, actor.party_id, station_id, clock.now() - WEEK)
    wanted = filter_of(view)
    return page(
        request,
        "console/message_log.html",
        station=station,
        lines=lines,
        more=next_page(view, lines),
        actions=sorted({*actions, wanted.action} - {""}),
        kept=kept(view),
        wanted=wanted,
        is_live=wanted.until is None and not view.query["before"],
        wall=lambda at: at.astimezone(view.zone).strftime("%Y-%m-%dT%H:%M") if at else "",
        heading=_heading(view),
    )


def _heading(view: View) -> str:
    wanted = filter_of(view)
    which = {"failed": _("failed or slow"), "errors": _("refused with an error"), "unanswered": _("unanswered")}
    parts = [
        wanted.action,
        {"in": _("from the station"), "out": _("to the station")}.get(wanted.direction, ""),
        which.get(wanted.outcome, ""),
        _("of %(latency)s or more", latency=figures.latency(wanted.slower_than_us)) if wanted.slower_than_us else "",
        _("with “%(text)s”", text=wanted.text) if wanted.text else "",
    ]
    found = ", ".join(part for part in parts if part)
    return _("Messages: %(which)s", which=found) if found else _("Every message, as it travelled")


@get("/stations/{station_id:str}/log/{message_id:str}")
async def message(
    request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str], message_id: FromPath[str]
) -> Response[str]:
    """One message with its answer: in plain words, and beside the one of its kind before. `at` names its instant."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "messages:read")
        at = moment(view.query["at"], view.zone)
        row = await queries.find_exchange(conn, actor.party_id, station_id, message_id, at)
        if row is None:
            raise NotFound(f"no message {message_id} in the log of {station_id}")
        before = await queries.find_previous(
            conn, actor.party_id, station_id, row["action"], row["direction"], row["received_at"]
        )
    context: dict[str, Any] = {
        "station_id": station_id,
        "line": exchange(row),
        "row": row,
        "words": explain(row["version"], row["action"], row["payload"], row["answer"], row["error_code"]),
        "before": exchange(before) if before else None,
        "changes": differences.between(before["payload"], row["payload"]) if before else [],
        "around": row["received_at"] + timedelta(seconds=1),
    }
    is_part = "hx-request" in request.headers
    return page(request, "station/message_words.html" if is_part else "console/message.html", **context)


HANDLERS = [message_log, message]
