"""/reservations: outlets kept free; /settlements and /battery-swaps: what terminals and swap stations tell."""

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, patch, post, put
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
    answer,
    expected_version,
    listed,
    operation,
)
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import NUDGE
from ohmstead.doorway import WITHIN
from ohmstead.reservations import changes, holds, queries
from ohmstead.reservations import service as reservations
from ohmstead.reservations.model import NewReservation, Reservation, ReservationChange
from ohmstead.reservations.queries import ReservationFilter
from ohmstead.sessions.notices import queries as notices
from ohmstead.sessions.notices.queries import BatterySwapView, SettlementView

KEYSET = Keyset(item=Reservation, type=tuple[datetime, UUID], of=lambda r: (r.from_at, r.reservation_id))
SETTLEMENTS = Keyset(item=SettlementView, type=int, of=lambda s: s.settlement_id)
_LOOK_EVERY_S = 0.05


class ReservationQuery(ReservationFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of reservations."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class WaitQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How long to wait."""

    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds to wait for the station's word, if it is due.")] = 5.0


class SettlementQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of settlements."""

    station: Annotated[str, Meta(description="By terminals of this station.", max_length=48)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None
    format: Annotated[Form | None, Meta(description="csv or ndjson sends everything that matches.")] = None


class SwapQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of battery swaps."""

    station: Annotated[str, Meta(description="At this station.", max_length=48)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="The newest so many.")] = 50


class BatterySwaps(Struct):
    """Swaps, the newest first."""

    items: list[BatterySwapView]


class GroupPriority(Struct, kw_only=True, forbid_unknown_fields=True):
    """How reservations of a group stand to others."""

    group_uid: Annotated[str, Meta(min_length=1, max_length=255, description="As tokens name it.")]
    priority: Annotated[int, Meta(ge=0, le=9, description="Higher ones displace others that have not begun.")]


class GroupPriorities(Struct):
    """Groups that come first, by name."""

    items: list[GroupPriority]


@get("/reservations", opt=operation("reservations:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_reservations(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[ReservationQuery]
) -> Response[Page[Reservation]]:
    """List reservations, the latest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[Reservation]:
        return await queries.list_reservations(conn, actor.scope, filters, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters, name="reservations")


@post("/reservations", status_code=201, opt=operation("reservations:write", errors=(404, 409)) | WITHIN)
async def create_reservation(
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    given: NamedDependency[NewReservation],
    filters: NamedDependency[WaitQuery],
) -> Response[Reservation]:
    """Reserve an outlet: this one, any of a station, any of a location.

    It stands in the books at once, and nobody else gets the outlet in that time (409 `taken`). The station is told a
    minute before the time; one that is away is told when it comes back. `status` says what the station said: `active`
    or `accepted` when it keeps the outlet, `refused` with its reason, `requested` as long as it has not answered.
    """
    async with pool.acquire() as conn, conn.transaction():
        made = await reservations.book(conn, actor, given)
    await bus.publish(holds.NUDGE, {})
    await bus.publish(NUDGE, {})
    if made.tell_at <= clock.now():
        made = await _answered(pool, made, filters.wait)
    where = {"Location": f"/api/v1/reservations/{made.reservation_id}"}
    return answer(made, status=201, version=made.version, headers=where)


async def _answered(pool: Pool, made: Reservation, wait_s: float) -> Reservation:
    ends = time.monotonic() + wait_s
    while made.status == "requested" and time.monotonic() < ends:
        await asyncio.sleep(_LOOK_EVERY_S)
        async with pool.acquire() as conn:
            made = await queries.get_reservation(conn, made.party_id, made.reservation_id)
    return made


@get("/reservations/{reservation_id:uuid}", opt=operation("reservations:read", errors=(404,)))
async def get_reservation(pool: ThePool, actor: TheActor, reservation_id: FromPath[UUID]) -> Response[Reservation]:
    """Read a reservation."""
    async with pool.acquire() as conn:
        found = await queries.get_reservation(conn, actor.party_id, reservation_id)
    return answer(found, version=found.version)


@patch(
    "/reservations/{reservation_id:uuid}",
    opt=operation("reservations:write", errors=(404, 409), takes_if_match=True),
)
async def change_reservation(
    request: ApiRequest,
    pool: ThePool,
    bus: TheBus,
    actor: TheActor,
    reservation_id: FromPath[UUID],
    given: NamedDependency[ReservationChange],
    filters: NamedDependency[WaitQuery],
) -> Response[Reservation]:
    """Change a reservation: its time, its token, its outlet.

    A station that keeps the outlet is asked to keep it otherwise, under the same number. Until it has answered, `before`
    says what holds still, and nobody else gets that either; if it refuses, or is away, that holds as before, and
    `change_refused` says why.
    """
    async with pool.acquire() as conn, conn.transaction():
        made = await changes.change(conn, actor, reservation_id, given, expected_version(request))
    await bus.publish(holds.NUDGE, {})
    await bus.publish(NUDGE, {})
    made = await _settled(pool, made, filters.wait)
    return answer(made, version=made.version)


async def _settled(pool: Pool, made: Reservation, wait_s: float) -> Reservation:
    ends = time.monotonic() + wait_s
    while made.before is not None and time.monotonic() < ends:
        await asyncio.sleep(_LOOK_EVERY_S)
        async with pool.acquire() as conn:
            made = await queries.get_reservation(conn, made.party_id, made.reservation_id)
    return made


@post(
    "/reservations/{reservation_id:uuid}/cancel",
    status_code=200,
    opt=operation("reservations:write", errors=(404, 409)),
)
async def cancel_reservation(
    pool: ThePool, bus: TheBus, actor: TheActor, reservation_id: FromPath[UUID]
) -> Response[Reservation]:
    """Cancel a reservation. The outlet is free in the books at once; the station is told to let it go."""
    async with pool.acquire() as conn, conn.transaction():
        found = await reservations.cancel(conn, actor, reservation_id)
    await bus.publish(holds.NUDGE, {})
    await bus.publish(NUDGE, {})
    return answer(found, version=found.version)


@get("/reservation-groups", opt=operation("reservations:read"))
async def list_reservation_groups(pool: ThePool, actor: TheActor) -> Response[GroupPriorities]:
    """List groups of tokens whose reservations come first."""
    async with pool.acquire() as conn:
        found = await queries.list_groups(conn, actor.party_id)
    return answer(GroupPriorities([GroupPriority(group_uid=uid, priority=n) for uid, n in found]))


@put("/reservation-groups", status_code=200, opt=operation("reservations:write"))
async def set_group_priority(
    pool: ThePool, actor: TheActor, given: NamedDependency[GroupPriority]
) -> Response[GroupPriority]:
    """Give a group of tokens precedence: its reservations displace those of lower priority that have not begun.

    A priority of 0 takes it away again.
    """
    async with pool.acquire() as conn, conn.transaction():
        await reservations.set_group_priority(conn, actor, given.group_uid, given.priority)
    return answer(given)


@get("/settlements", opt=operation("sessions:read", exports=(CSV, NDJSON)) | WITHIN)
async def list_settlements(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[SettlementQuery]
) -> Response[Page[SettlementView]]:
    """List payments that terminals settled (OCPP 2.1), newest first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[SettlementView]:
        return await notices.list_settlements(conn, actor.scope, station_id=filters.station, after=after, limit=limit)

    return await listed(request, pool, SETTLEMENTS, fetch, filters, name="settlements")


@get("/battery-swaps", opt=operation("sessions:read") | WITHIN)
async def list_battery_swaps(
    pool: ThePool, actor: TheActor, filters: NamedDependency[SwapQuery]
) -> Response[BatterySwaps]:
    """List batteries that went in and came out (OCPP 2.1), newest first."""
    async with pool.acquire() as conn:
        found = await notices.list_battery_swaps(conn, actor.scope, station_id=filters.station, limit=filters.limit)
    return answer(BatterySwaps(found))


HANDLERS = [
    list_reservations,
    create_reservation,
    get_reservation,
    change_reservation,
    cancel_reservation,
    list_reservation_groups,
    set_group_priority,
    list_settlements,
    list_battery_swaps,
]
