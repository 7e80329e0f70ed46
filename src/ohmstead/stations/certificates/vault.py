"""Private keys at rest: encrypted under a key that is derived from the installation's secret key."""

from __future__ import annotations

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from ohmstead.core.errors import ExternalFailure

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed448.Ed448PrivateKey

_NONCE_BYTES = 12


class Vault:
    """Seals and opens private keys. A sealed key belongs to its authority: under another's id it does not open."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"ohmstead authority keys v1").derive(secret)
        self._cipher = AESGCM(derived)

    def seal(self, key: PrivateKey, authority_id: UUID) -> bytes:
        plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, authority_id.bytes)

    def open(self, sealed: bytes, authority_id: UUID) -> PrivateKey:
        """Raises ExternalFailure when the secret key is not the one it was sealed under."""
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], authority_id.bytes)
        except InvalidTag:
            raise ExternalFailure(
                "the authority's key cannot be opened: it was sealed under another OHMSTEAD_SECRET_KEY", permanent=True
            ) from None
        key = load_der_private_key(plain, None)
        assert isinstance(key, PrivateKey)
        return key
