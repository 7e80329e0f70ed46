"""What our own authority signs: its own certificates, stations' certificates, revocation lists, OCSP answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from ohmstead.stations.certificates.model import KeyKind, Purpose, Use
from ohmstead.stations.certificates.policy import subject_of
from ohmstead.stations.certificates.vault import PrivateKey

ROOT_FOR = timedelta(days=7300)
ISSUING_FOR = timedelta(days=3650)
CRL_FOR = timedelta(days=7)
SKEW = timedelta(hours=1)  # stations whose clock is a little behind must not find it not yet valid

_NAMES: dict[Purpose, str] = {
    "station": "Ohmstead Stations",
    "v2g": "Ohmstead V2G",
    "v2g20": "Ohmstead V2G20",
    "server": "Ohmstead Servers",
}
_USES: dict[Use, list[x509.ObjectIdentifier]] = {
    "station": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "v2g": [ExtendedKeyUsageOID.SERVER_AUTH],
    "v2g20": [ExtendedKeyUsageOID.SERVER_AUTH],
    "combined": [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
}
_REASONS = {
    "key_compromise": x509.ReasonFlags.key_compromise,
    "affiliation_changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation_of_operation": x509.ReasonFlags.cessation_of_operation,
}


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where others find our revocations; None where the installation has no public address."""

    crl_url: str | None = None
    ocsp_url: str | None = None


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of ours that is good no longer."""

    serial: str
    revoked_at: datetime
    reason: str | None


def new_key(kind: KeyKind, purpose: Purpose, *, is_root: bool) -> PrivateKey:
    """A fresh key. RSA takes a while."""
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    if purpose == "v2g20":
        return ec.generate_private_key(ec.SECP521R1())
    if kind == "EC":
        return ec.generate_private_key(ec.SECP384R1() if is_root else ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def reason_flag(reason: str | None) -> x509.ReasonFlags | None:
    """X.509's word for a reason; unspecified is left out, as RFC 5280 asks."""
    return _REASONS.get(reason or "")


def make_root(purpose: Purpose, kind: KeyKind, key: PrivateKey, at: datetime) -> x509.Certificate:
    """A self-signed root."""
    name = _authority_name(purpose, f"Root {kind}")
    return _authority(name, name, key, key, at, ROOT_FOR, path_length=1).sign(key, hash_for(key))


def make_issuing(
    purpose: Purpose, kind: KeyKind, key: PrivateKey, root: x509.Certificate, root_key: PrivateKey, at: datetime
) -> x509.Certificate:
    """The authority below the root that signs from day to day."""
    name = _authority_name(purpose, f"Issuing {kind}")
    builder = _authority(name, root.subject, key, root_key, at, ISSUING_FOR, path_length=0)
    return builder.sign(root_key, hash_for(root_key))


def _authority_name(purpose: Purpose, what: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ohmstead"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{_NAMES[purpose]} {what}"),
        ]
    )


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    issuer_key: PrivateKey,
    at: datetime,
    valid_for: timedelta,
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - SKEW)
        .not_valid_after(at + valid_for)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )


def _usage(*, is_authority: bool, is_encrypting: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=is_encrypting,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """What a key signs with: as strong as itself. Ed448 brings its own."""
    if isinstance(key, ed448.Ed448PrivateKey):
        return None
    if isinstance(key, rsa.RSAPrivateKey) or key.curve.key_size <= 256:
        return hashes.SHA256()
    return hashes.SHA384() if key.curve.key_size <= 384 else hashes.SHA512()


def sign_request(
    csr: x509.CertificateSigningRequest,
    use: Use,
    issuer: x509.Certificate,
    key: PrivateKey,
    at: datetime,
    valid_for: timedelta,
    places: Places,
) -> x509.Certificate:
    """A certificate for a request that `policy.check` let through.

    Nothing of the request is taken over but its key and what was checked of its subject.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_of(csr, use))
        .issuer_name(issuer.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - SKEW)
        .not_valid_after(min(at + valid_for, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_USES[use]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(csr.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if places.ocsp_url is not None:
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(places.ocsp_url)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    if places.crl_url is not None:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(places.crl_url)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    return builder.sign(key, hash_for(key))


def make_server(
    names: Sequence[x509.GeneralName],
    key: PrivateKey,
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    at: datetime,
    valid_for: timedelta,
) -> x509.Certificate:
    """A server's certificate for host names and addresses. It names no revocation list: it is short-lived instead."""
    common = str(names[0].value)[:64]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - SKEW)
        .not_valid_after(min(at + valid_for, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            _usage(is_authority=False, is_encrypting=isinstance(key, rsa.RSAPrivateKey)),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hash_for(issuer_key))
    )


def make_crl(
    issuer: x509.Certificate, key: PrivateKey, revoked: Sequence[Revoked], number: int, at: datetime
) -> x509.CertificateRevocationList:
    """The list of what is revoked, good for CRL_FOR."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at - SKEW)
        .next_update(at + CRL_FOR)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16)).revocation_date(one.revoked_at)
        reason = reason_flag(one.reason)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hash_for(key))


def pem(*certificates: x509.Certificate) -> str:
    """A chain as text."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)
