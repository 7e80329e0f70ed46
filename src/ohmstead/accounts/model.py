"""Accounts: parties own data, operators and API keys act for them."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

PartyKind: TypeAlias = Literal["network_operator", "site_host", "emobility_provider", "fleet"]
Role: TypeAlias = Literal["owner", "operations", "technician", "finance", "support", "site_host", "read_only", "api"]


class Party(Struct, frozen=True, kw_only=True):
    """A company that owns stations, tokens and sessions. `country_code` and `party_code` identify it to others (OCPI)."""

    party_id: UUID
    name: str
    country_code: str
    party_code: str
    currency: str
    time_zone: str
    needs_second_person: bool = False
    kind: PartyKind = "network_operator"
    language: str = "en"
    owns_installation: bool = False


class Operator(Struct, frozen=True, kw_only=True):
    """A person who works for a party."""

    operator_id: UUID
    party_id: UUID
    name: str
    email: str | None
    role: Role
    created_at: datetime
    disabled_at: datetime | None = None
    user_name: Annotated[str | None, Meta(description="What a directory calls the person; by SCIM.")] = None
    external_id: str | None = None
    is_provisioned: Annotated[bool, Meta(description="Kept by a directory, through SCIM or a provider.")] = False
    location_ids: Annotated[list[UUID] | None, Meta(description="Only what is at these; null: everything.")] = None


class WebSession(Struct, frozen=True, kw_only=True):
    """A signed-in browser. `web_session_id` names it in lists; the cookie itself is known to the browser only."""

    web_session_id: UUID
    operator_id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    remote_address: str | None
    user_agent: str | None
    method: str = "link"
    proved_at: datetime | None = None
    provider: str | None = None


class ApiKey(Struct, frozen=True, kw_only=True):
    """A program's way in. The key itself is shown once, when it is made; only its hash is kept."""

    api_key_id: UUID
    name: str
    key_start: Annotated[str, Meta(description="The first characters of the key, to tell keys apart.")]
    scopes: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    location_ids: Annotated[list[UUID] | None, Meta(description="Only what is at these; null: everything.")] = None
    last_used_at: Annotated[datetime | None, Meta(description="When it was last used, to the minute.")] = None
    revoked_at: datetime | None = None
    created_by_name: Annotated[str | None, Meta(description="What who made it is called now.")] = None
    last_used_from: Annotated[str | None, Meta(description="The address that it was last used from.")] = None
    version: int = 1


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Who did what to which object, what was before and after, and from where; one link of the party's chain."""

    entry_id: int
    at: datetime
    actor: Annotated[str, Meta(description="`operator:<id>`, `key:<id>` or `system`.")]
    actor_name: Annotated[str | None, Meta(description="What the operator or key is called now.")] = None
    action: str
    object: str
    detail: dict[str, Any]
    changes: Annotated[
        dict[str, Any], Meta(description='Fields that changed, `{"name": {"before": …, "after": …}}`. Never a secret.')
    ]
    remote_address: str | None
    number: Annotated[int | None, Meta(description="Its place in the chain, from 1, without gaps.")]
    previous_hash: Annotated[str | None, Meta(description="The hash of the entry before, hexadecimal.")]
    hash: Annotated[str | None, Meta(description="SHA-256 over `previous_hash`, a newline and `content`, hexadecimal.")]
    content: Annotated[str, Meta(description="What is hashed: a JSON array of all that the entry says.")]
