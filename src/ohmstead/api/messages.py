"""/stations/{id}/messages: what travelled between a station and us."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import CSV, NDJSON, ApiRequest, Form, Keyset, Page, TheActor, ThePool, listed, operation
from ohmstead.core.db import Connection
from ohmstead.stations import queries
from ohmstead.stations.queries import MessageFilter, MessageView, require_station

KEYSET = Keyset(
    item=MessageView,
    type=tuple[datetime, str, str],
    of=lambda message: (message.received_at, message.message_id, message.direction),
)


class MessageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a station's message log."""

    action: Annotated[str, Meta(description="As OCPP names it.", max_length=60)] | None = None
    direction: Annotated[Literal["in", "out"] | None, Meta(description="in: from the station; out: to it.")] = None
    errors: Annotated[bool | None, Meta(description="Only exchanges that ended in an error, or only others.")] = None
    since: Annotated[datetime, Meta(description="At or after.", tz=True)] | None = msgspec.field(
        default=None, name="from"
    )
    until: Annotated[datetime, Meta(description="Before.", tz=True)] | None = msgspec.field(default=None, name="to")
    q: Annotated[str, Meta(description="Found in payload, answer or message id.", max_length=200)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/stations/{station_id:str}/messages", opt=operation("messages:read", errors=(404,), exports=(CSV, NDJSON)))
async def list_messages(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[MessageQuery],
) -> Response[Page[MessageView]]:
    """List a station's OCPP messages, newest first. Passwords in them are blotted out."""
    wanted = MessageFilter(
        action=filters.action,
        direction=filters.direction,
        errors=filters.errors,
        since=filters.since,
        until=filters.until,
        q=filters.q,
    )
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[MessageView]:
        return await queries.list_messages(conn, actor.party_id, station_id, wanted, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name=f"messages-{station_id}")


HANDLERS = [list_messages]
