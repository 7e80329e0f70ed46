"""Foreign addresses that operators want to send stations to: which are allowed. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from ohmstead.core.errors import Refused
from ohmstead.stations import orders as o

_CREDENTIALS = re.compile(r"//[^/@]*@")
# Ours hold credentials in front of the host; anything odder is judged by its host.
_FTP_USER = re.compile(r"^(ftps?://)[A-Za-z0-9_-]+:[A-Za-z0-9_-]+@")
SCHEMES = frozenset(("https", "http", "ftps", "ftp", "sftp"))
# OCPP's own names of the fields that hold an address, in messages sent as they are.
_FIELDS = frozenset(("location", "remoteLocation"))
_RAW = frozenset(("GetDiagnostics", "GetLog", "PublishFirmware", "SignedUpdateFirmware", "UpdateFirmware"))


def why_not(address: str, allowed_hosts: Collection[str]) -> str | None:
    """Why a station may not be sent to an address; None when it may.

    Only hosts that the setting `file_hosts` names (`*.example.com` for a domain's): a station stands in a network of
    ours, and whoever can make it fetch from or send to anywhere can look into that network, or take its logs.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no address"
    if not address.isprintable() or "\\" in address or " " in address:
        return "it holds characters that no address has"
    if parts.scheme.lower() not in SCHEMES:
        return f"{parts.scheme[:20] or 'no scheme'}: is not one of {', '.join(sorted(SCHEMES))}"
    if not host:
        return "it names no host"
    name = host.rstrip(".").lower()
    if name in allowed_hosts:
        return None
    if _is_number(name):
        return f"{name} is an address by number, which OHMSTEAD_FILE_HOSTS does not name"
    if any(allowed.startswith("*.") and name.endswith(allowed[1:]) for allowed in allowed_hosts):
        return None
    return f"{name} is not among OHMSTEAD_FILE_HOSTS"


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%")[0])
        return True
    except ValueError:
        # 2130706433, 0x7f.1 and 127.1 are spellings of addresses, too.
        return all(part.isdigit() or part.startswith("0x") for part in host.split("."))


def addresses_in(order: o.Order) -> list[str]:
    """Every address that an order would have a station fetch from or send to."""
    found: list[str] = []
    if isinstance(order, o.GetLog | o.GetDiagnostics | o.UpdateFirmware | o.PublishFirmware):
        found.append(order.url)
    elif isinstance(order, o.Raw) and order.action in _RAW:
        _look(order.payload, found)
    return found


def _look(value: Any, found: list[str]) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _FIELDS and isinstance(item, str):
                found.append(item)
            else:
                _look(item, found)
    elif isinstance(value, list):
        for item in value:
            _look(item, found)


class Guard:
    """Checks orders before they leave. `ours`: how addresses of our own begin; none: nothing of ours is known."""

    def __init__(self, ours: str | tuple[str, ...], allowed_hosts: Collection[str]) -> None:
        self._ours = tuple(one for one in ((ours,) if isinstance(ours, str) else ours) if one)
        self._allowed = frozenset(host.rstrip(".").lower() for host in allowed_hosts)

    def check(self, order: o.Order) -> None:
        """Raises Refused, with the address in its detail, for an order that leads to where nobody may be sent."""
        for address in addresses_in(order):
            if address.startswith(self._ours) or _FTP_USER.sub(r"\1", address).startswith(self._ours):
                continue
            if reason := why_not(address, self._allowed):
                shown = _CREDENTIALS.sub("//…@", address)[:200]
                raise Refused(f"the station may not be sent to {shown}: {reason}", address=shown)
