"""Wallets, read: what came in and went out."""

from __future__ import annotations

from uuid import UUID

from ohmstead.billing.ledger.entries import amount_of
from ohmstead.billing.wallets.model import WalletEntry
from ohmstead.core.db import Connection


async def list_entries(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    *,
    before: tuple[int, int] | None = None,
    limit: int = 100,
) -> list[WalletEntry]:
    """Newest first; `before` is (number, 0) of the last one of the page before."""
    rows = await conn.fetch(
        "select e.entry_id, e.number, e.booked_on, e.created_at, e.kind, e.text, -p.amount_minor as minor, p.currency,"
        " e.created_by from ledger_account a join ledger_posting p using (account_id) join ledger_entry e using (entry_id)"
        " where a.party_id = $1 and a.code = $2 and ($3::bigint is null or p.number < $3)"
        " order by p.number desc, p.position desc limit $4",
        party_id,
        f"wallet:driver:{driver_id}",
        before[0] if before else None,
        limit,
    )
    return [
        WalletEntry(
            entry_id=row["entry_id"],
            number=row["number"],
            booked_on=row["booked_on"],
            at=row["created_at"],
            kind=row["kind"],
            text=row["text"],
            amount=amount_of(row["minor"], row["currency"]),
            currency=row["currency"],
            by=row["created_by"],
        )
        for row in rows
    ]
