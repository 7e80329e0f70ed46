"""/security: who was turned away at the gateway, and what stations and we noticed."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.doorway import WITHIN
from ohmstead.reports.security import queries, service
from ohmstead.reports.security.model import (
    RefusalFilter,
    SecuritySignal,
    SecuritySummary,
    SignalFilter,
    TurnedAway,
)

SIGNALS = Keyset(item=SecuritySignal, type=tuple[datetime, int], of=lambda one: (one.at, one.signal_id))
REFUSALS = Keyset(item=TurnedAway, type=queries.RefusalKey, of=queries.key_of)
READ = "stations:read"


class SignalQuery(Struct, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """The query of security signals."""

    kind: (
        Annotated[
            str, Meta(description="`connection_refused`, or `station_` for all that stations told.", max_length=80)
        ]
        | None
    ) = None
    station_id: Annotated[str, Meta(description="Of this station.", max_length=48)] | None = None
    q: Annotated[str, Meta(description="In identity, address, kind or detail.", max_length=200)] | None = None
    since: Annotated[datetime, Meta(tz=True, description="Not before.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Before.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class RefusalQuery(Struct, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """The query of those turned away."""

    is_known: Annotated[
        bool | None, Meta(description="Only those under identities of stations that are yours, or not.")
    ] = None
    reason: Annotated[str, Meta(description="`password_wrong`.", max_length=80)] | None = None
    q: Annotated[str, Meta(description="In identity or address.", max_length=200)] | None = None
    since: Annotated[datetime, Meta(tz=True, description="Knocks not before.")] | None = None
    until: Annotated[datetime, Meta(tz=True, description="Knocks before.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@get("/security/summary", opt=operation(READ) | WITHIN)
async def get_security_summary(pool: ThePool, actor: TheActor) -> Response[SecuritySummary]:
    """Read whether somebody is at the door: figures of the last day and the last week."""
    async with pool.acquire() as conn:
        return answer(await service.summary(conn, actor, clock.now()))


@get("/security/signals", opt=operation(READ, exports=(CSV, NDJSON)) | WITHIN)
async def list_security_signals(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[SignalQuery]
) -> Response[Page[SecuritySignal]]:
    """List what matters for security, newest first: refused connections, what stations told of themselves, and more.

    What cannot be told to be any station's is shown to the party that runs the installation.
    """
    only = SignalFilter(**{name: getattr(filters, name) for name in SignalFilter.__struct_fields__})

    async def fetch(conn: Connection, after: Any, limit: int) -> list[SecuritySignal]:
        return await queries.list_signals(conn, actor.scope, only, before=after, limit=limit)

    return await listed(request, pool, SIGNALS, fetch, filters, name="security-signals")


@get("/security/refusals", opt=operation(READ, exports=(CSV, NDJSON)) | WITHIN)
async def list_refusals(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[RefusalQuery]
) -> Response[Page[TurnedAway]]:
    """List who was turned away at the gateway, the last to knock first: identity, address, reason, how often."""
    only = RefusalFilter(**{name: getattr(filters, name) for name in RefusalFilter.__struct_fields__})

    async def fetch(conn: Connection, after: Any, limit: int) -> list[TurnedAway]:
        return await queries.list_turned_away(conn, actor.scope, only, after=after, limit=limit)

    return await listed(request, pool, REFUSALS, fetch, filters, name="refusals")


HANDLERS = [get_security_summary, list_security_signals, list_refusals]
