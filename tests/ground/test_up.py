"""`ohmstead up`: everything with one command, whatever is killed."""

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.ground.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HEALTH = ("WEB_PORT", "METRICS_GATEWAY_PORT", "WORKER_HEALTH_PORT")


@pytest.fixture
def installation(data_dir: Path, free_port: Callable[[], int]) -> Iterator[Installation]:
    data_dir.chmod(0o711)
    one = Installation(data_dir, free_port)
    yield one
    one.clean_up()


def health(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
        return int(response.status)


def until(check: Callable[[], bool], within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_one_command_runs_everything_and_ctrl_c_stops_it_within_seconds(installation: Installation) -> None:
    printed = installation.up()
    ports = installation.ports
    assert f"http://127.0.0.1:{ports['WEB_PORT']}/" in printed
    assert f"ws://127.0.0.1:{ports['GATEWAY_PORT']}/ocpp/" in printed
    assert installation.sign_in_link() is not None
    assert [health(ports[name]) for name in HEALTH] == [200, 200, 200]

    pids = [*installation.children().values(), *installation.servers().values()]
    assert len(pids) == 5
    assert not any("://" in " ".join(psutil.Process(pid).cmdline()) for pid in pids), "a URL holds a password"

    second = installation.run("up")
    assert second.returncode == 0
    assert "runs already" in second.stdout
    assert all(alive(pid) for pid in pids)

    doctor = installation.run("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "used by the Ohmstead that runs here" in doctor.stdout
    assert "sign-in?link=" in installation.run("sign-in").stdout

    began = time.monotonic()
    assert installation.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15
    assert not any(alive(pid) for pid in pids)
    assert not (installation.data_dir / "run" / "up.json").exists()
    assert not (installation.data_dir / "run" / "state.json").exists()


def test_whatever_is_killed_comes_back(installation: Installation) -> None:
    installation.up()
    before = installation.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for pid in installation.servers().values():
        os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        now = installation.children()
        if not all(now.get(name, pid) != pid and alive(now[name]) for name, pid in before.items()):
            return False
        try:
            return all(health(installation.ports[name]) == 200 for name in HEALTH)
        except OSError:
            return False

    until(is_back)
    assert installation.stop() == 0


def test_after_the_supervisor_was_killed_the_next_start_takes_over(installation: Installation) -> None:
    installation.up()
    link = installation.sign_in_link()
    left, servers = installation.children(), installation.servers()
    assert installation.process is not None
    installation.process.kill()
    installation.process.wait()
    assert all(alive(pid) for pid in left.values()), "stations go on being served meanwhile"

    installation.up()
    assert installation.servers() == servers
    assert not any(alive(pid) for pid in left.values())
    assert installation.sign_in_link() not in (None, link)
    assert installation.stop() == 0
    assert not any(alive(pid) for pid in servers.values())


def test_a_taken_port_is_named_before_anything_starts(installation: Installation) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", installation.ports["GATEWAY_PORT"]))
        stranger.listen()
        done = installation.run("up")
    assert done.returncode == 1
    assert f"Port {installation.ports['GATEWAY_PORT']} is taken by process {os.getpid()}" in done.stderr
    assert "OHMSTEAD_GATEWAY_PORT" in done.stderr
    assert not (installation.data_dir / "postgres").exists()


def test_migrate_and_a_single_role_bring_their_own_servers(installation: Installation) -> None:
    first = installation.run("migrate")
    assert first.returncode == 0, first.stderr
    assert "applied 0001_core.sql" in first.stdout
    assert "The database is up to date." in installation.run("migrate").stdout
    assert not (installation.data_dir / "run" / "state.json").exists()
