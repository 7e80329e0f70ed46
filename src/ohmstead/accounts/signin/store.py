"""Passkeys, codes, back-off and attempts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ohmstead.accounts.model import Operator
from ohmstead.accounts.signin.backoff import Memory
from ohmstead.accounts.signin.model import Credentials, Passkey, SignInAttempt, StoredPasskey
from ohmstead.core.db import Connection, Row

_PASSKEY = "passkey_id, operator_id, name, is_synced, created_at, last_used_at"
_OPERATOR = (
    "o.operator_id, o.party_id, o.name, o.email, o.role, o.created_at, o.disabled_at, o.user_name, o.external_id,"
    " o.is_provisioned, o.location_ids"
)
_CREDENTIALS = f"{_OPERATOR}, o.password_hash, o.totp_secret, o.totp_since is not null as has_codes, o.totp_last_step"


def _credentials(row: Row) -> Credentials:
    known = {name: row[name] for name in Operator.__struct_fields__}
    return Credentials(
        operator=Operator(**known),
        password_hash=row["password_hash"],
        totp_secret=row["totp_secret"],
        has_codes=row["has_codes"],
        totp_last_step=row["totp_last_step"],
    )


# any party: before anybody is signed in; an e-mail address belongs to one operator of the installation
async def find_by_email(conn: Connection, email: str) -> Credentials | None:
    """Whose address it is; nobody who is disabled."""
    row = await conn.fetchrow(
        f"select {_CREDENTIALS} from operator o where lower(o.email) = lower($1) and o.disabled_at is null", email
    )
    return _credentials(row) if row else None


# any party: the caller has just been told the id by a session, a passkey or a note of our own
async def find_credentials(conn: Connection, operator_id: UUID, *, for_update: bool = False) -> Credentials | None:
    lock = " for update" if for_update else ""
    row = await conn.fetchrow(
        f"select {_CREDENTIALS} from operator o where o.operator_id = $1 and o.disabled_at is null{lock}", operator_id
    )
    return _credentials(row) if row else None


# any party: the person's own password, told by the session
async def set_password(conn: Connection, operator_id: UUID, password_hash: str | None, at: datetime) -> None:
    await conn.execute(
        "update operator set password_hash = $2::text, password_set_at = case when $2::text is null then null"
        " else $3::timestamptz end where operator_id = $1",
        operator_id,
        password_hash,
        at,
    )


# any party: the person's own code secret, told by the session
async def set_codes(conn: Connection, operator_id: UUID, kept: bytes | None, since: datetime | None, step: int) -> None:
    """`since` null: not confirmed yet, it does not count."""
    await conn.execute(
        "update operator set totp_secret = $2, totp_since = $3, totp_last_step = $4 where operator_id = $1",
        operator_id,
        kept,
        since,
        step,
    )


# any party: the person's own codes
async def use_step(conn: Connection, operator_id: UUID, step: int) -> bool:
    """Note that the code of this step was used; False when it, or a later one, was used before."""
    done = await conn.execute(
        "update operator set totp_last_step = $2 where operator_id = $1 and totp_last_step < $2", operator_id, step
    )
    return done == "UPDATE 1"


async def replace_recovery_codes(conn: Connection, operator_id: UUID, hashes: Sequence[bytes]) -> None:
    await conn.execute("delete from recovery_code where operator_id = $1", operator_id)
    await conn.execute(
        "insert into recovery_code (operator_id, code_hash) select $1, unnest($2::bytea[])", operator_id, list(hashes)
    )


async def use_recovery_code(conn: Connection, operator_id: UUID, code_hash: bytes, at: datetime) -> bool:
    """Of two at once one wins."""
    done = await conn.execute(
        "update recovery_code set used_at = $3 where operator_id = $1 and code_hash = $2 and used_at is null",
        operator_id,
        code_hash,
        at,
    )
    return done == "UPDATE 1"


# any party: the person's own, told by the session
async def find_state(conn: Connection, operator_id: UUID) -> Row | None:
    """When the password and the codes were set up, and how many recovery codes are left."""
    return await conn.fetchrow(
        "select password_hash is not null as has_password, password_set_at, totp_since,"
        " (select count(*) from recovery_code r where r.operator_id = o.operator_id and r.used_at is null) as n_codes,"
        " (select coalesce(array_agg(p.provider order by p.provider), '{}') from provider_identity p"
        "  where p.operator_id = o.operator_id) as providers"
        " from operator o where operator_id = $1",
        operator_id,
    )


async def insert_passkey(conn: Connection, one: StoredPasskey, name: str, is_synced: bool, at: datetime) -> bool:
    """False when the credential is registered already, to whomever."""
    done = await conn.execute(
        "insert into passkey (passkey_id, operator_id, credential_id, public_key, sign_count, name, transports,"
        " is_synced, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (credential_id) do nothing",
        one.passkey_id,
        one.operator_id,
        one.credential_id,
        one.public_key,
        one.sign_count,
        name,
        one.transports,
        is_synced,
        at,
    )
    return done != "INSERT 0 0"


async def list_passkeys(conn: Connection, operator_id: UUID) -> list[Passkey]:
    rows = await conn.fetch(
        f"select {_PASSKEY} from passkey where operator_id = $1 order by created_at, passkey_id", operator_id
    )
    return [Passkey(**row) for row in rows]


async def list_stored_passkeys(conn: Connection, operator_id: UUID) -> list[StoredPasskey]:
    rows = await conn.fetch(
        "select passkey_id, operator_id, credential_id, public_key, sign_count, transports from passkey"
        " where operator_id = $1",
        operator_id,
    )
    return [StoredPasskey(**row) for row in rows]


async def find_passkey(conn: Connection, credential_id: bytes) -> StoredPasskey | None:
    """Held until the transaction ends: of two uses at once the counter of one is looked at after the other."""
    row = await conn.fetchrow(
        "select passkey_id, operator_id, credential_id, public_key, sign_count, transports from passkey"
        " where credential_id = $1 for update",
        credential_id,
    )
    return StoredPasskey(**row) if row else None


async def use_passkey(conn: Connection, passkey_id: UUID, sign_count: int, is_synced: bool, at: datetime) -> None:
    await conn.execute(
        "update passkey set sign_count = $2, is_synced = $3, last_used_at = $4 where passkey_id = $1",
        passkey_id,
        sign_count,
        is_synced,
        at,
    )


async def rename_passkey(conn: Connection, operator_id: UUID, passkey_id: UUID, name: str) -> bool:
    done = await conn.execute(
        "update passkey set name = $3 where operator_id = $1 and passkey_id = $2", operator_id, passkey_id, name
    )
    return done == "UPDATE 1"


async def delete_passkey(conn: Connection, operator_id: UUID, passkey_id: UUID) -> str | None:
    """The name it had; None when there is none."""
    name: str | None = await conn.fetchval(
        "delete from passkey where operator_id = $1 and passkey_id = $2 returning name", operator_id, passkey_id
    )
    return name


async def delete_factors(conn: Connection, operator_id: UUID) -> None:
    """What a person can sign in with: passkeys, recovery codes, who providers say they are, links not used yet."""
    await conn.execute("delete from sign_in_link where operator_id = $1 and used_at is null", operator_id)
    await conn.execute("delete from passkey where operator_id = $1", operator_id)
    await conn.execute("delete from recovery_code where operator_id = $1", operator_id)
    await conn.execute("delete from provider_identity where operator_id = $1", operator_id)


async def spend(conn: Connection, digest: bytes, expires_at: datetime, now: datetime) -> bool:
    """Use a note up; False when it was used before. Those that are over are swept away on the occasion."""
    await conn.execute("delete from spent_proof where expires_at < $1", now)
    done = await conn.execute(
        "insert into spent_proof (digest, expires_at) values ($1, $2) on conflict (digest) do nothing",
        digest,
        expires_at,
    )
    return done != "INSERT 0 0"


async def hold_backoff(conn: Connection, key: bytes, now: datetime) -> Memory | None:
    """What is remembered under a key, held until the transaction ends; None when nothing is."""
    row = await conn.fetchrow(
        "insert into sign_in_backoff as b (key, n_failures, last_at) values ($1, 0, $2)"
        " on conflict (key) do update set key = b.key returning n_failures, last_at, blocked_until",
        key,
        now,
    )
    assert row is not None
    return Memory(**row) if row["n_failures"] else None


async def keep_backoff(conn: Connection, key: bytes, memory: Memory) -> None:
    await conn.execute(
        "update sign_in_backoff set n_failures = $2, last_at = $3, blocked_until = $4 where key = $1",
        key,
        memory.n_failures,
        memory.last_at,
        memory.blocked_until,
    )


async def forget_backoff(conn: Connection, keys: Sequence[bytes]) -> None:
    await conn.execute("delete from sign_in_backoff where key = any($1::bytea[])", list(keys))


async def give_back(conn: Connection, key: bytes) -> None:
    """One attempt less: it succeeded."""
    await conn.execute(
        "update sign_in_backoff set n_failures = greatest(n_failures - 1, 0), blocked_until = null where key = $1", key
    )


async def drop_old(conn: Connection, backoff_before: datetime, attempts_before: datetime) -> int:
    """Forget what no longer counts; returns how many attempts are dropped."""
    await conn.execute("delete from sign_in_backoff where last_at < $1", backoff_before)
    return await _drop_attempts(conn, attempts_before)


# any party: retention is the installation's
async def _drop_attempts(conn: Connection, before: datetime) -> int:
    done = await conn.execute("delete from sign_in_attempt where at < $1", before)
    return int(done.rpartition(" ")[2])


async def insert_attempt(
    conn: Connection,
    party_id: UUID | None,
    operator_id: UUID | None,
    at: datetime,
    name: str,
    method: str,
    reason: str | None,
    remote_address: str | None,
    user_agent: str | None,
) -> None:
    """`reason` null: signed in."""
    await conn.execute(
        "insert into sign_in_attempt (party_id, operator_id, at, name, method, outcome, reason, remote_address,"
        " user_agent) values ($1, $2, $3, $4, $5, case when $6::text is null then 'signed_in' else 'refused' end, $6,"
        " $7, $8)",
        party_id,
        operator_id,
        at,
        name,
        method,
        reason,
        remote_address,
        user_agent,
    )


async def list_attempts(
    conn: Connection,
    party_id: UUID,
    *,
    outcome: str | None,
    operator_id: UUID | None,
    before: tuple[datetime, int] | None,
    limit: int,
) -> list[SignInAttempt]:
    """Newest first. Those at names that nobody has are shown where there is one party only: whose else are they?"""
    rows = await conn.fetch(
        "select attempt_id, at, operator_id, name, method, outcome, reason, remote_address, user_agent"
        " from sign_in_attempt where (party_id = $1 or (party_id is null and (select count(*) from party) = 1))"
        " and ($2::text is null or outcome = $2) and ($3::uuid is null or operator_id = $3)"
        " and ($4::timestamptz is null or (at, attempt_id) < ($4, $5::bigint))"
        " order by at desc, attempt_id desc limit $6",
        party_id,
        outcome,
        operator_id,
        *(before or (None, None)),
        limit,
    )
    return [SignInAttempt(**row) for row in rows]


async def count_refused(conn: Connection, party_id: UUID, since: datetime) -> int:
    """How many attempts were refused, of those that `list_attempts` tells."""
    n: int = await conn.fetchval(
        "select count(*) from sign_in_attempt where outcome = 'refused' and at >= $2"
        " and (party_id = $1 or (party_id is null and (select count(*) from party) = 1))",
        party_id,
        since,
    )
    return n
