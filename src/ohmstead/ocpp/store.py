"""The message log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.writes import Write
from ohmstead.stations.redaction import hide_secrets_in_text


class Exchange(msgspec.Struct, kw_only=True):
    """A request and its answer as they went over the wire. `direction` in: the station asked; out: we did."""

    station_id: str
    received_at: datetime
    message_id: str
    direction: str
    version: str
    action: str
    payload: str | None
    answer_kind: str | None = None
    answer: str | None = None
    error_code: str | None = None
    latency_us: int | None = None


Row: TypeAlias = tuple[str, datetime, str, str, str, str, str | None, str | None, str | None, str | None, int | None]
"""An exchange as its columns, secrets blotted out: station passwords have no place in the log."""
Arrival: TypeAlias = tuple[str, datetime, str]
"""A message that came: station, when, message id."""
_COLUMNS = Exchange.__struct_fields__


def row(exchange: Exchange) -> Row:
    e = exchange
    payload, answer = hide_secrets_in_text(e.payload), hide_secrets_in_text(e.answer)
    return (
        e.station_id,
        e.received_at,
        e.message_id,
        e.direction,
        e.version,
        e.action,
        payload,
        e.answer_kind,
        answer,
        e.error_code,
        e.latency_us,
    )


# any party: the stations of a batch
def logged(rows: Sequence[Row]) -> list[Write]:
    """Lines for the log."""
    return [Write(_LOG, [list(column) for column in zip(*rows, strict=True)])] if rows else []


# any party: messages that a gateway is about to log
async def strike(conn: Connection, arrivals: Sequence[Arrival]) -> None:
    """Take lines out of the log that a commit of unknown end may have written: the next one writes them again."""
    await conn.execute(
        "delete from ocpp_message m using unnest($1::text[], $2::timestamptz[], $3::text[])"
        " as a (station_id, received_at, message_id) where m.station_id = a.station_id"
        " and m.received_at = a.received_at and m.message_id = a.message_id and m.direction = 'in'",
        *([list(column) for column in zip(*arrivals, strict=True)] or [[], [], []]),
    )


_LOG = f"""
lines as (
    insert into ocpp_message ({", ".join(_COLUMNS)})
    select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
           $8::text[], $9::text[], $10::text[], $11::integer[]))"""
