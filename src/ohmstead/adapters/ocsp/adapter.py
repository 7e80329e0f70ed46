"""OCSP over HTTP (RFC 6960 A.1), to hosts that the operator named and to no others. Implements ports.Responders."""

from __future__ import annotations

from collections.abc import Iterable

from ohmstead.adapters import outgoing
from ohmstead.core.errors import ExternalFailure

MOST_BYTES = 32 * 1024


class HttpResponders:
    """`hosts`: who may be asked, as `host` (its usual port) or `host:port`. Stations name the addresses, so without this
    list anybody with a station could have us send requests anywhere.
    """

    def __init__(self, hosts: Iterable[str], deadline_s: float = 3.0) -> None:
        self._hosts = frozenset(host.strip().lower() for host in hosts)
        self._deadline_s = deadline_s

    def check(self, url: str) -> None:
        """Raises ExternalFailure for an address that may not be asked."""
        outgoing.check_allowed(url, self._hosts, "OHMSTEAD_OCSP_HOSTS")

    async def ask(self, url: str, request_der: bytes) -> bytes:
        self.check(url)
        answer = await outgoing.post(
            url,
            request_der,
            headers={"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"},
            deadline_s=self._deadline_s,
            most_bytes=MOST_BYTES,
        )
        if answer.status != 200:
            raise ExternalFailure(f"the responder answered {answer.status}")
        return answer.body
