"""Approvals in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ohmstead.accounts.approvals.model import Approval
from ohmstead.core.db import Connection

_APPROVAL = (
    "approval_id, party_id, kind, summary, request, asked_by, asked_name, asked_at, expires_at,"
    " case when state = 'waiting' and expires_at <= $2 then 'expired' else state end as state,"
    " decided_by, decided_name, decided_at, reason, result"
)


async def insert(conn: Connection, party_id: UUID, one: Approval) -> None:
    await conn.execute(
        "insert into approval (approval_id, party_id, kind, summary, request, asked_by, asked_name, asked_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        one.approval_id,
        party_id,
        one.kind,
        one.summary,
        one.request,
        one.asked_by,
        one.asked_name,
        one.asked_at,
        one.expires_at,
    )


async def find(
    conn: Connection, party_id: UUID, approval_id: UUID, now: datetime, *, for_update: bool = False
) -> Approval | None:
    lock = " for update" if for_update else ""
    row = await conn.fetchrow(
        f"select {_APPROVAL} from approval where party_id = $1 and approval_id = $3{lock}", party_id, now, approval_id
    )
    return Approval(**row) if row else None


async def list_approvals(conn: Connection, party_id: UUID, now: datetime, limit: int) -> list[Approval]:
    """Those that wait first, then the latest."""
    rows = await conn.fetch(
        f"select {_APPROVAL} from approval where party_id = $1"
        " order by (state = 'waiting' and expires_at > $2) desc, asked_at desc, approval_id desc limit $3",
        party_id,
        now,
        limit,
    )
    return [Approval(**row) for row in rows]


# any party: retention is the installation's
async def forget_parameters(conn: Connection, now: datetime) -> None:
    """Of those that are over by themselves: an order's parameters may hold secrets."""
    await conn.execute(
        "update approval set request = request - 'parameters' where state = 'waiting' and expires_at <= $1"
        " and request ? 'parameters'",
        now,
    )


async def decide(
    conn: Connection,
    party_id: UUID,
    approval_id: UUID,
    state: str,
    by: str,
    name: str,
    at: datetime,
    reason: str | None,
    result: str | None,
) -> None:
    await conn.execute(
        "update approval set state = $3, decided_by = $4, decided_name = $5, decided_at = $6, reason = $7, result = $8,"
        " request = request - 'parameters'"
        " where party_id = $1 and approval_id = $2",
        party_id,
        approval_id,
        state,
        by,
        name,
        at,
        reason,
        result,
    )
