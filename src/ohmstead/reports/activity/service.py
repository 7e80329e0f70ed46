"""What takes longer than a moment: orders to many stations and rollouts, running and done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Connection
from ohmstead.stations.bulk import queries as bulks
from ohmstead.stations.bulk.model import BulkCommand
from ohmstead.stations.files import queries as files
from ohmstead.stations.files.queries import RolloutView

WorkStatus: TypeAlias = Literal["running", "paused", "halted", "done", "cancelled"]
_STATUS: dict[str, WorkStatus] = {"finished": "done"}


class Work(Struct, frozen=True, kw_only=True):
    """One of them. Of `n_total` stations `n_done` are through, and at `n_failed` of those it went wrong."""

    kind: Literal["bulk_command", "rollout"]
    id: UUID
    title: str
    status: WorkStatus
    n_total: int
    n_done: int
    n_failed: int
    started_at: datetime
    finished_at: datetime | None
    path: Annotated[str, Meta(description="The console's page about it.")]

    @property
    def is_going(self) -> bool:
        """Is something still to happen?"""
        return self.status in ("running", "paused", "halted")


async def list_work(conn: Connection, scope: Scope, *, with_orders: bool, limit: int = 10) -> list[Work]:
    """What is going on first, then what is over, each the latest first; `limit` of each kind at most.

    Rollouts are the whole party's: a scope with locations has none. Of orders it has those that went to none outside.
    """
    found = []
    if scope.locations is None:
        found += [_rollout(one) for one in await files.list_rollouts(conn, scope.party_id, limit=limit)]
    if with_orders:
        found += [_bulk(one) for one in await bulks.list_bulks(conn, scope, limit=limit)]
    return sorted(found, key=lambda work: (not work.is_going, -work.started_at.timestamp()))


def _bulk(one: BulkCommand) -> Work:
    progress = one.progress
    return Work(
        kind="bulk_command",
        id=one.bulk_id,
        title=one.kind.replace("_", " ").capitalize(),
        status="done" if one.finished_at and one.status != "cancelled" else one.status,
        n_total=one.n_stations,
        n_done=progress.n_over,
        n_failed=progress.n_over - progress.accepted - progress.cancelled,
        started_at=one.requested_at,
        finished_at=one.finished_at,
        path=f"/bulk/{one.bulk_id}",
    )


def _rollout(one: RolloutView) -> Work:
    counts = one.counts
    status: WorkStatus = _STATUS.get(one.status) or one.status  # type: ignore[assignment]
    return Work(
        kind="rollout",
        id=one.rollout_id,
        title=f"{one.name}, {one.version}",
        status=status,
        n_total=sum(counts.values()),
        n_done=sum(counts.get(state, 0) for state in ("installed", "failed", "skipped")),
        n_failed=counts.get("failed", 0),
        started_at=one.created_at,
        finished_at=one.updated_at if status in ("done", "cancelled") else None,
        path=f"/rollouts/{one.rollout_id}",
    )
