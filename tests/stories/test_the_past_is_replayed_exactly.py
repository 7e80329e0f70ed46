"""Past sessions, played by the simulator through the stations' own door, arrive to the watt-hour, and only once.

With the real sessions of `../shared/data` where they are present (some stations of them: the whole file takes minutes),
else with sessions made here.
"""

import asyncio
import csv
import json
import os
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.stories.network import Network

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "acn-caltech-2019.csv"
COLUMNS = ("station", "plugged_at", "unplugged_at", "energy_wh", "token")
N_STATIONS = 4


def past() -> list[dict[str, str]]:
    """Sessions of a few stations: real ones if they are there."""
    if REAL.is_file():
        with REAL.open(newline="") as file:
            rows = [{name: row[name] for name in COLUMNS} for row in csv.DictReader(file)]
        chosen = sorted({row["station"] for row in rows})[:N_STATIONS]
        return [row for row in rows if row["station"] in chosen]
    chance = Random(11)
    rows = []
    for number in range(N_STATIONS):
        at = datetime(2019, 5, 1, 8, tzinfo=UTC)
        for _ in range(25):
            until = at + timedelta(minutes=chance.randrange(20, 900))
            energy_wh = chance.randrange(0, min(60_000, int((until - at).total_seconds() * 1.9)))
            rows.append(
                dict(
                    zip(
                        COLUMNS,
                        (f"PAST-{number}", at.isoformat(), until.isoformat(), str(energy_wh), "T1"),
                        strict=True,
                    )
                )
            )
            at = until + timedelta(minutes=chance.randrange(1, 600))
    return rows


async def replay(network: Network, file: Path, version: str, prefix: str) -> dict[str, Any]:
    """Run the product's own command; its summary."""
    command = ["simulate", "--replay", str(file), "--versions", version, "--station-prefix", prefix, "--json"]
    command += ["--url", f"{network.house.url}/ocpp", "--replay-samples", "2"]
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ohmstead",
        *command,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(running.communicate(), 150)
    finally:
        if running.returncode is None:
            running.kill()
    assert running.returncode == 0, errors.decode()[-2000:]
    summary: dict[str, Any] = json.loads(out)
    return summary


async def kept(network: Network) -> dict[str, tuple[int, int]]:
    """Sessions and watt-hours of each station."""
    rows = await network.pool.fetch(
        "select station_id, count(*) as n, sum(energy_wh) as wh from session where party_id = $1"
        " and status = 'completed' and anomalies = '{}' group by station_id",
        network.party_id,
    )
    return {row["station_id"]: (row["n"], int(row["wh"])) for row in rows}


async def contents(network: Network) -> list[tuple[object, ...]]:
    """All that a second replay could spoil."""
    return [
        tuple(row.values())
        for row in await network.pool.fetch(
            "select s.session_id, s.status, s.energy_wh, s.started_at, s.ended_at, s.n_samples, s.seen_seq_nos,"
            " (select count(*) from sample m where m.session_id = s.session_id),"
            " (select count(*) from session_event e where e.session_id = s.session_id)"
            " from session s where party_id = $1 order by s.session_id",
            network.party_id,
        )
    ]


async def test_every_session_and_watt_hour_arrives_once(network: Network, version: str, tmp_path: Path) -> None:
    rows = past()
    prefix = f"{network.suffix}-"
    file = tmp_path / "past.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    told: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        n, energy_wh = told[prefix + row["station"]]
        told[prefix + row["station"]] = (n + 1, energy_wh + int(row["energy_wh"]))
    await network.pool.executemany(
        "insert into station (station_id, party_id, security_profile) values ($1, $2, 0)",
        [(station_id, network.party_id) for station_id in told],
    )

    await replay(network, file, version, prefix)
    await network.settled()
    assert await kept(network) == dict(told)

    before = await contents(network)
    await replay(network, file, version, prefix)
    await network.settled()
    assert await contents(network) == before
