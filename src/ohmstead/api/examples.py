"""One example of everything that goes over the wire, by type: for the documentation, and checked by the tests."""

from typing import Any

from ohmstead.accounts.model import ApiKey
from ohmstead.api import certificate_examples
from ohmstead.api.bank_line_examples import BANK_LINE_EXAMPLES
from ohmstead.api.billing_examples import BILLING_EXAMPLES
from ohmstead.api.bulk import BulkCount, NewBulkCommand
from ohmstead.api.commands import Capabilities, RawAnswer
from ohmstead.api.concern_examples import CONCERN_EXAMPLES
from ohmstead.api.device_examples import DEVICE_EXAMPLES
from ohmstead.api.driver_examples import DRIVER_EXAMPLES
from ohmstead.api.event_examples import EVENT_EXAMPLES
from ohmstead.api.file_examples import FILE_EXAMPLES
from ohmstead.api.invoice_examples import INVOICE_EXAMPLES, INVOICE_TEXTS
from ohmstead.api.keys import ApiKeyChange, ApiKeys, CreatedApiKey, Me, NewApiKey
from ohmstead.api.message_examples import MESSAGE_EXAMPLES
from ohmstead.api.notification_examples import NOTIFICATION_EXAMPLES
from ohmstead.api.operations import Page
from ohmstead.api.party_examples import PARTY_EXAMPLES
from ohmstead.api.paying_examples import PAYING_EXAMPLES
from ohmstead.api.payment_examples import PAYMENT_EXAMPLES
from ohmstead.api.people_examples import PEOPLE_EXAMPLES
from ohmstead.api.profiles import AllNeeds, ChargingLimits, Composites, NewProfile, Profiles
from ohmstead.api.report_examples import REPORT_EXAMPLES
from ohmstead.api.reservation_examples import RESERVATION_EXAMPLES
from ohmstead.api.reservations import BatterySwaps
from ohmstead.api.safe_limit_examples import SAFE_LIMIT_EXAMPLES
from ohmstead.api.security_examples import SECURITY_EXAMPLES
from ohmstead.api.sessions import ChargingPeriods, SessionEvents, SignedReadings
from ohmstead.api.signed_examples import METER_KEY, SIGNED_EXAMPLES, SIGNED_TEXTS
from ohmstead.api.site_examples import SITE_DETAILS, SITE_EXAMPLES, SITE_TEXTS
from ohmstead.api.stations import BulkAnswer, SecretChange, Variables
from ohmstead.api.tariff_examples import TARIFF_EXAMPLES
from ohmstead.api.web_payment_examples import WEB_PAYMENT_EXAMPLES
from ohmstead.sessions.notices.queries import SettlementView
from ohmstead.sessions.queries import SampleView, SessionView
from ohmstead.smartcharging.model import HeldProfile
from ohmstead.stations.bulk.model import BulkCommand, BulkResult
from ohmstead.stations.directory.service import (
    Adoption,
    LocationChange,
    NewLocation,
    NewStation,
    StationChange,
    WithSecret,
)
from ohmstead.stations.orders import Command, Order
from ohmstead.stations.queries import Location, MessageView, StationView
from ohmstead.tokens.queries import TokenView
from ohmstead.tokens.register.service import NewToken, TokenChange, TokenReport

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_LOCATION_ID = "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"
_SESSION_ID = "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f"
_TOKEN_ID = "019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d"  # noqa: S105
_COMMAND_ID = "019a9d63-90c8-7e21-8d44-7c8d9e0f1a2b"
_KEY_ID = "019a9d5e-9990-7f00-a1b2-c3d4e5f60718"

_NEW_LOCATION: dict[str, Any] = {
    "name": "Harbour Car Park",
    "address": "Quay 1",
    "city": "Rotterdam",
    "postal_code": "3011",
    "country": "NLD",
    "latitude": 51.91,
    "longitude": 4.48,
    "time_zone": "Europe/Amsterdam",
    **SITE_DETAILS,
}
_LOCATION: dict[str, Any] = {
    "location_id": _LOCATION_ID,
    "party_id": _PARTY,
    **_NEW_LOCATION,
    "version": 1,
    "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:00:00Z",
    "n_stations": 4,
}
_STATION: dict[str, Any] = {
    "station_id": "HARBOUR-01",
    "party_id": _PARTY,
    "name": "Harbour 1",
    "location_id": _LOCATION_ID,
    "location_name": "Harbour Car Park",
    "registration": "accepted",
    "is_lab": False,
    "security_profile": 2,
    "has_secret": True,
    "certificate_name": None,
    "status": "charging",
    "is_connected": True,
    "ocpp_version": "2.0.1",
    "connected_at": "2026-03-02T08:05:11.120000Z",
    "disconnected_at": None,
    "last_seen_at": "2026-03-02T09:20:00Z",
    "remote_address": "192.0.2.17",
    "vendor": "Example Power",
    "model": "EP-150",
    "serial_number": "EP150-0001",
    "firmware_version": "1.4.2",
    "iccid": None,
    "imsi": None,
    "meter_type": None,
    "meter_serial_number": None,
    "max_power_w": 150000,
    "heartbeat_interval_s": None,
    "booted_at": "2026-03-02T08:05:12Z",
    "boot_reason": "PowerUp",
    "error_code": None,
    "info": None,
    "onboarding": None,
    "takes_templates": True,
    "takes_local_list": None,
    "version": 3,
    "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:01:00Z",
    "retired_at": None,
    "evses": [
        {
            "evse_number": 1,
            "current_type": "DC",
            "max_power_w": 150000,
            "physical_reference": "A",
            "connectors": [
                {
                    "connector_number": 1,
                    "standard": "IEC_62196_T2_COMBO",
                    "max_power_w": 150000,
                    "status": "charging",
                    "status_at": "2026-03-02T09:02:03Z",
                    "error_code": None,
                    "info": None,
                    "vendor_error_code": None,
                }
            ],
        }
    ],
}
_NEW_STATION: dict[str, Any] = {
    "station_id": "HARBOUR-01",
    "name": "Harbour 1",
    "location_id": _LOCATION_ID,
    "security_profile": 2,
    "max_power_w": 150000,
    "evses": [
        {
            "evse_number": 1,
            "current_type": "DC",
            "max_power_w": 150000,
            "connectors": [{"connector_number": 1, "standard": "IEC_62196_T2_COMBO"}],
        }
    ],
}
_SECRET = "6f2c1e0d9b8a7f6e5d4c3b2a19080706f5e4d3c2"  # noqa: S105
_SESSION: dict[str, Any] = {
    "session_id": _SESSION_ID,
    "party_id": _PARTY,
    "station_id": "HARBOUR-01",
    "station_name": "Harbour 1",
    "location_id": _LOCATION_ID,
    "location_name": "Harbour Car Park",
    "evse_number": 1,
    "connector_number": 1,
    "transaction_id": "d2f7c6a0-4b1e",
    "ocpp_version": "2.0.1",
    "status": "completed",
    "charging_state": None,
    "token_uid": "04A2B3C4D5E680",
    "token_type": "ISO14443",
    "token_id": _TOKEN_ID,
    "token_label": "Pool car 7",
    "group_uid": None,
    "authorization_status": "accepted",
    "is_offline": False,
    "is_orphan": False,
    "reservation_id": None,
    "started_at": "2026-03-02T09:01:58Z",
    "ended_at": "2026-03-02T09:31:40Z",
    "updated_at": "2026-03-02T09:31:41Z",
    "stop_reason": "EVDisconnected",
    "energy_wh": 31250.5,
    "energy_source": "register",
    "register_start_wh": 1200340,
    "register_last_wh": 1231590.5,
    "power_w": 0,
    "power_at": "2026-03-02T09:31:40Z",
    "peak_power_w": 118400,
    "soc_start_percent": 22,
    "soc_percent": 80,
    "soc_at": "2026-03-02T09:31:00Z",
    "n_samples": 31,
    "charging_s": 1740,
    "idle_s": 42,
    "anomalies": [],
    "settled_at": "2026-03-02T09:31:43Z",
    "cost": 15.32,
    "cost_currency": "EUR",
}
_NEW_TOKEN: dict[str, Any] = {"uid": "04A2B3C4D5E680", "type": "ISO14443", "label": "Pool car 7", "max_sessions": 1}
_TOKEN: dict[str, Any] = {
    "token_id": _TOKEN_ID,
    "party_id": _PARTY,
    "uid": "04A2B3C4D5E680",
    "type": "ISO14443",
    "status": "active",
    "label": "Pool car 7",
    "group_uid": None,
    "is_master": False,
    "may_discharge": False,
    "contract_id": None,
    "valid_from": None,
    "valid_until": "2027-12-31T23:00:00Z",
    "location_ids": None,
    "weekdays": 127,
    "from_minute": None,
    "until_minute": None,
    "max_sessions": 1,
    "autocharge": False,
    "language": "de-AT",
    "paired_with": None,
    "driver_id": None,
    "version": 1,
    "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:00:00Z",
}
_BULK: dict[str, Any] = {
    "bulk_id": "019a9d63-9f00-7b11-8c22-0f1e2d3c4b5a",
    "party_id": _PARTY,
    "kind": "set_variables",
    "parameters": {"values": {"OCPPCommCtrlr.HeartbeatInterval": "900"}, "attribute": "actual"},
    "selection": {"ocpp_version": "2.0.1", "connected": True},
    "status": "running",
    "n_stations": 412,
    "progress": {
        "waiting": 200,
        "queued": 2,
        "sending": 4,
        "sent": 6,
        "accepted": 197,
        "rejected": 1,
        "failed": 1,
        "timed_out": 1,
        "offline": 0,
        "expired": 0,
        "cancelled": 0,
    },
    "timeout_s": 30.0,
    "queue_for_s": 86400.0,
    "at_once": 50,
    "requested_by": f"key:{_KEY_ID}",
    "requested_at": "2026-03-02T10:00:00Z",
    "finished_at": None,
    "cancelled_by": None,
}
_COMMAND: dict[str, Any] = {
    "command_id": _COMMAND_ID,
    "party_id": _PARTY,
    "station_id": "HARBOUR-01",
    "kind": "reset",
    "action": "Reset",
    "parameters": {"how": "soft"},
    "status": "accepted",
    "requested_by": f"key:{_KEY_ID}",
    "requested_at": "2026-03-02T10:00:00Z",
    "expires_at": None,
    "sent_at": "2026-03-02T10:00:00.004000Z",
    "answered_at": "2026-03-02T10:00:00.131000Z",
    "message_id": "019a9d6390d17",
    "answer": {"status": "Accepted"},
    "error_code": None,
    "error_text": None,
    "session_id": None,
    "bulk_id": None,
}
_KEY: dict[str, Any] = {
    "api_key_id": _KEY_ID,
    "name": "Fleet portal",
    "key_start": "ohm_Zk3v9Q",
    "scopes": ["sessions:read", "stations:read"],
    "created_at": "2026-03-02T08:00:00Z",
    "created_by": "operator:019a9d5e-7b10-7000-8000-000000000001",
    "expires_at": None,
    "location_ids": None,
    "last_used_at": "2026-03-02T10:00:00Z",
    "revoked_at": None,
    "created_by_name": "Ada",
    "last_used_from": "192.0.2.10",
    "version": 1,
}

_PROFILE: dict[str, Any] = {
    "profile_id": 41,
    "purpose": "session_default",
    "timing": "recurring",
    "stack_level": 1,
    "recurs": "daily",
    "schedules": [
        {
            "rate_unit": "A",
            "starts_at": "2026-03-02T00:00:00Z",
            "periods": [{"start_s": 0, "limit": 32}, {"start_s": 61200, "limit": 10}],
        }
    ],
}
_HELD: dict[str, Any] = {
    "station_id": "HARBOUR-01",
    "evse_number": 0,
    "status": "held",
    "source": "CSO",
    "profile": _PROFILE,
    "set_by": f"key:{_KEY_ID}",
    "set_at": "2026-03-02T10:00:00Z",
    "confirmed_at": "2026-03-02T10:00:00.131000Z",
    "detail": None,
}
EXAMPLES: dict[Any, Any] = {
    **certificate_examples.EXAMPLES,
    **SITE_EXAMPLES,
    **DEVICE_EXAMPLES,
    **SAFE_LIMIT_EXAMPLES,
    **MESSAGE_EXAMPLES,
    **NOTIFICATION_EXAMPLES,
    SettlementView: {
        "settlement_id": 17,
        "station_id": "HARBOUR-01",
        "psp_ref": "9f3c1a",
        "transaction_id": "d2f7c6a0-4b1e",
        "session_id": _SESSION_ID,
        "status": "settled",
        "status_info": None,
        "settled_by": "station",
        "amount": 15.63,
        "currency": None,
        "settled_at": "2026-03-02T09:31:50Z",
        "receipt_id": None,
        "receipt_url": None,
        "vat_number": None,
        "vat_company": None,
        "received_at": "2026-03-02T09:31:50.210000Z",
    },
    BatterySwaps: {
        "items": [
            {
                "station_id": "HARBOUR-SWAP",
                "request_id": 3,
                "event": "in",
                "token_uid": "04A2B3C4D5E680",
                "batteries": [{"evseId": 1, "serialNumber": "B-1", "soC": 12, "soH": 98}],
                "received_at": "2026-03-02T09:31:50.210000Z",
            }
        ]
    },
    NewProfile: {"evse_number": 0, "profile": _PROFILE},
    HeldProfile: _HELD,
    Profiles: {"items": [_HELD]},
    Composites: {
        "items": [
            {
                "evse_number": 1,
                "rate_unit": "A",
                "starts_at": "2026-03-02T10:00:00Z",
                "duration_s": 3600,
                "periods": [{"start_s": 0, "limit": 32}],
                "received_at": "2026-03-02T10:00:00.131000Z",
            }
        ]
    },
    ChargingLimits: {
        "items": [
            {
                "evse_number": 0,
                "source": "EMS",
                "since": "2026-03-02T10:00:00Z",
                "is_grid_critical": None,
                "is_local_generation": None,
                "schedules": [{"rate_unit": "A", "periods": [{"start_s": 0, "limit": 16}]}],
            }
        ]
    },
    AllNeeds: {
        "items": [
            {
                "needs_id": "019a9d64-2200-7c01-9d00-1a2b3c4d5e6f",
                "evse_number": 1,
                "received_at": "2026-03-02T10:00:00Z",
                "needs": {
                    "is_dc": False,
                    "n_phases": 3,
                    "energy_wh": 20000,
                    "departs_at": "2026-03-02T18:00:00Z",
                    "max_current_a": 32,
                },
                "status": "planned",
                "detail": None,
                "transaction_id": "d2f7c6a0-4b1e",
                "profile_id": 42,
                "ev_schedule": None,
                "ev_schedule_at": None,
                "selected_schedule_id": None,
                "is_tolerance_accepted": None,
                "n_rejected": 0,
            }
        ]
    },
    NewLocation: _NEW_LOCATION,
    LocationChange: {"name": "Harbour Car Park East"},
    Location: _LOCATION,
    NewStation: _NEW_STATION,
    StationChange: {"name": "Harbour 1, by the ramp"},
    SecretChange: {},
    Adoption: {"name": "Harbour 1", "location_id": _LOCATION_ID, "security_profile": 1},
    WithSecret: {"station": _STATION, "secret": _SECRET},
    StationView: _STATION,
    BulkAnswer: {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "failed": [{"row": 3, "field": "security_profile", "error": "Expected int <= 3"}],
        "locations_created": ["Harbour Car Park"],
        "secrets": {"HARBOUR-01": _SECRET},
        "is_dry_run": False,
    },
    Variables: {
        "items": [
            {
                "component": "OCPPCommCtrlr",
                "variable": "HeartbeatInterval",
                "attribute": "Actual",
                "value": "900",
                "is_read_only": False,
                "data_type": "integer",
                "unit": "s",
                "updated_at": "2026-03-02T08:06:00Z",
            }
        ]
    },
    NewBulkCommand: {
        "order": {"kind": "set_variables", "values": {"OCPPCommCtrlr.HeartbeatInterval": "900"}},
        "selection": {"ocpp_version": "2.0.1", "connected": True},
        "timeout": 30.0,
        "queue_for": 86400.0,
        "at_once": 50,
    },
    BulkCount: {"n_stations": 412},
    BulkCommand: _BULK,
    BulkResult: {
        "station_id": "HARBOUR-01",
        "status": "accepted",
        "command_id": _COMMAND_ID,
        "sent_at": "2026-03-02T10:00:00.004000Z",
        "answered_at": "2026-03-02T10:00:00.131000Z",
        "answer": {"status": "Accepted"},
        "error_code": None,
        "error_text": None,
    },
    Capabilities: {
        "ocpp_version": "1.6",
        "items": [
            {"kind": "reset", "is_possible": True, "reason": None},
            {
                "kind": "set_display_message",
                "is_possible": False,
                "reason": "OCPP 1.6 has no display messages",
            },
        ],
    },
    Order: {"kind": "remote_start", "token_uid": "04A2B3C4D5E680", "evse_number": 1},
    Command: _COMMAND,
    RawAnswer: {
        "command_id": _COMMAND_ID,
        "station_id": "HARBOUR-01",
        "action": "ClearCache",
        "message_id": "019a9d6390d17",
        "answer": {"status": "Accepted"},
    },
    MessageView: {
        "station_id": "HARBOUR-01",
        "received_at": "2026-03-02T10:00:00.004000Z",
        "message_id": "019a9d6390d17",
        "direction": "out",
        "version": "2.0.1",
        "action": "Reset",
        "payload": '{"type":"OnIdle"}',
        "answer_kind": "result",
        "answer": '{"status":"Accepted"}',
        "error_code": None,
        "latency_us": 127000,
    },
    SessionView: _SESSION,
    SampleView: {
        "sampled_at": "2026-03-02T09:10:00Z",
        "context": "Sample.Periodic",
        "energy_wh": 1212100.25,
        "power_w": 110250,
        "soc_percent": 41,
        "readings": [
            {"measurand": "Power.Active.Import", "value": 110250, "unit": "W", "phase": None, "location": None}
        ],
    },
    SessionEvents: {
        "items": [{"at": "2026-03-02T09:01:58Z", "kind": "started", "detail": {"trigger": "CablePluggedIn"}}]
    },
    ChargingPeriods: {
        "items": [
            {
                "started_at": "2026-03-02T09:01:58Z",
                "ended_at": "2026-03-02T09:30:58Z",
                "kind": "charging",
                "energy_wh": 31250.5,
            }
        ]
    },
    SignedReadings: {
        "items": [
            {
                "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "sampled_at": "2026-03-02T09:31:40Z",
                "context": "Transaction.End",
                "measurand": "Energy.Active.Import.Register",
                "encoding": "OCMF",
                "signing_method": "ECDSA-secp256r1-SHA256",
                "public_key": None,
                "size_bytes": 812,
                "format": "OCMF",
                "verdict": "verified",
                "why": "",
                "reading_wh": 1231590,
                "checked_with": METER_KEY,
            }
        ]
    },
    NewToken: _NEW_TOKEN,
    TokenChange: {"label": "Pool car 8", "valid_until": "2027-12-31T23:00:00Z"},
    TokenView: _TOKEN,
    TokenReport: {"created": 2, "updated": 1, "unchanged": 40, "failed": [], "is_dry_run": False, "is_kept": True},
    Me: {
        "actor_id": f"key:{_KEY_ID}",
        "name": "Fleet portal",
        "party_id": _PARTY,
        "role": None,
        "actions": ["sessions:read", "stations:read"],
        "location_ids": None,
        "owns_installation": False,
    },
    NewApiKey: {"name": "Fleet portal", "scopes": ["sessions:read", "stations:read"]},
    CreatedApiKey: {"key": {**_KEY, "last_used_at": None, "last_used_from": None}, "secret": "ohm_Zk3v9Q…"},
    ApiKey: _KEY,
    ApiKeyChange: {"name": "Fleet portal, 2026"},
    ApiKeys: {"items": [_KEY]},
}

EXAMPLES |= CONCERN_EXAMPLES
EXAMPLES |= WEB_PAYMENT_EXAMPLES
EXAMPLES |= PAYMENT_EXAMPLES
EXAMPLES |= RESERVATION_EXAMPLES
EXAMPLES |= PEOPLE_EXAMPLES
EXAMPLES |= DRIVER_EXAMPLES
EXAMPLES |= TARIFF_EXAMPLES
EXAMPLES |= BILLING_EXAMPLES | INVOICE_EXAMPLES | BANK_LINE_EXAMPLES
EXAMPLES |= SIGNED_EXAMPLES
EXAMPLES |= PARTY_EXAMPLES
EXAMPLES |= PAYING_EXAMPLES
EXAMPLES |= FILE_EXAMPLES | EVENT_EXAMPLES
EXAMPLES |= REPORT_EXAMPLES
EXAMPLES |= SECURITY_EXAMPLES

# Bodies and answers that are no JSON of ours, by the operation's function.
TEXT_EXAMPLES: dict[str, Any] = {
    **SITE_TEXTS,
    **INVOICE_TEXTS,
    **SIGNED_TEXTS,
    "import_stations": (
        "station_id,location,name,security_profile,city,evses\n"
        "HARBOUR-01,Harbour Car Park,Harbour 1,2,Rotterdam,1:DC:150000:IEC_62196_T2_COMBO\n"
    ),
    "import_bank_statement": "day;payer;text;amount;currency\n14.04.2026;Fleet GmbH;INV-2026-000007;71,15;EUR\n",
    "import_tokens": "uid,type,label,max_sessions\n04A2B3C4D5E680,ISO14443,Pool car 7,1\n",
    "send_message": {},
    "stream_events": (
        'event: session\ndata: {"kind":"session","at":"2026-03-02T09:10:00Z","station_id":"HARBOUR-01","what":"updated",'
        f'"session_id":"{_SESSION_ID}","energy_wh":"11759.75","power_w":"110250"}}\n\n'
    ),
    "get_signed_data": "OCMF|{…}|{…}",
    "get_log_file": "2026-03-02T08:05:12Z boot, reason PowerUp\n",
    "upload_firmware": "the image",
}


def example_of(kind: Any) -> Any:
    """The example of a type; a page of things shows one of them. Raises KeyError when nobody wrote one."""
    if getattr(kind, "__origin__", None) is Page:
        return {"items": [EXAMPLES[kind.__args__[0]]], "next_cursor": None}
    return EXAMPLES[kind]
