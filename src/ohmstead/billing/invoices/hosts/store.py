"""Hosts and their contracts in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.billing.invoices.hosts.sharing import Host, HostContract, HostDetails, NewContract
from ohmstead.billing.ledger.entries import amount_of
from ohmstead.core.db import Connection, Row

_HOST = """
select h.host_id, h.party_id, h.content, h.version, h.created_at, h.updated_at,
       (select count(*) from host_contract c where c.host_id = h.host_id
         and (c.until_on is null or c.until_on > current_date)) as n_contracts,
       (select coalesce(jsonb_object_agg(x.currency, x.owed), '{}') from (
           select a.currency, sum(b.credit_minor - b.debit_minor) as owed from ledger_account a
           join ledger_balance b using (account_id)
           where a.party_id = h.party_id and a.code = 'host_share:' || h.host_id group by 1) x where x.owed <> 0) as owed
from billing_host h
"""


def _host(row: Row) -> Host:
    fields: dict[str, Any] = dict(row)
    owed = fields.pop("owed")
    details = msgspec.convert(fields.pop("content"), HostDetails)
    balance = {currency: amount_of(int(Decimal(str(minor))), currency) for currency, minor in owed.items()}
    return Host(details=details, balance=balance, **fields)


async def list_hosts(
    conn: Connection, party_id: UUID, *, after: tuple[str, UUID] | None = None, limit: int = 100
) -> list[Host]:
    """By name; `after` is (name in small letters, id) of the last one of the page before."""
    name, host_id = after or (None, None)
    rows = await conn.fetch(
        f"{_HOST} where h.party_id = $1 and ($2::text is null or (lower(h.name), h.host_id) > ($2, $3))"
        " order by lower(h.name), h.host_id limit $4",
        party_id,
        name,
        host_id,
        limit,
    )
    return [_host(row) for row in rows]


async def find_host(conn: Connection, party_id: UUID, host_id: UUID) -> Host | None:
    row = await conn.fetchrow(f"{_HOST} where h.party_id = $1 and h.host_id = $2", party_id, host_id)
    return _host(row) if row is not None else None


async def insert_host(conn: Connection, party_id: UUID, host_id: UUID, details: HostDetails, at: datetime) -> None:
    await conn.execute(
        "insert into billing_host (host_id, party_id, name, content, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)",
        host_id,
        party_id,
        details.name,
        details,
        at,
    )


async def update_host(
    conn: Connection, party_id: UUID, host_id: UUID, details: HostDetails, at: datetime, if_version: int | None
) -> bool:
    """False where it is another version by now."""
    done = await conn.fetchval(
        "update billing_host set name = $3, content = $4, updated_at = $5, version = version + 1"
        " where party_id = $1 and host_id = $2 and ($6::integer is null or version = $6) returning true",
        party_id,
        host_id,
        details.name,
        details,
        at,
        if_version,
    )
    return bool(done)


_CONTRACT = """
select c.contract_id, c.host_id, c.location_id, l.name as location_name, c.currency, c.share_percent, c.fee_per_kwh,
       c.from_on, c.until_on, c.created_at, c.created_by
from host_contract c join location l using (location_id)
"""


async def list_contracts(
    conn: Connection, party_id: UUID, host_id: UUID | None = None, location_id: UUID | None = None
) -> list[HostContract]:
    """By place, the oldest first."""
    rows = await conn.fetch(
        f"{_CONTRACT} where c.party_id = $1 and ($2::uuid is null or c.host_id = $2)"
        " and ($3::uuid is null or c.location_id = $3) order by l.name, c.location_id, c.from_on, c.contract_id",
        party_id,
        host_id,
        location_id,
    )
    return [HostContract(**row) for row in rows]


async def has_location(conn: Connection, party_id: UUID, location_id: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "select true from location where party_id = $1 and location_id = $2 for update", party_id, location_id
        )
    )


async def insert_contract(
    conn: Connection, party_id: UUID, host_id: UUID, contract_id: UUID, given: NewContract, at: datetime, by: str
) -> None:
    await conn.execute(
        "insert into host_contract (contract_id, party_id, host_id, location_id, share_percent, fee_per_kwh, currency,"
        " from_on, until_on, created_at, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        contract_id,
        party_id,
        host_id,
        given.location_id,
        given.share_percent,
        given.fee_per_kwh,
        given.currency,
        given.from_on,
        given.until_on,
        at,
        by,
    )


async def end_contract(conn: Connection, party_id: UUID, contract_id: UUID, until_on: date) -> bool:
    done = await conn.fetchval(
        "update host_contract set until_on = $3 where party_id = $1 and contract_id = $2 returning true",
        party_id,
        contract_id,
        until_on,
    )
    return bool(done)


async def list_uncounted(
    conn: Connection, party_id: UUID, location_id: UUID, currency: str, from_at: datetime, until_at: datetime
) -> list[UUID]:
    """Charges and credits of sessions at a place that ended within a time and no statement counted."""
    rows = await conn.fetch(
        "select c.cdr_id from cdr c where c.party_id = $1 and c.location_id = $2 and c.currency = $3 and c.ended_at >= $4"
        " and c.ended_at < $5 and not exists (select from host_cdr h where h.cdr_id = c.cdr_id)",
        party_id,
        location_id,
        currency,
        from_at,
        until_at,
    )
    return [row["cdr_id"] for row in rows]


async def is_counted(
    conn: Connection, party_id: UUID, host_id: UUID, location_id: UUID, currency: str, since: datetime
) -> bool:
    """Has a statement of a host's counted a session at a place that ended then or later?"""
    return bool(
        await conn.fetchval(
            "select exists (select from invoice i join host_cdr h on h.invoice_id = i.invoice_id"
            " join cdr c on c.cdr_id = h.cdr_id"
            " where i.party_id = $1 and i.host_id = $2 and c.location_id = $3 and c.currency = $4 and c.ended_at >= $5)",
            party_id,
            host_id,
            location_id,
            currency,
            since,
        )
    )


async def list_wanting(conn: Connection, party_id: UUID, until_on: date) -> Sequence[tuple[UUID, str]]:
    """(host, currency) of all with contracts that held before a day."""
    rows = await conn.fetch(
        "select distinct host_id, currency from host_contract where party_id = $1 and from_on < $2 order by 1, 2",
        party_id,
        until_on,
    )
    return [(row["host_id"], row["currency"]) for row in rows]
