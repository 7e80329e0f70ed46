"""Certificates of stations: what is asked for, what is issued, what is installed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from ohmstead.stations.orders.form import CertificateRef

Kind: TypeAlias = Literal["station", "v2g", "v2g20"]
# What a request is for. combined: a station certificate that is shown to cars, too (2.x A02, no type named).
Use: TypeAlias = Literal["station", "v2g", "v2g20", "combined"]
Purpose: TypeAlias = Literal["station", "v2g", "v2g20", "server"]
KeyKind: TypeAlias = Literal["EC", "RSA", "Ed448"]
CertificateStatus: TypeAlias = Literal["issued", "active", "rejected", "revoked"]
RequestStatus: TypeAlias = Literal["accepted", "refused", "signed", "delivered", "rejected", "failed"]
RevocationReason: TypeAlias = Literal[
    "unspecified", "key_compromise", "affiliation_changed", "superseded", "cessation_of_operation"
]


def kind_of(use: Use) -> Kind:
    """As what a certificate for this use is kept."""
    return "station" if use == "combined" else use


class SigningReport(msgspec.Struct, kw_only=True):
    """A station asks for a certificate (1.6 security extension, 2.x A02/A03). `number`: 2.1's requestId."""

    station_id: str
    party_id: UUID
    kind: Use
    csr_pem: str
    at: datetime
    number: int | None = None


class SigningOutcome(msgspec.Struct, frozen=True):
    """The answer: accepted, or why not."""

    reason: str | None = None

    @property
    def is_accepted(self) -> bool:
        return self.reason is None


class SigningRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was taken, on its way to a certificate."""

    signing_request_id: UUID
    party_id: UUID
    station_id: str
    kind: Use
    csr_pem: str
    request_number: int | None
    status: RequestStatus
    certificate_id: UUID | None
    command_id: UUID | None
    tries: int


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """A key of ours that signs, and its certificate."""

    authority_id: UUID
    purpose: Purpose
    key_kind: KeyKind
    level: Literal["root", "issuing"]
    certificate_pem: str
    sealed_key: bytes


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that a station says it has. `usage` is OCPP's word (`CSMSRootCertificate`)."""

    usage: str
    certificate: CertificateRef


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the register knows about a certificate that was shown at the door."""

    certificate_id: UUID
    station_id: str | None
    status: CertificateStatus


class ProfileUpgrade(msgspec.Struct, frozen=True, kw_only=True):
    """A station on its way to a higher security profile."""

    profile_upgrade_id: UUID
    party_id: UUID
    station_id: str
    from_profile: int
    to_profile: int
    url: str | None
    slot: int
    status: Literal["started", "certificate", "expected", "done", "failed"]
    reason: str | None
    requested_by: str
    started_at: datetime
    finished_at: datetime | None
