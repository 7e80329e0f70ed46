"""The sandbox's own side in PostgreSQL: objects, requests by key, events to be delivered, its account's statement."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ohmstead.core.db import Connection, to_json


async def find_call(conn: Connection, key: str) -> tuple[bytes, str] | None:
    """(digest, object) of a request that was carried out."""
    row = await conn.fetchrow("select digest, ref from sandbox_call where key = $1", key)
    return (row["digest"], row["ref"]) if row else None


async def insert_call(conn: Connection, key: str, digest: bytes, ref: str, at: datetime) -> bool:
    """False when the key is known."""
    done = await conn.fetchval(
        "insert into sandbox_call (key, digest, ref, made_at) values ($1, $2, $3, $4) on conflict do nothing returning key",
        key,
        digest,
        ref,
        at,
    )
    return done is not None


async def put(conn: Connection, ref: str, kind: str, content: Any, due_at: datetime | None) -> None:
    await conn.execute(
        "insert into sandbox_object (ref, kind, content, due_at) values ($1, $2, $3, $4)"
        " on conflict (ref) do update set content = $3, due_at = $4",
        ref,
        kind,
        to_json(content),
        due_at,
    )


async def lock(conn: Connection, ref: str, kind: str) -> Any | None:
    """An object's content; nobody else changes it until the transaction ends."""
    row = await conn.fetchrow("select content from sandbox_object where ref = $1 and kind = $2 for update", ref, kind)
    return row["content"] if row else None


async def list_due(conn: Connection, now: datetime) -> list[str]:
    """Payments with which something happens by itself now."""
    rows = await conn.fetch(
        "select ref from sandbox_object where due_at <= $1 and kind = 'payment' order by due_at limit 50", now
    )
    return [row["ref"] for row in rows]


async def insert_event(conn: Connection, event_id: str, body: str, due_at: datetime) -> None:
    await conn.execute("insert into sandbox_event (event_id, body, due_at) values ($1, $2, $3)", event_id, body, due_at)


async def claim_events(conn: Connection, now: datetime, until: datetime) -> list[tuple[str, str]]:
    """(id, body) of events to be delivered now; again at `until`, unless they are done."""
    rows = await conn.fetch(
        "with due as (select event_id from sandbox_event where due_at <= $1 order by due_at limit 20"
        " for update skip locked) update sandbox_event e set due_at = $2, n_tries = n_tries + 1 from due"
        " where e.event_id = due.event_id returning e.event_id, e.body",
        now,
        until,
    )
    return [(row["event_id"], row["body"]) for row in rows]


async def event_done(conn: Connection, event_id: str) -> None:
    await conn.execute("update sandbox_event set due_at = null where event_id = $1", event_id)


async def insert_line(conn: Connection, ref: str, at: datetime, content: Any) -> None:
    await conn.execute("insert into sandbox_balance (ref, at, content) values ($1, $2, $3)", ref, at, to_json(content))


async def list_lines(conn: Connection, since: datetime, until: datetime) -> list[Any]:
    rows = await conn.fetch(
        "select content from sandbox_balance where at >= $1 and at < $2 order by at, ref", since, until
    )
    return [msgspec.json.decode(row["content"]) if isinstance(row["content"], str) else row["content"] for row in rows]


async def drop(conn: Connection, ref: str, kind: str) -> None:
    await conn.execute("delete from sandbox_object where ref = $1 and kind = $2", ref, kind)


async def drop_customer(conn: Connection, driver_id: str) -> None:
    """A driver's cards, and their pages for storing one; cards from before they were kept with a driver by those."""
    await conn.execute(
        "delete from sandbox_object where kind in ('method', 'setup') and (content ->> 'driver_id' = $1 or ref in"
        " (select content ->> 'method' from sandbox_object where kind = 'setup' and content ->> 'driver_id' = $1))",
        driver_id,
    )
