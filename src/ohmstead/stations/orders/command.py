"""The row that remembers an order, and what travels to the gateway that carries it out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

Status: TypeAlias = Literal[
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


class Command(msgspec.Struct, kw_only=True):
    """An order and what became of it. `answer` is the station's own reply, as OCPP spells it.

    `session_id`: of a remote start, the session that began with it. `bulk_id`: the bulk order that this is a part of.
    """

    command_id: UUID
    party_id: UUID
    station_id: str
    kind: str
    action: str | None
    parameters: dict[str, Any]
    status: Status
    requested_by: str
    requested_at: datetime
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    message_id: str | None = None
    answer: Any = None
    error_code: str | None = None
    error_text: str | None = None
    session_id: UUID | None = None
    bulk_id: UUID | None = None


class Dispatch(msgspec.Struct, frozen=True):
    """What travels to a gateway: which command, for which station, how long it may take, and whether the asker waits."""

    command_id: UUID
    station_id: str
    timeout_s: float
    is_waited_for: bool = True


class Receipt(msgspec.Struct, frozen=True):
    """A gateway's reply: `is_here` False means that it does not hold the station (any more)."""

    is_here: bool


def gateway_subject(gateway_id: UUID) -> str:
    """Where a gateway takes dispatches. Nobody listening there: the gateway is gone, its stations offline."""
    return f"ohmstead.gateway.{gateway_id.hex}.command"
