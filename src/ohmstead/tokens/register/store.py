"""The token register in PostgreSQL: what people write."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ohmstead.core.db import Connection, Row

_COLUMNS = frozenset(
    {
        "uid",
        "type",
        "status",
        "group_uid",
        "is_master",
        "may_discharge",
        "contract_id",
        "label",
        "valid_from",
        "valid_until",
        "location_ids",
        "weekdays",
        "from_minute",
        "until_minute",
        "max_sessions",
        "autocharge",
        "language",
        "paired_with",
    }
)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if beyond := set(values) - _COLUMNS:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    return values


async def insert_token(conn: Connection, party_id: UUID, token_id: UUID, values: dict[str, Any]) -> bool:
    """False when the party has a token of that uid."""
    names = "".join(f", {name}" for name in _checked(values))
    places = "".join(f", ${n}" for n in range(3, 3 + len(values)))
    row = await conn.fetchrow(
        f"insert into token (token_id, party_id{names}) values ($1, $2{places})"
        " on conflict (party_id, uid_key) do nothing returning 1",
        token_id,
        party_id,
        *values.values(),
    )
    return row is not None


async def update_token(
    conn: Connection, party_id: UUID, token_id: UUID, values: dict[str, Any], if_version: int | None
) -> bool:
    """False when it is not there in that version."""
    assignments = "".join(f"{name} = ${n}, " for n, name in enumerate(_checked(values), start=4))
    row = await conn.fetchrow(
        f"update token set {assignments} version = version + 1, updated_at = now()"
        " where party_id = $1 and token_id = $2 and ($3::integer is null or version = $3) returning 1",
        party_id,
        token_id,
        if_version,
        *values.values(),
    )
    return row is not None


async def delete_token(conn: Connection, party_id: UUID, token_id: UUID, if_version: int | None) -> bool:
    """False when it is not there in that version."""
    row = await conn.fetchrow(
        "delete from token where party_id = $1 and token_id = $2 and ($3::integer is null or version = $3) returning 1",
        party_id,
        token_id,
        if_version,
    )
    return row is not None


async def set_paired_status(conn: Connection, party_id: UUID, token_id: UUID, status: str) -> None:
    """Vehicles share their card's fate."""
    await conn.execute(
        "update token set status = $3, version = version + 1, updated_at = now()"
        " where party_id = $1 and paired_with = $2 and status <> $3",
        party_id,
        token_id,
        status,
    )


async def list_known(conn: Connection, party_id: UUID, uids: Sequence[str]) -> list[str]:
    """Those of the uids that are tokens of the party."""
    rows = await conn.fetch(
        "select uid from token where party_id = $1 and uid_key = any($2)", party_id, [uid.lower() for uid in uids]
    )
    return [row["uid"] for row in rows]


async def lock_with_vehicles(conn: Connection, party_id: UUID, token_id: UUID) -> int:
    """How many vehicles the card has; it is locked until the transaction ends."""
    await conn.execute("select from token where party_id = $1 and token_id = $2 for update", party_id, token_id)
    n: int = await conn.fetchval(
        "select count(*) from token where party_id = $1 and paired_with = $2", party_id, token_id
    )
    return n


async def lock_tokens(conn: Connection, party_id: UUID, uids: Sequence[str]) -> dict[str, Row]:
    """Tokens by lower-case uid, locked."""
    rows = await conn.fetch(
        "select token_id, uid_key, type, status, group_uid, contract_id, label, valid_from, valid_until, max_sessions"
        " from token where party_id = $1 and uid_key = any($2) order by uid_key for update",
        party_id,
        [uid.lower() for uid in uids],
    )
    return {row["uid_key"]: row for row in rows}


async def count_locations(conn: Connection, party_id: UUID, location_ids: Sequence[UUID]) -> int:
    """How many of these locations are the party's."""
    n: int = await conn.fetchval(
        "select count(*) from location where party_id = $1 and location_id = any($2)", party_id, list(location_ids)
    )
    return n


async def insert_tokens(conn: Connection, party_id: UUID, tokens: Sequence[dict[str, Any]]) -> set[str]:
    """Many at once; returns the lower-case uids of those that are new."""
    rows = await conn.fetch(
        "insert into token (token_id, party_id, uid, type, status, label, group_uid, contract_id, valid_from, valid_until,"
        " max_sessions) select u.token_id, $1, u.uid, u.type, u.status, u.label, u.group_uid, u.contract_id,"
        " u.valid_from, u.valid_until, u.max_sessions"
        " from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],"
        " $9::timestamptz[], $10::timestamptz[], $11::smallint[]) as u (token_id, uid, type, status, label, group_uid,"
        " contract_id, valid_from, valid_until, max_sessions)"
        " on conflict (party_id, uid_key) do nothing returning uid_key",
        party_id,
        *[
            [token[name] for token in tokens]
            for name in (
                "token_id",
                "uid",
                "type",
                "status",
                "label",
                "group_uid",
                "contract_id",
                "valid_from",
                "valid_until",
                "max_sessions",
            )
        ],
    )
    return {row["uid_key"] for row in rows}
