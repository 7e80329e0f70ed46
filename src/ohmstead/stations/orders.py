"""Orders to stations in our own words, and the row that remembers each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.core.errors import Invalid
from ohmstead.stations.charging_orders import ChargingOrder

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


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a station; the tag is the command's `kind`."""


class RemoteStart(_Order, tag="remote_start", tag_field="kind", frozen=True, kw_only=True):
    """Begin charging for a token. Without `evse_number` the station chooses."""

    token_uid: str
    token_type: str = "ISO14443"  # noqa: S105  (a kind of card, not a secret)
    evse_number: int | None = None
    connector_number: int | None = None


class RemoteStop(_Order, tag="remote_stop", tag_field="kind", frozen=True, kw_only=True):
    """End a session by the station's transaction id."""

    transaction_id: str


class Reset(_Order, tag="reset", tag_field="kind", frozen=True, kw_only=True):
    """Restart. soft: finish sessions politely first (1.6 Soft); hard: at once; on_idle: once nothing charges (2.x)."""

    how: Literal["soft", "hard", "on_idle"] = "soft"
    evse_number: int | None = None


class Unlock(_Order, tag="unlock", tag_field="kind", frozen=True, kw_only=True):
    """Release a connector's cable lock."""

    evse_number: int
    connector_number: int = 1


class SetAvailability(_Order, tag="set_availability", tag_field="kind", frozen=True, kw_only=True):
    """Take the station, an EVSE or a connector out of service, or put it back."""

    is_operative: bool
    evse_number: int | None = None
    connector_number: int | None = None


class GetVariables(_Order, tag="get_variables", tag_field="kind", frozen=True, kw_only=True):
    """Read configuration. `names`: 1.6 keys, or 2.x `Component.Variable` (`Component[instance]@evse.connector.Variable`).

    Empty names: everything (1.6 GetConfiguration; 2.x a full GetBaseReport, whose chunks arrive afterwards).
    """

    names: tuple[str, ...] = ()


class SetVariables(_Order, tag="set_variables", tag_field="kind", frozen=True, kw_only=True):
    """Write configuration, name → value; names as in GetVariables. 1.6 takes one key at a time."""

    values: dict[str, str]


class Trigger(_Order, tag="trigger", tag_field="kind", frozen=True, kw_only=True):
    """Ask the station to send a message now: the OCPP name of the message (`Heartbeat`, `StatusNotification`, …)."""

    message: str
    evse_number: int | None = None
    connector_number: int | None = None


class TransactionStatus(_Order, tag="transaction_status", tag_field="kind", frozen=True, kw_only=True):
    """2.x: is the transaction going on, and are messages about it still queued (E14)?"""

    transaction_id: str | None = None


class Raw(_Order, tag="raw", tag_field="kind", frozen=True, kw_only=True):
    """Any CSMS→station message of the station's version, exactly as given; checked against its schema before it leaves."""

    action: str
    payload: dict[str, Any]


Order: TypeAlias = (
    RemoteStart
    | RemoteStop
    | Reset
    | Unlock
    | SetAvailability
    | GetVariables
    | SetVariables
    | Trigger
    | TransactionStatus
    | Raw
    | ChargingOrder
)


class Command(msgspec.Struct, kw_only=True):
    """An order and what became of it. `answer` is the station's own reply, as OCPP spells it."""

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


class Dispatch(msgspec.Struct, frozen=True):
    """What travels to a gateway: which command, for which station, and how long the asker waits."""

    command_id: UUID
    station_id: str
    timeout_s: float


class Receipt(msgspec.Struct, frozen=True):
    """A gateway's reply: `is_here` False means that it does not hold the station (any more)."""

    is_here: bool


def gateway_subject(gateway_id: UUID) -> str:
    """Where a gateway takes dispatches. Nobody listening there: the gateway is gone, its stations offline."""
    return f"ohmstead.gateway.{gateway_id.hex}.command"


def order_of(command: Command) -> Order:
    """The order inside a command row. Raises Invalid when the row is not one of ours."""
    try:
        order: Order = msgspec.convert({"kind": command.kind, **command.parameters}, Order)
        return order
    except msgspec.ValidationError as error:
        raise Invalid(f"not an order: {error}") from error
