"""Reservations as pages and the API show them: reading only, one party at a time."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.reservations.model import OPEN, Reservation, Status
from ohmstead.reservations.store import COLUMNS


class ReservationFilter(Struct, kw_only=True):
    """Which reservations."""

    station: Annotated[str, Meta(description="Of this station.", max_length=48)] | None = None
    location: Annotated[UUID | None, Meta(description="At this location.")] = None
    token: Annotated[str, Meta(description="For this token.", max_length=255)] | None = None
    status: Annotated[list[Status] | None, Meta(description="Any of these.")] = None
    open: Annotated[bool, Meta(description="Only those that are not over.")] = False


async def list_reservations(
    conn: Connection, scope: Scope, wanted: ReservationFilter, *, after: Any = None, limit: int = 100
) -> list[Reservation]:
    """By their beginning, the latest first; `after` is (from_at, reservation_id) of the last of the page before."""
    where = Conditions()
    where.add("party_id = {}", scope.party_id)
    where.add_given("location_id = any({})", scope.locations)
    where.add_given("station_id = {}", wanted.station)
    where.add_given("location_id = {}", wanted.location)
    where.add_given("token_key = lower({})", wanted.token)
    where.add_given("status = any({})", wanted.status)
    if wanted.open:
        where.add("status = any({})", list(OPEN))
    if after is not None:
        where.add("(from_at, reservation_id) < ({}, {})", *after)
    rows = await conn.fetch(
        f"select {COLUMNS} from reservation where {where.sql}"
        f" order by from_at desc, reservation_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [Reservation(**row) for row in rows]


async def count_by_state(conn: Connection, scope: Scope, at: datetime) -> dict[str, int]:
    """How many there are of each state, of those not over or of the last day."""
    rows = await conn.fetch(
        "select status, count(*) as n from reservation where party_id = $1"
        " and ($2::uuid[] is null or location_id = any ($2))"
        " and (status = any($3) or until_at > $4::timestamptz - interval '1 day') group by status",
        scope.party_id,
        scope.locations,
        list(OPEN),
        at,
    )
    return {row["status"]: row["n"] for row in rows}


async def get_reservation(conn: Connection, party_id: UUID, reservation_id: UUID) -> Reservation:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"select {COLUMNS} from reservation where party_id = $1 and reservation_id = $2", party_id, reservation_id
    )
    if row is None:
        raise NotFound(f"no reservation {reservation_id}")
    return Reservation(**row)


async def list_groups(conn: Connection, party_id: UUID) -> list[tuple[str, int]]:
    """Groups that come first, and how far."""
    rows = await conn.fetch(
        "select group_uid, priority from reservation_group where party_id = $1 and priority > 0 order by group_uid",
        party_id,
    )
    return [(row["group_uid"], row["priority"]) for row in rows]
