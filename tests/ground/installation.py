"""An installation of a test's own: `ohmstead up` as a person starts it, in a process, with a directory and ports."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ohmstead import embedded
from ohmstead.roles import Claim

PORTS = ("WEB_PORT", "GATEWAY_PORT", "GATEWAY_TLS_PORT", "METRICS_GATEWAY_PORT", "WORKER_HEALTH_PORT")


# A shell's background jobs ignore the interrupt, and so would all that they start.
_AS_IN_A_TERMINAL = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


class Installation:
    """What runs on one data directory, and the commands that look at it."""

    def __init__(self, data_dir: Path, free_port: Callable[[], int]) -> None:
        self.data_dir = data_dir
        self.ports = {name: free_port() for name in PORTS}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OHMSTEAD_")}
        self.env = kept | {f"OHMSTEAD_{name}": str(port) for name, port in self.ports.items()}
        self.env |= {"OHMSTEAD_DATA_DIR": str(data_dir), "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
        self.output = data_dir / "up.out"
        self.process: subprocess.Popen[bytes] | None = None

    def up(self) -> str:
        """Start, wait until it says that it runs, return what it printed."""
        with self.output.open("wb") as output:
            command = [sys.executable, "-P", "-m", "ohmstead", "up"]
            self.process = subprocess.Popen(
                [sys.executable, "-c", _AS_IN_A_TERMINAL, *command], env=self.env, stdout=output, stderr=output
            )
        deadline = time.monotonic() + 90
        while "Ohmstead is running" not in self.printed() or "Data " not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.05)
        return self.printed()

    def printed(self) -> str:
        return self.output.read_text()

    def run(self, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Another command on the same installation, to its end."""
        command = [sys.executable, "-P", "-m", "ohmstead", *arguments]
        return subprocess.run(command, env=self.env | more, capture_output=True, text=True, check=False, timeout=120)

    def children(self) -> dict[str, int]:
        """Process numbers by role, as `run/up.json` tells them."""
        told: dict[str, int] = json.loads((self.data_dir / "run" / "up.json").read_text())["children"]
        return told

    def servers(self) -> dict[str, int]:
        """Process numbers of PostgreSQL and NATS."""
        told = json.loads((self.data_dir / "run" / "state.json").read_text())
        return {"postgres": told["postgres_pid"], "nats": told["nats_pid"]}

    def sign_in_link(self) -> str | None:
        """The one-time link that was printed."""
        match = re.search(r"\S+/sign-in\?link=\S+", self.printed())
        return match.group() if match else None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def clean_up(self) -> None:
        """Stop everything, whatever the test left."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        Claim(self.data_dir).stop_leftovers()
        embedded.stop_leftovers(self.data_dir)
