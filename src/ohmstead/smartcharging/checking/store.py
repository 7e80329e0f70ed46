"""Checks in PostgreSQL: which are due, and what became of them."""

from __future__ import annotations

import msgspec

from ohmstead.core.db import Connection, to_json
from ohmstead.smartcharging.checking.model import Running, Verdict
from ohmstead.smartcharging.model import Composite
from ohmstead.stations.orders import Period


class Due(msgspec.Struct, frozen=True):
    """A check to be made. `firmware`: the one that is known to have no composite schedules."""

    evse_number: int
    status: str
    firmware: str | None
    tries: int


async def list_due(conn: Connection, station_id: str) -> list[Due]:
    rows = await conn.fetch(
        "select evse_number, status, firmware, tries from profile_check where station_id = $1 order by evse_number",
        station_id,
    )
    return [Due(**row) for row in rows]


async def conclude(
    conn: Connection, station_id: str, evse_number: int, verdict: Verdict, *, firmware: str | None = None
) -> None:
    """What a check came to. `firmware`: this one cannot be asked."""
    await conn.execute(
        "insert into profile_check as c (station_id, evse_number, status, detail, differences, firmware, checked_at)"
        " values ($1, $2, $3, left($4, 500), $5, $6, now()) on conflict (station_id, evse_number) do update set"
        " since = case when c.status = excluded.status then c.since else now() end, status = excluded.status,"
        " detail = excluded.detail, differences = excluded.differences, firmware = excluded.firmware,"
        " checked_at = excluded.checked_at, tries = 0",
        station_id,
        evse_number,
        verdict.status,
        verdict.detail,
        to_json(verdict.differences),
        firmware,
    )


async def drop(conn: Connection, station_id: str, evse_number: int) -> None:
    """Nothing is to be checked there."""
    await conn.execute("delete from profile_check where station_id = $1 and evse_number = $2", station_id, evse_number)


async def note_try(conn: Connection, station_id: str, evse_number: int) -> int:
    """How often the station was asked in vain by now."""
    tries: int = await conn.fetchval(
        "insert into profile_check as c (station_id, evse_number, status, tries) values ($1, $2, 'due', 1)"
        " on conflict (station_id, evse_number) do update set tries = c.tries + 1 returning tries",
        station_id,
        evse_number,
    )
    return tries


# any party: the duty's, for a station by its id
async def find_running(conn: Connection, station_id: str, evse_number: int) -> Running | None:
    """The car that charges there."""
    row = await conn.fetchrow(
        "select transaction_id, started_at, power_w, power_at from session where station_id = $1 and evse_number = $2"
        " and status in ('pending', 'active') order by started_at desc limit 1",
        station_id,
        evse_number,
    )
    return Running(**row) if row else None


async def latest_composite(conn: Connection, station_id: str, evse_number: int) -> Composite | None:
    """What the station told last of what it would deliver there, in whichever unit."""
    row = await conn.fetchrow(
        "select evse_number, rate_unit, starts_at, duration_s, periods, received_at from composite_schedule"
        " where station_id = $1 and evse_number = $2 order by received_at desc limit 1",
        station_id,
        evse_number,
    )
    return Composite(**{**dict(row), "periods": msgspec.convert(row["periods"], tuple[Period, ...])}) if row else None
