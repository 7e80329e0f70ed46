"""Who may do what: a pure decision over actors, actions and the party that owns the object."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from msgspec import Struct, structs

from ohmstead.accounts.scope import Scope
from ohmstead.core.errors import OhmsteadError

ADMIN: Final = "admin"
# A proof of being oneself counts so long for what is dangerous.
PROOF_FRESH_FOR: Final = timedelta(minutes=10)

WHOLE_PARTY: Final = "you see some locations only, and this belongs to the whole party"

# What can be asked for, by people (through their role) and by API keys (through their scopes).
ACTIONS: Final[dict[str, str]] = {
    "stations:read": "Read locations and stations.",
    "stations:write": "Create, change, adopt, reject and retire stations; create, change and delete locations.",
    "commands:send": "Send orders to stations and read what became of them.",
    "commands:raw": "Send any OCPP message to a station, its security settings included.",
    "firmware:write": "Upload firmware, send it to stations and roll it out.",
    "logs:read": "Read logs that stations sent.",
    "sessions:read": "Read sessions, their samples, events, periods and signed readings.",
    "tariffs:read": "Read tariffs, where they apply and what sessions would cost.",
    "tariffs:write": "Publish tariffs, assign them, write prices of markets.",
    "billing:read": "Read CDRs, sessions that are not billed, the ledger, plans, coupons and companies.",
    "billing:write": "Credit CDRs, decide about unbillable sessions, close months; keep plans, coupons, companies, wallets.",
    "payments:read": "Read payments, debts, chargebacks and what does not agree with providers' statements.",
    "payments:write": "Refund payments, let holds go, forgive debts, set how guests pay.",
    "tokens:read": "Read tokens.",
    "tokens:write": "Create, change, block and delete tokens.",
    "drivers:read": "Read drivers: people who charge, what they charged, with what they pay, and their wallets.",
    "drivers:write": "Create, change, block and erase drivers; set with what they pay, and PINs.",
    "reservations:read": "Read reservations.",
    "reservations:write": "Reserve outlets and cancel reservations; set which groups come first.",
    "messages:read": "Read the OCPP message log.",
    "events:read": "Follow the live stream and the durable events.",
    "people:write": "Invite people, give roles, disable people and end their sessions; read who signed in.",
    "people:provision": "Keep people and groups as a directory has them (SCIM).",
    "approvals:decide": "Approve or reject orders to many stations that wait for a second person.",
    "notifications:read": "Read what people were told and what came of it, the words of messages, what drivers chose.",
    "notifications:write": "Change the words of messages, send messages again, choose for drivers what they are told.",
    "webhooks:write": "Set webhooks up, read what was sent to them, send it again.",
    "parties:write": "Create and change the parties of the installation, and lend people to them.",
    ADMIN: "Everything, API keys and the audit log included.",
}

# Only in the party that runs the installation; there whoever is an admin may.
OF_INSTALLATION: Final = frozenset({"parties:write"})

_READ: Final = frozenset(
    {
        "stations:read",
        "sessions:read",
        "tariffs:read",
        "tokens:read",
        "drivers:read",
        "messages:read",
        "events:read",
        "logs:read",
        "reservations:read",
    }
)

ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": frozenset(ACTIONS) - OF_INSTALLATION,
    "operations": frozenset(ACTIONS)
    - OF_INSTALLATION
    - {ADMIN, "people:write", "people:provision", "billing:write"}
    - {"payments:write"},
    "technician": (_READ - {"tokens:read", "drivers:read"})
    | {"stations:write", "commands:send", "commands:raw", "firmware:write"},
    "finance": frozenset(
        {
            "stations:read",
            "sessions:read",
            "tariffs:read",
            "tariffs:write",
            "billing:read",
            "billing:write",
            "payments:read",
            "payments:write",
            "tokens:read",
            "drivers:read",
            "events:read",
            "notifications:read",
        }
    ),
    "support": _READ
    | {
        "commands:send",
        "tokens:write",
        "drivers:write",
        "reservations:write",
        "notifications:read",
        "notifications:write",
    },
    "site_host": _READ - {"tokens:read", "drivers:read"},
    "read_only": _READ,
    # For people who look after programs only: their keys' scopes say what those may do.
    "api": frozenset(),
}
# Of several roles that groups give, the first counts.
ROLES_BY_WEIGHT: Final = ("owner", "operations", "technician", "support", "finance", "site_host", "read_only", "api")


class NotSignedIn(OhmsteadError):
    """Nobody known is asking: no key and no session, or none that is good."""


class NotAllowed(OhmsteadError):
    """Somebody known asks for something that is not theirs to do."""


class TooManyAttempts(OhmsteadError):
    """Too many bad credentials came from one address. `retry_after_s` says when to come again."""

    def __init__(self, text: str, retry_after_s: int) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class ProofNeeded(OhmsteadError):
    """Somebody signed in asks for something dangerous, and has not proved of late that it is still them."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who is asking. `actor_id` is `operator:<uuid>`, `key:<uuid>` or `system`; it stands in the audit log.

    `locations`: only what belongs to these is within their reach; None: all of the party's.
    `owns_installation`: the party is the one that runs this installation, and may make others.
    `web_session_id` and `proved_at` are a browser's: which session it is, and when the person last showed a proof.
    """

    actor_id: str
    name: str
    party_id: UUID
    actions: frozenset[str]
    role: str | None = None
    locations: tuple[UUID, ...] | None = None
    owns_installation: bool = False
    home_party_id: UUID | None = None
    remote_address: str | None = None
    web_session_id: UUID | None = None
    proved_at: datetime | None = None

    @property
    def scope(self) -> Scope:
        """What they see."""
        return Scope(self.party_id, self.locations)

    @property
    def home(self) -> UUID:
        """The party that keeps their account; they may be at work for another."""
        return self.home_party_id or self.party_id

    @property
    def at_home(self) -> "Actor":
        """The same person in the party that keeps their account: what they do to that belongs there."""
        return structs.replace(self, party_id=self.home)

    @property
    def operator_id(self) -> UUID | None:
        """The person behind it; None for keys and the system."""
        kind, _, value = self.actor_id.partition(":")
        return UUID(value) if kind == "operator" else None


class Owned(Protocol):
    """Anything that belongs to a party. What is at a location has a `location_id` too."""

    @property
    def party_id(self) -> UUID: ...


def may(actor: Actor, action: str, thing: Owned | None = None) -> bool:
    """May `actor` do `action`, to `thing` when one is given? Nobody ever reaches another party's things.

    Whoever sees some locations only reaches what is at these, and nothing that is at none. Parties are made and changed
    for the one that runs the installation.
    """
    if action not in ACTIONS:
        raise ValueError(f"no such action: {action}")
    if action in OF_INSTALLATION and not actor.owns_installation:
        return False
    if thing is not None and thing.party_id != actor.party_id:
        return False
    if thing is not None and not actor.scope.holds(getattr(thing, "location_id", None)):
        return False
    return action in actor.actions or ADMIN in actor.actions


def require(actor: Actor, action: str, thing: Owned | None = None) -> None:
    """Raises NotAllowed unless `may()`."""
    if not may(actor, action, thing):
        raise NotAllowed(f"{actor.name} may not do this: it takes {action}", action=action)


def require_proof(actor: Actor, now: datetime) -> None:
    """Raises ProofNeeded when a browser's person has shown no proof within `PROOF_FRESH_FOR`. Keys are their own proof."""
    if actor.web_session_id is None:
        return
    if actor.proved_at is None or now - actor.proved_at > PROOF_FRESH_FOR:
        raise ProofNeeded("show once more that it is you: this can do harm")


def weightiest(roles: Iterable[str]) -> str | None:
    """Of several roles the one that counts; None of none."""
    found = set(roles)
    return next((role for role in ROLES_BY_WEIGHT if role in found), None)


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
    return Actor(actor_id="system", name=name, party_id=party_id, actions=everything, owns_installation=True)
