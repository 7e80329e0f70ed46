"""Examples of single messages, of what they mean, and of a station's day."""

from typing import Any

from ohmstead.api.messages import Actions, DayView, MessageDetail

_STATUS: dict[str, Any] = {
    "station_id": "HARBOUR-01",
    "received_at": "2026-03-02T09:31:50.210000Z",
    "message_id": "b1",
    "direction": "in",
    "version": "2.0.1",
    "action": "Heartbeat",
    "payload": "{}",
    "answer_kind": "result",
    "answer": '{"currentTime":"2026-03-02T09:31:50.211000Z"}',
    "error_code": None,
    "latency_us": 812,
}

MESSAGE_EXAMPLES: dict[Any, Any] = {
    MessageDetail: {
        "message": _STATUS,
        "explanation": {
            "action": "Heartbeat",
            "about": "A sign of life. The answer carries the time, by which the station sets its clock.",
            "request": [],
            "answer": [
                {
                    "path": "currentTime",
                    "depth": 0,
                    "name": "currentTime",
                    "value": "2026-03-02T09:31:50.211000Z",
                    "about": "The time of whoever answers. The station sets its clock by it.",
                    "means": None,
                }
            ],
            "error": None,
        },
        "previous": None,
        "changes": [],
    },
    Actions: {
        "items": [
            {
                "version": "1.6",
                "action": "ClearCache",
                "about": "Asks the station to forget the tokens it has looked up before, so that it asks again.",
                "request": [],
                "answer": [
                    {
                        "name": "status",
                        "about": "What was decided, or how it stands.",
                        "values": {
                            "Accepted": "yes: it is, or will be, done",
                            "Rejected": "no: it will not be done",
                        },
                    }
                ],
            }
        ]
    },
    DayView: {
        "station_id": "HARBOUR-01",
        "from": "2026-03-02T00:00:00Z",
        "to": "2026-03-03T00:00:00Z",
        "states": [
            {
                "at": "2026-03-02T09:00:00Z",
                "evse_number": 1,
                "connector_number": 1,
                "status": "faulted",
                "error_code": "GroundFailure",
            }
        ],
        "connections": [{"at": "2026-03-01T21:10:00Z", "is_connected": True, "reason": ""}],
        "sessions": [
            {
                "session_id": "019a9d64-0f10-7a11-8c00-6a7b8c9d0e1f",
                "evse_number": 1,
                "connector_number": 1,
                "started_at": "2026-03-02T07:10:00Z",
                "ended_at": "2026-03-02T08:40:00Z",
                "energy_wh": 17250,
                "status": "completed",
                "anomalies": [],
            }
        ],
        "messages": [
            {
                "at": "2026-03-02T09:00:00Z",
                "until": "2026-03-02T09:15:00Z",
                "n": 12,
                "n_failed": 1,
                "slowest_us": 2311000,
            }
        ],
        "issues": [
            {
                "at": "2026-03-02T09:00:00Z",
                "kind": "fault",
                "text": "The ground-fault breaker has tripped.",
                "evse_number": 1,
                "session_id": None,
            }
        ],
    },
}
