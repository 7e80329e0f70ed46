"""Notifications: what people are told, over which channels, what they want to be told, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

Channel: TypeAlias = Literal["email", "sms", "push"]
CHANNELS: tuple[Channel, ...] = ("email", "sms", "push")
Status: TypeAlias = Literal["queued", "sending", "sent", "failed", "dropped"]
# no_channel: the installation has none such; no_address: the person left none; quiet_hours: of no use after them;
# too_late: it could not be sent while it was of use; turned_off: meanwhile; erased; refused: whoever takes it said no, for
# good; given_up: after the last attempt; words: its template makes no sense.
Reason: TypeAlias = Literal[
    "no_channel",
    "no_address",
    "quiet_hours",
    "too_late",
    "turned_off",
    "erased",
    "refused",
    "given_up",
    "words",
]
MinuteOfDay: TypeAlias = Annotated[int, Meta(ge=0, le=1439, description="Minutes since midnight, on the wall.")]
Chosen: TypeAlias = Annotated[list[Channel], Meta(max_length=3)]


class Recipient(Struct, frozen=True, kw_only=True):
    """To whom. A driver is told as they wish; who is no driver (a guest) by e-mail or SMS. An `email` or `phone` given
    beside a driver is used instead of theirs; `language` likewise.
    """

    driver_id: UUID | None = None
    operator_id: UUID | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None


class Attachment(Struct, frozen=True, kw_only=True):
    """What is sent along: made when it is sent. `invoice`: the PDF of one."""

    type: Literal["invoice"]
    id: UUID


class Order(Struct, frozen=True, kw_only=True):
    """One person is to be told of one thing. `key` names the thing: told once, however often it is asked for.

    `time_zone`: of the place, for times in the text and for quiet hours where the driver names none. `since`: when it
    happened, where news of it are of no use later; None: it is told whenever we hear of it.
    """

    kind: str
    to: Recipient
    data: dict[str, Any]
    key: str
    attachments: tuple[Attachment, ...] = ()
    time_zone: str | None = None
    since: datetime | None = None


class Notification(Struct, frozen=True, kw_only=True):
    """A message to one person over one channel, and how far it is."""

    notification_id: UUID
    party_id: UUID
    kind: str
    key: Annotated[str, Meta(description="What it tells of; the same is told once.")]
    channel: Channel
    driver_id: UUID | None
    driver_name: Annotated[str | None, Meta(description="Null: no driver, or one who was erased.")]
    address: Annotated[str | None, Meta(description="E-mail address or telephone number; null: push.")]
    language: str
    status: Status
    reason: Annotated[Reason | None, Meta(description="Why it was dropped, or failed.")]
    subject: Annotated[str | None, Meta(description="As it was sent; null before.")]
    n_attempts: int
    next_at: Annotated[datetime | None, Meta(description="When it is tried; null: it is over.")]
    created_at: datetime
    finished_at: datetime | None
    last_answer: Annotated[str | None, Meta(description="What the provider said last.")]
    last_error: Annotated[str | None, Meta(description="Why the last attempt failed.")]


class Attempt(Struct, frozen=True, kw_only=True):
    """One time that it was tried."""

    number: int
    at: datetime
    duration_ms: int
    answer: str | None
    error: str | None


class NotificationInFull(Struct, frozen=True, kw_only=True):
    """A message with its text and all attempts."""

    notification: Notification
    body: Annotated[str | None, Meta(description="The text that was sent; null before, and of what is secret.")]
    attempts: list[Attempt]


class NotificationFilter(Struct, frozen=True, kw_only=True):
    """Which messages; what is None matches all."""

    status: Status | None = None
    channel: Channel | None = None
    kind: str | None = None
    driver_id: UUID | None = None
    q: str | None = None


class Preferences(Struct, frozen=True, kw_only=True):
    """What a driver wants to be told, over which channels, and when not."""

    driver_id: UUID
    channels: Annotated[
        dict[str, list[Channel]], Meta(description="By kind, all that drivers can choose; none: not told of it.")
    ]
    quiet_from_minute: MinuteOfDay | None
    quiet_until_minute: MinuteOfDay | None
    time_zone: Annotated[str | None, Meta(description="Of quiet hours; null: that of the place, else the party's.")]
    language: Annotated[str | None, Meta(description="As the driver has it: change it there.")]
    email: str | None
    phone: str | None
    phone_confirmed_at: Annotated[datetime | None, Meta(description="null: nothing of these goes to the number.")]
    n_devices: Annotated[int, Meta(description="Browsers that take push messages.")]
    version: Annotated[int, Meta(description="Counts changes; 0: nothing was ever chosen.")]


class PreferencesChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is left out stays. Quiet hours: both or none."""

    channels: Annotated[dict[str, Chosen], Meta(max_length=60)] | UnsetType = UNSET
    quiet_from_minute: MinuteOfDay | None | UnsetType = UNSET
    quiet_until_minute: MinuteOfDay | None | UnsetType = UNSET
    time_zone: Annotated[str, Meta(max_length=60)] | None | UnsetType = UNSET


class NewSubscription(Struct, kw_only=True):
    """A browser's push subscription, as `PushSubscription.toJSON()` gives it, its keys unpacked."""

    endpoint: Annotated[str, Meta(min_length=10, max_length=2000, pattern=r"^https?://[^\s]+$(?!\n)")]
    p256dh: Annotated[str, Meta(min_length=80, max_length=100, pattern=r"^[A-Za-z0-9_-]+=*$(?!\n)")]
    auth: Annotated[str, Meta(min_length=20, max_length=30, pattern=r"^[A-Za-z0-9_-]+=*$(?!\n)")]
    device: Annotated[str, Meta(max_length=200)] = ""


class Subscription(Struct, frozen=True, kw_only=True):
    """A browser that takes push messages."""

    subscription_id: UUID
    endpoint: str
    p256dh: str
    auth: str


class PlugWatch(Struct, frozen=True, kw_only=True):
    """A driver waits for a free plug: told once, and no longer than until `expires_at`."""

    watch_id: UUID
    driver_id: UUID
    location_id: UUID | None
    station_id: str | None
    evse_number: int | None
    created_at: datetime
    expires_at: datetime
    told_at: datetime | None


class Follow(Struct, frozen=True, kw_only=True):
    """A favourite place of a driver."""

    location_id: UUID | None
    station_id: str | None
    name: str
    created_at: datetime
