"""/tariffs: what charging costs, where, and why; what sessions would have cost."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct, field

from ohmstead.api.operations import (
    ApiRequest,
    Keyset,
    Page,
    PageQuery,
    TheActor,
    TheBus,
    ThePool,
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import NUDGE
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.pricing import simulating
from ohmstead.sessions.pricing.service import SessionCost, TariffCosts
from ohmstead.sessions.pricing.simulating import TariffSimulation
from ohmstead.stations.queries import require_station
from ohmstead.tariffs import previewing, queries
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.previewing import TariffPreview
from ohmstead.tariffs.pricing import CostBreakdown
from ohmstead.tariffs.records import (
    ApplicableTariff,
    KeptTariff,
    NewPriceSeries,
    NewTariffAssignment,
    Place,
    PriceSeries,
    SeriesPrices,
    TariffAssignment,
    TariffDraft,
    TariffVersion,
)

KEYSET = Keyset(item=KeptTariff, type=tuple[str, UUID], of=lambda tariff: (tariff.name, tariff.tariff_id))
VERSIONS = Keyset(item=TariffVersion, type=int, of=lambda version: version.version)
ASSIGNMENTS = Keyset(
    item=TariffAssignment, type=tuple[datetime, UUID], of=lambda one: (one.assigned_at, one.assignment_id)
)
_COSTS = TariffCosts(PlanPayers())


class AssignmentQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of assignments."""

    tariff: Annotated[UUID | None, Meta(description="Of this tariff.")] = None
    station: Annotated[str, Meta(description="To this station, or a part of it.", max_length=48)] | None = None
    ended: Annotated[bool, Meta(description="Those that ended, too.")] = False
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None


class PlaceQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """For which outlet, whom and when the tariff is wanted."""

    evse: Annotated[int, Meta(ge=1, le=1000, description="The EVSE's number.")] | None = None
    connector: Annotated[int, Meta(ge=1, le=1000, description="The connector's number at the EVSE.")] | None = None
    group: Annotated[str, Meta(max_length=255, description="The token's group.")] | None = None
    ad_hoc: Annotated[bool, Meta(description="Paid on the spot, without a contract.")] = False
    at: Annotated[datetime, Meta(tz=True, description="Null: now.")] | None = None


class SeriesQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which prices of a series."""

    since: Annotated[datetime, Meta(tz=True, description="Null: a day ago.")] | None = field(default=None, name="from")
    until: Annotated[datetime, Meta(tz=True, description="Null: in two days.")] | None = field(default=None, name="to")


class NewSimulation(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which sessions, under which tariff: one that is kept, or one that is not yet."""

    tariff_id: UUID | None = None
    tariff: Tariff | None = None
    from_at: Annotated[datetime, Meta(tz=True, description="Null: 30 days before `to_at`.")] | None = None
    to_at: Annotated[datetime, Meta(tz=True, description="Null: now.")] | None = None
    location_id: Annotated[UUID | None, Meta(description="Only sessions there.")] = None


@get("/tariffs", opt=operation("tariffs:read"))
async def list_tariffs(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[PageQuery]
) -> Response[Page[KeptTariff]]:
    """List tariffs by name, each in its newest version."""

    async def fetch(conn: Connection, after: tuple[str, UUID] | None, limit: int) -> list[KeptTariff]:
        return await queries.list_tariffs(conn, actor.party_id, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@post("/tariffs", status_code=201, opt=operation("tariffs:write", errors=(409,)))
async def create_tariff(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[TariffDraft]
) -> Response[KeptTariff]:
    """Publish a tariff. It applies nowhere until it is assigned. What makes no sense in it is refused, with its field."""
    async with pool.acquire() as conn, conn.transaction():
        made = await tariffs.create_tariff(conn, actor, given)
    await bus.publish(NUDGE, {})
    return answer(made, status=201, version=made.version, headers={"Location": f"/api/v1/tariffs/{made.tariff_id}"})


@get("/tariffs/{tariff_id:uuid}", opt=operation("tariffs:read", errors=(404,)))
async def get_tariff(pool: ThePool, actor: TheActor, tariff_id: FromPath[UUID]) -> Response[KeptTariff]:
    """Read a tariff in its newest version."""
    async with pool.acquire() as conn:
        found = await queries.get_tariff(conn, actor.party_id, tariff_id)
    return answer(found, version=found.version)


@put("/tariffs/{tariff_id:uuid}", opt=operation("tariffs:write", errors=(404, 409), takes_if_match=True))
async def replace_tariff(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    tariff_id: FromPath[UUID],
    given: NamedDependency[TariffDraft],
) -> Response[KeptTariff]:
    """Publish a new version. Sessions that began before keep the one that they began with."""
    async with pool.acquire() as conn, conn.transaction():
        changed = await tariffs.replace_tariff(conn, actor, tariff_id, given, expected_version(request))
    await bus.publish(NUDGE, {})
    return answer(changed, version=changed.version)


@get("/tariffs/{tariff_id:uuid}/versions", opt=operation("tariffs:read", errors=(404,)))
async def list_tariff_versions(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    tariff_id: FromPath[UUID],
    filters: NamedDependency[PageQuery],
) -> Response[Page[TariffVersion]]:
    """List all versions of a tariff, newest first."""

    async def fetch(conn: Connection, after: int | None, limit: int) -> list[TariffVersion]:
        await queries.get_tariff(conn, actor.party_id, tariff_id)
        return await queries.list_versions(conn, actor.party_id, tariff_id, before=after, limit=limit)

    return await listed(request, pool, VERSIONS, fetch, filters)


@post("/tariff-previews", status_code=200, opt=operation("tariffs:read", errors=(404,)))
async def preview_tariff(
    pool: ThePool, actor: TheActor, given: NamedDependency[TariffPreview]
) -> Response[CostBreakdown]:
    """Price a session that is made up, line by line, under a tariff that is kept or one that is not. Nothing is kept."""
    async with pool.acquire() as conn:
        return answer(await previewing.preview(conn, actor.party_id, given))


@get("/tariff-assignments", opt=operation("tariffs:read"))
async def list_tariff_assignments(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[AssignmentQuery]
) -> Response[Page[TariffAssignment]]:
    """List where tariffs apply, newest first."""

    async def fetch(conn: Connection, after: tuple[datetime, UUID] | None, limit: int) -> list[TariffAssignment]:
        return await queries.list_assignments(
            conn,
            actor.party_id,
            tariff_id=filters.tariff,
            station_id=filters.station,
            with_ended=filters.ended,
            after=after,
            limit=limit,
        )

    return await listed(request, pool, ASSIGNMENTS, fetch, filters)


@post("/tariff-assignments", status_code=201, opt=operation("tariffs:write", errors=(409,)))
async def assign_tariff(
    pool: ThePool, bus: TheBus, actor: TheActor, given: NamedDependency[NewTariffAssignment]
) -> Response[TariffAssignment]:
    """Let a tariff apply to a connector, an EVSE, a station, a location or the whole party, to all tokens or to a group.

    The narrower place wins; at one place the one for the token's group. It holds for sessions that begin from now on.
    """
    async with pool.acquire() as conn, conn.transaction():
        made = await tariffs.assign(conn, actor, given)
    await bus.publish(NUDGE, {})
    return answer(made, status=201)


@delete("/tariff-assignments/{assignment_id:uuid}", opt=operation("tariffs:write", errors=(404, 409)))
async def unassign_tariff(pool: ThePool, bus: TheBus, actor: TheActor, assignment_id: FromPath[UUID]) -> None:
    """End an assignment. Sessions that began with it keep their tariff; it stays on the list of those that ended."""
    async with pool.acquire() as conn, conn.transaction():
        await tariffs.unassign(conn, actor, assignment_id)
    await bus.publish(NUDGE, {})


@get("/stations/{station_id:str}/tariff", opt=operation("tariffs:read", errors=(404,)))
async def get_applicable_tariff(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], filters: NamedDependency[PlaceQuery]
) -> Response[ApplicableTariff]:
    """Tell which tariff applies at a station and why: every assignment that reaches it, in the order of precedence."""
    place = Place(
        party_id=actor.party_id,
        station_id=station_id,
        at=filters.at or clock.now(),
        evse_number=filters.evse,
        connector_number=filters.connector,
        group_uid=filters.group,
        is_ad_hoc=filters.ad_hoc,
    )
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        return answer(await tariffs.applicable(conn, place))


@get("/sessions/{session_id:uuid}/cost", opt=operation("sessions:read", errors=(404,)))
async def get_session_cost(pool: ThePool, actor: TheActor, session_id: FromPath[UUID]) -> Response[SessionCost]:
    """Tell what a session costs so far, or in the end, by which version of which tariff, line by line."""
    async with pool.acquire() as conn, conn.transaction():
        return answer(await prices.get_cost(conn, _COSTS, actor.party_id, session_id))


@post("/tariff-simulations", status_code=202, opt=operation("tariffs:write", errors=(404,)))
async def simulate_tariff(
    pool: ThePool, actor: TheActor, given: NamedDependency[NewSimulation]
) -> Response[TariffSimulation]:
    """Ask what sessions of the past would have cost under a tariff, who would have paid more and who less."""
    to_at = given.to_at or clock.now()
    from_at = given.from_at or to_at - timedelta(days=30)
    async with pool.acquire() as conn, conn.transaction():
        tariff = await previewing.tariff_given(conn, actor.party_id, given.tariff_id, None, given.tariff)
        made = await simulating.ask(conn, actor, tariff, from_at, to_at, given.location_id)
    where = {"Location": f"/api/v1/tariff-simulations/{made.simulation_id}"}
    return answer(made, status=202, headers=where)


@get("/tariff-simulations/{simulation_id:uuid}", opt=operation("tariffs:read", errors=(404,)))
async def get_tariff_simulation(
    pool: ThePool, actor: TheActor, simulation_id: FromPath[UUID]
) -> Response[TariffSimulation]:
    """Read a simulation; its result is there once it is done."""
    async with pool.acquire() as conn:
        return answer(await simulating.get_simulation(conn, actor.party_id, simulation_id))


@get("/price-series/{series:str}", opt=operation("tariffs:read", errors=(404,)))
async def get_price_series(
    pool: ThePool, actor: TheActor, series: FromPath[str], filters: NamedDependency[SeriesQuery]
) -> Response[PriceSeries]:
    """Read the prices of a market."""
    since = filters.since or clock.now() - timedelta(days=1)
    until = filters.until or clock.now() + timedelta(days=2)
    async with pool.acquire() as conn:
        return answer(await queries.get_series(conn, actor.party_id, series, since, until))


@post("/price-series", status_code=201, opt=operation("tariffs:write", errors=(409,)))
async def create_price_series(
    pool: ThePool, actor: TheActor, given: NamedDependency[NewPriceSeries]
) -> Response[PriceSeries]:
    """Create a series of market prices, empty."""
    async with pool.acquire() as conn, conn.transaction():
        await tariffs.create_series(conn, actor, given)
        made = await queries.get_series(conn, actor.party_id, given.name, clock.now(), clock.now())
    return answer(made, status=201, headers={"Location": f"/api/v1/price-series/{made.name}"})


@put("/price-series/{series:str}", status_code=204, opt=operation("tariffs:write", errors=(404, 409)))
async def write_price_series(
    pool: ThePool, actor: TheActor, series: FromPath[str], given: NamedDependency[SeriesPrices]
) -> None:
    """Write prices of a market, per kWh. New prices replace those whose time they overlap."""
    async with pool.acquire() as conn, conn.transaction():
        await tariffs.write_series(conn, actor, series, given)


HANDLERS = [
    list_tariffs,
    create_tariff,
    get_tariff,
    replace_tariff,
    list_tariff_versions,
    preview_tariff,
    list_tariff_assignments,
    assign_tariff,
    unassign_tariff,
    get_applicable_tariff,
    get_session_cost,
    simulate_tariff,
    get_tariff_simulation,
    create_price_series,
    get_price_series,
    write_price_series,
]
