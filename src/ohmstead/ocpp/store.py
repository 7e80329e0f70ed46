"""The message log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

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


_LOG = f"""
lines as (
    insert into ocpp_message ({", ".join(_COLUMNS)})
    select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
           $8::text[], $9::text[], $10::text[], $11::integer[]))"""
