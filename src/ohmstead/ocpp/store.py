"""The message log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

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
    if not rows:
        return []
    columns = list(zip(*rows, strict=True))
    joined = [_joined(column) for column in columns] if len(rows) > 1 else [None]
    if None in joined:
        return [Write(_LOG, [list(column) for column in columns])]
    return [Write(_LOG_JOINED, joined)]


def _joined(column: tuple[Any, ...]) -> str | None:
    """A column as one text, which both ends of the wire take apart and put together faster than an array. None where a
    value itself has one of the two marks in it, which no JSON has.
    """
    n_absent = column.count(None)
    if n_absent:
        column = tuple(_ABSENT if value is None else value for value in column)
    if not isinstance(column[0], str) or (n_absent and not all(isinstance(value, str) for value in column)):
        column = tuple(map(str, column))
    text = _BETWEEN.join(column)
    is_plain = text.count(_BETWEEN) == len(column) - 1 and text.count(_ABSENT) == n_absent
    return text if is_plain else None


# any party: messages that a gateway is about to log
async def strike(conn: Connection, arrivals: Sequence[Arrival]) -> None:
    """Take lines out of the log that a commit of unknown end may have written: the next one writes them again."""
    await conn.execute(
        "delete from ocpp_message m using unnest($1::text[], $2::timestamptz[], $3::text[])"
        " as a (station_id, received_at, message_id) where m.station_id = a.station_id"
        " and m.received_at = a.received_at and m.message_id = a.message_id and m.direction = 'in'",
        *([list(column) for column in zip(*arrivals, strict=True)] or [[], [], []]),
    )


_BETWEEN, _ABSENT = "\x1f", "\x1e"
_TYPES = ("text", "timestamptz", *["text"] * 8, "integer")


def _insert(column: str) -> str:
    """`column` with {n} and {type} for its number and SQL type."""
    columns = ", ".join(column.format(n=n, type=sql) for n, sql in enumerate(_TYPES, start=1))
    return f"""
lines as (
    insert into ocpp_message ({", ".join(_COLUMNS)}) select * from unnest({columns}))"""


_LOG = _insert("${n}::{type}[]")
_LOG_JOINED = _insert(r"string_to_array(${n}, e'\x1f', e'\x1e')::{type}[]")
