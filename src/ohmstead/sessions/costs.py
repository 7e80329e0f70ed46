"""What sessions cost and on what terms drivers charge: ports that pricing fills. Until it does, nobody is told anything."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.money import Money
from ohmstead.sessions.model import Session
from ohmstead.sessions.terms import Terms
from ohmstead.tokens.model import Authorization, AuthorizationRequest


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a session costs so far, or in the end, with taxes. `price_text`: a sentence about it for the driver.

    `price_kwh`: what a kWh costs now, where that is all there is to say about the price.
    """

    total: Money
    price_text: str | None = None
    price_kwh: Decimal | None = None


class Costs(Protocol):
    """Whoever knows prices."""

    async def costs_of(self, conn: Connection, sessions: Sequence[Session]) -> list[Cost | None]:
        """The cost of each session, as far as it goes; the final one of those that are over. None: no price is known."""
        ...


class DriverTerms(Protocol):
    """Whoever knows terms."""

    async def terms_of(
        self, conn: Connection, requests: Sequence[AuthorizationRequest], granted: Sequence[Authorization]
    ) -> list[Terms | None]:
        """The terms of each token that may charge, asked for with the request at its place. None: there are none."""
        ...
