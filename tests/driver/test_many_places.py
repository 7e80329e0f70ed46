"""The map and the list ask the database as often for two hundred places as for one, and each place has its own price."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.core.ids import new_id
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import MarketLink, PriceComponent, Tariff, TariffElement
from ohmstead.tariffs.records import NewPriceSeries, NewTariffAssignment, SeriesPrice, SeriesPrices, TariffDraft
from tests.driver.visitor import VAT, Visitor, offers, per_kwh
from tests.stories.network import Network

Count = Callable[[str], Awaitable[int]]


@pytest.fixture
async def asked(visitor: Visitor) -> Count:
    """How many statements a page takes, besides those by which a fresh connection asks the server about its types."""
    pool = visitor.front.app.state.pool
    statements: list[str] = []

    async def count(path: str) -> int:
        held = [await pool.acquire() for _ in range(pool.get_max_size())]
        for conn in held:
            conn.add_query_logger(_note)
        for conn in held:
            await pool.release(conn)
        statements.clear()
        await visitor.opens(path)
        found = list(statements)
        held = [await pool.acquire() for _ in range(pool.get_max_size())]
        for conn in held:
            conn.remove_query_logger(_note)
            await pool.release(conn)
        return len(found)

    def _note(record: Any) -> None:
        if "pg_catalog" not in record.query and "set_config(" not in record.query:
            statements.append(record.query)

    return count


async def many_places(network: Network, n: int, name: str, *, tariff_id: UUID | None = None) -> list[UUID]:
    """Places with a station each, all of them free; with a tariff of their own, where one is named."""
    ids = [new_id() for _ in range(n)]
    stations = [f"{name}-{number:03d}-{network.suffix}" for number in range(n)]
    await network.pool.execute(
        "insert into location (location_id, party_id, name, time_zone, latitude, longitude)"
        " select id, $2, $3 || ' ' || n, 'Europe/Vienna', 48 + n * 0.001, 14 from unnest($1::uuid[]) with ordinality p (id, n)",
        ids,
        network.party_id,
        name,
    )
    await network.pool.execute(
        "insert into station (station_id, party_id, location_id, registration) select s, $2, l, 'accepted'"
        " from unnest($1::text[], $3::uuid[]) p (s, l)",
        stations,
        network.party_id,
        ids,
    )
    await network.pool.execute(
        "insert into evse (station_id, evse_number, current_type, max_power_w) select s, 1, 'AC', 22000"
        " from unnest($1::text[]) s",
        stations,
    )
    await network.pool.execute(
        "insert into connector (station_id, evse_number, connector_number, standard, status, status_at)"
        " select s, 1, 1, 'IEC_62196_T2', 'available', now() from unnest($1::text[]) s",
        stations,
    )
    if tariff_id is not None:
        async with network.pool.acquire() as conn, conn.transaction():
            for location_id in ids:
                given = NewTariffAssignment(tariff_id=tariff_id, location_id=location_id)
                await tariffs.assign(conn, access.system(network.party_id), given)
    return ids


async def publishes(network: Network, name: str, tariff: Tariff) -> UUID:
    async with network.pool.acquire() as conn, conn.transaction():
        made = await tariffs.create_tariff(conn, access.system(network.party_id), TariffDraft(name=name, tariff=tariff))
    return made.tariff_id


async def test_two_hundred_places_take_as_many_statements_as_one(visitor: Visitor, asked: Count) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.50"))
    await many_places(network, 1, f"Lone{network.suffix}")
    own = await publishes(network, "Own", per_kwh("0.40"))
    await many_places(network, 10, f"Some{network.suffix}", tariff_id=own)
    await many_places(network, 200, f"Many{network.suffix}")
    counts = {}
    for name, n in (("Lone", 1), ("Some", 10), ("Many", 200)):
        path = f"/drive?q={name}{network.suffix}&more=20"
        page = await visitor.opens(path)
        assert page.html.count('id="l-') == n
        assert page.html.count("€0.48" if name == "Some" else "€0.60") == n
        counts[n] = await asked(path)
    assert counts[1] == counts[10] == counts[200]
    assert counts[200] <= 6


async def test_signed_in_it_is_the_same_with_ones_own_prices(visitor: Visitor, asked: Count) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.50"))
    (place, *_) = await many_places(network, 1, f"Lone{network.suffix}")
    await many_places(network, 60, f"Many{network.suffix}")
    station = await network.pool.fetchval("select station_id from station where location_id = $1", place)
    await visitor.signs_in(visitor.mailbox("ada"), at=station)
    members = await publishes(network, "Members", per_kwh("0.25"))
    async with network.pool.acquire() as conn, conn.transaction():
        given = NewTariffAssignment(tariff_id=members, group_uid="CLUB")
        await tariffs.assign(conn, access.system(network.party_id), given)
    await network.pool.execute("update driver set group_uid = 'CLUB' where driver_id = $1", await visitor.driver_id())
    page = await visitor.opens(f"/drive?q=Many{network.suffix}&more=20")
    assert page.html.count("€0.30") == 60
    counts = [await asked(f"/drive?q={name}{network.suffix}&more=20") for name in ("Lone", "Many")]
    assert counts[0] == counts[1]


async def test_one_place_with_many_plugs_asks_for_market_prices_once(visitor: Visitor, asked: Count) -> None:
    network = visitor.network
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        await tariffs.create_series(conn, actor, NewPriceSeries(name="EPEX", currency="EUR"))
        hours = await conn.fetchrow(
            "select date_trunc('hour', now()) - interval '1 h' as a, now() + interval '1 d' as b"
        )
        assert hours is not None
        price = SeriesPrice(starts_at=hours["a"], ends_at=hours["b"], price_kwh=Decimal("0.30"))
        await tariffs.write_series(conn, actor, "EPEX", SeriesPrices(currency="EUR", prices=[price]))
    component = PriceComponent(type="ENERGY", price=Decimal("0.10"), taxes=VAT, market=MarketLink(series="EPEX"))
    await offers(network, Tariff(currency="EUR", elements=[TariffElement(price_components=[component])]))
    (one,) = await many_places(network, 1, f"Lone{network.suffix}")
    (big,) = await many_places(network, 1, f"Big{network.suffix}")
    station = await network.pool.fetchval("select station_id from station where location_id = $1", big)
    for table, rest in (
        ("evse (station_id, evse_number, current_type, max_power_w)", "'AC', 22000"),
        (
            "connector (station_id, evse_number, connector_number, standard, status, status_at)",
            "1, 'IEC_62196_T2', 'available', now()",
        ),
    ):
        await network.pool.execute(f"insert into {table} select $1, n, {rest} from generate_series(2, 24) n", station)
    page = await visitor.opens(f"/drive/l/{big}")
    assert page.text.count("€0.36") >= 24
    counts = [await asked(f"/drive/l/{place}") for place in (one, big)]
    assert counts[0] == counts[1]


async def test_each_network_has_its_own_price_on_one_map(visitor: Visitor) -> None:
    network = visitor.network
    other = await Network(visitor.front.house).found()
    await offers(network, per_kwh("0.50"))
    await offers(other, per_kwh("0.75"))
    name = f"Both{network.suffix}"
    await many_places(network, 2, name)
    await many_places(other, 3, name)
    page = await visitor.opens(f"/drive?q={name}")
    assert (page.html.count("€0.60"), page.html.count("€0.90")) == (2, 3)
