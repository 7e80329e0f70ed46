"""/bulk-commands: one order to many stations, and what became of it at each."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.approvals.model import Approval
from ohmstead.accounts.scope import Scope
from ohmstead.api.commands import require_for
from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    TheDesk,
    ThePool,
    answer,
    listed,
    operation,
)
from ohmstead.api.problems import SecondPersonNeeded
from ohmstead.core.db import Connection
from ohmstead.doorway import WITHIN
from ohmstead.stations import queries
from ohmstead.stations.bulk import queries as bulk_queries
from ohmstead.stations.bulk import second
from ohmstead.stations.bulk import service as bulk
from ohmstead.stations.bulk.model import BulkCommand, BulkResult, ResultFilter
from ohmstead.stations.orders import Order
from ohmstead.stations.queries import StationFilter

KEYSET = Keyset(item=BulkCommand, type=tuple[datetime, UUID], of=lambda item: (item.requested_at, item.bulk_id))
RESULTS = Keyset(item=BulkResult, type=str, of=lambda item: item.station_id)
StationIds = Annotated[list[Annotated[str, Meta(max_length=48)]], Meta(min_length=1, max_length=15_000)]


class Selection(StationFilter, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which stations; the same filters as the list of stations has. Nothing given: all in service."""

    stations: Annotated[StationIds | None, Meta(description="Of those, only these.")] = None


class NewBulkCommand(Struct, kw_only=True, forbid_unknown_fields=True):
    """One order to the stations that fit, as of now."""

    order: Order
    selection: Selection
    timeout: Annotated[float, Meta(ge=1, le=120, description="Seconds that each station has for its answer.")] = 30.0
    queue_for: (
        Annotated[
            float,
            Meta(ge=1, le=604_800, description="Stations that are offline get it when back within so many seconds."),
        ]
        | None
    ) = None
    at_once: Annotated[
        int, Meta(ge=1, le=bulk.MOST_AT_STATIONS, description="At so many stations at most it is under way.")
    ] = bulk.MOST_AT_STATIONS


class BulkCount(Struct, frozen=True, kw_only=True):
    """How many stations a bulk command would go to."""

    n_stations: int


class ResultQuery(ResultFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the results."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


@post("/bulk-commands", opt=operation("commands:send", errors=(409,)) | WITHIN | {"needs_proof": True})
async def create_bulk_command(
    pool: ThePool, bus: TheBus, desk: TheDesk, actor: TheActor, given: NamedDependency[NewBulkCommand]
) -> Response[BulkCommand]:
    """Send one order to all stations that fit.

    It is answered as soon as it is remembered; the stations get it from then on, a bounded number at a time. What each
    was sent is a command of its own. `kind: raw`, and messages of vendors that are not registered, take `commands:raw`.
    Where the party wants a second person it waits for one: the answer is the problem `second-person-needed`, which says
    until when, and nothing is sent before somebody else agreed.
    """
    require_for(actor, given.order)
    async with pool.acquire() as conn:
        station_ids = await _chosen(conn, actor.scope, given.selection)
    made = await second.create(
        pool,
        desk,
        actor,
        given.order,
        station_ids,
        _shown(given.selection),
        timeout_s=given.timeout,
        queue_for_s=given.queue_for,
        at_once=given.at_once,
    )
    if isinstance(made, Approval):
        raise SecondPersonNeeded(
            f"it waits for a second person until {made.expires_at:%Y-%m-%d %H:%M} UTC: {made.summary}",
            approval_id=made.approval_id,
        )
    await bus.publish(bulk.NUDGE, {})
    return answer(made, status=201, headers={"Location": f"/api/v1/bulk-commands/{made.bulk_id}"})


@post("/bulk-commands/count", status_code=200, opt=operation("commands:send") | WITHIN)
async def count_bulk_stations(
    pool: ThePool, actor: TheActor, given: NamedDependency[NewBulkCommand]
) -> Response[BulkCount]:
    """Tell to how many stations a bulk command would go. Nothing is sent."""
    async with pool.acquire() as conn:
        return answer(BulkCount(n_stations=len(await _chosen(conn, actor.scope, given.selection))))


@get("/bulk-commands", opt=operation("commands:send"))
async def list_bulk_commands(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[BulkCommand]]:
    """List bulk commands, newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[BulkCommand]:
        return await bulk_queries.list_bulks(conn, actor.scope, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@get("/bulk-commands/{bulk_id:uuid}", opt=operation("commands:send", errors=(404,)))
async def get_bulk_command(pool: ThePool, actor: TheActor, bulk_id: FromPath[UUID]) -> Response[BulkCommand]:
    """Read how far a bulk command is."""
    async with pool.acquire() as conn:
        return answer(await bulk_queries.get_bulk(conn, actor.party_id, bulk_id))


@get("/bulk-commands/{bulk_id:uuid}/results", opt=operation("commands:send", errors=(404,), exports=(CSV, NDJSON)))
async def list_bulk_results(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    bulk_id: FromPath[UUID],
    filters: NamedDependency[ResultQuery],
) -> Response[Page[BulkResult]]:
    """List what became of it at each station, by station."""
    async with pool.acquire() as conn:
        await bulk_queries.get_bulk(conn, actor.party_id, bulk_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[BulkResult]:
        return await bulk_queries.list_results(conn, actor.party_id, bulk_id, filters, after=after, limit=limit)

    return await listed(request, pool, RESULTS, fetch, filters, name="results")


@post("/bulk-commands/{bulk_id:uuid}/cancel", status_code=200, opt=operation("commands:send", errors=(404, 409)))
async def cancel_bulk_command(pool: ThePool, actor: TheActor, bulk_id: FromPath[UUID]) -> Response[BulkCommand]:
    """Send it to no further station. What was sent is sent."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await bulk.cancel(conn, actor, bulk_id))


async def _chosen(conn: Connection, scope: Scope, selection: Selection) -> list[str]:
    found = await queries.list_station_ids(conn, scope, selection)
    if selection.stations is None:
        return found
    wanted = set(selection.stations)
    return [station_id for station_id in found if station_id in wanted]


def _shown(selection: Selection) -> dict[str, Any]:
    """For people to read: of many stations named one by one, only how many."""
    shown: dict[str, Any] = msgspec.to_builtins(selection)
    if selection.stations is not None and len(selection.stations) > 20:
        shown["stations"] = len(selection.stations)
    return shown


HANDLERS = [
    create_bulk_command,
    count_bulk_stations,
    list_bulk_commands,
    get_bulk_command,
    list_bulk_results,
    cancel_bulk_command,
]
