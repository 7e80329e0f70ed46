"""Whither requests of webhooks may go: nobody looks into our own network through them. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import urlsplit

from ohmstead.core.language import N_

MOST_CHARACTERS: Final = 2000
USUAL_PORTS: Final = {"http": 80, "https": 443}
# Addresses that hold an IPv4 address in their last four bytes, which a gateway would unwrap (RFC 6052).
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

# 127.1, 2130706433 and 0x7f.1 are spellings of addresses, too; no name ends so.
_ENDS_IN_A_NUMBER: Final = re.compile(r"(^|\.)(\d+|0[xX][0-9a-fA-F]*)\.?$")


def why_not(url: str, allowed_hosts: Collection[str]) -> str | None:
    """Why a webhook may not have this address; None when it may, as far as the address itself tells.

    `https://` to a public host. Hosts that the setting `webhook_hosts` names (`host`, `host:port`, `*.example.com`) may be
    private, and plain `http://`. What a name leads to is looked at when a request is made, every time.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return N_("it is no address")
    if len(url) > MOST_CHARACTERS:
        return f"it has more than {MOST_CHARACTERS} characters"
    if not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return N_("it holds characters that no address has; write other alphabets as punycode and percent-encoded")
    if parts.scheme not in USUAL_PORTS:
        return N_("it does not begin with https://")
    if not host:
        return N_("it names no host")
    if parts.username is not None or parts.password is not None:
        return N_("it holds a user name; requests are signed, that is how the receiver knows us")
    if parts.fragment:
        return N_("it has a fragment (#…), which no server ever sees")
    if is_allowed(host, port or USUAL_PORTS[parts.scheme], allowed_hosts):
        return None
    if parts.scheme != "https":
        return N_("it does not begin with https://")
    literal = _literal(host)
    if literal is None and _ENDS_IN_A_NUMBER.search(host):
        return N_("it is an address by number in a spelling that is not the usual one")
    if literal is not None and not is_public(literal):
        return f"{literal} is not a public address, and OHMSTEAD_WEBHOOK_HOSTS does not name it"
    return None


def is_allowed(host: str, port: int, allowed_hosts: Collection[str]) -> bool:
    """Whether the setting names this host, so that it may be private."""
    name = host.rstrip(".").lower()
    return bool({name, f"{name}:{port}", f"[{name}]:{port}"} & set(allowed_hosts)) or any(
        one.startswith("*.") and name.endswith(one[1:]) for one in allowed_hosts
    )


def is_public(address: IPv4Address | IPv6Address | str) -> bool:
    """Whether an address is out in the internet: not private, local, reserved or multicast, in no disguise either."""
    known = ipaddress.ip_address(address.split("%")[0]) if isinstance(address, str) else address
    if isinstance(known, IPv6Address):
        inner = known.ipv4_mapped or known.sixtofour or (known.teredo[1] if known.teredo else None)
        if inner is None and known in _NAT64:
            inner = IPv4Address(int(known) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if known.is_site_local:
            return False
    return known.is_global and not known.is_multicast and not known.is_reserved and not known.is_unspecified


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return None
