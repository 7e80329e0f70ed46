"""What payment providers do for sessions; billing fills it. Until it does, only terminals settle."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

from ohmstead.core.money import Money


class Settled(Struct, frozen=True, kw_only=True):
    """What became of an authorized payment. `rejected`: the provider said no; `failed`: it could not."""

    status: Literal["settled", "rejected", "failed"]
    status_info: str | None = None
    receipt_id: str | None = None
    receipt_url: str | None = None


class PaymentProvider(Protocol):
    """Who holds drivers' authorized payments."""

    async def settle(self, psp_ref: str, amount: Money | None, *, key: str) -> Settled:
        """Take `amount` of an authorized payment and give back the rest; nothing at all, or None where nobody
        knows a price, releases it.

        Asked again with the same `key`, it is the same settlement. Raises ExternalFailure when nobody knows whether it
        was done.
        """
        ...
