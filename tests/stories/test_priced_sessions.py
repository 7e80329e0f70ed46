"""Stations hear what sessions cost by the tariff that they began with, in every version the same."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ohmstead.accounts import access
from ohmstead.core.db import Pool
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.sessions.pricing.store import list_sessions
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import KeptTariff, NewTariffAssignment, TariffDraft
from tests.stories.network import Installation, Network
from tests.stories.test_costs import charging, ended, tells_running

ENERGY = {"type": "ENERGY", "price": "0.50", "taxes": [{"percentage": 20}]}
RULES = {
    "currency": "EUR",
    "elements": [{"price_components": [ENERGY, {"type": "FLAT", "price": "1.00", "taxes": [{"percentage": 20}]}]}],
}


@pytest.fixture(scope="module")
async def priced_house(installation: Installation, _pool: tuple[Pool, str]) -> AsyncIterator[Installation]:
    """One more gateway, of an installation with tariffs."""
    house = Installation(installation.settings, installation.pool, installation.bus, costs=TariffCosts())
    door = await house.open_door()
    yield house
    await door.close()


@pytest.fixture
async def priced(priced_house: Installation) -> AsyncIterator[Network]:
    network = await Network(priced_house).found()
    yield network
    for station in network.stations:
        await station.leaves()


async def has_tariff(network: Network, rules: dict[str, Any]) -> KeptTariff:
    """One that always applied: stations of stories begin sessions before the story does."""
    actor = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        draft = TariffDraft(name="Story", tariff=msgspec.convert(rules, Tariff))
        made = await tariffs.create_tariff(conn, actor, draft)
        await tariffs.assign(conn, actor, NewTariffAssignment(tariff_id=made.tariff_id))
        for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
            await conn.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", made.tariff_id)
    return made


async def test_the_end_is_answered_with_the_total_by_the_tariff(priced: Network, version2: str) -> None:
    await has_tariff(priced, RULES)
    station = await charging(priced, version2)
    await station.delivers(wh=10_000, over="1h")
    # 5.00 for energy and 1.00 for the fee, with 20 %.
    assert await ended(station) == {"totalCost": 7.2}


async def test_a_new_version_changes_nothing_for_a_session_under_way(priced: Network, version2: str) -> None:
    made = await has_tariff(priced, RULES)
    station = await charging(priced, version2)
    await station.delivers(wh=4_000, over="30m")
    assert await tells_running(priced, TariffCosts()) >= 1
    assert (await station.hears("CostUpdated"))["totalCost"] == 3.6
    dear = {"currency": "EUR", "elements": [{"price_components": [ENERGY | {"price": "5"}]}]}
    async with priced.pool.acquire() as conn, conn.transaction():
        actor = access.system(priced.party_id)
        draft = TariffDraft(name="Story", tariff=msgspec.convert(dear, Tariff))
        await tariffs.replace_tariff(conn, actor, made.tariff_id, draft)
    await station.delivers(wh=6_000, over="30m")
    assert await ended(station) == {"totalCost": 7.2}


async def test_the_cost_covers_exactly_the_energy_of_the_session(priced: Network, version: str) -> None:
    await has_tariff(priced, RULES)
    station = await charging(priced, version)
    for wh in (1_234, 2_678, 999):
        await station.delivers(wh=wh, over="10m")
    row = await priced.pool.fetchrow("select session_id, energy_wh from session where party_id = $1", priced.party_id)
    assert row is not None
    async with priced.pool.acquire() as conn, conn.transaction():
        (found,) = await TariffCosts().break_down(conn, await list_sessions(conn, [row["session_id"]]))
        assert found is not None
        (line,) = [line for line in found.cost.lines if line.kind == "ENERGY"]
        assert line.measured == row["energy_wh"] / 1000 > Decimal(4)
        assert set(await prices.keep_tariffs(conn, await list_sessions(conn, [row["session_id"]]))) == {
            row["session_id"]
        }
