"""Examples of what needs a person."""

from typing import Any

from ohmstead.api.concerns import Concerns

CONCERN_EXAMPLES: dict[Any, Any] = {
    Concerns: {
        "items": [
            {
                "urgency": "failed",
                "kind": "offline",
                "title": "HARBOUR-01 is offline",
                "text": "Since 09:12. The last thing it said was a heartbeat.",
                "since_at": "2026-03-02T09:12:00Z",
                "path": "/stations/HARBOUR-01",
                "action": "Look at the station",
                "station_id": "HARBOUR-01",
                "subject": None,
            }
        ]
    }
}
