"""What people sign in with, and what came of trying."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.model import Operator

Method: TypeAlias = Literal["link", "password", "passkey", "provider"]
Outcome: TypeAlias = Literal["signed_in", "refused"]


class Passkey(Struct, frozen=True, kw_only=True):
    """A key pair that a person's device holds; we know the public half."""

    passkey_id: UUID
    operator_id: UUID
    name: str
    is_synced: Annotated[bool, Meta(description="Kept by a password manager on several devices.")]
    created_at: datetime
    last_used_at: datetime | None


class StoredPasskey(Struct, frozen=True, kw_only=True):
    """What proves a passkey."""

    passkey_id: UUID
    operator_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]


class Factors(Struct, frozen=True, kw_only=True):
    """What a person can sign in with."""

    passkeys: list[Passkey]
    has_password: bool
    password_set_at: datetime | None
    has_codes: bool
    codes_since: datetime | None
    n_recovery_codes: int
    providers: list[str]

    @property
    def can_prove(self) -> bool:
        """Whether the person can show on the spot that it is them, without a new link."""
        return bool(self.passkeys) or self.has_password


class Credentials(Struct, frozen=True, kw_only=True):
    """An operator with what is kept of the password and the code secret."""

    operator: Operator
    password_hash: str | None
    totp_secret: bytes | None
    has_codes: bool
    totp_last_step: int


class Visit(Struct, frozen=True, kw_only=True):
    """Where somebody comes from who is not signed in yet. `known` is the mark of a browser that signed in before."""

    address: str
    user_agent: str | None = None
    known: str | None = None


class SignInAttempt(Struct, frozen=True, kw_only=True):
    """One try to sign in, and what came of it."""

    attempt_id: int
    at: datetime
    operator_id: UUID | None
    name: Annotated[str, Meta(description="Whose account was tried, as far as that is known.")]
    method: Method
    outcome: Outcome
    reason: str | None
    remote_address: str | None
    user_agent: str | None
