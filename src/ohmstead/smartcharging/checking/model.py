"""Does a station carry out what it accepted? What was found, and what concerns it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

CheckStatus: TypeAlias = Literal["due", "same", "differs", "waits", "untold", "doubtful"]


class Difference(Struct, frozen=True, kw_only=True):
    """From `at_s` on the station allows something else than the profiles it accepted. In W; None: no limit."""

    at_s: Annotated[int, Meta(description="Seconds after the composite schedule's begin.")]
    expected_w: Decimal | None
    told_w: Decimal | None


class Verdict(Struct, frozen=True, kw_only=True):
    """What a check came to."""

    status: CheckStatus
    detail: str | None = None
    differences: tuple[Difference, ...] = ()


class ProfileCheck(Struct, frozen=True, kw_only=True):
    """The last check of an EVSE; 0 is the grid connection."""

    evse_number: int
    status: Annotated[
        CheckStatus,
        Meta(
            description="waits: to be told only when a car charges; untold: the station does not say what it would"
            " deliver; doubtful: nor is its make to be believed."
        ),
    ]
    detail: str | None
    differences: list[Difference]
    since: datetime
    checked_at: datetime | None


class Running(Struct, frozen=True):
    """The car that charges at an EVSE."""

    transaction_id: str
    started_at: datetime
    power_w: Decimal | None
    power_at: datetime | None
