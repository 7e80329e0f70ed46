"""An installation whose disk a test can fill and free.

SmallDisk: a tmpfs in a mount namespace, gone with its last process, whatever happens to the test. Root makes one by
itself; an ordinary user needs user namespaces, inside which it must be an ordinary user again, for PostgreSQL's sake.

LimitedFiles: where neither is permitted (many containers), the kernel's limit on the size of files: PostgreSQL finds no
place for the next piece of its log, as on a full disk, only under another name. It works for everybody.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any
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


def may_mount() -> bool:
    """Whether SmallDisk works here."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run([*_command(Path(folder)), "true"], capture_output=True, check=False, timeout=20)
        except OSError:
            return False
    return done.returncode == 0


class FillableDisk(Installation, ABC):
    """`ohmstead up` on a disk that can be full."""

    @abstractmethod
    def fill(self) -> None:
        """From now on there is no room."""

    @abstractmethod
    def free(self) -> None:
        """There is room again."""

    def _prefix(self) -> list[str]:
        return []

    @property
    def inside(self) -> Path:
        """The data directory, seen from here."""
        return self.data_dir

    def start(self, within_s: float = 120) -> None:
        self.output = self.data_dir.with_name(self.data_dir.name + ".out")
        up = [sys.executable, "-P", "-m", "ohmstead", "up"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([*self._prefix(), *up], env=self.env, stdout=output, stderr=output)
        deadline = time.monotonic() + within_s
        while "Ohmstead is running" not in self.printed() or "Data " not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.1)

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


class SmallDisk(FillableDisk):
    """A disk of SIZE_MB megabytes."""

    def _prefix(self) -> list[str]:
        return _command(self.data_dir)

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


class LimitedFiles(FillableDisk):
    """No disk of its own: no file of PostgreSQL's may grow."""

    def fill(self) -> None:
        self._limit(str(1 << 20))

    def free(self) -> None:
        self._limit("unlimited")

    def _limit(self, size_bytes: str) -> None:
        """For PostgreSQL, and for the supervisor, from which the next PostgreSQL has it."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        servers = [child for child in supervisor.children(recursive=True) if "postgres" in child.name()]
        for process in [supervisor, *servers]:
            with contextlib.suppress(psutil.NoSuchProcess):
                # Even root may not do it for another account, but may become that account.
                uid, gid = process.uids().real, process.gids().real
                become: dict[str, Any] = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
                command = ["prlimit", "--pid", str(process.pid), f"--fsize={size_bytes}:"]
                done = subprocess.run(command, capture_output=True, text=True, check=False, **become)
                assert done.returncode == 0 or not process.is_running(), done.stderr


@contextlib.contextmanager
def running_on(installation: FillableDisk) -> Iterator[FillableDisk]:
    try:
        installation.start()
        yield installation
    finally:
        installation.end()
