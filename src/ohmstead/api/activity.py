"""/activity: what takes longer than a moment, running and done."""

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from ohmstead.accounts.access import may
from ohmstead.api.operations import TheActor, ThePool, answer, operation
from ohmstead.doorway import WITHIN
from ohmstead.reports.activity import service
from ohmstead.reports.activity.service import Work


class ActivityQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How much of it."""

    limit: Annotated[int, Meta(ge=1, le=100, description="At most so many of each kind.")] = 10


class Activity(Struct):
    """What is going on first, then what is over."""

    items: list[Work]


@get("/activity", opt=operation("stations:read") | WITHIN)
async def list_activity(pool: ThePool, actor: TheActor, filters: NamedDependency[ActivityQuery]) -> Response[Activity]:
    """List orders to many stations and rollouts with their progress. Orders are left out for who may send none."""
    async with pool.acquire() as conn:
        found = await service.list_work(conn, actor.scope, with_orders=may(actor, "commands:send"), limit=filters.limit)
    return answer(Activity(found))


HANDLERS = [list_activity]
