"""Accounts in PostgreSQL. Secrets come in as hashes only."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.accounts.model import ApiKey, Operator, Party, WebSession
from ohmstead.core.db import Connection, Row

_OPERATOR = (
    "operator_id, party_id, name, email, role, created_at, disabled_at, user_name, external_id, is_provisioned,"
    " location_ids"
)
_KEYS = """
select k.api_key_id, k.name, k.key_start, k.scopes, k.created_at, k.created_by, k.expires_at, k.location_ids,
       k.last_used_at, k.revoked_at, k.last_used_from, k.version, coalesce(o.name, m.name) as created_by_name
from api_key k
left join operator o on o.operator_id =
    case when k.created_by ~ '^operator:[0-9a-f-]{36}$' then substr(k.created_by, 10)::uuid end
left join api_key m on m.party_id = k.party_id and m.api_key_id =
    case when k.created_by ~ '^key:[0-9a-f-]{36}$' then substr(k.created_by, 5)::uuid end
"""
_SESSION = """
select w.web_session_id, w.csrf_token, w.created_at, w.last_seen_at, w.proved_at, o.operator_id, o.name,
       o.party_id as home_party_id, p.party_id, p.owns_installation, coalesce(m.role, o.role) as role,
       case when m.role is null then o.location_ids else m.location_ids end as location_ids
from web_session w join operator o using (operator_id)
left join membership m on m.operator_id = o.operator_id and m.party_id = w.party_id
join party p on p.party_id = coalesce(m.party_id, o.party_id)
where w.expires_at > $2 and o.disabled_at is null
"""
_FIRST_PARTY_LOCK = 0x0415_0001


async def lock_first_party(conn: Connection) -> None:
    """Hold until the transaction ends: of two processes that start together, one makes the first party."""
    await conn.execute("select pg_advisory_xact_lock($1)", _FIRST_PARTY_LOCK)


# any party: before anybody is signed in
async def find_first_operator(conn: Connection) -> Operator | None:
    """The oldest owner that is not disabled."""
    row = await conn.fetchrow(
        f"select {_OPERATOR} from operator where disabled_at is null order by (role = 'owner') desc, created_at limit 1"
    )
    return Operator(**row) if row else None


async def insert_party(conn: Connection, party: Party) -> None:
    await conn.execute(
        "insert into party (party_id, name, country_code, party_code, currency, time_zone, owns_installation)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        party.party_id,
        party.name,
        party.country_code,
        party.party_code,
        party.currency,
        party.time_zone,
        party.owns_installation,
    )


async def find_party(conn: Connection, party_id: UUID) -> Party | None:
    row = await conn.fetchrow(
        "select party_id, name, country_code, party_code, currency, time_zone, needs_second_person, kind,"
        " language, owns_installation from party where party_id = $1",
        party_id,
    )
    return Party(**row) if row else None


async def insert_operator(conn: Connection, operator: Operator) -> None:
    await conn.execute(
        "insert into operator (operator_id, party_id, name, email, role, created_at) values ($1, $2, $3, $4, $5, $6)",
        operator.operator_id,
        operator.party_id,
        operator.name,
        operator.email,
        operator.role,
        operator.created_at,
    )


# any party: the caller compares the party, or has just been told the id by it
async def find_operator(conn: Connection, operator_id: UUID) -> Operator | None:
    row = await conn.fetchrow(f"select {_OPERATOR} from operator where operator_id = $1", operator_id)
    return Operator(**row) if row else None


async def works_for(conn: Connection, party_id: UUID, operator_id: UUID) -> bool:
    """Whether somebody who is not disabled works for a party, as one of its own or lent."""
    return bool(
        await conn.fetchval(
            "select exists (select from operator o where o.operator_id = $2 and o.disabled_at is null and (o.party_id = $1"
            " or exists (select from membership m where m.operator_id = o.operator_id and m.party_id = $1)))",
            party_id,
            operator_id,
        )
    )


async def list_operators(conn: Connection, party_id: UUID) -> list[Operator]:
    rows = await conn.fetch(
        f"select {_OPERATOR} from operator where party_id = $1 order by name, operator_id",
        party_id,
    )
    return [Operator(**row) for row in rows]


async def insert_link(
    conn: Connection, link_hash: bytes, operator_id: UUID, at: datetime, expires_at: datetime
) -> None:
    """Keep a link's hash; unused ones that ended more than a day ago are swept away on the occasion."""
    await conn.execute(
        "delete from sign_in_link where used_at is null and expires_at < $1::timestamptz - interval '1 day'", at
    )
    await conn.execute(
        "insert into sign_in_link (link_hash, operator_id, created_at, expires_at) values ($1, $2, $3, $4)",
        link_hash,
        operator_id,
        at,
        expires_at,
    )


# any party: whoever holds the link is nobody yet
async def use_link(conn: Connection, link_hash: bytes, at: datetime) -> Operator | None:
    """Use a link up; None when there is none, or it was used, or its time is over. Of two at once one wins."""
    row = await conn.fetchrow(
        "with used as (update sign_in_link set used_at = $2"
        " where link_hash = $1 and used_at is null and expires_at > $2 returning operator_id)"
        f" select {_OPERATOR} from operator join used using (operator_id) where disabled_at is null",
        link_hash,
        at,
    )
    return Operator(**row) if row else None


async def insert_web_session(
    conn: Connection, session: WebSession, cookie_hash: bytes, csrf_token: str, id_token: str | None
) -> None:
    """Those that are over are swept away on the occasion."""
    await conn.execute("delete from web_session where expires_at < $1", session.created_at)
    await conn.execute(
        "insert into web_session (web_session_id, cookie_hash, operator_id, csrf_token, created_at, last_seen_at,"
        " expires_at, remote_address, user_agent, method, proved_at, provider, id_token)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        session.web_session_id,
        cookie_hash,
        session.operator_id,
        csrf_token,
        session.created_at,
        session.last_seen_at,
        session.expires_at,
        session.remote_address,
        session.user_agent,
        session.method,
        session.proved_at,
        session.provider,
        id_token,
    )


async def renew_web_session(conn: Connection, web_session_id: UUID, cookie_hash: bytes, at: datetime) -> Row | None:
    """Give a session another cookie and note the proof; None when it is over."""
    return await conn.fetchrow(
        "update web_session set cookie_hash = $2, proved_at = $3, last_seen_at = $3"
        " where web_session_id = $1 and expires_at > $3 returning expires_at, csrf_token",
        web_session_id,
        cookie_hash,
        at,
    )


# any party: the cookie tells whose it is
async def find_web_session(conn: Connection, cookie_hash: bytes, at: datetime) -> Row | None:
    """The session's CSRF token and times, its operator, and what they may do in the party they work for now.

    None when over, unknown or disabled. Who was lent and is no longer, works for their own party again.
    """
    return await conn.fetchrow(f"{_SESSION} and w.cookie_hash = $1", cookie_hash, at)


# any party: the session was opened by its cookie before
async def find_web_session_by_id(conn: Connection, web_session_id: UUID, at: datetime) -> Row | None:
    """As `find_web_session`."""
    return await conn.fetchrow(f"{_SESSION} and w.web_session_id = $1", web_session_id, at)


async def touch_web_session(conn: Connection, cookie_hash: bytes, at: datetime, expires_at: datetime) -> None:
    await conn.execute(
        "update web_session set last_seen_at = $2, expires_at = $3 where cookie_hash = $1", cookie_hash, at, expires_at
    )


async def list_web_sessions(conn: Connection, operator_id: UUID, at: datetime) -> list[WebSession]:
    rows = await conn.fetch(
        "select web_session_id, operator_id, created_at, last_seen_at, expires_at, remote_address, user_agent, method,"
        " proved_at, provider from web_session where operator_id = $1 and expires_at > $2 order by last_seen_at desc",
        operator_id,
        at,
    )
    return [WebSession(**row) for row in rows]


async def delete_web_session(conn: Connection, operator_id: UUID, web_session_id: UUID) -> bool:
    done = await conn.execute(
        "delete from web_session where operator_id = $1 and web_session_id = $2", operator_id, web_session_id
    )
    return done != "DELETE 0"


async def delete_web_sessions(conn: Connection, operator_id: UUID, but: UUID | None) -> int:
    done = await conn.execute(
        "delete from web_session where operator_id = $1 and ($2::uuid is null or web_session_id <> $2)",
        operator_id,
        but,
    )
    return int(done.rpartition(" ")[2])


async def delete_web_session_by_cookie(conn: Connection, cookie_hash: bytes) -> Row | None:
    """The session's provider and the token it gave; None when there was none."""
    return await conn.fetchrow(
        "delete from web_session where cookie_hash = $1 returning provider, id_token", cookie_hash
    )


async def insert_api_key(conn: Connection, party_id: UUID, key: ApiKey, key_hash: bytes) -> None:
    await conn.execute(
        "insert into api_key (api_key_id, party_id, name, key_start, key_hash, scopes, created_at, created_by, expires_at,"
        " location_ids) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        key.api_key_id,
        party_id,
        key.name,
        key.key_start,
        key_hash,
        key.scopes,
        key.created_at,
        key.created_by,
        key.expires_at,
        key.location_ids,
    )


# any party: the key tells whose it is
async def find_api_key(conn: Connection, key_hash: bytes, at: datetime) -> Row | None:
    """The key that is good at `at`, with its party."""
    return await conn.fetchrow(
        "select k.api_key_id, k.party_id, k.name, k.scopes, k.last_used_at, k.location_ids, p.owns_installation"
        " from api_key k join party p using (party_id)"
        " where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)",
        key_hash,
        at,
    )


# any party: the key was just recognised
async def touch_api_key(conn: Connection, api_key_id: UUID, at: datetime, remote_address: str | None) -> None:
    await conn.execute(
        "update api_key set last_used_at = $2, last_used_from = $3 where api_key_id = $1",
        api_key_id,
        at,
        remote_address,
    )


async def list_api_keys(conn: Connection, party_id: UUID) -> list[ApiKey]:
    rows = await conn.fetch(
        f"{_KEYS} where k.party_id = $1 order by k.created_at desc, k.api_key_id",
        party_id,
    )
    return [ApiKey(**row) for row in rows]


async def find_api_key_by_id(conn: Connection, party_id: UUID, api_key_id: UUID) -> ApiKey | None:
    row = await conn.fetchrow(
        f"{_KEYS} where k.party_id = $1 and k.api_key_id = $2",
        party_id,
        api_key_id,
    )
    return ApiKey(**row) if row else None


async def revoke_api_key(conn: Connection, party_id: UUID, api_key_id: UUID, at: datetime) -> bool:
    """False where it was revoked before, or never there."""
    revoked: bool | None = await conn.fetchval(
        "update api_key set revoked_at = $3, version = version + 1"
        " where party_id = $1 and api_key_id = $2 and revoked_at is null returning true",
        party_id,
        api_key_id,
        at,
    )
    return bool(revoked)


async def rename_api_key(
    conn: Connection, party_id: UUID, api_key_id: UUID, name: str, expected_version: int | None
) -> bool:
    """False where there is none of this version."""
    renamed: bool | None = await conn.fetchval(
        "update api_key set name = $3, version = version + 1 where party_id = $1 and api_key_id = $2"
        " and ($4::integer is null or version = $4) returning true",
        party_id,
        api_key_id,
        name,
        expected_version,
    )
    return bool(renamed)


async def insert_audit_entry(
    conn: Connection,
    party_id: UUID,
    actor: str,
    action: str,
    thing: str,
    detail: Any,
    changes: Any,
    remote_address: str | None,
) -> None:
    await conn.execute(
        "insert into audit_entry (party_id, actor, action, object, detail, changes, remote_address)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        party_id,
        actor,
        action,
        thing,
        detail,
        changes,
        remote_address,
    )


async def insert_audit_entries(
    conn: Connection,
    party_id: UUID,
    actor: str,
    action: str,
    things: Sequence[str],
    changes: Sequence[Any],
    remote_address: str | None,
) -> None:
    await conn.execute(
        "insert into audit_entry (party_id, actor, action, object, changes, remote_address)"
        " select $1, $2, $3, thing, changes, $6 from unnest($4::text[], $5::jsonb[]) as u (thing, changes)",
        party_id,
        actor,
        action,
        things,
        changes,
        remote_address,
    )


async def claim_request(
    conn: Connection,
    party_id: UUID,
    key: str,
    fingerprint: bytes,
    at: datetime,
    stale_before: datetime,
    gone_before: datetime,
) -> bool:
    """Be the one that carries out a POST with this Idempotency-Key; False when another did or does.

    A first one that never finished (its process died) gives way once it is older than `stale_before`; an answer older
    than `gone_before` is forgotten.
    """
    row = await conn.fetchrow(
        "insert into idempotent_request as r (party_id, key, fingerprint, created_at) values ($1, $2, $3, $4)"
        " on conflict (party_id, key) do update"
        " set fingerprint = $3, created_at = $4, status = null, headers = null, body = null"
        " where r.created_at < $6 or (r.status is null and r.fingerprint = $3 and r.created_at < $5)"
        " returning 1 as claimed",
        party_id,
        key,
        fingerprint,
        at,
        stale_before,
        gone_before,
    )
    return row is not None


async def find_request(conn: Connection, party_id: UUID, key: str) -> Row | None:
    return await conn.fetchrow(
        "select fingerprint, status, headers, body from idempotent_request where party_id = $1 and key = $2",
        party_id,
        key,
    )


async def finish_request(
    conn: Connection, party_id: UUID, key: str, status: int, headers: Sequence[tuple[str, str]], body: bytes
) -> None:
    await conn.execute(
        "update idempotent_request set status = $3, headers = $4, body = $5 where party_id = $1 and key = $2",
        party_id,
        key,
        status,
        list(headers),
        body,
    )


async def forget_request(conn: Connection, party_id: UUID, key: str) -> None:
    await conn.execute(
        "delete from idempotent_request where party_id = $1 and key = $2 and status is null", party_id, key
    )


# any party: retention is the installation's
async def drop_requests(conn: Connection, before: datetime) -> int:
    """Forget answers to POST requests older than `before`; returns how many."""
    done = await conn.execute("delete from idempotent_request where created_at < $1", before)
    return int(done.rpartition(" ")[2])


async def has_used_link(conn: Connection, operator_id: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "select exists (select from sign_in_link where operator_id = $1 and used_at is not null)", operator_id
        )
    )
