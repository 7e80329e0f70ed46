"""People and groups of a party, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.accounts.model import Operator
from ohmstead.accounts.people.model import Group, Person
from ohmstead.core.db import Connection, Row

_OPERATOR = (
    "o.operator_id, o.party_id, o.name, o.email, o.role, o.created_at, o.disabled_at, o.user_name, o.external_id,"
    " o.is_provisioned, o.location_ids"
)
_GROUP = "g.group_id, g.party_id, g.name, g.external_id, g.role, g.created_at, g.changed_at"


async def insert_operator(conn: Connection, party_id: UUID, one: Operator) -> bool:
    """False when the address or the user name is somebody's already."""
    done = await conn.execute(
        "insert into operator (operator_id, party_id, name, email, role, created_at, disabled_at, user_name, external_id,"
        " is_provisioned) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
        one.operator_id,
        party_id,
        one.name,
        one.email,
        one.role,
        one.created_at,
        one.disabled_at,
        one.user_name,
        one.external_id,
        one.is_provisioned,
    )
    return done != "INSERT 0 0"


async def find_operator(
    conn: Connection, party_id: UUID, operator_id: UUID, *, for_update: bool = False
) -> Operator | None:
    lock = " for update" if for_update else ""
    row = await conn.fetchrow(
        f"select {_OPERATOR} from operator o where o.party_id = $1 and o.operator_id = $2{lock}", party_id, operator_id
    )
    return Operator(**row) if row else None


async def find_by_user_name(conn: Connection, party_id: UUID, user_name: str) -> Operator | None:
    row = await conn.fetchrow(
        f"select {_OPERATOR} from operator o where o.party_id = $1 and lower(o.user_name) = lower($2)",
        party_id,
        user_name,
    )
    return Operator(**row) if row else None


async def find_by_email(conn: Connection, party_id: UUID, email: str) -> Operator | None:
    row = await conn.fetchrow(
        f"select {_OPERATOR} from operator o where o.party_id = $1 and lower(o.email) = lower($2)", party_id, email
    )
    return Operator(**row) if row else None


# any party: addresses are unique in the installation; only whether there is one is told
async def is_email_taken(conn: Connection, email: str, but: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "select exists (select from operator where lower(email) = lower($1) and operator_id <> $2)", email, but
        )
    )


async def update_operator(conn: Connection, party_id: UUID, one: Operator) -> None:
    await conn.execute(
        "update operator set name = $3, email = $4, role = $5, disabled_at = $6, user_name = $7, external_id = $8,"
        " is_provisioned = $9, location_ids = case when $5 <> 'owner' then location_ids end"
        " where party_id = $1 and operator_id = $2",
        party_id,
        one.operator_id,
        one.name,
        one.email,
        one.role,
        one.disabled_at,
        one.user_name,
        one.external_id,
        one.is_provisioned,
    )


async def lock_owners(conn: Connection, party_id: UUID) -> list[UUID]:
    """The owners who are not disabled, held until the transaction ends: of two who go at once, one stays."""
    rows = await conn.fetch(
        "select operator_id from operator where party_id = $1 and role = 'owner' and disabled_at is null"
        " order by operator_id for update",
        party_id,
    )
    return [row["operator_id"] for row in rows]


async def list_people(conn: Connection, party_id: UUID, now: datetime) -> list[Person]:
    """With what each has to sign in, and when each was here last."""
    rows = await conn.fetch(
        f"select {_OPERATOR}, o.password_hash is not null as has_password, o.totp_since is not null as has_codes,"
        " (select count(*) from passkey p where p.operator_id = o.operator_id) as n_passkeys,"
        " (select count(*) from web_session w where w.operator_id = o.operator_id and w.expires_at > $2) as n_sessions,"
        " (select max(at) from sign_in_attempt a where a.party_id = $1 and a.operator_id = o.operator_id"
        "  and a.outcome = 'signed_in') as last_at"
        " from operator o where o.party_id = $1 order by o.disabled_at is not null, lower(o.name), o.operator_id",
        party_id,
        now,
    )
    return [_person(row) for row in rows]


def _person(row: Row) -> Person:
    known: dict[str, Any] = {name: row[name] for name in Operator.__struct_fields__}
    rest = {name: row[name] for name in Person.__struct_fields__ if name != "operator"}
    return Person(operator=Operator(**known), **rest)


async def list_operators(
    conn: Connection, party_id: UUID, user_name: str | None, start: int, count: int
) -> tuple[list[Operator], int]:
    """From the `start`th (counted from 1) on, those that a directory keeps; and how many there are."""
    where = "o.party_id = $1 and o.user_name is not null and ($2::text is null or lower(o.user_name) = lower($2))"
    total = await conn.fetchval(f"select count(*) from operator o where {where}", party_id, user_name)
    rows = await conn.fetch(
        f"select {_OPERATOR} from operator o where {where} order by o.created_at, o.operator_id offset $3 limit $4",
        party_id,
        user_name,
        start - 1,
        count,
    )
    return [Operator(**row) for row in rows], total


async def find_party_by_code(conn: Connection, party_code: str | None) -> UUID | None:
    """The party a provider's people belong to: the one of this code, or the oldest."""
    found: UUID | None = await conn.fetchval(
        "select party_id from party where $1::text is null or party_code = $1 order by created_at limit 1", party_code
    )
    return found


# -------------------------------------------------------------------------------------------------------- providers


# any party: the provider's word tells whose it is
async def find_by_identity(conn: Connection, provider: str, subject: str) -> Operator | None:
    row = await conn.fetchrow(
        f"select {_OPERATOR} from operator o join provider_identity i using (operator_id)"
        " where i.provider = $1 and i.subject = $2",
        provider,
        subject,
    )
    return Operator(**row) if row else None


# any party: the operator was found in the provider's
async def has_identity(conn: Connection, provider: str, operator_id: UUID) -> bool:
    """Whether somebody at the provider signs in as this operator."""
    return bool(
        await conn.fetchval(
            "select exists (select from provider_identity where provider = $1 and operator_id = $2)",
            provider,
            operator_id,
        )
    )


async def insert_identity(conn: Connection, provider: str, subject: str, operator_id: UUID, at: datetime) -> bool:
    """False when the subject is somebody already."""
    done = await conn.execute(
        "insert into provider_identity (provider, subject, operator_id, created_at) values ($1, $2, $3, $4)"
        " on conflict do nothing",
        provider,
        subject,
        operator_id,
        at,
    )
    return done != "INSERT 0 0"


# ----------------------------------------------------------------------------------------------------------- groups


async def insert_group(conn: Connection, party_id: UUID, group: Group) -> bool:
    """False when there is one of this name."""
    done = await conn.execute(
        "insert into operator_group (group_id, party_id, name, external_id, role, created_at, changed_at)"
        " values ($1, $2, $3, $4, $5, $6, $6) on conflict do nothing",
        group.group_id,
        party_id,
        group.name,
        group.external_id,
        group.role,
        group.created_at,
    )
    return done != "INSERT 0 0"


async def find_group(conn: Connection, party_id: UUID, group_id: UUID, *, for_update: bool = False) -> Group | None:
    lock = " for update" if for_update else ""
    row = await conn.fetchrow(
        f"select {_GROUP} from operator_group g where g.party_id = $1 and g.group_id = $2{lock}", party_id, group_id
    )
    return Group(**row) if row else None


async def list_groups(
    conn: Connection, party_id: UUID, name: str | None = None, start: int = 1, count: int = 1000
) -> tuple[list[Group], int]:
    where = "g.party_id = $1 and ($2::text is null or lower(g.name) = lower($2))"
    total = await conn.fetchval(f"select count(*) from operator_group g where {where}", party_id, name)
    rows = await conn.fetch(
        f"select {_GROUP} from operator_group g where {where} order by lower(g.name), g.group_id offset $3 limit $4",
        party_id,
        name,
        start - 1,
        count,
    )
    return [Group(**row) for row in rows], total


async def update_group(conn: Connection, party_id: UUID, group: Group) -> bool:
    """False when another has the name."""
    done = await conn.execute(
        "update operator_group g set name = $3, external_id = $4, role = $5, changed_at = $6"
        " where g.party_id = $1 and g.group_id = $2 and not exists (select from operator_group other"
        "  where other.party_id = $1 and lower(other.name) = lower($3) and other.group_id <> $2)",
        party_id,
        group.group_id,
        group.name,
        group.external_id,
        group.role,
        group.changed_at,
    )
    return done == "UPDATE 1"


async def delete_group(conn: Connection, party_id: UUID, group_id: UUID) -> bool:
    done = await conn.execute("delete from operator_group where party_id = $1 and group_id = $2", party_id, group_id)
    return done == "DELETE 1"


async def list_members(conn: Connection, party_id: UUID, group_ids: Sequence[UUID]) -> list[tuple[UUID, UUID, str]]:
    """(group, operator, operator's name)."""
    rows = await conn.fetch(
        "select m.group_id, m.operator_id, o.name from operator_group_member m join operator o using (operator_id)"
        " where o.party_id = $1 and m.group_id = any($2::uuid[]) order by lower(o.name), m.operator_id",
        party_id,
        list(group_ids),
    )
    return [(row["group_id"], row["operator_id"], row["name"]) for row in rows]


async def list_groups_of(conn: Connection, party_id: UUID, operator_ids: Sequence[UUID]) -> list[tuple[UUID, Group]]:
    """(operator, group)."""
    rows = await conn.fetch(
        f"select m.operator_id, {_GROUP} from operator_group g join operator_group_member m using (group_id)"
        " where g.party_id = $1 and m.operator_id = any($2::uuid[]) order by lower(g.name)",
        party_id,
        list(operator_ids),
    )
    return [(row["operator_id"], Group(**{k: v for k, v in row.items() if k != "operator_id"})) for row in rows]


async def change_members(
    conn: Connection, party_id: UUID, group_id: UUID, add: Sequence[UUID], remove: Sequence[UUID]
) -> None:
    """Of those to add, only the party's own come in."""
    await conn.execute(
        "delete from operator_group_member where group_id = $1 and operator_id = any($2::uuid[])",
        group_id,
        list(remove),
    )
    await conn.execute(
        "insert into operator_group_member (group_id, operator_id) select $2, o.operator_id from operator o"
        " where o.party_id = $1 and o.operator_id = any($3::uuid[]) on conflict do nothing",
        party_id,
        group_id,
        list(add),
    )


async def set_second_person(conn: Connection, party_id: UUID, is_needed: bool) -> None:
    await conn.execute("update party set needs_second_person = $2 where party_id = $1", party_id, is_needed)
