"""Is an image what its maker signed? The signature is over the file's SHA-256. Pure."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from ohmstead.core.errors import Invalid

_SHA256 = utils.Prehashed(hashes.SHA256())


def check_certificate(pem: str, at: datetime) -> x509.Certificate:
    """The signing certificate. Raises Invalid when it is none, is out of date, or its key is weak or for other uses."""

    def refuse(text: str) -> Invalid:
        return Invalid(text, "signing_certificate")

    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
        key = certificate.public_key()
    except (ValueError, UnicodeEncodeError, UnsupportedAlgorithm) as error:
        raise refuse("not a certificate in PEM") from error
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise refuse(
            f"valid from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d} only"
        )
    if isinstance(key, rsa.RSAPublicKey):
        is_strong = key.key_size >= 2048
    elif isinstance(key, ec.EllipticCurvePublicKey):
        is_strong = key.curve.key_size >= 224
    else:
        raise refuse("its key is neither RSA nor on an elliptic curve")
    if not is_strong:
        raise refuse("its key is too short: 2048 bits of RSA or 224 of an elliptic curve at least")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return certificate
    if not usage.digital_signature:
        raise refuse("it is not meant for signatures (key usage)")
    return certificate


def check_signature(pem: str, signature: str, sha256: str, at: datetime) -> None:
    """Raises Invalid unless `signature` (base64) is the certificate's over the digest.

    RSA with PSS as OCPP wants it (A00.FR.504) or PKCS #1 as many makers do it, ECDSA on curves.
    """
    key = check_certificate(pem, at).public_key()
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("not base64", "signature") from error
    if not _fits(key, raw, bytes.fromhex(sha256)):
        raise Invalid("does not belong to this file and certificate", "signature")


def _fits(key: object, signature: bytes, digest: bytes) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        try:
            key.verify(signature, digest, ec.ECDSA(_SHA256))
            return True
        except InvalidSignature:
            return False
    assert isinstance(key, rsa.RSAPublicKey)
    for form in (padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO), padding.PKCS1v15()):
        try:
            key.verify(signature, digest, form, _SHA256)
            return True
        except InvalidSignature:
            continue
    return False
