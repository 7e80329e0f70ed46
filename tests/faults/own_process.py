"""A role of the product in a process of its own, as `ohmstead up` would run it, and what it says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ohmstead.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Role:
    """A running role. `log` is all it wrote, JSON lines."""

    name: str
    process: subprocess.Popen[bytes]
    health_port: int
    output: Path

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """What /readyz answers: status and document."""
        return _get(self.health_port, "/readyz")

    def metric(self, start: str) -> float:
        """The sum of the samples whose line starts so."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/metrics", timeout=15) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Log lines of an event so far."""
        found = []
        for line in self.output.read_text(errors="replace").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entry = json.loads(line)
                if entry.get("event") == event:
                    found.append(entry)
        return found

    def checks_failed(self, check: str) -> list[dict[str, Any]]:
        """What the log tells of a check that failed."""
        return [line for line in self.logged("check_failed") if line["check"] == check]

    @property
    def rss_mb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make a process run with these settings."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("OHMSTEAD_")}
    names = ("database_url", "nats_url", "data_dir", "secret_key", "pool_size", "heartbeat_interval_s")
    ports = ("gateway_port", "gateway_tls_port", "web_port", "metrics_gateway_port", "worker_health_port")
    ours = {f"OHMSTEAD_{name.upper()}": str(getattr(settings, name)) for name in (*names, *ports)}
    ours |= {
        "OHMSTEAD_WEBHOOK_HOSTS": ",".join(settings.webhook_hosts),
        "OHMSTEAD_WEBHOOK_TIMEOUT_S": str(settings.webhook_timeout_s),
        "OHMSTEAD_SANDBOX_PAYMENTS": "1" if settings.sandbox_payments else "0",
    }
    more = {
        "OHMSTEAD_LOG_FORMAT": "json",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path]),
        "COLUMNS": "300",
    }
    return plain | ours | more


def doctor(settings: Settings) -> dict[str, dict[str, Any]]:
    """What `ohmstead doctor --json` finds, by name."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ohmstead", "doctor", "--json"],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return {finding["name"]: finding for finding in json.loads(done.stdout)}


@contextlib.asynccontextmanager
async def running(name: str, settings: Settings, folder: Path, within_s: float = 60) -> AsyncIterator[Role]:
    """The role `gateway`, `worker` or `web`, once it is ready."""
    port = {
        "gateway": settings.metrics_gateway_port,
        "worker": settings.worker_health_port,
        "web": settings.web_port,
    }[name]
    output = folder / f"{name}-{port}.log"
    with output.open("ab") as file:
        command = [sys.executable, "-P", "-m", "ohmstead", name]
        process = subprocess.Popen(command, env=environment(settings), stdout=file, stderr=file)
    role = Role(name, process, port, output)
    try:
        deadline = time.monotonic() + within_s
        while not await asyncio.to_thread(_is_ready, role):
            assert role.is_alive, output.read_text()[-3000:]
            assert time.monotonic() < deadline, output.read_text()[-3000:]
            await asyncio.sleep(0.1)
        yield role
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _get(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def _is_ready(role: Role) -> bool:
    try:
        return role.readiness()[1]["is_ready"] is True
    except OSError:
        return False
