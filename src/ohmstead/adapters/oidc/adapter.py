"""OpenID Connect providers: discovery, code flow with PKCE (RFC 7636), and tokens checked before they are believed."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]
from authlib.oidc.core.claims import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import UNSET, Struct, UnsetType

from ohmstead.accounts.providers.model import Provider, Vouched
from ohmstead.accounts.providers.ports import Begun
from ohmstead.adapters import outgoing
from ohmstead.core.errors import ExternalFailure, Refused

DEADLINE_S: Final = 10.0
MOST_BYTES: Final = 512 * 1024
KNOWN_FOR_S: Final = 3600.0
LEEWAY_S: Final = 60
# Signatures only: with a shared secret the provider's public key could be passed off as one, and `none` proves nothing.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class Metadata(Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0 §3), as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(Struct, frozen=True):
    id_token: str
    access_token: str
    token_type: str = "Bearer"  # noqa: S105  (a kind, not a token)


class _Claims(Struct, frozen=True):
    sub: str
    name: str | None = None
    preferred_username: str | None = None
    email: str | None = None
    email_verified: bool | str = False
    auth_time: int | UnsetType = UNSET


class OidcProviders:
    """Implements accounts.providers.ports.Federation."""

    def __init__(self) -> None:
        self._metadata: dict[str, tuple[float, Metadata]] = {}
        self._keys: dict[str, tuple[float, KeySet]] = {}

    async def begin(self, provider: Provider, back_to: str, *, is_anew: bool) -> Begun:
        """Raises ExternalFailure when the provider cannot be asked what it is."""
        metadata = await self._metadata_of(provider)
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        client = OAuth2Client(
            session=None,
            client_id=provider.client_id,
            scope=" ".join(dict.fromkeys(["openid", *provider.scopes])),
            redirect_uri=back_to,
            code_challenge_method="S256",
        )
        anew = {"prompt": "login", "max_age": "0"} if is_anew else {}
        address, state = client.create_authorization_url(
            metadata.authorization_endpoint, code_verifier=verifier, nonce=nonce, **anew
        )
        return Begun(address=address, state=state, nonce=nonce, verifier=verifier)

    async def finish(self, provider: Provider, back_to: str, code: str, nonce: str, verifier: str) -> Vouched:
        """Raises Refused when the provider refuses the code or its token does not hold, ExternalFailure when it is silent."""
        metadata = await self._metadata_of(provider)
        tokens = await self._redeem(provider, metadata, back_to, code, verifier)
        claims = await self._checked(provider, metadata, tokens, nonce)
        if metadata.userinfo_endpoint and (provider.groups_claim not in claims or "email" not in claims):
            claims = await self._with_userinfo(metadata.userinfo_endpoint, tokens.access_token, claims)
        try:
            told = msgspec.convert(claims, _Claims)
            return Vouched(
                subject=told.sub,
                name=told.name or told.preferred_username,
                email=told.email,
                is_email_verified=told.email_verified in (True, "true"),
                groups=_groups(claims.get(provider.groups_claim)),
                id_token=tokens.id_token,
                authenticated_at=None if told.auth_time is UNSET else told.auth_time,
            )
        except msgspec.ValidationError as error:
            raise Refused(f"the provider's token does not fit: {error}") from error

    async def sign_out_address(self, provider: Provider, id_token: str, back_to: str) -> str | None:
        """OpenID Connect RP-Initiated Logout 1.0."""
        try:
            end = (await self._metadata_of(provider)).end_session_endpoint
        except ExternalFailure:
            return None
        if end is None:
            return None
        query = urlencode(
            {"id_token_hint": id_token, "post_logout_redirect_uri": back_to, "client_id": provider.client_id}
        )
        return f"{end}{'&' if '?' in end else '?'}{query}"

    async def _redeem(self, provider: Provider, metadata: Metadata, back_to: str, code: str, verifier: str) -> _Tokens:
        body = prepare_token_request(
            "authorization_code", "", code=code, redirect_uri=back_to, code_verifier=verifier,
            client_id=provider.client_id,
        )  # fmt: skip
        secret = provider.secret()
        way = "none"
        if secret is not None:
            is_basic = "client_secret_basic" in metadata.token_endpoint_auth_methods_supported
            way = "client_secret_basic" if is_basic else "client_secret_post"
        auth = ClientAuth(client_id=provider.client_id, client_secret=secret or "", auth_method=way)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url, headers, body = auth.prepare("POST", metadata.token_endpoint, headers, body)
        answer = await outgoing.post(url, body.encode(), headers=headers, deadline_s=DEADLINE_S, most_bytes=MOST_BYTES)
        if answer.status in (400, 401, 403):
            raise Refused(f"the provider does not take what it gave ({answer.status}): begin again")
        if answer.status != 200:
            raise ExternalFailure(f"the provider answered {answer.status}")
        try:
            return msgspec.json.decode(answer.body, type=_Tokens)
        except msgspec.MsgspecError as error:
            raise Refused("the provider gave no token that names anybody") from error

    async def _checked(self, provider: Provider, metadata: Metadata, tokens: _Tokens, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is signed, current, meant for us, and answers this very sign-in (Core §3.1.3.7)."""
        try:
            token = await self._verified(metadata, tokens.id_token)
            options = {
                "iss": {"essential": True, "value": metadata.issuer},
                "aud": {"essential": True, "value": provider.client_id},
                "sub": {"essential": True},
            }
            params = {"nonce": nonce, "client_id": provider.client_id, "access_token": tokens.access_token}
            CodeIDToken(token.claims, token.header, options=options, params=params).validate(
                now=int(time.time()), leeway=LEEWAY_S
            )
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise Refused(f"the provider's token does not hold: {type(error).__name__}") from error
        claims: dict[str, Any] = dict(token.claims)
        return claims

    async def _verified(self, metadata: Metadata, id_token: str) -> jwt.Token:
        keys = await self._keys_of(metadata, is_fresh=False)
        try:
            return jwt.decode(id_token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have changed its keys since we asked.
            keys = await self._keys_of(metadata, is_fresh=True)
            return jwt.decode(id_token, keys, algorithms=ALGORITHMS)

    async def _with_userinfo(self, url: str, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        answer = await outgoing.send(
            "GET", url, headers={"Authorization": f"Bearer {access_token}", "Accept": "application/json"},
            deadline_s=DEADLINE_S, most_bytes=MOST_BYTES,
        )  # fmt: skip
        told = _object(answer, "user information")
        # It counts only when it is about the same person (Core §5.3.2).
        if told.get("sub") != claims["sub"]:
            raise Refused("the provider's user information is about somebody else")
        return told | claims | _address_of(claims, told)

    async def _metadata_of(self, provider: Provider) -> Metadata:
        known = self._metadata.get(provider.issuer)
        if known is not None and time.monotonic() - known[0] < KNOWN_FOR_S:
            return known[1]
        url = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = await outgoing.send("GET", url, headers={}, deadline_s=DEADLINE_S, most_bytes=MOST_BYTES)
        try:
            found = msgspec.convert(_object(answer, "configuration"), Metadata)
        except msgspec.ValidationError as error:
            raise ExternalFailure(f"the provider's configuration does not fit: {error}") from error
        if found.issuer.rstrip("/") != provider.issuer.rstrip("/"):
            raise ExternalFailure(f"the provider calls itself {found.issuer[:200]}, not {provider.issuer}")
        self._metadata[provider.issuer] = (time.monotonic(), found)
        return found

    async def _keys_of(self, metadata: Metadata, *, is_fresh: bool) -> KeySet:
        known = self._keys.get(metadata.jwks_uri)
        if known is not None and time.monotonic() - known[0] < (5.0 if is_fresh else KNOWN_FOR_S):
            return known[1]
        answer = await outgoing.send("GET", metadata.jwks_uri, headers={}, deadline_s=DEADLINE_S, most_bytes=MOST_BYTES)
        try:
            found = KeySet.import_key_set(_object(answer, "keys"))  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ExternalFailure("the provider's keys cannot be read") from error
        self._keys[metadata.jwks_uri] = (time.monotonic(), found)
        return found


def _object(answer: outgoing.Answer, what: str) -> dict[str, Any]:
    if answer.status != 200:
        raise ExternalFailure(f"the provider's {what}: answered {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ExternalFailure(f"the provider's {what} cannot be read") from error


def _address_of(*said: dict[str, Any]) -> dict[str, Any]:
    """The first address that is told, verified only where that is said beside this very address."""
    address = next((one["email"] for one in said if one.get("email")), None)
    beside = [one.get("email_verified") for one in said if one.get("email") == address]
    return {"email": address, "email_verified": any(one in (True, "true") for one in beside)}


def _groups(claim: Any) -> list[str]:
    found = claim if isinstance(claim, list) else [claim]
    return [one for one in found if isinstance(one, str)][:1000]
