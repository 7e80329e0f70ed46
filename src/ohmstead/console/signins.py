"""Who signed in, and who was refused: the part of the Security page about people."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from litestar import Response, get

from ohmstead.accounts.access import Actor
from ohmstead.accounts.signin import devices
from ohmstead.accounts.signin import service as signin
from ohmstead.accounts.signin.model import SignInAttempt
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.core.db import Connection
from ohmstead.core.language import N_
from ohmstead.ui.templating import Query, page

ACTION: Final = "people:write"
PAGE: Final = 100
EXPORTED: Final = 100_000
# How somebody signs in, as pages say it.
METHODS: Final = (N_("link"), N_("password"), N_("passkey"), N_("provider"))
OUTCOMES: Final = {"all": None, "signed_in": "signed_in", "refused": "refused"}


@get("/security/sign-ins")
async def sign_ins(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The latest first, page by page."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ACTION)
        found = await _attempts(conn, actor, view.query, _position(view.query.get("before", "")), PAGE + 1)
        refused = await _attempts(conn, actor, Query(show="refused"), None, PAGE)
    last = found[PAGE - 1] if len(found) > PAGE else None
    n_refused = sum(1 for one in refused if (view.now - one.at).total_seconds() < 86400)
    return page(
        request,
        "console/sign_ins.html",
        attempts=found[:PAGE],
        device=devices.told,
        n_refused=n_refused,
        most=PAGE,
        next_before=f"{last.at.isoformat()}~{last.attempt_id}" if last else None,
    )


@get("/security/sign-ins.csv")
async def sign_ins_csv(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[bytes]:
    """Everything that is kept, as a table."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, ACTION)
        found = await _attempts(conn, actor, view.query, None, EXPORTED)
    columns = ["at", "name", "operator_id", "method", "outcome", "reason", "remote_address", "device", "user_agent"]
    rows = (
        [a.at, a.name, a.operator_id, a.method, a.outcome, a.reason, a.remote_address, devices.words(a.user_agent),
         a.user_agent]
        for a in found
    )  # fmt: skip
    return csv_response("sign-ins", columns, rows)


async def _attempts(
    conn: Connection, actor: Actor, query: Query, before: tuple[datetime, int] | None, limit: int
) -> list[SignInAttempt]:
    outcome = OUTCOMES.get(query.get("show", "all"))
    return await signin.list_attempts(
        conn, actor.party_id, outcome=outcome, operator_id=None, before=before, limit=limit
    )


def _position(text: str) -> tuple[datetime, int] | None:
    """Where a page ended; the first page for what is none."""
    at, _, number = text.partition("~")
    try:
        instant = datetime.fromisoformat(at)
        return (instant, int(number)) if instant.tzinfo is not None and len(number) < 19 else None
    except ValueError:
        return None


HANDLERS: list[Any] = [sign_ins, sign_ins_csv]
