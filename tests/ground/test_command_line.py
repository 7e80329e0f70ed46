"""The command line: what it says and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ohmstead.settings import listing
from tests.architecture.house import ROOT


def ohmstead(*arguments: str, cwd: Path = ROOT, **more: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OHMSTEAD_")}
    environment = kept | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200", "TERM": "dumb"} | more
    command = [sys.executable, "-P", "-m", "ohmstead", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_help_teaches_what_it_is_and_where_to_begin() -> None:
    said = ohmstead("--help").stdout
    for words in ("Ohmstead runs an EV charging network", "A first tour", "ohmstead demo", "docs/operations.md"):
        assert words in said


@pytest.mark.parametrize(
    "command",
    [
        "api",
        "audit",
        "demo",
        "up",
        "gateway",
        "ledger",
        "mcp",
        "web",
        "worker",
        "migrate",
        "sign-in",
        "parties",
        "new-party",
        "rebuild-reports",
        "server-certificate",
        "bench",
        "doctor",
        "test",
        "simulate",
    ],
)
def test_every_command_is_in_the_help(command: str) -> None:
    assert f" {command} " in ohmstead("--help").stdout


def test_completion_knows_every_command() -> None:
    both = os.pathsep.join([str(ROOT / "src"), str(ROOT / "clients" / "python" / "src")])
    assert (
        "names='api audit bench billing demo doctor " in ohmstead("api", "completion", "bash", PYTHONPATH=both).stdout
    )


def test_every_setting_is_listed() -> None:
    said = ohmstead("doctor", "--settings").stdout
    assert [line.variable for line in listing() if line.variable not in said] == []


def test_a_bad_setting_ends_with_its_name_its_value_and_the_rule() -> None:
    done = ohmstead("up", OHMSTEAD_WEB_PORT="eighty")
    assert done.returncode == 2
    assert "OHMSTEAD_WEB_PORT='eighty': expected int" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_setting_is_mentioned(tmp_path: Path) -> None:
    done = ohmstead("doctor", OHMSTEAD_WEBPORT="8080", OHMSTEAD_DATA_DIR=str(tmp_path / "none"))
    assert "OHMSTEAD_WEBPORT is not a setting" in done.stderr


def test_an_unreachable_database_is_said_in_words(tmp_path: Path) -> None:
    done = ohmstead(
        "migrate",
        OHMSTEAD_DATA_DIR=str(tmp_path),
        OHMSTEAD_DATABASE_URL="postgresql://a:b@127.0.0.1:9/none",
        OHMSTEAD_NATS_URL="nats://127.0.0.1:9",
    )
    assert done.returncode == 1
    assert "could not be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_test_passes_everything_on_and_returns_the_runners_verdict(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert False\n")
    plain = ("-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", os.devnull)
    failed = ohmstead("test", "test_it.py", *plain, cwd=tmp_path)
    assert failed.returncode == 1
    assert "1 failed, 1 passed" in failed.stdout.splitlines()[-1]
    passed = ohmstead("test", "test_it.py::test_good", "-k", "good", *plain, cwd=tmp_path)
    assert passed.returncode == 0


def test_an_unknown_benchmark_is_refused() -> None:
    done = ohmstead("bench", "nonesuch")
    assert done.returncode == 1
    assert "no benchmark 'nonesuch'" in done.stderr
