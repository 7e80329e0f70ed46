"""How drivers sign in on their pages, and who they are there."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.access import Actor

Method: TypeAlias = Literal["code", "passkey"]


class SignedInDriver(Struct, frozen=True, kw_only=True):
    """The driver in front of a browser. `proved_at`: when they last showed a code or a passkey; `unconfirmed_phone`: their
    number, as long as it is not confirmed.
    """

    driver_id: UUID
    party_id: UUID
    party_name: str
    name: str
    email: str | None
    language: str | None
    status: Literal["active", "blocked"]
    unconfirmed_phone: str | None
    session_id: UUID
    csrf_token: str
    proved_at: datetime

    @property
    def actor(self) -> Actor:
        """As whom the audit log knows them: by their id, which leads to nobody once they are erased."""
        return Actor(
            actor_id=f"driver:{self.driver_id}", name="driver", party_id=self.party_id, actions=frozenset[str]()
        )


class DriverWelcome(Struct, frozen=True, kw_only=True):
    """A session just opened: what its cookie holds, and the token of its forms."""

    cookie: str
    csrf_token: str
    driver_id: UUID
    party_id: UUID
    is_new: bool


class SentCode(Struct, frozen=True, kw_only=True):
    """A code to be sent, in the clear for its one letter."""

    code_id: UUID
    party_id: UUID
    email: str
    code: str
    expires_at: datetime


class DriverBrowser(Struct, frozen=True, kw_only=True):
    """A browser in which a driver is signed in."""

    driver_session_id: UUID
    method: Method
    created_at: datetime
    last_seen_at: datetime
    user_agent: str | None


class DriverPasskey(Struct, frozen=True, kw_only=True):
    """A key pair that a driver's device holds."""

    passkey_id: UUID
    name: str
    is_synced: bool
    created_at: datetime
    last_used_at: datetime | None
