"""What waits for a second person: agreed to, or rejected with a reason."""

from __future__ import annotations

import re
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from ohmstead.accounts.access import Actor
from ohmstead.accounts.approvals import service as approvals
from ohmstead.console.frame import ActorIn, BusIn, DeskIn, PageRequest, PoolIn, allow, opened, uuid_of
from ohmstead.core.errors import Conflict, Invalid, OhmsteadError, Refused
from ohmstead.core.language import N_, _, n_, told
from ohmstead.stations.bulk import second
from ohmstead.stations.bulk.service import NUDGE
from ohmstead.ui.templating import page

ACTION = "commands:send"
STATES = (N_("waiting"), N_("approved"), N_("rejected"), N_("withdrawn"), N_("expired"))
# The kinds of orders, as they stand in what was asked for.
ORDERS = (
    N_("adjust event stream"),
    N_("allow energy transfer"),
    N_("announce web payment"),
    N_("base report"),
    N_("cancel reservation"),
    N_("change session tariff"),
    N_("clear cache"),
    N_("clear der controls"),
    N_("clear display message"),
    N_("clear monitors"),
    N_("clear profiles"),
    N_("clear tariffs"),
    N_("composite schedule"),
    N_("custom report"),
    N_("customer information"),
    N_("data transfer"),
    N_("delete certificate"),
    N_("deliver certificate"),
    N_("get der controls"),
    N_("get diagnostics"),
    N_("get display messages"),
    N_("get event streams"),
    N_("get local list version"),
    N_("get log"),
    N_("get profiles"),
    N_("get tariffs"),
    N_("get variables"),
    N_("install certificate"),
    N_("list certificates"),
    N_("monitoring report"),
    N_("publish firmware"),
    N_("raw"),
    N_("remote start"),
    N_("remote stop"),
    N_("request battery swap"),
    N_("reserve"),
    N_("reset"),
    N_("send local list"),
    N_("set availability"),
    N_("set default tariff"),
    N_("set der control"),
    N_("set display message"),
    N_("set monitoring base"),
    N_("set monitoring level"),
    N_("set monitors"),
    N_("set network profile"),
    N_("set profile"),
    N_("set variables"),
    N_("signal frequency reserve"),
    N_("transaction status"),
    N_("trigger"),
    N_("unlock"),
    N_("unpublish firmware"),
    N_("update cost"),
    N_("update firmware"),
    N_("update schedule"),
    N_("use priority charging"),
)
_SUMMARY = re.compile(r"(.+) to (\d{1,9}) stations?")


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
        asked=asked,
        n_waiting=sum(1 for one in found if one.state == "waiting"),
        is_needed=is_needed,
        me=actor.actor_id,
        error=told(error) if error else None,
    )


def asked(summary: str) -> str:
    """What somebody asked for, as it was written down (stations/bulk/second.py), in the language of this task."""
    found = _SUMMARY.fullmatch(summary)
    if found is None:
        return summary
    return n_("%(order)s to %(n)s station", "%(order)s to %(n)s stations", int(found[2]), order=_(found[1]))


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
