"""Examples of what tells what happened: durable events, webhooks, the audit log."""

from typing import Any

import msgspec

from ohmstead.accounts.model import AuditEntry
from ohmstead.api.audit import AuditVerdict
from ohmstead.api.events import EventKinds, OutboxPage
from ohmstead.api.webhooks import Replayed, ReplayOfFailed, SecretRotation, WebhookExample
from ohmstead.facts.catalogue import described, named
from ohmstead.webhooks.model import (
    Delivery,
    DeliveryInFull,
    NewWebhook,
    Webhook,
    WebhookChange,
    WithWebhookSecret,
)

_WEBHOOK: dict[str, Any] = {
    "webhook_id": "019a9d75-7700-7166-8f55-708192a3b4c5",
    "party_id": "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001",
    "url": "https://hooks.example.com/ohmstead",
    "description": "Billing",
    "kinds": ["SessionEnded", "SessionSettled"],
    "is_enabled": True,
    "disabled_why": None,
    "disabled_at": None,
    "failing_since": None,
    "last_success_at": "2026-03-02T09:10:01Z",
    "n_waiting": 0,
    "secrets_expire_at": [],
    "version": 1,
    "created_at": "2026-03-01T08:00:00Z",
    "created_by": "operator:019a9d5e-7b10-7000-8000-000000000001",
    "updated_at": "2026-03-01T08:00:00Z",
}
_DELIVERY: dict[str, Any] = {
    "delivery_id": "019a9d76-8800-7277-9066-8192a3b4c5d6",
    "webhook_id": _WEBHOOK["webhook_id"],
    "message_id": "msg_019a9d76880072779066" + "8192a3b4c5d6",
    "event_id": 4711,
    "kind": "SessionEnded",
    "subject": "session/019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
    "is_example": False,
    "status": "waiting",
    "n_attempts": 1,
    "next_at": "2026-03-02T09:10:06Z",
    "created_at": "2026-03-02T09:10:00Z",
    "finished_at": None,
    "last_status_code": 503,
    "last_error": "answered 503",
}
_ATTEMPT: dict[str, Any] = {
    "number": 1,
    "at": "2026-03-02T09:10:01Z",
    "duration_ms": 84,
    "status_code": 503,
    "answer": "down for maintenance",
    "error": "answered 503",
}
EVENT_EXAMPLES: dict[Any, Any] = {
    NewWebhook: {"url": _WEBHOOK["url"], "description": "Billing", "kinds": ["SessionEnded", "SessionSettled"]},
    WebhookChange: {"kinds": None},
    Webhook: _WEBHOOK,
    WithWebhookSecret: {"webhook": _WEBHOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    SecretRotation: {"overlap_s": 86400},
    WebhookExample: {"kind": "SessionEnded"},
    ReplayOfFailed: {"since": "2026-03-01T00:00:00Z"},
    Replayed: {"n": 12},
    Delivery: _DELIVERY,
    DeliveryInFull: {
        "delivery": _DELIVERY,
        "body": '{"type":"SessionEnded","timestamp":"2026-03-02T09:10:00Z","event_id":4711,"subject":"session/…","data":{…}}',
        "attempts": [_ATTEMPT],
    },
    OutboxPage: {
        "items": [
            {
                "event_id": 4711,
                "at": "2026-03-02T09:31:43Z",
                "kind": "SessionEnded",
                "subject": named("SessionEnded").subject.replace("<id>", named("SessionEnded").example["session_id"]),
                "payload": named("SessionEnded").example,
            }
        ],
        "next_cursor": "WzgxMiw4MjAsNDcxMV0",
        "has_more": False,
    },
    EventKinds: {"items": [msgspec.to_builtins(one) for one in described() if one.kind == "SessionEnded"]},
    AuditEntry: {
        "entry_id": 99,
        "at": "2026-03-02T08:00:00Z",
        "actor": "operator:019a9d5e-7b10-7000-8000-000000000001",
        "action": "station.changed",
        "object": "station/HARBOUR-01",
        "actor_name": "Owner",
        "detail": {"security_profile": 2},
        "changes": {"security_profile": {"before": 1, "after": 2}},
        "remote_address": "192.0.2.10",
        "number": 41,
        "previous_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "hash": "57a8be2e4c3c0b8bd5a5bf5d9a2dc1b7f1f3e1b19f7e2ad0d6e0b1c7f0a4d2c3",
        "content": '["019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001","2026-03-02T08:00:00.000000Z","operator:…","station.changed",…]',
    },
    AuditVerdict: {
        "is_whole": False,
        "n_entries": 40,
        "head_number": 41,
        "head_hash": "57a8be2e4c3c0b8bd5a5bf5d9a2dc1b7f1f3e1b19f7e2ad0d6e0b1c7f0a4d2c3",
        "faults": [{"what": "deleted", "first": 17, "last": 17, "text": "entry 17 is missing"}],
    },
}
