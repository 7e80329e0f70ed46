"""What the adapter for SMS and others must be told."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct

PLACE = "{phone}"


class AppriseSettings(Struct, frozen=True, kw_only=True):
    """A provider, as an address that Apprise knows (https://github.com/caronc/apprise/wiki)."""

    url: Annotated[str, Meta(description="With `{phone}` where the number goes: `twilio://SID:TOKEN@FROM/{phone}`.")]
    timeout_s: float = 20.0

    def __repr__(self) -> str:
        return f"AppriseSettings({self.url.split(':', 1)[0]}://…)"

    def to(self, phone: str) -> str:
        """The address that reaches a number."""
        digits = "".join(c for c in phone if c.isdigit())
        return self.url.replace(PLACE, quote(f"+{digits}" if phone.strip().startswith("+") else digits, safe="+"))
