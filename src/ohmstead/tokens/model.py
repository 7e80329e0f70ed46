"""Tokens: what drivers present to charge."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

# The answer in our words; each edge spells it its own way.
AuthorizationStatus: TypeAlias = Literal[
    "accepted", "blocked", "expired", "unknown", "concurrent", "not_at_this_location", "not_at_this_time", "no_credit"
]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A credential and its limits. `uid` is compared without regard to case."""

    token_id: UUID
    party_id: UUID
    uid: str
    type: str
    status: Literal["active", "blocked"] = "active"
    group_uid: str | None = None
    is_master: bool = False
    may_discharge: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    location_ids: tuple[UUID, ...] | None = None
    weekdays: int = 127
    from_minute: int | None = None
    until_minute: int | None = None
    max_sessions: int | None = 1
    language: str | None = None


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """May this token charge here now? `at` is the station's time of asking, `time_zone` the location's.

    `session_id`: a session that the token already holds and that does not count against `max_sessions`.
    `is_start`: a session begins with it, so concurrent use matters and a master pass is of no use. `station_id` and
    `evse_number`: where, as far as it is known.
    """

    party_id: UUID
    uid: str
    type: str | None
    at: datetime
    location_id: UUID | None = None
    time_zone: str = "UTC"
    is_start: bool = True
    session_id: UUID | None = None
    station_id: str | None = None
    evse_number: int | None = None


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer for everybody. `group_uid` lets others of the group end what this token starts.
    `may_discharge`: energy may flow back out of the car. `language` is what its holder reads (RFC 5646).
    """

    status: AuthorizationStatus
    uid: str
    type: str | None = None
    token_id: UUID | None = None
    group_uid: str | None = None
    is_master: bool = False
    may_discharge: bool = False
    valid_until: datetime | None = None
    language: str | None = None

    @property
    def is_accepted(self) -> bool:
        return self.status == "accepted"
