"""Webhooks' secrets at rest: they must be known to sign with, so they are encrypted, not hashed."""

from __future__ import annotations

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ohmstead.core.errors import ExternalFailure

_NONCE_BYTES = 12


class Vault:
    """Seals and opens secrets under the installation's. A sealed one opens for its webhook only."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"ohmstead webhook secrets v1").derive(secret)
        self._cipher = AESGCM(derived)

    def seal(self, secret: bytes, webhook_id: UUID) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, webhook_id.bytes)

    def open(self, sealed: bytes, webhook_id: UUID) -> bytes:
        """Raises ExternalFailure when the installation's secret is not the one it was sealed under."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], webhook_id.bytes)
        except InvalidTag:
            raise ExternalFailure(
                "the webhook's secret cannot be opened: it was sealed under another OHMSTEAD_SECRET_KEY; rotate it"
            ) from None
