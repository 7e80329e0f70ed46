"""Who vouches for people besides us (OpenID Connect), and what they say of somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import yaml  # type: ignore[import-untyped]
from msgspec import Meta, Struct

from ohmstead.accounts.model import Role
from ohmstead.core.errors import Invalid

Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
# Secrets cross the network: plain http only to this machine.
Issuer: TypeAlias = Annotated[
    str, Meta(pattern=r"^(https://[^\s/?#]+|http://(localhost|127\.0\.0\.1)(:\d+)?)(/[^\s?#]*)?$")
]
MOST_BYTES = 256 * 1024


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider, as the file of providers has it.

    `groups` gives roles by the names in the claim `groups_claim`; who is in none of them gets `default_role`, or is
    turned away when there is none. People are found again by the provider's own id for them; the first time by their
    e-mail address, when the provider says that it is verified and `links_by_email` is set.
    """

    name: Name
    label: Annotated[str, Meta(min_length=1, max_length=60)]
    issuer: Issuer
    client_id: Annotated[str, Meta(min_length=1, max_length=500)]
    client_secret: str | None = None
    client_secret_file: str | None = None
    scopes: list[str] = msgspec.field(default_factory=lambda: ["openid", "profile", "email"])
    party: str | None = None
    groups_claim: str = "groups"
    groups: dict[str, Role] = {}
    default_role: Role | None = None
    creates_people: bool = True
    links_by_email: bool = True

    def secret(self) -> str | None:
        """What proves us to the provider; None for a public client."""
        if self.client_secret_file is not None:
            return Path(self.client_secret_file).read_text().strip()
        return self.client_secret


class _File(Struct, forbid_unknown_fields=True):
    providers: list[Provider]


class Vouched(Struct, frozen=True, kw_only=True):
    """What a provider says of somebody, once its token has been checked."""

    subject: Annotated[str, Meta(min_length=1, max_length=255)]
    name: str | None
    email: str | None
    is_email_verified: bool
    groups: list[str]
    id_token: str
    authenticated_at: int | None


def read_providers(path: Path | None) -> list[Provider]:
    """The file's providers. Raises Invalid, with the place, for one that cannot be used."""
    if path is None:
        return []
    try:
        text = path.read_bytes()[: MOST_BYTES + 1]
        content: Any = yaml.safe_load(text)
        found = msgspec.convert(content, _File).providers
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", "oidc_file") from error
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: {error}", "oidc_file") from error
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise Invalid(f"{path}: two providers of one name", "oidc_file")
    for one in found:
        try:
            one.secret()
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"{path}: the secret of {one.name} cannot be read: {error}", "oidc_file") from error
    return found
