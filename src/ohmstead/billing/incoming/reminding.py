"""Overdue invoices are reminded of, at most three times, on the days that the party chose; never once they are paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from ohmstead.billing.incoming import store
from ohmstead.billing.ledger import service as ledger
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.events import Event, record

EVERY_S: Final = 900.0
PAGE: Final = 500

_Place: TypeAlias = tuple[date, UUID]


def next_stage(days: Sequence[int], had: int, overdue_days: int, since_last_days: int | None) -> int | None:
    """Which reminder is due, counted from 1; None: none is. Between two of them are as many days as between their days,
    also where the first came late. Pure.
    """
    if had >= len(days) or overdue_days < days[had]:
        return None
    if had and since_last_days is not None and since_last_days < days[had] - days[had - 1]:
        return None
    return had + 1


async def remind_all(pool: Pool) -> int:
    """Timer: what is due today, of all parties; each reminder once. Returns how many."""
    async with pool.acquire() as conn:
        parties = await store.list_reminding(conn)
    n = 0
    for party_id in parties:
        after: _Place | None = None
        while True:
            async with pool.acquire() as conn, conn.transaction():
                n_sent, after = await remind(conn, party_id, after)
            n += n_sent
            if after is None:
                break
    return n


async def remind(conn: Connection, party_id: UUID, after: _Place | None) -> tuple[int, _Place | None]:
    """A page of a party's, in the caller's transaction; nothing is booked for it meanwhile. Returns how many were sent, and
    after what the next page begins; None: it was the last one.
    """
    zone = await ledger.hold(conn, party_id)
    now = clock.now()
    today = ledger.day_of(now, zone)
    days = (await store.find_setting(conn, party_id)).reminder_days
    if not days:
        return 0, None
    due_until = today - timedelta(days=days[0])
    page = await store.list_overdue(conn, party_id, due_until, len(days), after=after, limit=PAGE)
    facts = []
    for row in page:
        last = ledger.day_of(row["sent_at"], zone) if row["sent_at"] is not None else None
        since = (today - last).days if last is not None else None
        stage = next_stage(days, row["stage"], (today - row["due_on"]).days, since)
        if stage is None:
            continue
        is_final = stage == len(days)
        await store.insert_reminder(conn, party_id, row["invoice_id"], stage, row["open"], now, is_final=is_final)
        facts.append(_fact(party_id, row, stage, now, is_final=is_final))
    if facts:
        await record(conn, facts)
    return len(facts), (page[-1]["due_on"], page[-1]["invoice_id"]) if len(page) == PAGE else None


def _fact(party_id: UUID, row: Row, stage: int, at: datetime, *, is_final: bool) -> Event:
    payload = {
        "invoice_id": str(row["invoice_id"]),
        "number": row["number"],
        "customer": row["customer"],
        "stage": stage,
        "is_final": is_final,
        "open": format(row["open"], "f"),
        "currency": row["currency"],
        "due_on": row["due_on"].isoformat(),
        "at": at.isoformat(),
    }
    return Event("InvoiceReminded", f"invoice/{row['invoice_id']}", payload, party_id=party_id)
