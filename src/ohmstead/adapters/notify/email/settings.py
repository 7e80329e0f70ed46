"""What the mail adapter must be told."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Meta, Struct

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Tls = Literal["whole", "start", "start_if_offered", "none"]


class SmtpSettings(Struct, frozen=True, kw_only=True):
    """A mail server. `tls`: from the first byte (`smtps://`), by STARTTLS, likewise where it is offered, or none."""

    host: str
    port: int
    tls: Tls
    sender: Annotated[Address, Meta(description="Who mails come from.")]
    user: str | None = None
    password: str | None = None
    ca: Path | None = None
    timeout_s: float = 20.0

    def __repr__(self) -> str:
        return f"SmtpSettings({self.host!r}, {self.port}, {self.tls!r})"

    @classmethod
    def of(cls, url: str, mail_from: str) -> SmtpSettings:
        """From `smtp://user:password@host:587` or `smtps://…`, special characters percent-encoded, and the sender.

        `smtp://` insists on STARTTLS, but to this machine itself takes what is offered; `?tls=none` does without, for a relay
        in one's own network. `?ca=/path.pem`: whom to believe instead of the system's authorities. Raises ValueError.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("expected smtp://user:password@host:port or smtps://…")
        query = parse_qs(parts.query)
        if set(query) - {"tls", "ca"} or query.get("tls", ["none"]) != ["none"]:
            raise ValueError("after ? there may be tls=none and ca=/path")
        tls: Tls = "whole" if parts.scheme == "smtps" else "start"
        if tls == "start" and parts.hostname in _LOOPBACK:
            tls = "start_if_offered"
        if "tls" in query:
            tls = "none"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if parts.scheme == "smtps" else 587),
            tls=tls,
            sender=sender_of(mail_from),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            ca=Path(query["ca"][0]) if "ca" in query else None,
        )


def sender_of(text: str) -> Address:
    """`no-reply@harbour.example` or `Harbour Power <no-reply@harbour.example>`. Raises ValueError."""
    name, bracket, rest = text.rpartition("<")
    address = rest.removesuffix(">") if bracket else text
    try:
        found = Address(display_name=name.strip().strip('"') if bracket else "", addr_spec=address.strip())
    except (HeaderParseError, ValueError, IndexError) as error:
        raise ValueError("expected an address, as no-reply@harbour.example") from error
    if not found.domain or not found.username:
        raise ValueError("expected an address, as no-reply@harbour.example")
    return found
