"""What the EST adapter must be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct


class EstSettings(Struct, frozen=True, kw_only=True):
    """One authority, reached by EST (RFC 7030)."""

    url: Annotated[str, Meta(description="Up to and without `/simpleenroll`.", pattern=r"^https?://")]
    user: str | None = None
    password: str | None = None
    ca: Annotated[Path | None, Meta(description="Authorities of the server's own certificate, PEM.")] = None
    deadline_s: float = 20.0

    def __repr__(self) -> str:
        return f"EstSettings({self.url!r}, user={self.user!r})"
