"""What sessions cost so far, for pages and doors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ohmstead.core.db import Connection
from ohmstead.core.money import Money
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import tariff_of


class RunningCost(Struct, frozen=True, kw_only=True):
    """What a session costs, with taxes, `at` until when by the station's clock."""

    session_id: UUID
    total: Money
    at: datetime
    is_final: bool


async def list_running_costs(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, RunningCost]:
    """Those of the sessions whose price is known: what they cost as last reckoned, seconds ago."""
    rows = await conn.fetch(
        "select session_id, total, currency, at, is_final from session_cost"
        " where party_id = $1 and session_id = any ($2) and total is not null",
        party_id,
        list(session_ids),
    )
    return {
        row["session_id"]: RunningCost(
            session_id=row["session_id"],
            total=Money(row["total"], row["currency"]),
            at=row["at"],
            is_final=row["is_final"],
        )
        for row in rows
    }


async def running_costs(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Money]:
    """The same, the amounts alone."""
    found = await list_running_costs(conn, party_id, session_ids)
    return {session_id: one.total for session_id, one in found.items()}


async def find_tariff(conn: Connection, party_id: UUID, session_id: UUID) -> Tariff | None:
    """The tariff that a session of a party keeps; None where none applies, or none is kept yet."""
    content = await conn.fetchval(
        "select v.content from session_tariff k join tariff_version v on v.tariff_id = k.tariff_id and v.version = k.version"
        " where k.party_id = $1 and k.session_id = $2",
        party_id,
        session_id,
    )
    return tariff_of(content) if content is not None else None
