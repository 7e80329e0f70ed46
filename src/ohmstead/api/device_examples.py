"""Examples of the device model, templates and upkeep."""

from typing import Any

from ohmstead.api.device import DeviceTree, Duties, Monitors, Reports, StationQuirks
from ohmstead.api.templates import Fittings, LocalLists, Quirks
from ohmstead.stations.device.queries import (
    EventView,
    LocalListView,
    ReportView,
    StationDrift,
    TemplateView,
    VariableChange,
)
from ohmstead.stations.device.templates import NewTemplate, TemplateChange

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_TEMPLATE_ID = "019a9d60-1c00-7a10-8b00-2b3c4d5e6f70"
_COMMAND_ID = "019a9d63-90c8-7e21-8d44-7c8d9e0f1a2b"

_NEW_TEMPLATE: dict[str, Any] = {
    "name": "Heartbeats and samples",
    "generation": "2.x",
    "variables": {"OCPPCommCtrlr.HeartbeatInterval": "900", "SampledDataCtrlr.TxUpdatedInterval": "60"},
    "priority": 10,
    "vendor": "Example*",
}
_TEMPLATE: dict[str, Any] = {
    "template_id": _TEMPLATE_ID,
    "party_id": _PARTY,
    **_NEW_TEMPLATE,
    "model": None,
    "firmware": None,
    "location_id": None,
    "station_ids": None,
    "resets_on_idle": False,
    "is_enabled": True,
    "version": 1,
    "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:00:00Z",
}
_DUTY: dict[str, Any] = {
    "duty": "templates",
    "due_at": "2026-03-02T08:16:00Z",
    "done_at": "2026-03-02T08:06:00Z",
    "result": "refused",
    "text": "SampledDataCtrlr.TxUpdatedInterval: Rejected",
    "tries": 0,
}
_REPORT: dict[str, Any] = {
    "kind": "NotifyCustomerInformation",
    "request_id": 12,
    "is_complete": True,
    "missing": [],
    "n_parts": 2,
    "n_items": 0,
    "first_at": "2026-03-02T08:06:00Z",
    "last_at": "2026-03-02T08:06:01Z",
    "items": [],
    "text": "04A2B3C4D5E680: 2 sessions",
}
_EFFECTS: dict[str, Any] = {
    "authorization_key": None,
    "rate_unit": None,
    "highest_stack_level": 0,
    "lowest_stack_level": None,
    "corrections": [],
    "accepts_profiles_in_vain": False,
    "id_case": None,
    "connectors_from_zero": False,
    "never_sends": [],
}
_PROFILE: dict[str, Any] = {
    "name": "Example Power EP-150",
    "match": {"vendor": "Example*", "model": "EP-150", "firmware": "1.4.*", "version": "1.6"},
    "because": "Charging profiles above level 0 are refused.",
    "source": "https://example.org/notes/1",
    "effects": _EFFECTS,
}

DEVICE_EXAMPLES: dict[Any, Any] = {
    NewTemplate: _NEW_TEMPLATE,
    TemplateChange: {"variables": {"OCPPCommCtrlr.HeartbeatInterval": "600"}},
    TemplateView: _TEMPLATE,
    Fittings: {"items": [{"station_id": "HARBOUR-01", "n_off": 1}], "total": 1},
    Quirks: {"items": [{**_PROFILE, "is_own": True, "n_stations": 3}], "faults": []},
    StationQuirks: {"effects": _EFFECTS, "profiles": [_PROFILE]},
    LocalLists: {"is_sent": True},
    Duties: {"items": [_DUTY]},
    StationDrift: {
        "takes_templates": True,
        "templates": ["Heartbeats and samples"],
        "items": [
            {
                "name": "SampledDataCtrlr.TxUpdatedInterval",
                "state": "refused",
                "desired": "60",
                "actual": "300",
                "template_id": _TEMPLATE_ID,
                "template": "Heartbeats and samples",
                "over": [],
                "reason": "Rejected",
                "retry_at": "2026-03-02T08:16:00Z",
            }
        ],
        "duty": _DUTY,
    },
    LocalListView: {
        "is_sent": True,
        "version": 7,
        "n_entries": 1,
        "n_left_out": 0,
        "changed_at": "2026-03-02T08:06:00Z",
        "uids": ["04A2B3C4D5E680"],
        "duty": {**_DUTY, "duty": "local_list", "due_at": None, "result": "sent", "text": "1 tokens"},
    },
    DeviceTree: {
        "items": [
            {
                "component": "OCPPCommCtrlr",
                "name": "OCPPCommCtrlr",
                "instance": None,
                "evse_number": None,
                "connector_number": None,
                "variables": [
                    {
                        "name": "HeartbeatInterval",
                        "instance": None,
                        "path": "OCPPCommCtrlr.HeartbeatInterval",
                        "data_type": "integer",
                        "unit": "s",
                        "min_limit": 10,
                        "max_limit": 86400,
                        "values_list": None,
                        "supports_monitoring": False,
                        "attributes": [
                            {
                                "attribute": "Actual",
                                "value": "900",
                                "is_read_only": False,
                                "mutability": "ReadWrite",
                                "pending_value": None,
                                "updated_at": "2026-03-02T08:06:00Z",
                            }
                        ],
                    }
                ],
            }
        ]
    },
    VariableChange: {
        "at": "2026-03-02T08:06:00Z",
        "component": "OCPPCommCtrlr",
        "variable": "HeartbeatInterval",
        "attribute": "Actual",
        "old_value": "300",
        "new_value": "900",
        "source": "set",
        "caused_by": f"template:{_TEMPLATE_ID}",
        "command_id": _COMMAND_ID,
    },
    EventView: {
        "at": "2026-03-02T09:10:00Z",
        "received_at": "2026-03-02T09:10:01Z",
        "event_id": 31,
        "component": "EVSE@1",
        "variable": "Temperature",
        "value": "81",
        "trigger": "alerting",
        "kind": "custom_monitor",
        "cause": None,
        "monitor_id": 4,
        "severity": 2,
        "is_cleared": False,
        "transaction_id": None,
        "tech_code": None,
        "tech_info": None,
    },
    Monitors: {
        "items": [
            {
                "monitor_id": 4,
                "component": "EVSE@1",
                "variable": "Temperature",
                "kind": "upper_threshold",
                "value": 80,
                "severity": 2,
                "is_transaction_only": False,
                "event_kind": "custom_monitor",
                "reported_at": "2026-03-02T08:06:00Z",
            }
        ]
    },
    Reports: {"items": [{**_REPORT, "text": None}]},
    ReportView: _REPORT,
}
