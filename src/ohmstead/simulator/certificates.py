"""The certificates a station has been given: enough to install, list and delete them."""

import binascii
from hashlib import sha256
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from msgspec import Struct

Key: TypeAlias = ec.EllipticCurvePrivateKey
MAX_CERTIFICATES = 16


class CertificateHash(Struct, frozen=True):
    """How OCPP names a certificate (2.x CertificateHashDataType): SHA-256 over issuer name and key, and the serial."""

    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


def read(pem: str) -> CertificateHash | None:
    """The hash data of a PEM certificate; None for anything else. The issuer's key is taken to be its own (a root)."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        return None
    return CertificateHash(
        sha256(certificate.issuer.public_bytes()).hexdigest(),
        sha256(key).hexdigest(),
        f"{certificate.serial_number:x}"[:40],
    )


class CertificateStore:
    """What is installed, by use (`CSMSRootCertificate`, …)."""

    __slots__ = ("_installed",)

    def __init__(self) -> None:
        self._installed: list[tuple[str, CertificateHash]] = []

    def install(self, use: str, pem: str) -> str:
        """`Accepted`, `Rejected` (no certificate) or `Failed` (store full), as OCPP spells it."""
        found = read(pem)
        if found is None:
            return "Rejected"
        if (use, found) in self._installed:
            return "Accepted"
        if len(self._installed) >= MAX_CERTIFICATES:
            return "Failed"
        self._installed.append((use, found))
        return "Accepted"

    def listed(self, uses: list[str] | None) -> list[tuple[str, CertificateHash]]:
        """Installed certificates of these uses; None: all."""
        return [(use, found) for use, found in self._installed if uses is None or use in uses]

    def delete(self, issuer_name_hash: str, issuer_key_hash: str, serial_number: str) -> bool:
        """Remove one; False when it is not there."""
        wanted = (issuer_name_hash.casefold(), issuer_key_hash.casefold(), serial_number.casefold().lstrip("0"))
        before = len(self._installed)
        self._installed = [
            (use, h)
            for use, h in self._installed
            if (h.issuer_name_hash, h.issuer_key_hash, h.serial_number.lstrip("0")) != wanted
        ]
        return len(self._installed) < before


def new_request(station_id: str, organization: str) -> tuple[Key, str]:
    """A fresh key and a certificate signing request for it, PEM (CN: the station, O: the operator)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:64] or "unknown"),
            x509.NameAttribute(NameOID.COMMON_NAME, station_id[:64]),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return key, request.public_bytes(Encoding.PEM).decode()


def fits(chain: str, key: Key) -> bool:
    """Does the first certificate of a PEM chain belong to this key?"""
    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except (ValueError, IndexError):
        return False
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return leaf.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
