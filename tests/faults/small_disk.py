"""An installation whose data directory is a small disk of its own, that a test can fill and free.

A tmpfs in a mount namespace: it is gone with its last process, whatever happens to the test. Root makes one by itself;
an ordinary user needs user namespaces, inside which it must be an ordinary user again, for PostgreSQL's sake.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil

from tests.ground.installation import Installation

SIZE_MB = 400


def _command(data_dir: Path) -> list[str]:
    """What runs a command with `data_dir` as a small disk; the command follows."""
    mount = f'mount -t tmpfs -o size={SIZE_MB}m,mode=711 tmpfs "$0"'
    if os.geteuid() == 0:
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mount} && exec "$@"', str(data_dir)]
    again = f"unshare --user --map-user={os.geteuid()} --map-group={os.getegid()}"
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec {again} "$@"', str(data_dir)]


class SmallDisk(Installation):
    """`ohmstead up` on a disk of SIZE_MB megabytes."""

    def start(self, within_s: float = 120) -> None:
        self.output = self.data_dir.with_name(self.data_dir.name + ".out")
        up = [sys.executable, "-P", "-m", "ohmstead", "up"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([*_command(self.data_dir), *up], env=self.env, stdout=output, stderr=output)
        deadline = time.monotonic() + within_s
        while "Ohmstead is running" not in self.printed() or "Data " not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.1)

    @property
    def inside(self) -> Path:
        """The data directory, seen from here."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.data_dir}")

    @property
    def _ballast(self) -> Path:
        return self.inside / "ballast"

    @property
    def free_bytes(self) -> int:
        about = os.statvfs(self.inside)
        return about.f_bavail * about.f_frsize

    def fill(self) -> None:
        """Until not one byte more goes in."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink()

    def database_url(self, *, is_superuser: bool = False) -> str:
        """Of the PostgreSQL inside."""
        run = self.inside / "run"
        url: str = json.loads((run / "state.json").read_text())["database_url"]
        if not is_superuser:
            return url
        password = json.loads((run / "servers.json").read_text())["superuser_password"]
        return urlunsplit(urlsplit(url)._replace(netloc=f"postgres:{password}@{url.rpartition('@')[2].split('/')[0]}"))

    def end(self) -> None:
        """Stop all that runs on it, gently if possible."""
        if self.process is None:
            return
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(children, timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@contextlib.contextmanager
def small_disk(installation: SmallDisk) -> Iterator[SmallDisk]:
    try:
        installation.start()
        yield installation
    finally:
        installation.end()
