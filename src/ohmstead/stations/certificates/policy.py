"""Whether a certificate may be signed for a station: a pure decision over its request."""

from __future__ import annotations

import re
from collections.abc import Set

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ohmstead.stations.certificates.model import Use

LONGEST_CSR = 5500
MOST_REQUESTS_AN_HOUR = 10
LEAST_RSA_BITS = 2048  # A00.FR.502, FR.503
LEAST_EC_BITS = 224
MOST_RSA_BITS = 8192  # more costs whoever checks it seconds

_BEGIN = re.compile(r"-----BEGIN (NEW )?CERTIFICATE REQUEST-----")
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_IN_SUBJECT = frozenset(
    (
        *(NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COUNTRY_NAME),
        *(NameOID.STATE_OR_PROVINCE_NAME, NameOID.LOCALITY_NAME, NameOID.SERIAL_NUMBER),
    )
)
_ASKED_FOR = (x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectKeyIdentifier)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a request of one station may say. `names`: the station's own, compared without regard to case.

    `organization`: what it must name, if anything (2.x OrganizationName, 1.6 CpoName). `n_within_hour`: requests of the
    station that were taken within the last hour.
    """

    use: Use
    names: Set[str]
    organization: str | None = None
    n_within_hour: int = 0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a good request asks for."""

    csr: x509.CertificateSigningRequest
    key_hash: str


class Refusal(Exception):
    """The request is not signed; `reason` is a slug for the record and the security signal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check(csr_pem: str, policy: Policy) -> Request:
    """The request, if it may be signed. Raises Refusal."""
    if policy.n_within_hour >= MOST_REQUESTS_AN_HOUR:
        raise Refusal("too_many_requests")
    csr = parse(csr_pem)
    _check_key(csr, policy.use)
    # Ed448 has its hash in itself.
    if not isinstance(csr.public_key(), ed448.Ed448PublicKey) and not isinstance(csr.signature_hash_algorithm, _HASHES):
        raise Refusal("hash_too_weak")
    if not csr.is_signature_valid:
        raise Refusal("signature_wrong")
    _check_subject(csr.subject, policy)
    _check_extensions(csr)
    return Request(csr=csr, key_hash=key_hash(csr))


def parse(csr_pem: str) -> x509.CertificateSigningRequest:
    """Exactly one PEM request. Raises Refusal."""
    if len(csr_pem) > LONGEST_CSR:
        raise Refusal("too_long")
    if len(_BEGIN.findall(csr_pem)) != 1:
        raise Refusal("not_a_request")
    try:
        csr = x509.load_pem_x509_csr(csr_pem.strip().encode())
        csr.public_key()
        csr.subject.rfc4514_string()
    except (ValueError, UnsupportedAlgorithm):
        raise Refusal("not_a_request") from None
    return csr


def key_hash(holder: x509.CertificateSigningRequest | x509.Certificate) -> str:
    """SHA-256 of the public key, hexadecimal."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def csr_hash(csr_pem: str) -> str | None:
    """SHA-256 of the request itself, hexadecimal, however it is wrapped; None for what is no request."""
    try:
        der = parse(csr_pem).public_bytes(Encoding.DER)
    except Refusal:
        return None
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def subject_of(csr: x509.CertificateSigningRequest, use: Use) -> x509.Name:
    """The subject to be certified: nothing but what was checked."""
    allowed = _allowed(use)
    return x509.Name([found for found in csr.subject if found.oid in allowed])


def _allowed(use: Use) -> frozenset[x509.ObjectIdentifier]:
    # ISO 15118 marks a charge point operator's certificates with DC=CPO.
    return _IN_SUBJECT if use == "station" else _IN_SUBJECT | {NameOID.DOMAIN_COMPONENT}


def _check_key(csr: x509.CertificateSigningRequest, use: Use) -> None:
    key = csr.public_key()
    if use == "v2g20":
        # ISO 15118-20 knows these two, and no others.
        is_p521 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP521R1)
        if not is_p521 and not isinstance(key, ed448.Ed448PublicKey):
            raise Refusal("curve_not_of_iso_15118_20")
    elif isinstance(key, rsa.RSAPublicKey):
        if not LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
            raise Refusal("key_too_weak" if key.key_size < LEAST_RSA_BITS else "key_too_long")
        if key.public_numbers().e < 65537:
            raise Refusal("key_too_weak")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.key_size < LEAST_EC_BITS:
            raise Refusal("key_too_weak")
    else:
        raise Refusal("key_kind_unknown")


def _check_subject(subject: x509.Name, policy: Policy) -> None:
    found: dict[x509.ObjectIdentifier, list[str]] = {}
    for attribute in subject:
        found.setdefault(attribute.oid, []).append(str(attribute.value))
    if foreign := set(found) - _allowed(policy.use):
        raise Refusal(f"foreign_attribute_{next(iter(foreign)).dotted_string}")
    if found.get(NameOID.DOMAIN_COMPONENT, ["CPO"]) != ["CPO"]:
        raise Refusal("foreign_domain")
    names = {name.lower() for name in policy.names}
    common = found.get(NameOID.COMMON_NAME, [])
    if len(common) != 1 or common[0].lower() not in names:
        raise Refusal("name_of_another" if common else "nameless")
    # The door takes this attribute for the name too.
    serials = found.get(NameOID.SERIAL_NUMBER, [])
    if serials and (len(serials) != 1 or serials[0].lower() not in names):
        raise Refusal("serial_number_of_another")
    organizations = found.get(NameOID.ORGANIZATION_NAME, [])
    if len(organizations) > 1 or (policy.organization is not None and organizations != [policy.organization]):
        raise Refusal("another_organization")


def _check_extensions(csr: x509.CertificateSigningRequest) -> None:
    try:
        asked = list(csr.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise Refusal("extensions_unreadable") from None
    for extension in asked:
        if isinstance(extension.value, x509.BasicConstraints):
            if extension.value.ca:
                raise Refusal("wants_to_be_authority")
        elif isinstance(extension.value, x509.SubjectAlternativeName):
            raise Refusal("foreign_names")  # A00.FR.511
        elif not isinstance(extension.value, _ASKED_FOR):
            raise Refusal("extension_unknown")
