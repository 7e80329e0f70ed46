"""Who may do what: a pure decision over actors, actions and the party that owns the object."""

from collections.abc import Iterable
from typing import Any, Final, Protocol
from uuid import UUID

from msgspec import Struct

from ohmstead.core.errors import OhmsteadError

ADMIN: Final = "admin"

# What can be asked for, by people (through their role) and by API keys (through their scopes).
ACTIONS: Final[dict[str, str]] = {
    "stations:read": "Read locations and stations.",
    "stations:write": "Create, change, adopt, reject and retire stations; create, change and delete locations.",
    "commands:send": "Send orders to stations and read what became of them.",
    "commands:raw": "Send any OCPP message to a station, its security settings included.",
    "firmware:write": "Upload firmware, send it to stations and roll it out.",
    "logs:read": "Read logs that stations sent.",
    "sessions:read": "Read sessions, their samples, events, periods and signed readings.",
    "tokens:read": "Read tokens.",
    "tokens:write": "Create, change, block and delete tokens.",
    "drivers:read": "Read drivers: people who charge, and what they charged.",
    "drivers:write": "Create, change, block and erase drivers.",
    "reservations:read": "Read reservations.",
    "reservations:write": "Reserve outlets and cancel reservations; set which groups come first.",
    "messages:read": "Read the OCPP message log.",
    "events:read": "Follow the live stream and the durable events.",
    ADMIN: "Everything, API keys and the audit log included.",
}

_READ: Final = frozenset(
    {
        "stations:read",
        "sessions:read",
        "tokens:read",
        "drivers:read",
        "messages:read",
        "events:read",
        "logs:read",
        "reservations:read",
    }
)

ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": frozenset(ACTIONS),
    "operations": frozenset(ACTIONS) - {ADMIN},
    "technician": (_READ - {"tokens:read", "drivers:read"})
    | {"stations:write", "commands:send", "commands:raw", "firmware:write"},
    "finance": frozenset({"stations:read", "sessions:read", "tokens:read", "events:read"}),
    "support": _READ | {"commands:send", "tokens:write", "drivers:write", "reservations:write"},
    "read_only": _READ,
}


class NotSignedIn(OhmsteadError):
    """Nobody known is asking: no key and no session, or none that is good."""


class NotAllowed(OhmsteadError):
    """Somebody known asks for something that is not theirs to do."""


class TooManyAttempts(OhmsteadError):
    """Too many bad credentials came from one address. `retry_after_s` says when to come again."""

    def __init__(self, text: str, retry_after_s: int) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Actor(Struct, frozen=True, kw_only=True):
    """Who is asking. `actor_id` is `operator:<uuid>`, `key:<uuid>` or `system`; it stands in the audit log."""

    actor_id: str
    name: str
    party_id: UUID
    actions: frozenset[str]
    role: str | None = None
    remote_address: str | None = None

    @property
    def operator_id(self) -> UUID | None:
        """The person behind it; None for keys and the system."""
        kind, _, value = self.actor_id.partition(":")
        return UUID(value) if kind == "operator" else None


class Owned(Protocol):
    """Anything that belongs to a party."""

    @property
    def party_id(self) -> UUID: ...


def may(actor: Actor, action: str, thing: Owned | None = None) -> bool:
    """May `actor` do `action`, to `thing` when one is given? Nobody ever reaches another party's things."""
    if action not in ACTIONS:
        raise ValueError(f"no such action: {action}")
    if thing is not None and thing.party_id != actor.party_id:
        return False
    return action in actor.actions or ADMIN in actor.actions


def require(actor: Actor, action: str, thing: Owned | None = None) -> None:
    """Raises NotAllowed unless `may()`."""
    if not may(actor, action, thing):
        raise NotAllowed(f"{actor.name} may not do this: it takes {action}", action=action)


def for_role(role: str) -> frozenset[str]:
    """The actions of a role; an unknown one may do nothing."""
    return ROLES.get(role, frozenset())


def unknown_scopes(scopes: Iterable[str]) -> list[str]:
    """Those of `scopes` that do not exist."""
    return sorted(set(scopes) - set(ACTIONS))


def beyond(actor: Actor, scopes: Iterable[str]) -> list[str]:
    """Those of `scopes` that `actor` does not have, and therefore cannot give to a key."""
    return [scope for scope in sorted(set(scopes)) if not may(actor, scope)]


def system(party_id: UUID, name: str = "Ohmstead") -> Actor:
    """The program itself: first start, timers, the command line of whoever owns the machine."""
    everything: Any = frozenset(ACTIONS)
    return Actor(actor_id="system", name=name, party_id=party_id, actions=everything)
