"""What certificates need of the outside world."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

import msgspec

from ohmstead.stations.certificates.model import Use


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate with its chain, PEM, leaf first. `authority_id` when it is one of ours."""

    chain_pem: str
    authority_id: UUID | None = None


class Signer(Protocol):
    """An authority that signs requests; they were checked against the policy before."""

    async def sign(self, csr_pem: str, use: Use) -> Signed:
        """Raises ExternalFailure; a permanent one when asking again is pointless."""
        ...


class Responders(Protocol):
    """OCSP responders out there."""

    async def ask(self, url: str, request_der: bytes) -> bytes:
        """The responder's answer, DER, unjudged.

        Raises ExternalFailure: permanent for an address that may not be asked, else when no answer came in time.
        """
        ...


class ListSource(Protocol):
    """Distribution points of revocation lists out there."""

    async def fetch(self, url: str) -> bytes:
        """What is there, unjudged.

        Raises ExternalFailure: permanent for an address that may not be asked, else when nothing whole came in time.
        """
        ...


class EvCertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A car asks for a contract certificate (2.x M01/M02): the request is EXI, which only the pool reads."""

    schema_version: str
    action: str
    exi_request: str
    most_chains: int | None = None
    emaids: tuple[str, ...] = ()


class EvCertificateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The pool's answer, to be passed on as it is."""

    exi_response: str
    remaining_contracts: int | None = None


class ContractPool(Protocol):
    """Where contract certificates for cars come from."""

    async def fetch(self, request: EvCertificateRequest) -> EvCertificateAnswer:
        """Raises ExternalFailure when the pool has nothing, says no, or does not answer in time."""
        ...
