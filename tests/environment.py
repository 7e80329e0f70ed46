"""What the run finds on this machine: servers named by the environment, free ports, leftovers of killed runs."""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import tempfile
import time
from pathlib import Path

from ohmstead.embedded import stop_leftovers
from ohmstead.settings import Settings

_PREFIX = "ohmstead-tests-"
_given: set[int] = set()

_MOST_PROCESSES = 4
_PORTS_EACH = 2500


def server_settings() -> Settings:
    """Settings that start the servers of a test run."""
    _sweep()
    return Settings(
        database_url=os.environ.get("OHMSTEAD_TEST_DATABASE_URL") or None,
        nats_url=os.environ.get("OHMSTEAD_TEST_NATS_URL") or None,
        data_dir=Path(tempfile.mkdtemp(prefix=_PREFIX)),
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses; never the same twice in a run.

    Below those that the system gives to outgoing connections: one of these could be some client's a moment later.
    """
    while True:
        port = 10000 + _PORTS_EACH * _process() + secrets.randbelow(_PORTS_EACH)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def _process() -> int:
    # Several processes run the tests side by side: each gives out ports of its own.
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _MOST_PROCESSES


def _sweep() -> None:
    # A run that was killed leaves its servers behind; nobody else would ever stop them.
    for data_dir in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            about = data_dir.stat()
            if about.st_uid != os.geteuid() or time.time() - about.st_mtime < 60:
                continue
            with (data_dir / "run" / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop_leftovers(data_dir)
            shutil.rmtree(data_dir, ignore_errors=True)
