"""The benchmarks run, measure what they say, and notice what is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench._figures import Latencies, Result, added
from bench._system import Subject, lost

from ohmstead.core.db import Pool

ROOT = Path(__file__).resolve().parents[2]


def result(**fields: object) -> Result:
    given: dict[str, object] = {
        "took_s": 1.0,
        "answered": {},
        "in_doubt": {},
        "errors": {},
        "energy_wh": 0,
        "latencies": {},
        **fields,
    }
    return Result(**given)  # type: ignore[arg-type]


def test_a_short_run_of_messages_answers_stores_and_costs_something(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["--versions", "2.0.1", "--stations", "5", "--duration", "1", "--runs", "1"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.messages", *options, "--subjects", "limit,ohmstead", "--json", str(file)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    limit, ours = json.loads(file.read_text())["rows"]
    for run in (limit, ours):
        assert run["answered"] > 0
        assert run["errors"] == {}
        assert run["cpu_s_per_1000"] > 0
        assert 0 < run["p50_ms"] <= run["p99_ms"] <= run["max_ms"]
    assert ours["lost"] == []
    assert ours["quiet_after_s"] is not None
    assert set(ours["cpu"]) == {"gateway", "worker", "web", "postgres", "nats"}


def test_a_short_run_of_commands_reaches_every_station(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ["--stations", "6", "--listening", "2", "--pace", "10", "--rate", "5", "--seconds", "1"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.commands", *options, "--bulk", "8", "--group", "3", "--json", str(file)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    wire, everybody, group = json.loads(file.read_text())["rows"]
    assert wire["n_accepted"] == wire["n_commands"] == 5
    assert 0 < wire["wire_p50_ms"] <= wire["wire_p99_ms"] <= wire["wire_max_ms"]
    assert (everybody["progress"], group["progress"]) == ({"accepted": 8}, {"accepted": 3})
    assert everybody["took_s"] > 0


async def test_what_was_acknowledged_and_is_not_there_is_told(db: Pool, database_url: str) -> None:
    server = Subject("ohmstead", [], database_url, {})
    assert await lost(server, result()) == []
    (told,) = await lost(server, result(answered={"meter": 7}))
    assert told == "meter: 7 acknowledged, 0 in doubt, 0 in the database"
    assert await lost(server, result(in_doubt={"meter": 7})) == [], "nobody promised them"
    (told,) = await lost(server, result(energy_wh=100))
    assert "100 Wh" in told


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_latencies_are_told_to_one_percent(share: float) -> None:
    one, other = Latencies(), Latencies()
    for n in range(1, 1001):
        (one if n % 2 else other).add(n / 1000)
    both = added([result(latencies=one.buckets), result(latencies=other.buckets)])
    assert both.at_ms(share) == pytest.approx(share * 1000, rel=0.015)
