"""Bulk commands as pages and the API show them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection, Row
from ohmstead.core.errors import NotFound
from ohmstead.stations.bulk.model import BulkCommand, BulkResult, Progress, ResultFilter
from ohmstead.stations.redaction import hide_secrets

# A station of a cancelled bulk whose turn never came is cancelled too.
_STATE = "coalesce(c.status, case when k.status = 'cancelled' then 'cancelled' else 'waiting' end)"
_BULK = f"""
select k.bulk_id, k.party_id, k.kind, k.parameters, k.selection, k.status, k.n_stations, k.timeout_s, k.queue_for_s,
       k.at_once, k.requested_by, k.requested_at, k.finished_at, k.cancelled_by,
       (select jsonb_object_agg(state, n) from (
            select {_STATE} as state, count(*) as n from bulk_station b left join command c using (command_id)
            where b.bulk_id = k.bulk_id group by 1) counted) as progress
from bulk_command k
"""


def _bulk(row: Row) -> BulkCommand:
    fields: dict[str, Any] = dict(row)
    fields["progress"] = Progress(**(fields["progress"] or {}))
    fields["parameters"] = hide_secrets(fields["parameters"])
    return BulkCommand(**fields)


async def list_bulks(
    conn: Connection, scope: Scope, *, after: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[BulkCommand]:
    """Newest first; `after` is (requested_at, id) of the last one of the page before.

    A scope with locations has those that went to some station, and to none that is elsewhere.
    """
    where = Conditions()
    where.add("k.party_id = {}", scope.party_id)
    if scope.locations is not None:
        where.add(
            "exists (select from bulk_station b where b.bulk_id = k.bulk_id) and not exists (select from bulk_station b"
            " join station p using (station_id) where b.bulk_id = k.bulk_id"
            " and (p.location_id is null or p.location_id <> all ({})))",
            scope.locations,
        )
    if after:
        where.add("(k.requested_at, k.bulk_id) < ({}, {})", *after)
    rows = await conn.fetch(
        f"{_BULK} where {where.sql} order by k.requested_at desc, k.bulk_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [_bulk(row) for row in rows]


async def get_bulk(conn: Connection, party_id: UUID, bulk_id: UUID) -> BulkCommand:
    """Raises NotFound."""
    row = await conn.fetchrow(f"{_BULK} where k.party_id = $1 and k.bulk_id = $2", party_id, bulk_id)
    if row is None:
        raise NotFound(f"no bulk command {bulk_id}")
    return _bulk(row)


async def list_results(
    conn: Connection,
    party_id: UUID,
    bulk_id: UUID,
    wanted: ResultFilter,
    *,
    after: str | None = None,
    limit: int = 100,
) -> list[BulkResult]:
    """By station; `after` is the id of the last one of the page before."""
    where = Conditions()
    where.add("k.party_id = {} and k.bulk_id = {}", party_id, bulk_id)
    where.add_given(_STATE + " = any({})", wanted.status)
    where.add_given("b.station_id > {}", after)
    rows = await conn.fetch(
        f"select b.station_id, {_STATE} as status, b.command_id, c.sent_at, c.answered_at, c.answer, c.error_code,"
        " c.error_text from bulk_command k join bulk_station b using (bulk_id) left join command c using (command_id)"
        f" where {where.sql} order by b.station_id limit {where.parameter(limit)}",
        *where.values,
    )
    return [BulkResult(**{**row, "answer": hide_secrets(row["answer"])}) for row in rows]
