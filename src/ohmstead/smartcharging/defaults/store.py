"""Safe limits in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.smartcharging.defaults.choosing import SET_BY
from ohmstead.smartcharging.defaults.model import SafeLimit, Subject
from ohmstead.smartcharging.model import HeldProfile
from ohmstead.smartcharging.store import HELD, held_of

LIMIT = (
    "select safe_limit_id, name, limit_value as limit, rate_unit, priority, vendor, model, firmware, location_id,"
    " station_ids, evse_number, is_enabled, version, created_at, updated_at from safe_limit"
)
_COLUMNS = {
    **{name: name for name in ("name", "rate_unit", "priority", "vendor", "model", "firmware", "location_id")},
    **{name: name for name in ("station_ids", "evse_number", "is_enabled")},
    "limit": "limit_value",
}


async def insert_limit(conn: Connection, party_id: UUID, safe_limit_id: UUID, values: dict[str, Any]) -> bool:
    """False when the party has one of this name."""
    places = ", ".join(f"${n}" for n in range(3, 3 + len(_COLUMNS)))
    done = await conn.fetchval(
        f"insert into safe_limit (safe_limit_id, party_id, {', '.join(_COLUMNS.values())})"
        f" values ($1, $2, {places}) on conflict (party_id, name) do nothing returning safe_limit_id",
        safe_limit_id,
        party_id,
        *[values[name] for name in _COLUMNS],
    )
    return done is not None


async def update_limit(
    conn: Connection, party_id: UUID, safe_limit_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there, or not in the version `if_version`."""
    names = [name for name in _COLUMNS if name in values]
    changes = "".join(f"{_COLUMNS[name]} = ${n}, " for n, name in enumerate(names, 4))
    done = await conn.fetchval(
        f"update safe_limit set {changes}version = version + 1, updated_at = now()"
        " where party_id = $1 and safe_limit_id = $2 and ($3::integer is null or version = $3) returning safe_limit_id",
        party_id,
        safe_limit_id,
        if_version,
        *[values[name] for name in names],
    )
    return done is not None


async def delete_limit(conn: Connection, party_id: UUID, safe_limit_id: UUID, if_version: int | None) -> bool:
    done = await conn.fetchval(
        "delete from safe_limit where party_id = $1 and safe_limit_id = $2"
        " and ($3::integer is null or version = $3) returning safe_limit_id",
        party_id,
        safe_limit_id,
        if_version,
    )
    return done is not None


async def list_in_force(conn: Connection, party_id: UUID) -> list[SafeLimit]:
    rows = await conn.fetch(f"{LIMIT} where party_id = $1 and is_enabled", party_id)
    return [SafeLimit(**row) for row in rows]


# any party: the worker goes by the station
async def find_subject(conn: Connection, station_id: str) -> Subject | None:
    """A station in service; None for others."""
    row = await conn.fetchrow(
        "select s.station_id, s.party_id, coalesce(s.vendor, '') as vendor, coalesce(s.model, '') as model,"
        " coalesce(s.firmware_version, '') as firmware, s.location_id, s.booted_at,"
        " exists (select from profile_report r where r.station_id = s.station_id and r.is_full"
        "   and r.started_at >= s.connected_at) as has_reported"
        " from station s where s.station_id = $1 and s.registration = 'accepted' and s.retired_at is null",
        station_id,
    )
    return Subject(**row) if row else None


async def list_ours(conn: Connection, station_id: str) -> list[HeldProfile]:
    """Profiles that safe limits led to, whatever became of them: of each EVSE the one that counts."""
    rows = await conn.fetch(
        f"select distinct on (evse_number) {HELD} from charging_profile where station_id = $1 and set_by = $2"
        " order by evse_number, status in ('held', 'sent') desc, set_at desc",
        station_id,
        SET_BY,
    )
    return [held_of(row) for row in rows]


# any party: the installation's stations, whosever they are
async def list_concerned(conn: Connection, station_ids: Sequence[str]) -> list[str]:
    """Those whose party has safe limits, or that hold one still."""
    rows = await conn.fetch(
        "select station_id from station s where station_id = any($1) and retired_at is null"
        " and registration = 'accepted' and (exists (select from safe_limit l where l.party_id = s.party_id)"
        " or exists (select from charging_profile p where p.station_id = s.station_id and p.set_by = $2"
        "   and p.status in ('held', 'sent', 'unknown'))) order by station_id",
        list(station_ids),
        SET_BY,
    )
    return [row["station_id"] for row in rows]
