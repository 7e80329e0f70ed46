"""The message log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ohmstead.core.db import Connection
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


_COLUMNS = (
    "station_id",
    "received_at",
    "message_id",
    "direction",
    "version",
    "action",
    "payload",
    "answer_kind",
    "answer",
    "error_code",
    "latency_us",
)


# any party: the stations of a batch
async def insert_exchanges(conn: Connection, exchanges: Sequence[Exchange]) -> None:
    """Append to the log, by COPY; station passwords inside are blotted out, the log is no place for them."""
    if exchanges:
        await conn.copy_records_to_table(
            "ocpp_message",
            records=[
                (
                    e.station_id,
                    e.received_at,
                    e.message_id,
                    e.direction,
                    e.version,
                    e.action,
                    hide_secrets_in_text(e.payload),
                    e.answer_kind,
                    hide_secrets_in_text(e.answer),
                    e.error_code,
                    e.latency_us,
                )
                for e in exchanges
            ],
            columns=_COLUMNS,
        )
