"""What becomes of a reservation: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET

from ohmstead.core.errors import Invalid
from ohmstead.reservations.model import OPEN, Happening, NewReservation, Reservation, ReservationChange, Status

LEAD = timedelta(seconds=60)
"""How long before its time a station is told: it may have to free the outlet, and messages take their time."""
LONGEST = timedelta(days=14)
FARTHEST = timedelta(days=366)
RAN_OUT_EARLY = timedelta(seconds=90)

# (status, happening) → status; what is not here changes nothing: messages come late and twice
TABLE: dict[tuple[Status, Happening], Status] = {
    ("requested", "kept"): "accepted",
    ("requested", "refused"): "refused",
    ("requested", "used"): "used",
    ("requested", "let_go"): "cancelled",
    ("requested", "ran_out"): "expired",
    ("requested", "unused"): "no_show",
    ("requested", "cancelled"): "cancelled",
    ("accepted", "used"): "used",
    ("accepted", "let_go"): "cancelled",
    ("accepted", "ran_out"): "expired",
    ("accepted", "unused"): "no_show",
    ("accepted", "cancelled"): "cancelled",
    ("active", "used"): "used",
    ("active", "let_go"): "cancelled",
    ("active", "ran_out"): "no_show",
    ("active", "unused"): "no_show",
    ("active", "cancelled"): "cancelled",
    # A car that came is a car that came, whatever we thought in the meantime.
    ("expired", "used"): "used",
    ("no_show", "used"): "used",
}


def after(status: Status, happening: Happening, from_at: datetime, until_at: datetime, at: datetime) -> Status:
    """The status after something happened at `at`; the same one when it means nothing (any more)."""
    following = TABLE.get((status, happening), status)
    if following == "accepted" and at >= from_at:
        return "active"
    if status == "active" and happening == "ran_out" and at < until_at - RAN_OUT_EARLY:
        # The station ended it long before its time: nobody can be blamed for not coming.
        return "expired"
    return following


def as_time_passes(status: Status, from_at: datetime, until_at: datetime, at: datetime) -> Status:
    """The status that the clock alone brings."""
    if status not in OPEN:
        return status
    if at >= until_at:
        return "no_show" if status == "active" else "expired"
    return "active" if status == "accepted" and at >= from_at else status


def tell_at(from_at: datetime, now: datetime) -> datetime:
    """When the station is to be told."""
    return max(from_at - LEAD, now)


def span(given: NewReservation, now: datetime) -> tuple[datetime, datetime]:
    """From and until. Raises Invalid for what nobody can reserve."""
    from_at = given.from_at if given.from_at is not None else now
    if from_at < now - timedelta(minutes=5):
        raise Invalid("lies in the past", "from_at")
    if given.until_at <= max(from_at, now):
        raise Invalid("must be after the beginning, and after now", "until_at")
    if given.until_at - from_at > LONGEST:
        raise Invalid(f"at most {LONGEST.days} days after the beginning", "until_at")
    if from_at - now > FARTHEST:
        raise Invalid(f"at most {FARTHEST.days} days ahead", "from_at")
    return max(from_at, now), given.until_at


def changed_span(held: Reservation, given: ReservationChange, now: datetime) -> tuple[datetime, datetime]:
    """From and until after a change. Raises Invalid for what nobody can reserve, or no station can be told."""
    from_at = held.from_at if given.from_at is UNSET else given.from_at
    until_at = held.until_at if given.until_at is UNSET else given.until_at
    if given.from_at is not UNSET:
        if held.status != "requested" and tell_at(from_at, now) > now:
            # OCPP knows no beginning: a station keeps the outlet from the moment that it is told.
            raise Invalid("its station keeps the outlet already: cancel it and reserve anew", "from_at")
        if from_at < min(held.from_at, now) - timedelta(minutes=5):
            raise Invalid("lies in the past", "from_at")
        if from_at - now > FARTHEST:
            raise Invalid(f"at most {FARTHEST.days} days ahead", "from_at")
    if until_at <= max(from_at, now):
        raise Invalid("must be after the beginning, and after now", "until_at")
    if until_at - from_at > LONGEST:
        raise Invalid(f"at most {LONGEST.days} days after the beginning", "until_at")
    return from_at, until_at


def is_about(reservation: Reservation, order: Mapping[str, Any]) -> bool:
    """Does an order to its station carry the terms that the reservation has now, or those of another time?"""
    evse_number = order.get("evse_number")
    return (
        datetime.fromisoformat(order["expires_at"]) == reservation.until_at
        and order["token"]["uid"] == reservation.token_uid
        and evse_number in (None, reservation.evse_number)
    )


def check_place(given: NewReservation) -> None:
    """Either a station, or a location. Raises Invalid."""
    if (given.station_id is None) == (given.location_id is None):
        raise Invalid("name a station or a location, one of them", "station_id")
    if given.evse_number is not None and given.station_id is None:
        raise Invalid("an outlet is one of a station: name the station", "evse_number")


def may_use(token_uid: str, group_uid: str | None, holder_uid: str, holder_group: str | None) -> bool:
    """Is it theirs: the same token, or one of the same group? Compared without regard to case."""
    if token_uid.lower() == holder_uid.lower():
        return True
    return group_uid is not None and holder_group is not None and group_uid.lower() == holder_group.lower()


def yields(reservation: Reservation, priority: int, now: datetime) -> bool:
    """Does it make room for one of `priority`? Only before its time, and only for a higher one."""
    return (
        reservation.status in ("requested", "accepted")
        and now < reservation.from_at
        and reservation.priority < priority
    )


def is_refused(
    holds: Sequence[Reservation], n_outlets: int, evse_number: int | None, uid: str, group_uid: str | None
) -> bool:
    """Would a token take an outlet from those for whom it is kept, at a station with `n_outlets`?

    `evse_number` None: it is not said which outlet. One kept anywhere at the station is not bound to its number.
    """
    if any(may_use(uid, group_uid, r.token_uid, r.group_uid) and _is_for(r, evse_number) for r in holds):
        return False
    others = [r for r in holds if not may_use(uid, group_uid, r.token_uid, r.group_uid)]
    if evse_number is not None and any(r.scope != "station" and r.evse_number == evse_number for r in others):
        return True
    return len({r.evse_number for r in others}) >= max(n_outlets, 1)


def _is_for(reservation: Reservation, evse_number: int | None) -> bool:
    return reservation.scope == "station" or evse_number is None or reservation.evse_number == evse_number
