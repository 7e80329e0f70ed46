"""The examples of /operators, /sign-in-attempts and /approvals; `examples.py` takes them in."""

from typing import Any

from ohmstead.accounts.approvals.model import Approval
from ohmstead.accounts.model import Operator
from ohmstead.accounts.people.model import Group
from ohmstead.accounts.signin.model import SignInAttempt
from ohmstead.api.people import (
    Approvals,
    GroupRole,
    NewOperator,
    NewRole,
    OperatorGroups,
    OperatorLink,
    Operators,
    SignedOutBrowsers,
    WebSessions,
)

_ID = "019a9d5e-7b10-7000-8000-000000000002"
_OPERATOR: dict[str, Any] = {
    "operator_id": _ID,
    "party_id": "019a9d5e-7b10-7000-8000-000000000000",
    "name": "Ada",
    "email": "ada@example.com",
    "role": "operations",
    "created_at": "2026-03-02T08:00:00Z",
    "disabled_at": None,
    "user_name": None,
    "external_id": None,
    "is_provisioned": False,
    "location_ids": None,
}
_GROUP: dict[str, Any] = {
    "group_id": "019a9d5e-7b10-7000-8000-000000000005",
    "party_id": "019a9d5e-7b10-7000-8000-000000000000",
    "name": "Grid team",
    "external_id": "7f3c",
    "role": "operations",
    "created_at": "2026-03-02T08:00:00Z",
    "changed_at": "2026-03-02T08:00:00Z",
}
_APPROVAL: dict[str, Any] = {
    "approval_id": "019a9d5e-7b10-7000-8000-000000000003",
    "party_id": "019a9d5e-7b10-7000-8000-000000000000",
    "kind": "bulk_command",
    "summary": "reset to 240 stations",
    "request": {"kind": "reset", "selection": {}},
    "asked_by": f"operator:{_ID}",
    "asked_name": "Ada",
    "asked_at": "2026-03-02T08:00:00Z",
    "expires_at": "2026-03-03T08:00:00Z",
    "state": "waiting",
    "decided_by": None,
    "decided_name": None,
    "decided_at": None,
    "reason": None,
    "result": None,
}

PEOPLE_EXAMPLES: dict[Any, Any] = {
    Operator: _OPERATOR,
    Operators: {
        "items": [
            {
                "operator": _OPERATOR,
                "has_password": False,
                "has_codes": False,
                "n_passkeys": 2,
                "n_sessions": 1,
                "last_at": "2026-03-02T08:30:00Z",
            }
        ]
    },
    NewOperator: {"name": "Ada", "email": "ada@example.com", "role": "operations"},
    OperatorLink: {"operator": _OPERATOR, "link": "https://net.example/sign-in?link=Zk3v9Q…"},
    NewRole: {"role": "technician"},
    GroupRole: {"role": "operations"},
    Group: _GROUP,
    OperatorGroups: {"items": [_GROUP]},
    WebSessions: {
        "items": [
            {
                "web_session_id": "019a9d5e-7b10-7000-8000-000000000004",
                "operator_id": _ID,
                "created_at": "2026-03-02T08:00:00Z",
                "last_seen_at": "2026-03-02T08:30:00Z",
                "expires_at": "2026-03-09T08:30:00Z",
                "remote_address": "192.0.2.10",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
                "method": "passkey",
                "proved_at": "2026-03-02T08:00:00Z",
                "provider": None,
            }
        ]
    },
    SignedOutBrowsers: {"n_browsers": 1},
    SignInAttempt: {
        "attempt_id": 99,
        "at": "2026-03-02T08:00:00Z",
        "operator_id": _ID,
        "name": "ada@example.com",
        "method": "password",
        "outcome": "refused",
        "reason": "wrong address or password",
        "remote_address": "192.0.2.10",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    },
    Approval: _APPROVAL,
    Approvals: {"items": [_APPROVAL]},
}
