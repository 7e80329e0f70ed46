"""The people of a party, and groups that a directory keeps them in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from ohmstead.accounts.model import Operator, Role


class Person(Struct, frozen=True, kw_only=True):
    """An operator, with what they sign in with and when they were here last."""

    operator: Operator
    has_password: bool
    has_codes: bool
    n_passkeys: int
    n_sessions: int
    last_at: datetime | None


class Group(Struct, frozen=True, kw_only=True):
    """A directory's group; `role` is what its members may do here, None: it means nothing here."""

    group_id: UUID
    party_id: UUID
    name: str
    external_id: str | None
    role: Role | None
    created_at: datetime
    changed_at: datetime


class Kept(Struct, frozen=True, kw_only=True):
    """A person as a directory describes them."""

    user_name: str
    name: str
    email: str | None
    external_id: str | None
    is_active: bool
