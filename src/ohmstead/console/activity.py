"""What runs, and what is done? A drawer that every page has."""

from __future__ import annotations

from litestar import Response, get

from ohmstead.accounts.access import may
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.core.language import _
from ohmstead.doorway import WITHIN
from ohmstead.reports.activity import service
from ohmstead.reports.activity.service import Work
from ohmstead.ui import states
from ohmstead.ui.states import Look
from ohmstead.ui.templating import page

LOOKS = {
    "running": Look("working", "working", "Running"),
    "paused": Look("attention", "hand", "Paused"),
    "halted": Look("failed", "failed", "Halted"),
    "done": Look("ok", "ok", "Done"),
    "cancelled": Look("off", "off", "Cancelled"),
}


@get("/activity", opt=WITHIN)
async def activity(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[str]:
    """The drawer's content; asked for again by itself while something runs and the drawer is open."""
    async with pool.acquire() as conn:
        await opened(request, conn, actor)
        found = await service.list_work(conn, actor.scope, with_orders=may(actor, "commands:send"))
    return page(
        request,
        "parts/activity.html" if "hx-request" in request.headers else "console/activity.html",
        found=found,
        n_going=sum(work.is_going for work in found),
        look_of=lambda work: LOOKS.get(work.status, states.UNKNOWN),
        title_of=_title_of,
    )


def _title_of(work: Work) -> str:
    """A rollout is called as people called it; orders by their kind."""
    return work.title if work.kind == "rollout" else _(work.title)
