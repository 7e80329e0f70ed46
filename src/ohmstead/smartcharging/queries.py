"""Charging profiles, limits and needs as pages and the API show them: reading only, one party at a time."""

from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.smartcharging.model import Composite, HeldLimit, HeldProfile, KeptNeeds, Needs
from ohmstead.smartcharging.store import HELD, LIMIT, held_of, limit_of
from ohmstead.stations.orders import Period, Schedule

_OF_PARTY = " and exists (select from station s where s.station_id = t.station_id and s.party_id = $1)"


async def list_profiles(
    conn: Connection, party_id: UUID, station_id: str, *, is_present: bool = True, limit: int = 500
) -> list[HeldProfile]:
    """A station's profiles by EVSE, purpose and level; with `is_present` only those that it has or may have."""
    rows = await conn.fetch(
        f"select {HELD} from charging_profile t where station_id = $2{_OF_PARTY}"
        " and (not $3 or status in ('held', 'sent')) order by evse_number, purpose, stack_level desc, profile_id limit $4",
        party_id,
        station_id,
        is_present,
        limit,
    )
    return [held_of(row) for row in rows]


async def list_composites(conn: Connection, party_id: UUID, station_id: str) -> list[Composite]:
    """What the station said it would deliver, by EVSE."""
    rows = await conn.fetch(
        "select evse_number, rate_unit, starts_at, duration_s, periods, received_at from composite_schedule t"
        f" where station_id = $2{_OF_PARTY} order by evse_number, rate_unit",
        party_id,
        station_id,
    )
    return [Composite(**{**dict(row), "periods": msgspec.convert(row["periods"], tuple[Period, ...])}) for row in rows]


async def list_limits(conn: Connection, party_id: UUID, station_id: str) -> list[HeldLimit]:
    """Limits that somebody else set at the station and has not taken back."""
    rows = await conn.fetch(
        f"select {LIMIT} from charging_limit t where station_id = $2{_OF_PARTY} order by evse_number, source",
        party_id,
        station_id,
    )
    return [limit_of(row) for row in rows]


async def list_needs(conn: Connection, party_id: UUID, station_id: str, limit: int = 50) -> list[KeptNeeds]:
    """What cars asked for, newest first."""
    rows = await conn.fetch(
        "select needs_id, evse_number, received_at, needs, status, detail, transaction_id, profile_id, ev_schedule,"
        " ev_schedule_at, selected_schedule_id, is_tolerance_accepted, n_rejected from charging_needs t"
        f" where station_id = $2{_OF_PARTY} order by received_at desc limit $3",
        party_id,
        station_id,
        limit,
    )
    return [
        KeptNeeds(
            **{
                **dict(row),
                "needs": msgspec.convert(row["needs"], Needs),
                "ev_schedule": msgspec.convert(row["ev_schedule"], Schedule) if row["ev_schedule"] else None,
            }
        )
        for row in rows
    ]
