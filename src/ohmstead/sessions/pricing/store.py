"""What pricing reads of sessions, and which tariff they keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection, Row
from ohmstead.sessions.model import ChargingPeriod, Session, SessionEvent
from ohmstead.sessions.store import SESSION_COLUMNS, session_of
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import tariff_of


class Kept(Struct, frozen=True):
    """The tariff that a session keeps."""

    session_id: UUID
    tariff_id: UUID
    version: int
    time_zone: str
    tariff: Tariff


class Measured(Struct, frozen=True):
    """What was told of a session: states, registers, currents by phase."""

    events: list[SessionEvent]
    registers: list[tuple[datetime, Decimal]]
    periods: list[ChargingPeriod]
    currents: list[tuple[datetime, Decimal]]


# any party: by id, for the worker and for doors that looked whose they are
async def list_sessions(conn: Connection, session_ids: Sequence[UUID]) -> list[Session]:
    rows = await conn.fetch(
        f"select {', '.join(SESSION_COLUMNS)}, xmin as version from session where session_id = any ($1)"
        " order by session_id",
        list(session_ids),
    )
    return [session_of(dict(row)) for row in rows]


async def find_session(conn: Connection, party_id: UUID, session_id: UUID) -> Session | None:
    row = await conn.fetchrow(
        f"select {', '.join(SESSION_COLUMNS)}, xmin as version from session where party_id = $1 and session_id = $2",
        party_id,
        session_id,
    )
    return session_of(dict(row)) if row else None


# any party: by id, as list_sessions
async def list_kept(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Kept]:
    rows = await conn.fetch(
        "select k.session_id, k.tariff_id, k.version, k.time_zone, v.content from session_tariff k"
        " join tariff_version v on v.tariff_id = k.tariff_id and v.version = k.version where k.session_id = any ($1)",
        list(session_ids),
    )
    known: dict[tuple[UUID, int], Tariff] = {}
    for row in rows:
        key = (row["tariff_id"], row["version"])
        if key not in known:
            known[key] = tariff_of(row["content"])
    return {
        row["session_id"]: Kept(
            row["session_id"],
            row["tariff_id"],
            row["version"],
            row["time_zone"],
            known[row["tariff_id"], row["version"]],
        )
        for row in rows
    }


async def keep(conn: Connection, party_id: UUID, rows: Sequence[tuple[UUID, UUID, int, UUID, str]]) -> None:
    """(session, tariff, version, assignment, time zone); a session that keeps one already stays with it.

    One that is not written yet keeps none.
    """
    await conn.execute(
        "insert into session_tariff (session_id, party_id, tariff_id, version, assignment_id, time_zone)"
        " select k.session_id, $1, k.tariff_id, k.version, k.assignment_id, k.time_zone"
        " from unnest($2::uuid[], $3::uuid[], $4::integer[], $5::uuid[], $6::text[])"
        " as k (session_id, tariff_id, version, assignment_id, time_zone) join session s on s.session_id = k.session_id"
        " where s.party_id = $1 on conflict do nothing",
        party_id,
        *[list(column) for column in zip(*rows, strict=True)],
    )


_MEASURED = """
select s.session_id,
       (select jsonb_agg(jsonb_build_array(v.at, v.kind) order by v.at, v.received_at)
          from session_event v where v.session_id = s.session_id) as happened,
       (select jsonb_agg(jsonb_build_array(c.started_at, c.ended_at, c.kind, c.energy_wh::text) order by c.started_at)
          from charging_period c where c.session_id = s.session_id) as periods,
       (select jsonb_agg(jsonb_build_array(p.sampled_at, p.energy_wh::text)
               order by p.sampled_at, p.context = 'Transaction.End', p.context <> 'Transaction.Begin', p.context)
          from sample p where p.session_id = s.session_id and p.energy_wh is not null) as registers
  from unnest($1::uuid[]) as s (session_id)
"""


# any party: by id, as list_sessions
async def list_measured(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, Measured]:
    found = {}
    for row in await conn.fetch(_MEASURED, list(session_ids)):
        found[row["session_id"]] = Measured(
            events=[SessionEvent(_at(at), kind) for at, kind in row["happened"] or ()],
            registers=[(_at(at), Decimal(shown)) for at, shown in row["registers"] or ()],
            periods=[ChargingPeriod(_at(a), _at(b), kind, Decimal(e)) for a, b, kind, e in row["periods"] or ()],
            currents=[],
        )
    return found


# any party: by id, as list_sessions
async def list_currents(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, list[tuple[datetime, Decimal]]]:
    """Current over all phases, where stations tell it by phase; a whole value counts where there are no phases."""
    rows = await conn.fetch(
        "select p.session_id, p.sampled_at, sum((r.value ->> 0)::numeric) as current_a from sample p"
        " cross join lateral jsonb_each(p.readings) as r (key, value)"
        " where p.session_id = any ($1) and (r.key ~ '^Current.Import/L[123]$'"
        "   or (r.key = 'Current.Import' and not p.readings ? 'Current.Import/L1'))"
        " group by p.session_id, p.sampled_at order by p.session_id, p.sampled_at",
        list(session_ids),
    )
    found: dict[UUID, list[tuple[datetime, Decimal]]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append((row["sampled_at"], row["current_a"]))
    return found


async def list_settled(
    conn: Connection,
    party_id: UUID,
    from_at: datetime,
    to_at: datetime,
    location_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Session]:
    """Sessions that are over, oldest first."""
    rows = await conn.fetch(
        f"select {', '.join(SESSION_COLUMNS)}, xmin as version from session where party_id = $1 and started_at >= $2"
        " and started_at < $3 and ($4::uuid is null or location_id = $4) and settled_at is not null and status = 'completed'"
        " and (started_at, session_id) > ($5, $6) order by started_at, session_id limit $7",
        party_id,
        from_at,
        to_at,
        location_id,
        after[0] if after else datetime.fromisoformat("0001-01-02T00:00:00+00:00"),
        after[1] if after else UUID(int=0),
        limit,
    )
    return [session_of(dict(row)) for row in rows]


async def insert_simulation(
    conn: Connection,
    party_id: UUID,
    simulation_id: UUID,
    tariff: Tariff,
    from_at: datetime,
    to_at: datetime,
    location_id: UUID | None,
    asked_by: str,
) -> None:
    await conn.execute(
        "insert into tariff_simulation (simulation_id, party_id, content, from_at, to_at, location_id, asked_by)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        simulation_id,
        party_id,
        tariff,
        from_at,
        to_at,
        location_id,
        asked_by,
    )


# any party: by id, for the worker
async def find_queued(conn: Connection, simulation_id: UUID) -> Row | None:
    row: Row | None = await conn.fetchrow(
        "select party_id, content, from_at, to_at, location_id from tariff_simulation"
        " where simulation_id = $1 and status = 'queued'",
        simulation_id,
    )
    return row


async def finish_simulation(conn: Connection, party_id: UUID, simulation_id: UUID, status: str, result: Any) -> None:
    await conn.execute(
        "update tariff_simulation set status = $3, result = $4, finished_at = now()"
        " where party_id = $1 and simulation_id = $2",
        party_id,
        simulation_id,
        status,
        result,
    )


async def find_simulation(conn: Connection, party_id: UUID, simulation_id: UUID) -> Row | None:
    row: Row | None = await conn.fetchrow(
        "select simulation_id, from_at, to_at, location_id, status, result, asked_by, asked_at, finished_at"
        " from tariff_simulation where party_id = $1 and simulation_id = $2",
        party_id,
        simulation_id,
    )
    return row


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
