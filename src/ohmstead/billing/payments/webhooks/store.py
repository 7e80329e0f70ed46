"""What providers told, in PostgreSQL. They know no parties: a payment says whose it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.payments.ports import Told
from ohmstead.core.db import Connection


class Waiting(Struct, frozen=True, kw_only=True):
    """A webhook that is to be processed."""

    provider: str
    event_id: str
    kind: str
    about: str
    refs: list[str]
    n_tries: int


async def insert_webhook(conn: Connection, provider: str, told: Told, body: bytes, at: datetime) -> bool:
    """False when it came before."""
    done = await conn.fetchval(
        "insert into payment_webhook (provider, event_id, kind, about, refs, body, received_at, next_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict do nothing returning event_id",
        provider,
        told.event_id,
        told.kind,
        told.about,
        list(told.refs),
        body,
        at,
    )
    return done is not None


async def claim_webhooks(conn: Connection, now: datetime, lease: timedelta, most: int) -> list[Waiting]:
    """Those that are due: nobody else's until the lease is over."""
    rows = await conn.fetch(
        "with due as (select provider, event_id from payment_webhook where next_at <= $1"
        " and (claimed_until is null or claimed_until < $1) order by next_at limit $3 for update skip locked)"
        " update payment_webhook w set claimed_until = $1 + $2::interval, n_tries = n_tries + 1 from due"
        " where w.provider = due.provider and w.event_id = due.event_id"
        " returning w.provider, w.event_id, w.kind, w.about, w.refs, w.n_tries",
        now,
        lease,
        most,
    )
    return [Waiting(**dict(row)) for row in rows]


async def finish_webhook(
    conn: Connection, one: Waiting, outcome: str, payment_id: UUID | None, next_at: datetime | None, error: str | None
) -> None:
    """What became of it; `next_at`: when it is tried again."""
    await conn.execute(
        "update payment_webhook set outcome = $3, payment_id = coalesce($4, payment_id), next_at = $5,"
        " claimed_until = null, last_error = $6 where provider = $1 and event_id = $2",
        one.provider,
        one.event_id,
        outcome,
        payment_id,
        next_at,
        error,
    )


async def forget_webhooks(conn: Connection, before: datetime) -> int:
    """Drop what was processed and came before then."""
    rows = await conn.fetch(
        "delete from payment_webhook where received_at < $1 and next_at is null returning event_id", before
    )
    return len(rows)
