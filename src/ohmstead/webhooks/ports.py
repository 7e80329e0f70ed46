"""What webhooks need of the outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class Answered(Struct, frozen=True, kw_only=True):
    """What a receiver said: the beginning of its body as text, and how long it wants to be left alone."""

    status_code: int
    text: str
    retry_after: str | None = None


class Poster(Protocol):
    """Makes requests, to nobody who may not be asked."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """One request, no redirects. Raises ExternalFailure when there is no answer, or the address is refused."""
        ...
