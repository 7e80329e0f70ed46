"""Settlements and battery swaps as the API shows them: reading only, one party at a time."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound


class SettlementView(Struct, frozen=True, kw_only=True):
    """A payment that a terminal settled."""

    settlement_id: int
    station_id: str
    psp_ref: Annotated[str, Meta(description="The payment provider's reference.")]
    transaction_id: str | None
    session_id: Annotated[UUID | None, Meta(description="The session that was paid for, where it is known.")]
    status: Literal["settled", "canceled", "rejected", "failed"]
    status_info: str | None
    settled_by: Annotated[Literal["station", "us"], Meta(description="Who asked the provider for the money.")]
    amount: Decimal
    currency: Annotated[str | None, Meta(description="Null: that of the station's prices.")]
    settled_at: datetime
    receipt_id: str | None
    receipt_url: str | None
    vat_number: str | None
    vat_company: Any
    received_at: datetime


class StationCostView(Struct, frozen=True, kw_only=True):
    """What a station reckons that a session costs."""

    session_id: UUID
    station_id: str
    transaction_id: str
    at: Annotated[datetime, Meta(description="When the station last told it, by its clock.")]
    currency: str
    total: Annotated[Decimal, Meta(description="With taxes, where the station tells them.")]
    details: Annotated[Any, Meta(description="As the station wrote it (OCPP 2.1 CostDetailsType).")]
    failure: Annotated[str | None, Meta(description="Why it could not reckon.")]


class BatterySwapView(Struct, frozen=True, kw_only=True):
    """Batteries in or out."""

    station_id: str
    request_id: int
    event: Literal["in", "out", "out_timeout"]
    token_uid: str
    batteries: Any
    received_at: datetime


async def list_settlements(
    conn: Connection, scope: Scope, *, station_id: str | None = None, after: int | None = None, limit: int = 100
) -> list[SettlementView]:
    """Newest first."""
    where = Conditions()
    where.add("t.party_id = {}", scope.party_id)
    where.add_given("t.station_id in (select station_id from station where location_id = any({}))", scope.locations)
    where.add_given("t.station_id = {}", station_id)
    where.add_given("t.settlement_id < {}", after)
    rows = await conn.fetch(
        "select t.settlement_id, t.station_id, t.psp_ref, t.transaction_id, s.session_id, t.status, t.status_info,"
        " t.settled_by, t.amount, t.currency, t.settled_at, t.receipt_id, t.receipt_url, t.vat_number, t.vat_company,"
        " t.received_at"
        " from settlement t left join lateral (select session_id from session s where s.station_id = t.station_id"
        "  and s.transaction_id = t.transaction_id order by s.run desc limit 1) s on true"
        f" where {where.sql} order by t.settlement_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [SettlementView(**row) for row in rows]


async def get_station_cost(conn: Connection, party_id: UUID, session_id: UUID) -> StationCostView:
    """Raises NotFound when there is no such session, or its station told none."""
    row = await conn.fetchrow(
        "select s.session_id, c.station_id, c.transaction_id, c.at, c.currency, c.total, c.details, c.failure"
        " from session s join station_cost c using (station_id, transaction_id)"
        " where s.party_id = $1 and s.session_id = $2",
        party_id,
        session_id,
    )
    if row is None:
        raise NotFound("no such session, or its station told no cost")
    return StationCostView(**row)


async def list_battery_swaps(
    conn: Connection, scope: Scope, *, station_id: str | None = None, limit: int = 100
) -> list[BatterySwapView]:
    """Newest first."""
    rows = await conn.fetch(
        "select station_id, request_id, event, token_uid, batteries, received_at from battery_swap"
        " where party_id = $1"
        " and ($2::uuid[] is null or station_id in (select station_id from station where location_id = any ($2)))"
        " and ($3::text is null or station_id = $3) order by received_at desc limit $4",
        scope.party_id,
        scope.locations,
        station_id,
        limit,
    )
    return [BatterySwapView(**row) for row in rows]
