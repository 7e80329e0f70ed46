"""Notifications' SQL on the write side: the queue, what people chose, devices, watches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection, Row
from ohmstead.core.writes import records, to_rows
from ohmstead.notifications.model import Attachment, Channel, Reason, Status

# ----------------------------------------------------------------------------------------------------- whom it goes to

_REACH = """
select d.driver_id, d.status, d.name, d.email,
       -- Who has a number that nobody confirmed may be a stranger.
       case when d.phone_confirmed_at is not null then d.phone end as phone, coalesce(d.language, y.language) as language,
       y.time_zone, p.channels, p.quiet_from_minute, p.quiet_until_minute, p.time_zone as quiet_zone,
       array(select s.subscription_id::text from push_subscription s where s.party_id = d.party_id
             and s.driver_id = d.driver_id order by s.created_at desc) as devices
from driver d join party y using (party_id) left join notification_preference p using (driver_id)
"""


async def list_reach(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """How drivers can be reached and what they chose."""
    rows = await conn.fetch(
        f"{_REACH} where d.party_id = $1 and d.driver_id = any($2)", party_id, sorted(set(driver_ids))
    )
    return {row["driver_id"]: row for row in rows}


async def get_party(conn: Connection, party_id: UUID) -> Row:
    row = await conn.fetchrow("select name, language, time_zone, currency from party where party_id = $1", party_id)
    assert row is not None
    return row


async def list_operators(conn: Connection, party_id: UUID, operator_ids: Sequence[UUID]) -> dict[UUID, Row]:
    rows = await conn.fetch(
        "select operator_id, name, email from operator where party_id = $1 and operator_id = any($2)"
        " and disabled_at is null",
        party_id,
        list(operator_ids),
    )
    return {row["operator_id"]: row for row in rows}


async def list_asking_operators(conn: Connection, party_id: UUID, kind: str) -> list[UUID]:
    """Operators who want to be told of a kind."""
    rows = await conn.fetch(
        "select n.operator_id from notification_operator n join operator o using (operator_id)"
        " where n.party_id = $1 and $2 = any(n.kinds) and o.disabled_at is null and o.email is not null",
        party_id,
        kind,
    )
    return [row["operator_id"] for row in rows]


# ---------------------------------------------------------------------------------------------------------- the queue

_NEW = {
    "notification_id": "uuid",
    "party_id": "uuid",
    "kind": "text",
    "key": "text",
    "channel": "text",
    "target": "text",
    "driver_id": "uuid",
    "operator_id": "uuid",
    "address": "text",
    "language": "text",
    "time_zone": "text",
    "data": "jsonb",
    "attachments": "jsonb",
    "status": "text",
    "reason": "text",
    "next_at": "timestamptz",
    "expires_at": "timestamptz",
    "created_at": "timestamptz",
    "finished_at": "timestamptz",
}


class NewRow(Struct, frozen=True, kw_only=True):
    """A row to be."""

    notification_id: UUID
    party_id: UUID
    kind: str
    key: str
    channel: Channel
    target: str
    driver_id: UUID | None
    operator_id: UUID | None
    address: str | None
    language: str
    time_zone: str
    data: dict[str, Any]
    attachments: tuple[Attachment, ...]
    status: Status
    reason: Reason | None
    next_at: datetime
    expires_at: datetime
    created_at: datetime
    finished_at: datetime | None


# any party: every row says whose it is
async def insert_notifications(conn: Connection, rows: Sequence[NewRow]) -> list[UUID]:
    """Those that were not there yet. What is told already is not told again."""
    made = await conn.fetch(
        f"insert into notification ({', '.join(_NEW)}) select * from {records(1, _NEW)} on conflict do nothing"
        " returning notification_id",
        to_rows(rows),
    )
    return [row["notification_id"] for row in made]


async def list_told(conn: Connection, party_id: UUID, keys: Sequence[str]) -> set[str]:
    """Those keys of which something is in the queue or the log, over whatever channel."""
    rows = await conn.fetch(
        "select distinct key from notification where party_id = $1 and key = any($2)", party_id, list(keys)
    )
    return {row["key"] for row in rows}


class Claimed(Struct, frozen=True, kw_only=True):
    """A message that this worker is to send now."""

    notification_id: UUID
    party_id: UUID
    kind: str
    channel: Channel
    target: str
    driver_id: UUID | None
    operator_id: UUID | None
    address: str | None
    language: str
    time_zone: str
    data: dict[str, Any]
    attachments: list[dict[str, Any]]
    n_tries: int
    expires_at: datetime
    created_at: datetime


# any party: the worker sends everybody's messages
async def claim(conn: Connection, most: int, now: datetime, lease: timedelta) -> list[Claimed]:
    """Messages that are due, the longest waiting first. They are nobody else's until the lease is over."""
    rows = await conn.fetch(
        "with due as (select notification_id from notification where status in ('queued', 'sending') and next_at <= $1"
        " and (claimed_until is null or claimed_until < $1) order by next_at limit $2 for update skip locked)"
        " update notification n set status = 'sending', claimed_until = $1 + $3::interval from due"
        " where n.notification_id = due.notification_id"
        " returning n.notification_id, n.party_id, n.kind, n.channel, n.target, n.driver_id, n.operator_id, n.address,"
        " n.language, n.time_zone, n.data, n.attachments, n.n_tries, n.expires_at, n.created_at",
        now,
        most,
        lease,
    )
    return [Claimed(**row) for row in rows]


class Ending(Struct, frozen=True, kw_only=True):
    """What became of an attempt. `next_at`: when it is tried again."""

    at: datetime
    duration_ms: int
    status: Status
    reason: Reason | None = None
    answer: str | None = None
    error: str | None = None
    next_at: datetime | None = None
    subject: str | None = None
    body: str | None = None
    is_attempt: bool = True
    hidden: tuple[str, ...] = ()


# any party: the worker writes what became of a message that it holds
async def finish(conn: Connection, notification_id: UUID, end: Ending) -> None:
    """Write an attempt down. What was sent stays sent, whoever else was at it. What is secret is kept until it is over.

    Of a driver who was erased meanwhile nothing is written: neither the text nor an answer that names their address.
    """
    over_at = None if end.status == "queued" else end.at + timedelta(milliseconds=end.duration_ms)
    number = await conn.fetchval(
        "update notification set status = case when status = 'sent' then status else $2 end,"
        " reason = case when status = 'sent' then reason else $3 end, claimed_until = null,"
        " next_at = coalesce($4, next_at), finished_at = $5, subject = coalesce($6, subject), body = coalesce($7, body),"
        " data = case when $5::timestamptz is null then data else data - $8::text[] end,"
        " n_tries = n_tries + $9, n_attempts = n_attempts + $9"
        " where notification_id = $1 and reason is distinct from 'erased' returning n_attempts",
        notification_id,
        end.status,
        end.reason,
        end.next_at,
        over_at,
        end.subject,
        end.body,
        list(end.hidden),
        1 if end.is_attempt else 0,
    )
    if number is None or not end.is_attempt:
        return
    await conn.execute(
        "insert into notification_attempt (notification_id, number, at, duration_ms, answer, error)"
        " values ($1, $2, $3, $4, $5, $6)",
        notification_id,
        number,
        end.at,
        end.duration_ms,
        end.answer,
        end.error,
    )


async def put_back(
    conn: Connection, party_id: UUID, notification_id: UUID, now: datetime, expires_at: datetime
) -> bool:
    """Into the queue again, at once. False when it is not there, or is not over."""
    done = await conn.fetchval(
        "update notification set status = 'queued', reason = null, n_tries = 0, next_at = $3, expires_at = $4,"
        " finished_at = null where party_id = $1 and notification_id = $2 and status in ('sent', 'failed', 'dropped')"
        " returning notification_id",
        party_id,
        notification_id,
        now,
        expires_at,
    )
    return done is not None


# any party: retention is the installation's
async def drop_old(conn: Connection, before: datetime, limit: int) -> int:
    """Forget messages of before then, at most `limit`; returns how many."""
    n: int = await conn.fetchval(
        "with old as (select notification_id from notification where created_at < $1 order by created_at limit $2),"
        " gone as (delete from notification n using old where n.notification_id = old.notification_id returning 1)"
        " select count(*) from gone",
        before,
        limit,
    )
    return n


# any party: whom codes went to is nobody's to keep
async def forget_addresses(conn: Connection, kinds: Sequence[str], since: datetime, before: datetime) -> None:
    """Of messages of then that are over and went to somebody who was nobody's driver."""
    await conn.execute(
        "update notification set address = null where created_at >= $2 and created_at < $3 and kind = any($1)"
        " and driver_id is null and operator_id is null and address is not null"
        " and status in ('sent', 'failed', 'dropped')",
        list(kinds),
        since,
        before,
    )
    await conn.execute(
        "update notification_attempt a set answer = null, error = null from notification n"
        " where n.created_at >= $2 and n.created_at < $3 and n.kind = any($1) and n.driver_id is null"
        " and n.operator_id is null and a.notification_id = n.notification_id",
        list(kinds),
        since,
        before,
    )


# any party: secrets are nobody's to keep
async def forget_secrets(conn: Connection, kind: str, names: Sequence[str], now: datetime) -> None:
    """Of messages that are of no use any more."""
    await conn.execute(
        "update notification set data = data - $2::text[] where kind = $1 and created_at > $3::timestamptz - interval '2 days'"
        " and expires_at < $3 and status in ('sent', 'failed', 'dropped') and data ?| $2::text[]",
        kind,
        list(names),
        now,
    )


async def erase(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> None:
    """Forget what drivers chose and where they are reached; of messages stays that there were any."""
    of = (party_id, list(driver_ids))
    for table in ("notification_preference", "push_subscription", "plug_watch", "place_follow"):
        await conn.execute(f"delete from {table} where party_id = $1 and driver_id = any($2)", *of)
    await conn.execute(
        "update notification set address = null, data = '{}', attachments = '[]', subject = null, body = null,"
        " target = notification_id::text,"
        " reason = case when status in ('queued', 'sending') then 'erased' else reason end,"
        " finished_at = case when status in ('queued', 'sending') then now() else finished_at end,"
        " status = case when status in ('queued', 'sending') then 'dropped' else status end"
        " where party_id = $1 and driver_id = any($2)",
        *of,
    )
    await conn.execute(
        "update notification_attempt a set answer = null, error = null from notification n"
        " where n.notification_id = a.notification_id and n.party_id = $1 and n.driver_id = any($2)",
        *of,
    )


# ------------------------------------------------------------------------------------------------- what people chose


async def put_preference(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    *,
    channels: dict[str, list[Channel]],
    quiet_from_minute: int | None,
    quiet_until_minute: int | None,
    time_zone: str | None,
    if_version: int | None,
    now: datetime,
) -> bool:
    """False when it is not in that version."""
    done = await conn.fetchval(
        "insert into notification_preference as p (driver_id, party_id, channels, quiet_from_minute, quiet_until_minute,"
        " time_zone, updated_at) values ($2, $1, $3, $4, $5, $6, $8)"
        " on conflict (driver_id) do update set channels = excluded.channels,"
        " quiet_from_minute = excluded.quiet_from_minute, quiet_until_minute = excluded.quiet_until_minute,"
        " time_zone = excluded.time_zone, version = p.version + 1, updated_at = $8"
        " where p.party_id = $1 and ($7::integer is null or p.version = $7) returning version",
        party_id,
        driver_id,
        channels,
        quiet_from_minute,
        quiet_until_minute,
        time_zone,
        if_version,
        now,
    )
    return done is not None


async def put_operator(
    conn: Connection, party_id: UUID, operator_id: UUID, kinds: Sequence[str], now: datetime
) -> None:
    await conn.execute(
        "insert into notification_operator (operator_id, party_id, kinds, updated_at) values ($2, $1, $3, $4)"
        " on conflict (operator_id) do update set kinds = $3, updated_at = $4, party_id = $1",
        party_id,
        operator_id,
        sorted(set(kinds)),
        now,
    )


async def put_template(
    conn: Connection, party_id: UUID, kind: str, language: str, subject: str, body: str, by: str, now: datetime
) -> None:
    await conn.execute(
        "insert into notification_template as t (party_id, kind, language, subject, body, updated_at, updated_by)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (party_id, kind, language) do update set subject = $4,"
        " body = $5, version = t.version + 1, updated_at = $6, updated_by = $7",
        party_id,
        kind,
        language,
        subject,
        body,
        now,
        by,
    )


async def delete_template(conn: Connection, party_id: UUID, kind: str, language: str) -> bool:
    done = await conn.fetchval(
        "delete from notification_template where party_id = $1 and kind = $2 and language = $3 returning kind",
        party_id,
        kind,
        language,
    )
    return done is not None


# ------------------------------------------------------------------------------------------------------------- devices


# any party: the key is the installation's
async def find_push_key(conn: Connection) -> Row | None:
    return await conn.fetchrow("select push_key_id, public_key, sealed from push_key")


# any party: the key is the installation's
async def insert_push_key(conn: Connection, push_key_id: UUID, public_key: str, sealed: bytes, now: datetime) -> None:
    """Of two that make one together, one wins."""
    await conn.execute(
        "insert into push_key (push_key_id, public_key, sealed, created_at) values ($1, $2, $3, $4) on conflict do nothing",
        push_key_id,
        public_key,
        sealed,
        now,
    )


async def put_subscription(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    subscription_id: UUID,
    endpoint: str,
    p256dh: str,
    auth: str,
    device: str,
    now: datetime,
    session_id: UUID | None,
) -> UUID:
    """A browser is whoever's signed in with it last."""
    found: UUID = await conn.fetchval(
        "insert into push_subscription (subscription_id, party_id, driver_id, endpoint, p256dh, auth, device, created_at,"
        " driver_session_id) values ($3, $1, $2, $4, $5, $6, $7, $8, $9) on conflict (party_id, endpoint) do update"
        " set driver_id = $2, p256dh = $5, auth = $6, device = $7, created_at = $8, driver_session_id = $9"
        " returning subscription_id",
        party_id,
        driver_id,
        subscription_id,
        endpoint,
        p256dh,
        auth,
        device,
        now,
        session_id,
    )
    await conn.execute(
        "delete from push_subscription where party_id = $1 and driver_id = $2 and subscription_id not in"
        " (select subscription_id from push_subscription where party_id = $1 and driver_id = $2"
        " order by created_at desc limit 10)",
        party_id,
        driver_id,
    )
    return found


async def delete_subscription(conn: Connection, party_id: UUID, driver_id: UUID, endpoint: str) -> bool:
    done = await conn.fetchval(
        "delete from push_subscription where party_id = $1 and driver_id = $2 and endpoint = $3 returning subscription_id",
        party_id,
        driver_id,
        endpoint,
    )
    return done is not None


async def delete_ended(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """Of browsers in which the driver is no longer signed in."""
    await conn.execute(
        "delete from push_subscription s where s.party_id = $1 and s.driver_id = $2 and s.driver_session_id is not null"
        " and not exists (select from driver_session d where d.driver_session_id = s.driver_session_id)",
        party_id,
        driver_id,
    )


async def drop_subscription(conn: Connection, party_id: UUID, subscription_id: UUID) -> None:
    """The push service knows it no longer."""
    await conn.execute(
        "delete from push_subscription where party_id = $1 and subscription_id = $2", party_id, subscription_id
    )


async def find_subscription(conn: Connection, party_id: UUID, subscription_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select subscription_id, endpoint, p256dh, auth from push_subscription where party_id = $1 and subscription_id = $2",
        party_id,
        subscription_id,
    )


async def note_push(conn: Connection, party_id: UUID, subscription_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update push_subscription set last_success_at = $3 where party_id = $1 and subscription_id = $2",
        party_id,
        subscription_id,
        at,
    )


# ------------------------------------------------------------------------------------------------- watches, favourites


async def insert_watch(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    watch_id: UUID,
    location_id: UUID | None,
    station_id: str | None,
    evse_number: int | None,
    now: datetime,
    expires_at: datetime,
) -> UUID:
    """Watching the same again makes it last longer."""
    found: UUID = await conn.fetchval(
        "insert into plug_watch (watch_id, party_id, driver_id, location_id, station_id, evse_number, created_at, expires_at)"
        " values ($3, $1, $2, $4, $5, $6, $7, $8)"
        " on conflict (driver_id, location_id, station_id, evse_number) where told_at is null"
        " do update set expires_at = excluded.expires_at, created_at = excluded.created_at returning watch_id",
        party_id,
        driver_id,
        watch_id,
        location_id,
        station_id,
        evse_number,
        now,
        expires_at,
    )
    return found


async def delete_watch(conn: Connection, party_id: UUID, driver_id: UUID, watch_id: UUID) -> bool:
    done = await conn.fetchval(
        "delete from plug_watch where party_id = $1 and driver_id = $2 and watch_id = $3 returning watch_id",
        party_id,
        driver_id,
        watch_id,
    )
    return done is not None


# any party: the worker ends everybody's watches
async def end_watches(conn: Connection, watch_ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Those that nobody else ended meanwhile."""
    rows = await conn.fetch(
        "update plug_watch set told_at = $2 where watch_id = any($1) and told_at is null returning watch_id",
        list(watch_ids),
        now,
    )
    return [row["watch_id"] for row in rows]


# any party: retention is the installation's
async def drop_watches(conn: Connection, before: datetime) -> None:
    await conn.execute("delete from plug_watch where expires_at < $1", before)
    await conn.execute("delete from station_outage where ended_at < $1", before)


async def put_follow(
    conn: Connection, party_id: UUID, driver_id: UUID, location_id: UUID | None, station_id: str | None, now: datetime
) -> None:
    await conn.execute(
        "insert into place_follow (party_id, driver_id, location_id, station_id, created_at) values ($1, $2, $3, $4, $5)"
        " on conflict do nothing",
        party_id,
        driver_id,
        location_id,
        station_id,
        now,
    )


async def delete_follow(
    conn: Connection, party_id: UUID, driver_id: UUID, location_id: UUID | None, station_id: str | None
) -> bool:
    done = await conn.fetchval(
        "delete from place_follow where party_id = $1 and driver_id = $2 and location_id is not distinct from $3"
        " and station_id is not distinct from $4 returning driver_id",
        party_id,
        driver_id,
        location_id,
        station_id,
    )
    return done is not None


# any party: the worker looks after everybody's stations
async def put_outages(conn: Connection, rows: Sequence[tuple[str, UUID, datetime, str]]) -> None:
    """Stations that went out of service: station, party, since when, why."""
    await conn.executemany(
        "insert into station_outage (station_id, party_id, since, reason) values ($1, $2, $3, $4) on conflict do nothing",
        rows,
    )


# any party: the worker looks after everybody's stations
async def end_outages(conn: Connection, station_ids: Sequence[str], now: datetime) -> None:
    await conn.execute(
        "update station_outage set ended_at = $2 where station_id = any($1) and ended_at is null",
        list(station_ids),
        now,
    )
