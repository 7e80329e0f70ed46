"""The examples of /party, /parties and /guests; `examples.py` takes them in."""

from typing import Any

from ohmstead.accounts.parties.model import NewMembership, NewParty, PartyChange, PartyView, Places
from ohmstead.api.parties import Guests, MadeParty, Memberships, Parties

_PARTY_ID = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_LOCATION_ID = "019a9d5e-8c40-7d02-9b7a-1d1b2c3d4e5f"
_NEW: dict[str, Any] = {
    "name": "Harbour Parking",
    "kind": "site_host",
    "country_code": "NL",
    "party_code": "HPK",
    "currency": "EUR",
    "time_zone": "Europe/Amsterdam",
    "language": "en",
}
_PARTY: dict[str, Any] = {
    "party_id": _PARTY_ID,
    **_NEW,
    "owns_installation": False,
    "needs_second_person": False,
    "created_at": "2026-03-02T08:00:00Z",
    "version": 1,
}
_GUEST: dict[str, Any] = {
    "operator_id": "019a9d5e-7b10-7000-8000-000000000002",
    "name": "Ada",
    "email": "ada@example.com",
    "home": "Harbour Network",
    "role": "site_host",
    "location_ids": [_LOCATION_ID],
    "created_at": "2026-03-02T08:00:00Z",
}
_MEMBERSHIP: dict[str, Any] = {
    "party_id": _PARTY_ID,
    "party_name": "Harbour Parking",
    "kind": "site_host",
    "role": "owner",
    "location_ids": None,
    "is_home": True,
}

PARTY_EXAMPLES: dict[Any, Any] = {
    PartyView: _PARTY,
    Parties: {"items": [_PARTY]},
    NewParty: {**_NEW, "owner_name": "Ada", "owner_email": "ada@example.com"},
    MadeParty: {"party": _PARTY, "link": "https://console.example.com/sign-in?link=shown-this-once"},
    PartyChange: {"name": "Harbour Parking", "time_zone": "Europe/Amsterdam"},
    Memberships: {"items": [_MEMBERSHIP]},
    Guests: {"items": [_GUEST]},
    NewMembership: {"role": "site_host", "location_ids": [_LOCATION_ID]},
    Places: {"location_ids": [_LOCATION_ID]},
}
