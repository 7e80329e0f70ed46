"""Find anything by any id."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from litestar import Response, get
from litestar.response import Redirect

from ohmstead.accounts.access import may
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.console.money_words import ENTRY_KINDS
from ohmstead.core.language import N_, _
from ohmstead.doorway import WITHIN
from ohmstead.reports.search import queries
from ohmstead.reports.search.queries import Hit
from ohmstead.ui import prices
from ohmstead.ui.templating import page

MOST = 20
MOST_AT_ONCE = 5
# Of each kind: icon, and what several are called.
LOOKS = {
    "station": ("stations", N_("Stations")),
    "location": ("place", N_("Locations")),
    "driver": ("person", N_("Drivers")),
    "token": ("card", N_("Tokens")),
    "session": ("sessions", N_("Sessions")),
    "cdr": ("money", N_("CDRs")),
    "payment": ("card", N_("Payments")),
    "invoice": ("money", N_("Invoices")),
    "entry": ("money", N_("Entries of the ledger")),
}


@get("/search", opt=WITHIN)
async def search(request: PageRequest, pool: PoolIn, actor: ActorIn) -> Response[Any]:
    """By kind, the best first; a single exact hit opens at once. As somebody types, the few best of each kind."""
    is_typing = "hx-request" in request.headers
    kinds = [kind for kind, action in queries.KINDS.items() if may(actor, action)]
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor)
        text = view.query["q"].strip()[:100]
        hits = (
            await queries.search(conn, actor.scope, text, kinds, MOST_AT_ONCE if is_typing else MOST)
            if text and "\x00" not in text
            else []
        )
    # A transaction's id may be a small number, which other things hold too: it leads to the list.
    exact = [hit for hit in hits if hit.rank == 3 and (hit.kind != "session" or hit.id == text.lower())]
    if len(exact) == 1 and not is_typing:
        return Redirect(exact[0].path, status_code=303)
    groups = [(*LOOKS[kind], [hit for hit in hits if hit.kind == kind]) for kind in LOOKS]
    return page(
        request,
        "parts/hits.html" if is_typing else "console/search.html",
        hits=hits,
        groups=[group for group in groups if group[2]],
        text=text,
        most=MOST,
        title_of=_title_of,
        text_of=_text_of,
    )


def _title_of(hit: Hit) -> str:
    """Names as they are; a session is told by its transaction, a CDR by what it comes to, an entry by its number."""
    if hit.kind in ("cdr", "payment"):
        amount, _space, currency = hit.title.rpartition(" ")
        return prices.amount(Decimal(amount), currency)
    if hit.kind == "entry":
        return _("entry %(number)s", number=hit.title)
    if hit.kind != "session":
        return hit.title
    return _("transaction %(transaction)s", transaction=hit.title.removeprefix("transaction "))


def _text_of(hit: Hit) -> str:
    """What else is known; a driver's or token's ends with its state where that is not the usual one."""
    before, dot, state = hit.text.rpartition(" · ")
    if hit.kind in ("driver", "token") and state == "blocked":
        return before + dot + _("blocked")
    if hit.kind == "cdr" and state == "credit":
        return before + dot + _("credit")
    if hit.kind == "entry":
        kind, dot, rest = hit.text.partition(" · ")
        return f"{_(ENTRY_KINDS.get(kind, kind))}{dot}{rest}"
    return hit.text
