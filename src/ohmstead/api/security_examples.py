"""Examples of security and of how the installation is set up."""

from typing import Any

from ohmstead.reports.installation.model import Integrations, Retention, SignInWays
from ohmstead.reports.security.model import SecuritySignal, SecuritySummary, TurnedAway

_DAY: dict[str, Any] = {
    "since": "2026-03-01T08:00:00Z",
    "n_turned_away": 41,
    "n_identities": 2,
    "n_of_stations": 3,
    "n_station_events": 1,
    "n_grave": 0,
    "n_refused_sign_ins": 1,
}

SECURITY_EXAMPLES: dict[Any, Any] = {
    SecuritySummary: {
        "day": _DAY,
        "week": {**_DAY, "since": "2026-02-23T08:00:00Z", "n_turned_away": 60},
        "n_certificates_ending": 1,
        "audit": {"n_entries": 812, "head_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
    },
    SecuritySignal: {
        "signal_id": 4711,
        "at": "2026-03-02T07:59:00Z",
        "kind": "station_tamper_detection_activated",
        "meaning": "Somebody opened it, or tampered with it.",
        "is_grave": True,
        "station_id": "HARBOUR-01",
        "is_known": True,
        "remote_address": None,
        "detail": {"tech_info": "door 1"},
    },
    TurnedAway: {
        "station_id": "HARBOUR-01",
        "is_known": True,
        "remote_address": "192.0.2.44",
        "kind": "connection_refused",
        "reason": "password_wrong",
        "meaning": "the password is wrong",
        "n": 38,
        "first_at": "2026-03-02T06:10:00Z",
        "last_at": "2026-03-02T07:58:00Z",
    },
    SignInWays: {
        "console_url": "https://net.example",
        "passkey_origin": "https://net.example",
        "passkey_domain": "net.example",
        "asks_breach_list": False,
        "providers": [
            {
                "name": "work",
                "label": "Work account",
                "issuer": "https://login.example",
                "client_id": "ohmstead",
                "party": None,
                "groups_claim": "groups",
                "groups": {"charging": "operations"},
                "default_role": None,
                "creates_people": True,
                "links_by_email": True,
            }
        ],
        "directory": {
            "address": "https://net.example/scim/v2",
            "is_on": True,
            "n_keys": 1,
            "last_used_at": "2026-03-02T07:00:00Z",
            "last_used_from": "192.0.2.10",
        },
    },
    Integrations: {
        "items": [
            {
                "name": "OCSP",
                "meaning": "Asked whether contract certificates are good.",
                "is_on": True,
                "settings": ["OHMSTEAD_OCSP_HOSTS"],
                "where": ["ocsp.example"],
            }
        ],
        "vendors": [
            {
                "vendor_id": "org.openchargealliance.costmsg",
                "meaning": "Prices and costs on the station’s display",
                "to_station": ["FinalCost", "RunningCost", "SetUserPrice"],
                "from_station": ["ConnectorUnplugged"],
            }
        ],
    },
    Retention: {
        "items": [
            {
                "what": "OCPP messages",
                "days": 14,
                "setting": "OHMSTEAD_MESSAGE_RETENTION_DAYS",
                "note": "Every call and answer; events for programs too.",
            }
        ]
    },
}
