"""Rows of the message log and of a station's day: read-only SQL, always of one party."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection, Row
from ohmstead.reports.pages.queries import escaped
from ohmstead.stations.redaction import hide_secrets, hide_secrets_in_text

Outcome: TypeAlias = Literal["", "failed", "errors", "unanswered"]

_COLUMNS = (
    "m.received_at, m.message_id, m.direction, m.version, m.action, m.payload, m.answer_kind, m.answer,"
    " m.error_code, m.latency_us"
)
# Answered with an error, late, refused or not at all.
_FAILED = (
    "(m.answer_kind in ('error', 'none') or m.latency_us > case m.direction when 'in' then 1000000 else 5000000 end"
    ' or m.answer ~ \'"status" ?: ?"(Rejected|Failed|NotSupported|UnlockFailed|Faulted'
    "|NotImplemented|UnknownVendorId|Invalid|Blocked|ConcurrentTx|Unknown|Expired)')"
)
_MATCHING = f"""from station st join ocpp_message m using (station_id)
    where st.party_id = $1 and m.station_id = $2
    and ($3 = '' or m.direction = $3) and ($4 = '' or m.action = $4)
    and case $5 when 'failed' then {_FAILED} when 'errors' then m.answer_kind = 'error'
        when 'unanswered' then m.answer_kind = 'none' else true end
    and ($6 = '' or m.payload ilike '%' || $6 || '%' or m.answer ilike '%' || $6 || '%' or m.message_id = $7)
    and ($8::integer is null or m.latency_us >= $8)
    and ($9::timestamptz is null or m.received_at >= $9) and ($10::timestamptz is null or m.received_at < $10)"""


class LogFilter(Struct, frozen=True, kw_only=True):
    """Which messages of a station. `slower_than_us`: answered no faster than that; `until` is not part of the span."""

    direction: str = ""
    action: str = ""
    outcome: Outcome = ""
    text: str = ""
    slower_than_us: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def _values(party_id: UUID, station_id: str, wanted: LogFilter) -> list[Any]:
    return [
        party_id,
        station_id,
        wanted.direction,
        wanted.action,
        wanted.outcome,
        escaped(wanted.text),
        wanted.text,
        wanted.slower_than_us,
        wanted.since,
        wanted.until,
    ]


async def list_messages(
    conn: Connection,
    party_id: UUID,
    station_id: str,
    wanted: LogFilter,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Exchanges with a station, newest first, station passwords blotted out; those `after` an instant, or `before` one."""
    rows = await conn.fetch(
        f"select {_COLUMNS} {_MATCHING}"
        " and ($11::timestamptz is null or m.received_at > $11) and ($12::timestamptz is null or m.received_at < $12)"
        " order by m.received_at desc limit $13",
        *_values(party_id, station_id, wanted),
        after,
        before,
        limit,
    )
    return [_shown(row) for row in rows]


async def count_messages(
    conn: Connection, party_id: UUID, station_id: str, wanted: LogFilter, *, after: datetime, most: int = 1000
) -> int:
    """How many came after an instant, as far as `most`."""
    n: int = await conn.fetchval(
        f"select count(*) from (select 1 {_MATCHING} and m.received_at > $11 limit $12) found",
        *_values(party_id, station_id, wanted),
        after,
        most,
    )
    return n


async def find_exchange(
    conn: Connection, party_id: UUID, station_id: str, message_id: str, at: datetime | None = None
) -> dict[str, Any] | None:
    """An exchange by its id; of several with that id the one at that instant, else the newest."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from station st join ocpp_message m using (station_id)"
        " where st.party_id = $1 and m.station_id = $2 and m.message_id = $3"
        " and ($4::timestamptz is null or m.received_at = $4) order by m.received_at desc limit 1",
        party_id,
        station_id,
        message_id,
        at,
    )
    return _shown(row) if row else None


async def find_sent(
    conn: Connection, party_id: UUID, station_id: str, message_id: str, since: datetime
) -> dict[str, Any] | None:
    """The exchange in which an order of ours went out, at or after an instant."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from station st join ocpp_message m using (station_id)"
        " where st.party_id = $1 and m.station_id = $2 and m.received_at >= $4 and m.message_id = $3"
        " and m.direction = 'out' order by m.received_at limit 1",
        party_id,
        station_id,
        message_id,
        since,
    )
    return _shown(row) if row else None


async def find_previous(
    conn: Connection, party_id: UUID, station_id: str, action: str, direction: str, before: datetime
) -> dict[str, Any] | None:
    """The exchange of the same action and direction before an instant."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from station st join ocpp_message m using (station_id)"
        " where st.party_id = $1 and m.station_id = $2 and m.received_at < $5 and m.action = $3 and m.direction = $4"
        " order by m.received_at desc limit 1",
        party_id,
        station_id,
        action,
        direction,
        before,
    )
    return _shown(row) if row else None


def _shown(row: Row) -> dict[str, Any]:
    return {**row, "payload": hide_secrets_in_text(row["payload"]), "answer": hide_secrets_in_text(row["answer"])}


async def message_actions(conn: Connection, party_id: UUID, station_id: str, since: datetime) -> list[str]:
    """Names of the actions in a station's log."""
    rows = await conn.fetch(
        "select distinct m.action from station st join ocpp_message m using (station_id)"
        " where st.party_id = $1 and m.station_id = $2 and m.received_at > $3 order by 1",
        party_id,
        station_id,
        since,
    )
    return [row["action"] for row in rows]


async def latencies(conn: Connection, party_id: UUID, station_id: str, since: datetime) -> Row | None:
    """Median latency each way and what stayed unanswered."""
    return await conn.fetchrow(
        "select (percentile_cont(0.5) within group (order by latency_us) filter (where direction = 'in'))::bigint as in_us,"
        " (percentile_cont(0.5) within group (order by latency_us) filter (where direction = 'out'))::bigint as out_us,"
        " count(*) filter (where answer_kind = 'none') as n_unanswered, count(*) as n"
        " from station st join ocpp_message m using (station_id)"
        " where st.party_id = $1 and m.station_id = $2 and m.received_at > $3",
        party_id,
        station_id,
        since,
    )


# ----------------------------------------------------------------------------------------------------- orders, again


# whole party: what one typed oneself
async def last_parameters(
    conn: Connection, party_id: UUID, requested_by: str, kind: str, action: str = ""
) -> dict[str, Any] | None:
    """What somebody last sent as an order of this kind (as a raw message: of this action), passwords blotted out."""
    parameters = await conn.fetchval(
        "select parameters from command where party_id = $1 and requested_by = $2 and kind = $3"
        " and ($4 = '' or action = $4) order by requested_at desc limit 1",
        party_id,
        requested_by,
        kind,
        action,
    )
    return None if parameters is None else hide_secrets(parameters)


async def find_parameters(
    conn: Connection, party_id: UUID, station_id: str, command_id: UUID
) -> tuple[str, str, dict[str, Any]] | None:
    """(kind, action of a raw message, parameters) of an order to a station, passwords blotted out."""
    row = await conn.fetchrow(
        "select kind, coalesce(action, '') as action, parameters from command"
        " where party_id = $1 and station_id = $2 and command_id = $3",
        party_id,
        station_id,
        command_id,
    )
    return (row["kind"], row["action"], hide_secrets(row["parameters"])) if row else None


# -------------------------------------------------------------------------------------------------- a station's day


async def message_counts(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime, step_s: int
) -> list[Row]:
    """Messages for each stretch of `step_s` seconds from `since` on, where there were any: all, failed, the slowest."""
    return await conn.fetch(
        "select date_bin(make_interval(secs => $5), m.received_at, $3) as at, count(*) as n,"
        f" count(*) filter (where {_FAILED}) as n_failed, max(m.latency_us) as slowest_us"
        " from station st join ocpp_message m using (station_id)"
        " where st.party_id = $1 and m.station_id = $2 and m.received_at >= $3 and m.received_at < $4"
        " group by 1 order by 1",
        party_id,
        station_id,
        since,
        until,
        step_s,
    )


async def signals(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime, limit: int = 500
) -> list[Row]:
    """What mattered for security at a station."""
    return await conn.fetch(
        "select g.at, g.kind, g.detail from security_signal g join station st using (station_id)"
        " where st.party_id = $1 and g.station_id = $2 and g.at >= $3 and g.at < $4 order by g.at limit $5",
        party_id,
        station_id,
        since,
        until,
        limit,
    )


async def orders_between(
    conn: Connection, party_id: UUID, station_id: str, since: datetime, until: datetime, limit: int = 500
) -> list[Row]:
    """Orders that did not go as wished."""
    return await conn.fetch(
        "select requested_at as at, kind, status, error_text from command where party_id = $1 and station_id = $2"
        " and requested_at >= $3 and requested_at < $4 and status in ('rejected', 'failed', 'timed_out')"
        " order by requested_at limit $5",
        party_id,
        station_id,
        since,
        until,
        limit,
    )
