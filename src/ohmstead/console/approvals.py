"""What waits for a second person: agreed to, or rejected with a reason."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.accounts.approvals import service as approvals
from ohmstead.console.frame import ActorIn, BusIn, DeskIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.errors import Conflict, Invalid, OhmsteadError, Refused
from ohmstead.stations.bulk import second
from ohmstead.stations.bulk.service import NUDGE
from ohmstead.ui.templating import page

ACTION = "commands:send"


@get("/approvals")
async def approvals_page(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """Those that wait first."""
    return await _page(request, pool, actor)


async def _page(request: PageRequest, pool: PoolIn, actor: Actor, error: OhmsteadError | None = None) -> Response[str]:
    async with pool.acquire() as conn:
        await opened(request, conn, actor, ACTION)
        found = await approvals.list_approvals(conn, actor.party_id)
        is_needed = await approvals.is_needed(conn, actor.party_id)
    return page(
        request,
        "console/approvals.html",
        status=422 if error else 200,
        approvals=found,
        n_waiting=sum(1 for one in found if one.state == "waiting"),
        is_needed=is_needed,
        me=actor.actor_id,
        error=error.text if error else None,
    )


def _is_agreement(fields: Any) -> bool:
    return bool(fields.get("do") == "approve")


@post("/approvals/{approval_id:str}", opt={"needs_proof": _is_agreement}, status_code=200)
async def decide(
    request: PageRequest, pool: PoolIn, bus: BusIn, desk: DeskIn, actor: ActorIn, approval_id: FromPath[str]
) -> Response[Any]:
    """Approve, reject, or withdraw what one asked for oneself."""
    allow(actor, ACTION)
    form = await request.form()
    known = uuid_of(approval_id, "approval")
    try:
        match form.get("do"):
            case "approve":
                made = await second.approve(pool, desk, actor, known)
                await bus.publish(NUDGE, {})
                return Redirect(f"/bulk/{made.bulk_id}", status_code=303)
            case "withdraw":
                async with pool.acquire() as conn, conn.transaction():
                    await approvals.withdraw(conn, actor, known)
            case _:
                async with pool.acquire() as conn, conn.transaction():
                    await approvals.reject(conn, actor, known, str(form.get("reason", "")))
    except (Invalid, Conflict, Refused) as error:
        return await _page(request, pool, actor, error)
    return Redirect("/approvals", status_code=303)


HANDLERS = [approvals_page, decide]
