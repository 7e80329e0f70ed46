"""Examples of drivers, of what they charged, of changes to many tokens, of searches, saved lists and activity."""

from typing import Any

from ohmstead.accounts.lists.service import NewSavedList, SavedList, SavedListChange
from ohmstead.api.activity import Activity
from ohmstead.api.lists import ListLayout, SavedLists
from ohmstead.api.search import Hits
from ohmstead.drivers.model import Driver, DriverChange, NewDriver
from ohmstead.drivers.phones.model import SentPhoneCode, TypedPhoneCode
from ohmstead.reports.people.queries import TokenUsage
from ohmstead.sessions.erasing.service import Erased
from ohmstead.tokens.register.many import ManyReport, ManyTokens

_DRIVER_ID = "019a9d5f-2200-7c11-8a00-1f2e3d4c5b6a"
_TOKEN_ID = "019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d"  # noqa: S105
_NEW: dict[str, Any] = {
    "name": "Noor Visser",
    "email": "noor@example.com",
    "phone": "+31 10 1234567",
    "language": "nl",
    "company": "Harbour Logistics",
    "group_uid": "FLEET",
    "vehicles": ["Van 7"],
}
_NEW_LIST: dict[str, Any] = {"page": "tokens", "name": "Blocked fleet cards", "query": "show=blocked&group=FLEET"}
_LIST: dict[str, Any] = {
    **_NEW_LIST,
    "saved_list_id": "019a9d5f-3300-7c22-8b00-2a3b4c5d6e7f",
    "is_shared": True,
    "is_own": True,
    "version": 1,
    "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:00:00Z",
}

DRIVER_EXAMPLES: dict[Any, Any] = {
    NewDriver: _NEW,
    DriverChange: {"phone": None, "vehicles": ["Van 8"]},
    Driver: {
        **_NEW,
        "driver_id": _DRIVER_ID,
        "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
        "phone_confirmed_at": "2026-03-02T08:05:00Z",
        "notes": "",
        "status": "active",
        "n_tokens": 1,
        "contracts": ["NL-TNM-C00122045-K"],
        "version": 1,
        "created_at": "2026-03-02T08:00:00Z",
        "updated_at": "2026-03-02T08:00:00Z",
    },
    SentPhoneCode: {"phone": "+31 10 1234567", "expires_at": "2026-03-02T08:14:00Z"},
    TypedPhoneCode: {"code": "482 913"},
    Erased: {"driver_id": _DRIVER_ID, "pseudonym": "erased-Vq3xYt0aKd8m", "n_sessions": 41, "n_reservations": 0},
    TokenUsage: {
        "n_sessions": 41,
        "energy_wh": 912340,
        "first_at": "2026-03-02T08:10:00Z",
        "last_at": "2026-05-11T16:40:00Z",
        "last_station_id": "HARBOUR-01",
        "last_session_id": "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
        "refused": [],
    },
    ManyTokens: {"action": "block", "selection": {"group": "FLEET", "status": "active"}},
    ManyReport: {"n_selected": 1, "changed": [_TOKEN_ID], "left_out": [], "is_dry_run": False},
    NewSavedList: {**_NEW_LIST, "is_shared": True},
    SavedListChange: {"is_shared": False},
    SavedList: _LIST,
    SavedLists: {"items": [_LIST]},
    ListLayout: {"hidden": ["Group"]},
    Activity: {
        "items": [
            {
                "kind": "bulk_command",
                "id": "019a9d63-9f00-7b11-8c22-0f1e2d3c4b5a",
                "title": "Set variables",
                "status": "running",
                "n_total": 250,
                "n_done": 180,
                "n_failed": 2,
                "started_at": "2026-03-02T09:10:00Z",
                "finished_at": None,
                "path": "/bulk/019a9d63-9f00-7b11-8c22-0f1e2d3c4b5a",
            }
        ]
    },
    Hits: {
        "items": [
            {
                "kind": "token",
                "id": _TOKEN_ID,
                "title": "04A2B3C4D5E680",
                "text": "Pool car 7 · ISO14443",
                "path": f"/tokens/{_TOKEN_ID}",
                "at": "2026-03-02T08:00:00Z",
                "rank": 3,
            }
        ]
    },
}
