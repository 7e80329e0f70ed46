"""Reservations: an outlet kept free for a token or its group, from–until."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ohmstead.stations.orders.form import Instant

# requested: in our books, the station has not said yes; accepted: it has, and the time has not come; active: it keeps
# the outlet free now. The rest is over: nobody came (no_show), the station never kept it (expired), …
Status: TypeAlias = Literal["requested", "accepted", "refused", "active", "used", "expired", "no_show", "cancelled"]
Scope: TypeAlias = Literal["evse", "station", "location"]
Happening: TypeAlias = Literal["kept", "refused", "used", "let_go", "ran_out", "unused", "cancelled"]

OPEN: tuple[Status, ...] = ("requested", "accepted", "active")


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """One reservation; what the columns mean stands with table `reservation`."""

    reservation_id: UUID
    party_id: UUID
    number: Annotated[int, Meta(description="What the station knows it by: OCPP's reservation id.")]
    station_id: str
    evse_number: Annotated[int, Meta(description="The outlet that it holds in the books.")]
    location_id: UUID | None
    scope: Annotated[
        Scope, Meta(description="What was asked for: this outlet, any of the station, any of the location.")
    ]
    connector_type: str | None
    token_uid: str
    token_type: str
    group_uid: Annotated[str | None, Meta(description="Tokens of this group may use it too.")]
    priority: int
    from_at: datetime
    until_at: datetime
    status: Status
    reason: Annotated[str | None, Meta(description="Why it was refused or cancelled, in the station's or our words.")]
    is_held: Annotated[bool, Meta(description="The station keeps the outlet free, as far as it told.")]
    tell_at: datetime
    told_at: datetime | None
    session_id: UUID | None
    before: Annotated[
        dict[str, Any] | None,
        Meta(description="What holds until the station has answered to a change; null when none is under way."),
    ] = None
    change_refused: Annotated[str | None, Meta(description="Why the last change was not made.")] = None
    requested_by: str
    version: Annotated[int, Meta(description="Counts changes; it is the ETag.")]
    created_at: datetime
    updated_at: datetime


class NewReservation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to reserve, for whom, for how long. Without `evse_number` any outlet of the station that fits; with a
    `location_id` instead of a station, any that fits at the location.
    """

    token_uid: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}$(?!\n)", description="Of a token of yours.")]
    until_at: Annotated[Instant, Meta(description="When it ends by itself.")]
    from_at: Annotated[Instant | None, Meta(description="When it begins; now when left out.")] = None
    station_id: Annotated[str, Meta(max_length=48)] | None = None
    evse_number: Annotated[int, Meta(ge=1, le=1000)] | None = None
    location_id: UUID | None = None
    connector_type: Annotated[str, Meta(max_length=40, description="As OCPI names it: `IEC_62196_T2`.")] | None = None
    priority: (
        Annotated[int, Meta(ge=0, le=9, description="Before others that have not begun; the group's when left out.")]
        | None
    ) = None


class ReservationChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to change of a reservation; what is left out stays."""

    token_uid: (
        Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}$(?!\n)", description="Of a token of yours.")] | UnsetType
    ) = UNSET
    evse_number: Annotated[int, Meta(ge=1, le=1000, description="Another outlet of its station.")] | UnsetType = UNSET
    from_at: Annotated[Instant, Meta(description="Only while the station keeps nothing yet.")] | UnsetType = UNSET
    until_at: Instant | UnsetType = UNSET


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a change may change, and what follows from it."""

    evse_number: int
    lane: int
    scope: Scope
    token_uid: str
    token_type: str
    group_uid: str | None
    from_at: datetime
    until_at: datetime
    tell_at: datetime


class Outlet(msgspec.Struct, frozen=True):
    """An outlet that could be reserved. `is_here`: its station is connected now."""

    station_id: str
    evse_number: int
    location_id: UUID | None
    is_here: bool


class ReservationReport(msgspec.Struct, frozen=True, kw_only=True):
    """A station says what became of a reservation (ReservationStatusUpdate, or a start that carries its number)."""

    station_id: str
    number: int
    what: Literal["used", "let_go", "ran_out", "unused"]
    at: datetime


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A session began at an outlet: whose reservation was it?"""

    session_id: UUID
    station_id: str
    evse_number: int | None
    token_uid: str | None
    group_uid: str | None
    at: datetime
    number: int | None = None
