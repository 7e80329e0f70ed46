"""The token register in PostgreSQL: what people write."""

from collections.abc import Sequence
from datetime import datetime
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
        "driver_id",
        "is_blocked_with_driver",
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
        "update token set status = $3, is_blocked_with_driver = false, version = version + 1, updated_at = now()"
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
        "select token_id, uid_key, type, status, group_uid, contract_id, label, valid_from, valid_until, max_sessions,"
        " (select d.status from driver d where d.party_id = token.party_id and d.driver_id = token.driver_id)"
        " as driver_status from token where party_id = $1 and uid_key = any($2) order by uid_key for update of token",
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


# ------------------------------------------------------------------------------------------- drivers and many at once


async def find_driver(conn: Connection, party_id: UUID, driver_id: UUID) -> Row | None:
    """How a driver stands and the group of their tokens; neither changes until the transaction ends."""
    return await conn.fetchrow(
        "select status, group_uid from driver where party_id = $1 and driver_id = $2 for share", party_id, driver_id
    )


async def note_holders(
    conn: Connection, party_id: UUID, uid_keys: Sequence[str], first_from: datetime | None = None
) -> None:
    """Write down whose these tokens are from now on; vehicles paired with them go along.

    Who is the first to hold a token has had it always: what was charged before it was registered is theirs too. Unless
    `first_from` says since when.
    """
    vehicles = await conn.fetch(
        "update token v set driver_id = c.driver_id, version = v.version + 1, updated_at = now() from token c"
        " where c.party_id = $1 and c.uid_key = any($2) and v.party_id = $1 and v.paired_with = c.token_id"
        " and v.driver_id is distinct from c.driver_id returning v.uid_key",
        party_id,
        list(uid_keys),
    )
    keys = [*uid_keys, *(row["uid_key"] for row in vehicles)]
    await conn.execute(
        "update token_holding h set until_at = now() where h.party_id = $1 and h.uid_key = any($2) and h.until_at is null"
        " and not exists (select from token t where t.party_id = h.party_id and t.uid_key = h.uid_key"
        "  and t.driver_id = h.driver_id)",
        party_id,
        keys,
    )
    await conn.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at)"
        " select t.party_id, t.driver_id, t.uid_key, case when exists (select from token_holding h"
        "  where h.party_id = t.party_id and h.uid_key = t.uid_key) then now() else coalesce($3, timestamptz '2000-01-01Z') end"
        " from token t where t.party_id = $1 and t.uid_key = any($2) and t.driver_id is not null"
        " on conflict (party_id, uid_key) where until_at is null do nothing",
        party_id,
        keys,
        first_from,
    )


async def find_claimable(conn: Connection, party_id: UUID, uid: str, since: datetime) -> UUID | None:
    """A card that nobody holds and ever held, locked; None unless it began a session since."""
    found: UUID | None = await conn.fetchval(
        "select t.token_id from token t where t.party_id = $1 and t.uid_key = lower($2) and t.driver_id is null"
        " and t.status = 'active' and not t.is_master and t.type in ('ISO14443', 'ISO15693') and t.contract_id is null"
        " and not exists (select from token_holding h where h.party_id = t.party_id and h.uid_key = t.uid_key)"
        " and exists (select from session s where s.party_id = t.party_id and s.token_key = t.uid_key"
        "  and s.token_uid is not null and s.first_received_at >= $3) for update of t",
        party_id,
        uid,
        since,
    )
    return found


async def hold_drivers(conn: Connection, where: str, values: Sequence[object], party_id: UUID) -> None:
    """Who holds these tokens stays as they are until the transaction ends.

    Before the tokens are locked, as everybody does it: what is read of drivers then is what holds.
    """
    await conn.execute(
        f"select from driver where party_id = ${len(values) + 1} and driver_id in (select driver_id from token"
        f" where {where}) order by driver_id for share",
        *values,
        party_id,
    )


async def lock_many(conn: Connection, where: str, values: Sequence[object], party_id: UUID, most: int) -> list[Row]:
    """Tokens that fulfil conditions, the party's among them, locked in one order for all; at most `most`."""
    return await conn.fetch(
        "select token_id, uid, uid_key, type, status, group_uid, driver_id, is_blocked_with_driver, paired_with,"
        " (select d.status from driver d where d.party_id = token.party_id and d.driver_id = token.driver_id)"
        f" as driver_status from token where {where} and party_id = ${len(values) + 1} order by token_id"
        f" limit ${len(values) + 2} for update of token",
        *values,
        party_id,
        most,
    )


async def list_vehicles(conn: Connection, party_id: UUID, token_ids: Sequence[UUID]) -> list[UUID]:
    """Tokens of vehicles that were paired with these cards."""
    rows = await conn.fetch(
        "select token_id from token where party_id = $1 and paired_with = any($2)", party_id, list(token_ids)
    )
    return [row["token_id"] for row in rows]


async def update_many(conn: Connection, party_id: UUID, token_ids: Sequence[UUID], values: dict[str, Any]) -> None:
    """The same change to each."""
    assignments = "".join(f"{name} = ${n}, " for n, name in enumerate(_checked(values), start=3))
    await conn.execute(
        f"update token set {assignments} version = version + 1, updated_at = now()"
        " where party_id = $1 and token_id = any($2)",
        party_id,
        list(token_ids),
        *values.values(),
    )


async def delete_many(conn: Connection, party_id: UUID, token_ids: Sequence[UUID]) -> None:
    await conn.execute("delete from token where party_id = $1 and token_id = any($2)", party_id, list(token_ids))


# any party: the worker tidies up for everybody
async def drop_over(conn: Connection, kind: str, label: str, before: datetime) -> int:
    """Tokens of a type, with a label that begins so, that were good until before then."""
    done = await conn.execute(
        "delete from token t where t.type = $1 and starts_with(t.label, $2) and t.valid_until < $3 and t.driver_id is null"
        " and not exists (select from session s where s.party_id = t.party_id and s.token_key = t.uid_key"
        " and s.status in ('pending', 'active'))",
        kind,
        label,
        before,
    )
    return int(done.rpartition(" ")[2])
