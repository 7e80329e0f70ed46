"""Twenty thousand sessions are open when everything starts: it is ready at once, stays small, and they go on rightly."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ohmstead.core.db import Pool
from ohmstead.settings import Settings
from tests.faults.charges import Charge, register_stations
from tests.faults.faithful import Faithful, lost
from tests.faults.line import VERSIONS, Line
from tests.faults.own_process import running
from tests.gateway.running import eventually, open_gateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

N_OPEN, N_GO_ON = 20_000, 60
READY_WITHIN_S, MOST_MB, ANSWER_WITHIN_S = 20.0, 250.0, 5.0


def _charge(version: str, begins_at: datetime) -> Charge:
    return Charge(version, begins_at, samples=8, transaction_id="template")


async def _templates(settings: Settings, db: Pool, party_id: UUID, begins_at: datetime) -> None:
    """A session of each version that a gateway took in, as far as its second reading."""
    await register_stations(db, party_id, [f"TEMPLATE-{version}" for version in VERSIONS])
    async with open_gateway(settings, db, party_id):
        for version in VERSIONS:
            line = await Line.open(settings.gateway_port, f"TEMPLATE-{version}", version)
            charge = _charge(version, begins_at)
            await charge.begin(line)
            for n in (1, 2):
                await line.tell(*charge.sample(n))
            await line.close()


async def _copies(db: Pool, party_id: UUID) -> None:
    """The same for N_OPEN stations; their versions in turn, their numbers of 1.6 counted on."""
    await register_stations(db, party_id, [f"ST-{n}" for n in range(N_OPEN)])
    names = await db.fetchval(
        "select string_agg(quote_ident(column_name), ', ') from information_schema.columns"
        " where table_schema = 'public' and table_name = 'session' and is_generated = 'NEVER'"
    )
    versions = ",".join(VERSIONS)
    try:
        await db.execute(
            "create table copied_session as select n, gen_random_uuid() as session_id, t.session_id as template_id"
            f" from generate_series(0, {N_OPEN - 1}) n"
            f" join session t on t.station_id = 'TEMPLATE-' || ('{{{versions}}}'::text[])[n % 3 + 1]"
        )
        await db.execute(
            f"insert into session ({names}) select {_changed(names)} from copied_session c"
            " join session s on s.session_id = c.template_id"
        )
        await db.execute(
            "insert into sample (session_id, sampled_at, context, energy_wh, power_w, soc_percent, readings, received_at)"
            " select c.session_id, sampled_at, context, energy_wh, power_w, soc_percent, readings, received_at"
            " from copied_session c join sample s on s.session_id = c.template_id"
        )
    finally:
        await db.execute("drop table if exists copied_session")
    await db.execute("select setval('transaction_number', 1000000)")
    await db.execute("analyze session, sample, station")


def _changed(names: str) -> str:
    new = {
        "session_id": "c.session_id",
        "station_id": "'ST-' || c.n",
        "transaction_id": "case s.ocpp_version when '1.6' then (c.n + 1000)::text else s.transaction_id end",
    }
    return ", ".join(new.get(name, f"s.{name}") for name in names.split(", "))


async def test_twenty_thousand_open_sessions_go_on(
    settings: Settings, db: Pool, party_id: UUID, tmp_path: Path
) -> None:
    begins_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    await _templates(settings, db, party_id, begins_at)
    await _copies(db, party_id)
    is_open = "select count(*) from session where status = 'active' and station_id like 'ST-%'"
    assert await db.fetchval(is_open) == N_OPEN

    began = time.monotonic()
    async with running("gateway", settings, tmp_path) as gateway:
        gateway_s = time.monotonic() - began
        async with running("worker", settings, tmp_path) as worker, running("web", settings, tmp_path) as web:
            all_s = time.monotonic() - began
            stations = {}
            for n in range(0, N_OPEN, N_OPEN // N_GO_ON + 1):
                version = VERSIONS[n % 3]
                charge = _charge(version, begins_at)
                if version == "1.6":
                    charge.transaction_id = n + 1000
                stations[Faithful(settings.gateway_port, f"ST-{n}", version)] = charge
            await asyncio.gather(*(_go_on(*pair) for pair in stations.items()))
            names = [station.station_id for station in stations]
            settled = "select count(*) = $2 from session where station_id = any($1) and settled_at is not null"
            await eventually(lambda: db.fetchval(settled, names, len(names)), "not settled", within_s=60)
            sizes = {role.name: role.rss_mb for role in (gateway, worker, web)}
            slowest_s = max(station.slowest_s for station in stations)
            print(
                f"\ngateway ready after {gateway_s:.1f} s, all after {all_s:.1f} s; slowest of the first messages"
                f" {slowest_s * 1000:.0f} ms; {', '.join(f'{name} {mb:.0f} MB' for name, mb in sizes.items())}"
            )
            assert gateway_s < READY_WITHIN_S
            assert all_s < 3 * READY_WITHIN_S
            assert max(sizes.values()) < MOST_MB
            assert slowest_s < ANSWER_WITHIN_S
            assert [dict(station.errors) for station in stations if station.errors] == []
            for role in (gateway, worker, web):
                assert (await asyncio.to_thread(role.readiness))[1]["status"] == "ok", role.name
    assert await lost(db, list(stations)) == set()
    rows = await db.fetch(
        "select status, energy_wh, n_samples, anomalies from session where station_id = any($1)", names
    )
    assert {(row["status"], row["energy_wh"], tuple(row["anomalies"])) for row in rows} == {
        ("completed", _charge("2.1", begins_at).energy_wh, ())
    }
    assert await db.fetchval(is_open) == N_OPEN - len(names)


async def _go_on(station: Faithful, charge: Charge) -> None:
    """No boot, no word of the start: the station never knew that we were away."""
    await station.delivers([charge.sample(n) for n in range(3, charge.samples + 1)])
    await station.says(*charge.stop())
    await station.leaves()
