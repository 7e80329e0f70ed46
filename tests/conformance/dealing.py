"""An installation that knows prices and terms, for cases of payment: doubles of pricing, of a provider, of a VAT register."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.core.db import Connection
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.money import Money
from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.sessions.notices.model import VatAnswer
from ohmstead.sessions.payments.ports import Settled
from ohmstead.sessions.terms import Terms
from ohmstead.tokens.model import Authorization, AuthorizationRequest
from tests.conformance.judged import Charge, faults_of
from tests.stories.listener import silent_station
from tests.stories.network import Installation, Network
from tests.stories.station import Payload, Station
from tests.stories.test_costs import PerKwh


class TermsBook:
    """Terms by uid. Implements sessions.costs.DriverTerms."""

    def __init__(self) -> None:
        self.terms: dict[str, Terms] = {}

    async def terms_of(
        self, conn: Connection, requests: Sequence[AuthorizationRequest], granted: Sequence[Authorization]
    ) -> list[Terms | None]:
        return [self.terms.get(one.uid) for one in granted]


class Provider:
    """A payment provider that says what it is told to say. Implements sessions.payments.ports.PaymentProvider."""

    def __init__(self, *said: Settled) -> None:
        self.said = list(said)
        self.asked: list[tuple[str, Money]] = []

    async def settle(self, psp_ref: str, amount: Money, *, key: str) -> Settled:
        self.asked.append((psp_ref, amount))
        if not self.said:
            raise ExternalFailure("the provider does not answer")
        return self.said.pop(0)


class Register:
    """One company. Implements sessions.notices.ports.VatRegister."""

    async def look_up(self, country: str, number: str) -> VatAnswer:
        if (country, number) != ("DE", "123456789"):
            return VatAnswer(number=country + number, is_valid=False, reason="the register does not know it")
        return VatAnswer(
            number=country + number, is_valid=True, name="Fleet GmbH", address="Quay 1", city="Bremen", country="DE"
        )


@dataclass
class Dealing:
    """A network whose installation deals."""

    network: Network
    costs: PerKwh
    book: TermsBook
    stations: list[Station] = field(default_factory=list)

    async def station(self) -> Station:
        """A 2.1 station that does nothing by itself."""
        return await silent_station(self.network, "2.1")

    async def charge(self, *, uid: str = "TAG1", token_type: str = "ISO14443", **fields: Any) -> tuple[Charge, Payload]:
        """A transaction that begins with a token, and what its first event was answered."""
        charge = Charge(await self.station())
        answer = await charge.tells("Started", "Authorized", uid=uid, token_type=token_type, wh=1_000, **fields)
        return charge, answer

    async def told(self, charge: Charge) -> list[tuple[str, dict[str, Any]]]:
        """What happened in the session, as far as its limits are concerned."""
        session = await self.network.session_of(charge.station)
        events = await self.network.events_of(session)
        return [(e.kind, e.detail) for e in events if e.kind.startswith("limit")]


@pytest.fixture(scope="module")
async def dealing_house(installation: Installation) -> AsyncIterator[tuple[Installation, PerKwh, TermsBook]]:
    """One more gateway, of an installation that deals."""
    costs, book = PerKwh(), TermsBook()
    inquiries = Inquiries(installation.pool, vat_register=Register())
    outside: dict[str, Any] = {"costs": costs, "terms": book, "inquiries": inquiries}
    house = Installation(installation.settings, installation.pool, installation.bus, **outside)
    door = await house.open_door()
    yield house, costs, book
    await door.close()


@pytest.fixture
async def dealing(dealing_house: tuple[Installation, PerKwh, TermsBook]) -> AsyncIterator[Dealing]:
    house, costs, book = dealing_house
    network = await Network(house).found()
    yield Dealing(network, costs, book)
    for station in network.stations:
        await station.leaves()
    assert [fault for one in network.stations for fault in faults_of(one.version, one.wire.trace)] == []


def reckoned(total: str, *, energy_wh: int, failure: str | None = None) -> Payload:
    """Cost as a station reckons it."""
    cost: Payload = {
        "currency": "EUR",
        "typeOfCost": "NormalCost",
        "total": {"exclTax": 1.0, "inclTax": float(Decimal(total))},
    }
    usage = {"energy": energy_wh, "chargingTime": 900, "idleTime": 0}
    failed = {"failureToCalculate": True, "failureReason": failure} if failure else {}
    return {"totalCost": cost, "totalUsage": usage, **failed}
