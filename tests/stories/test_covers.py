"""Near the limit of what is paid for it is told once; at the limit the station is asked to end, in every version."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.core.db import Connection, Pool
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.sessions.costs import CoverLimit
from ohmstead.sessions.covers import service as covers
from ohmstead.sessions.model import Session
from ohmstead.sessions.pricing import watching
from ohmstead.sessions.pricing.queries import running_costs
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.sessions.pricing.store import list_sessions
from tests.stories.network import Installation, Network
from tests.stories.station import Station
from tests.stories.test_costs import charging
from tests.stories.test_priced_sessions import ENERGY, has_tariff

RULES = {"currency": "EUR", "elements": [{"price_components": [ENERGY | {"taxes": []}]}]}


class Paid:
    """So much is paid for. Implements sessions.costs.Covers."""

    def __init__(self) -> None:
        self.limit: Money | None = None

    async def limits_of(self, conn: Connection, sessions: Sequence[Session]) -> list[CoverLimit | None]:
        one = CoverLimit(limit=self.limit, warn_at=self.limit * Decimal("0.8")) if self.limit else None
        return [one] * len(sessions)


@pytest.fixture(scope="module")
async def priced_house(installation: Installation, _pool: tuple[Pool, str]) -> AsyncIterator[Installation]:
    """One more gateway, of an installation with tariffs."""
    house = Installation(installation.settings, installation.pool, installation.bus, costs=TariffCosts(looks_up=False))
    door = await house.open_door()
    yield house
    await door.close()


@pytest.fixture
async def paid(priced_house: Installation) -> AsyncIterator[Network]:
    network = await Network(priced_house).found()
    await has_tariff(network, RULES)
    yield network
    for station in network.stations:
        await station.leaves()


class Worker:
    """The worker's timers, one round at a time."""

    def __init__(self, network: Network, cover: Paid | None) -> None:
        self.network = network
        self.cover = cover
        self.watch = covers.Watch(network.pool, cover)

    async def looks(self) -> int:
        """How many stations of all were asked to stop."""
        await watching.look(self.network.pool, self.network.house.bus, TariffCosts())
        await self.watch.look()
        return await covers.stop_due(self.network.pool, self.network.house.desk, self.cover)

    async def told(self) -> list[tuple[str, str, str]]:
        rows = await self.network.rows(
            "select kind, payload from outbox where party_id = $1 and kind like 'Cover%' order by event_id",
            self.network.party_id,
        )
        return [(row.kind, row.payload["whose"], row.payload["total"]) for row in rows]


def stops_heard(station: Station) -> int:
    return sum(action in ("RemoteStopTransaction", "RequestStopTransaction") for _, action, _ in station.wire.heard)


async def test_a_session_is_stopped_when_its_cover_ran_out(paid: Network, version: str) -> None:
    cover = Paid()
    cover.limit = Money(Decimal(5), "EUR")
    worker = Worker(paid, cover)
    station = await charging(paid, version)
    await station.delivers(wh=7_000, over="30m")
    await worker.looks()
    assert (await worker.told(), stops_heard(station)) == ([], 0)
    await station.delivers(wh=1_500, over="10m")
    await worker.looks()
    await worker.looks()
    assert (await worker.told(), stops_heard(station)) == ([("CoverEnding", "cover", "4.25")], 0)
    await station.delivers(wh=1_600, over="10m")
    await worker.looks()
    await worker.looks()
    assert (await worker.told())[1:] == [("CoverRanOut", "cover", "5.05")]
    assert stops_heard(station) == 1
    await paid.is_status(station, "completed")
    session = await paid.session_of(station)
    assert session.stop_reason == "remote"


async def test_cover_that_is_raised_in_time_lets_it_go_on(paid: Network, version: str) -> None:
    cover = Paid()
    cover.limit = Money(Decimal(5), "EUR")
    worker = Worker(paid, cover)
    station = await charging(paid, version)
    await station.delivers(wh=9_000, over="30m")
    await worker.looks()
    cover.limit = Money(Decimal(10), "EUR")
    await station.delivers(wh=2_000, over="10m")
    await worker.looks()
    assert stops_heard(station) == 0
    await station.delivers(wh=6_000, over="20m")
    await worker.looks()
    assert [kind for kind, _, _ in await worker.told()] == ["CoverEnding", "CoverEnding"]


async def test_a_station_that_does_not_stop_is_asked_again_later(paid: Network) -> None:
    cover = Paid()
    cover.limit = Money(Decimal(1), "EUR")
    worker = Worker(paid, cover)
    station = await charging(paid, "2.0.1")
    await station.delivers(wh=3_000, over="10m")
    station.usual_answers["RequestStopTransaction"] = {"status": "Rejected"}
    station.transactions.clear()  # it knows nothing of it any more
    await worker.looks()
    await worker.looks()
    assert stops_heard(station) == 1
    await paid.pool.execute(
        "update cover_notice set tried_at = tried_at - interval '61 s' where party_id = $1", paid.party_id
    )
    await worker.looks()
    assert stops_heard(station) == 2
    assert [kind for kind, _, _ in await worker.told()] == ["CoverRanOut"]


async def test_a_drivers_own_limit_stops_their_session(paid: Network, version: str) -> None:
    worker = Worker(paid, None)
    station = await charging(paid, version)
    driver_id = new_id()
    await paid.pool.execute(
        "insert into driver (driver_id, party_id, name) values ($1, $2, 'Somebody')", driver_id, paid.party_id
    )
    await paid.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, 'tag1', '2020-01-01Z')",
        paid.party_id,
        driver_id,
    )
    async with paid.pool.acquire() as conn:
        await covers.set_price_limit(conn, paid.party_id, driver_id, Money(Decimal(3), "EUR"))
    await station.delivers(wh=5_600, over="20m")
    await worker.looks()
    assert await worker.told() == [("CoverEnding", "driver", "2.80")]
    await station.delivers(wh=1_000, over="5m")
    await worker.looks()
    assert stops_heard(station) == 1


async def test_what_is_kept_is_what_it_comes_to_from_scratch(paid: Network, version: str) -> None:
    """Through the database, with readings that come late."""
    worker = Worker(paid, None)
    station = await charging(paid, version)
    for wh in (1_234, 0, 2_678, 999):
        await station.delivers(wh=wh, over="17m")
        await worker.looks()
    session_id = (await paid.rows("select session_id from session where station_id = $1", station.station_id))[
        0
    ].session_id
    before = await kept(paid, session_id)
    await paid.pool.execute(
        "insert into sample (session_id, sampled_at, context, energy_wh, readings)"
        " select session_id, min(sampled_at) + interval '90 s', 'Sample.Clock', min(energy_wh), '{}' from sample"
        " where session_id = $1 group by session_id",
        session_id,
    )
    await paid.pool.execute("update session set n_samples = n_samples + 1 where session_id = $1", session_id)
    await worker.looks()
    assert await kept(paid, session_id) == before == await from_scratch(paid, session_id)
    tally = await paid.pool.fetchval("select tally from session_cost where session_id = $1", session_id)
    await paid.pool.execute("delete from session_cost where session_id = $1", session_id)
    await worker.looks()
    assert await paid.pool.fetchval("select tally from session_cost where session_id = $1", session_id) == tally


async def kept(network: Network, session_id: Any) -> Decimal:
    async with network.pool.acquire() as conn:
        return (await running_costs(conn, network.party_id, [session_id]))[session_id].amount


async def from_scratch(network: Network, session_id: Any) -> Decimal:
    async with network.pool.acquire() as conn, conn.transaction():
        (found,) = await TariffCosts().break_down(conn, await list_sessions(conn, [session_id]))
    assert found is not None
    return found.cost.total


async def test_sessions_without_a_tariff_crowd_out_nobody(paid: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at once, and again only much later, however much is read of them."""
    await paid.pool.execute(
        "insert into session (session_id, party_id, station_id, transaction_id, ocpp_version, status, started_at,"
        " last_event_at, first_received_at, updated_at) select gen_random_uuid(), $1, $2, 'x' || n, '2.1', 'active',"
        " '2019-01-01Z', now(), now(), now() from generate_series(1, 30) n",
        paid.party_id,
        (await paid.station("2.1", "ST-2")).station_id,
    )
    monkeypatch.setattr(watching, "AT_ONCE", 10)
    station = await charging(paid, "2.0.1")
    await station.delivers(wh=2_000, over="10m")
    worker = Worker(paid, None)
    await worker.looks()
    unpriced = "select count(*) from session_cost where party_id = $1 and total is null and looked_at >= $2"
    now = await paid.pool.fetchval("select now()")
    assert await paid.pool.fetchval(unpriced, paid.party_id, now - timedelta(minutes=1)) == 30
    await paid.pool.execute("update session set updated_at = now() where party_id = $1", paid.party_id)
    await worker.looks()
    assert await paid.pool.fetchval(unpriced, paid.party_id, now) == 0
    assert await paid.pool.fetchval(
        "select total from session_cost join session using (session_id) where station_id = $1", station.station_id
    ) == Decimal(1)
    await paid.pool.execute("delete from session where party_id = $1 and transaction_id like 'x%'", paid.party_id)
