"""Revocation lists of other authorities (RFC 5280 §5): where certificates say they are, whether one is believed. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

SKEW = timedelta(minutes=5)
MOST_POINTS = 3
LONGEST_URL = 500
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_PEM = b"-----BEGIN X509 CRL-----"


class RevocationList(msgspec.Struct, frozen=True, kw_only=True):
    """A list that was believed. `until`: when the next one is due at the latest."""

    issuer: str
    since: datetime
    until: datetime
    number: int | None
    serials: frozenset[int]


class BadList(Exception):
    """What came is not what the authority says now; the text says why."""


def points_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Where the certificate says its authority's complete list is; addresses of HTTP only, at most MOST_POINTS."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()
    # Lists of some reasons only, or kept by somebody else, do not clear a certificate.
    complete = [point for point in points if point.reasons is None and point.crl_issuer is None]
    urls = [
        name.value
        for point in complete
        for name in point.full_name or ()
        if isinstance(name, x509.UniformResourceIdentifier)
    ]
    wanted = [url for url in urls if url.startswith(("http://", "https://")) and len(url) <= LONGEST_URL]
    return tuple(dict.fromkeys(wanted))[:MOST_POINTS]


def read(body: bytes, issuer: x509.Certificate, at: datetime, since: datetime | None = None) -> RevocationList:
    """The list in `body` (DER or PEM), if `issuer` signed it and it is good at `at`. Raises BadList.

    `since`: of the list that was believed before; an older one would bring revoked certificates back.
    """
    try:
        crl = x509.load_pem_x509_crl(body) if body.lstrip().startswith(_PEM) else x509.load_der_x509_crl(body)
        _check_signature(crl, issuer)
        _check_scope(crl)
        until = crl.next_update_utc
        if until is None:
            raise BadList("it does not say when the next one comes")
        if crl.last_update_utc > at + SKEW or until <= at:
            raise BadList("not valid now")
        if since is not None and crl.last_update_utc < since:
            raise BadList("older than the one before")
        return RevocationList(
            issuer=crl.issuer.rfc4514_string(),
            since=crl.last_update_utc,
            until=until,
            number=_number(crl),
            serials=frozenset(entry.serial_number for entry in crl),
        )
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise BadList(f"unreadable: {error}"[:100]) from error


def _check_signature(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    if crl.issuer != issuer.subject:
        raise BadList("another authority's")
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed448.Ed448PublicKey):
        raise BadList("signed with a kind of key that is not known here")
    if not isinstance(key, ed448.Ed448PublicKey) and not isinstance(crl.signature_hash_algorithm, _HASHES):
        raise BadList("signed with too weak a hash")
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.crl_sign:
        raise BadList("its authority may sign no lists")
    if not crl.is_signature_valid(key):
        raise BadList("not signed by its authority")


def _check_scope(crl: x509.CertificateRevocationList) -> None:
    """Only a complete list says of a certificate that is not in it that it is good."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            is_partial = value.only_some_reasons is not None or value.only_contains_attribute_certs
            if is_partial or value.indirect_crl or value.only_contains_ca_certs or value.only_contains_user_certs:
                raise BadList("not a complete list")
        elif isinstance(value, x509.DeltaCRLIndicator):
            raise BadList("changes only, not a complete list")
        elif extension.critical:
            raise BadList(f"a critical extension that is not known here: {extension.oid.dotted_string}")


def _number(crl: x509.CertificateRevocationList) -> int | None:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None
