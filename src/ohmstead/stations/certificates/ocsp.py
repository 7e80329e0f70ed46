"""OCSP (RFC 6960), both sides: asking others about a certificate and judging what they say; answering about our own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from ohmstead.stations.certificates.issuing import Revoked, hash_for, reason_flag
from ohmstead.stations.certificates.vault import PrivateKey
from ohmstead.stations.orders import CertificateRef

SKEW = timedelta(minutes=5)
ANSWER_FOR = timedelta(hours=12)
LONGEST_REQUEST = 4096
_ALGORITHMS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_ANSWERABLE = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)

State: TypeAlias = Literal["good", "revoked", "unknown", "unproven", "unreachable", "lying"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a certificate. `response`: the responder's own words, DER.

    unproven: it answered, and nobody here knows the issuer, so that only somebody who does can tell whether it is true.
    unreachable: nobody answered in time, or may be asked. lying: what came back is not what the issuer would say.
    """

    state: State
    reason: str = ""
    response: bytes | None = None
    until: datetime | None = None

    @property
    def is_told(self) -> bool:
        """Did a responder say something that it was asked, and not against what the issuer would?"""
        return self.response is not None


class BadRequest(Exception):
    """Not an OCSP request."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that came to our responder."""

    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int
    algorithm: hashes.HashAlgorithm
    nonce: x509.OCSPNonce | None


# ---------------------------------------------------------------------------------------------------- asking others


def hashes_of(certificate: x509.Certificate, issuer: x509.Certificate) -> CertificateRef:
    """How OCSP and OCPP name a certificate, by SHA-256."""
    return CertificateRef(
        issuer_name_hash=_digest(issuer.subject.public_bytes(), hashes.SHA256()).hex(),
        issuer_key_hash=_key_digest(issuer, hashes.SHA256()).hex(),
        serial_number=f"{certificate.serial_number:x}",
    )


def has_issued(authority: x509.Certificate, asked: CertificateRef) -> bool:
    """Is this the authority by whose hashes a certificate is named?"""
    algorithm = _ALGORITHMS[asked.hash_algorithm]()
    return (
        _key_digest(authority, algorithm).hex() == asked.issuer_key_hash.lower()
        and _digest(authority.subject.public_bytes(), algorithm).hex() == asked.issuer_name_hash.lower()
    )


def request_for(asked: CertificateRef, nonce: bytes) -> bytes:
    """The request, DER. Raises ValueError for hashes that are none."""
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        bytes.fromhex(asked.issuer_name_hash),
        bytes.fromhex(asked.issuer_key_hash),
        int(asked.serial_number, 16),
        _ALGORITHMS[asked.hash_algorithm](),
    )
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(Encoding.DER)


def judge(
    response_der: bytes, asked: CertificateRef, nonce: bytes, at: datetime, known: Iterable[x509.Certificate] = ()
) -> Verdict:
    """What a response proves. `known`: certificates among which the issuer may be; others may come with the response.

    The issuer is recognised by the hash of its key, so that it does not matter who handed over its certificate.
    """
    try:
        response = ocsp.load_der_ocsp_response(response_der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Verdict(state="unreachable", reason=response.response_status.name.lower())
        return _judged(response, response_der, asked, nonce, at, [*known, *response.certificates])
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        return Verdict(state="lying", reason=f"unreadable: {error}"[:100])


def _judged(
    response: ocsp.OCSPResponse,
    response_der: bytes,
    asked: CertificateRef,
    nonce: bytes,
    at: datetime,
    known: list[x509.Certificate],
) -> Verdict:
    single = _single(response, asked)
    if single is None:
        return Verdict(state="lying", reason="it speaks of another certificate")
    issuers = _issuers(asked, known)
    if issuers and not _is_signed(response, issuers, known, at):
        return Verdict(state="lying", reason="not signed by the issuer or on its behalf")
    try:
        echoed = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        echoed = nonce  # many responders sign ahead of time
    if echoed != nonce:
        return Verdict(state="lying", reason="an answer to another question")
    until = single.next_update_utc
    if single.this_update_utc > at + SKEW or (until is not None and until <= at):
        return Verdict(state="lying", reason="not valid now")
    if until is None and single.this_update_utc < at - timedelta(days=1):
        return Verdict(state="lying", reason="too old")
    if not issuers:
        return Verdict(state="unproven", reason="nobody here knows the issuer", response=response_der)
    states: dict[ocsp.OCSPCertStatus, State] = {
        ocsp.OCSPCertStatus.GOOD: "good",
        ocsp.OCSPCertStatus.REVOKED: "revoked",
        ocsp.OCSPCertStatus.UNKNOWN: "unknown",
    }
    return Verdict(state=states[single.certificate_status], response=response_der, until=until)


def _single(response: ocsp.OCSPResponse, asked: CertificateRef) -> ocsp.OCSPSingleResponse | None:
    serial = int(asked.serial_number, 16)
    for one in response.responses:
        if (
            one.serial_number == serial
            and one.issuer_name_hash.hex() == asked.issuer_name_hash.lower()
            and one.issuer_key_hash.hex() == asked.issuer_key_hash.lower()
        ):
            return one
    return None


def _issuers(asked: CertificateRef, known: list[x509.Certificate]) -> list[x509.Certificate]:
    algorithm = _ALGORITHMS[asked.hash_algorithm]()
    return [
        one
        for one in known
        if _key_digest(one, algorithm).hex() == asked.issuer_key_hash.lower()
        and _digest(one.subject.public_bytes(), algorithm).hex() == asked.issuer_name_hash.lower()
    ]


def _is_signed(
    response: ocsp.OCSPResponse, issuers: list[x509.Certificate], known: list[x509.Certificate], at: datetime
) -> bool:
    return any(
        signer in issuers or _may_speak_for(signer, issuers, at)
        for signer in [*issuers, *known]
        if _has_signed(signer, response)
    )


def _may_speak_for(responder: x509.Certificate, issuers: list[x509.Certificate], at: datetime) -> bool:
    """The issuer gave it a certificate for just this (RFC 6960 §4.2.2.2)."""
    if not responder.not_valid_before_utc <= at < responder.not_valid_after_utc:
        return False
    try:
        usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage and any(_has_issued(issuer, responder) for issuer in issuers)


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _has_signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    algorithm = response.signature_hash_algorithm
    if algorithm is None:
        return False
    try:
        key = signer.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _digest(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _key_digest(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> bytes:
    """Over the key's bits alone, without what kind of key it is."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    elif isinstance(key, rsa.RSAPublicKey):
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    else:
        bits = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return _digest(bits, algorithm)


# ------------------------------------------------------------------------------------------------------- our answers


def read_request(der: bytes) -> Asked:
    """Raises BadRequest."""
    if len(der) > LONGEST_REQUEST:
        raise BadRequest
    try:
        request = ocsp.load_der_ocsp_request(der)
        algorithm = request.hash_algorithm
        nonces = [e.value for e in request.extensions if isinstance(e.value, x509.OCSPNonce)]
        asked = Asked(
            issuer_name_hash=request.issuer_name_hash,
            issuer_key_hash=request.issuer_key_hash,
            serial_number=request.serial_number,
            algorithm=algorithm,
            nonce=nonces[0] if nonces and 1 <= len(nonces[0].nonce) <= 128 else None,
        )
    except (ValueError, UnsupportedAlgorithm, NotImplementedError, x509.DuplicateExtension):
        raise BadRequest from None
    if not isinstance(algorithm, _ANSWERABLE):
        raise BadRequest
    return asked


def is_issuer(asked: Asked, authority: x509.Certificate) -> bool:
    """Is the question about a certificate of this authority?"""
    return (
        _key_digest(authority, asked.algorithm) == asked.issuer_key_hash
        and _digest(authority.subject.public_bytes(), asked.algorithm) == asked.issuer_name_hash
    )


def answer(
    asked: Asked, authority: x509.Certificate, key: PrivateKey, revoked: Revoked | None, at: datetime, *, is_known: bool
) -> bytes:
    """Our signed answer, DER."""
    status = ocsp.OCSPCertStatus.GOOD if is_known else ocsp.OCSPCertStatus.UNKNOWN
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            asked.algorithm,
            ocsp.OCSPCertStatus.REVOKED if revoked is not None else status,
            at,
            at + ANSWER_FOR,
            revoked.revoked_at if revoked is not None else None,
            reason_flag(revoked.reason) if revoked is not None else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, authority)
    )
    if asked.nonce is not None:
        builder = builder.add_extension(asked.nonce, critical=False)
    return builder.sign(key, hash_for(key)).public_bytes(Encoding.DER)


def refusal(*, is_malformed: bool) -> bytes:
    """That we cannot answer: not a request, or not about a certificate of ours."""
    status = ocsp.OCSPResponseStatus.MALFORMED_REQUEST if is_malformed else ocsp.OCSPResponseStatus.UNAUTHORIZED
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
