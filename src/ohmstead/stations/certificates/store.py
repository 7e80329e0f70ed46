"""Certificates in PostgreSQL: the write side, and what the door and the worker read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.stations.certificates.issuing import Revoked
from ohmstead.stations.certificates.model import (
    Authority,
    CertificateStatus,
    Installed,
    KeyKind,
    Known,
    ProfileUpgrade,
    Purpose,
    SigningRequest,
    Use,
)
from ohmstead.stations.orders import CertificateRef

# Who is told of a revocation: our own lists and responder, or nobody, for EST knows no revoking (RFC 7030). Roots are
# only trusted no longer.
_TOLD = (
    "revocation_told = case when {0}station_id is null then null when {0}authority_id is null then 'not_offered'"
    " else 'own' end"
)
_AUTHORITY = "authority_id, purpose, key_kind, level, certificate_pem, sealed_key"


class StationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy must know of a station that asks for a certificate."""

    certificate_name: str | None
    secc_id: str | None
    n_within_hour: int


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The same request, when it came before. `certificate_id`: what it became, if that is good still."""

    signing_request_id: UUID
    status: str
    request_number: int | None
    certificate_id: UUID | None


class NewCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A row to be."""

    certificate_id: UUID
    party_id: UUID
    station_id: str | None
    kind: str
    status: CertificateStatus
    authority_id: UUID | None
    subject: str
    issuer: str
    serial: str
    fingerprint: str
    key_hash: str
    chain_pem: str
    not_before: datetime
    not_after: datetime


# ------------------------------------------------------------------------------------------------------ authorities


async def find_authorities(conn: Connection, purpose: Purpose, key_kind: KeyKind) -> dict[str, Authority]:
    """Root and issuing authority, by level."""
    rows = await conn.fetch(
        f"select {_AUTHORITY} from authority where purpose = $1 and key_kind = $2", purpose, key_kind
    )
    return {row["level"]: Authority(**row) for row in rows}


async def list_authorities(conn: Connection) -> list[Authority]:
    rows = await conn.fetch(f"select {_AUTHORITY} from authority order by created_at, level")
    return [Authority(**row) for row in rows]


async def find_authority(conn: Connection, authority_id: UUID) -> Authority | None:
    row = await conn.fetchrow(f"select {_AUTHORITY} from authority where authority_id = $1", authority_id)
    return Authority(**row) if row else None


async def insert_authority(conn: Connection, authority: Authority) -> bool:
    """False when another process was quicker."""
    done = await conn.fetchval(
        f"insert into authority ({_AUTHORITY}) values ($1, $2, $3, $4, $5, $6) on conflict do nothing"
        " returning authority_id",
        authority.authority_id,
        authority.purpose,
        authority.key_kind,
        authority.level,
        authority.certificate_pem,
        authority.sealed_key,
    )
    return done is not None


async def current_crl(conn: Connection, authority_id: UUID, at: datetime) -> bytes | None:
    """The list last signed, unless something was revoked since or it is more than half over."""
    crl: bytes | None = await conn.fetchval(
        "select crl from authority where authority_id = $1 and crl_until > $2", authority_id, at
    )
    return crl


async def next_crl_number(conn: Connection, authority_id: UUID) -> int:
    """Locks the authority until the transaction ends: lists come one after the other."""
    number: int = await conn.fetchval(
        "update authority set crl_number = crl_number + 1 where authority_id = $1 returning crl_number", authority_id
    )
    return number


async def save_crl(conn: Connection, authority_id: UUID, crl: bytes, until: datetime) -> None:
    await conn.execute(
        "update authority set crl = $2, crl_until = $3 where authority_id = $1", authority_id, crl, until
    )


# any party: the authority is the installation's
async def list_revoked(conn: Connection, authority_id: UUID, at: datetime) -> list[Revoked]:
    """What the authority signed that is good no longer; what has expired anyway is left out."""
    rows = await conn.fetch(
        "select serial, coalesce(revoked_at, issued_at) as revoked_at, revocation_reason as reason from certificate"
        " where authority_id = $1 and status in ('revoked', 'rejected') and not_after > $2 order by 2",
        authority_id,
        at,
    )
    return [Revoked(**row) for row in rows]


# any party: an OCSP client asks by serial number alone
async def find_by_serial(conn: Connection, authority_id: UUID, serial: str) -> dict[str, Any] | None:
    row = await conn.fetchrow(
        "select status, coalesce(revoked_at, issued_at) as revoked_at, revocation_reason as reason from certificate"
        " where authority_id = $1 and serial = $2",
        authority_id,
        serial,
    )
    return dict(row) if row else None


# --------------------------------------------------------------------------------------------------------- requests


# any party: keyed by stations that proved their identity
async def station_facts(conn: Connection, station_ids: Sequence[str], since: datetime) -> dict[str, StationFacts]:
    rows = await conn.fetch(
        "select s.station_id, s.certificate_name,"
        " (select value from station_variable v where v.station_id = s.station_id and v.component = 'ISO15118Ctrlr'"
        "   and v.variable = 'SeccId' and v.attribute = 'Actual') as secc_id,"
        " (select count(*) from signing_request r where r.station_id = s.station_id and r.requested_at > $2"
        "   and r.status <> 'refused') as n_within_hour"
        " from station s where s.station_id = any($1)",
        list(station_ids),
        since,
    )
    return {
        row["station_id"]: StationFacts(
            certificate_name=row["certificate_name"], secc_id=row["secc_id"], n_within_hour=row["n_within_hour"]
        )
        for row in rows
    }


# any party: a key belongs to one station, whoever's it is
async def keys_of_others(conn: Connection, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of (station, key) whose key another station has a certificate for."""
    rows = await conn.fetch(
        "select distinct w.station_id, w.key_hash from unnest($1::text[], $2::text[]) as w (station_id, key_hash)"
        " join certificate c on c.key_hash = w.key_hash and c.station_id is distinct from w.station_id",
        [station_id for station_id, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["station_id"], row["key_hash"]) for row in rows}


# any party: keyed by stations that proved their identity
async def find_earlier(conn: Connection, wanted: Sequence[tuple[str, Use, str]]) -> dict[tuple[str, Use, str], Earlier]:
    """By (station, use, hash of the request): the last time that it came, and was not refused or given up."""
    rows = await conn.fetch(
        "select distinct on (r.station_id, r.kind, r.csr_hash) r.station_id, r.kind, r.csr_hash, r.signing_request_id,"
        " r.status, r.request_number, c.certificate_id"
        " from unnest($1::text[], $2::text[], $3::text[]) as w (station_id, kind, csr_hash)"
        " join signing_request r on r.station_id = w.station_id and r.kind = w.kind and r.csr_hash = w.csr_hash"
        " left join certificate c on c.certificate_id = r.certificate_id and c.status in ('issued', 'active')"
        "   and c.not_after > now()"
        " where r.status in ('accepted', 'signed', 'delivered')"
        " order by r.station_id, r.kind, r.csr_hash, r.requested_at desc",
        [station_id for station_id, _, _ in wanted],
        [use for _, use, _ in wanted],
        [digest for _, _, digest in wanted],
    )
    return {
        (row["station_id"], row["kind"], row["csr_hash"]): Earlier(
            signing_request_id=row["signing_request_id"],
            status=row["status"],
            request_number=row["request_number"],
            certificate_id=row["certificate_id"],
        )
        for row in rows
    }


# any party: keyed by stations that proved their identity
async def renumber_request(conn: Connection, signing_request_id: UUID, number: int | None) -> None:
    """It came again, and its answer is to name the number that it came with last."""
    await conn.execute(
        "update signing_request set request_number = $2 where signing_request_id = $1 and status = 'accepted'",
        signing_request_id,
        number,
    )


async def insert_requests(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """(id, party, station, use, csr, its hash, key hash, number, status, reason, certificate, at); what is waiting to be
    signed already is left alone.
    """
    await conn.executemany(
        "insert into signing_request (signing_request_id, party_id, station_id, kind, csr_pem, csr_hash, key_hash,"
        " request_number, status, reason, certificate_id, requested_at, finished_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, case when $9 = 'refused' then $12::timestamptz end)"
        " on conflict (station_id, kind, csr_hash) where status = 'accepted' do nothing",
        rows,
    )


_REQUEST = (
    "signing_request_id, party_id, station_id, kind, csr_pem, request_number, status, certificate_id, command_id, tries"
)


# any party: a job names the request
async def find_request(conn: Connection, signing_request_id: UUID) -> SigningRequest | None:
    row = await conn.fetchrow(
        f"select {_REQUEST} from signing_request where signing_request_id = $1", signing_request_id
    )
    return SigningRequest(**row) if row else None


# any party: a request that was taken
async def request_signed(conn: Connection, signing_request_id: UUID, certificate_id: UUID) -> bool:
    """False when it was done already."""
    done = await conn.fetchval(
        "update signing_request set status = 'signed', certificate_id = $2 where signing_request_id = $1"
        " and status = 'accepted' returning signing_request_id",
        signing_request_id,
        certificate_id,
    )
    return done is not None


# any party: a request that was taken
async def request_sent(conn: Connection, signing_request_id: UUID, command_id: UUID) -> None:
    await conn.execute(
        "update signing_request set command_id = $2, tries = tries + 1 where signing_request_id = $1",
        signing_request_id,
        command_id,
    )


# any party: a request that was taken
async def request_finished(
    conn: Connection,
    signing_request_id: UUID,
    status: str,
    reason: str | None,
    at: datetime,
    station_id: str | None = None,
) -> SigningRequest | None:
    """None when it was finished before, or is not this station's where one is named."""
    row = await conn.fetchrow(
        "update signing_request set status = $2, reason = left($3, 200), finished_at = $4 where signing_request_id = $1"
        f" and finished_at is null and ($5::text is null or station_id = $5) returning {_REQUEST}",
        signing_request_id,
        status,
        reason,
        at,
        station_id,
    )
    return SigningRequest(**row) if row else None


# any party: whoever's station did not get its certificate
async def list_undelivered(conn: Connection, most_tries: int, limit: int = 200) -> list[tuple[UUID, int, bool]]:
    """(request, tries, is it worth another) of certificates whose delivery failed."""
    rows = await conn.fetch(
        "select r.signing_request_id, r.tries, r.tries < $1 and (c.status <> 'failed' or c.error_code ="
        " 'connection_lost') as is_worth_it"
        " from signing_request r join command c using (command_id) where r.status = 'signed'"
        " and c.status in ('failed', 'timed_out', 'expired', 'offline', 'cancelled') limit $2 for update of r skip locked",
        most_tries,
        limit,
    )
    return [(row["signing_request_id"], row["tries"], row["is_worth_it"]) for row in rows]


# any party: nobody's station waits for ever
async def list_unsigned(conn: Connection, before: datetime) -> list[UUID]:
    """Requests that were taken before then, and that no authority signed."""
    rows = await conn.fetch(
        "select signing_request_id from signing_request where status = 'accepted' and requested_at < $1"
        " limit 500 for update skip locked",
        before,
    )
    return [row["signing_request_id"] for row in rows]


# any party: so that a retry that is under way is not begun again
async def request_resent(conn: Connection, signing_request_id: UUID) -> None:
    await conn.execute("update signing_request set command_id = null where signing_request_id = $1", signing_request_id)


# ----------------------------------------------------------------------------------------------------- certificates


async def insert_certificate(conn: Connection, new: NewCertificate) -> bool:
    """False when the party has it already."""
    names = new.__struct_fields__
    done = await conn.fetchval(
        f"insert into certificate (party_id, {', '.join(n for n in names if n != 'party_id')}, active_at)"
        f" values (${names.index('party_id') + 1}, "
        f"{', '.join(f'${i}' for i, n in enumerate(names, 1) if n != 'party_id')},"
        f" case when ${names.index('status') + 1} = 'active' then now() end)"
        " on conflict (party_id, fingerprint) do nothing returning certificate_id",
        *[getattr(new, name) for name in names],
    )
    return done is not None


async def find_chain(conn: Connection, party_id: UUID, certificate_id: UUID) -> str | None:
    chain: str | None = await conn.fetchval(
        "select chain_pem from certificate where party_id = $1 and certificate_id = $2", party_id, certificate_id
    )
    return chain


# any party: the door knows a certificate by what was shown
async def find_known(conn: Connection, fingerprint: str) -> Known | None:
    row = await conn.fetchrow(
        "select certificate_id, station_id, status from certificate where fingerprint = $1 and station_id is not null",
        fingerprint,
    )
    return Known(**row) if row else None


# any party: the door's own connections
async def list_revoked_of(conn: Connection, fingerprints: Sequence[str]) -> set[str]:
    """Those that are good no longer. One that has merely expired ends no connection: over it comes the next one."""
    rows = await conn.fetch(
        "select fingerprint from certificate where fingerprint = any($1) and status in ('revoked', 'rejected')",
        list(fingerprints),
    )
    return {row["fingerprint"] for row in rows}


# any party: the station proved that it has the key
async def activate(conn: Connection, certificate_id: UUID, at: datetime) -> dict[str, Any] | None:
    """A certificate that was issued is in use now; None when it was already."""
    row = await conn.fetchrow(
        "update certificate set status = 'active', active_at = $2 where certificate_id = $1 and status = 'issued'"
        " returning certificate_id, party_id, station_id, kind, subject, not_after",
        certificate_id,
        at,
    )
    return dict(row) if row else None


# any party: the station came back with the new one
async def supersede(conn: Connection, certificate_id: UUID, at: datetime) -> list[dict[str, Any]]:
    """Revoke what a certificate replaces; returns what was revoked."""
    rows = await conn.fetch(
        "update certificate old set status = 'revoked', revoked_at = $2, revocation_reason = 'superseded',"
        f" {_TOLD.format('old.')},"
        " replaced_by = $1 from certificate new where new.certificate_id = $1 and old.station_id = new.station_id"
        " and old.kind = new.kind and old.certificate_id <> new.certificate_id and old.status = 'active'"
        " and old.issued_at <= new.issued_at"
        " returning old.certificate_id, old.party_id, old.station_id, old.kind, old.fingerprint, old.authority_id",
        certificate_id,
        at,
    )
    return [dict(row) for row in rows]


# any party: the station would not have it
async def reject(conn: Connection, certificate_id: UUID) -> UUID | None:
    """Returns the authority whose list changes."""
    authority_id: UUID | None = await conn.fetchval(
        f"update certificate set status = 'rejected', {_TOLD.format('')}"
        " where certificate_id = $1 and status = 'issued'"
        " returning authority_id",
        certificate_id,
    )
    return authority_id


async def revoke(
    conn: Connection, party_id: UUID, certificate_id: UUID, reason: str, at: datetime
) -> dict[str, Any] | None:
    """None when it is not there, or was revoked before."""
    row = await conn.fetchrow(
        f"update certificate set status = 'revoked', revoked_at = $4, revocation_reason = $3, {_TOLD.format('')}"
        " where party_id = $1 and certificate_id = $2 and status <> 'revoked'"
        " returning certificate_id, party_id, station_id, kind, fingerprint, authority_id, serial",
        party_id,
        certificate_id,
        reason,
        at,
    )
    return dict(row) if row else None


async def spoil_crls(conn: Connection, authority_ids: Sequence[UUID | None]) -> None:
    """Their revocation lists are to be signed anew."""
    await conn.execute(
        "update authority set crl = null where authority_id = any($1)", [one for one in authority_ids if one]
    )


# any party: renewal is for everybody's stations
async def list_to_renew(
    conn: Connection, at: datetime, ahead: timedelta, again_after: timedelta
) -> list[dict[str, Any]]:
    """Certificates in use that end soon, of stations that are here and were not asked lately; marks them as asked."""
    rows = await conn.fetch(
        "update certificate c set renewal_asked_at = $1::timestamptz from station s where s.station_id = c.station_id"
        " and c.status = 'active' and c.not_after < $1::timestamptz + $2::interval and s.gateway_id is not null"
        " and s.retired_at is null and (c.renewal_asked_at is null or c.renewal_asked_at < $1::timestamptz - $3::interval)"
        " and not exists (select from signing_request r where r.station_id = c.station_id"
        "   and (r.kind = c.kind or (r.kind = 'combined' and c.kind = 'station'))"
        "   and r.status in ('accepted', 'signed') and r.requested_at > $1::timestamptz - $3::interval)"
        " returning c.certificate_id, c.party_id, c.station_id, s.ocpp_version, c.not_after, coalesce((select r.kind"
        "   from signing_request r where r.certificate_id = c.certificate_id limit 1), c.kind) as use",
        at,
        ahead,
        again_after,
    )
    return [dict(row) for row in rows]


# any party: keyed by the station that was asked
async def has_usable(conn: Connection, station_id: str, at: datetime) -> bool:
    """Has the station a certificate to come with?"""
    found: bool = await conn.fetchval(
        "select exists (select from certificate c where c.station_id = $1 and c.kind = 'station' and c.not_after > $2"
        " and (c.status = 'active' or (c.status = 'issued' and exists (select from signing_request r"
        "   where r.certificate_id = c.certificate_id and r.status = 'delivered'))))",
        station_id,
        at,
    )
    return found


# -------------------------------------------------------------------------------------------------------- installed


async def replace_installed(
    conn: Connection, station_id: str, usages: Sequence[str], found: Sequence[Installed], at: datetime
) -> None:
    """What the station told of these usages; none named: of all."""
    await conn.execute(
        "delete from installed_certificate where station_id = $1 and (usage = any($2) or cardinality($2) = 0)",
        station_id,
        list(usages),
    )
    await conn.executemany(
        "insert into installed_certificate values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        [
            (
                station_id,
                one.usage,
                one.certificate.hash_algorithm,
                one.certificate.issuer_name_hash.lower(),
                one.certificate.issuer_key_hash.lower(),
                one.certificate.serial_number.lower(),
                at,
            )
            for one in found
        ],
    )


async def delete_installed(conn: Connection, station_id: str, certificate: CertificateRef) -> None:
    await conn.execute(
        "delete from installed_certificate where station_id = $1 and serial_number = lower($2)"
        " and issuer_key_hash = lower($3)",
        station_id,
        certificate.serial_number,
        certificate.issuer_key_hash,
    )


# -------------------------------------------------------------------------------------------------- profile upgrades

_UPGRADE = (
    "profile_upgrade_id, party_id, station_id, from_profile, to_profile, url, slot, status, reason, requested_by,"
    " started_at, finished_at"
)


async def insert_upgrade(
    conn: Connection,
    party_id: UUID,
    upgrade_id: UUID,
    station_id: str,
    to_profile: int,
    url: str | None,
    slot: int,
    requested_by: str,
) -> bool:
    """False when the profile is no higher than the present one, or an upgrade is under way."""
    done = await conn.fetchval(
        "insert into profile_upgrade (profile_upgrade_id, party_id, station_id, from_profile, to_profile, url, slot,"
        " status, requested_by) select $2, $1, station_id, security_profile, $4, $5, $6, 'started', $7 from station"
        " where station_id = $3 and party_id = $1 and security_profile < $4 and retired_at is null"
        " on conflict do nothing returning profile_upgrade_id",
        party_id,
        upgrade_id,
        station_id,
        to_profile,
        url,
        slot,
        requested_by,
    )
    return done is not None


# any party: a job, or the station itself, names it
async def find_upgrade(conn: Connection, station_id: str) -> tuple[ProfileUpgrade, str | None] | None:
    """The one under way, and the station's OCPP version."""
    row = await conn.fetchrow(
        f"select {_UPGRADE}, (select ocpp_version from station s where s.station_id = u.station_id) as ocpp_version"
        " from profile_upgrade u where station_id = $1 and finished_at is null for update",
        station_id,
    )
    if row is None:
        return None
    fields = dict(row)
    version = fields.pop("ocpp_version")
    return ProfileUpgrade(**fields), version


# any party: a job, or the station itself, names it
async def upgrade_is(
    conn: Connection, upgrade_id: UUID, status: str, reason: str | None = None, finished_at: datetime | None = None
) -> None:
    await conn.execute(
        "update profile_upgrade set status = $2, reason = left($3, 200), finished_at = $4 where profile_upgrade_id = $1"
        " and finished_at is null",
        upgrade_id,
        status,
        reason,
        finished_at,
    )


# any party: the station whose upgrade it is
async def expect_profile(conn: Connection, station_id: str, profile: int | None) -> None:
    """Admit it under this profile too; None: no longer."""
    await conn.execute(
        "update station set next_security_profile = $2::smallint where station_id = $1"
        " and ($2::smallint is null or security_profile < $2)",
        station_id,
        profile,
    )


# any party: the station that came
async def raise_profile(conn: Connection, station_id: str, profile: int) -> bool:
    """The profile that it came with is its profile now."""
    done = await conn.fetchval(
        "update station set security_profile = $2, next_security_profile = null, version = version + 1,"
        " updated_at = now() where station_id = $1 and next_security_profile = $2 returning station_id",
        station_id,
        profile,
    )
    return done is not None


# any party: what nobody came back from
async def list_stuck_upgrades(conn: Connection, before: datetime) -> list[tuple[UUID, str, str]]:
    rows = await conn.fetch(
        "select profile_upgrade_id, station_id, status from profile_upgrade where finished_at is null"
        " and started_at < $1 for update skip locked",
        before,
    )
    return [(row["profile_upgrade_id"], row["station_id"], row["status"]) for row in rows]
