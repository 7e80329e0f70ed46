"""The command line: what is refused, what is shown, what a run leaves behind."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from ohmstead.simulator.cli import simulate as command_of_simulate
from tests.simulator.test_world import Gateway, listening

ROOT = Path(__file__).resolve().parents[2]


def simulate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `ohmstead simulate …` to its end."""
    command = [sys.executable, "-m", "ohmstead", "simulate", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def refused(*arguments: str) -> tuple[int, str]:
    """Run the command within this process; its exit code and everything it printed."""
    app = typer.Typer()
    app.command()(command_of_simulate)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "OHMSTEAD_API_KEY": ""})
    return result.exit_code, result.output


def test_quirks_are_listed() -> None:
    code, output = refused("--list-quirks")
    assert code == 0
    assert "begin-zero" in output
    assert "signed-values" in output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--quirks", "no-such"), "no-such"),
        (("--versions", "1.5"), "1.5"),
        (("--replay", "no-such.csv"), "no-such.csv"),
        (("--ca", "no-such.pem"), "no-such.pem"),
        (("--api-url", "http://127.0.0.1:1"), "--api-key"),
    ],
    ids=["quirk", "version", "file", "authority", "key"],
)
def test_what_cannot_be_is_refused_with_its_reason(arguments: tuple[str, ...], text: str) -> None:
    code, output = refused(*arguments)
    assert code == 2
    assert text in output


def test_bad_rows_stop_a_replay_and_are_listed(tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text("station,plugged_at,unplugged_at,energy_wh,token\nA,never,2026-01-01T11:00:00Z,5,T\n")
    code, output = refused("--replay", str(file))
    assert code == 2
    assert "plugged_at" in output
    assert "never" in output


async def test_a_run_and_a_replay_end_with_a_summary(tmp_path: Path) -> None:
    gateway = Gateway()
    past = tmp_path / "past.csv"
    past.write_text(
        "station,plugged_at,unplugged_at,energy_wh,token,note\n"
        "A,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,5001,T1,x\n"
        "B,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,6001,T2,y\n"
    )
    state = tmp_path / "state.json"
    async with listening(gateway) as url:
        run = ("--url", url, "--stations", "6", "--duration", "3", "--json", "--state", str(state), "--password", "pw")
        lived = await asyncio.to_thread(simulate, *run)
        played = await asyncio.to_thread(simulate, "--url", url, "--replay", str(past), "--json")
    assert gateway.problems == []
    assert (lived.returncode, played.returncode) == (0, 0), lived.stderr + played.stderr
    summary = msgspec.json.decode(lived.stdout)
    assert summary["stations"] == 6
    assert summary["sent"]["BootNotification"] == 6
    assert summary["errors"] == {}
    assert len(msgspec.json.decode(state.read_bytes())["stations"]) == 6
    replayed = msgspec.json.decode(played.stdout)
    assert (replayed["sessions_ended"], replayed["energy_wh"]) == (2, 11_002)
    assert {"A", "B"} <= {station_id for station_id, _ in gateway.heard}
