"""The push key at rest: it must be known to sign with, so it is encrypted, not hashed."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ohmstead.core.errors import ExternalFailure

_NONCE_BYTES: Final = 12


class Vault:
    """Seals and opens keys under the installation's secret. A sealed one opens under its id only."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"ohmstead push keys v1").derive(secret)
        self._cipher = AESGCM(derived)

    def seal(self, key: bytes, key_id: UUID) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, key_id.bytes)

    def open(self, sealed: bytes, key_id: UUID) -> bytes:
        """Raises ExternalFailure when the installation's secret is not the one it was sealed under."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key_id.bytes)
        except InvalidTag:
            raise ExternalFailure(
                "the push key cannot be opened: it was sealed under another OHMSTEAD_SECRET_KEY", permanent=True
            ) from None
