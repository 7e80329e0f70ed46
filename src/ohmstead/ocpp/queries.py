"""The message log as pages and the API show it: reading only, one party at a time."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection, Row
from ohmstead.stations.redaction import hide_secrets_in_text


class MessageView(Struct, frozen=True, kw_only=True):
    """One exchange: a request and, beside it, its answer. `payload` and `answer` are JSON text as it travelled."""

    station_id: str
    received_at: Annotated[datetime, Meta(description="When the request was read (in) or written (out).")]
    message_id: str
    direction: Annotated[Literal["in", "out"], Meta(description="in: the station asked; out: we asked.")]
    version: str
    action: str
    payload: str | None
    answer_kind: Annotated[
        Literal["result", "error", "none"] | None, Meta(description="null: no answer yet, or none came.")
    ]
    answer: str | None
    error_code: Annotated[str | None, Meta(description="Of a CALLERROR.")]
    latency_us: Annotated[int | None, Meta(description="From request to answer, in microseconds.")]


class MessageFilter(Struct, kw_only=True):
    """Which messages of a station."""

    action: Annotated[str | None, Meta(description="As OCPP names it.", max_length=60)] = None
    direction: Annotated[Literal["in", "out"] | None, Meta(description="in: from the station; out: to it.")] = None
    errors: Annotated[bool | None, Meta(description="Only exchanges that ended in an error, or only others.")] = None
    since: Annotated[datetime | None, Meta(description="At or after.", tz=True)] = None
    until: Annotated[datetime | None, Meta(description="Before.", tz=True)] = None
    q: Annotated[str | None, Meta(description="Found in payload, answer or message id.", max_length=200)] = None


async def list_messages(
    conn: Connection,
    party_id: UUID,
    station_id: str,
    wanted: MessageFilter,
    *,
    after: tuple[datetime, str, str] | None = None,
    limit: int = 100,
) -> list[MessageView]:
    """Newest first; `after` is (received_at, message_id, direction) of the last one of the page before."""
    where = Conditions()
    where.add("m.station_id = {}", station_id)
    where.add("exists (select from station s where s.station_id = {} and s.party_id = {})", station_id, party_id)
    where.add_given("m.action = {}", wanted.action)
    where.add_given("m.direction = {}", wanted.direction)
    if wanted.errors is not None:
        where.add(
            "m.answer_kind is not distinct from 'error'" if wanted.errors else "m.answer_kind is distinct from 'error'"
        )
    where.add_given("m.received_at >= {}", wanted.since)
    where.add_given("m.received_at < {}", wanted.until)
    if wanted.q:
        where.add("concat_ws(' ', m.message_id, m.payload, m.answer) ilike {}", like(wanted.q))
    if after:
        where.add("m.received_at <= {}", after[0])
        where.add("(m.received_at, m.message_id, m.direction) < ({}, {}, {})", *after)
    rows = await conn.fetch(
        "select m.station_id, m.received_at, m.message_id, m.direction, m.version, m.action, m.payload, m.answer_kind,"
        f" m.answer, m.error_code, m.latency_us from ocpp_message m where {where.sql}"
        f" order by m.received_at desc, m.message_id desc, m.direction desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [_message(row) for row in rows]


async def find_message(
    conn: Connection, party_id: UUID, station_id: str, received_at: datetime, message_id: str
) -> MessageView | None:
    """One exchange by when it was and its id."""
    row = await conn.fetchrow(
        "select m.station_id, m.received_at, m.message_id, m.direction, m.version, m.action, m.payload, m.answer_kind,"
        " m.answer, m.error_code, m.latency_us from ocpp_message m join station s using (station_id)"
        " where s.party_id = $1 and m.station_id = $2 and m.received_at = $3 and m.message_id = $4",
        party_id,
        station_id,
        received_at,
        message_id,
    )
    return _message(row) if row else None


def _message(row: Row) -> MessageView:
    fields = dict(row)
    for name in ("payload", "answer"):
        fields[name] = hide_secrets_in_text(fields[name])
    return MessageView(**fields)
