"""Examples of messages to people, their words, and what drivers want to be told."""

from typing import Any

from ohmstead.api.notifications import MessageTemplateName, NewMessageTemplate, SentTest
from ohmstead.notifications.choosing import all_channels
from ohmstead.notifications.model import Notification, NotificationInFull, Preferences, PreferencesChange
from ohmstead.notifications.templates import MessagePreview, MessageTemplate

_ID = "019a9d95-1100-7a10-8b00-2b3c4d5e6f71"
_DRIVER = "019a9d5f-2200-7c11-8a00-1f2e3d4c5b6a"
_WORDS: dict[str, Any] = {
    "kind": "charging_complete",
    "language": "en",
    "subject": "Done: {{ energy }}",
    "body": "{{ energy }} for {{ total }}.\n\n[See the details]({{ link }})",
}
_MESSAGE: dict[str, Any] = {
    "notification_id": _ID,
    "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
    "kind": "charging_complete",
    "key": "charging_complete:019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
    "channel": "email",
    "driver_id": _DRIVER,
    "driver_name": "Noor Visser",
    "address": "noor@example.com",
    "language": "en",
    "status": "sent",
    "reason": None,
    "subject": "Charging complete: 23.45 kWh",
    "n_attempts": 1,
    "next_at": None,
    "created_at": "2026-03-02T12:58:01Z",
    "finished_at": "2026-03-02T12:58:02Z",
    "last_answer": "2.0.0 Ok: queued as 4711",
    "last_error": None,
}

NOTIFICATION_EXAMPLES: dict[Any, Any] = {
    Notification: _MESSAGE,
    NotificationInFull: {
        "notification": _MESSAGE,
        "body": "Your session at HARBOUR-01, Harbour East, is over.\n",
        "attempts": [
            {
                "number": 1,
                "at": "2026-03-02T12:58:01Z",
                "duration_ms": 212,
                "answer": "2.0.0 Ok: queued as 4711",
                "error": None,
            }
        ],
    },
    MessageTemplateName: {"kind": "charging_complete", "language": "en"},
    NewMessageTemplate: _WORDS,
    MessageTemplate: {
        **_WORDS,
        "title": "Charging complete",
        "theme": "charging",
        "is_own": True,
        "variables": [
            {"name": "energy", "meaning": "Energy of the session so far, or in the end", "example": "23450"},
        ],
        "updated_at": "2026-03-02T08:00:00Z",
        "updated_by": "operator:019a9d5e-7b10-7000-8000-000000000001",
    },
    MessagePreview: {
        "subject": "Done: 23.45 kWh",
        "text": "23.45 kWh for €12.40.\n\nSee the details: https://charge.example.com/drive\n",
        "html": '<!doctype html>\n<html lang="en">…</html>\n',
        "brief": "23.45 kWh for €12.40.",
        "fragment": "<p>23.45 kWh for €12.40.</p>",
    },
    SentTest: {"notification_id": _ID},
    PreferencesChange: {
        "channels": {"nearly_full": ["push", "sms"], "charging_started": []},
        "quiet_from_minute": 1320,
        "quiet_until_minute": 420,
    },
    Preferences: {
        "driver_id": _DRIVER,
        "channels": all_channels({"nearly_full": ["push", "sms"], "charging_started": []}),
        "quiet_from_minute": 1320,
        "quiet_until_minute": 420,
        "time_zone": None,
        "language": "nl",
        "email": "noor@example.com",
        "phone": "+31 10 1234567",
        "phone_confirmed_at": "2026-03-02T08:05:00Z",
        "n_devices": 1,
        "version": 3,
    },
}
