"""What the outside world does for notices."""

from __future__ import annotations

from typing import Protocol

from ohmstead.sessions.notices.model import VatAnswer


class VatRegister(Protocol):
    """A public register of VAT numbers."""

    async def look_up(self, country: str, number: str) -> VatAnswer:
        """What it knows of a number (without its country). Raises ExternalFailure when it cannot be asked."""
        ...
