"""How providers are spoken with."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from ohmstead.accounts.providers.model import Provider, Vouched


class Begun(Struct, frozen=True, kw_only=True):
    """A sign-in at a provider that has begun: where the browser goes, and what must be known when it comes back."""

    address: str
    state: str
    nonce: str
    verifier: str


class Federation(Protocol):
    """The providers, outside."""

    async def begin(self, provider: Provider, back_to: str, *, is_anew: bool) -> Begun:
        """`is_anew`: the person must show who they are, even when signed in there. Raises ExternalFailure."""
        ...

    async def finish(self, provider: Provider, back_to: str, code: str, nonce: str, verifier: str) -> Vouched:
        """What the provider says of who came back. Raises Refused for a token that does not hold, and ExternalFailure."""
        ...

    async def sign_out_address(self, provider: Provider, id_token: str, back_to: str) -> str | None:
        """Where the browser signs out at the provider too; None when the provider has no such place."""
        ...
