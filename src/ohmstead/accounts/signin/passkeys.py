"""Passkeys (WebAuthn level 3): what a browser is asked for, and whether its answer holds.

Discoverable credentials with user verification only: a passkey is both what one has and what one knows or is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import webauthn
from msgspec import Struct
from webauthn.helpers import base64url_to_bytes, options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ohmstead.accounts.signin.model import StoredPasskey
from ohmstead.core.errors import Refused

TIMEOUT_MS: Final = 300_000
MOST_BYTES: Final = 20_000
_TRANSPORTS: Final = frozenset(one.value for one in AuthenticatorTransport)


class RelyingParty(Struct, frozen=True, kw_only=True):
    """Who asks for passkeys: `rp_id` is the host they belong to, `origin` where they may be used."""

    rp_id: str
    origin: str
    name: str = "Ohmstead"


class Registered(Struct, frozen=True, kw_only=True):
    """A passkey just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    is_synced: bool
    transports: list[str]


class Asserted(Struct, frozen=True, kw_only=True):
    """A passkey just used."""

    sign_count: int
    is_synced: bool


def relying_party(console_url: str) -> RelyingParty:
    """The one for a console's address. Browsers take no passkeys for bare addresses: 127.0.0.1 is `localhost` here."""
    parts = urlsplit(console_url)
    host = parts.hostname or "localhost"
    if host in ("127.0.0.1", "::1"):
        port = f":{parts.port}" if parts.port else ""
        return RelyingParty(rp_id="localhost", origin=f"{parts.scheme}://localhost{port}")
    return RelyingParty(rp_id=host, origin=f"{parts.scheme}://{parts.netloc}")


def ask_to_register(
    party: RelyingParty, challenge: bytes, operator_id: UUID, name: str, known: Sequence[StoredPasskey]
) -> dict[str, Any]:
    """What `navigator.credentials.create` is given, as JSON."""
    options = webauthn.generate_registration_options(
        rp_id=party.rp_id,
        rp_name=party.name,
        user_id=operator_id.bytes,
        user_name=name,
        user_display_name=name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known),
    )
    return _plain(options_to_json(options))


def ask_to_sign(party: RelyingParty, challenge: bytes, of: Sequence[StoredPasskey] = ()) -> dict[str, Any]:
    """What `navigator.credentials.get` is given, as JSON; of nobody in particular the browser offers what it has."""
    options = webauthn.generate_authentication_options(
        rp_id=party.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(of) or None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(options_to_json(options))


def challenge_of(answer: dict[str, Any]) -> bytes:
    """The challenge that the browser says it answered. Raises Refused when it says none."""
    try:
        told = msgspec.json.decode(base64url_to_bytes(answer["response"]["clientDataJSON"]))
        return base64url_to_bytes(told["challenge"])
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError):
        raise Refused("the browser's answer cannot be read") from None


def credential_of(answer: dict[str, Any]) -> bytes:
    """The credential's id. Raises Refused."""
    try:
        return base64url_to_bytes(answer["rawId"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused("the browser's answer cannot be read") from None


def check_registration(party: RelyingParty, challenge: bytes, answer: dict[str, Any]) -> Registered:
    """Raises Refused for an answer to another challenge, from another origin, or without the person being verified."""
    try:
        done = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"the passkey was not made: {_reason(error)}") from error
    given = answer.get("response", {}).get("transports") or []
    return Registered(
        credential_id=done.credential_id,
        public_key=done.credential_public_key,
        sign_count=done.sign_count,
        is_synced=done.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        transports=sorted({one for one in given if isinstance(one, str)} & _TRANSPORTS),
    )


def check_signature(party: RelyingParty, challenge: bytes, answer: dict[str, Any], known: StoredPasskey) -> Asserted:
    """Raises Refused; also when the counter went backwards, as that of a copied key does (WebAuthn §6.1.1)."""
    try:
        done = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=known.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused(f"the passkey does not prove it: {_reason(error)}") from error
    handle = answer.get("response", {}).get("userHandle")
    if handle and base64url_to_bytes(handle) != known.operator_id.bytes:
        raise Refused("the passkey does not prove it: it is somebody else's")
    return Asserted(
        sign_count=done.new_sign_count, is_synced=done.credential_device_type is CredentialDeviceType.MULTI_DEVICE
    )


def _descriptors(known: Sequence[StoredPasskey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id, transports=[AuthenticatorTransport(way) for way in one.transports]
        )
        for one in known
    ]


def _plain(text: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0][:200] if isinstance(error, WebAuthnException) else "its answer cannot be read"
