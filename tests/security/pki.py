"""A small certificate authority for tests: EC and RSA, good certificates and every kind of bad one."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Kind: TypeAlias = Literal["EC", "RSA"]
Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = timedelta(days=1)


@cache
def _spare_rsa_key(number: int) -> rsa.RSAPrivateKey:
    # RSA keys are slow to make; a few, made once, serve the whole run.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _key(kind: Kind, number: int) -> Key:
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else _spare_rsa_key(number)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def write(self, directory: Path, name: str, passphrase: bytes | None = None) -> tuple[Path, Path]:
        """Files for the chain and the key."""
        cert, key = directory / f"{name}.pem", directory / f"{name}.key"
        protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        cert.write_bytes(self.pem)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
        return cert, key


class Authority:
    """Issues certificates. `parent` makes it a sub-authority, `is_bare` one without the customary extensions."""

    def __init__(
        self, name: str, kind: Kind = "EC", parent: "Authority | None" = None, *, is_bare: bool = False
    ) -> None:
        self.is_bare = is_bare
        self.point: str | None = None  # where its certificates say that its revocation list is
        self.key = _key(kind, 0 if parent is None else 1)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.parent = parent
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(parent.certificate.subject if parent else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 400 * DAY)
            .not_valid_after(now + 400 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        if not is_bare:
            builder = (
                builder.add_extension(
                    x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
                )
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
                .add_extension(self._key_of_issuer(parent), critical=False)
            )
        self.certificate: x509.Certificate = builder.sign((parent or self).key, hashes.SHA256())

    def _key_of_issuer(self, issuer: "Authority | None" = None) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer or self).key.public_key())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def _issue(
        self,
        names: list[tuple[x509.ObjectIdentifier, str]],
        kind: Kind,
        usage: x509.ObjectIdentifier | None,
        valid: tuple[timedelta, timedelta],
        alternatives: list[x509.GeneralName],
        key_number: int,
    ) -> Issued:
        key, now = _key(kind, key_number), datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in names]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + valid[0])
            .not_valid_after(now + valid[1])
        )
        if not self.is_bare:
            builder = builder.add_extension(self._key_of_issuer(), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if self.point is not None:
            names_of_point = [x509.UniformResourceIdentifier(self.point)]
            point = x509.DistributionPoint(names_of_point, None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        chain = (self.certificate,) if self.parent else ()
        return Issued(builder.sign(self.key, hashes.SHA256()), key, chain)

    def server(
        self, kind: Kind = "EC", name: str = "csms.example", valid: tuple[timedelta, timedelta] = (-DAY, 300 * DAY)
    ) -> Issued:
        """A server's certificate for 127.0.0.1."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
        return self._issue([(NameOID.COMMON_NAME, name)], kind, ExtendedKeyUsageOID.SERVER_AUTH, valid, alternatives, 2)

    def client(
        self,
        *common_names: str,
        kind: Kind = "EC",
        serial_number: str | None = None,
        organization: str | None = "Harbour Charging",
        valid: tuple[timedelta, timedelta] = (-DAY, 300 * DAY),
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> Issued:
        """A station's certificate: no alternative name, as A00.FR.511 asks."""
        names = [(NameOID.COMMON_NAME, name) for name in common_names]
        if organization is not None:
            names.insert(0, (NameOID.ORGANIZATION_NAME, organization))
        if serial_number is not None:
            names.append((NameOID.SERIAL_NUMBER, serial_number))
        return self._issue(names, kind, usage, valid, [], 3)

    def revocations(
        self, *revoked: Issued, valid_for: timedelta = 30 * DAY, made: timedelta = -40 * DAY, partial: bool = False
    ) -> bytes:
        """A revocation list, PEM."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now + made)
            .next_update(now + valid_for)
            .add_extension(self._key_of_issuer(), critical=False)
            .add_extension(x509.CRLNumber(1), critical=False)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - DAY).build())
        if partial:
            builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def client_context(
    authority: Authority, certificate: tuple[Path, Path] | None = None, ciphers: str | None = None
) -> ssl.SSLContext:
    """A station's side: trusts `authority`, shows `certificate`. `ciphers` (OpenSSL names) also means TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority.pem.decode())
    if certificate is not None:
        context.load_cert_chain(*certificate)
    if ciphers is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    return context
