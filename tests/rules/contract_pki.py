"""A mobility operator's authorities, contracts, and a responder that can lie."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from ohmstead.stations.certificates.ocsp import hashes_of

DAY = timedelta(days=1)
EMAID = "NL-TNM-C00122045-K"


@dataclass
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


@dataclass
class Operator:
    """Root → sub-authority → contracts. `url`: the responder that certificates name."""

    url: str | None = None
    name: str = "Mobility"
    point: str | None = None
    names_point: bool = False
    root: Holder = field(init=False)
    sub: Holder = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.issue(f"{self.name} Root", None, is_authority=True)
        self.sub = self.issue(f"{self.name} Sub", self.root, is_authority=True)

    def contract(self, emaid: str = "NLTNMC00122045K", **options: object) -> Holder:
        return self.issue(emaid, self.sub, **options)  # type: ignore[arg-type]

    def chain(self, contract: Holder) -> str:
        return contract.pem + self.sub.pem

    def revocations(self, serials: Iterable[int]) -> bytes:
        """The sub-authority's revocation list, DER."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.sub.certificate.subject)
            .last_update(now - timedelta(minutes=1))
            .next_update(now + DAY)
        )
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.sub.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def issue(
        self,
        name: str,
        issuer: Holder | None,
        *,
        is_authority: bool = False,
        valid: tuple[timedelta, timedelta] = (-DAY, 100 * DAY),
        usage: x509.ObjectIdentifier | None = None,
    ) -> Holder:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + valid[0])
            .not_valid_after(now + valid[1])
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if self.url is not None and issuer is not None:
            access = x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(self.url)
            )
            builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        if self.names_point and self.point is not None and issuer is not None:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(self.point)], None, None, None)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return Holder(builder.sign((issuer.key if issuer else key), hashes.SHA256()), key)


@dataclass
class Responder:
    """Answers for an operator's authorities. What it says is changed by its fields."""

    operator: Operator
    revoked: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    signer: Holder | None = None
    delegate: Holder | None = None
    nonce: Callable[[bytes], bytes | None] = lambda nonce: nonce
    this_update: timedelta = timedelta(minutes=-1)
    next_update: timedelta | None = timedelta(hours=1)
    serial_shift: int = 0
    n_asked: int = 0

    def answer(self, der: bytes) -> bytes:
        self.n_asked += 1
        request = ocsp.load_der_ocsp_request(der)
        issuer = self._issuer(request.issuer_key_hash)
        signer = self.signer or self.delegate or issuer
        serial, now = request.serial_number, datetime.now(UTC)
        status = ocsp.OCSPCertStatus.GOOD
        if serial in self.revoked:
            status = ocsp.OCSPCertStatus.REVOKED
        elif serial in self.unknown:
            status = ocsp.OCSPCertStatus.UNKNOWN
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                request.issuer_name_hash,
                request.issuer_key_hash,
                serial + self.serial_shift,
                request.hash_algorithm,
                status,
                now + self.this_update,
                now + self.next_update if self.next_update else None,
                now - DAY if status is ocsp.OCSPCertStatus.REVOKED else None,
                None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        )
        if self.delegate is not None:
            builder = builder.certificates([self.delegate.certificate])
        asked = next((e.value.nonce for e in request.extensions if isinstance(e.value, x509.OCSPNonce)), b"")
        if (echoed := self.nonce(asked)) is not None:
            builder = builder.add_extension(x509.OCSPNonce(echoed), critical=False)
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _issuer(self, key_hash: bytes) -> Holder:
        for one in (self.operator.root, self.operator.sub):
            if hashes_of(one.certificate, one.certificate).issuer_key_hash == key_hash.hex():
                return one
        return self.operator.sub


def delegate_of(operator: Operator, *, may_speak: bool = True, issuer: Holder | None = None) -> Holder:
    usage = ExtendedKeyUsageOID.OCSP_SIGNING if may_speak else ExtendedKeyUsageOID.SERVER_AUTH
    return operator.issue("Responder", issuer or operator.sub, usage=usage)
