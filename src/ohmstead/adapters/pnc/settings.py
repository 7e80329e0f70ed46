"""What the contract pool's adapter must be told."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class PoolSettings(Struct, frozen=True, kw_only=True):
    """A contract certificate pool."""

    url: Annotated[str, Meta(description="Address of its signed contract data service.", pattern=r"^https?://")]
    token: Annotated[str | None, Meta(description="Bearer token.")] = None
    deadline_s: float = 15.0

    def __repr__(self) -> str:
        return f"PoolSettings({self.url!r})"
