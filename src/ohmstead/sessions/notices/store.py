"""Settlements and battery swaps in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ohmstead.core.db import Connection, to_json
from ohmstead.sessions.notices.model import BatterySwap, Settlement, StationCost

_SETTLEMENT = (
    "psp_ref, transaction_id, status, status_info, amount, settled_at, receipt_id, receipt_url, vat_number, vat_company,"
    " settled_by, currency"
)


async def insert_settlements(conn: Connection, found: Sequence[Settlement], party_ids: Sequence[UUID]) -> set[int]:
    """Those that were not there yet, by their place in `found`."""
    kept = set()
    for n, (one, party_id) in enumerate(zip(found, party_ids, strict=True)):
        is_new = await conn.fetchval(
            f"insert into settlement (party_id, station_id, {_SETTLEMENT}, received_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) on conflict do nothing returning true",
            party_id,
            one.station_id,
            one.psp_ref,
            one.transaction_id,
            one.status,
            one.status_info,
            one.amount,
            one.settled_at,
            one.receipt_id,
            one.receipt_url,
            one.vat_number,
            to_json(one.vat_company) if one.vat_company is not None else None,
            one.settled_by,
            one.currency,
            one.received_at,
        )
        if is_new:
            kept.add(n)
    return kept


async def insert_swaps(conn: Connection, found: Sequence[BatterySwap], party_ids: Sequence[UUID]) -> None:
    await conn.executemany(
        "insert into battery_swap (station_id, request_id, event, party_id, token_uid, batteries, received_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        [
            (one.station_id, one.request_id, one.event, party_id, one.token_uid, to_json(one.batteries), one.at)
            for one, party_id in zip(found, party_ids, strict=True)
        ],
    )


async def save_costs(conn: Connection, found: Sequence[StationCost], party_ids: Sequence[UUID]) -> None:
    """The latest word on each session stands; one that was overtaken changes nothing."""
    await conn.executemany(
        "insert into station_cost as c"
        " (station_id, transaction_id, party_id, seq_no, at, currency, total, details, failure)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (station_id, transaction_id) do update"
        " set seq_no = excluded.seq_no, at = excluded.at, currency = excluded.currency, total = excluded.total,"
        " details = excluded.details, failure = excluded.failure"
        " where excluded.at > c.at or (excluded.at = c.at and excluded.seq_no > c.seq_no)",
        [
            (
                one.station_id,
                one.transaction_id,
                party_id,
                one.seq_no,
                one.at,
                one.currency,
                one.total,
                to_json(one.details),
                one.failure,
            )
            for one, party_id in zip(found, party_ids, strict=True)
        ],
    )
