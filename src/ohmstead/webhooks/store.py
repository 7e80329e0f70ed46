"""Webhooks' SQL: what is set, the queue, and what became of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection, Row
from ohmstead.core.writes import records, to_rows
from ohmstead.webhooks.model import Claimed, DisabledWhy, NewWebhook, Outcome, Waiting

_COLUMNS = frozenset({"url", "description", "kinds", "is_enabled", "disabled_why", "disabled_at", "failing_since"})


async def insert_webhook(conn: Connection, party_id: UUID, webhook_id: UUID, given: NewWebhook, by: str) -> None:
    await conn.execute(
        "insert into webhook (webhook_id, party_id, url, description, kinds, is_enabled, disabled_why, disabled_at,"
        " created_by) values ($1, $2, $3, $4, $5, $6, case when not $6 then 'by_hand' end,"
        " case when not $6 then now() end, $7)",
        webhook_id,
        party_id,
        given.url,
        given.description,
        given.kinds,
        given.is_enabled,
        by,
    )


async def count_webhooks(conn: Connection, party_id: UUID) -> int:
    """How many a party has, counted one after the other: no two make the last that is allowed."""
    await conn.execute("select from party where party_id = $1 for no key update", party_id)
    n: int = await conn.fetchval("select count(*) from webhook where party_id = $1", party_id)
    return n


async def update_webhook(
    conn: Connection, party_id: UUID, webhook_id: UUID, values: Mapping[str, Any], if_version: int | None
) -> bool:
    """False when it is not there, or not in the version `if_version`."""
    names = sorted(values)
    assert set(names) <= _COLUMNS
    sets = "".join(f"{name} = ${n}, " for n, name in enumerate(names, 4))
    done = await conn.fetchval(
        f"update webhook set {sets}version = version + 1, updated_at = now()"
        " where party_id = $1 and webhook_id = $2 and ($3::integer is null or version = $3) returning webhook_id",
        party_id,
        webhook_id,
        if_version,
        *(values[name] for name in names),
    )
    return done is not None


async def delete_webhook(conn: Connection, party_id: UUID, webhook_id: UUID, if_version: int | None) -> bool:
    """With all that was sent to it."""
    done = await conn.fetchval(
        "delete from webhook where party_id = $1 and webhook_id = $2 and ($3::integer is null or version = $3)"
        " returning webhook_id",
        party_id,
        webhook_id,
        if_version,
    )
    return done is not None


async def insert_secret(
    conn: Connection, webhook_id: UUID, secret_id: UUID, sealed: bytes, others_expire_at: datetime
) -> None:
    """The secret from now on; earlier ones sign until then at the latest."""
    await conn.execute(
        "update webhook_secret set expires_at = least(expires_at, $2) where webhook_id = $1",
        webhook_id,
        others_expire_at,
    )
    await conn.execute("delete from webhook_secret where webhook_id = $1 and expires_at <= now()", webhook_id)
    await conn.execute(
        "insert into webhook_secret (secret_id, webhook_id, sealed) values ($1, $2, $3)", secret_id, webhook_id, sealed
    )


# ------------------------------------------------------------------------------------------------------- the queue


async def list_listening(conn: Connection, party_ids: Sequence[UUID]) -> list[Row]:
    """Webhooks that are switched on, of these parties; none of them is deleted before this transaction ends."""
    return await conn.fetch(
        "select webhook_id, party_id, kinds from webhook where party_id = any($1) and is_enabled"
        " order by created_at, webhook_id for key share",
        list(party_ids),
    )


_WAITING = {
    "delivery_id": "uuid",
    "webhook_id": "uuid",
    "party_id": "uuid",
    "event_id": "bigint",
    "kind": "text",
    "subject": "text",
    "body": "text",
    "is_example": "boolean",
}


# any party: every row says whose it is
async def insert_deliveries(conn: Connection, waiting: Sequence[Waiting]) -> None:
    """An event that comes again to the same webhook is there already."""
    await conn.execute(
        f"insert into webhook_delivery ({', '.join(_WAITING)}) select * from {records(1, _WAITING)} on conflict do nothing",
        to_rows(waiting),
    )


# any party: the worker makes everybody's requests
async def claim(
    conn: Connection, busy: Mapping[UUID, int], most_each: int, most: int, now: datetime, lease: timedelta
) -> list[Claimed]:
    """Deliveries that are due, at most `most`, each webhook's at most `most_each` together with those `busy` here; of
    one that fails just now, one. They are nobody else's until the lease is over.
    """
    rows = await conn.fetch(
        "with free as (select w.webhook_id, w.is_enabled,"
        " case when w.failing_since is null then $3 else 1 end - coalesce(b.n, 0) as n from webhook w"
        " left join unnest($1::uuid[], $2::integer[]) as b (webhook_id, n) using (webhook_id)),"
        " due as (select d.delivery_id from free f cross join lateral (select d.delivery_id, d.next_at"
        " from webhook_delivery d where d.webhook_id = f.webhook_id and d.status = 'waiting' and d.next_at <= $5"
        " and (d.claimed_until is null or d.claimed_until < $5) and (f.is_enabled or d.is_example)"
        " order by d.next_at limit greatest(f.n, 0) for update of d skip locked) d order by d.next_at limit $4)"
        " update webhook_delivery d set claimed_until = $5 + $6::interval from due, webhook w"
        " where d.delivery_id = due.delivery_id and w.webhook_id = d.webhook_id"
        " returning d.delivery_id, d.webhook_id, w.party_id, w.url, d.kind, d.body, d.is_example, d.n_tries,"
        " w.failing_since, (select array_agg(s.sealed order by s.created_at desc) from webhook_secret s"
        " where s.webhook_id = d.webhook_id and (s.expires_at is null or s.expires_at > $5)) as sealed",
        list(busy),
        list(busy.values()),
        most_each,
        most,
        now,
        lease,
    )
    return [Claimed(**{**row, "sealed": row["sealed"] or []}) for row in rows]


# any party: the worker writes what became of a delivery that it holds
async def finish(conn: Connection, delivery_id: UUID, outcome: Outcome) -> bool:
    """Write down an attempt. False when the delivery is gone. One that was delivered stays so."""
    status = "waiting" if outcome.next_at else "delivered" if outcome.is_taken else "failed"
    number = await conn.fetchval(
        "update webhook_delivery set n_tries = n_tries + 1, n_attempts = n_attempts + 1, claimed_until = null,"
        " next_at = coalesce($3, next_at), status = case when status = 'delivered' then status else $2 end,"
        " finished_at = case when $3::timestamptz is null then $4 else finished_at end"
        " where delivery_id = $1 returning n_attempts",
        delivery_id,
        status,
        outcome.next_at,
        outcome.at + timedelta(milliseconds=outcome.duration_ms),
    )
    if number is None:
        return False
    await conn.execute(
        "insert into webhook_attempt (delivery_id, number, at, duration_ms, status_code, answer, error)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        delivery_id,
        number,
        outcome.at,
        outcome.duration_ms,
        outcome.status_code,
        outcome.answer,
        outcome.error,
    )
    return True


# any party: the worker writes what became of a delivery that it holds
async def note_taken(conn: Connection, webhook_id: UUID, at: datetime) -> None:
    """The webhook works; written at most once a minute while it goes on to."""
    await conn.execute(
        "update webhook set failing_since = null, last_success_at = $2 where webhook_id = $1"
        " and (failing_since is not null or last_success_at is null"
        " or last_success_at < $2::timestamptz - interval '1 minute')",
        webhook_id,
        at,
    )


# any party: the worker writes what became of a delivery that it holds
async def note_failed(conn: Connection, webhook_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update webhook set failing_since = $2 where webhook_id = $1 and failing_since is null", webhook_id, at
    )


async def disable(conn: Connection, party_id: UUID, webhook_id: UUID, why: DisabledWhy, at: datetime) -> str | None:
    """Switch it off; its address, or None when it was off already."""
    url: str | None = await conn.fetchval(
        "update webhook set is_enabled = false, disabled_why = $3, disabled_at = $4, version = version + 1,"
        " updated_at = $4 where party_id = $1 and webhook_id = $2 and is_enabled returning url",
        party_id,
        webhook_id,
        why,
        at,
    )
    return url


async def replay(conn: Connection, party_id: UUID, webhook_id: UUID, delivery_id: UUID) -> bool:
    """Into the queue again, at once. False when it is not there."""
    done = await conn.fetchval(
        "update webhook_delivery set status = 'waiting', n_tries = 0, next_at = now(), finished_at = null"
        " where party_id = $1 and webhook_id = $2 and delivery_id = $3 returning delivery_id",
        party_id,
        webhook_id,
        delivery_id,
    )
    return done is not None


async def replay_failed(conn: Connection, party_id: UUID, webhook_id: UUID, since: datetime) -> int:
    """All that was given up among what was put into the queue since then; returns how many."""
    n: int = await conn.fetchval(
        "with again as (update webhook_delivery set status = 'waiting', n_tries = 0, next_at = now(),"
        " finished_at = null where party_id = $1 and webhook_id = $2 and status = 'failed' and not is_example"
        " and created_at >= $3 returning 1) select count(*) from again",
        party_id,
        webhook_id,
        since,
    )
    return n


# any party: retention is the installation's
async def drop_deliveries(conn: Connection, before: datetime, limit: int) -> int:
    """Forget what was put into the queue before then, at most `limit`; returns how many."""
    n: int = await conn.fetchval(
        "with old as (select delivery_id from webhook_delivery where created_at < $1 order by created_at limit $2),"
        " gone as (delete from webhook_delivery d using old where d.delivery_id = old.delivery_id returning 1)"
        " select count(*) from gone",
        before,
        limit,
    )
    return n
