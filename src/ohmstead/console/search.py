"""Find anything by any id."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.response import Redirect

from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.doorway import WITHIN
from ohmstead.reports.pages import queries
from ohmstead.ui.templating import page

MOST = 20


@get("/search", opt=WITHIN)
async def search(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """Stations, tokens and sessions; a single exact hit opens at once."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        text = view.query["q"].strip()[:100]
        hits = await queries.search(conn, actor.scope, text, MOST) if text else []
    allowed = {"station": "stations:read", "session": "sessions:read", "token": "tokens:read"}
    hits = [hit for hit in hits if view.may(allowed[hit.kind])]
    exact = [hit for hit in hits if hit.id.lower() == text.lower()]
    if len(exact) == 1:
        return Redirect(exact[0].path, status_code=303)
    return page(request, "console/search.html", hits=hits, text=text, most=MOST)
