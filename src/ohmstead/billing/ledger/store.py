"""The ledger in PostgreSQL, on the write side. Triggers refuse what must not be (migrations/0030_billing.sql)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.ledger.entries import Account, Entry, Posting, amount_of, digest, minor_of
from ohmstead.billing.ledger.model import KeptEntry
from ohmstead.core.db import Connection
from ohmstead.core.ids import new_id


class Head(Struct, frozen=True):
    """The end of a party's books."""

    last_number: int
    first_open: date | None
    time_zone: str


async def hold_head(conn: Connection, party_id: UUID) -> Head:
    """Nobody else writes into the party's books until the transaction ends."""
    await conn.execute("insert into ledger_head (party_id) values ($1) on conflict do nothing", party_id)
    row = await conn.fetchrow(
        "select h.last_number, h.locked_until as first_open, p.time_zone from ledger_head h join party p using (party_id)"
        " where h.party_id = $1 for update of h",
        party_id,
    )
    assert row is not None
    return Head(**row)


async def move_head(conn: Connection, party_id: UUID, last_number: int) -> None:
    await conn.execute("update ledger_head set last_number = $2 where party_id = $1", party_id, last_number)


async def insert_lock(conn: Connection, party_id: UUID, month: date, first_open: date, at: datetime, by: str) -> None:
    await conn.execute("insert into ledger_lock values ($1, $2, $3, $4)", party_id, month, at, by)
    await conn.execute("update ledger_head set locked_until = $2 where party_id = $1", party_id, first_open)


async def find_by_keys(conn: Connection, party_id: UUID, keys: Sequence[str]) -> dict[str, tuple[bytes, KeptEntry]]:
    """Entries of these keys, each with its digest."""
    rows = await conn.fetch(
        # Key by key: with "= any", a plan that was made while the table was empty walks all of the party's days.
        "select e.* from unnest($2::text[]) as k (idempotency_key) cross join lateral ("
        " select idempotency_key, digest, entry_id, number, booked_on from ledger_entry"
        " where party_id = $1 and idempotency_key = k.idempotency_key) e",
        party_id,
        list(keys),
    )
    return {
        row["idempotency_key"]: (
            row["digest"],
            KeptEntry(entry_id=row["entry_id"], number=row["number"], booked_on=row["booked_on"]),
        )
        for row in rows
    }


async def open_accounts(conn: Connection, party_id: UUID, accounts: Sequence[Account]) -> dict[Account, UUID]:
    """Their ids; those that are not there yet are opened."""
    wanted = sorted(set(accounts))
    columns = (
        [one.code for one in wanted],
        [one.kind for one in wanted],
        [one.detail for one in wanted],
        [one.currency for one in wanted],
    )
    await conn.execute(
        "insert into ledger_account (account_id, party_id, code, kind, detail, currency)"
        " select a.account_id, $1, a.code, a.kind, a.detail, a.currency"
        " from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])"
        " as a (account_id, code, kind, detail, currency)"
        " where not exists (select from ledger_account o where o.party_id = $1 and o.code = a.code and o.currency = a.currency)"
        " on conflict do nothing",
        party_id,
        [new_id() for _ in wanted],
        *columns,
    )
    rows = await conn.fetch(
        "select a.account_id, a.kind, a.detail, a.currency from ledger_account a"
        " join unnest($2::text[], $3::text[]) as w (code, currency) using (code, currency) where a.party_id = $1",
        party_id,
        columns[0],
        columns[3],
    )
    return {Account(row["kind"], row["detail"], row["currency"]): row["account_id"] for row in rows}


async def insert_entries(
    conn: Connection,
    party_id: UUID,
    entries: Sequence[tuple[KeptEntry, Entry]],
    accounts: dict[Account, UUID],
    at: datetime,
    by: str,
) -> None:
    """Entries with their postings."""
    await conn.execute(
        "insert into ledger_entry (entry_id, party_id, number, booked_on, kind, text, cdr_id, idempotency_key, digest,"
        " n_postings, created_at, created_by) select e.entry_id, $1, e.number, e.booked_on, e.kind, e.text, e.cdr_id,"
        " e.idempotency_key, e.digest, e.n_postings, $2, $3"
        " from unnest($4::uuid[], $5::bigint[], $6::date[], $7::text[], $8::text[], $9::uuid[], $10::text[], $11::bytea[],"
        " $12::integer[]) as e (entry_id, number, booked_on, kind, text, cdr_id, idempotency_key, digest, n_postings)",
        party_id,
        at,
        by,
        [kept.entry_id for kept, _ in entries],
        [kept.number for kept, _ in entries],
        [kept.booked_on for kept, _ in entries],
        [entry.kind for _, entry in entries],
        [entry.text for _, entry in entries],
        [entry.cdr_id for _, entry in entries],
        [entry.key for _, entry in entries],
        [digest(entry) for _, entry in entries],
        [len(entry.postings) for _, entry in entries],
    )
    rows = [
        (kept.entry_id, n, kept.number, kept.booked_on, accounts[one.account], one.account.currency, minor_of(one))
        for kept, entry in entries
        for n, one in enumerate(entry.postings, start=1)
    ]
    await conn.execute(
        "insert into ledger_posting (party_id, entry_id, position, number, booked_on, account_id, currency, amount_minor)"
        " select $1, p.* from unnest($2::uuid[], $3::smallint[], $4::bigint[], $5::date[], $6::uuid[], $7::text[],"
        " $8::bigint[]) as p",
        party_id,
        *[list(column) for column in zip(*rows, strict=True)],
    )


async def list_postings_of_cdrs(
    conn: Connection, party_id: UUID, cdr_ids: Sequence[UUID]
) -> dict[UUID, tuple[date, tuple[Posting, ...]]]:
    """Of CDRs that are in the books: on which day, and with which postings."""
    rows = await conn.fetch(
        "select e.cdr_id, e.booked_on, a.kind, a.detail, a.currency, p.amount_minor from ledger_entry e"
        " join ledger_posting p using (entry_id) join ledger_account a on a.account_id = p.account_id"
        " where e.party_id = $1 and e.cdr_id = any ($2) order by e.cdr_id, p.position",
        party_id,
        list(cdr_ids),
    )
    found: dict[UUID, tuple[date, tuple[Posting, ...]]] = {}
    for row in rows:
        account = Account(row["kind"], row["detail"], row["currency"])
        posting = Posting(account, amount_of(row["amount_minor"], row["currency"]))
        booked_on, before = found.get(row["cdr_id"], (row["booked_on"], ()))
        found[row["cdr_id"]] = (booked_on, (*before, posting))
    return found
