"""/stations: their register. Orders to them are in commands.py, their message log in messages.py."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal

from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.accounts.access import Actor
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
    ThePool,
    TheSettings,
    answer,
    expected_version,
    listed,
    operation,
    table_body,
)
from ohmstead.core.db import Connection, trial
from ohmstead.core.tables import RowError
from ohmstead.core.workbooks import MEDIA_TYPE as XLSX
from ohmstead.doorway import WITHIN
from ohmstead.stations import queries
from ohmstead.stations.directory import bulk
from ohmstead.stations.directory import service as directory
from ohmstead.stations.directory.bulk import BulkReport
from ohmstead.stations.directory.service import Adoption, NewStation, Password, StationChange, WithSecret
from ohmstead.stations.queries import StationFilter, StationView, VariableView

KEYSET = Keyset(item=StationView, type=str, of=lambda station: station.station_id)
MAX_TABLE_BYTES = 8 * 1024 * 1024


class StationQuery(StationFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of stations."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv sends everything that matches as a table.")] = None


class BulkQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of an import."""

    dry_run: Annotated[bool, Meta(description="Report what would happen, and change nothing.")] = False


class BulkAnswer(Struct, kw_only=True):
    """What became of the rows of a table of stations."""

    created: int
    updated: int
    unchanged: int
    failed: Annotated[list[RowError], Meta(description="Rows count as a spreadsheet shows them: the header is row 1.")]
    locations_created: list[str]
    secrets: Annotated[dict[str, str], Meta(description="Generated passwords by station, told this once.")]
    is_dry_run: bool


class SecretChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """A new password for a station; without one, it is generated."""

    password: Password | None = None


class RejectQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a rejection."""

    reason: Annotated[str, Meta(max_length=300, description="Why, for the audit log.")] = ""


class Variables(Struct):
    """The configuration a station last reported."""

    items: list[VariableView]


@get("/stations", opt=operation("stations:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_stations(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[StationQuery]
) -> Response[Page[StationView]]:
    """List stations by id."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[StationView]:
        return await queries.list_stations(conn, actor.scope, filters, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="stations")


@get("/stations/pending", opt=operation("stations:read") | WITHIN)
async def list_pending(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[StationView]]:
    """List stations that wait for adoption."""
    wanted = StationFilter(registration="pending")

    async def fetch(conn: Connection, after: Any, limit: int) -> list[StationView]:
        return await queries.list_stations(conn, actor.scope, wanted, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@post("/stations", opt=operation("stations:write", errors=(409,)) | WITHIN)
async def create_station(
    pool: ThePool, bus: TheBus, settings: TheSettings, actor: TheActor, given: NamedDependency[NewStation]
) -> Response[WithSecret]:
    """Register a station. With security profile 1 or 2 and no password one is generated, and shown only here."""
    async with pool.acquire() as conn, conn.transaction():
        made = await directory.create_station(conn, actor, given, settings.secret())
    await directory.announce(bus, actor.party_id, [given.station_id], "created")
    where = {"Location": f"/api/v1/stations/{given.station_id}"}
    return answer(made, status=201, version=made.station.version, headers=where)


@post(
    "/stations/bulk",
    status_code=200,
    request_max_body_size=MAX_TABLE_BYTES,
    opt=operation("stations:write", takes=CSV, also_takes=(XLSX,)),
)
async def import_stations(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    settings: TheSettings,
    actor: TheActor,
    filters: NamedDependency[BulkQuery],
) -> Response[BulkAnswer]:
    """Create and update many stations from a table: CSV, or an XLSX workbook's sheet `Stations`, else its first.

    Good rows count even when others fail. The same table a second time changes nothing.
    """
    data = await table_body(request)
    async with pool.acquire() as conn, trial(conn, is_kept=not filters.dry_run):
        report = await bulk.import_stations(conn, actor, data, settings.secret())
    if not filters.dry_run:
        await directory.announce(bus, actor.party_id, report.changed_ids, "changed")
    return answer(bulk_answer(report, is_dry_run=filters.dry_run))


def bulk_answer(report: BulkReport, *, is_dry_run: bool) -> BulkAnswer:
    """What became of the rows; passwords are told only when they are good for something."""
    return BulkAnswer(
        created=report.created,
        updated=report.updated,
        unchanged=report.unchanged,
        failed=report.failed,
        locations_created=report.locations_created,
        secrets={} if is_dry_run else report.secrets,
        is_dry_run=is_dry_run,
    )


@get("/stations/{station_id:str}", opt=operation("stations:read", errors=(404,)))
async def get_station(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[StationView]:
    """Read a station, as it is registered and as it is now."""
    async with pool.acquire() as conn:
        station = await queries.get_station_view(conn, actor.party_id, station_id)
    return answer(station, version=station.version)


@patch("/stations/{station_id:str}", opt=operation("stations:write", errors=(404,), takes_if_match=True))
async def change_station(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[StationChange],
) -> Response[StationView]:
    """Change a station. What is left out stays as it is."""
    async with pool.acquire() as conn, conn.transaction():
        station = await directory.change_station(conn, actor, station_id, given, expected_version(request))
    await directory.announce(bus, actor.party_id, [station_id], "changed")
    return answer(station, version=station.version)


@post(
    "/stations/{station_id:str}/secret",
    status_code=200,
    opt=operation("stations:write", errors=(404,), takes_if_match=True),
)
async def rotate_secret(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    settings: TheSettings,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[SecretChange],
) -> Response[WithSecret]:
    """Give a station a new password. The old one is good no longer; a generated one is shown only here."""
    async with pool.acquire() as conn, conn.transaction():
        made = await directory.rotate_secret(
            conn, actor, station_id, given.password, settings.secret(), expected_version(request)
        )
    await directory.announce(bus, actor.party_id, [station_id], "changed")
    return answer(made, version=made.station.version)


@post(
    "/stations/{station_id:str}/adopt",
    status_code=200,
    opt=operation("stations:write", errors=(404, 409), takes_if_match=True),
)
async def adopt_station(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    settings: TheSettings,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[Adoption],
) -> Response[WithSecret]:
    """Put a station that waits, or was rejected, into service."""
    async with pool.acquire() as conn, conn.transaction():
        made = await directory.adopt(conn, actor, station_id, given, settings.secret(), expected_version(request))
    await directory.announce(bus, actor.party_id, [station_id], "adopted")
    return answer(made, version=made.station.version)


@post(
    "/stations/{station_id:str}/reject",
    status_code=200,
    opt=operation("stations:write", errors=(404,), takes_if_match=True),
)
async def reject_station(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[RejectQuery],
) -> Response[StationView]:
    """Turn a station away from now on. It stays on record and can be adopted later."""
    turn = partial(directory.reject, reason=filters.reason)
    return await _turned(request, pool, bus, actor, station_id, turn, "rejected")


@post(
    "/stations/{station_id:str}/retire",
    status_code=200,
    opt=operation("stations:write", errors=(404,), takes_if_match=True),
)
async def retire_station(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, station_id: FromPath[str]
) -> Response[StationView]:
    """Take a station out of service for good. Its past stays; it is connected no longer."""
    return await _turned(request, pool, bus, actor, station_id, directory.retire, "retired")


@post(
    "/stations/{station_id:str}/reinstate",
    status_code=200,
    opt=operation("stations:write", errors=(404,), takes_if_match=True),
)
async def reinstate_station(
    request: ApiRequest, pool: ThePool, bus: TheBus, actor: TheActor, station_id: FromPath[str]
) -> Response[StationView]:
    """Bring a retired station back into service."""
    return await _turned(request, pool, bus, actor, station_id, directory.reinstate, "changed")


async def _turned(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    station_id: str,
    turn: Callable[[Connection, Actor, str, int | None], Awaitable[StationView]],
    what: Literal["changed", "rejected", "retired"],
) -> Response[StationView]:
    async with pool.acquire() as conn, conn.transaction():
        station = await turn(conn, actor, station_id, expected_version(request))
    await directory.announce(bus, actor.party_id, [station_id], what)
    return answer(station, version=station.version)


@get("/stations/{station_id:str}/variables", opt=operation("stations:read", errors=(404,)))
async def list_variables(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[Variables]:
    """List the configuration a station last reported."""
    async with pool.acquire() as conn:
        await queries.require_station(conn, actor.party_id, station_id)
        variables = await queries.list_variables(conn, actor.party_id, station_id)
    return answer(Variables(variables))


HANDLERS = [
    list_stations,
    list_pending,
    create_station,
    import_stations,
    get_station,
    change_station,
    rotate_secret,
    adopt_station,
    reject_station,
    retire_station,
    reinstate_station,
    list_variables,
]
