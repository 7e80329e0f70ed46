"""The audit log, read: by filter for pages and programs, whole for checking."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.audit.chain import Head, Link
from ohmstead.accounts.model import AuditEntry
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which entries; what is None matches all. `since` ≤ t < `until`."""

    actor: str | None = None
    action: Annotated[str | None, Meta(description="`station.changed`, or `station.` for all about stations.")] = None
    object: str | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_LINKS = """
select e.entry_id, e.number, e.party_id::text,
       to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, e.actor, e.action, e.object,
       e.detail::text as detail, e.changes::text as changes, e.remote_address, e.previous_hash, e.hash
from audit_entry e
"""
_ENTRIES = """
select e.entry_id, e.at, e.actor, e.action, e.object, e.detail, e.changes, e.remote_address, e.number,
       encode(e.previous_hash, 'hex') as previous_hash, encode(e.hash, 'hex') as hash, audit_content(e) as content,
       coalesce(o.name, k.name) as actor_name
from audit_entry e
left join operator o on o.party_id = e.party_id and o.operator_id =
    case when e.actor ~ '^operator:[0-9a-f-]{36}$' then substr(e.actor, 10)::uuid end
left join api_key k on k.party_id = e.party_id and k.api_key_id =
    case when e.actor ~ '^key:[0-9a-f-]{36}$' then substr(e.actor, 5)::uuid end
"""


async def list_entries(
    conn: Connection,
    party_id: UUID,
    only: AuditFilter | None = None,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """Newest first; `before` is the (time, number) of the last entry of the page before."""
    only = only or AuditFilter()
    where = Conditions()
    where.add("e.party_id = {}", party_id)
    if before is not None:
        where.add("(e.at, e.entry_id) < ({}, {}::bigint)", *before)
    where.add_given("e.actor = {}", only.actor)
    where.add_given("e.object = {}", only.object)
    if only.action is not None:
        where.add("starts_with(e.action, {})" if only.action.endswith(".") else "e.action = {}", only.action)
    where.add_given("e.at >= {}", only.since)
    where.add_given("e.at < {}", only.until)
    if only.q is not None:
        text = "concat_ws(' ', e.object, e.action, e.actor, e.remote_address, e.detail::text, e.changes::text)"
        where.add(text + " ilike {}", like(only.q))
    rows = await conn.fetch(
        f"{_ENTRIES} where {where.sql} order by e.at desc, e.entry_id desc limit {where.parameter(limit)}",
        *where.values,
    )
    return [AuditEntry(**row) for row in rows]


async def list_links(conn: Connection, party_id: UUID, after: int, limit: int) -> list[Link]:
    """Entries in the order of the chain, from the one after number `after` on."""
    rows = await conn.fetch(
        f"{_LINKS} where e.party_id = $1 and e.number > $2 order by e.number limit $3", party_id, after, limit
    )
    return [Link(**row) for row in rows]


async def list_unlinked(conn: Connection, party_id: UUID, limit: int) -> list[Link]:
    """Entries that are in no chain: nobody writes such, and they are told apart."""
    rows = await conn.fetch(
        f"{_LINKS} where e.party_id = $1 and e.number is null order by e.entry_id limit $2", party_id, limit
    )
    return [Link(**row) for row in rows]


async def find_head(conn: Connection, party_id: UUID) -> Head:
    """The end of the chain; number 0 where nothing was written yet."""
    row = await conn.fetchrow("select number, hash from audit_head where party_id = $1", party_id)
    return Head(**row) if row is not None else Head()


async def list_actors(conn: Connection, party_id: UUID) -> list[tuple[str, str]]:
    """Who can be asked for: (actor, name) of the party's operators and keys."""
    rows = await conn.fetch(
        "select 'operator:' || operator_id as actor, name from operator where party_id = $1"
        " union all select 'key:' || api_key_id, name from api_key where party_id = $1 order by name, actor",
        party_id,
    )
    return [(row["actor"], row["name"]) for row in rows]


# any party: the command that checks the log belongs to whoever owns the machine
async def list_chains(conn: Connection) -> list[tuple[UUID, str]]:
    """(party, name) of every party, by name."""
    return [(r["party_id"], r["name"]) for r in await conn.fetch("select party_id, name from party order by name, 1")]
