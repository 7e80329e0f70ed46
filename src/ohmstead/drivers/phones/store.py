"""Codes for telephone numbers in PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from ohmstead.core.db import Connection, Row
from ohmstead.drivers.signin.codes import SentBefore

_LATEST = """
select code_id, phone, code_hash, n_wrong, expires_at, used_at from driver_phone_code
where party_id = $1 and driver_id = $2 order by created_at desc limit 1
"""


async def hold(conn: Connection, party_id: UUID, driver_id: UUID, number: bytes) -> None:
    """Nobody else has a code sent for this driver, nor to this number, until the transaction ends."""
    await conn.execute(
        "select pg_advisory_xact_lock(hashtextextended('phone of ' || $1::uuid::text || ' ' || $2::uuid::text, 0))",
        party_id,
        driver_id,
    )
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('phone ' || encode($1, 'hex'), 0))", number)


# any party: what one number and one address had is counted over the whole installation
async def count_codes(
    conn: Connection, party_id: UUID, driver_id: UUID, number: bytes, address: str | None, now: datetime
) -> SentBefore:
    """Codes asked for in the hour before: of the driver, for the number, from the address."""
    row = await conn.fetchrow(
        "select (select count(*) from driver_phone_code where party_id = $1 and driver_id = $2 and created_at > $5) as own,"
        " (select count(*) from driver_phone_code where number = $3 and created_at > $5) as sent,"
        " (select count(*) from driver_phone_code where address = $4 and created_at > $5) as calls,"
        " (select max(created_at) from driver_phone_code where party_id = $1 and driver_id = $2) as own_at,"
        " (select max(created_at) from driver_phone_code where number = $3) as sent_at",
        party_id,
        driver_id,
        number,
        address,
        now - timedelta(hours=1),
    )
    assert row is not None
    return SentBefore(
        n_received=[row["own"], row["sent"]],
        n_from_address=row["calls"],
        last_at=max((at for at in (row["own_at"], row["sent_at"]) if at is not None), default=None),
    )


# any party: guesses at one number's codes are counted over the whole installation
async def count_wrong(conn: Connection, party_id: UUID, driver_id: UUID, number: bytes, since: datetime) -> int:
    """Wrong guesses at a driver's or a number's codes that were asked for since."""
    n: int = await conn.fetchval(
        "select coalesce(sum(n_wrong), 0)::integer from driver_phone_code"
        " where ((party_id = $1 and driver_id = $2) or number = $3) and created_at > $4",
        party_id,
        driver_id,
        number,
        since,
    )
    return n


async def insert_code(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    code_id: UUID,
    phone: str,
    number: bytes,
    code_hash: bytes,
    address: str | None,
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """An earlier one of the driver's is over."""
    await conn.execute(
        "update driver_phone_code set expires_at = $3 where party_id = $1 and driver_id = $2 and used_at is null"
        " and expires_at > $3",
        party_id,
        driver_id,
        created_at,
    )
    await conn.execute(
        "insert into driver_phone_code (code_id, party_id, driver_id, phone, number, code_hash, address, created_at,"
        " expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        code_id,
        party_id,
        driver_id,
        phone,
        number,
        code_hash,
        address,
        created_at,
        expires_at,
    )


async def find_latest(conn: Connection, party_id: UUID, driver_id: UUID) -> Row | None:
    return await conn.fetchrow(_LATEST, party_id, driver_id)


async def lock_latest(conn: Connection, party_id: UUID, driver_id: UUID) -> Row | None:
    return await conn.fetchrow(f"{_LATEST} for update", party_id, driver_id)


async def mark_code(conn: Connection, party_id: UUID, code_id: UUID, *, used_at: datetime | None) -> None:
    """Used, or guessed wrong once more."""
    await conn.execute(
        "update driver_phone_code set used_at = $3,"
        " n_wrong = n_wrong + case when $3::timestamptz is null then 1 else 0 end where party_id = $1 and code_id = $2",
        party_id,
        code_id,
        used_at,
    )


async def confirm(conn: Connection, party_id: UUID, driver_id: UUID, phone: str, at: datetime) -> bool:
    """False when the driver has another number by now."""
    done = await conn.fetchval(
        "update driver set phone_confirmed_at = $4, version = version + 1, updated_at = now()"
        " where party_id = $1 and driver_id = $2 and phone = $3 and status <> 'erased' returning true",
        party_id,
        driver_id,
        phone,
        at,
    )
    return bool(done)


async def forget_codes(conn: Connection, party_id: UUID, driver_id: UUID, at: datetime) -> None:
    """They open nothing any more and say no number; how many there were still counts."""
    await conn.execute(
        "update driver_phone_code set phone = '', expires_at = least(expires_at, $3) where party_id = $1 and driver_id = $2",
        party_id,
        driver_id,
        at,
    )


# any party: retention is the installation's
async def drop_old(conn: Connection, before: datetime) -> None:
    """Codes that were over before."""
    await conn.execute("delete from driver_phone_code where expires_at < $1", before)
