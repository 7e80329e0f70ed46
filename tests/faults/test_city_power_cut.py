"""The power of a city fails: a thousand stations are gone at once, and come back within half a minute, each with a
queue. All of it is taken in, in order; nobody waits in vain; stations that kept their power notice nothing.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from tests.faults.charges import Charge, register_stations
from tests.faults.faithful import Faithful, lost
from tests.faults.line import BOOTS, VERSIONS
from tests.faults.live import live_stations
from tests.faults.open_files import allow_open_files
from tests.faults.own_process import running
from tests.gateway.running import eventually

N_STATIONS, N_LIVE = 1_000, 20
BACK_WITHIN_S = 30.0  # allowed; they come within less, which is harder
COME_WITHIN_S = 12.0
STATION_TIMEOUT_S = 30.0  # how long a station waits for an answer before it gives up, as most do
LIVE_WITHIN_S = 1.0
SAMPLES = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_thousand_stations_vanish_and_return_with_their_queues(
    settings: Settings, db: Pool, party_id: UUID, tmp_path: Path
) -> None:
    allow_open_files(N_STATIONS + 500)
    names = [f"ST-{n}" for n in range(N_STATIONS)]
    await register_stations(db, party_id, names + [f"LIVE-{n}" for n in range(N_LIVE)])
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    city = {
        Faithful(settings.gateway_port, name, VERSIONS[n % 3]): Charge(
            VERSIONS[n % 3], began, SAMPLES, step_wh=100 + n % 200
        )
        for n, name in enumerate(names)
    }
    async with running("gateway", settings, tmp_path) as gateway:
        await _all_charge(city)
        async with live_stations(settings.gateway_port, "LIVE-", N_LIVE, 0.25) as seen:
            for station in city:
                station.loses_power()
            cut_at = time.time()
            await _come_back(city)
            took_s = time.time() - cut_at
            held = "select count(*) from station where gateway_id is not null"
            assert await db.fetchval(held) == N_STATIONS + N_LIVE
        live = seen().since(cut_at)
        print(
            f"\n{N_STATIONS} stations back after {took_s:.1f} s; slowest answer to them"
            f" {max(s.slowest_s for s in city):.2f} s; live stations: median {live.median_s * 1000:.0f} ms,"
            f" p99 {live.within(0.99) * 1000:.0f} ms, slowest {live.slowest_s * 1000:.0f} ms of {len(live.took_s)};"
            f" gateway {gateway.rss_mb:.0f} MB"
        )
        assert took_s < BACK_WITHIN_S
        assert (live.lost, len(live.took_s) > N_LIVE) == (0, True)
        assert live.slowest_s < LIVE_WITHIN_S
        assert max(station.slowest_s for station in city) < STATION_TIMEOUT_S
        assert [dict(station.errors) for station in city if station.errors] == []
        await _is_all_there(db, city)
        for station in city:
            station.loses_power()
        left = "select count(*) = 0 from station where gateway_id is not null and station_id like 'ST-%'"
        await eventually(lambda: db.fetchval(left), "stations that are gone are shown as connected", within_s=30)


async def _all_charge(city: dict[Faithful, Charge]) -> None:
    """A charge begins at each, and its first reading is told."""
    gate = asyncio.Semaphore(100)

    async def one(station: Faithful, charge: Charge) -> None:
        async with gate:
            answer = await station.says(*charge.start())
            if station.version == "1.6":
                charge.transaction_id = answer["transactionId"]
            await station.says(*charge.sample(1))

    await asyncio.gather(*(one(*pair) for pair in city.items()))


async def _come_back(city: dict[Faithful, Charge]) -> None:
    """Each at a moment of its own; then its boot, what it measured without us, the end of the charge, and a new one."""
    chance = Random(5)

    async def one(station: Faithful, charge: Charge, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await station.says("BootNotification", BOOTS[station.version])
        charge.is_offline = True
        await station.delivers([charge.sample(n) for n in range(2, SAMPLES + 1)])
        await station.says(*charge.stop())
        await station.says("Heartbeat", {})

    await asyncio.gather(*(one(*pair, chance.uniform(0, COME_WITHIN_S)) for pair in city.items()))


async def _is_all_there(db: Pool, city: dict[Faithful, Charge]) -> None:
    assert await lost(db, list(city)) == set()
    rows = await db.fetch("select station_id, status, energy_wh, n_samples, anomalies from session")
    assert {row["station_id"]: (row["status"], row["energy_wh"]) for row in rows} == {
        station.station_id: ("completed", charge.energy_wh) for station, charge in city.items()
    }
    assert len(rows) == N_STATIONS
    assert {tuple(row["anomalies"]) for row in rows} == {()}
    logged: dict[str, list[str]] = {station.station_id: [] for station in city}
    for row in await db.fetch(
        "select station_id, message_id from ocpp_message where station_id like 'ST-%' order by received_at"
    ):
        logged[row["station_id"]].append(row["message_id"])
    out_of_order = [s.station_id for s in city if logged[s.station_id] != s.acknowledged]
    assert out_of_order == []
