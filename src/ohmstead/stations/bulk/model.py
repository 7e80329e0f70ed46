"""One order to many stations: a bulk command, how far it is, and what became of it at each station."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from ohmstead.stations.orders import Status

BulkStatus: TypeAlias = Literal["running", "done", "cancelled"]
ResultStatus: TypeAlias = Literal[
    "waiting",
    "queued",
    "sending",
    "sent",
    "accepted",
    "rejected",
    "failed",
    "timed_out",
    "offline",
    "expired",
    "cancelled",
]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How many stations are where. waiting: its turn has not come; the others are states of its command."""

    waiting: int = 0
    queued: int = 0
    sending: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    timed_out: int = 0
    offline: int = 0
    expired: int = 0
    cancelled: int = 0

    @property
    def n_over(self) -> int:
        """Stations at which nothing more will happen by itself."""
        return sum(
            (self.accepted, self.rejected, self.failed, self.timed_out, self.offline, self.expired, self.cancelled)
        )


class BulkCommand(msgspec.Struct, frozen=True, kw_only=True):
    """One order to many stations. `selection` says by what they were chosen, when it was made."""

    bulk_id: UUID
    party_id: UUID
    kind: str
    parameters: dict[str, Any]
    selection: dict[str, Any]
    status: BulkStatus
    n_stations: int
    progress: Progress
    timeout_s: float
    queue_for_s: float | None
    at_once: int
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None = None
    cancelled_by: str | None = None


class BulkResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bulk command at one station."""

    station_id: str
    status: ResultStatus
    command_id: UUID | None
    sent_at: datetime | None
    answered_at: datetime | None
    answer: Any
    error_code: str | None
    error_text: str | None


class ResultFilter(msgspec.Struct, kw_only=True):
    """Which results."""

    status: Annotated[list[ResultStatus] | None, Meta(description="Any of these.")] = None


class Turn(msgspec.Struct, frozen=True):
    """A command of a bulk whose turn it is, and where its station is."""

    command_id: UUID
    station_id: str
    status: Status
    timeout_s: float
    age_s: float
    may_queue: bool
    gateway_id: UUID | None
    is_moving: bool
