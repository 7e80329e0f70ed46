"""/stations/{id}/device and what is done to a station without being asked: drift, local list, quirks, duties."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    CSV,
    NDJSON,
    ApiRequest,
    Form,
    Keyset,
    Page,
    TheActor,
    TheBus,
    ThePool,
    TheSettings,
    answer,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.events import NUDGE
from ohmstead.stations.device import queries, templates
from ohmstead.stations.device.queries import (
    ChangeFilter,
    DutyView,
    EventView,
    LocalListView,
    MonitorView,
    ReportView,
    StationDrift,
    VariableChange,
)
from ohmstead.stations.device.tree import ComponentNode
from ohmstead.stations.queries import get_station_view, require_station
from ohmstead.stations.quirks.book import book_at
from ohmstead.stations.quirks.profiles import NOTHING, Effects, Profile, together

CHANGES = Keyset(
    item=VariableChange,
    type=tuple[datetime, str, str, str],
    of=lambda change: (change.at, change.component, change.variable, change.attribute),
)
EVENTS = Keyset(
    item=EventView,
    type=tuple[datetime, int, str, str],
    of=lambda event: (event.at, event.event_id, event.component, event.variable),
)


class DeviceQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to look for in a device."""

    q: Annotated[str, Meta(description="Found in component, variable or value.", max_length=100)] | None = None


class ChangeQuery(ChangeFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of a device's history."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class DeviceEventQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of a device's events."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class DeviceTree(Struct):
    """A station's components with their variables, as last reported."""

    items: list[ComponentNode]


class Monitors(Struct):
    """A station's monitors, worst first."""

    items: list[MonitorView]


class Reports(Struct):
    """Reports in several messages, latest first, without what is in them."""

    items: list[ReportView]


class Duties(Struct):
    """What is done to a station without being asked."""

    items: list[DutyView]


class StationQuirks(Struct, kw_only=True):
    """What is different about a station's make: `effects` is what its profiles come to."""

    effects: Effects
    profiles: list[Profile]


@get("/stations/{station_id:str}/device", opt=operation("stations:read", errors=(404,)))
async def get_device(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], filters: NamedDependency[DeviceQuery]
) -> Response[DeviceTree]:
    """Read a station's device model: component › instance › EVSE › connector › variable › attributes.

    The keys of OCPP 1.6 stand under one component without a name. Passwords are never there.
    """
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        return answer(DeviceTree(await queries.device_tree(conn, actor.party_id, station_id, filters.q)))


@get("/stations/{station_id:str}/device/history", opt=operation("stations:read", errors=(404,), exports=(CSV, NDJSON)))
async def list_device_changes(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[ChangeQuery],
) -> Response[Page[VariableChange]]:
    """List changes of a station's variables, newest first, with who caused them."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[VariableChange]:
        return await queries.list_changes(conn, actor.party_id, station_id, filters, after=after, limit=limit)

    return await listed(request, pool, CHANGES, fetch, filters, name="device-history")


@get("/stations/{station_id:str}/device/events", opt=operation("stations:read", errors=(404,), exports=(CSV, NDJSON)))
async def list_device_events(
    request: ApiRequest,
    pool: ThePool,
    actor: TheActor,
    station_id: FromPath[str],
    filters: NamedDependency[DeviceEventQuery],
) -> Response[Page[EventView]]:
    """List what monitors and the station itself told, newest first (OCPP 2.x)."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)

    async def fetch(conn: Connection, after: Any, limit: int) -> list[EventView]:
        return await queries.list_events(conn, actor.party_id, station_id, after=after, limit=limit)

    return await listed(request, pool, EVENTS, fetch, filters, name="device-events")


@get("/stations/{station_id:str}/monitors", opt=operation("stations:read", errors=(404,)))
async def list_monitors(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[Monitors]:
    """List a station's monitors as it last reported them (OCPP 2.x)."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        return answer(Monitors(await queries.list_monitors(conn, actor.party_id, station_id)))


@get("/stations/{station_id:str}/reports", opt=operation("stations:read", errors=(404,)))
async def list_reports(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[Reports]:
    """List a station's reports that came in several messages: inventory, monitors, customer information, display."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        return answer(Reports(await queries.list_reports(conn, actor.party_id, station_id)))


@get("/stations/{station_id:str}/reports/{kind:str}/{request_id:str}", opt=operation("stations:read", errors=(404,)))
async def get_report(
    pool: ThePool, actor: TheActor, station_id: FromPath[str], kind: FromPath[str], request_id: FromPath[str]
) -> Response[ReportView]:
    """Read a report, its messages put together in their order, whether they are all there or not."""
    if not (request_id.lstrip("-").isascii() and request_id.lstrip("-").isdigit() and len(request_id) < 19):
        raise NotFound(f"no report {kind} {request_id}")
    async with pool.acquire() as conn:
        return answer(await queries.get_report(conn, actor.party_id, station_id, kind, int(request_id)))


@get("/stations/{station_id:str}/drift", opt=operation("stations:read", errors=(404,)))
async def get_drift(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[StationDrift]:
    """Read how far a station is from what its templates want."""
    async with pool.acquire() as conn:
        return answer(await queries.station_drift(conn, actor.party_id, station_id))


@post("/stations/{station_id:str}/reconcile", status_code=202, opt=operation("stations:write", errors=(404,)))
async def reconcile_station(
    pool: ThePool, bus: TheBus, actor: TheActor, station_id: FromPath[str]
) -> Response[StationDrift]:
    """Bring a station to what its templates want, now, with what it refused before. It happens as soon as it is connected."""
    async with pool.acquire() as conn, conn.transaction():
        await templates.reconcile_now(conn, actor, station_id)
        found = await queries.station_drift(conn, actor.party_id, station_id)
    await bus.publish(NUDGE, {})
    return answer(found, status=202)


@get("/stations/{station_id:str}/quirks", opt=operation("stations:read", errors=(404,)))
async def get_station_quirks(
    pool: ThePool, settings: TheSettings, actor: TheActor, station_id: FromPath[str]
) -> Response[StationQuirks]:
    """Read what is known to be different about a station's make."""
    async with pool.acquire() as conn:
        station = await get_station_view(conn, actor.party_id, station_id)
    found = book_at(settings.quirks_dir).of(
        vendor=station.vendor,
        model=station.model,
        firmware=station.firmware_version,
        version=station.ocpp_version,
    )
    return answer(StationQuirks(effects=together(found) if found else NOTHING, profiles=found))


@get("/stations/{station_id:str}/local-list", opt=operation("tokens:read", errors=(404,)))
async def get_local_list(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[LocalListView]:
    """Read a station's local authorization list, as far as we sent it."""
    async with pool.acquire() as conn:
        return answer(await queries.local_list(conn, actor.party_id, station_id))


@post("/stations/{station_id:str}/local-list", status_code=202, opt=operation("stations:write", errors=(404,)))
async def send_local_list(
    pool: ThePool, bus: TheBus, actor: TheActor, station_id: FromPath[str]
) -> Response[LocalListView]:
    """Bring a station's local authorization list up to date, now. It happens as soon as it is connected."""
    async with pool.acquire() as conn, conn.transaction():
        await templates.send_list_now(conn, actor, station_id)
        found = await queries.local_list(conn, actor.party_id, station_id)
    await bus.publish(NUDGE, {})
    return answer(found, status=202)


@get("/stations/{station_id:str}/duties", opt=operation("stations:read", errors=(404,)))
async def list_duties(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[Duties]:
    """List what is done to a station without being asked, how it went, and when it is due again."""
    async with pool.acquire() as conn:
        await require_station(conn, actor.party_id, station_id)
        return answer(Duties(await queries.list_duties(conn, actor.party_id, station_id)))


@post("/stations/{station_id:str}/secret/renew", status_code=202, opt=operation("stations:write", errors=(404, 409)))
async def renew_secret(pool: ThePool, bus: TheBus, actor: TheActor, station_id: FromPath[str]) -> Response[Duties]:
    """Give a station a new password over its own connection. The old one is good until it came with the new one."""
    async with pool.acquire() as conn, conn.transaction():
        await templates.renew_password(conn, actor, station_id)
        found = await queries.list_duties(conn, actor.party_id, station_id)
    await bus.publish(NUDGE, {})
    return answer(Duties(found), status=202)


HANDLERS = [
    get_device,
    list_device_changes,
    list_device_events,
    list_monitors,
    list_reports,
    get_report,
    get_drift,
    reconcile_station,
    get_station_quirks,
    get_local_list,
    send_local_list,
    list_duties,
    renew_secret,
]
