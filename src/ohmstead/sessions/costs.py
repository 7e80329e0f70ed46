"""What sessions cost, on what terms drivers charge, and how far their cover goes: ports that rooms above fill."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.money import Money
from ohmstead.sessions.model import ChargingPeriod, Session
from ohmstead.sessions.terms import CoverLimit as CoverLimit
from ohmstead.sessions.terms import Terms
from ohmstead.tariffs.pricing import Concession, Payer
from ohmstead.tokens.model import Authorization, AuthorizationRequest


class Progress(msgspec.Struct, frozen=True):
    """A tally to go on with: it has counted all that was read until `until_at`, by the station's clock."""

    until_at: datetime
    tally: bytes


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a session costs so far, or in the end, with taxes. `price_text`: a sentence about it for the driver.

    `price_kwh`: what a kWh costs now, where that is all there is to say about the price. `progress`: what it takes to go
    on from here, where somebody keeps it (`session_cost`).
    """

    total: Money
    price_text: str | None = None
    price_kwh: Decimal | None = None
    progress: Progress | None = None


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


class Covers(Protocol):
    """Whoever knows how far a session is paid for."""

    async def limits_of(self, conn: Connection, sessions: Sequence[Session]) -> list[CoverLimit | None]:
        """The limit of each session; None: it has none."""
        ...


class Grant(Protocol):
    """What is taken off the price of a session."""

    def borders(self, until_at: datetime) -> list[datetime]:
        """Where energy that flows from the session's start until then is to be cut: from there on it is of another account."""
        ...

    def concession(self, periods: Sequence[ChargingPeriod]) -> Concession:
        """What it comes to with the session's charging periods; those between two borders may be told as one."""
        ...


class PaidBy(msgspec.Struct, frozen=True, kw_only=True):
    """By which plans and coupons a session is priced, where they count, and what is taken off its price, if anything is."""

    payer: Payer | None = None
    grant: Grant | None = None


class Payers(Protocol):
    """Whoever knows by which plans and coupons sessions are priced, and what is taken off."""

    async def payers_of(self, conn: Connection, sessions: Sequence[Session]) -> dict[UUID, PaidBy]:
        """Who pays, as it was when each session began, with what is granted them now; those for which nothing but the token's
        group counts are left out.
        """
        ...
