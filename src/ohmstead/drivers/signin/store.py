"""Drivers' codes, browsers and passkeys in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ohmstead.accounts.signin.model import StoredPasskey
from ohmstead.core.db import Connection, Row
from ohmstead.drivers.signin.codes import SentBefore
from ohmstead.drivers.signin.model import DriverBrowser, DriverPasskey, Method

# ------------------------------------------------------------------------------------------------------------- codes


# any party: what one address and one mailbox asked for is counted over the whole installation
async def count_codes(conn: Connection, email: str, address: str, since: datetime) -> SentBefore:
    """Codes asked for since: for the mailbox, from the address."""
    row = await conn.fetchrow(
        "select (select count(*) from driver_sign_in_code where lower(email) = lower($1) and created_at > $3) as mails,"
        " (select count(*) from driver_sign_in_code where address = $2 and created_at > $3) as calls,"
        " (select max(created_at) from driver_sign_in_code where lower(email) = lower($1)) as last_at",
        email,
        address,
        since,
    )
    assert row is not None
    return SentBefore(n_received=[row["mails"]], n_from_address=row["calls"], last_at=row["last_at"])


# any party: guesses at one mailbox's codes are counted over the whole installation
async def count_wrong(conn: Connection, email: str, since: datetime) -> int:
    """Wrong guesses at a mailbox's codes that were asked for since."""
    n: int = await conn.fetchval(
        "select coalesce(sum(n_wrong), 0)::integer from driver_sign_in_code where lower(email) = lower($1)"
        " and created_at > $2",
        email,
        since,
    )
    return n


async def insert_code(
    conn: Connection,
    party_id: UUID,
    code_id: UUID,
    email: str,
    code_hash: bytes,
    address: str,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """An earlier one for the mailbox is over."""
    await conn.execute(
        "update driver_sign_in_code set expires_at = $3 where party_id = $1 and lower(email) = lower($2)"
        " and used_at is null and expires_at > $3",
        party_id,
        email,
        created_at,
    )
    await conn.execute(
        "insert into driver_sign_in_code (code_id, party_id, email, code_hash, address, created_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        code_id,
        party_id,
        email,
        code_hash,
        address,
        created_at,
        expires_at,
    )


# any party: by its id, which only the browser that asked for it knows
async def lock_code(conn: Connection, code_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select party_id, email, code_hash, n_wrong, expires_at, used_at from driver_sign_in_code"
        " where code_id = $1 for update",
        code_id,
    )


# any party: by its id, as lock_code
async def mark_code(conn: Connection, code_id: UUID, *, used_at: datetime | None) -> None:
    """Used, or guessed wrong once more."""
    await conn.execute(
        "update driver_sign_in_code set used_at = $2, n_wrong = n_wrong + case when $2::timestamptz is null then 1 else 0"
        " end where code_id = $1",
        code_id,
        used_at,
    )


# any party: retention is the installation's
async def drop_old(conn: Connection, before: datetime) -> None:
    """Codes and sessions that were over before."""
    await conn.execute("delete from driver_sign_in_code where expires_at < $1", before)
    await conn.execute("delete from driver_session where expires_at < $1", before)


# ----------------------------------------------------------------------------------------------------------- drivers


async def hold_email(conn: Connection, party_id: UUID, email: str) -> None:
    """Nobody else signs in with this address at this party until the transaction ends."""
    await conn.execute(
        "select pg_advisory_xact_lock(hashtextextended('driver ' || $1::uuid::text || ' ' || lower($2), 0))",
        party_id,
        email,
    )


async def find_by_email(conn: Connection, party_id: UUID, email: str) -> UUID | None:
    """Of several of a party with one address the one that has signed in, then the eldest."""
    found: UUID | None = await conn.fetchval(
        "select d.driver_id from driver d where d.party_id = $1 and lower(d.email) = lower($2) and d.status <> 'erased'"
        " order by (select max(s.created_at) from driver_session s where s.party_id = d.party_id"
        " and s.driver_id = d.driver_id) desc nulls last, d.created_at, d.driver_id limit 1",
        party_id,
        email,
    )
    return found


# any party: whoever comes without naming a place is at home where the address is known
async def find_home(conn: Connection, email: str) -> UUID | None:
    """The party in whose books an address is; of several the one where it signed in last, then the eldest."""
    found: UUID | None = await conn.fetchval(
        "select d.party_id from driver d where lower(d.email) = lower($1) and d.status <> 'erased'"
        " order by (select max(s.created_at) from driver_session s where s.party_id = d.party_id"
        " and s.driver_id = d.driver_id) desc nulls last, d.created_at, d.driver_id limit 1",
        email,
    )
    return found


# any party: the installation's own is asked for
async def find_first_party(conn: Connection) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "select party_id from party order by owns_installation desc, created_at, party_id limit 1"
    )
    return found


# ---------------------------------------------------------------------------------------------------------- sessions


async def insert_session(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    session_id: UUID,
    cookie_hash: bytes,
    csrf_token: str,
    method: Method,
    at: datetime,
    expires_at: datetime,
    user_agent: str | None,
) -> None:
    await conn.execute(
        "insert into driver_session (cookie_hash, driver_session_id, party_id, driver_id, csrf_token, method, proved_at,"
        " created_at, last_seen_at, expires_at, user_agent) values ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9)",
        cookie_hash,
        session_id,
        party_id,
        driver_id,
        csrf_token,
        method,
        at,
        expires_at,
        user_agent,
    )


# any party: the cookie says whose session it is
async def find_session(conn: Connection, cookie_hash: bytes, at: datetime) -> Row | None:
    return await conn.fetchrow(
        "select s.driver_session_id, s.driver_id, s.party_id, s.csrf_token, s.proved_at, s.created_at, s.last_seen_at,"
        " d.name, d.email, d.language, d.status, p.name as party_name,"
        " case when d.phone_confirmed_at is null then d.phone end as unconfirmed_phone"
        " from driver_session s join driver d on d.party_id = s.party_id and d.driver_id = s.driver_id"
        " join party p on p.party_id = s.party_id"
        " where s.cookie_hash = $1 and s.expires_at > $2 and d.status <> 'erased'",
        cookie_hash,
        at,
    )


# any party: the cookie says whose session it is
async def touch_session(conn: Connection, cookie_hash: bytes, at: datetime, expires_at: datetime) -> None:
    await conn.execute(
        "update driver_session set last_seen_at = $2, expires_at = $3 where cookie_hash = $1",
        cookie_hash,
        at,
        expires_at,
    )


# any party: the cookie says whose session it is
async def delete_session_by_cookie(conn: Connection, cookie_hash: bytes) -> None:
    await conn.execute("delete from driver_session where cookie_hash = $1", cookie_hash)


async def list_browsers(conn: Connection, party_id: UUID, driver_id: UUID, at: datetime) -> list[DriverBrowser]:
    rows = await conn.fetch(
        "select driver_session_id, method, created_at, last_seen_at, user_agent from driver_session"
        " where party_id = $1 and driver_id = $2 and expires_at > $3 order by last_seen_at desc",
        party_id,
        driver_id,
        at,
    )
    return [DriverBrowser(**row) for row in rows]


async def delete_sessions(conn: Connection, party_id: UUID, driver_id: UUID, only: UUID | None = None) -> int:
    """All of a driver's, or the one named; how many there were."""
    done = await conn.execute(
        "delete from driver_session where party_id = $1 and driver_id = $2"
        " and ($3::uuid is null or driver_session_id = $3)",
        party_id,
        driver_id,
        only,
    )
    return int(done.rpartition(" ")[2])


# ---------------------------------------------------------------------------------------------------------- passkeys


async def insert_passkey(
    conn: Connection, party_id: UUID, one: StoredPasskey, name: str, is_synced: bool, at: datetime
) -> bool:
    """False when it is somebody's already. `operator_id` of what is stored is the driver's."""
    row = await conn.fetchrow(
        "insert into driver_passkey (passkey_id, party_id, driver_id, credential_id, public_key, sign_count, transports,"
        " is_synced, name, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " on conflict (credential_id) do nothing returning 1",
        one.passkey_id,
        party_id,
        one.operator_id,
        one.credential_id,
        one.public_key,
        one.sign_count,
        one.transports,
        is_synced,
        name,
        at,
    )
    return row is not None


async def list_passkeys(conn: Connection, party_id: UUID, driver_id: UUID) -> list[DriverPasskey]:
    rows = await conn.fetch(
        "select passkey_id, name, is_synced, created_at, last_used_at from driver_passkey"
        " where party_id = $1 and driver_id = $2 order by created_at",
        party_id,
        driver_id,
    )
    return [DriverPasskey(**row) for row in rows]


async def list_stored(conn: Connection, party_id: UUID, driver_id: UUID) -> Sequence[StoredPasskey]:
    rows = await conn.fetch(
        "select passkey_id, driver_id as operator_id, credential_id, public_key, sign_count, transports"
        " from driver_passkey where party_id = $1 and driver_id = $2",
        party_id,
        driver_id,
    )
    return [StoredPasskey(**row) for row in rows]


# any party: a passkey says by itself whose it is
async def find_passkey(conn: Connection, credential_id: bytes) -> tuple[UUID, StoredPasskey] | None:
    """With its party; locked."""
    row = await conn.fetchrow(
        "select k.party_id, k.passkey_id, k.driver_id as operator_id, k.credential_id, k.public_key, k.sign_count,"
        " k.transports from driver_passkey k join driver d on d.party_id = k.party_id and d.driver_id = k.driver_id"
        " where k.credential_id = $1 and d.status <> 'erased' for update of k",
        credential_id,
    )
    if row is None:
        return None
    fields = dict(row)
    return fields.pop("party_id"), StoredPasskey(**fields)


async def use_passkey(
    conn: Connection, party_id: UUID, passkey_id: UUID, sign_count: int, is_synced: bool, at: datetime
) -> None:
    await conn.execute(
        "update driver_passkey set sign_count = $3, is_synced = $4, last_used_at = $5"
        " where party_id = $1 and passkey_id = $2",
        party_id,
        passkey_id,
        sign_count,
        is_synced,
        at,
    )


async def delete_passkeys(conn: Connection, party_id: UUID, driver_id: UUID, only: UUID | None = None) -> int:
    """All of a driver's, or the one named; how many there were."""
    done = await conn.execute(
        "delete from driver_passkey where party_id = $1 and driver_id = $2 and ($3::uuid is null or passkey_id = $3)",
        party_id,
        driver_id,
        only,
    )
    return int(done.rpartition(" ")[2])


# any party: a mailbox's codes go wherever they were asked for
async def forget_email(conn: Connection, email: str) -> None:
    await conn.execute("delete from driver_sign_in_code where lower(email) = lower($1)", email)
