"""Where messages lead. Kept are paths and what they are about; addresses are made when a message goes out. Pure."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from ohmstead.billing.invoices import links
from ohmstead.drivers import passes

_PASSES: Final[tuple[passes.What, ...]] = ("session", "payment", "command")


def address_of(secret: bytes, base_url: str, value: str) -> str:
    """`/drive/…` under our own address; `session:<id>`, `payment:<id>`: the charge's page, which opens without sign-in, as
    does the document of `invoice:<id>`, and the page on which what was asked for is paid, of `due:<payment>`. Whole
    addresses stay; what is none of these is none.
    """
    if value.startswith("/"):
        return base_url + value
    if value.startswith(("https://", "http://")):
        return value
    what, _, text = value.partition(":")
    try:
        known = UUID(text)
    except ValueError:
        return ""
    if what == "invoice":
        return base_url + links.link_of(secret, known)
    if what == "due":
        return base_url + passes.path_of(secret, "payment", known) + "/due"
    for name in _PASSES:
        if what == name:
            return base_url + passes.path_of(secret, name, known)
    return ""


def addressed(secret: bytes, base_url: str, data: dict[str, Any]) -> dict[str, Any]:
    """The same values, with addresses where they lead somewhere."""
    return {
        name: address_of(secret, base_url, value) if name.endswith("link") and isinstance(value, str) else value
        for name, value in data.items()
    }
