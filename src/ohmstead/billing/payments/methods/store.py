"""Stored cards and accounts in PostgreSQL, on the write side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ohmstead.billing.payments.model import MethodSetup
from ohmstead.billing.payments.ports import Opened, SeenMethod
from ohmstead.core.db import Connection, Row
from ohmstead.core.ids import ids_of, new_id


async def insert_setup(conn: Connection, party_id: UUID, setup: MethodSetup) -> None:
    await conn.execute(
        "insert into method_setup (setup_id, party_id, driver_id, provider, state, created_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        setup.setup_id,
        party_id,
        setup.driver_id,
        setup.provider,
        setup.state,
        setup.created_at,
    )


async def open_setup(conn: Connection, party_id: UUID, setup_id: UUID, opened: Opened, look_at: datetime) -> bool:
    """False when it was given up meanwhile."""
    done = await conn.fetchval(
        "update method_setup set state = 'open', provider_ref = $3, url = $4, look_at = $5"
        " where party_id = $1 and setup_id = $2 and state = 'created' returning setup_id",
        party_id,
        setup_id,
        opened.ref,
        opened.url,
        look_at,
    )
    return done is not None


# any party: providers know setups by their own names for them
async def find_setup(conn: Connection, provider: str, refs: Sequence[str]) -> Row | None:
    """Of what a provider tells about."""
    return await conn.fetchrow(
        "select setup_id, party_id, driver_id, provider_ref, state, created_at from method_setup"
        " where provider = $1 and (provider_ref = any ($2) or setup_id = any ($3)) limit 1",
        provider,
        list(refs),
        ids_of(refs),
    )


# any party: the worker looks after everybody's
async def claim_setups(conn: Connection, now: datetime, lease: timedelta, most: int) -> list[Row]:
    """Those whose provider is to be asked how far they are."""
    return await conn.fetch(
        "with due as (select setup_id from method_setup where look_at <= $1 order by look_at limit $3"
        " for update skip locked)"
        " update method_setup m set look_at = $1 + $2::interval from due where m.setup_id = due.setup_id"
        " returning m.setup_id, m.party_id, m.provider, m.provider_ref, m.created_at",
        now,
        lease,
        most,
    )


async def lock_setup(conn: Connection, party_id: UUID, setup_id: UUID) -> Row | None:
    return await conn.fetchrow(
        "select setup_id, party_id, driver_id, provider, state, created_at from method_setup"
        " where party_id = $1 and setup_id = $2 for update",
        party_id,
        setup_id,
    )


async def finish_setup(
    conn: Connection, party_id: UUID, setup_id: UUID, method_id: UUID | None, failure: str | None
) -> None:
    await conn.execute(
        "update method_setup set state = $3, method_id = $4, failure = $5, look_at = null"
        " where party_id = $1 and setup_id = $2",
        party_id,
        setup_id,
        "done" if method_id is not None else "failed",
        method_id,
        failure,
    )


async def look_at_setup_later(conn: Connection, party_id: UUID, setup_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update method_setup set look_at = $3 where party_id = $1 and setup_id = $2", party_id, setup_id, at
    )


async def insert_method(
    conn: Connection, party_id: UUID, driver_id: UUID, provider: str, seen: SeenMethod, at: datetime
) -> UUID:
    """A driver's first one is the one that is used. One that is known stays what it is, and is theirs again."""
    row = await conn.fetchrow(
        "insert into stored_method (method_id, party_id, driver_id, provider, kind, brand, last4, expires_on, is_default,"
        " provider_ref, customer_ref, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, not exists (select from"
        " stored_method where party_id = $2 and driver_id = $3 and is_default and forgotten_at is null), $9, $10, $11)"
        " on conflict (provider, provider_ref) do update set forgotten_at = null returning method_id",
        new_id(),
        party_id,
        driver_id,
        provider,
        seen.kind,
        seen.brand,
        seen.last4,
        seen.expires_on,
        seen.ref.provider_ref,
        seen.ref.customer_ref,
        at,
    )
    assert row is not None
    method_id: UUID = row["method_id"]
    return method_id


async def find_method(conn: Connection, party_id: UUID, method_id: UUID) -> Row | None:
    """With what the provider knows it by."""
    return await conn.fetchrow(
        "select method_id, driver_id, provider, provider_ref, customer_ref, is_default, forgotten_at, leaves_at"
        " from stored_method where party_id = $1 and method_id = $2",
        party_id,
        method_id,
    )


async def forget_method(conn: Connection, party_id: UUID, method_id: UUID, at: datetime) -> None:
    """What people know an erased driver's by goes as well."""
    await conn.execute(
        "update stored_method set forgotten_at = coalesce(forgotten_at, $3), is_default = false,"
        " brand = case when leaves_at is null then brand else '' end,"
        " last4 = case when leaves_at is null then last4 else '' end,"
        " expires_on = case when leaves_at is null then expires_on end where party_id = $1 and method_id = $2",
        party_id,
        method_id,
        at,
    )


async def set_default_method(conn: Connection, party_id: UUID, driver_id: UUID, method_id: UUID) -> None:
    await conn.execute(
        "update stored_method set is_default = false where party_id = $1 and driver_id = $2 and is_default",
        party_id,
        driver_id,
    )
    await conn.execute(
        "update stored_method set is_default = true where party_id = $1 and driver_id = $2 and method_id = $3"
        " and forgotten_at is null and leaves_at is null",
        party_id,
        driver_id,
        method_id,
    )


# -------------------------------------------------------------------------------------------------------- removals

_REMOVAL = "removal_id, party_id, driver_id, provider, kind, ref, method_id, n_tries"


async def insert_removal(conn: Connection, party_id: UUID, method_id: UUID, at: datetime) -> UUID:
    """A provider is to forget a card; the one that was written before, where there is one."""
    found: UUID = await conn.fetchval(
        "insert into method_removal (removal_id, party_id, driver_id, provider, kind, ref, method_id, next_at, created_at)"
        " select $3, party_id, driver_id, provider, 'method', provider_ref, method_id, $4, $4 from stored_method"
        " where party_id = $1 and method_id = $2 on conflict (provider, kind, ref) do update set ref = excluded.ref"
        " returning removal_id",
        party_id,
        method_id,
        new_id(),
        at,
    )
    return found


async def insert_customer_removal(
    conn: Connection, party_id: UUID, driver_id: UUID, provider: str, ref: str, at: datetime
) -> None:
    await conn.execute(
        "insert into method_removal (removal_id, party_id, driver_id, provider, kind, ref, next_at, created_at)"
        " values ($1, $2, $3, $4, 'customer', $5, $6, $6) on conflict (provider, kind, ref) do nothing",
        new_id(),
        party_id,
        driver_id,
        provider,
        ref,
        at,
    )


async def end_setups(conn: Connection, party_id: UUID, driver_id: UUID, failure: str) -> None:
    """Nobody stores a card there any more."""
    await conn.execute(
        "update method_setup set state = 'failed', failure = $3, look_at = null"
        " where party_id = $1 and driver_id = $2 and state in ('created', 'open')",
        party_id,
        driver_id,
        failure,
    )


async def end_methods(conn: Connection, party_id: UUID, driver_id: UUID, leaves_at: datetime) -> list[UUID]:
    """A driver's cards are used for nothing new; all that there ever were."""
    rows = await conn.fetch(
        "update stored_method set leaves_at = coalesce(leaves_at, $3), is_default = false"
        " where party_id = $1 and driver_id = $2 returning method_id",
        party_id,
        driver_id,
        leaves_at,
    )
    return [row["method_id"] for row in rows]


async def list_customers(conn: Connection, party_id: UUID, driver_id: UUID) -> list[tuple[str, str]]:
    """(provider, what it knows a driver by, or a page that it made for them)."""
    rows = await conn.fetch(
        "select provider, customer_ref as ref from stored_method where party_id = $1 and driver_id = $2"
        " union select provider, provider_ref from method_setup where party_id = $1 and driver_id = $2"
        " and provider_ref is not null and method_id is null order by 1, 2",
        party_id,
        driver_id,
    )
    return [(row["provider"], row["ref"]) for row in rows]


# any party: the worker does everybody's
async def claim_removals(
    conn: Connection, now: datetime, lease: timedelta, most: int, removal_id: UUID | None = None
) -> list[Row]:
    """Those that are due, or one of them: nobody else's until the lease is over. A customer after all their cards."""
    return await conn.fetch(
        "with due as (select r.removal_id from method_removal r where r.state = 'waiting' and r.next_at <= $1"
        " and (r.claimed_until is null or r.claimed_until < $1) and ($4::uuid is null or r.removal_id = $4)"
        " and (r.kind = 'method' or not exists (select from method_removal m where m.party_id = r.party_id"
        " and m.driver_id = r.driver_id and m.kind = 'method' and m.state = 'waiting'))"
        " order by r.next_at limit $3 for update skip locked)"
        " update method_removal r set claimed_until = $1 + $2::interval, n_tries = n_tries + 1 from due"
        f" where r.removal_id = due.removal_id returning {', '.join('r.' + n.strip() for n in _REMOVAL.split(','))}",
        now,
        lease,
        most,
        removal_id,
    )


async def finish_removal(conn: Connection, party_id: UUID, removal_id: UUID, at: datetime) -> None:
    await conn.execute(
        "update method_removal set state = 'done', finished_at = $3, claimed_until = null"
        " where party_id = $1 and removal_id = $2",
        party_id,
        removal_id,
        at,
    )


async def retry_removal(conn: Connection, party_id: UUID, removal_id: UUID, next_at: datetime, error: str) -> None:
    await conn.execute(
        "update method_removal set next_at = $3, claimed_until = null, last_error = left($4, 500)"
        " where party_id = $1 and removal_id = $2",
        party_id,
        removal_id,
        next_at,
        error,
    )


async def wait_with_removal(conn: Connection, party_id: UUID, removal_id: UUID, next_at: datetime) -> None:
    """It was not tried: something is owed on the card."""
    await conn.execute(
        "update method_removal set next_at = $3, claimed_until = null, n_tries = 0"
        " where party_id = $1 and removal_id = $2",
        party_id,
        removal_id,
        next_at,
    )


async def is_owed_on(
    conn: Connection, party_id: UUID, driver_id: UUID, method_id: UUID, billed_since: datetime
) -> bool:
    """Is a card still to pay: it was asked for something, or a session that it covers is not billed, or was `billed_since`."""
    found: bool = await conn.fetchval(
        "select exists (select from payment p where p.party_id = $1 and p.customer = 'driver:' || $2::uuid"
        " and p.method_id = $3 and (p.state = 'authorizing' or exists (select from payment_operation o"
        " where o.payment_id = p.payment_id and o.state = 'waiting' and o.kind in ('charge', 'hold'))))"
        " or exists (select from token_holding h join session s on s.party_id = h.party_id and s.token_key = h.uid_key"
        " and s.token_uid is not null"
        " join session_cover v on v.session_id = s.session_id where h.party_id = $1 and h.driver_id = $2"
        " and v.kind = 'card' and v.ref = $3::uuid::text"
        " and not exists (select from unbillable_session u where u.session_id = s.session_id)"
        " and not exists (select from payment p where p.session_id = s.session_id and p.purpose = 'session')"
        " and not exists (select from cdr c where c.session_id = s.session_id and c.kind = 'charge'"
        " and (c.total <= 0 or c.created_at < $4)))",
        party_id,
        driver_id,
        method_id,
        billed_since,
    )
    return found
