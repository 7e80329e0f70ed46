"""Saved lists and layouts in PostgreSQL."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import asyncpg

from ohmstead.core.db import Connection, Row

_COLUMNS = "saved_list_id, page, name, query, is_shared, owner = $2 as is_own, version, created_at, updated_at"


async def list_saved(conn: Connection, party_id: UUID, owner: str, page: str | None) -> list[Row]:
    return await conn.fetch(
        f"select {_COLUMNS} from saved_list where party_id = $1 and (owner = $2 or is_shared)"
        " and ($3::text is null or page = $3) order by owner <> $2, lower(name), saved_list_id limit 500",
        party_id,
        owner,
        page,
    )


async def find_saved(conn: Connection, party_id: UUID, owner: str, saved_list_id: UUID) -> Row | None:
    return await conn.fetchrow(
        f"select {_COLUMNS} from saved_list where party_id = $1 and (owner = $2 or is_shared) and saved_list_id = $3",
        party_id,
        owner,
        saved_list_id,
    )


async def count_own(conn: Connection, party_id: UUID, owner: str, page: str) -> int:
    n: int = await conn.fetchval(
        "select count(*) from saved_list where party_id = $1 and owner = $2 and page = $3", party_id, owner, page
    )
    return n


async def insert_saved(
    conn: Connection,
    party_id: UUID,
    owner: str,
    saved_list_id: UUID,
    page: str,
    name: str,
    query: str,
    is_shared: bool,
) -> bool:
    """False when the owner has one of that name."""
    row = await conn.fetchrow(
        "insert into saved_list (saved_list_id, party_id, owner, page, name, query, is_shared)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning 1",
        saved_list_id,
        party_id,
        owner,
        page,
        name,
        query,
        is_shared,
    )
    return row is not None


async def update_saved(
    conn: Connection,
    party_id: UUID,
    saved_list_id: UUID,
    name: str,
    query: str,
    is_shared: bool,
    if_version: int | None,
) -> Literal["ok", "stale", "taken"]:
    try:
        async with conn.transaction():
            row = await conn.fetchrow(
                "update saved_list set name = $3, query = $4, is_shared = $5, version = version + 1, updated_at = now()"
                " where party_id = $1 and saved_list_id = $2 and ($6::integer is null or version = $6) returning 1",
                party_id,
                saved_list_id,
                name,
                query,
                is_shared,
                if_version,
            )
    except asyncpg.UniqueViolationError:
        return "taken"
    return "ok" if row else "stale"


async def delete_saved(conn: Connection, party_id: UUID, saved_list_id: UUID) -> None:
    await conn.execute("delete from saved_list where party_id = $1 and saved_list_id = $2", party_id, saved_list_id)


async def find_layout(conn: Connection, party_id: UUID, owner: str, page: str) -> list[str]:
    found: list[str] | None = await conn.fetchval(
        "select hidden from list_layout where party_id = $1 and owner = $2 and page = $3", party_id, owner, page
    )
    return found or []


async def save_layout(conn: Connection, party_id: UUID, owner: str, page: str, hidden: list[str]) -> None:
    await conn.execute(
        "insert into list_layout (party_id, owner, page, hidden) values ($1, $2, $3, $4)"
        " on conflict (party_id, owner, page) do update set hidden = excluded.hidden, updated_at = now()",
        party_id,
        owner,
        page,
        hidden,
    )
