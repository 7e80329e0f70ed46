"""Confirming that a telephone number is its driver's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct


class PhoneCode(Struct, frozen=True, kw_only=True):
    """A code to be sent, in the clear for its one message."""

    code_id: UUID
    phone: str
    code: str
    expires_at: datetime


class SentPhoneCode(Struct, frozen=True, kw_only=True):
    """A code on its way."""

    phone: Annotated[str, Meta(description="Where it was sent.")]
    expires_at: Annotated[datetime, Meta(description="Until then it is good, for five tries.")]


class TypedPhoneCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the driver read in the message."""

    code: Annotated[str, Meta(min_length=1, max_length=40, description="Spaces do not matter.")]
