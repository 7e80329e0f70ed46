"""Parties and who works for which, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from ohmstead.accounts.model import Operator
from ohmstead.accounts.parties.model import Guest, Membership, PartyView
from ohmstead.core.db import Connection

_PARTY = ", ".join(PartyView.__struct_fields__)
_CHANGEABLE = frozenset(
    ("name", "kind", "country_code", "party_code", "currency", "time_zone", "language", "needs_second_person")
)


async def list_parties(conn: Connection) -> list[PartyView]:
    rows = await conn.fetch(f"select {_PARTY} from party order by not owns_installation, lower(name), party_id")
    return [PartyView(**row) for row in rows]


async def find_party(conn: Connection, party_id: UUID) -> PartyView | None:
    row = await conn.fetchrow(f"select {_PARTY} from party where party_id = $1", party_id)
    return PartyView(**row) if row else None


async def insert_party(conn: Connection, party_id: UUID, values: dict[str, Any]) -> bool:
    """False when country and code are somebody's already."""
    done = await conn.execute(
        "insert into party (party_id, name, kind, country_code, party_code, currency, time_zone, language)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        party_id,
        *(values[n] for n in ("name", "kind", "country_code", "party_code", "currency", "time_zone", "language")),
    )
    return done != "INSERT 0 0"


async def update_party(conn: Connection, party_id: UUID, values: dict[str, Any], if_version: int | None) -> bool | None:
    """False when it is not in that version; None when country and code are somebody's already."""
    assert values.keys() <= _CHANGEABLE
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, 3))
    try:
        async with conn.transaction():
            done = await conn.execute(
                f"update party set {sets}, version = version + 1"
                " where party_id = $1 and ($2::integer is null or version = $2)",
                party_id,
                if_version,
                *values.values(),
            )
    except asyncpg.UniqueViolationError:
        return None
    return done != "UPDATE 0"


async def are_locations_of(conn: Connection, party_id: UUID, location_ids: Sequence[UUID]) -> bool:
    """Are all of these the party's?"""
    n: int = await conn.fetchval(
        "select count(*) from location where party_id = $1 and location_id = any ($2)", party_id, list(location_ids)
    )
    return n == len(set(location_ids))


async def set_locations(
    conn: Connection, party_id: UUID, operator_id: UUID, location_ids: list[UUID] | None
) -> Operator | None:
    """Of one of the party's own people; None when there is no such person, or they are an owner."""
    names = ", ".join(Operator.__struct_fields__)
    row = await conn.fetchrow(
        "update operator set location_ids = $3 where party_id = $1 and operator_id = $2"
        f" and (role <> 'owner' or $3::uuid[] is null) returning {names}",
        party_id,
        operator_id,
        location_ids,
    )
    return Operator(**row) if row else None


# any party: the caller runs the installation, and lends people of one party to another
async def find_home(conn: Connection, operator_id: UUID) -> UUID | None:
    """The party in which somebody's account is kept; None when there is no such person, or they are disabled."""
    found: UUID | None = await conn.fetchval(
        "select party_id from operator where operator_id = $1 and disabled_at is null", operator_id
    )
    return found


# any party: addresses are unique in the installation, and the caller runs it
async def find_by_email(conn: Connection, email: str) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "select operator_id from operator where lower(email) = lower($1) and disabled_at is null", email
    )
    return found


async def upsert_membership(
    conn: Connection, party_id: UUID, operator_id: UUID, role: str, location_ids: list[UUID] | None, by: str
) -> None:
    await conn.execute(
        "insert into membership (operator_id, party_id, role, location_ids, created_by) values ($2, $1, $3, $4, $5)"
        " on conflict (operator_id, party_id) do update set role = $3, location_ids = $4",
        party_id,
        operator_id,
        role,
        location_ids,
        by,
    )


async def delete_membership(conn: Connection, party_id: UUID, operator_id: UUID) -> bool:
    """False when there was none. Browsers that work for the party go back to the person's own."""
    await conn.execute(
        "update web_session set party_id = null, csrf_token = gen_random_uuid()::text"
        " where operator_id = $2 and party_id = $1",
        party_id,
        operator_id,
    )
    done = await conn.execute("delete from membership where party_id = $1 and operator_id = $2", party_id, operator_id)
    return done != "DELETE 0"


async def list_guests(conn: Connection, party_id: UUID) -> list[Guest]:
    rows = await conn.fetch(
        "select o.operator_id, o.name, o.email, p.name as home, m.role, m.location_ids, m.created_at"
        " from membership m join operator o using (operator_id) join party p on p.party_id = o.party_id"
        " where m.party_id = $1 and o.disabled_at is null order by lower(o.name), o.operator_id",
        party_id,
    )
    return [Guest(**row) for row in rows]


# any party: all that one person works for
async def list_memberships(conn: Connection, operator_id: UUID) -> list[Membership]:
    rows = await conn.fetch(
        "select p.party_id, p.name as party_name, p.kind, x.role, x.location_ids, x.is_home from ("
        " select party_id, role, location_ids, true as is_home from operator where operator_id = $1 and disabled_at is null"
        " union all select m.party_id, m.role, m.location_ids, false from membership m join operator o using (operator_id)"
        "  where m.operator_id = $1 and o.disabled_at is null) x"
        " join party p using (party_id) order by not x.is_home, lower(p.name), p.party_id",
        operator_id,
    )
    return [Membership(**row) for row in rows]


async def switch(conn: Connection, party_id: UUID | None, web_session_id: UUID, csrf_token: str) -> None:
    """Null: the person's own. What stands open in other tabs belongs to the party before: its token is good no more."""
    await conn.execute(
        "update web_session set party_id = $1, csrf_token = $3 where web_session_id = $2",
        party_id,
        web_session_id,
        csrf_token,
    )
