"""Examples of reservations."""

from typing import Any

from ohmstead.api.reservations import GroupPriorities, GroupPriority
from ohmstead.reservations.model import NewReservation, Reservation, ReservationChange

_RESERVATION: dict[str, Any] = {
    "reservation_id": "019a9d64-1100-7c01-9d00-1a2b3c4d5e6f",
    "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
    "number": 1207,
    "station_id": "HARBOUR-01",
    "evse_number": 1,
    "location_id": "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f",
    "scope": "evse",
    "connector_type": None,
    "token_uid": "04A2B3C4D5E680",
    "token_type": "ISO14443",
    "group_uid": None,
    "priority": 0,
    "from_at": "2026-03-02T10:00:00Z",
    "until_at": "2026-03-02T10:30:00Z",
    "status": "active",
    "reason": None,
    "is_held": True,
    "tell_at": "2026-03-02T10:00:00Z",
    "told_at": "2026-03-02T10:00:00.020000Z",
    "session_id": None,
    "before": None,
    "change_refused": None,
    "requested_by": "key:019a9d5e-9990-7f00-a1b2-c3d4e5f60718",
    "version": 2,
    "created_at": "2026-03-02T10:00:00Z",
    "updated_at": "2026-03-02T10:00:00.131000Z",
}

RESERVATION_EXAMPLES: dict[Any, Any] = {
    NewReservation: {
        "station_id": "HARBOUR-01",
        "evse_number": 1,
        "token_uid": "04A2B3C4D5E680",
        "until_at": "2026-03-02T10:30:00Z",
    },
    Reservation: _RESERVATION,
    ReservationChange: {"until_at": "2026-03-02T11:00:00Z"},
    GroupPriority: {"group_uid": "RESCUE", "priority": 5},
    GroupPriorities: {"items": [{"group_uid": "RESCUE", "priority": 5}]},
}
