"""What waits for a second person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta, Struct

State: TypeAlias = Literal["waiting", "approved", "rejected", "withdrawn", "expired"]


class Approval(Struct, frozen=True, kw_only=True):
    """Something that one person wants and another must agree to.

    `kind` and `request` say what, to whoever carries it out; `result` names what came of it, once approved.
    """

    approval_id: UUID
    party_id: UUID
    kind: str
    summary: str
    request: dict[str, Any]
    asked_by: str
    asked_name: str
    asked_at: datetime
    expires_at: Annotated[datetime, Meta(description="Over by itself from then on.")]
    state: State
    decided_by: str | None = None
    decided_name: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    result: str | None = None
