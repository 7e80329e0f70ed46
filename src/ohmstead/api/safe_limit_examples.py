"""Examples of safe limits and of checks."""

from typing import Any

from ohmstead.api.safe_limits import HeldLimits, ProfileChecks
from ohmstead.smartcharging.defaults.model import NewSafeLimit, SafeLimit, SafeLimitChange

_ID = "019a9d60-1c00-7a10-8b00-2b3c4d5e6f71"
_NEW: dict[str, Any] = {"name": "Harbour, 10 A", "limit": 10, "rate_unit": "A", "model": "Wallbox*"}
_KEPT = {
    **_NEW,
    "safe_limit_id": _ID,
    "priority": 0,
    "vendor": None,
    "firmware": None,
    "location_id": None,
    "station_ids": None,
    "evse_number": None,
    "is_enabled": True,
    "version": 1,
    "created_at": "2026-03-11T13:30:00Z",
    "updated_at": "2026-03-11T13:30:00Z",
}

SAFE_LIMIT_EXAMPLES: dict[Any, Any] = {
    NewSafeLimit: _NEW,
    SafeLimitChange: {"limit": 8},
    SafeLimit: _KEPT,
    HeldLimits: {
        "items": [
            {
                "evse_number": 0,
                "safe_limit_id": _ID,
                "name": "Harbour, 10 A",
                "limit": 10,
                "rate_unit": "A",
                "state": "same",
                "profile_id": 12,
                "detail": None,
            }
        ]
    },
    ProfileChecks: {
        "items": [
            {
                "evse_number": 1,
                "status": "differs",
                "detail": "it accepted 6.9 kW and says it would deliver 22.1 kW",
                "differences": [{"at_s": 0, "expected_w": 6900, "told_w": 22080}],
                "since": "2026-03-11T13:30:00Z",
                "checked_at": "2026-03-11T13:30:10Z",
            }
        ]
    },
}
