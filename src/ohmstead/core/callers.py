"""Who is counted as one: an address from which somebody asks, for limits. Pure."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def counted_as(address: str) -> str:
    """Under what an address counts: an IPv6 one as its /64, of which one connection has all; what is none as it is."""
    try:
        found = ip_address(address.split("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else f"{int(found) >> 64:x}/64"
    return str(found)
