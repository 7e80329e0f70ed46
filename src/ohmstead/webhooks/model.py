"""Webhooks: whom we tell what happens, what was sent, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

DisabledWhy: TypeAlias = Literal["by_hand", "gone", "failing"]
DeliveryStatus: TypeAlias = Literal["waiting", "delivered", "failed"]
Url: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=2000, description="Where to: `https://…`, public unless the setting allows it.")
]
Description: TypeAlias = Annotated[str, Meta(max_length=500)]
Kinds: TypeAlias = Annotated[
    list[str], Meta(min_length=1, max_length=100, description="Of which events it hears; null: of all.")
]


class Webhook(Struct, frozen=True, kw_only=True):
    """An address that is told of events by signed requests."""

    webhook_id: UUID
    party_id: UUID
    url: str
    description: str
    kinds: Annotated[list[str] | None, Meta(description="Of which events it hears; null: of all.")]
    is_enabled: bool
    disabled_why: Annotated[
        DisabledWhy | None, Meta(description="gone: it answered 410; failing: it took nothing for three days.")
    ]
    disabled_at: datetime | None
    failing_since: Annotated[
        datetime | None, Meta(description="When a request first failed since the last one that was taken.")
    ]
    last_success_at: Annotated[datetime | None, Meta(description="When a request was taken, to the minute.")]
    n_waiting: Annotated[int, Meta(description="Requests that are to be made, or made again; counted up to 10,000.")]
    secrets_expire_at: Annotated[
        list[datetime], Meta(description="Older secrets that still sign, by when they cease to.")
    ]
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime


class NewWebhook(Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook to be."""

    url: Url
    description: Description = ""
    kinds: Kinds | None = None
    is_enabled: bool = True


class WebhookChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a webhook; what is left out stays."""

    url: Url | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    kinds: Kinds | None | UnsetType = UNSET
    is_enabled: bool | UnsetType = UNSET


class WithWebhookSecret(Struct, frozen=True, kw_only=True):
    """A webhook, and the secret its requests are signed with, which is told this once."""

    webhook: Webhook
    secret: Annotated[str, Meta(description="`whsec_…`, as Standard Webhooks has it.")]


class Delivery(Struct, frozen=True, kw_only=True):
    """One event for one webhook, and how far it is."""

    delivery_id: UUID
    webhook_id: UUID
    message_id: Annotated[str, Meta(description="The header `webhook-id`: the same in every attempt.")]
    event_id: Annotated[int | None, Meta(description="As in `/events/outbox`; null: an example.")]
    kind: str
    subject: str
    is_example: bool
    status: DeliveryStatus
    n_attempts: int
    next_at: Annotated[datetime | None, Meta(description="When it is tried again; null: it is over.")]
    created_at: datetime
    finished_at: datetime | None
    last_status_code: Annotated[int | None, Meta(description="What the receiver answered last.")]
    last_error: Annotated[str | None, Meta(description="Why the last attempt failed.")]


class DeliveryAttempt(Struct, frozen=True, kw_only=True):
    """One request, and what came back."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    answer: Annotated[str | None, Meta(description="The beginning of the answer's body, as text.")]
    error: str | None


class DeliveryInFull(Struct, frozen=True, kw_only=True):
    """A delivery with its body and all attempts."""

    delivery: Delivery
    body: Annotated[str, Meta(description="What is sent, to the byte.")]
    attempts: list[DeliveryAttempt]


class DeliveryFilter(Struct, frozen=True, kw_only=True):
    """Which deliveries; what is None matches all."""

    status: DeliveryStatus | None = None
    kind: str | None = None


class Claimed(Struct, frozen=True, kw_only=True):
    """A delivery that this worker is to make now."""

    delivery_id: UUID
    webhook_id: UUID
    party_id: UUID
    url: str
    kind: str
    body: str
    is_example: bool
    n_tries: int
    failing_since: datetime | None
    sealed: list[bytes]


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a request. `next_at`: when it is made again; None: it is over, well or not."""

    at: datetime
    duration_ms: int
    status_code: int | None = None
    answer: str | None = None
    error: str | None = None
    next_at: datetime | None = None

    @property
    def is_taken(self) -> bool:
        return self.error is None


def message_id(delivery_id: UUID) -> str:
    """What a receiver knows a delivery by."""
    return f"msg_{delivery_id.hex}"


class Waiting(Struct, frozen=True, kw_only=True):
    """A row for the queue."""

    delivery_id: UUID
    webhook_id: UUID
    party_id: UUID
    event_id: int | None
    kind: str
    subject: str
    body: str
    is_example: bool = False


class Message(Struct, frozen=True, kw_only=True):
    """The body of a request."""

    type: Annotated[str, Meta(description="The kind of event, as `SessionEnded`.")]
    timestamp: Annotated[datetime, Meta(description="When it happened.")]
    event_id: Annotated[int | None, Meta(description="As in `/events/outbox`; null: an example.")]
    subject: Annotated[str, Meta(description="What it is about, as `session/<id>`.")]
    data: dict[str, Any]
