"""Stations are told what a charge costs, by whoever knows prices; nobody is told anything where nobody does."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.core.db import Connection, Pool
from ohmstead.core.money import Money
from ohmstead.sessions.costs import Cost, Costs
from ohmstead.sessions.model import Session
from ohmstead.sessions.pricing import watching
from ohmstead.sessions.telling import service
from tests.stories.network import Installation, Network
from tests.stories.station import Payload, Station

AT_ONCE = timedelta(0)


class PerKwh:
    """A tariff of one line, as pricing will be one: 0.50 a kWh. Implements sessions.costs.Costs."""

    def __init__(self, price: str = "0.50") -> None:
        self.price = Decimal(price)
        self.asked = 0

    async def costs_of(self, conn: Connection, sessions: Sequence[Session]) -> list[Cost | None]:
        self.asked += 1
        return [
            Cost(
                total=Money(session.energy_wh / 1000 * self.price, "EUR"),
                price_text=f"EUR {self.price}/kWh",
                price_kwh=self.price,
            )
            for session in sessions
        ]


@pytest.fixture(scope="module")
async def priced_house(
    installation: Installation, _pool: tuple[Pool, str]
) -> AsyncIterator[tuple[Installation, PerKwh]]:
    """One more gateway, of an installation that knows prices."""
    tariff = PerKwh()
    house = Installation(installation.settings, installation.pool, installation.bus, costs=tariff)
    door = await house.open_door()
    yield house, tariff
    await door.close()


@pytest.fixture
async def priced(priced_house: tuple[Installation, PerKwh]) -> AsyncIterator[Network]:
    network = await Network(priced_house[0]).found()
    yield network
    for station in network.stations:
        await station.leaves()


async def charging(network: Network, version: str) -> Station:
    station = await network.station(version)
    await network.token("TAG1")
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"
    return station


async def tells_running(network: Network, tariff: Costs) -> int:
    """As the worker's timers do."""
    await watching.look(network.pool, network.house.bus, tariff)
    return await service.tell_running(network.pool, network.house.desk, every=AT_ONCE)


async def ended(station: Station) -> Payload:
    """The answer to the end."""
    transaction = station.transactions.pop(1)
    answer = await station.event(  # type: ignore[attr-defined]
        transaction, "Ended", "EVCommunicationLost", context="Transaction.End", info={"stoppedReason": "EVDisconnected"}
    )
    return dict(answer)


async def test_the_end_is_answered_with_the_total_cost(priced: Network, version2: str) -> None:
    station = await charging(priced, version2)
    await station.delivers(wh=10_150, over="1h")
    assert await ended(station) == {"totalCost": 5.08}


async def test_2_1_hears_the_running_cost_with_every_update_and_2_0_1_does_not(priced: Network, version2: str) -> None:
    station = await charging(priced, version2)
    await station.delivers(wh=4000, over="15m")
    answer = await station.event(  # type: ignore[attr-defined]
        station.transactions[1], "Updated", "MeterValuePeriodic", context="Sample.Periodic"
    )
    assert answer == ({"totalCost": 2} if version2 == "2.1" else {})


async def test_an_end_that_lacks_messages_before_it_has_no_final_cost_yet(priced: Network, version2: str) -> None:
    station = await charging(priced, version2)
    station.transactions[1].seq_no += 1  # one got lost
    assert await ended(station) == {}


async def test_without_prices_nothing_is_said(network: Network, version2: str) -> None:
    station = await charging(network, version2)
    await station.delivers(wh=10_000, over="1h")
    assert await ended(station) == {}


async def test_the_running_cost_is_told_when_it_changed_and_not_otherwise(
    priced: Network, priced_house: tuple[Installation, PerKwh], version2: str
) -> None:
    tariff = priced_house[1]
    station = await charging(priced, version2)
    await station.delivers(wh=4000, over="15m")
    assert await tells_running(priced, tariff) >= 1
    heard = await station.hears("CostUpdated")
    assert heard == {"totalCost": 2, "transactionId": station.transactions[1].id}
    assert await tells_running(priced, tariff) == 0
    await station.delivers(wh=1000, over="15m")
    # Not so soon again: the rate is bounded.
    await watching.look(priced.pool, priced.house.bus, tariff)
    await service.tell_running(priced.pool, priced.house.desk)
    assert [a for _, a, _ in station.wire.heard].count("CostUpdated") == 1
    await tells_running(priced, tariff)
    assert (await station.hears("CostUpdated"))["totalCost"] == 2.5


async def shows_costs(network: Network, station: Station) -> None:
    await network.pool.execute(
        "insert into station_variable (station_id, variable, value) values ($1, 'CustomDisplayCostAndPrice', 'true')",
        station.station_id,
    )


def cost_messages(station: Station) -> list[tuple[str, Any]]:
    return [
        (payload["messageId"], json.loads(payload["data"]))
        for _, action, payload in station.wire.heard
        if action == "DataTransfer" and payload["vendorId"] == "org.openchargealliance.costmsg"
    ]


async def test_1_6_stations_that_show_prices_hear_price_running_and_final_cost(
    priced: Network, priced_house: tuple[Installation, PerKwh]
) -> None:
    tariff = priced_house[1]
    station = await charging(priced, "1.6")
    await shows_costs(priced, station)
    await station.delivers(wh=4000, over="15m")
    await tells_running(priced, tariff)
    number = station.transactions[1].id
    session = await priced.session_of(station)
    price, running = cost_messages(station)
    assert price == ("SetUserPrice", {"idToken": "TAG1", "priceText": "EUR 0.50/kWh"})
    assert (running[0], running[1]["transactionId"], running[1]["cost"]) == ("RunningCost", number, 2)
    assert (running[1]["state"], running[1]["chargingPrice"]) == ("Charging", {"kWhPrice": 0.5})
    await station.unplugs()
    await priced.is_status(station, "completed")
    final = {"session_id": str(session.session_id)}
    await service.tell_final(priced.pool, priced.house.desk, tariff, final)
    await service.tell_final(priced.pool, priced.house.desk, tariff, final)
    assert cost_messages(station)[2:] == [
        ("FinalCost", {"transactionId": number, "cost": 2, "priceText": "EUR 0.50/kWh"})
    ]


async def test_1_6_stations_that_show_none_are_left_alone(
    priced: Network, priced_house: tuple[Installation, PerKwh]
) -> None:
    station = await charging(priced, "1.6")
    await station.delivers(wh=4000, over="15m")
    await tells_running(priced, priced_house[1])
    assert cost_messages(station) == []
