"""Revocation lists over HTTP (RFC 5280 §4.2.1.13), from hosts that the operator named. Implements ports.ListSource."""

from __future__ import annotations

from collections.abc import Iterable

from ohmstead.adapters import outgoing
from ohmstead.core.errors import ExternalFailure

MOST_BYTES = 8 * 1024 * 1024


class HttpLists:
    """`hosts`: who may be asked, as `host` (its usual port) or `host:port`. Certificates name the addresses, and not only
    those of authorities that we trust are shown to us.
    """

    def __init__(self, hosts: Iterable[str], deadline_s: float = 3.0, most_bytes: int = MOST_BYTES) -> None:
        self._hosts = frozenset(host.strip().lower() for host in hosts)
        self._deadline_s = deadline_s
        self._most_bytes = most_bytes

    async def fetch(self, url: str) -> bytes:
        outgoing.check_allowed(url, self._hosts, "OHMSTEAD_CRL_HOSTS")
        answer = await outgoing.get(
            url,
            headers={"Accept": "application/pkix-crl"},
            deadline_s=self._deadline_s,
            most_bytes=self._most_bytes,
        )
        if answer.status != 200:
            raise ExternalFailure(f"the distribution point answered {answer.status}")
        return answer.body
