"""How near is a session to what it may cost? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.core.money import Money
from ohmstead.sessions.terms import CoverLimit

Whose: TypeAlias = Literal["cover", "driver"]
NoticeKind: TypeAlias = Literal["ending", "ran_out"]
# Of a limit that says of itself where it is near.
NEAR: Final = Decimal("0.9")


class Notice(Struct, frozen=True, kw_only=True):
    """A session that came near a limit, or to it."""

    session_id: UUID
    party_id: UUID
    kind: NoticeKind
    whose: Whose
    limit: Money
    total: Money


def limit_of(most: Money) -> CoverLimit:
    """A limit that is near from nine tenths of it on."""
    return CoverLimit(limit=most, warn_at=most * NEAR)


def notices(
    session_id: UUID, party_id: UUID, total: Money, limits: Sequence[tuple[Whose, CoverLimit | None]]
) -> list[Notice]:
    """What is to be noticed. A limit in another currency than the session's is none: nothing here changes money. A session
    that costs nothing needs no cover.
    """
    found = []
    for whose, one in limits:
        if one is None or one.limit.currency != total.currency or total.amount <= 0:
            continue
        kind: NoticeKind
        if total.amount >= one.limit.amount:
            kind = "ran_out"
        elif total.amount >= one.warn_at.amount:
            kind = "ending"
        else:
            continue
        found.append(
            Notice(session_id=session_id, party_id=party_id, kind=kind, whose=whose, limit=one.limit, total=total)
        )
    return found


def is_over(total: Money, limits: Sequence[CoverLimit | None]) -> bool:
    """Did it reach any of them?"""
    return total.amount > 0 and any(
        one is not None and one.limit.currency == total.currency and total.amount >= one.limit.amount for one in limits
    )
