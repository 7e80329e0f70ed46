"""Bulk commands in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection, to_json
from ohmstead.core.ids import new_id
from ohmstead.stations.bulk.model import Turn
from ohmstead.stations.model import MOVING


async def insert(
    conn: Connection,
    party_id: UUID,
    station_ids: Sequence[str],
    *,
    kind: str,
    parameters: dict[str, Any],
    selection: dict[str, Any],
    timeout_s: float,
    queue_for_s: float | None,
    at_once: int,
    requested_by: str,
) -> tuple[UUID, int]:
    """The new bulk command's id, and to how many stations it goes: those of the ids that the party has in service."""
    bulk_id = new_id()
    await conn.execute(
        "insert into bulk_command (bulk_id, party_id, kind, parameters, selection, n_stations, timeout_s, queue_for_s,"
        " at_once, requested_by, requested_at) values ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9, clock_timestamp())",
        bulk_id,
        party_id,
        kind,
        to_json(parameters),
        to_json(selection),
        timeout_s,
        queue_for_s,
        at_once,
        requested_by,
    )
    n: int = await conn.fetchval(
        "with chosen as (insert into bulk_station (bulk_id, station_id) select $1, station_id from station"
        "  where station_id = any($2) and party_id = $3 and retired_at is null returning station_id),"
        " counted as (select count(*)::integer as n from chosen)"
        " update bulk_command set n_stations = n from counted where bulk_id = $1 returning n_stations",
        bulk_id,
        list(station_ids),
        party_id,
    )
    return bulk_id, n


# any party: the worker carries out everybody's
async def list_running(conn: Connection) -> list[tuple[UUID, UUID]]:
    """(bulk, party) of those that are not over, oldest first."""
    rows = await conn.fetch(
        "select bulk_id, party_id from bulk_command where status <> 'done' and finished_at is null"
        " order by requested_at limit 100"
    )
    return [(row["bulk_id"], row["party_id"]) for row in rows]


# any party: the worker carries out everybody's
async def begin_some(conn: Connection, bulk_id: UUID, most: int) -> int | None:
    """Give the next stations their turn: a command each, to be sent. How many; None when another worker is at it.

    Never more than its `at_once` wait for an answer, and never more than `most` get their turn in one go. Committed
    before anything is sent: whoever dies afterwards is followed by one who knows whose turn it was.
    """
    bulk = await conn.fetchrow(
        "select status, at_once from bulk_command where bulk_id = $1 for update skip locked", bulk_id
    )
    if bulk is None:
        return None
    if bulk["status"] != "running":
        return 0
    n_under_way: int = await conn.fetchval(
        "select count(*) from command where bulk_id = $1 and status in ('sending', 'sent')", bulk_id
    )
    room = min(most, bulk["at_once"] - n_under_way)
    if room <= 0:
        return 0
    rows = await conn.fetch(
        "select station_id from bulk_station where bulk_id = $1 and command_id is null order by station_id limit $2",
        bulk_id,
        room,
    )
    if not rows:
        return 0
    await conn.execute(
        "with turn as (select * from unnest($2::text[], $3::uuid[]) as t (station_id, command_id)),"
        " begun as (update bulk_station b set command_id = t.command_id from turn t"
        "  where b.bulk_id = $1 and b.station_id = t.station_id)"
        " insert into command (command_id, party_id, station_id, kind, action, parameters, status, requested_by,"
        " requested_at, expires_at, bulk_id)"
        " select t.command_id, k.party_id, t.station_id, k.kind, k.parameters->>'action', k.parameters, 'sending',"
        " k.requested_by, clock_timestamp(), clock_timestamp() + make_interval(secs => k.queue_for_s), k.bulk_id"
        " from turn t join bulk_command k on k.bulk_id = $1",
        bulk_id,
        [row["station_id"] for row in rows],
        [new_id() for _ in rows],
    )
    return len(rows)


# any party: the worker carries out everybody's
async def list_turns(conn: Connection, bulk_id: UUID) -> list[Turn]:
    """Commands that no gateway has taken yet, with where their stations are now."""
    rows = await conn.fetch(
        "select c.command_id, c.station_id, c.status, k.timeout_s, g.gateway_id,"
        " extract(epoch from clock_timestamp() - c.requested_at)::float8 as age_s, k.queue_for_s is not null as may_queue,"
        " s.gateway_id is null and s.disconnected_at > now() - interval '20 seconds'"
        " and exists (select from connection_change x where x.station_id = s.station_id and x.at = s.disconnected_at"
        "  and not x.is_connected and x.reason = $2) as is_moving"
        " from command c join bulk_command k using (bulk_id) join station s on s.station_id = c.station_id"
        " left join gateway g on g.gateway_id = s.gateway_id and g.alive_at > now() - interval '30 seconds'"
        " where c.bulk_id = $1 and (c.status = 'sending' or (c.status = 'queued' and g.gateway_id is not null))",
        bulk_id,
        MOVING,
    )
    return [Turn(**{**row, "is_moving": bool(row["is_moving"])}) for row in rows]


# any party: the worker carries out everybody's
async def undelivered(conn: Connection, command_ids: Sequence[UUID]) -> None:
    """Stations that are not here: their commands wait for them where that was asked for, and are over elsewhere."""
    await conn.execute(
        "update command set status = case when expires_at is null then 'offline' else 'queued' end,"
        " answered_at = case when expires_at is null then clock_timestamp() end"
        " where command_id = any($1) and status = 'sending'",
        list(command_ids),
    )


# any party: the worker carries out everybody's
async def finish(conn: Connection, bulk_id: UUID, shown: dict[str, Any] | None) -> bool:
    """Mark it done when nothing of it waits or is under way. `shown`: its parameters without secrets."""
    done = await conn.fetchval(
        "update bulk_command k set status = case when status = 'cancelled' then status else 'done' end,"
        " finished_at = clock_timestamp(), parameters = coalesce($2::jsonb, parameters)"
        " where bulk_id = $1 and finished_at is null"
        " and (status = 'cancelled' or not exists (select from bulk_station b where b.bulk_id = $1 and command_id is null))"
        " and not exists (select from command c where c.bulk_id = $1 and c.status in ('queued', 'sending', 'sent'))"
        " returning true",
        bulk_id,
        to_json(shown) if shown is not None else None,
    )
    return bool(done)


# any party: the worker carries out everybody's
async def parameters_of(conn: Connection, bulk_id: UUID) -> dict[str, Any]:
    found: dict[str, Any] = await conn.fetchval("select parameters from bulk_command where bulk_id = $1", bulk_id)
    return found


async def cancel(conn: Connection, party_id: UUID, bulk_id: UUID, cancelled_by: str) -> bool:
    """No further station gets it. False when it was over already, or is nobody's."""
    done = await conn.fetchval(
        "update bulk_command set status = 'cancelled', cancelled_by = $3 where bulk_id = $1 and party_id = $2"
        " and status = 'running' returning true",
        bulk_id,
        party_id,
        cancelled_by,
    )
    if done:
        await conn.execute(
            "update command set status = 'cancelled', answered_at = clock_timestamp() where bulk_id = $1"
            " and party_id = $2 and status in ('queued', 'sending')",
            bulk_id,
            party_id,
        )
    return bool(done)
