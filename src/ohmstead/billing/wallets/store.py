"""Wallets in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ohmstead.billing.wallets.model import Due, DueKind, Row
from ohmstead.core.db import Connection

_COLUMNS = (
    "driver_id, party_id, currency, credit_limit, auto_below, auto_amount, auto_method, auto_payment, auto_number,"
    " auto_failed_at, low_told, version, opened_at"
)
_SET = frozenset(
    {"credit_limit", "auto_below", "auto_amount", "auto_method", "auto_payment", "auto_number", "auto_failed_at"}
    | {"low_told"}
)


async def open_wallet(conn: Connection, party_id: UUID, driver_id: UUID) -> bool:
    """In the party's currency. False when there is one."""
    row = await conn.fetchrow(
        "insert into wallet (driver_id, party_id, currency) select d.driver_id, d.party_id, p.currency from driver d"
        " join party p using (party_id) where d.party_id = $1 and d.driver_id = $2 on conflict do nothing returning 1",
        party_id,
        driver_id,
    )
    return row is not None


async def find(conn: Connection, party_id: UUID, driver_id: UUID, *, is_held: bool = False) -> Row | None:
    """`is_held`: nobody else takes or holds any of it until the transaction ends."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from wallet where party_id = $1 and driver_id = $2{' for update' if is_held else ''}",
        party_id,
        driver_id,
    )
    return Row(**row) if row else None


async def balances(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> dict[tuple[UUID, str], int]:
    """What is in wallets by (driver, currency), in minor units, as the ledger has it."""
    rows = await conn.fetch(
        "select a.detail, a.currency, sum(b.credit_minor - b.debit_minor)::bigint as minor from ledger_account a"
        " join ledger_balance b using (account_id) where a.party_id = $1 and a.code = any ($2) group by 1, 2",
        party_id,
        [f"wallet:driver:{driver_id}" for driver_id in driver_ids],
    )
    return {(UUID(row["detail"].removeprefix("driver:")), row["currency"]): row["minor"] for row in rows}


async def change(
    conn: Connection, party_id: UUID, driver_id: UUID, values: dict[str, Any], if_version: int | None = None
) -> bool:
    """Settings count as a version, what the system notes does not. False when it is not there in that version."""
    if beyond := set(values) - _SET:
        raise ValueError(f"not to be written: {sorted(beyond)}")
    counts = bool(set(values) & {"credit_limit", "auto_below"})
    assignments = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, start=4))
    row = await conn.fetchrow(
        f"update wallet set {assignments}{', version = version + 1' if counts else ''} where party_id = $1"
        " and driver_id = $2 and ($3::integer is null or version = $3) returning 1",
        party_id,
        driver_id,
        if_version,
        *values.values(),
    )
    return row is not None


_DUE = "due_id, driver_id, kind, ref_id, currency, due_minor, paid_minor, n_paid"


async def insert_due(conn: Connection, party_id: UUID, due: Due, at: datetime) -> None:
    """What is there already stays as it is."""
    await conn.execute(
        f"insert into wallet_due (party_id, created_at, {_DUE}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " on conflict (party_id, kind, ref_id) do nothing",
        party_id,
        at,
        due.due_id,
        due.driver_id,
        due.kind,
        due.ref_id,
        due.currency,
        due.due_minor,
        due.paid_minor,
        due.n_paid,
    )


async def list_open_dues(conn: Connection, party_id: UUID, driver_id: UUID) -> list[Due]:
    """The oldest first."""
    rows = await conn.fetch(
        f"select {_DUE} from wallet_due where party_id = $1 and driver_id = $2 and not is_over order by created_at, due_id",
        party_id,
        driver_id,
    )
    return [Due(**row) for row in rows]


async def find_due(conn: Connection, party_id: UUID, kind: DueKind, ref_id: UUID) -> Due | None:
    row = await conn.fetchrow(
        f"select {_DUE} from wallet_due where party_id = $1 and kind = $2 and ref_id = $3", party_id, kind, ref_id
    )
    return Due(**row) if row else None


async def note_paid(conn: Connection, party_id: UUID, due_id: UUID, paid_minor: int) -> None:
    """So much more of it was paid."""
    await conn.execute(
        "update wallet_due set paid_minor = paid_minor + $3, n_paid = n_paid + 1,"
        " is_over = paid_minor + $3 = due_minor where party_id = $1 and due_id = $2",
        party_id,
        due_id,
        paid_minor,
    )


async def close_due(conn: Connection, party_id: UUID, due_id: UUID) -> None:
    await conn.execute("update wallet_due set is_over = true where party_id = $1 and due_id = $2", party_id, due_id)


async def dues_of(conn: Connection, party_id: UUID, driver_ids: Sequence[UUID]) -> dict[UUID, int]:
    """What wallets have yet to pay, in minor units of their currency."""
    rows = await conn.fetch(
        "select driver_id, sum(due_minor - paid_minor)::bigint as minor from wallet_due"
        " where party_id = $1 and driver_id = any ($2) and not is_over group by driver_id",
        party_id,
        list(driver_ids),
    )
    return {row["driver_id"]: row["minor"] for row in rows}
