"""/search: anything, by any id or a part of one."""

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from ohmstead.accounts.access import may
from ohmstead.api.operations import TheActor, ThePool, answer, operation
from ohmstead.doorway import WITHIN
from ohmstead.reports.search import queries
from ohmstead.reports.search.queries import Hit, Kind


class SearchQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to look for."""

    q: Annotated[str, Meta(max_length=100, description="An id, a name, or a part of one.")] = ""
    kind: Annotated[list[Kind] | None, Meta(description="Only these; may be given several times.")] = None
    limit: Annotated[int, Meta(ge=1, le=100, description="At most so many of each kind.")] = 10


class Hits(Struct):
    """What was found, by kind, the best first."""

    items: list[Hit]


@get("/search", opt=operation("stations:read") | WITHIN)
async def search(pool: ThePool, actor: TheActor, filters: NamedDependency[SearchQuery]) -> Response[Hits]:
    """Find stations, locations, drivers, tokens and sessions by any id or name, or a part of one; money by its ids.

    Kinds that the caller may not read are left out.
    """
    kinds = [kind for kind, action in queries.KINDS.items() if may(actor, action)]
    kinds = [kind for kind in kinds if filters.kind is None or kind in filters.kind]
    text = filters.q.strip()
    if not text:
        return answer(Hits([]))
    async with pool.acquire() as conn:
        return answer(Hits(await queries.search(conn, actor.scope, text, kinds, filters.limit)))


HANDLERS = [search]
