"""Certificates as pages and the API show them: reading only, one party at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.core.conditions import Conditions
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.stations.certificates.model import KeyKind, ProfileUpgrade, Purpose, Use

CertificateKind = Literal[
    "station", "v2g", "v2g20", "central_root", "manufacturer_root", "v2g_root", "contract_root", "oem_root"
]


class CertificateView(Struct, frozen=True, kw_only=True):
    """A certificate that was issued to a station, or a root that is trusted."""

    certificate_id: UUID
    party_id: UUID
    station_id: Annotated[str | None, Meta(description="Whom it was issued to; null for a root.")]
    kind: CertificateKind
    status: Annotated[
        Literal["issued", "active", "rejected", "revoked", "expired"],
        Meta(description="issued: on its way; active: in use; rejected: the station would not have it."),
    ]
    subject: str
    issuer: str
    serial: Annotated[str, Meta(description="Hexadecimal.")]
    fingerprint: Annotated[str, Meta(description="SHA-256, hexadecimal.")]
    not_before: datetime
    not_after: datetime
    issued_at: datetime
    active_at: datetime | None
    replaced_by: UUID | None
    revoked_at: datetime | None
    revocation_reason: str | None
    revocation_told: Annotated[
        Literal["own", "not_offered"] | None,
        Meta(
            description="Who else knows of the revocation. own: our revocation lists and responder tell it; not_offered: "
            "another authority issued it, and its protocol (EST) knows no revoking: have it revoked there, too."
        ),
    ]
    chain_pem: Annotated[str, Meta(description="PEM, the certificate itself first.")]


class CertificateFilter(Struct, kw_only=True):
    """Which certificates."""

    station: Annotated[str, Meta(description="Issued to this station.", max_length=48)] | None = None
    kind: Annotated[CertificateKind | None, Meta(description="Of this kind.")] = None
    status: Annotated[
        Literal["issued", "active", "rejected", "revoked", "expired"] | None, Meta(description="In this state.")
    ] = None
    expires_within_days: (
        Annotated[int, Meta(ge=0, le=3650, description="Good now, and ending within so many days.")] | None
    ) = None


class AuthorityView(Struct, frozen=True, kw_only=True):
    """An authority of the installation's own."""

    authority_id: UUID
    purpose: Purpose
    key_kind: KeyKind
    level: Literal["root", "issuing"]
    certificate_pem: str
    created_at: datetime


class InstalledView(Struct, frozen=True, kw_only=True):
    """A certificate that a station said it has."""

    usage: Annotated[str, Meta(description="As OCPP names it: `CSMSRootCertificate`.")]
    hash_algorithm: Literal["sha256", "sha384", "sha512"]
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    seen_at: Annotated[datetime, Meta(description="When it said so.")]


class SigningRequestView(Struct, frozen=True, kw_only=True):
    """A station's request for a certificate and what became of it."""

    signing_request_id: UUID
    kind: Annotated[Use, Meta(description="combined: one certificate for us and for cars.")]
    status: Literal["accepted", "refused", "signed", "delivered", "rejected", "failed"]
    reason: str | None
    certificate_id: UUID | None
    requested_at: datetime
    finished_at: datetime | None


_STATUS = "case when status in ('issued', 'active') and not_after <= now() then 'expired' else status end"
_COLUMNS = (
    f"certificate_id, party_id, station_id, kind, {_STATUS} as status, subject, issuer, serial, fingerprint, not_before,"
    " not_after, issued_at, active_at, replaced_by, revoked_at, revocation_reason, revocation_told, chain_pem"
)


# whole party: certificates and roots are the party's to look after
async def list_certificates(
    conn: Connection,
    party_id: UUID,
    wanted: CertificateFilter,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[CertificateView]:
    """By their end, the next one first; `after` is the key of the last one of the page before."""
    where = Conditions()
    where.add("party_id = {}", party_id)
    where.add_given("station_id = {}", wanted.station)
    where.add_given("kind = {}", wanted.kind)
    where.add_given(f"{_STATUS} = {{}}", wanted.status)
    if wanted.expires_within_days is not None:
        where.add("not_after < now() + make_interval(days => {})", wanted.expires_within_days)
        where.add("not_after > now() and status = any({})", ["issued", "active"])
    if after is not None:
        where.add("(not_after, certificate_id) > ({}, {})", *after)
    rows = await conn.fetch(
        f"select {_COLUMNS} from certificate where {where.sql} order by not_after, certificate_id"
        f" limit {where.parameter(limit)}",
        *where.values,
    )
    return [CertificateView(**row) for row in rows]


async def get_certificate(conn: Connection, party_id: UUID, certificate_id: UUID) -> CertificateView:
    """Raises NotFound."""
    row = await conn.fetchrow(
        f"select {_COLUMNS} from certificate where party_id = $1 and certificate_id = $2", party_id, certificate_id
    )
    if row is None:
        raise NotFound(f"no certificate {certificate_id}")
    return CertificateView(**row)


# whole party: roots are trusted by every station of the party
async def list_contract_roots(conn: Connection, party_id: UUID) -> list[str]:
    """Roots that contract certificates may lead to, PEM."""
    rows = await conn.fetch(
        "select chain_pem from certificate where party_id = $1 and kind in ('contract_root', 'v2g_root')"
        " and status = 'active' and not_after > now()",
        party_id,
    )
    return [row["chain_pem"] for row in rows]


# whole party: roots are trusted by every station of the party
async def list_manufacturer_roots(conn: Connection, party_id: UUID) -> list[str]:
    """Roots that certificates for signing firmware may lead to, PEM."""
    rows = await conn.fetch(
        "select chain_pem from certificate where party_id = $1 and kind = 'manufacturer_root'"
        " and status = 'active' and not_after > now()",
        party_id,
    )
    return [row["chain_pem"] for row in rows]


async def list_authority_views(conn: Connection) -> list[AuthorityView]:
    """The installation's own authorities; their certificates are everybody's."""
    rows = await conn.fetch(
        "select authority_id, purpose, key_kind, level, certificate_pem, created_at from authority"
        " order by purpose, key_kind, level desc"
    )
    return [AuthorityView(**row) for row in rows]


async def list_installed(conn: Connection, party_id: UUID, station_id: str) -> list[InstalledView]:
    """What the station last said it has."""
    rows = await conn.fetch(
        "select i.usage, i.hash_algorithm, i.issuer_name_hash, i.issuer_key_hash, i.serial_number, i.seen_at"
        " from installed_certificate i join station s using (station_id) where s.party_id = $1 and s.station_id = $2"
        " order by i.usage, i.serial_number",
        party_id,
        station_id,
    )
    return [InstalledView(**row) for row in rows]


async def list_signing_requests(
    conn: Connection, party_id: UUID, station_id: str, limit: int = 50
) -> list[SigningRequestView]:
    """The station's latest ones first."""
    rows = await conn.fetch(
        "select signing_request_id, kind, status, reason, certificate_id, requested_at, finished_at"
        " from signing_request where party_id = $1 and station_id = $2 order by requested_at desc limit $3",
        party_id,
        station_id,
        limit,
    )
    return [SigningRequestView(**row) for row in rows]


async def list_upgrades(conn: Connection, party_id: UUID, station_id: str, limit: int = 20) -> list[ProfileUpgrade]:
    """The station's latest ones first."""
    rows = await conn.fetch(
        "select profile_upgrade_id, party_id, station_id, from_profile, to_profile, url, slot, status, reason,"
        " requested_by, started_at, finished_at from profile_upgrade where party_id = $1 and station_id = $2"
        " order by started_at desc limit $3",
        party_id,
        station_id,
        limit,
    )
    return [ProfileUpgrade(**row) for row in rows]
